"""Closing a month and rating again, in the stream: what is open, what differs, one transaction.

Owns the transaction and what must be true before it. Refuses to rate (`rating.closing`).

**Beside a running rater.** Whoever writes locks the row of `stream` first, so the rater waits while
corrections are written, and finds afterwards, by the count `rerating`, that its balances and closed months
are old. To make it wait briefly, legs are read and rated *before* the lock, from one snapshot; under the lock
it is enough that the account has no newer row and nobody else rated again. An account whose legs come faster
than that is rated under the lock after `TRIES`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from rating.book import PoolKey
from rating.closing import Rerating, Standing
from rating.correction import difference, standing
from rating.store import ledger
from rating.store.ledger import Connection, Held
from rating.store.named import named
from rating.store.rows import COLUMNS, rated_leg_of, row_of

if TYPE_CHECKING:
    import asyncpg

SHARD = 0
TRIES = 3  # an account that has new legs three times within its own re-rating is busy: the rater waits for us
PAGE = 10_000  # rows at once: about 10 MB

_SQL = named(Path(__file__).with_name("queries.sql"))

Rate = Callable[[Sequence[Standing], Mapping[PoolKey, int]], Rerating]
"""Rates open legs again, given what pools have given."""


class Obstacle(StrEnum):
    """Why nothing was written."""

    UNKNOWN_ACCOUNT = "unknown-account"  # no document: nobody knows its zone and its prices
    NOT_OVER = "not-over"
    EARLIER_OPEN = "earlier-open"  # something is billed in a month before, which is not closed
    UNPRICED = "unpriced"  # a leg had a price and has none by the documents of today
    CLOSED = "closed"  # already


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """The open legs of an account, rated again, and the state of the stream in which that holds.

    Attributes:
        held: position and count of the stream.
        rows: key → position of the leg, and how many corrections it has.
        legs: how many were rated again.
        opened: first month that is not closed; the first of all times if none is.
        first: first open month in which something is billed; None if nothing is.
    """

    account: str
    held: Held
    rows: Mapping[str, tuple[int, int]]
    legs: int
    opened: date
    first: date | None
    rerating: Rerating

    def obstacle(self, close: date | None) -> Obstacle | None:
        """Tell why this may not be written and the month not be closed."""
        if close is not None and close < self.opened:
            return Obstacle.CLOSED
        if close is not None and self.first is not None and self.first < close:
            return Obstacle.EARLIER_OPEN
        return Obstacle.UNPRICED if self.rerating.unpriced else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A month that is closed.

    Attributes:
        month: the first that is closed from the one that was asked for on.
        position: of the newest row in the stream then.
    """

    month: date
    position: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a month of an account comes to in one currency, corrections included."""

    currency: str
    legs: int
    billable_s: int
    amount_micro: int


async def read(connection: Connection, account: str, rate: Rate) -> Reread:
    """Read the open legs of an account in one snapshot and rate them again; nothing is written."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        held = await _state(connection, _SQL["state"])
        return await _read(connection, account, rate, held)


async def write(
    connection: Connection, account: str, rate: Rate, *, close: date | None = None, by: str = ""
) -> Reread:
    """Write what differs in the open legs of an account, and close a month if one is named.

    Returns:
        What was written; nothing was where it says an `obstacle`.
    """
    for _ in range(TRIES):
        found = await read(connection, account, rate)
        if found.obstacle(close) or not (found.rerating.changed or close):
            return found
        async with connection.transaction():
            held = await _state(connection, _SQL["lock_stream"])
            if await _still_holds(connection, found, held):
                await _write(connection, found, held.position, close=close, by=by)
                return found
    async with connection.transaction():
        held = await _state(connection, _SQL["lock_stream"])
        found = await _read(connection, account, rate, held)
        if not found.obstacle(close):
            await _write(connection, found, held.position, close=close, by=by)
    return found


async def billed_accounts(connection: Connection) -> frozenset[str]:
    """Return every account that has anything in the stream."""
    return frozenset(row["account"] for row in await connection.fetch(_SQL["billed_accounts"]))


async def closed(connection: Connection, account: str, month: date) -> Closed | None:
    """Tell by which close a month of an account is closed; None while it is open."""
    row = await connection.fetchrow(_SQL["closed"], account, month)
    if row is None:
        return None
    return Closed(month=row["month"], position=row["position"], by=row["closed_by"], at=row["closed_at"])


async def bill(connection: Connection, account: str, month: date) -> Sequence[Bill]:
    """Return what a month comes to."""
    return [Bill(**dict(row)) for row in await connection.fetch(_SQL["bill"], account, month)]


async def waiting_before(connection: Connection, instant_us: int) -> Mapping[str, int]:
    """Return how many legs that ended before an instant wait in quarantine, by tenant; empty: nobody's."""
    rows = await connection.fetch(_SQL["waiting_before"], instant_us)
    return {row["tenant"]: row["legs"] for row in rows}


async def _state(connection: Connection, statement: str) -> Held:
    row = await connection.fetchrow(statement, SHARD)
    assert row is not None, "the migration makes this row"
    return Held(row["position"], row["rerating"])


async def _read(connection: Connection, account: str, rate: Rate, held: Held) -> Reread:
    opened = (await ledger.first_open(connection, [account])).get(account, date.min)
    rows: dict[str, tuple[int, int]] = {}
    legs: dict[str, Standing] = {}
    async for row in connection.cursor(_SQL["open_rows"], account, opened, prefetch=PAGE):
        _take_in(row, rows, legs)
    balances = await ledger.used(connection, [account])
    found = rate(list(legs.values()), balances)
    return Reread(
        account=account,
        held=held,
        rows=rows,
        legs=len(legs),
        opened=opened,
        first=min((one.month for one in legs.values()), default=None),
        rerating=found,
    )


def _take_in(row: "asyncpg.Record", rows: dict[str, tuple[int, int]], legs: dict[str, Standing]) -> None:
    """Take in a leg, or what changes it; a leg comes before its corrections."""
    leg = rated_leg_of({**row, "limit_s": row["known_limit_s"]})
    if row["correction"]:
        position, _ = rows[leg.key]
        rows[leg.key] = position, row["correction"]
        leg = standing(legs[leg.key].leg, [leg])
    else:
        rows[leg.key] = row["position"], 0
    legs[leg.key] = Standing(leg=leg, month=row["billing_month"])


async def _still_holds(connection: Connection, found: Reread, held: Held) -> bool:
    if held.rerating != found.held.rerating:
        return False
    return not await connection.fetchval(_SQL["has_newer"], found.held.position, found.account)


async def _write(connection: Connection, found: Reread, last: int, *, close: date | None, by: str) -> None:
    """Write corrections, balances and the closed month, behind the newest row of the stream."""
    rows = list(_correction_rows(found, last + 1))
    newest = last + len(rows)
    if rows:
        columns = (*COLUMNS, "corrects", "correction")
        await connection.copy_records_to_table("rated_leg", records=rows, columns=columns)
    await ledger.write_used(connection, found.rerating.used)
    if close is not None:
        await connection.execute(_SQL["close"], found.account, close, newest, by)
    await connection.execute(_SQL["count_rerating"], SHARD, newest)
    await connection.execute(_SQL["announce"], str(newest))


def _correction_rows(found: Reread, position: int) -> Iterable[tuple[object, ...]]:
    for number, (one, leg) in enumerate(found.rerating.changed, position):
        corrects, corrections = found.rows[leg.key]
        yield (*row_of(number, difference(one.leg, leg), one.month), corrects, corrections + 1)
