"""Which phones are registered, by the file in which Asterisk keeps its contacts (`sorcery.conf`).

Owns reading it. Refuses to lock it: a reader's lock would make Asterisk's own writing fail for that moment.
So what it says is that of a moment ago, and now and then nothing can be said.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pbxcore.settings import Settings

PLACE = "/registrar/contact/"  # then comes the phone's endpoint, `;@` and a digest of its address
OURS = f"key >= '{PLACE}' AND key < '{PLACE[:-1]}0'"
EXPIRES = "CAST(json_extract(value, '$.expiration_time') AS INTEGER)"
UNEXPIRED = f"CASE WHEN json_valid(value) THEN {EXPIRES} ELSE 0 END > ?"
ENDPOINT = f"substr(key, {len(PLACE) + 1}, instr(key, ';@') - {len(PLACE) + 1})"
PUBLISHED = f"EXISTS (SELECT 1 FROM phones.ps_endpoints WHERE id = {ENDPOINT})"  # noqa: S608 — words of ours
Addresses: TypeAlias = Mapping[str, str]
"""From where phones come, by endpoint."""


def registered(settings: Settings) -> int | None:
    """Count the phones that are registered now, by what Asterisk has written down; None: not to be read.

    Asterisk keeps the contact of a removed phone until it expires; only phones that are published count.
    """
    try:
        with _open(settings) as db:
            db.execute("ATTACH ? AS phones", (f"{settings.phones_db.absolute().as_uri()}?mode=ro",))
            query = f"SELECT count(*) FROM astdb WHERE {OURS} AND {UNEXPIRED} AND {PUBLISHED}"  # noqa: S608 — words of ours
            (found,) = db.execute(query, (int(time.time()),)).fetchone()
    except sqlite3.Error:
        return None
    return int(found)


def addresses(settings: Settings, tenant: str) -> Addresses | None:
    """Give from where each registered phone of a tenant comes, by endpoint; None: not to be read."""
    first = f"{PLACE}{tenant}-"
    try:
        with _open(settings) as db:
            query = f"SELECT key, value FROM astdb WHERE key >= ? AND key < ? AND {UNEXPIRED}"  # noqa: S608 — words of ours
            rows = db.execute(query, (first, f"{first[:-1]}.", int(time.time()))).fetchall()
    except sqlite3.Error:
        return None
    return {key.removeprefix(PLACE).partition(";@")[0]: _address(json.loads(value)) for key, value in rows}


def _address(contact: Mapping[str, str]) -> str:
    """Give the address from which a phone registered: what it says itself may be one behind a router."""
    return f"{contact.get('via_addr', '')}:{contact.get('via_port', '')}".strip(":")


@contextlib.contextmanager
def _open(settings: Settings) -> Iterator[sqlite3.Connection]:
    path = settings.state.absolute() / "asterisk" / "db" / "astdb.sqlite3"
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        yield db
    finally:
        db.close()
