"""Phones, mailboxes and music of tenants, as rows that Asterisk reads from SQLite files on this machine.

Owns both files, the passwords of phones and the first PINs of mailboxes. A tenant changes in one short
transaction, in place: the file is never replaced, which would corrupt Asterisk's open one. Refuses to talk to
Asterisk: what it may still hold in its cache is written down with the change (`expiry`) for control to
expire.
"""

import contextlib
import re
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from dialplan.plan import Phone, Plan
from pbxcore import attic, lamps, music
from pbxcore.mail import boxes
from pbxcore.secret import derive
from pbxcore.settings import Settings

BUSY_TIMEOUT_S = 5.0  # another publisher; each holds the lock for milliseconds
FORM = 7  # of what these tables say of a plan; to be raised when `_rows` or `lamps_of` says something else
TABLES = {"endpoint": "ps_endpoints", "auth": "ps_auths", "aor": "ps_aors"}
PIN_LENGTH = 6

Row = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, order=True)
class Changed:
    """An object of Asterisk that was added, changed or removed.

    Attributes:
        kind: endpoint, auth, aor, lamp or mailbox.
        id: its name: that of the phone's endpoint, of a lamp `<tenant>/<extension>`, of a mailbox
            `<box>@<tenant>`.
        change: tells this change of it from a later one.
    """

    kind: str
    id: str
    change: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are.

    Attributes:
        published: phones that stand in the tables.
        unexpired: changed objects that Asterisk has not yet forgotten.
        unfollowed: phones whose registration it does not follow yet.
    """

    published: int
    unexpired: int
    unfollowed: int


def password_of(settings: Settings, endpoint: str) -> str:
    """Return the SIP password of a device that no document names one for."""
    return derive(settings.state, f"phone/{endpoint}")


def pin_of(settings: Settings, mailbox: str) -> str:
    """Return the first PIN of a mailbox, `<box>@<tenant>`."""
    return derive(settings.state, f"pin/{mailbox}", length=PIN_LENGTH, alphabet="0123456789")


def mailboxes_db(settings: Settings) -> Path:
    """Return the file of mailboxes: its own, because app_voicemail writes changed PINs into it."""
    return settings.phones_db.with_name("mailboxes.sqlite")


def prepare(settings: Settings) -> None:
    """Create both files if they are missing: Asterisk opens them once, at its start.

    A file of an older version gets the columns that it lacks.
    """
    lamps.prepare(settings)
    for path, name in ((settings.phones_db, "phones"), (mailboxes_db(settings), "mailboxes")):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _open(path) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_sql(name))
            for table, column in _lacking(db, _sql(name)):
                db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")


def _lacking(db: sqlite3.Connection, script: str) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as wanted:
        wanted.executescript(script)
        return sorted(_columns(wanted) - _columns(db))


def _columns(db: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(db.execute("SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c "
                          "WHERE t.type = 'table'"))  # fmt: skip


def is_current(settings: Settings) -> bool:
    """Tell whether every tenant's rows were written in the form of this program; another one lacks some."""
    if not settings.phones_db.exists():
        return False
    with _open(settings.phones_db) as db:
        (found,) = db.execute("PRAGMA user_version").fetchone()
    return bool(found == FORM)


def mark_current(settings: Settings) -> None:
    """Note that every tenant's rows have been written in the form of this program."""
    if is_current(settings):
        return
    with _open(settings.phones_db) as db:
        db.execute(f"PRAGMA user_version = {FORM}")


def note_said_before(settings: Settings, plan: Plan, older: Collection[int]) -> None:
    """Note, before a plan is put in force, which earlier revisions said the same.

    Mailboxes of that time have their messages again, also where this publisher dies and another one goes on.
    """
    if not is_current(settings):
        prepare(settings)
    with _transaction(mailboxes_db(settings)) as db:
        attic.note_said_before(db, plan.tenant, plan.revision, older)


