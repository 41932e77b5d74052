"""Which mailboxes want mail: a table of ours beside Asterisk's, written with a tenant's plan.

Owns the table `mail`. Asterisk's own column for an address stays empty: it would send by itself.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialplan.plan import Plan

BUSY_TIMEOUT_S = 5.0  # a publisher holds the file for milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A mailbox whose messages are mailed.

    Attributes:
        mailbox: `<box>@<tenant>`.
        owner: as called in the letter.
        address: where mail goes.
        attach: with the recording.
        delete: the message goes from the box when the mail has been taken.
        language: of the letter.
        zone: of the times in it.
        since: instant, in seconds, from which on messages are mailed: older ones were there before the wish.
    """

    mailbox: str
    owner: str
    address: str
    attach: bool
    delete: bool
    language: str
    zone: str
    since: int


def replace(db: sqlite3.Connection, plan: Plan, now: int) -> None:
    """Make the boxes of a tenant that want mail those of its plan."""
    wanted = {box.box: box for box in plan.mailboxes.values() if box.mail}
    for (box,) in db.execute("SELECT mailbox FROM mail WHERE context = ?", (plan.tenant,)).fetchall():
        if box not in wanted:
            db.execute("DELETE FROM mail WHERE context = ? AND mailbox = ?", (plan.tenant, box))
    db.executemany(
        "INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (context, mailbox) DO UPDATE SET "
        "owner = excluded.owner, address = excluded.address, attach = excluded.attach, "
        "remove = excluded.remove, language = excluded.language, zone = excluded.zone",
        [
            (plan.tenant, one.box, one.name, one.mail, one.attach, one.delete_after_mail, plan.language,
             plan.zone.key, now)
            for one in wanted.values()
        ],
    )  # fmt: skip


def read(path: Path) -> Mapping[str, Box]:
    """Return every box that wants mail, by its name; none where nothing was published.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    if not path.exists():
        return {}
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as db:
        rows = db.execute("SELECT mailbox || '@' || context, owner, address, attach, remove, language, zone, "
                          "since FROM mail").fetchall()  # fmt: skip
    return {row[0]: _box(*row) for row in rows}


def _box(  # noqa: PLR0913, PLR0917 — a row of the table
    mailbox: str, owner: str, address: str, attach: int, remove: int, language: str, zone: str, since: int
) -> Box:
    return Box(mailbox=mailbox, owner=owner, address=address, attach=bool(attach), delete=bool(remove),
               language=language, zone=zone, since=since)  # fmt: skip
