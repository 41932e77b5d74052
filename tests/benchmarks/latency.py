"""How long after its hangup a leg stands in the stream, while 500 legs a second end.

The real rater, a process of its own, reads a spool to which lines are appended when their time has come, as
Asterisk does it. A reader of the stream notes when it has each leg. Calls began before the first look, so
that as many end as begin; legs that ended by then, or while these were caught up, do not count.
"""

import asyncio
import time
from collections import deque
from itertools import islice
from pathlib import Path

from pbxcore.database import connect
from pbxcore.machine.collector import settle
from pbxcore.practice.records import World, is_billed, records
from rating.store import stream
from tests.adversity import killing

LEGS_PER_S = 500
SECONDS = 20
BEFORE_S = 20  # longer than the longest call with its ringing
CATCH_UP_S = 5  # for the legs that had ended before
LATEST_S = 30  # for the last leg, on a machine that others want too
TICK_S = 0.002  # between looks whether lines are due
EVERY_US = 1_000_000 * sum(map(is_billed, range(90))) // 90 // LEGS_PER_S  # ninety calls are a pattern
AHEAD = 1_000  # lines that are made at once
MOST_CALLS = 2 * (BEFORE_S + SECONDS) * 1_000_000 // EVERY_US  # more than are looked at


async def hangup_to_stream_s(url: str, state: Path) -> list[float]:
    """Return how long each leg took, in ascending order."""
    await killing.put_documents(url)
    spool = killing.spool_of(state) / "legs.tsv"
    process = await killing.take_over(url, state)
    settle()  # a pause of ours is none of the rater's
    try:
        began_us = _now_us()
        first_us = began_us + CATCH_UP_S * 1_000_000
        last_us = first_us + SECONDS * 1_000_000
        world = World(first_us=began_us - BEFORE_S * 1_000_000, every_us=EVERY_US, longest_s=10)
        async with asyncio.timeout(SECONDS + LATEST_S), asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(_write(spool, world))
            waits = await _waits(url, first_us, last_us)
            writing.cancel()
    finally:
        process.kill()
        process.wait()
    return sorted(waits)


async def _write(spool: Path, world: World) -> None:
    """Append lines when their time has come."""
    lines = deque[str]()
    to_come = records(MOST_CALLS, world)
    while True:
        now = f"{_now_us() / 1_000_000:.6f}"
        due = []
        while (lines := lines or deque(islice(to_come, AHEAD))) and _time(lines[0]) <= now:
            due.append(lines.popleft())
        with spool.open("a", encoding="latin-1") as file:
            file.writelines(due)
        await asyncio.sleep(TICK_S)


def _time(line: str) -> str:
    return line.split("\t", 3)[2]


async def _waits(url: str, first_us: int, last_us: int) -> list[float]:
    """Follow the stream; return how long each leg took that ended in between, by the same clock."""
    connection = await connect(url, application="bench")
    waits: list[float] = []
    async for entry in stream.follow(connection, 0):
        if entry.leg.ended_us >= last_us:  # the stream is in the order of hangups
            break
        if entry.leg.ended_us >= first_us:
            waits.append((_now_us() - entry.leg.ended_us) / 1_000_000)
    await connection.close()
    return waits


def _now_us() -> int:
    return time.time_ns() // 1_000
