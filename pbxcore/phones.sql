-- name: phones
-- What Asterisk reads of its phones (extconfig.conf). Columns are options of Asterisk, so nothing else stands there.
CREATE TABLE IF NOT EXISTS ps_endpoints (
  id TEXT PRIMARY KEY, aors TEXT, auth TEXT, identify_by TEXT, context TEXT, accountcode TEXT, callerid TEXT, callerid_tag TEXT,
  language TEXT, mailboxes TEXT, set_var TEXT, disallow TEXT, allow TEXT, direct_media TEXT, rtp_symmetric TEXT,
  force_rport TEXT, rewrite_contact TEXT, redirect_method TEXT, allow_transfer TEXT, allow_overlap TEXT,
  allow_subscribe TEXT, trust_id_inbound TEXT, send_pai TEXT, subscribe_context TEXT,
  mwi_subscribe_replaces_unsolicited TEXT, moh_suggest TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ps_auths (
  id TEXT PRIMARY KEY, auth_type TEXT, username TEXT, password TEXT, realm TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ps_aors (
  id TEXT PRIMARY KEY, max_contacts INTEGER, remove_existing TEXT, minimum_expiration INTEGER,
  default_expiration INTEGER, maximum_expiration INTEGER, qualify_frequency INTEGER, mailboxes TEXT
) WITHOUT ROWID;
-- Ours: which tenant an id belongs to (an id alone does not tell: both tenant and device may have a hyphen).
CREATE TABLE IF NOT EXISTS owners (id TEXT PRIMARY KEY, tenant TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owners_by_tenant ON owners (tenant);
-- What a hint of Asterisk looks up when somebody watches an extension, `<tenant>/<extension>` (pbxcore.lamps).
CREATE TABLE IF NOT EXISTS lamps (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, hint TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lamps_by_tenant ON lamps (tenant);
-- What is heard on hold, looked up each time (pbxcore.music); entries are paths without ending, in order.
CREATE TABLE IF NOT EXISTS musiconhold (name TEXT PRIMARY KEY, mode TEXT NOT NULL, sort TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS musiconhold_entry (
  name TEXT, position INTEGER, entry TEXT NOT NULL, PRIMARY KEY (name, position)
) WITHOUT ROWID;
-- Ours: objects that Asterisk may still have in its cache in an older form. Written with the change itself,
-- removed when Asterisk has confirmed: no crash in between leaves an old password in force.
CREATE TABLE IF NOT EXISTS expiry (
  kind TEXT, id TEXT, change INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
-- Ours: phones whose registration Asterisk does not follow yet (pbxcore.control.following), and of which start of
-- Asterisk that is known.
CREATE TABLE IF NOT EXISTS unfollowed (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asterisk (started TEXT NOT NULL);

-- name: mailboxes
-- `uniqueid`, `context`, `mailbox`, `password` … are names of app_voicemail. It writes a changed PIN back.
CREATE TABLE IF NOT EXISTS voicemail (
  uniqueid INTEGER PRIMARY KEY, context TEXT NOT NULL, mailbox TEXT NOT NULL, password TEXT NOT NULL,
  fullname TEXT, email TEXT, language TEXT, tz TEXT, tenant_language TEXT, UNIQUE (context, mailbox)
);
-- Ours: languages in which this machine can say what is in a mailbox. `language` is the tenant's where it is one of
-- these, and English otherwise: app_voicemail hangs up where a word of another grammar is missing.
CREATE TABLE IF NOT EXISTS voices (language TEXT PRIMARY KEY) WITHOUT ROWID;
-- Ours: since which revision a mailbox has been there, and where its messages go when it goes (pbxcore.attic).
CREATE TABLE IF NOT EXISTS opened (
  context TEXT, mailbox TEXT, place INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (context, mailbox)
) WITHOUT ROWID;
-- Ours: from when to when mailboxes were there that were removed, and when that was.
CREATE TABLE IF NOT EXISTS attic (
  context TEXT, mailbox TEXT, place INTEGER, since INTEGER, until INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (context, mailbox, place, since)
) WITHOUT ROWID;
-- Ours: earlier revisions that said what the next one says: its mailboxes of that time have their messages again.
CREATE TABLE IF NOT EXISTS said_before (
  context TEXT, revision INTEGER, older INTEGER, PRIMARY KEY (context, revision, older)
) WITHOUT ROWID;
-- Ours: the PIN that a tenant's document gave last. Only another one overrules what a user has set.
CREATE TABLE IF NOT EXISTS given_pins (
  context TEXT, mailbox TEXT, pin TEXT NOT NULL, PRIMARY KEY (context, mailbox)
) WITHOUT ROWID;
-- Ours: whose messages are mailed where (pbxcore.mail.boxes), and from which instant on.
CREATE TABLE IF NOT EXISTS mail (
  context TEXT, mailbox TEXT, owner TEXT NOT NULL, address TEXT NOT NULL, attach INTEGER NOT NULL, remove INTEGER NOT NULL,
  language TEXT NOT NULL, zone TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (context, mailbox)
) WITHOUT ROWID;
