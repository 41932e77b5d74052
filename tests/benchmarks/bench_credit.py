"""How many calls on credit are let out a second, and how long the slowest hundredth waits for its answer.

A thousand prepaid accounts with up to four bundles. Questions come over the socket, `ASKERS` at a time, from
a process of their own, as control asks them; each answer is committed in PostgreSQL, a private one, before it
is given. Every account has been asked for before: the book works out each of them once a month.

Ends with one line of JSON: `authorise_per_s`, `authorise_p99_ms`.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import uvloop
import yaml

from pbxcore.control.credit import CreditLine
from pbxcore.database import connect, migrate
from pbxcore.machine import postgres
from pbxcore.machine.collector import settle
from pbxcore.rater import credit_line
from pbxcore.rater.desk import Desk
from pbxcore.rater.purse import Purses
from rating.account import AccountSpec
from rating.book import Book, bind
from rating.catalogue import CatalogueSpec
from rating.destinations.load import load
from rating.store import credit, ledger

CONFIG = Path(__file__).parents[2] / "config"
ACCOUNTS = 1_000
ASKERS = 32  # at a time; with more each waits longer and no more are answered
QUESTIONS = 20_000
SLICE_S = 300
PATTERNS = ("+4930{:07}", "+49170{:07}", "+43664{:07}", "+41446{:06}", "+1212555{:04}", "+3906698{:05}")


def document(number: int) -> AccountSpec:
    """Return an account."""
    bundles = random.Random(number).sample(("de", "dach", "europe", "export"), number % 5)
    return AccountSpec.model_validate(
        {
            "version": 1,
            "account": f"a{number}",
            "name": "",
            "catalogue": "autphone",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "payment": "prepaid",
            "bundles": [{"bundle": bundle, "size": "S", "from": "2026-01-01"} for bundle in bundles],
        }
    )


def the_book() -> Book:
    """Return what is in force."""
    text = (CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8")
    catalogue = CatalogueSpec.model_validate(yaml.safe_load(text))
    payers = {f"t{number}": f"a{number}" for number in range(ACCOUNTS)}
    return bind(
        load(CONFIG / "destinations"), [catalogue], [document(number) for number in range(ACCOUNTS)], payers
    )


async def measured(url: str, folder: Path) -> list[float]:
    """Answer who asks; return how long each question waited, and last how long all of them took."""
    connection = await connect(url, application="bench")
    turn = await ledger.take_turn(connection)
    assert turn
    await credit.begin(connection, turn)
    book, purses = the_book(), Purses()
    for account in book.accounts:
        purses.of(account).balance_micro = 10**12
    reading = await connect(url, application="bench sums")
    desk = Desk(
        connection=connection,
        reading=reading,
        turn=turn,
        book=book,
        purses=purses,
        longest_s=14_400,
        slice_s=SLICE_S,
    )
    settle()  # as a rater does once it has read its book
    async with asyncio.TaskGroup() as tasks:
        answering = [tasks.create_task(desk.run()), tasks.create_task(desk.read())]
        async with credit_line.listen(credit_line.path_of(folder), desk, nothing):
            waits = await questioned(folder)
        for one in answering:
            one.cancel()
    await connection.close()
    await reading.close()
    return waits


async def questioned(folder: Path) -> list[float]:
    """Let another process ask."""
    words = (sys.executable, "-m", "tests.benchmarks.bench_credit", str(folder))
    asking = await asyncio.create_subprocess_exec(
        *words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    said, _ = await asking.communicate()
    assert asking.returncode == 0
    waits: list[float] = json.loads(said)
    return waits


async def ask_all(folder: Path) -> list[float]:
    """Ask, in the other process."""
    line = CreditLine(credit_line.path_of(folder))
    async with asyncio.TaskGroup() as tasks:
        held = tasks.create_task(line.run())
        while await line.ask({"do": "extend"}) is None:  # noqa: ASYNC110 — the line comes up by itself
            await asyncio.sleep(0.05)
        rng = random.Random(7)
        await asked(line, range(-5 * ACCOUNTS, 0), rng)
        settle()
        started = time.perf_counter()
        waits = await asked(line, range(QUESTIONS), rng)
        took_s = time.perf_counter() - started
        held.cancel()
    return [*sorted(waits), took_s]


async def asked(line: CreditLine, numbers: Iterable[int], rng: random.Random) -> list[float]:
    """Ask all of them, `ASKERS` at a time; return how long each waited."""
    rest = iter(numbers)
    waits = await asyncio.gather(*(asker(line, rest, rng) for _ in range(ASKERS)))
    return [wait for some in waits for wait in some]


async def asker(line: CreditLine, numbers: Iterator[int], rng: random.Random) -> list[float]:
    """Ask one call after the other; return how long each waited."""
    waits = []
    for number in numbers:
        question = {
            "do": "authorise",
            "id": f"r{number}",
            "call": f"c{number}",
            "payer": f"t{rng.randrange(ACCOUNTS)}/{rng.randrange(20)}",
            "number": rng.choice(PATTERNS).format(rng.randrange(10_000)),
            "why": "call",
            "answer_within_s": 65,
        }
        started = time.perf_counter()
        answer = await line.ask(question)
        waits.append(time.perf_counter() - started)
        assert answer is None or answer["limit_s"] == SLICE_S, answer  # none: it shows in the longest wait
    return waits


async def nothing() -> list[dict[str, object]]:
    """Extend no call."""
    return []


async def authorised(url: str, folder: Path) -> dict[str, object]:
    """Measure on a database that nobody else uses; return figures."""
    print(f"load {os.getloadavg()[0]:.1f}")  # noqa: T201 — what else ran
    *waits, took_s = await measured(url, folder)
    print(f"half wait {waits[len(waits) // 2] * 1e3:.1f} ms, the longest {waits[-1] * 1e3:.1f} ms")  # noqa: T201 — as above
    return {
        "authorise_per_s": round(len(waits) / took_s),
        "authorise_p99_ms": round(waits[len(waits) * 99 // 100] * 1e3, 1),
    }


async def run(folder: Path) -> dict[str, object]:
    """Measure on a private database."""
    with postgres.running(postgres.Server(folder / "data", folder), folder / "log") as server:
        url = postgres.url(server)
        await migrate(url)
        return await authorised(url, folder)


def main() -> None:
    """Run it and print one line of JSON; named a folder, only ask the rater there."""
    if sys.argv[1:]:
        print(json.dumps(uvloop.run(ask_all(Path(sys.argv[1])))))  # noqa: T201 — for who answers
        return
    with tempfile.TemporaryDirectory(prefix="pbx", dir="/tmp") as folder:
        print(json.dumps(uvloop.run(run(Path(folder)))))  # noqa: T201 — a benchmark's last line is its result


if __name__ == "__main__":
    main()
