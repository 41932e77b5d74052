"""Whether memory stays flat over millions of legs: of the kernel by columns, and of a rater that writes them.

The accounts and legs of `bench_rating`, 20,000 legs at once, all in the same ten days: so what grows, grows
with legs. After each million the process says how much memory it has; the slope is that of a straight line
through the last two thirds. The rated table is emptied after each million, so that a disk has room for all;
the writer knows nothing of its size. What a book and an index remember grows with accounts and the months in
which they call: how much a month of a thousand accounts takes is measured apart, over a year.

Ends with one line of JSON: `kernel_legs`, `kernel_rss_mb` at the end, `kernel_mb_per_1m_legs` (the slope),
`kernel_mb_per_month`, `stream_legs`, `stream_rss_mb`, `stream_mb_per_1m_legs`, `stream_legs_per_s` (drawing
the legs included). `LEGS=2000000 STREAM_LEGS=1000000 make bench-memory` is shorter.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import uvloop

from pbxcore.database import connect
from pbxcore.machine import postgres
from pbxcore.machine.collector import settle
from rating.book import Book, PoolKey
from rating.columns import Index, Legs, rate_columns
from tests.benchmarks.bench_rating import (
    SECOND_US,
    a_writer,
    fresh,
    memory_mb,
    objects,
    stream,
    the_book,
    the_legs,
)

KERNEL_LEGS = int(os.environ.get("LEGS", "10000000"))
STREAM_LEGS = int(os.environ.get("STREAM_LEGS", "10000000"))  # five minutes at 40,000 a second
CHUNK = 20_000
MILLION = 1_000_000
MONTHS = 12
MONTH_US = 30 * 86_400 * SECOND_US


def chunks(seed: int, legs: int) -> Iterator[Legs]:
    """Draw legs, some at once."""
    return (the_legs(CHUNK, seed + number) for number in range(legs // CHUNK))


def is_million(number: int) -> bool:
    """Tell whether a million is full with this chunk."""
    return (number + 1) * CHUNK % MILLION == 0


def by_kernel(book: Book) -> tuple[list[int], float]:
    """Rate by columns; return the memory after each million, and by how much it grows with a month."""
    index, used = Index(book), dict[PoolKey, int]()
    found = []
    for number, legs in enumerate(chunks(1_000, KERNEL_LEGS)):
        used.update(rate_columns(legs, index, used).used)
        if is_million(number):
            found.append(memory_mb())
    before_mb = memory_mb()
    for number, legs in enumerate(chunks(50_000, MONTHS * CHUNK), 1):
        answered_us, ended_us = (one + number * MONTH_US for one in (legs.answered_us, legs.ended_us))
        later = replace(legs, answered_us=answered_us, ended_us=ended_us)
        used.update(rate_columns(later, index, used).used)
    return found, round((memory_mb() - before_mb) / MONTHS, 1)


async def by_stream(book: Book, url: str) -> list[int]:
    """Write them as a rater does; return the memory after each million."""
    connection = await connect(url, application="bench")
    writer = await a_writer(book, connection, "memory")
    settle()  # as a rater does once it has read its book
    found = []
    for number, legs in enumerate(chunks(100_000, STREAM_LEGS)):
        await stream(writer, objects(legs))
        if is_million(number):
            found.append(memory_mb())
            print(f"{(number + 1) * CHUNK:,} legs: {found[-1]} MB")  # noqa: T201 — what a benchmark is for
            await connection.execute("TRUNCATE rated_leg")
    await connection.close()
    return found


def slope(found: Sequence[int]) -> float:
    """Return by how much memory grows with each million over the last two thirds."""
    last = found[len(found) // 3 :]
    if len(last) < 2:
        return 0.0
    return round(float(np.polyfit(range(len(last)), last, 1)[0]), 2)


def main() -> None:
    """Run it and print one line of JSON."""
    book = the_book()
    print(f"load {os.getloadavg()[0]:.1f}")  # noqa: T201 — what else ran
    kernel_mb, month_mb = by_kernel(book)
    print("kernel: " + " ".join(map(str, kernel_mb)) + " MB")  # noqa: T201 — as above
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="pbx", dir="/tmp") as folder:
        server = postgres.Server(Path(folder) / "data", Path(folder))
        with postgres.running(server, Path(folder) / "log") as running:
            stream_mb = uvloop.run(_fresh_stream(the_book(), running))
    seconds = time.perf_counter() - started
    figures = {
        "kernel_legs": KERNEL_LEGS,
        "kernel_rss_mb": kernel_mb[-1],
        "kernel_mb_per_1m_legs": slope(kernel_mb),
        "kernel_mb_per_month": month_mb,
        "stream_legs": STREAM_LEGS,
        "stream_rss_mb": stream_mb[-1],
        "stream_mb_per_1m_legs": slope(stream_mb),
        "stream_legs_per_s": round(STREAM_LEGS / seconds),
    }
    print(json.dumps(figures))  # noqa: T201 — a benchmark's last line is its result


async def _fresh_stream(book: Book, server: postgres.Server) -> list[int]:
    return await by_stream(book, await fresh(server, "memory"))


if __name__ == "__main__":
    main()
