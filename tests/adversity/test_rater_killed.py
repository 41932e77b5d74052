"""The rater and its database die, at any moment: nothing is lost or doubled, balances as in a clean run."""

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from pbxcore.database import Connection, connect, migrate
from pbxcore.intake.assemble import NOTHING_OPEN, assemble
from pbxcore.intake.record import read
from pbxcore.machine import postgres as postgresql
from pbxcore.practice.records import World, is_billed, records
from rating.account import AccountSpec
from rating.book import PoolKey, bind
from rating.catalogue import CatalogueSpec
from rating.destinations.load import load
from rating.rate import Rating, rate
from rating.store import ledger, stream

CONFIG = Path(__file__).parents[2] / "config"
WORLD = World(longest_s=60)
LEGS = 2_000
CALLS = next(n for n in itertools.count() if sum(map(is_billed, range(n))) == LEGS)
KILLS = 8
DOCUMENTS = {
    ("catalogue", "autphone@2026-01-01"): "catalogues/autphone.yaml",
    ("account", "acme"): "accounts/acme.yaml",
    ("tenant", "acme"): "tenants/acme.yaml",
}


@pytest.fixture(scope="module")
def clean() -> Rating:
    """Give what a run without any trouble makes of the same lines."""
    text = "".join(records(CALLS, WORLD))
    legs = assemble(read(text, 0)[0], NOTHING_OPEN).legs
    documents = [yaml.safe_load((CONFIG / file).read_text()) for file in DOCUMENTS.values()]
    catalogue, account = CatalogueSpec.model_validate(documents[0]), AccountSpec.model_validate(documents[1])
    book = bind(load(CONFIG / "destinations"), [catalogue], [account], {"acme": "acme"})
    return rate(legs, book, {})


class Spool(threading.Thread):
    """Asterisk: appends lines over some seconds, whoever reads them; somebody rotates the file meanwhile."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self.file = folder / "legs.tsv"
        self.seconds = seconds

    def run(self) -> None:
        """Write."""
        lines = list(records(CALLS, WORLD))
        chunks = [lines[number : number + 40] for number in range(0, len(lines), 40)]
        for number, chunk in enumerate(chunks):
            if number % 97 == 96:
                self.file.rename(self.file.with_name(f"legs.tsv.{number}"))
            text = "".join(chunk)
            for part in (text[:-25], text[-25:]):  # a reader sees half lines
                with self.file.open("a") as file:
                    file.write(part)
            time.sleep(self.seconds / len(chunks))


@pytest.fixture
def rater(tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    """Give a function that starts the rater as a process of its own."""
    started: list[subprocess.Popen[bytes]] = []
    (tmp_path / "asterisk/log/cel-custom").mkdir(parents=True)

    def start(url: str) -> "subprocess.Popen[bytes]":
        environment = {"PBXCORE_DATABASE": url, "PBXCORE_STATE": str(tmp_path), "PBXCORE_CONFIG": str(CONFIG)}
        with (tmp_path / "rater.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pbxcore", "serve", "rater"],
                env={**os.environ, **environment},
                stderr=log,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Give the folder of the spool."""
    return tmp_path / "asterisk/log/cel-custom"


async def put_documents(url: str) -> None:
    """Put the example tenant in force."""
    connection = await connect(url, application="test")
    for (kind, name), file in DOCUMENTS.items():
        document = json.dumps(yaml.safe_load((CONFIG / file).read_text()), default=str)
        await connection.execute(
            "INSERT INTO revision VALUES ($1, $2, 1, $3, '', 'test')", kind, name, document
        )
    await connection.close()


async def finished(url: str, count: int) -> tuple[Sequence[stream.Entry], dict[PoolKey, int], int]:
    """Wait until so many legs are rated; return the stream, the balances and how many writers there were."""
    connection = await connect(url, application="test")
    async with asyncio.timeout(60):
        while await stream.position(connection) < count:  # noqa: ASYNC110 — another process writes
            await asyncio.sleep(0.05)
    await nothing_open(connection)
    found = (
        await stream.rated_since(connection, 0, 100_000),
        await ledger.used(connection, ["acme"]),
        await connection.fetchval("SELECT epoch FROM stream"),
    )
    await connection.close()
    return found


