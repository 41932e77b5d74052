"""What became of each letter: one SQLite file, `<state>/mail.sqlite`.

Owns the file and how long a row is kept. A message that has a row is not taken up again, so a row outlives by
far the time in which its message could be.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pbxcore.database.queries import named
from pbxcore.settings import Settings

BUSY_TIMEOUT_S = 5.0  # another process reads, or writes one row
DAY_S = 86_400
OLDEST_TAKEN_S = 30 * DAY_S  # of a message that is mailed at all: so long may everything have stood still
KEPT_S = 2 * OLDEST_TAKEN_S

_SQL = named(Path(__file__).with_name("ledger.sql"))


class State(StrEnum):
    """What became of a letter."""

    WAITING = "waiting"
    DELETING = "deleting"
    SENT = "sent"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Due:
    """A letter whose turn it is."""

    mailbox: str
    message: str
    state: State
    tries: int
    since: int


def file_of(settings: Settings) -> Path:
    """Return the file."""
    return settings.state / "mail.sqlite"


def enrol(path: Path, mailbox: str, messages: Iterable[tuple[str, int]], now: int) -> None:
    """Take up messages (id, when it began); what is known already stays as it is."""
    with _open(path) as db:
        rows = [(mailbox, message, began, now, now) for message, began in messages]
        db.executemany(_SQL["enrol"], rows)


def due(path: Path, now: int, limit: int) -> tuple[Due, ...]:
    """Return letters whose turn it is, who waits longest first."""
    with _open(path) as db:
        rows = db.execute(_SQL["due"], (now, limit)).fetchall()
    return tuple(Due(mailbox, message, State(state), tries, since)
                 for mailbox, message, state, tries, since in rows)  # fmt: skip


def note(path: Path, letter: Due, next_at: int, detail: str = "") -> None:
    """Write down what has become of a letter, and when it is due again if it is to be."""
    became = (letter.state.value, letter.tries, next_at, detail)
    with _open(path) as db:
        db.execute(_SQL["note"], (*became, letter.mailbox, letter.message))


def prune(path: Path, now: int) -> None:
    """Forget letters that are done, long after."""
    with _open(path) as db:
        db.execute(_SQL["prune"], (now - KEPT_S,))


def counts(path: Path) -> Mapping[State, int]:
    """Count letters by what became of them.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    if not path.exists():
        return {}
    with _open(path) as db:
        return {State(state): count for state, count in db.execute(_SQL["counts"])}


def of_box(path: Path, mailbox: str) -> Mapping[str, tuple[State, str]]:
    """Return what became of the letters about a box's messages, and why.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    if not path.exists():
        return {}
    with _open(path) as db:
        return {row[0]: (State(row[1]), row[2]) for row in db.execute(_SQL["of_box"], (mailbox,))}


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'letters'").fetchone():
            db.executescript(_SQL["letters"])
        with db:
            yield db
    finally:
        db.close()
