"""Closing a month and rating again, in the stream: what is open, what differs, one transaction.

Owns the transaction and what must be true before it. Refuses to rate (`rating.closing`).

**Beside a running rater.** Whoever writes locks the row of `stream` first, so the rater waits while
corrections are written, and finds afterwards, by the count `rerating`, that its balances and closed months
are old. To make it wait briefly, legs are read and rated *before* the lock, from one snapshot; under the lock
it is enough that the account has no newer row and nobody else rated again. An account whose legs come faster
than that is rated under the lock after `TRIES`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import date, datetime
from enum import StrEnum
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from rating.allowance import NO_CLOSES, Allowance, Closes, Kept
from rating.book import PoolKey
from rating.closing import Rerating, Standing, kept
from rating.columns import Legs, Told
from rating.columns.arrays import Ints, ints, no_flags
from rating.correction import standing, steps
from rating.periods import next_month
from rating.rated import RatedLeg, Source
from rating.store import ledger
from rating.store.ledger import Connection, Held
from rating.store.named import named
from rating.store.rows import COLUMNS, Row, rated_leg_of, row_of

if TYPE_CHECKING:
    import asyncpg

SHARD = 0
TRIES = 3  # an account that has new legs three times within its own re-rating is busy: the rater waits for us
PAGE = 10_000  # rows at once: about 10 MB
_DRAWS = f'"source": "{Source.ALLOWANCE.value}"'  # as jsonb writes it; within words each " has a \\ before it

_SQL = named(Path(__file__).with_name("queries.sql"))

Rate = Callable[["OpenLegs"], Rerating]
"""Rates open legs again."""

Keep = Callable[["OpenLegs", date], tuple[Sequence[Allowance], str]]
"""Finds the allowances that the close of a month settles, and says why if nobody can know them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A month that is to be closed.

    Attributes:
        month: first day.
        by: who closes.
        keep: finds what rolls over.
    """

    month: date
    by: str
    keep: Keep = lambda _legs, _month: ((), "")


@dataclass(slots=True, kw_only=True)
class OpenLegs:
    """The open legs of an account in canonical order, from one snapshot.

    Attributes:
        balances: seconds used of each pool of the account.
        opening: the same without what these legs drew.
        closes: what closed months of the account have settled.
        originals: their rows.
        corrections: key → rows that correct it, in order.
    """

    account: str
    balances: Mapping[PoolKey, int]
    opening: Mapping[PoolKey, int]
    closes: Closes
    originals: Sequence["asyncpg.Record"]
    corrections: Mapping[str, Sequence["asyncpg.Record"]]

    def __len__(self) -> int:
        return len(self.originals)

    def standing(self, number: int) -> Standing:
        """Return one of them as it stands."""
        row = self.originals[number]
        rest = [rated_leg_of(dict(one)) for one in self.corrections.get(row["key"], ())]
        return Standing(leg=standing(rated_leg_of(dict(row)), rest), month=row["billing_month"])

    def told(self) -> Told:
        """Return all of them as columns."""
        rows, count = self.originals, len(self)
        nothing = [""] * count
        return Told(
            legs=Legs(
                key=[row["key"] for row in rows],
                linkedid=nothing,
                trunk=nothing,
                payer=[self.account] * count,
                why=[row["why"] for row in rows],
                number=[row["number"] for row in rows],
                answered_us=_ints(rows, "answered_us"),
                ended_us=_ints(rows, "ended_us"),
                limit_s=_ints(rows, "limit_s"),
                version=nothing,
                credit=nothing,
                indeterminate=no_flags(count),
            ),
            billable_s=_ints(rows, "billable_s"),
            connection_micro=_ints(rows, "connection_micro"),
            amount_micro=_ints(rows, "amount_micro"),
            currency=[row["currency"] for row in rows],
            prices=[row["prices"] for row in rows],
            pieces=["" if row["key"] in self.corrections else row["pieces"] for row in rows],
            standing=self.standing,
        )


class Obstacle(StrEnum):
    """Why nothing was written."""

    UNKNOWN_ACCOUNT = "unknown-account"  # no document: nobody knows its zone and its prices
    NOT_OVER = "not-over"
    EARLIER_OPEN = "earlier-open"  # something is billed in a month before, which is not closed
    NOT_KNOWN = "not-known"  # what its catalogue grants: a version cannot be read, or lacks what is booked
    UNPRICED = "unpriced"  # a leg had a price and has none by the documents of today
    CLOSED = "closed"  # already


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """The open legs of an account, rated again, and the state of the stream in which that holds.

    Attributes:
        held: position and count of the stream.
        legs: that were rated again.
        opened: first month that is not closed; the first of all times if none is.
        first: first open month in which something is billed; None if nothing is.
        kept: what the close settles, in the order in which it is told.
        not_known: why nobody can know that, in words.
    """

    held: Held
    legs: OpenLegs
    opened: date
    first: date | None
    rerating: Rerating
    kept: Sequence[Kept] = ()
    not_known: str = ""

    def obstacle(self, close: date | None) -> Obstacle | None:
        """Tell why this may not be written and the month not be closed."""
        if close is not None and close < self.opened:
            return Obstacle.CLOSED
        if close is not None and self.first is not None and self.first < close:
            return Obstacle.EARLIER_OPEN
        if self.not_known:
            return Obstacle.NOT_KNOWN
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


async def preview(
    connection: Connection, account: str, rate: Rate, seal: Seal
) -> tuple[Reread, Sequence[Bill]]:
    """Tell what closing a month would write, and what the month would come to; nothing is written."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        held = await _state(connection, _SQL["state"])
        found = _settling(await _read(connection, account, rate, held), seal)
        bills = await bill(connection, account, seal.month)
    return found, _corrected(bills, found, seal.month)


