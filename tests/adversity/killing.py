"""Rater and PostgreSQL killed while legs come in: what the short form in the tests and `make soak` share.

Owns the calls that are made, Asterisk's part (a spool that grows and is rotated), the killing, and the
comparison with a run without any trouble. Refuses to choose when and how often anybody is killed.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, zip_longest
from pathlib import Path
from typing import Any

import yaml

from pbxcore.database import Connection, connect
from pbxcore.intake.assemble import NOTHING_OPEN, assemble
from pbxcore.intake.lines import read
from pbxcore.machine import postgres as postgresql
from pbxcore.practice.records import World, is_billed, records
from rating.account import AccountSpec
from rating.book import PoolKey, bind
from rating.catalogue import CatalogueSpec
from rating.destinations.load import load
from rating.leg import Leg
from rating.rate import Rating, rate
from rating.rated import RatedLeg
from rating.store import ledger, stream

CONFIG = Path(__file__).parents[2] / "config"
DOCUMENTS = {
    ("catalogue", "autphone@2026-01-01"): "catalogues/autphone.yaml",
    ("account", "acme"): "accounts/acme.yaml",
    ("tenant", "acme"): "tenants/acme.yaml",
}
LINES = 40  # of four calls, written at once
TAIL = 25  # characters that are written apart: whoever reads sees half lines
PAGE = 10_000  # entries of the stream read at once
MOST_NAMED = 5  # differences: more of them say no more
TURN_LIMIT_S = 60  # for a rater to have the turn, on a machine that others want too
PATIENCE_S = 900  # for many legs; a test ends sooner by itself

Rater = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Calls that are made.

    Attributes:
        legs: how many of them are billed.
        world: whose calls.
    """

    legs: int
    world: World

    def lines(self) -> Iterator[str]:
        """Yield what Asterisk writes of them."""
        billed = (number for number in count() if is_billed(number))
        return records(next(islice(billed, self.legs - 1, None)) + 1, self.world)

    def chunks(self, size: int) -> Iterator[str]:
        """Yield the same, so many lines at once."""
        lines = self.lines()
        while text := "".join(islice(lines, size)):
            yield text


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands in the database at the end.

    Attributes:
        entries: of the stream.
        used: seconds used of each pool.
        epoch: how often somebody was given the turn.
        aside: legs and lines in quarantine.
    """

    entries: Sequence[stream.Entry]
    used: dict[PoolKey, int]
    epoch: int
    aside: int


def document(file: str) -> Any:  # noqa: ANN401 — YAML
    """Read a shipped document; minutes of its bundles stay for a month longer, so that months share them."""
    found = yaml.safe_load((CONFIG / file).read_text())
    if "rates" in found:
        for bundle in found["bundles"].values():
            bundle["roll_over_months"] = 1
    return found


def rated_cleanly(story: Story) -> Rating:
    """Return what a run without any trouble makes of the same lines, by the plain kernel."""
    documents = [document(file) for file in DOCUMENTS.values()]
    catalogue, account = CatalogueSpec.model_validate(documents[0]), AccountSpec.model_validate(documents[1])
    book = bind(load(CONFIG / "destinations"), [catalogue], [account], {"acme": "acme"})
    return rate(_legs(story), book, {})


def _legs(story: Story) -> Iterator[Leg]:
    """Yield the legs that end, in their order."""
    underway, last_us = NOTHING_OPEN, 0
    for text in story.chunks(PAGE):
        assembly = assemble(read(text, 0)[0], underway, last_us)
        underway, last_us = assembly.open, assembly.last_us
        yield from assembly.legs


class Spool(threading.Thread):
    """Asterisk: appends lines over some seconds, whoever reads them; somebody rotates the file meanwhile."""

    def __init__(self, folder: Path, story: Story, seconds: float, *, rotate_every: int = 97) -> None:
        """Take the folder, the calls, how long it takes to write them, and how many chunks make a file."""
        super().__init__(daemon=True)
        self.rotate_every = rotate_every
        self.file = folder / "legs.tsv"
        self.story = story
        self.pause_s = seconds / (sum(1 for _ in story.lines()) / LINES)

    def run(self) -> None:
        """Write."""
        due = time.monotonic()
        for number, text in enumerate(self.story.chunks(LINES)):
            if number % self.rotate_every == self.rotate_every - 1:
                self.file.rename(self.file.with_name(f"legs.tsv.{number}"))
            for part in (text[:-TAIL], text[-TAIL:]):
                with self.file.open("a") as file:
                    file.write(part)
            due += self.pause_s
            time.sleep(max(0.0, due - time.monotonic()))


def spool_of(state: Path) -> Path:
    """Make and return the folder of the spool in a folder of state."""
    folder = state / "asterisk/log/cel-custom"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def start(url: str, state: Path) -> Rater:
    """Start the rater as a process of its own."""
    environment = {"PBXCORE_DATABASE": url, "PBXCORE_STATE": str(state), "PBXCORE_CONFIG": str(CONFIG)}
    with (state / "rater.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pbxcore", "serve", "rater"],
            env={**os.environ, **environment},
            stderr=log,
        )


def end_server(server: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """End a server by a signal, its children too: the next one does not start beside any that is left."""
    if number is signal.SIGINT:
        postgresql.stop(server)
        return
    server.send_signal(signal.SIGSTOP)  # it begets no further child between the look and the kill
    stopped = time.monotonic() + 60
    while Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < stopped, "PostgreSQL does not stop"
        time.sleep(0.001)
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (str(server.pid), *children):
        os.kill(int(pid), signal.SIGKILL)
    server.wait(60)
    deadline = time.monotonic() + 60
    while any(map(_lives, children)):
        assert time.monotonic() < deadline, f"of PostgreSQL are left: {children}"
        time.sleep(0.01)


def _lives(pid: str) -> bool:
    """Tell whether a process is there still. One that nobody waited for yet has let go of all it shared.

    Its words are gone before that: a server that starts in between finds its memory in use.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


