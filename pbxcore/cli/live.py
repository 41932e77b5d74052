"""What happens on the running machine, one line each: calls as they are decided, legs as they are rated.

Owns the following of the decision logs and of the rated stream, and the look of a line. Refuses to guess: a
half line waits for its end, and a leg is shown when its transaction is committed. Refuses to end the machine
around it: what it cannot read, or show, it leaves out.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pbxcore import database, logged
from pbxcore.cli.terminal import put
from pbxcore.settings import Settings
from rating.money import text
from rating.rated import Piece, RatedLeg, Source
from rating.store import quarantine, stream
from rating.store.positions import BeyondNewestError

POLL_S = 0.25  # to a person that is at once
AWAY_S = 1.0
MOST_A_SECOND = 8  # lines of a kind; more run through faster than anybody reads
MOST_STEPS = 6  # of a decision; the rest shows `pbxcore decide`
MOST_WAITING = 1_000
LARGEST_READ = 1 << 20


async def follow(console: Console, settings: Settings) -> None:
    """Print lines until cancelled, or until nothing can be followed any more."""
    Few(console).write(f"[dim]Times below are by this machine's clock, {datetime.now().astimezone():%Z}[/]")
    async with asyncio.TaskGroup() as group:
        for what, lines in (
            ("decisions", decisions(settings.decisions)),
            ("rated legs", rated(settings)),
            ("quarantine", quarantined(settings)),
        ):
            group.create_task(show(console, lines, what=what), name=f"follow {what}")


async def show(console: Console, lines: AsyncIterator[str], *, what: str) -> None:
    """Print lines as they come; where no more can be had, say so once: calls go on without a view of them."""
    few = Few(console)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_each_second(few), name="what was held back")
            async for line in lines:
                few.take(line)
    except* Exception as errors:  # noqa: BLE001 — whatever it is, it is no reason to end calls
        first = escape(repr(errors.exceptions[0]))
        few.write(
            f"[yellow]! {what} are no longer shown: {first}[/]\n  → the machine works on; look into its logs"
        )


async def _each_second(few: "Few") -> None:
    while True:
        await asyncio.sleep(1.0)
        few.tell_the_rest()


class Few:
    """A screen on which at most so many lines of a kind come a second; of the others it tells the number.

    Nobody reads a hundred lines at once, and what stood there before would be gone.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = 0  # of this second

    def take(self, line: str) -> None:
        """Print a line, or hold it back."""
        self._lines += 1
        if self._lines <= MOST_A_SECOND:
            self.write(line)

    def tell_the_rest(self) -> None:
        """Say how many were held back since it was said last."""
        if self._lines > MOST_A_SECOND:
            self.write(f"[dim]         and {self._lines - MOST_A_SECOND} more[/]")
        self._lines = 0

    def write(self, line: str) -> None:
        """Print a line, or lose it."""
        put(self._console, line)


async def decisions(folder: Path) -> AsyncIterator[str]:
    """Yield a line per decision that is logged from now on, by whichever process."""
    tails: dict[Path, Tail] = {}
    before = frozenset(_logs(folder))  # what stands there has happened, even if it can be read only later
    while True:
        for path in _logs(folder):
            with contextlib.suppress(OSError):  # renamed since it was listed, or no file can be opened now
                tail = tails.get(path) or tails.setdefault(path, Tail(path, at_end=path in before))
                for line in tail.lines():
                    if told := _told(line, by=path.stem):
                        yield told
        await asyncio.sleep(POLL_S)


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ndjson"))


async def rated(settings: Settings) -> AsyncIterator[str]:
    """Yield a line per leg that is rated from now on, the database's absences waited out."""
    since: int | None = None
    while True:
        try:
            async with _connection(settings) as connection:
                since = await stream.position(connection) if since is None else since
                async for entry in stream.follow(connection, since):
                    since = entry.position
                    if not entry.correction:  # a close may write a hundred thousand
                        yield rated_line(entry.leg)
        except BeyondNewestError:  # an older database was restored
            since = None
        except database.AWAY:
            pass
        await asyncio.sleep(AWAY_S)


async def quarantined(settings: Settings) -> AsyncIterator[str]:
    """Yield a line per leg that goes to quarantine from now on."""
    since = datetime.now(UTC)
    while True:
        with contextlib.suppress(*database.AWAY):
            async with _connection(settings) as connection:
                while True:
                    for one in await quarantine.waiting(connection, MOST_WAITING):
                        if one.since > since:
                            since = one.since
                            yield quarantine_line(one)
                    await asyncio.sleep(AWAY_S)
        await asyncio.sleep(AWAY_S)


