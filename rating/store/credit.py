"""Credit in the database: balances, what changed them, and what calls under way have set aside.

Owns its tables. Refuses to begin or end transactions, with one exception: `set_aside` is one statement that
commits by itself, because a call waits for it. It names the epoch of its writer in a row of its own, so that
it neither waits for the transaction of a batch of legs nor is let in once another writer has the turn.

Balances change in the transaction of the rated legs alone: an entry of each debit stands beside its leg.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rating.credit import Grant, Reservation, Wish
from rating.store.ledger import Connection, Turn, TurnLostError
from rating.store.named import named

if TYPE_CHECKING:
    import asyncpg

_SQL = named(Path(__file__).with_name("credit.sql"))
CHANNEL = "credit"  # who tops up tells here
WAITING = 500  # entries booked at once


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of a balance.

    Attributes:
        reference: what it is for; once per account.
        amount_micro: negative for what is debited.
        balance_micro: after it; None until it is booked.
    """

    account: str
    reference: str
    amount_micro: int
    balance_micro: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """How an account stands.

    Attributes:
        balance_micro: what is left.
        reserved_micro: what `calls` under way have set aside of it.
        waiting_micro: paid, and not booked yet.
    """

    balance_micro: int
    reserved_micro: int
    calls: int
    waiting_micro: int


async def begin(connection: Connection, turn: Turn) -> None:
    """Become the only one who sets aside; whoever did before has committed or never will."""
    await connection.execute(_SQL["begin"], turn.shard, turn.epoch)


async def balances(connection: Connection) -> dict[str, int]:
    """Return what every account has left that was ever topped up or debited."""
    return {row["account"]: row["balance_micro"] for row in await connection.fetch(_SQL["balances"])}


async def reservations(connection: Connection) -> Sequence[Reservation]:
    """Return everything that is set aside."""
    return [_reservation_of(row) for row in await connection.fetch(_SQL["reservations"])]


async def reservations_of(connection: Connection, account: str) -> Sequence[Reservation]:
    """Return what calls of an account have set aside."""
    return [_reservation_of(row) for row in await connection.fetch(_SQL["reservations_of"], account)]


async def bound(connection: Connection) -> frozenset[str]:
    """Return the reservations of legs that were answered: under way, or waiting in quarantine."""
    return frozenset(row["credit"] for row in await connection.fetch(_SQL["bound"]))


async def set_aside(connection: Connection, turn: Turn, some: Sequence[Reservation]) -> None:
    """Write new reservations; committed when it returns.

    Raises:
        TurnLostError: another writer sets aside; nothing was written.
    """
    columns = zip(*map(_row_of, some), strict=True)
    done = await connection.execute(_SQL["set_aside"], turn.shard, turn.epoch, *map(list, columns))
    if done != f"INSERT 0 {len(some)}":
        raise TurnLostError(f"epoch {turn.epoch} of shard {turn.shard} sets nothing aside any more")


async def set_aside_more(connection: Connection, turn: Turn, some: Sequence[Reservation]) -> None:
    """Give reservations that are still there another grant; committed when it returns.

    Raises:
        TurnLostError: another writer sets aside; nothing was written.
    """
    rows = map(_row_of, some)
    columns = zip(*((row[0], *row[6:]) for row in rows), strict=True)
    if not await connection.fetchval(_SQL["set_aside_more"], turn.shard, turn.epoch, *map(list, columns)):
        raise TurnLostError(f"epoch {turn.epoch} of shard {turn.shard} sets nothing aside any more")


async def release(connection: Connection, ids: Sequence[str]) -> None:
    """Give back what was set aside."""
    if ids:
        await connection.execute(_SQL["release"], ids)


async def debit(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write booked entries and the balances after the last of each account."""
    if entries:
        columns = zip(
            *((e.account, e.reference, e.amount_micro, e.balance_micro) for e in entries), strict=True
        )
        await connection.execute(_SQL["write_entries"], *map(list, columns))
        await _write_balances(connection, entries)


async def waiting(connection: Connection) -> Sequence[Entry]:
    """Return entries that wait to be booked, the oldest first, at most `WAITING`."""
    rows = await connection.fetch(_SQL["waiting"], WAITING)
    return [Entry(row["account"], row["reference"], row["amount_micro"]) for row in rows]


async def book(connection: Connection, entries: Sequence[Entry]) -> None:
    """Book entries that waited: each has its balance now."""
    if entries:
        columns = zip(*((e.account, e.reference, e.balance_micro) for e in entries), strict=True)
        await connection.execute(_SQL["book"], *map(list, columns))
        await _write_balances(connection, entries)


async def add(connection: Connection, entry: Entry, author: str) -> Entry:
    """Let an entry wait for the rater, and tell it; return what stands under its reference.

    The same reference again changes nothing: then the entry that was there first comes back.
    """
    await connection.execute(_SQL["add"], entry.account, entry.reference, entry.amount_micro, author)
    await connection.execute(_SQL["announce"], entry.account)
    row = await connection.fetchrow(_SQL["entry"], entry.account, entry.reference)
    assert row is not None
    return Entry(entry.account, entry.reference, row["amount_micro"], row["balance_micro"])


async def statement(connection: Connection, account: str) -> Statement:
    """Return how an account stands."""
    row = await connection.fetchrow(_SQL["statement"], account)
    assert row is not None
    return Statement(*row)


async def _write_balances(connection: Connection, entries: Sequence[Entry]) -> None:
    last: Mapping[str, int | None] = {entry.account: entry.balance_micro for entry in entries}
    await connection.execute(_SQL["write_balances"], list(last), list(last.values()))


def _row_of(one: Reservation) -> tuple[object, ...]:
    wish, grant = one.wish, one.grant
    pools = {pool: seconds for (_, pool), seconds in grant.pools.items()}
    return (
        *(one.id, one.call, one.account, wish.payer, wish.number, wish.why, wish.first_us, wish.last_us),
        *(grant.limit_s, grant.money_micro, json.dumps(pools)),
    )


def _reservation_of(row: "asyncpg.Record") -> Reservation:
    account, limit_s = row["account"], row["limit_s"]
    return Reservation(
        id=row["id"],
        call=row["call"],
        account=account,
        wish=Wish(
            payer=row["payer"],
            number=row["number"],
            why=row["why"],
            first_us=row["first_us"],
            last_us=row["last_us"],
            seconds=limit_s,
        ),
        grant=Grant(
            limit_s=limit_s,
            money_micro=row["money_micro"],
            pools={(account, pool): seconds for pool, seconds in json.loads(row["pools"]).items()},
        ),
    )