async def write(connection: Connection, account: str, rate: Rate, seal: Seal | None = None) -> Reread:
    """Write what differs in the open legs of an account, and close a month if one is named.

    Returns:
        What was written; nothing was where it says an `obstacle`.
    """
    month = seal.month if seal else None
    for _ in range(TRIES):
        found = _settling(await read(connection, account, rate), seal)
        if found.obstacle(month) or not (found.rerating.changed or seal):
            return found
        rows = _correction_rows(found)
        async with connection.transaction():
            held = await _state(connection, _SQL["lock_stream"])
            if await _still_holds(connection, found, held):
                newest = await _write(connection, found, rows, held.position)
                await _close(connection, found, seal, newest)
                return found
    async with connection.transaction():
        held = await _state(connection, _SQL["lock_stream"])
        found = _settling(await _read(connection, account, rate, held), seal)
        if not found.obstacle(month):
            newest = await _write(connection, found, _correction_rows(found), held.position)
            await _close(connection, found, seal, newest)
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


async def closes(connection: Connection, accounts: Sequence[str]) -> dict[str, Closes]:
    """Return what closed months have settled, of those accounts that have closed one."""
    found: dict[str, Closes] = {}
    for account, rows in groupby(await connection.fetch(_SQL["kept"], accounts), itemgetter("account")):
        first, *rest = rows
        kept = tuple(_kept_of(row) for row in (first, *rest) if row["bundle"] is not None)
        found[account] = Closes(opened=next_month(first["closed"]), kept=kept)
    return found


async def keepers(connection: Connection) -> frozenset[str]:
    """Return every account of which something was ever kept."""
    return frozenset(row["account"] for row in await connection.fetch(_SQL["keepers"]))


async def kept_by(connection: Connection, account: str, month: date) -> Sequence[Kept]:
    """Return the allowances that the close of a month has kept."""
    return [_kept_of(row) for row in await connection.fetch(_SQL["kept_by"], account, month)]


async def waiting_before(connection: Connection, instant_us: int) -> Mapping[str, int]:
    """Return how many legs that ended before an instant wait in quarantine, by tenant; empty: nobody's."""
    rows = await connection.fetch(_SQL["waiting_before"], instant_us)
    return {row["tenant"]: row["legs"] for row in rows}


def _kept_of(row: "asyncpg.Record") -> Kept:
    return Kept(**{field.name: row[field.name] for field in fields(Kept)})


async def _state(connection: Connection, statement: str) -> Held:
    row = await connection.fetchrow(statement, SHARD)
    assert row is not None, "the migration makes this row"
    return Held(row["position"], row["rerating"])


async def _read(connection: Connection, account: str, rate: Rate, held: Held) -> Reread:
    opened = (await ledger.first_open(connection, [account])).get(account, date.min)
    originals: list[asyncpg.Record] = []
    corrections: dict[str, list[asyncpg.Record]] = {}
    cursor = await connection.cursor(_SQL["open_rows"], account, opened)
    more = True
    while more:
        page = await cursor.fetch(PAGE)
        more = len(page) == PAGE
        for row in page:
            if row["correction"]:
                corrections.setdefault(row["key"], []).append(row)
            else:
                originals.append(row)
    balances = await ledger.used(connection, [account])
    drawn = _drawn(account, chain(originals, *corrections.values()))
    legs = OpenLegs(
        account=account,
        balances=balances,
        opening={**balances, **_without(drawn, balances)},
        closes=(await closes(connection, [account])).get(account, NO_CLOSES),
        originals=originals,
        corrections=corrections,
    )
    first = originals[0]["billing_month"] if originals else None
    return Reread(held=held, legs=legs, opened=opened, first=first, rerating=rate(legs))


