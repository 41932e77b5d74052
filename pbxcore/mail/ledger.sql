-- name: letters
-- One row for each message that is to be mailed, and what became of it: waiting, deleting (mailed, and to go from
-- its box), sent, failed, gone (deleted before it could be mailed). Instants in whole seconds.
CREATE TABLE IF NOT EXISTS letters (
  mailbox TEXT, message TEXT, began INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  tries INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL, since INTEGER NOT NULL, detail TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (mailbox, message)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS letters_due ON letters (next_at) WHERE state IN ('waiting', 'deleting');

-- name: enrol
INSERT INTO letters (mailbox, message, began, next_at, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: due
SELECT mailbox, message, state, tries, since FROM letters
WHERE state IN ('waiting', 'deleting') AND next_at <= ? ORDER BY next_at LIMIT ?;

-- name: note
UPDATE letters SET state = ?, tries = ?, next_at = ?, detail = ? WHERE mailbox = ? AND message = ?;

-- name: prune
DELETE FROM letters WHERE began < ? AND state NOT IN ('waiting', 'deleting');

-- name: counts
SELECT state, count(*) FROM letters GROUP BY state;

-- name: of_box
SELECT message, state, detail FROM letters WHERE mailbox = ?;