async def put_documents(url: str) -> None:
    """Put the example tenant in force."""
    connection = await connect(url, application="test")
    for (kind, name), file in DOCUMENTS.items():
        written = json.dumps(document(file), default=str)
        await connection.execute(
            "INSERT INTO revision VALUES ($1, $2, 1, $3, '', 'test')", kind, name, written
        )
    await connection.close()


async def take_over(url: str, state: Path) -> Rater:
    """Start a rater and wait until it has the turn."""
    connection = await connect(url, application="test")
    before = await connection.fetchval("SELECT epoch FROM stream")
    process = start(url, state)
    async with asyncio.timeout(TURN_LIMIT_S):
        while await connection.fetchval("SELECT epoch FROM stream") == before:
            assert process.poll() is None
            await asyncio.sleep(0.01)
    await connection.close()
    return process


async def reached(url: str, position: int) -> None:
    """Wait until so many legs are rated."""
    connection = await connect(url, application="test")
    async with asyncio.timeout(PATIENCE_S):
        while await stream.position(connection) < position:  # noqa: ASYNC110 — another process writes
            await asyncio.sleep(0.01)
    await connection.close()


async def who_writes(url: str) -> int:
    """Return the process whose session has the turn: its name says so."""
    connection = await connect(url, application="test")
    async with asyncio.timeout(TURN_LIMIT_S):
        while not (name := await connection.fetchval(_WRITER)):  # noqa: ASYNC110 — as above
            await asyncio.sleep(0.01)
    await connection.close()
    return int(name.rpartition(" ")[2])


_WRITER = (
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
)


async def finished(url: str, legs: int) -> Found:
    """Wait until all legs are rated and the last channel has ended; return what is there then."""
    await reached(url, legs)
    connection = await connect(url, application="test")
    async with asyncio.timeout(TURN_LIMIT_S):
        while await connection.fetchval("SELECT count(*) FROM open_leg"):  # noqa: ASYNC110 — as above
            await asyncio.sleep(0.05)
    found = Found(
        entries=await _entries(connection),
        used=await ledger.used(connection, ["acme"]),
        epoch=await connection.fetchval("SELECT epoch FROM stream"),
        aside=await connection.fetchval(
            "SELECT (SELECT count(*) FROM quarantined_leg) + (SELECT count(*) FROM quarantined_line)"
        ),
    )
    await connection.close()
    return found


async def _entries(connection: Connection) -> Sequence[stream.Entry]:
    entries: list[stream.Entry] = []
    while page := await stream.rated_since(connection, len(entries), PAGE):
        entries += page
    return entries


def differences(clean: Rating, found: Found) -> Sequence[str]:
    """Name what is not as in the clean run: leg by leg, in order, to the micro-unit; a few of many."""
    named = [f"{found.aside} in quarantine"] if found.aside else []
    if found.used != clean.used:
        named.append(f"balances {found.used}, not {clean.used}")
    wrong = (
        f"position {position}: {entry}, not {leg}"
        for position, (entry, leg) in enumerate(zip_longest(found.entries, clean.rated), 1)
        if not _is(entry, position, leg)
    )
    return [*named, *islice(wrong, MOST_NAMED)]


def _is(entry: stream.Entry | None, position: int, leg: RatedLeg | None) -> bool:
    return entry is not None and (entry.position, entry.leg, entry.correction) == (position, leg, 0)