def _settling(found: Reread, seal: Seal | None) -> Reread:
    if seal is None:
        return found
    allowances, not_known = seal.keep(found.legs, seal.month)
    used = _used_until(found, seal.month) if allowances else {}
    settled = (kept(one, found.legs.account, used) for one in allowances)
    in_order = sorted(settled, key=lambda one: (one.period, one.bundle, one.top_up))
    return replace(found, kept=in_order, not_known=not_known)


def _used_until(found: Reread, month: date) -> Mapping[PoolKey, int]:
    """Return what pools have given to legs of a month and of those before, corrections to come included."""
    account, used = found.legs.account, {**found.legs.balances, **found.rerating.used}
    rows = chain(found.legs.originals, *found.legs.corrections.values())
    later = _drawn(account, (row for row in rows if row["billing_month"] > month))
    for piece in chain.from_iterable(one.pieces for billed, one in _corrections(found) if billed > month):
        if piece.pool:
            later[account, piece.pool] += piece.seconds
    return {**used, **_without(later, used)}


def _corrected(bills: Sequence[Bill], found: Reread, month: date) -> Sequence[Bill]:
    """Return what a month comes to with the corrections to come."""
    sums = {one.currency: one for one in bills}
    for billed, one in _corrections(found):
        if billed == month and one.currency:
            before = sums[one.currency]
            sums[one.currency] = replace(
                before,
                billable_s=before.billable_s + one.billable_s,
                amount_micro=before.amount_micro + one.amount_micro,
            )
    return list(sums.values())


def _corrections(found: Reread) -> Iterator[tuple[date, RatedLeg]]:
    """Yield the corrections to come, each with the month in which it is billed."""
    return ((one.month, row) for one, leg in found.rerating.changed for row in steps(one.leg, leg))


def _drawn(account: str, rows: Iterable["asyncpg.Record"]) -> Counter[PoolKey]:
    """Sum up what legs and corrections drew from each pool.

    They are here anyway; PostgreSQL would walk them a second time, and take each apart.
    """
    drawn: Counter[PoolKey] = Counter()
    for row in rows:
        if _DRAWS in row["pieces"]:
            for piece in json.loads(row["pieces"]):
                if piece["pool"]:
                    drawn[account, piece["pool"]] += piece["seconds"]
    return drawn


def _without(drawn: Mapping[PoolKey, int], balances: Mapping[PoolKey, int]) -> Mapping[PoolKey, int]:
    """Return what pools had given without the open legs, of those that these drew from."""
    opening = {pool: balances.get(pool, 0) - seconds for pool, seconds in drawn.items()}
    assert all(seconds >= 0 for seconds in opening.values()), "legs drew more than their pools have given"
    return opening


def _ints(rows: Iterable["asyncpg.Record"], name: str) -> Ints:
    return ints([row[name] for row in rows])


async def _still_holds(connection: Connection, found: Reread, held: Held) -> bool:
    if held.rerating != found.held.rerating:
        return False
    return not await connection.fetchval(_SQL["has_newer"], found.held.position, found.legs.account)


async def _write(connection: Connection, found: Reread, rows: Sequence[Row], last: int) -> int:
    """Write corrections behind the newest row of the stream, and balances; return the newest position."""
    newest = last + len(rows)
    if rows:
        numbered = [(position, *row) for position, row in enumerate(rows, last + 1)]
        columns = (*COLUMNS, "corrects", "correction")
        await connection.copy_records_to_table("rated_leg", records=numbered, columns=columns)
    await ledger.write_used(connection, found.rerating.used)
    await connection.execute(_SQL["count_rerating"], SHARD, newest)
    await connection.execute(_SQL["announce"], str(newest))
    return newest


async def _close(connection: Connection, found: Reread, seal: Seal | None, position: int) -> None:
    """Close a month at a position of the stream, and settle what rolls over; corrections are written."""
    if seal is None:
        return
    account = found.legs.account
    await connection.execute(_SQL["close"], account, seal.month, position, seal.by)
    if found.kept:
        rows = map(astuple, found.kept)
        await connection.execute(_SQL["keep"], account, seal.month, *map(list, zip(*rows, strict=True)))


def _correction_rows(found: Reread) -> Sequence[Row]:
    """Return the rows of corrections, in canonical order, without positions: the lock gives those."""
    changed = {one.leg.key for one, _ in found.rerating.changed}
    positions = {row["key"]: row["position"] for row in found.legs.originals if row["key"] in changed}
    return [
        (*row_of(0, row, one.month)[1:], positions[leg.key], number)
        for one, leg in found.rerating.changed
        for number, row in enumerate(steps(one.leg, leg), len(found.legs.corrections.get(leg.key, ())) + 1)
    ]
