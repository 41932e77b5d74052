"""The rated stream: every rated leg at its position, in the order in which they were committed.

Owns reading it, from any position, any number of readers. Refuses to write. Why a reader misses nothing
stands in `rating.store.ledger`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rating.rated import RatedLeg
from rating.store.ledger import Connection
from rating.store.named import named
from rating.store.positions import must_be_reached
from rating.store.rows import rated_leg_of
from rating.wire import rated_to_json

if TYPE_CHECKING:
    import asyncpg

_SQL = named(Path(__file__).with_name("queries.sql"))
CHANNEL = "rated"  # the writer tells here that there is more
PAGE = 1_000
LOOK_S = 5  # between looks when no news come: a notification is a favour, no promise


@dataclass(frozen=True, slots=True)
class Entry:
    """A rated leg, or a correction of one, and where it stands in the stream.

    Attributes:
        month: first day of the month in which it is billed.
        corrects: position of the leg that a correction is of.
        correction: 0 for a leg itself, then 1, 2, …
    """

    position: int
    leg: RatedLeg
    month: date
    corrects: int | None = None
    correction: int = 0


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """Write an entry as a line of the stream: the rated leg (`rating.wire`) and its place."""
    line = {"position": entry.position, **rated_to_json(entry.leg), "billing_month": f"{entry.month:%Y-%m}"}
    if not entry.correction:
        return line
    return {**line, "type": "correction", "corrects": entry.corrects, "correction": entry.correction}


async def rated_since(connection: Connection, since: int, limit: int = PAGE) -> Sequence[Entry]:
    """Return the entries after a position, at most `limit`; none after the newest.

    Raises:
        BeyondNewestError: there is no such position.
    """
    rows = await connection.fetch(_SQL["rated_since"], since, limit)
    if since and not rows:
        must_be_reached(since, await position(connection))
    return [_entry_of(row) for row in rows]


async def rated_of(connection: Connection, key: str) -> Sequence[Entry]:
    """Return the entry of a leg and those of its corrections; none if it has not been rated."""
    return [_entry_of(row) for row in await connection.fetch(_SQL["rated_of"], key)]


def _entry_of(row: "asyncpg.Record") -> Entry:
    return Entry(
        position=row["position"],
        leg=rated_leg_of(dict(row)),
        month=row["billing_month"],
        corrects=row["corrects"],
        correction=row["correction"],
    )


async def position(connection: Connection, shard: int = 0) -> int:
    """Return the position of the newest entry, 0 if there is none."""
    return int(await connection.fetchval(_SQL["position"], shard))


async def follow(connection: Connection, since: int) -> AsyncIterator[Entry]:
    """Yield every entry after a position, each once, and go on with those to come.

    Raises:
        BeyondNewestError: there is no such position, or no longer: an older database was restored.
    """
    news = asyncio.Event()
    await connection.add_listener(CHANNEL, lambda *_: news.set())
    while True:
        news.clear()
        page = await rated_since(connection, since)
        for entry in page:
            yield entry
            since = entry.position
        if len(page) < PAGE:
            await _heard(news)


async def _heard(news: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_S):
            await news.wait()
    except TimeoutError:
        return
