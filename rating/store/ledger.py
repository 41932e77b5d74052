"""The ledger: rated legs, what they drew from allowances, and what waits in quarantine. One writer at a time.

Owns the writing side. Refuses to begin or end transactions: the caller writes what belongs together (input
position, open legs) in the same one.

**One writer.** `take_turn` takes a session lock of PostgreSQL: whoever dies, and however, frees it with the
connection, and not before the last thing it sent is committed or gone. `hold` then names the epoch of the
writer in each transaction; one behind a connection pooler that lost its session unnoticed is refused there.

**Positions of the stream.** `hold` is the first statement of a writing transaction and locks the shard's row
until the commit. So the transaction with the next positions learns them only after the one before has been
committed or has vanished with its numbers: whoever has read up to position n has missed nothing up to n, and
there are no gaps.

**Others write, too**: who closes a month or rates again (`rating.store.closing`) locks the same row, without
the turn, and counts there (`rerating`): a writer that finds another count reads balances and months again.

**Exactly once.** Legs that are `known` are taken out *before* rating, so that they draw from no allowance
again. With one writer nothing can come in between; the unique key on `rated_leg` is the proof, and fails the
transaction rather than let half of a leg in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from rating.book import PoolKey
from rating.finding import RatingError
from rating.leg import Leg
from rating.periods import next_month
from rating.rated import Quarantined
from rating.store.named import named
from rating.store.rows import COLUMNS, json_of, leg_of, numbered

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

# A connection of one's own or of a pool; generic for the type checker alone.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

_SQL = named(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to write, for as long as the connection lives and nobody else was given it."""

    shard: int
    epoch: int


class Held(NamedTuple):
    """What holds while a writing transaction lasts.

    Attributes:
        position: of the newest row in the stream.
        rerating: how often legs were rated again or a month closed; memories of another count are over.
    """

    position: int
    rerating: int


class TurnLostError(RatingError):
    """Another writer has been given the turn."""

    code = "turn-lost"


async def take_turn(connection: Connection, shard: int = 0) -> Turn | None:
    """Become the writer; None while another one is."""
    if not await connection.fetchval(_SQL["try_turn"], shard):
        return None
    return Turn(shard, await connection.fetchval(_SQL["begin_epoch"], shard))


async def hold(connection: Connection, turn: Turn) -> Held:
    """Begin to write, first of all in a transaction.

    Raises:
        TurnLostError: nothing may be written any more.
    """
    row = await connection.fetchrow(_SQL["hold"], turn.shard, turn.epoch)
    if row is None:
        raise TurnLostError(f"epoch {turn.epoch} of shard {turn.shard} is over")
    return Held(row["position"], row["rerating"])


async def known(connection: Connection, keys: Sequence[str]) -> frozenset[str]:
    """Return those of the keys that have been rated or wait in quarantine."""
    return (
        frozenset(row["key"] for row in await connection.fetch(_SQL["known"], keys)) if keys else frozenset()
    )


async def used(connection: Connection, accounts: Iterable[str]) -> dict[PoolKey, int]:
    """Return the seconds that accounts have drawn, by account and pool."""
    rows = await connection.fetch(_SQL["used"], list(accounts))
    return {(row["account"], row["pool"]): row["used_s"] for row in rows}


async def first_open(connection: Connection, accounts: Iterable[str]) -> dict[str, date]:
    """Return the first month that is not closed, of the accounts that have closed one."""
    rows = await connection.fetch(_SQL["last_closed"], list(accounts))
    return {row["account"]: next_month(row["month"]) for row in rows}


async def write_rated(connection: Connection, turn: Turn, last: int, lines: Sequence[str]) -> None:
    """Append legs to the stream, numbered from `last` + 1 (what `hold` returned), and tell its readers.

    They are lines as `rating.store.rows` writes them.
    """
    if lines:
        # asyncpg takes a buffer, though its types do not say so; bytes it would take for the name of a file.
        source: Any = memoryview(numbered(lines, last + 1))
        await connection.copy_to_table("rated_leg", source=source, columns=COLUMNS)
        await connection.execute(_SQL["move"], turn.shard, last + len(lines))
        await connection.execute(_SQL["announce"], str(last + len(lines)))


async def write_used(connection: Connection, totals: Mapping[PoolKey, int]) -> None:
    """Set the seconds drawn from pools."""
    if totals:
        accounts, pools = zip(*totals, strict=True)
        await connection.execute(_SQL["write_used"], accounts, pools, list(totals.values()))


async def write_quarantined(
    connection: Connection, quarantined: Sequence[Quarantined], legs: Mapping[str, Leg]
) -> None:
    """Put legs into quarantine, or back into it with the reason of today.

    The leg of one that comes back stays as it was first written. The reason may come from what somebody asked
    for, which stands beside it in the columns `release_*`.
    """
    if quarantined:
        keys = [one.key for one in quarantined]
        reasons = [one.reason.value for one in quarantined]
        details = [one.detail for one in quarantined]
        documents = [json_of(legs[key]) for key in keys]
        await connection.execute(_SQL["quarantine"], keys, reasons, details, documents)


async def released(connection: Connection, limit: int) -> tuple[Leg, ...]:
    """Return legs in quarantine that somebody asked to rate again, as they shall be rated.

    They are locked until the end of the transaction: who asks again meanwhile waits, and then either finds
    the leg rated or leaves a request that nobody has read yet.
    """
    rows = await connection.fetch(_SQL["released"], limit)
    return tuple(_pardoned(leg_of(row["leg"]), row["release_payer"], row["release_ended_us"]) for row in rows)


def _pardoned(leg: Leg, payer: str | None, ended_us: int | None) -> Leg:
    """Return a leg as it is released: this request and the record count, no earlier request does."""
    ended_us = leg.ended_us if ended_us is None else ended_us
    return replace(leg, payer=payer or leg.payer, ended_us=ended_us, indeterminate=False)


async def settle(connection: Connection, keys: Sequence[str]) -> None:
    """End the quarantine of legs that have been rated."""
    if keys:
        await connection.execute(_SQL["settle"], keys)
