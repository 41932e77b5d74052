"""Thresholds of allowances that were reached: each once for a pool and its period, at a position of its own.

Owns the table. Refuses to begin or end transactions: the event is written with the legs that drew, under the
lock of the stream (`rating.store.ledger.hold`): positions have no gaps, and their order is that of commits.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rating.store.ledger import Connection
from rating.store.named import named
from rating.store.positions import must_be_reached
from rating.thresholds import Reached

PAGE = 1_000

_SQL = named(Path(__file__).with_name("thresholds.sql"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A threshold that was reached.

    Attributes:
        position: among the events; the first one is 1.
        granted_s: what the pool held then.
        used_s: what was used of it after the transaction that reached it.
        rated_position: of the newest leg of that transaction in the rated stream.
    """

    position: int
    account: str
    pool: str
    percent: int
    granted_s: int
    used_s: int
    rated_position: int
    raised_at: datetime


async def tell(connection: Connection, found: Collection[Reached], rated_position: int) -> None:
    """Write what was reached and has not been told, in the order given.

    Args:
        connection: in the transaction that holds the stream.
        found: what was reached.
        rated_position: of the newest row that this transaction writes.
    """
    if found:
        await connection.execute(_SQL["tell"], *map(list, zip(*found, strict=True)), rated_position)


async def since(connection: Connection, position: int, limit: int = PAGE) -> Sequence[Event]:
    """Return the events after a position, at most `limit`; none after the newest.

    Raises:
        BeyondNewestError: there is no such position.
    """
    rows = await connection.fetch(_SQL["since"], position, limit)
    if position and not rows:
        must_be_reached(position, await connection.fetchval(_SQL["newest"]))
    return [Event(**dict(row)) for row in rows]


def event_to_json(event: Event) -> dict[str, Any]:
    """Write an event as a line (`docs/rated-stream.md`)."""
    at = event.raised_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return {**asdict(event), "raised_at": f"{at}Z"}