def publish(settings: Settings, plan: Plan) -> tuple[Changed, ...]:
    """Make a tenant's phones and mailboxes those of its plan; return what Asterisk must forget.

    A PIN that a user changed stays until the document names another one. The file of lamps comes last: a
    publisher that dies before it is followed by one that does all again.
    """
    if not is_current(settings):
        prepare(settings)
    with _transaction(mailboxes_db(settings)) as db:
        attic.put_away(db, settings.voicemail, plan.tenant)
        _replace_mailboxes(db, settings, plan)
        boxes.replace(db, plan, int(time.time()))
    with _transaction(mailboxes_db(settings)) as db:
        attic.put_away(db, settings.voicemail, plan.tenant)
        dimmed = [
            Changed("mailbox", f"{box}@{plan.tenant}")
            for box in attic.touched(db, plan.tenant, plan.revision)
        ]
    rows = {phone.endpoint: _rows(settings, plan, phone) for phone in plan.phones}
    with _transaction(settings.phones_db) as db:
        music.replace(db, settings, plan)
        changed = _replace(db, plan.tenant, rows, lamps.lamps_of(plan), dimmed)
    lamps.write(settings, plan.tenant, lamps.lamps_of(plan))
    return changed


def tenants(settings: Settings) -> frozenset[str]:
    """Name the tenants that have phones or mailboxes."""
    asked = (
        (settings.phones_db, "SELECT DISTINCT tenant FROM owners"),
        (mailboxes_db(settings), "SELECT DISTINCT context FROM voicemail"),
    )
    found: set[str] = set()
    for path, question in asked:
        if path.exists():
            with _open(path) as db:
                found.update(str(row[0]) for row in db.execute(question))
    return frozenset(found)


def removed_mailboxes_of(settings: Settings, tenants: Collection[str]) -> frozenset[str]:
    """Return those of some tenants that have messages of removed mailboxes."""
    if not tenants or not mailboxes_db(settings).exists():
        return frozenset()
    with _open(mailboxes_db(settings)) as db:
        if ("attic", "context") not in _columns(db):  # of an older program; `publish` mends it
            return frozenset()
        return frozenset(tenants) & {row[0] for row in db.execute("SELECT DISTINCT context FROM attic")}


def purge(settings: Settings, now: int) -> None:
    """Remove what was in mailboxes that have been gone for long enough."""
    if not mailboxes_db(settings).exists():
        return
    with _transaction(mailboxes_db(settings)) as db:
        attic.purge(db, settings.voicemail, now)
    attic.remove_purged(settings.voicemail)


def give_voices(settings: Settings, languages: Collection[str]) -> None:
    """Note in which languages this machine can say what is in a mailbox; the others are told in English."""
    with _transaction(mailboxes_db(settings)) as db:
        db.execute("DELETE FROM voices")
        db.executemany("INSERT INTO voices VALUES (?)", [(language,) for language in languages])
        db.execute(f"UPDATE voicemail SET language = {_VOICE} WHERE tenant_language IS NOT NULL")  # noqa: S608 — words of ours


def counts(settings: Settings) -> Counts:
    """Count what stands in the tables; nothing before the first publication."""
    if not settings.phones_db.exists():
        return Counts(published=0, unexpired=0, unfollowed=0)
    tables = ("ps_endpoints", "expiry", "unfollowed")
    with _open(settings.phones_db) as db:
        found = [int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables]  # noqa: S608 — names of ours
    return Counts(published=found[0], unexpired=found[1], unfollowed=found[2])


def to_expire(settings: Settings) -> tuple[Changed, ...]:
    """Return what Asterisk has not yet confirmed to have forgotten."""
    with _open(settings.phones_db) as db:
        rows = db.execute("SELECT kind, id, change FROM expiry ORDER BY kind, id")
        return tuple(Changed(*row) for row in rows)


def lamp_actions(settings: Settings, changed: Iterable[Changed]) -> Mapping[Changed, lamps.Action]:
    """Return the manager actions that put changed lamps in force, message lamps among them."""
    with _open(settings.phones_db) as db:
        return {
            one: lamps.action(db, one.id) if one.kind == "lamp" else lamps.message_action(one.id)
            for one in changed
            if one.kind in {"lamp", "mailbox"}
        }


def expired(settings: Settings, objects: Iterable[Changed]) -> None:
    """Note that Asterisk has forgotten what `to_expire` gave; what changed again since then stays due."""
    with _transaction(settings.phones_db) as db:
        db.executemany(
            "DELETE FROM expiry WHERE kind = ? AND id = ? AND change = ?",
            [(one.kind, one.id, one.change) for one in objects],
        )


