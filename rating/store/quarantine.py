"""Legs that wait for a person: what waits, and letting it go.

Owns the request. Refuses to rate: the writer of the ledger does that with everything else it writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rating.leg import Leg
from rating.rated import Quarantine
from rating.store.ledger import Connection
from rating.store.named import named
from rating.store.rows import leg_of

_SQL = named(Path(__file__).with_name("queries.sql"))
CHANNEL = "release"  # the writer listens here


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A leg in quarantine.

    Attributes:
        leg: as it was recorded; no request changes that.
        since: when it came.
        released_by: who asked to rate it again; empty if nobody has, or if it came back.
    """

    leg: Leg
    reason: Quarantine
    detail: str
    since: datetime
    released_by: str


async def release_all(connection: Connection, reason: Quarantine, *, by: str, limit: int) -> int:
    """Ask to rate again what waits for one reason, as it was recorded; return how many legs that are.

    At most `limit`, those that have waited longest since they came or were rated in vain: what is left comes
    with the next requests. What somebody has released already is left to the writer, with what it corrects.
    """
    async with connection.transaction():
        found = await connection.fetch(_SQL["release_all"], reason.value, by, limit)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, reason.value)
    return len(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """Legs in quarantine for one reason.

    Attributes:
        legs: how many.
        oldest: since when the first of them waits.
    """

    reason: Quarantine
    legs: int
    oldest: datetime


async def lying(connection: Connection, limit: int) -> Sequence[Lying]:
    """Count what waits by its reason, the most first, of the oldest `limit` legs."""
    rows = await connection.fetch(_SQL["lying"], limit)
    return [Lying(reason=Quarantine(row["reason"]), legs=row["legs"], oldest=row["oldest"]) for row in rows]


async def waiting(connection: Connection, limit: int) -> Sequence[Waiting]:
    """List what waits, the oldest first."""
    return [_waiting_of(dict(row)) for row in await connection.fetch(_SQL["waiting"], limit)]


async def waiting_of(connection: Connection, key: str) -> Waiting | None:
    """Return a leg that waits, None if it does not."""
    row = await connection.fetchrow(_SQL["quarantined_of"], key)
    return _waiting_of(dict(row)) if row else None


def _waiting_of(row: Mapping[str, Any]) -> Waiting:
    return Waiting(
        leg=leg_of(row["leg"]),
        reason=Quarantine(row["reason"]),
        detail=row["detail"],
        since=row["quarantined_at"],
        released_by=row["released_by"] if row["release_at"] else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person knows better than the record; None where the record is right.

    Attributes:
        payer: `<tenant>/<extension>` who pays.
        ended_us: when the leg ended.
    """

    payer: str | None = None
    ended_us: int | None = None


async def release(connection: Connection, key: str, *, by: str, correction: Correction) -> bool:
    """Ask to rate a leg again; False if no such leg waits.

    Each request stands for itself: it replaces one that was not taken up yet, and what it does not correct is
    as recorded, whatever was asked before. A leg without a recorded end ends then at its last sign of life.
    """
    async with connection.transaction():
        found = await connection.fetchval(_SQL["release"], key, by, correction.payer, correction.ended_us)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, key)
    return found is not None
