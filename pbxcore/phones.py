"""Phones and mailboxes of tenants, as rows that Asterisk reads from SQLite files on this machine.

Owns both files, the passwords of phones and the first PINs of mailboxes. A tenant changes in one short transaction, in
place: the file is never replaced, which would corrupt Asterisk's open one. Refuses to talk to Asterisk: what
it may still hold in its cache is written down with the change (`to_expire`) for control to expire.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pbxcore.secret import derive
from pbxcore.settings import Settings

BUSY_TIMEOUT_S = 5.0  # another publisher; each holds the lock for milliseconds
TABLES = {"endpoint": "ps_endpoints", "auth": "ps_auths", "aor": "ps_aors"}
PIN_LENGTH = 6

Row = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One device of an extension.

    Attributes:
        endpoint: `<tenant>-<device>`; also its SIP user name.
        extension: extension it belongs to, which pays for what it dials.
        name: shown to colleagues.
        country: ISO 3166 code; decides which numbers are emergency numbers.
        language: of the prompts it hears.
        callback: number that emergency services can call back today, E.164.
        mailbox: `<box>@<tenant>` whose lamp it shows, or empty.
    """

    endpoint: str
    extension: str
    name: str
    country: str
    language: str
    callback: str
    mailbox: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """One mailbox; its context in Asterisk is the tenant."""

    box: str
    name: str
    language: str
    pin: str


@dataclass(frozen=True, slots=True, order=True)
class Changed:
    """An object of Asterisk that was added, changed or removed; kind is endpoint, auth or aor."""

    kind: str
    id: str


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
    """Create both files if they are missing: Asterisk opens them once, at its start."""
    for path, name in ((settings.phones_db, "phones"), (mailboxes_db(settings), "mailboxes")):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _open(path) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_sql(name))


def replace(
    settings: Settings, tenant: str, phones: Sequence[Phone], mailboxes: Sequence[Mailbox]
) -> tuple[Changed, ...]:
    """Make a tenant's phones and mailboxes exactly these; return what Asterisk must forget.

    A PIN that a user changed stays.
    """
    prepare(settings)
    with _transaction(mailboxes_db(settings)) as db:
        _replace_mailboxes(db, tenant, mailboxes)
    with _transaction(settings.phones_db) as db:
        return _replace_phones(db, tenant, [(phone, _rows(settings, tenant, phone)) for phone in phones])


def withdraw(settings: Settings, tenant: str) -> tuple[Changed, ...]:
    """Remove a tenant's phones and mailboxes; return what Asterisk must forget."""
    return replace(settings, tenant, (), ())


def to_expire(settings: Settings) -> tuple[Changed, ...]:
    """Return what Asterisk has not yet confirmed to have forgotten."""
    with _open(settings.phones_db) as db:
        return tuple(Changed(*row) for row in db.execute("SELECT kind, id FROM to_expire ORDER BY kind, id"))


def expired(settings: Settings, objects: Iterable[Changed]) -> None:
    """Note that Asterisk has forgotten these."""
    with _transaction(settings.phones_db) as db:
        db.executemany("DELETE FROM to_expire WHERE kind = ? AND id = ?", [(o.kind, o.id) for o in objects])


def _rows(settings: Settings, tenant: str, phone: Phone) -> dict[str, Row]:
    shown = re.sub(r'[\x00-\x1f"\\<>]', "", phone.name)
    endpoint: Row = {
        "aors": phone.endpoint,
        "auth": phone.endpoint,
        "identify_by": "username",
        "context": f"phones-{phone.country.lower()}",
        "accountcode": f"{tenant}/{phone.extension}",
        "callerid": f'"{shown}" <{phone.extension}>',
        "language": phone.language,
        "mailboxes": phone.mailbox,
        "set_var": f"PBX_CALLBACK={phone.callback}",
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
        "trust_id_inbound": "no",
        "send_pai": "no",
    }
    auth: Row = {
        "auth_type": "userpass",
        "username": phone.endpoint,
        "password": password_of(settings, phone.endpoint),
        "realm": "pbxcore",
    }
    aor: Row = {
        "max_contacts": 1,
        "remove_existing": "yes",
        "minimum_expiration": 30,
        "default_expiration": 300,
        "maximum_expiration": 3600,
        "qualify_frequency": 0,
        "mailboxes": "",
    }
    return {"endpoint": endpoint, "auth": auth, "aor": aor}


def _replace_phones(
    db: sqlite3.Connection, tenant: str, phones: Sequence[tuple[Phone, Mapping[str, Row]]]
) -> tuple[Changed, ...]:
    gone = {row[0] for row in db.execute("SELECT id FROM owners WHERE tenant = ?", (tenant,))}
    gone -= {phone.endpoint for phone, _ in phones}
    changed = [Changed(kind, endpoint) for endpoint in gone for kind in TABLES]
    for endpoint in gone:
        for table in (*TABLES.values(), "owners"):
            db.execute(f"DELETE FROM {table} WHERE id = ?", (endpoint,))  # noqa: S608 — a name of ours
    for phone, rows in phones:
        db.execute("INSERT INTO owners VALUES (?, ?) ON CONFLICT DO NOTHING", (phone.endpoint, tenant))
        owner = db.execute("SELECT tenant FROM owners WHERE id = ?", (phone.endpoint,)).fetchone()[0]
        if owner != tenant:
            raise ValueError(f"endpoint {phone.endpoint} belongs to tenant {owner}")
        changed += [
            Changed(k, phone.endpoint) for k, row in rows.items() if _upsert(db, k, phone.endpoint, row)
        ]
    changed.sort()
    db.executemany(
        "INSERT INTO to_expire VALUES (?, ?) ON CONFLICT DO NOTHING", [(c.kind, c.id) for c in changed]
    )
    return tuple(changed)


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


def _replace_mailboxes(db: sqlite3.Connection, tenant: str, mailboxes: Sequence[Mailbox]) -> None:
    boxes = [mailbox.box for mailbox in mailboxes]
    marks = ", ".join("?" * len(boxes))
    db.execute(
        f"DELETE FROM voicemail WHERE context = ? AND mailbox NOT IN ({marks})",  # noqa: S608 — marks only
        (tenant, *boxes),
    )
    db.executemany(
        "INSERT INTO voicemail (context, mailbox, password, fullname, language) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (context, mailbox) DO UPDATE SET fullname = excluded.fullname, language = excluded.language",
        [(tenant, m.box, m.pin, re.sub(r"[\x00-\x1f]", "", m.name), m.language) for m in mailboxes],
    )


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