def unfollowed(settings: Settings, limit: int) -> tuple[str, ...]:
    """Return some of the phones whose registration Asterisk does not follow yet."""
    with _open(settings.phones_db) as db:
        return tuple(row[0] for row in db.execute("SELECT id FROM unfollowed ORDER BY id LIMIT ?", (limit,)))


def followed(settings: Settings, endpoints: Iterable[str]) -> None:
    """Note that Asterisk follows the registrations of these phones."""
    with _transaction(settings.phones_db) as db:
        db.executemany("DELETE FROM unfollowed WHERE id = ?", [(one,) for one in endpoints])


def follow_from(settings: Settings, started: str) -> None:
    """Note which start, or reload, of Asterisk is running: another one than before follows no phone."""
    with _transaction(settings.phones_db) as db:
        if db.execute("SELECT 1 FROM asterisk WHERE started = ?", (started,)).fetchone():
            return
        db.execute("DELETE FROM asterisk")
        db.execute("INSERT INTO asterisk VALUES (?)", (started,))
        db.execute("INSERT OR IGNORE INTO unfollowed SELECT id FROM ps_endpoints")


def _rows(settings: Settings, plan: Plan, phone: Phone) -> dict[str, Row]:
    shown = re.sub(r'[\x00-\x1f"<>]', "", phone.name).replace("\\", r"\\")
    endpoint: Row = {
        "aors": phone.endpoint,
        "auth": phone.endpoint,
        "identify_by": "username",
        "context": f"phones-{plan.country.lower()}",
        "accountcode": f"{plan.tenant}/{phone.extension}",
        "callerid": f'"{shown}" <{phone.extension}>',
        "language": plan.language,
        "moh_suggest": music.class_of(plan.tenant, phone.music),
        "mailboxes": phone.mailbox,
        "set_var": f"PBX_CALLBACK={phone.callback}",
        # A set_var cannot be read by the endpoint's name, this can.
        "callerid_tag": f"{phone.callback}|{phone.location}" if phone.location else phone.callback,
        "disallow": "all",
        "allow": "alaw,ulaw,g722",
        "direct_media": "no",  # limits, recordings and leg records need the sound to pass here
        "rtp_symmetric": "yes",
        "force_rport": "yes",
        "rewrite_contact": "yes",
        "redirect_method": "user",  # any other sends a 302 wherever the phone says, past billing
        "allow_transfer": "yes",
        "allow_overlap": "no",
        "allow_subscribe": "yes",
        "subscribe_context": lamps.context_of(plan.tenant),  # a phone sees lamps of its own tenant alone
        "mwi_subscribe_replaces_unsolicited": "yes",  # one message lamp, whether a phone asks for it or not
        "trust_id_inbound": "no",
        "send_pai": "no",
    }
    auth: Row = {
        "auth_type": "userpass",
        "username": phone.endpoint,
        "password": phone.password or password_of(settings, phone.endpoint),
        "realm": "pbxcore",
    }
    aor: Row = {
        "max_contacts": 1,
        "remove_existing": "yes",
        "minimum_expiration": 30,
        "default_expiration": 300,
        "maximum_expiration": 3600,
        "qualify_frequency": 0,
        "mailboxes": phone.mailbox,
    }
    return {"endpoint": endpoint, "auth": auth, "aor": aor}


def _replace(
    db: sqlite3.Connection,
    tenant: str,
    phones: Mapping[str, Mapping[str, Row]],
    hints: Mapping[str, str],
    mailboxes: Iterable[Changed],
) -> tuple[Changed, ...]:
    """Change phones and lamps of a tenant, and note with them what Asterisk has to be told of it."""
    changed = [*_replace_phones(db, tenant, phones), *mailboxes]
    changed += [Changed("lamp", lamp) for lamp in lamps.replace(db, tenant, hints)]
    db.executemany(
        "INSERT INTO expiry VALUES (?, ?, random()) ON CONFLICT DO UPDATE SET change = excluded.change",
        [(one.kind, one.id) for one in changed],
    )
    return tuple(sorted(changed))


