"""How many legs a second are rated: in the kernels alone, and into PostgreSQL beside COPY of the same rows.

A thousand accounts with up to four bundles, twenty extensions each, ten days up to a month's end. Everything
runs in this process on one core; PostgreSQL is a private one beside it. Runs are repeated: the best of a
kernel counts, the median of the database, whose rounds alternate with COPY, either first in turn; a million
legs are rated again once. Every run is printed, and how busy the machine was with other things.

Ends with one line of JSON: `kernel_legs_per_s` (column by column, the whole law: strings and arrays in,
columns with pieces out; of payers and terms, not of numbers, it remembers what it has seen),
`plain_legs_per_s`, `stream_legs_per_s` (from assembled legs), `spool_legs_per_s` (from lines),
`copy_rows_per_s` (of the same rows into the same indexed table), `stream_to_copy`, `rerate_1m_s` (a million
legs in the database that came in as they ended, but for one in a hundred an hour late, rated again account by
account, corrections written), `latency_p99_ms` (hangup to stream at 500 legs/s, `latency`), `authorise_per_s`
and `authorise_p99_ms` (`bench_credit`), `rss_growth_mb` (over the last two thirds of the spool). Legs by the
second, latency and authorisations each have a database of their own on the same server.
"""

import asyncio
import gc
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import uvloop
import yaml

from pbxcore.aside import aside, switch_soon
from pbxcore.closing import Closing
from pbxcore.database import Connection, connect, migrate
from pbxcore.intake.assemble import NOTHING_OPEN, Assembly
from pbxcore.intake.memory import Memory
from pbxcore.intake.spool import Spool
from pbxcore.machine import postgres
from pbxcore.machine.collector import settle
from pbxcore.practice.records import World, is_billed, records
from pbxcore.rater.ahead import Ahead
from pbxcore.rater.writer import Writer
from rating.account import AccountSpec
from rating.book import Book, bind
from rating.catalogue import CatalogueSpec
from rating.closing import Months
from rating.columns import Index, Legs, legs_of, rate_columns
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import from_iso
from rating.rate import rate
from rating.store import ledger
from rating.store.rows import COLUMNS, row_of
from tests.benchmarks.bench_credit import authorised
from tests.benchmarks.latency import hangup_to_stream_s

CONFIG = Path(__file__).parents[2] / "config"
ACCOUNTS = 1_000
LEGS = 1_000_000
PLAIN_LEGS = 100_000
ROUNDS = 5
ROUND_LEGS = 20_000
BATCH = 4_000  # about what the spool gives at once
CALLS = 75_000  # of which 60,000 are legs
SECOND_US = 1_000_000
BEGIN_US = from_iso("2026-10-22T00:00:00+00:00")
PATTERNS = ("+4930{:07}", "+49170{:07}", "+43664{:07}", "+41446{:06}", "+1212555{:04}", "+3906698{:05}")


def document(number: int) -> AccountSpec:
    """Return an account."""
    bundles = random.Random(number).sample(("de", "dach", "europe", "export"), number % 5)
    booked = [{"bundle": bundle, "size": "S", "from": "2026-01-01"} for bundle in bundles]
    return AccountSpec.model_validate(
        {
            "version": 1,
            "account": f"a{number}",
            "name": "",
            "catalogue": "autphone",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "bundles": booked,
        }
    )


