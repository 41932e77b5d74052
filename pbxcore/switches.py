"""Where switches are kept: one SQLite file on Asterisk's host, which control, standby and command line share.

Owns the file, what a process knows of it, and how a change gets in. Works without PostgreSQL and whoever of
them is dead: each reads and writes by itself. Refuses to judge a switch (`dialplan.codes`).

A process looks before each decision whether anybody has written: by the bytes that each commit changes
(`pbxcore.wal_index`), and only what has changed since is read. Once a second it asks SQLite whatever they
say, and whether the file is still the one that is open: somebody may put another in its place.
A commit survives the death of any process. It does not wait for the disk: a loss of power may take back the
last changes, and never tears the file.
"""

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import Counter

from dialplan.plan import Plan
from dialplan.switch import CLEARED, NO_SWITCHES, Switch, Switches, SwitchKind
from dialplan.switchable import has_place
from pbxcore import wal_index
from pbxcore.database.queries import named

WRITE_LIMIT_S = 0.5  # another writer holds the file for less than a millisecond; a caller waits for this one
SAME_S = 1.0  # until another file in the place of ours is noticed; asking each time costs as much as a look

NO_FILE = (0, 0)  # no file has this identity
UNSEEN = b""  # no head of an index

UNREAD = Counter(
    "pbxcore_switches_unread_total", "Looks at the switches that failed; the last known ones hold"
)

log = logging.getLogger(__name__)

_QUERIES = named(Path(__file__).with_name("switches.sql"))


class UnkeptError(OSError):
    """A change could not be kept; nothing of it is in force.

    Attributes:
        code: stable word for logs and metrics.
    """

    code = "unkept"


class View:
    """The switches as one process knows them, for one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._db: sqlite3.Connection | None = None
        self._file = NO_FILE
        self._same_until = 0.0
        self._index: int | None = None
        self._seen = UNSEEN
        self._version = 0
        self._last = 0  # change
        self._known = NO_SWITCHES
        self._told = ""
        self._told_slow = False

    def look(self) -> Switches:
        """Give what is switched now. If the file cannot be read, or is gone, what was known last holds."""
        try:
            db = self._db if self._db is not None and time.monotonic() < self._same_until else self._same()
            head = UNSEEN if self._index is None else wal_index.head(self._index)
            if head == UNSEEN or head != self._seen:
                self._ask(db)
                self._seen = head  # of before: who has written meanwhile is seen by the next look
        except FileNotFoundError as error:
            self._unread(error)  # what is open still holds, until there is another
        except (sqlite3.Error, OSError) as error:
            self._unread(error)
            self.close()
        return self._known

    def close(self) -> None:
        """Let the file go; the next look opens it again."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db, self._index, self._seen, self._version, self._last = None, None, UNSEEN, 0, 0

    def _open(self) -> sqlite3.Connection:
        """Open the file, and note which one stood there before that.

        If another takes its place meanwhile, the next question whether it is the same is answered by no,
        whichever of the two was opened. SQLite does not give its descriptor, and a second one of ours would
        take its locks away when it is closed.
        """
        self.close()
        try:
            self._file = _identity(self._name)
        except FileNotFoundError:
            if self._known is not NO_SWITCHES:
                raise  # whoever keeps the next change makes another, and until then these hold
            self._file = NO_FILE
        self._db = db = _open(self._path)
        self._index = wal_index.borrowed(self._path)
        if self._index is None and not self._told_slow:
            self._told_slow = True
            log.warning("each look at the switches in %s asks SQLite: its index is not found", self._path)
        return db

    def _same(self) -> sqlite3.Connection:
        """Open the file unless the one that is open stands in its place, and have SQLite asked once."""
        self._same_until = time.monotonic() + SAME_S
        self._seen = UNSEEN
        if self._db is None or _identity(self._name) != self._file:
            return self._open()
        return self._db

    def _ask(self, db: sqlite3.Connection) -> None:
        """Ask SQLite whether another connection has written, and read what."""
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._read(db)
            self._version, self._told = version, ""

    def _read(self, db: sqlite3.Connection) -> None:
        """Read what has changed; all of it where that is nothing, for then somebody has put back what was."""
        rows = db.execute(_QUERIES["changes"], (self._last,)).fetchall() if self._last else []
        known = self._known if rows else NO_SWITCHES
        rows = rows or db.execute(_QUERIES["changes"], (0,)).fetchall()
        self._known = known.updated(filter(None, map(_switch, rows)))
        self._last = max((row[-1] for row in rows), default=0)

    def _unread(self, error: Exception) -> None:
        """Count a look in vain, and tell of the first one."""
        UNREAD.inc()
        if str(error) != self._told:
            self._told = str(error)
            log.warning("the switches in %s cannot be read, the last known ones hold: %s", self._path, error)


def read(path: Path) -> Switches:
    """Give what is switched, for one look; nothing where there is no file yet.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    if not path.exists():
        return NO_SWITCHES
    with contextlib.closing(_open(path)) as db:
        rows = db.execute(_QUERIES["changes"], (0,)).fetchall()
    return NO_SWITCHES.updated(filter(None, map(_switch, rows)))


def keep(path: Path, changes: Iterable[Switch]) -> None:
    """Keep changes, all or none; when this returns they are in force for every process.

    Raises:
        UnkeptError: the disk is full, the file is held by somebody else, or no file can be made.
    """
    try:
        with contextlib.closing(_open(path)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_QUERIES["keep"], map(_row, changes))
            db.execute("COMMIT")  # a connection that is closed without takes all of it back
    except (sqlite3.Error, OSError) as error:
        raise UnkeptError(f"the switches cannot be written: {error}") from error


def left(path: Path, plans: Iterable[Plan], now: datetime) -> list[Switch]:
    """Give what is switched of extensions, groups and time rules that plans no longer have.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    known = read(path)
    return [one for plan in plans for one in known.of(plan.tenant, now) if not has_place(plan, one)]


def forget(path: Path, plans: Iterable[Plan], now: datetime) -> None:
    """Clear what is left of what is gone: the next one of that name starts afresh.

    Raises:
        UnkeptError: as `keep`.
        sqlite3.Error: the file cannot be read.
    """
    gone = [replace(one, value=CLEARED, since=now, by="document") for one in left(path, plans, now)]
    if gone:
        keep(path, gone)


def _identity(name: str) -> tuple[int, int]:
    """Tell a file from one that stands in its place later; while it is open nobody gets its inode."""
    there = os.stat(name)  # noqa: PTH116 — a Path would cost more than the look
    return there.st_dev, there.st_ino


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=WRITE_LIMIT_S, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'switches'").fetchone():
            db.executescript(_QUERIES["switches"])
    except BaseException:
        db.close()
        raise
    return db


def _row(one: Switch) -> tuple[str | None, ...]:
    until = one.until.astimezone(UTC).isoformat() if one.until else None
    since = one.since.astimezone(UTC).isoformat()
    return one.tenant, one.kind.value, one.subject, one.value, since, one.by, until


def _switch(row: tuple[str, ...]) -> Switch | None:
    """Read a row; None for one that only another version of this program understands."""
    tenant, kind, subject, value, since, by, until, _ = row
    try:
        return Switch(
            tenant=tenant,
            kind=SwitchKind(kind),
            subject=subject,
            value=value,
            since=datetime.fromisoformat(since),
            by=by,
            until=datetime.fromisoformat(until) if until else None,
        )
    except ValueError:
        log.warning("a switch of %s is not understood: %s %s", tenant, kind, subject)
        return None