def _replace_phones(
    db: sqlite3.Connection, tenant: str, phones: Mapping[str, Mapping[str, Row]]
) -> list[Changed]:
    known = {row[0] for row in db.execute("SELECT id FROM owners WHERE tenant = ?", (tenant,))}
    changed = [Changed(kind, endpoint) for endpoint in known - set(phones) for kind in TABLES]
    for endpoint in known - set(phones):
        for table in (*TABLES.values(), "owners", "unfollowed"):
            db.execute(f"DELETE FROM {table} WHERE id = ?", (endpoint,))  # noqa: S608 — a name of ours
    for endpoint, rows in phones.items():
        if endpoint not in known:  # an id of another tenant fails here, and with it the whole transaction
            db.execute("INSERT INTO owners VALUES (?, ?)", (endpoint, tenant))
            db.execute("INSERT INTO unfollowed VALUES (?)", (endpoint,))
        written = [Changed(kind, endpoint) for kind, row in rows.items() if _upsert(db, kind, endpoint, row)]
        changed += written if endpoint in known else []  # Asterisk does not remember that there was none
    return changed


def _upsert(db: sqlite3.Connection, kind: str, endpoint: str, row: Row) -> bool:
    """Write one row; tell whether anything changed."""
    columns = ", ".join(row)
    sets = ", ".join(f"{column} = excluded.{column}" for column in row)
    same = " AND ".join(f"{TABLES[kind]}.{column} IS excluded.{column}" for column in row)
    done = db.execute(
        f"INSERT INTO {TABLES[kind]} (id, {columns}) VALUES (?{', ?' * len(row)}) "  # noqa: S608 — names of ours
        f"ON CONFLICT (id) DO UPDATE SET {sets} WHERE NOT ({same})",
        (endpoint, *row.values()),
    )
    return done.rowcount > 0


# Of a row of `voicemail`: the language in which Asterisk says what is in the box.
_VOICE = "coalesce((SELECT v.language FROM voices v WHERE v.language = tenant_language), 'en')"


def _replace_mailboxes(db: sqlite3.Connection, settings: Settings, plan: Plan) -> None:
    tenant, mailboxes = plan.tenant, plan.mailboxes.values()
    known = {row[0] for row in db.execute("SELECT mailbox FROM voicemail WHERE context = ?", (tenant,))}
    for box in known - {mailbox.box for mailbox in mailboxes}:
        for table in ("voicemail", "given_pins"):
            db.execute(f"DELETE FROM {table} WHERE context = ? AND mailbox = ?", (tenant, box))  # noqa: S608 — names of ours
        attic.note_removed(db, tenant, box, plan.revision - 1)
    for mailbox in mailboxes:
        key, pin = (tenant, mailbox.box), mailbox.pin or pin_of(settings, f"{mailbox.box}@{tenant}")
        name = re.sub(r"[\x00-\x1f]", "", mailbox.name)
        if mailbox.box not in known:
            if known:  # else the file may have been lost, and what is on the disk is the tenant's own
                attic.put_away_unknown(db, settings.voicemail, tenant, mailbox.box, plan.revision - 1)
            place = attic.bring_back(db, settings.voicemail, tenant, mailbox.box, plan.revision)
            place = plan.revision if place is None else place
            attic.note_opened(db, tenant, mailbox.box, place, plan.revision)
            db.execute("INSERT INTO voicemail (context, mailbox, password) VALUES (?, ?, ?)", (*key, pin))
        given = db.execute(
            "INSERT INTO given_pins VALUES (?, ?, ?) ON CONFLICT (context, mailbox) "
            "DO UPDATE SET pin = excluded.pin WHERE pin <> excluded.pin", (*key, pin),
        )  # fmt: skip
        if given.rowcount > 0:
            db.execute("UPDATE voicemail SET password = ? WHERE context = ? AND mailbox = ?", (pin, *key))
        db.execute("UPDATE voicemail SET fullname = ?, tenant_language = ? WHERE context = ? AND mailbox = ?",
                   (name, plan.language, *key))  # fmt: skip
    db.execute(f"UPDATE voicemail SET language = {_VOICE} WHERE context = ?", (tenant,))  # noqa: S608 — words of ours


def _sql(name: str) -> str:
    parts = resources.files("pbxcore").joinpath("phones.sql").read_text().split("-- name: ")
    return next(part.partition("\n")[2] for part in parts if part.startswith(f"{name}\n"))


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


@contextlib.contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    with _open(path) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