def the_book() -> Book:
    """Return what is in force."""
    text = (CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8")
    accounts = [document(number) for number in range(ACCOUNTS)]
    payers = {f"t{number}": f"a{number}" for number in range(ACCOUNTS)}
    return bind(
        load(CONFIG / "destinations"),
        [CatalogueSpec.model_validate(yaml.safe_load(text))],
        accounts,
        {**payers, "acme": "a4"},
    )


def the_legs(number: int, seed: int) -> Legs:
    """Draw legs, evenly over ten days that end a month."""
    rng = random.Random(seed)
    draws = np.random.default_rng(seed)
    answered_us = BEGIN_US + np.sort(draws.integers(0, 10 * 86_400 * SECOND_US, number, dtype=np.int64))
    keys = [f"m{seed}-1.{one}" for one in range(number)]
    return Legs(
        key=keys,
        linkedid=keys,
        trunk=["carrier"] * number,
        payer=[f"t{rng.randrange(ACCOUNTS)}/{rng.randrange(20)}" for _ in range(number)],
        why=["call"] * number,
        number=[rng.choice(PATTERNS).format(rng.randrange(10_000)) for _ in range(number)],
        answered_us=answered_us,
        ended_us=answered_us + draws.integers(1, 600 * SECOND_US, number, dtype=np.int64),
        limit_s=np.full(number, 14_400, dtype=np.int64),
        version=["t@1"] * number,
        indeterminate=np.zeros(number, dtype=np.bool_),
        credit=[""] * number,
    )


def objects(legs: Legs) -> list[Leg]:
    """Return legs as the intake gives them."""
    return [legs.leg(row) for row in range(len(legs))]


def rates_per_s(legs: int, work: Callable[[], object]) -> list[int]:
    """Run something some times; return how many legs a second each time."""
    found = []
    print(f"load {os.getloadavg()[0]:.1f}")  # noqa: T201 — what else ran
    for _ in range(ROUNDS):
        gc.collect()
        started = time.perf_counter()
        work()
        found.append(round(legs / (time.perf_counter() - started)))
    return found


def kernels(book: Book) -> tuple[int, int]:
    """Measure both kernels, and what it costs to come from objects and go back to them."""
    index = Index(book)
    by_columns = columns_per_s(index)
    some = objects(the_legs(PLAIN_LEGS, 2))
    assert rate_columns(legs_of(some), index, {}).rating() == rate(some, book, {})
    plain = rates_per_s(PLAIN_LEGS, lambda: rate(some, book, {}))
    both_ways = rates_per_s(PLAIN_LEGS, lambda: rate_columns(legs_of(some), index, {}).rating())
    say("columns", by_columns)
    say("plain", plain)
    say("columns, from objects to objects", both_ways)
    return max(by_columns), max(plain)


def columns_per_s(index: Index) -> list[int]:
    """Measure a million legs by columns."""
    legs = the_legs(LEGS, 1)
    return rates_per_s(LEGS, lambda: rate_columns(legs, index, {}))


async def stream_and_copy(book: Book, connection: Connection) -> tuple[int, int]:
    """Measure the rater from assembled legs, and COPY of the same rows into the same indexed table."""
    writer = await a_writer(book, connection, "assembled")
    await connection.execute("CREATE TABLE copied (LIKE rated_leg INCLUDING ALL)")
    streamed, copied, used = list[int](), list[int](), dict[tuple[str, str], int]()
    position, months = count(1), Months(book, {})
    for seed in range(10, 10 + ROUNDS):
        legs = objects(the_legs(ROUND_LEGS, seed))
        rating = rate(legs, book, used)
        used.update(rating.used)
        rows = [row_of(next(position), leg, months.of(leg.account, leg.ended_us)) for leg in rating.rated]
        sides = [(streamed, len(legs), stream(writer, legs)), (copied, len(rows), copy(connection, rows))]
        for found, number, work in sides if seed % 2 else reversed(sides):
            settle()  # what this benchmark holds is walked by the collector on neither side
            found.append(await timed(number, work))
    await same(connection)
    say("stream", streamed)
    say("copy", copied)
    return round(statistics.median(streamed)), round(statistics.median(copied))


async def stream(writer: Writer, legs: Sequence[Leg]) -> None:
    """Give legs to the rater, which takes them in as when it catches up."""
    async with asyncio.TaskGroup() as tasks:
        ahead = Ahead(writer, tasks)
        for start in range(0, len(legs), BATCH):
            plan = await aside(writer.plan_of, assembled(legs[start : start + BATCH]))
            await ahead.rest()
            await ahead.go(plan, writer.commit(plan), at_end=False)


async def copy(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Write rows, nothing else."""
    for start in range(0, len(rows), BATCH):
        async with connection.transaction():
            some = rows[start : start + BATCH]
            await connection.copy_records_to_table("copied", records=some, columns=COLUMNS)


def assembled(legs: Sequence[Leg]) -> Assembly:
    """Return legs as if they had just ended."""
    return Assembly(legs=tuple(legs), bad=(), open=NOTHING_OPEN, changed=(), closed=(), last_us=0)


async def same(connection: Connection) -> None:
    """Make sure that both tables hold the same."""
    differ = await connection.fetchval(
        "SELECT count(*) FROM rated_leg AS one LEFT JOIN copied AS other USING (position) "
        "WHERE to_jsonb(one) - 'rated_at' IS DISTINCT FROM to_jsonb(other) - 'rated_at'"
    )
    rows = await connection.fetchval("SELECT count(*) FROM copied")
    assert (differ, rows) == (0, ROUNDS * ROUND_LEGS), (differ, rows)


async def timed(legs: int, work: Awaitable[None]) -> int:
    """Return how many legs a second."""
    started = time.perf_counter()
    await work
    return round(legs / (time.perf_counter() - started))


async def spooled(book: Book, connection: Connection, folder: Path) -> tuple[int, int]:
    """Measure the rater from lines of the spool; return also by how many MB it grew."""
    world = World(first_us=BEGIN_US)
    with (folder / "legs.tsv").open("w", encoding="latin-1") as file:
        file.writelines(records(CALLS, world))
    spool, writer = Spool(folder), await a_writer(book, connection, "spool")
    spool.seek(None)
    legs = sum(map(is_billed, range(CALLS)))
    done, early_mb, started = 0, 0, time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        ahead, at_end = Ahead(writer, tasks), False
        while not at_end:
            batch = await spool.read()
            plan, at_end = await aside(writer.plan, batch), batch.at_end
            await ahead.rest()
            await ahead.go(plan, writer.commit(plan), at_end=at_end)
            done += len(plan.assembly.legs)
            if not early_mb and done * 3 > legs:
                early_mb = memory_mb()
    legs_per_s = round(legs / (time.perf_counter() - started))
    assert done == legs, (done, legs)
    spool.close()
    return legs_per_s, memory_mb() - early_mb


def arriving(legs: Legs) -> list[Leg]:
    """Return legs as they end, every hundredth of them an hour late."""
    late_us = np.where(np.arange(len(legs), dtype=np.int64) % 100 == 0, 3_600 * SECOND_US, 0)
    return [legs.leg(row) for row in np.argsort(legs.ended_us + late_us).tolist()]


async def rerated(book: Book, connection: Connection) -> float:
    """Measure rating a million legs again, read and written; return seconds."""
    writer = await a_writer(book, connection, "again")
    await stream(writer, arriving(the_legs(LEGS, 50)))
    await connection.execute("ANALYZE rated_leg")
    closing, corrections = Closing(connection, book), 0
    print(f"load {os.getloadavg()[0]:.1f}")  # noqa: T201 — what else ran
    started = time.perf_counter()
    for number in range(ACCOUNTS):
        corrections += len((await closing.rerate(f"a{number}", confirm=True)).changed)
    seconds = time.perf_counter() - started
    print(f"again: {LEGS:,} legs in {seconds:.1f} s, {corrections:,} corrections")  # noqa: T201 — as `say`
    return seconds


async def a_writer(book: Book, connection: Connection, source: str) -> Writer:
    """Take the turn."""
    turn = await ledger.take_turn(connection)
    assert turn
    memory = Memory(position=None, open=NOTHING_OPEN, last_us=0)
    return Writer(connection=connection, turn=turn, source=source, index=Index(book), memory=memory)


def memory_mb() -> int:
    """Return how much memory this process has now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


def say(what: str, found: Sequence[int]) -> None:
    """Print every run: how far they are apart is a part of the result."""
    print(f"{what}: " + " ".join(f"{one:,}" for one in found) + " legs/s")  # noqa: T201 — what a benchmark is for


async def databases(book: Book, folder: Path) -> dict[str, object]:
    """Measure everything that needs a database."""
    with postgres.running(postgres.Server(folder / "data", folder), folder / "log") as server:
        figures = await streams(book, await fresh(server, "streams"), folder)
        figures |= await latency_of_legs(await fresh(server, "latency"), folder / "latency")
        figures |= await authorised(await fresh(server, "credit"), folder)
    return figures


async def fresh(server: postgres.Server, name: str) -> str:
    """Make a database with the schema of today; return its URL."""
    connection = await connect(postgres.url(server), application="bench")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = postgres.url(server, name)
    await migrate(url)
    return url


async def streams(book: Book, url: str, folder: Path) -> dict[str, object]:
    """Measure how many legs a second are written."""
    connection = await connect(url, application="bench")
    settle()  # as a rater does once it has read its book
    switch_soon()
    stream_per_s, copy_per_s = await stream_and_copy(book, connection)
    spool_per_s, growth_mb = await spooled(book, connection, folder)
    await connection.execute("TRUNCATE rated_leg, pool_used")
    rerate_s = await rerated(book, connection)
    await connection.close()
    return {
        "stream_legs_per_s": stream_per_s,
        "spool_legs_per_s": spool_per_s,
        "copy_rows_per_s": copy_per_s,
        "stream_to_copy": round(stream_per_s / copy_per_s, 2),
        "rerate_1m_s": round(rerate_s, 1),
        "rss_growth_mb": growth_mb,
    }


async def latency_of_legs(url: str, state: Path) -> dict[str, object]:
    """Measure how long a leg takes from its hangup."""
    print(f"load {os.getloadavg()[0]:.1f}")  # noqa: T201 — what else ran
    waits = await hangup_to_stream_s(url, state)
    half_ms, longest_ms = round(waits[len(waits) // 2] * 1e3), round(waits[-1] * 1e3)
    print(f"hangup to stream: {len(waits):,} legs, half {half_ms} ms, the longest {longest_ms} ms")  # noqa: T201 — as `say`
    return {"latency_p99_ms": round(waits[len(waits) * 99 // 100] * 1e3)}


def main() -> None:
    """Run it and print one line of JSON."""
    book = the_book()
    kernel_per_s, plain_per_s = kernels(book)
    with tempfile.TemporaryDirectory(prefix="pbx", dir="/tmp") as folder:
        others = uvloop.run(databases(book, Path(folder)))
    figures = {"kernel_legs_per_s": kernel_per_s, "plain_legs_per_s": plain_per_s, **others}
    print(json.dumps(figures))  # noqa: T201 — a benchmark's last line is its result


if __name__ == "__main__":
    main()