async def nothing_open(connection: Connection) -> None:
    """Wait until the last channel has ended."""
    async with asyncio.timeout(20):
        while await connection.fetchval("SELECT count(*) FROM open_leg"):  # noqa: ASYNC110 — as above
            await asyncio.sleep(0.05)


def same(clean: Rating, found: tuple[Sequence[stream.Entry], dict[PoolKey, int], int]) -> None:
    """Compare with the clean run, leg by leg, in order, to the micro-unit."""
    entries, used, _ = found
    assert [entry.position for entry in entries] == list(range(1, LEGS + 1))
    assert [entry.leg for entry in entries] == list(clean.rated)
    assert used == clean.used


def test_a_rater_killed_at_random_moments_loses_and_doubles_nothing(
    database: str, clean: Rating, spool: Path, rater: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    """Kill -9, eight times, while 2,000 legs come in and the file is rotated: as if nothing had been."""
    asyncio.run(put_documents(database))
    rng = random.Random(8)
    writing = Spool(spool, seconds=12)
    writing.start()
    for _ in range(KILLS):
        process = asyncio.run(take_over(database, rater))
        time.sleep(rng.uniform(0, 0.4))
        process.kill()
        process.wait(10)
    last = asyncio.run(take_over(database, rater))
    writing.join(60)
    found = asyncio.run(finished(database, LEGS))
    same(clean, found)
    assert found[2] == KILLS + 1
    last.send_signal(signal.SIGTERM)
    assert last.wait(3) == 0, "SIGTERM ends it quickly"


async def take_over(url: str, rater: Callable[[str], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
    """Start a rater and wait until it has the turn."""
    connection = await connect(url, application="test")
    before = await connection.fetchval("SELECT epoch FROM stream")
    process = rater(url)
    async with asyncio.timeout(20):
        while await connection.fetchval("SELECT epoch FROM stream") == before:
            assert process.poll() is None
            await asyncio.sleep(0.01)
    await connection.close()
    return process


def test_two_raters_one_killed_the_other_goes_on(
    database: str, clean: Rating, spool: Path, rater: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    """The one that stands by takes over by itself, and writes nothing before."""
    asyncio.run(put_documents(database))
    writing = Spool(spool, seconds=6)
    writing.start()
    raters = [rater(database), rater(database)]
    writer = asyncio.run(who_writes(database))
    assert writer in {process.pid for process in raters}
    os.kill(writer, signal.SIGKILL)
    writing.join(60)
    found = asyncio.run(finished(database, LEGS))
    same(clean, found)
    assert found[2] == 2


async def who_writes(url: str) -> int:
    """Wait for the first legs; return the process whose session has the turn: its name says so."""
    connection = await connect(url, application="test")
    async with asyncio.timeout(20):
        while await stream.position(connection) < LEGS // 10:  # noqa: ASYNC110 — another process writes
            await asyncio.sleep(0.02)
    name = await connection.fetchval(
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
    )
    await connection.close()
    return int(name.rpartition(" ")[2])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
def test_postgres_goes_away_and_comes_back(
    clean: Rating,
    spool: Path,
    short_path: Path,
    rater: Callable[[str], "subprocess.Popen[bytes]"],
    number: signal.Signals,
) -> None:
    """The rater waits, the spool grows, then everything is caught up: three times."""
    server = postgresql.Server(short_path / "data", short_path)
    postgresql.prepare(server)
    url = postgresql.url(server)
    running = postgresql.start(server, short_path / "log")
    try:
        asyncio.run(migrate(url))
        asyncio.run(put_documents(url))
        process = rater(url)
        writing = Spool(spool, seconds=6)
        writing.start()
        for _ in range(3):
            time.sleep(1.5)
            end(running, number)
            time.sleep(0.3)
            running = postgresql.start(server, short_path / "log")
        writing.join(60)
        same(clean, asyncio.run(finished(url, LEGS)))
        assert process.poll() is None, "it is the same process"
    finally:
        postgresql.stop(running)


def end(server: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """End a server by a signal, its children too."""
    if number is signal.SIGINT:
        postgresql.stop(server)
        return
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (str(server.pid), *children):
        os.kill(int(pid), signal.SIGKILL)
    server.wait(10)
