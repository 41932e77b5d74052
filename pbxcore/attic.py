"""What was in mailboxes that a tenant has no more: out of everybody's reach, kept for a while, then removed.

Owns the tables `opened` and `attic` beside Asterisk's mailboxes, and `<spool>/voicemail-removed/`, where the
folder of a box stands as `<tenant>/<box>.<place>`; a place is the revision that made the box. A box that
comes back by a revision that says what one of its own time said has its messages again; any other box of the
same number is a stranger's and begins empty. Refuses to touch the folder of a box that is there.

Order makes it safe to die anywhere. A box goes, and its line in `attic` comes, in one transaction; only then
its folder is moved. What has such a line and is no box is moved by the next publication, before it makes
boxes. A folder comes back before the transaction that makes its box is done; if that is never done, the
folder still says which place is its own, and is moved there again.
"""

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Collection
from pathlib import Path

KEPT_DAYS = 30
KEPT_S = KEPT_DAYS * 86_400
FIRST = 0  # the place, and the first revision, of a box that an older program made or removed
_MARK = ".place"  # in the folder of a box that came back
_PURGED = ".purged"


def note_opened(db: sqlite3.Connection, tenant: str, box: str, place: int, since: int) -> None:
    """Write down since which revision a box has been there."""
    db.execute("INSERT OR REPLACE INTO opened VALUES (?, ?, ?, ?)", (tenant, box, place, since))


def note_removed(db: sqlite3.Connection, tenant: str, box: str, until: int) -> None:
    """Write down that a box is gone; its messages are put away after that."""
    where = "WHERE context = ? AND mailbox = ?"
    found = db.execute(f"SELECT place, since FROM opened {where}", (tenant, box)).fetchone()  # noqa: S608 — our own words
    db.execute(f"DELETE FROM opened {where}", (tenant, box))  # noqa: S608 — our own words
    _note(db, tenant, box, found or (FIRST, FIRST), until)


def put_away(db: sqlite3.Connection, folder: Path, tenant: str) -> None:
    """Move what still stands where the next box of its number would have it."""
    gone = db.execute(
        "SELECT mailbox, place, max(until) FROM attic a WHERE context = ? AND NOT EXISTS "
        "(SELECT 1 FROM voicemail v WHERE v.context = a.context AND v.mailbox = a.mailbox) GROUP BY mailbox",
        (tenant,),
    )
    for box, place, _ in gone.fetchall():
        _move(folder, tenant, box, place)


def put_away_unknown(db: sqlite3.Connection, folder: Path, tenant: str, box: str, until: int) -> None:
    """Move what an older program left of a box that it removed without a line about it."""
    if (folder / tenant / box).exists():
        _note(db, tenant, box, (FIRST, FIRST), until)
        _move(folder, tenant, box, FIRST)


def note_said_before(db: sqlite3.Connection, tenant: str, revision: int, older: Collection[int]) -> None:
    """Write down which earlier revisions said what a revision says that is about to be in force."""
    db.execute("DELETE FROM said_before WHERE context = ?", (tenant,))
    db.executemany("INSERT INTO said_before VALUES (?, ?, ?)", [(tenant, revision, one) for one in older])


def bring_back(db: sqlite3.Connection, folder: Path, tenant: str, box: str, revision: int) -> int | None:
    """Bring the messages of a box back that was there in a revision that said the same; give its place."""
    found = db.execute(
        "SELECT place FROM attic JOIN said_before USING (context) WHERE context = ? AND mailbox = ? "
        "AND revision = ? AND older BETWEEN since AND until ORDER BY until DESC LIMIT 1",
        (tenant, box, revision),
    ).fetchone()
    if found is None:
        return None
    away = place_of(folder, tenant, box, found[0])
    if away.exists():  # somebody may have left a message, or recorded a greeting
        (away / _MARK).write_text(str(found[0]))
        away.rename(folder / tenant / box)
    return int(found[0])


def touched(db: sqlite3.Connection, tenant: str, revision: int) -> tuple[str, ...]:
    """Give the boxes that a revision removed, or made in the place of one that had been removed."""
    rows = db.execute(
        "SELECT DISTINCT a.mailbox FROM attic a LEFT JOIN opened o USING (context, mailbox) "
        "WHERE a.context = ? AND (a.until = ? OR o.since = ?) ORDER BY a.mailbox",
        (tenant, revision - 1, revision),
    )
    return tuple(str(row[0]) for row in rows)


def purge(db: sqlite3.Connection, folder: Path, now: int) -> None:
    """Take what has been kept long enough out of the attic; `remove_purged` removes it, without any lock."""
    old = db.execute(
        "SELECT context, mailbox, place FROM attic GROUP BY context, mailbox, place HAVING max(at) < ? "
        "EXCEPT SELECT context, mailbox, place FROM opened",
        (now - KEPT_S,),
    ).fetchall()
    for tenant, box, place in old:
        put_away(db, folder, tenant)
        away = place_of(folder, tenant, box, place)
        with contextlib.suppress(FileNotFoundError):
            away.rename(away.with_name(f"{away.name}{_PURGED}"))
    db.executemany("DELETE FROM attic WHERE (context, mailbox, place) = (?, ?, ?)", old)


def remove_purged(folder: Path) -> None:
    """Remove what has been taken out of the attic from the disk."""
    for place in _attic(folder).glob(f"*/*{_PURGED}"):
        shutil.rmtree(place)


def place_of(folder: Path, tenant: str, box: str, place: int) -> Path:
    """Give where the folder of a removed box stands."""
    return _attic(folder) / tenant / f"{box}.{place}"


def _attic(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-removed")  # of the same file system: a move is one rename


def _note(db: sqlite3.Connection, tenant: str, box: str, life: tuple[int, int], until: int) -> None:
    line = (tenant, box, *life, until, int(time.time()))
    db.execute("INSERT OR REPLACE INTO attic VALUES (?, ?, ?, ?, ?, ?)", line)


def _move(folder: Path, tenant: str, box: str, place: int) -> None:
    """Move the folder of a box if it is there; what a call wrote after an earlier move goes with that."""
    source = folder / tenant / box
    with contextlib.suppress(FileNotFoundError):
        place = int((source / _MARK).read_text())
    into = place_of(folder, tenant, box, place)
    into.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        source.rename(into / f"late-{time.time_ns()}" if into.exists() else into)