@contextlib.asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[database.Connection]:
    connection = await database.connect(database.url_of(settings), application="pbxcore run")
    try:
        yield connection
    finally:
        connection.terminate()  # it may wait for news; nothing of ours is under way


class Tail:
    """Whole lines that are appended to a file; a file that was replaced is read from its start."""

    def __init__(self, path: Path, *, at_end: bool) -> None:
        self._path = path
        status = path.stat()
        self._inode, self._offset = status.st_ino, status.st_size if at_end else 0

    def lines(self) -> Iterator[str]:
        """Yield what was completed since the last look."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._inode, self._offset = status.st_ino, 0
        with self._path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read(LARGEST_READ)
        # What is longer than a read has no end to wait for: it goes in pieces, which are no lines.
        whole = chunk[: chunk.rfind(b"\n") + 1] or chunk[: len(chunk) // LARGEST_READ * LARGEST_READ]
        self._offset += len(whole)
        yield from whole.decode(errors="replace").splitlines()


def _told(line: str, *, by: str) -> str | None:
    """Tell a line of the decision log as a line for people, if it is whole and has what one has."""
    entry = logged.entry(line)
    try:
        return decision_line(entry, by=by) if entry else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def decision_line(entry: Mapping[str, Any], *, by: str) -> str:
    """Return one decision as a line: when, who to whom, what happens, by which plan."""
    at = datetime.fromisoformat(entry["time"]).astimezone()
    facts = entry["facts"]
    words = dict.fromkeys(_step(step) for step in entry["decision"]["steps"][:MOST_STEPS])
    steps = ", else ".join(words)  # the way each step may lead to stands in `pbxcore decide`
    who = escape(f"{facts['caller'] or 'anonymous'} → {facts['dialled']}")
    source = f"[dim]{entry['version']}, {entry['micros']} µs[/]" + (
        "" if by == "control" else f" [yellow]by {by}[/]"
    )
    return f"[dim]{at:%H:%M:%S}[/] [cyan]☎[/] {who}: {escape(steps)} {source}"


def _step(step: Mapping[str, Any]) -> str:
    """Return a step in words; the keys are those of the decision log."""
    write = _WORDS.get(step["do"])
    return write(step) if write else str(step["do"])


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "admit": lambda _step: "counted",
    "ring": lambda step: f"rings {' and '.join(step['endpoints']) or 'members'} for {step['timeout_s']} s",
    "outside": lambda step: f"{step['why']} to {step['number']} paid by {step['payer']}",
    "voicemail": lambda step: f"voicemail {step['mailbox']}",
    "listen-to-voicemail": lambda step: f"hears mailbox {step['mailbox']}",
    "play": lambda step: f"plays {step['sound']}",
    "reject": lambda step: f"refused: {step['reason']}",
}


def rated_line(leg: RatedLeg) -> str:
    """Return one rated leg as a line: how long, where, who pays, what was drawn and what it costs."""
    at = datetime.fromtimestamp(leg.ended_us // 1_000_000, UTC).astimezone()
    spoken = f"{leg.duration_us // 1_000_000}.{leg.duration_us % 1_000_000 // 100_000}"
    where = f"{leg.number} {leg.country} {leg.kind}"
    amount = f"{text(leg.amount_micro)} {leg.currency}"
    fee = [f"connection fee {text(leg.connection_micro)}"] if leg.connection_micro else []
    drawn = escape(", ".join([*map(_piece, leg.pieces), *fee]))
    return (
        f"[dim]{at:%H:%M:%S}[/] [green]€[/] {where}, {spoken} s: {leg.payer} pays [bold]{amount}[/] "
        f"[dim]({drawn})[/]"
    )


def _piece(piece: Piece) -> str:
    if piece.source is Source.ALLOWANCE:
        return f"{piece.seconds} s of {piece.pool}, {piece.after_s} s left"
    if piece.source is Source.MINIMUM:
        return f"{text(piece.amount_micro)} to the least a call costs"
    return f"{piece.seconds} s at {text(piece.price_per_minute_micro)} a minute"


def quarantine_line(one: quarantine.Waiting) -> str:
    """Return one leg that waits for a person as a line."""
    at = one.since.astimezone()
    return (
        f"[dim]{at:%H:%M:%S}[/] [yellow]?[/] {one.leg.number} not rated: {one.reason}, {escape(one.detail)}"
    )
