"""Purses: what each account whose calls money may end has left, and what they have set aside, in memory.

Owns the sums. Refuses to price (`rating.credit`) and to write: everything here can be read from the database
again, and is thrown away with the writer. Changes are made here *before* their transaction: if that fails, so
does the writer, and its successor reads what is true and does the same again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from rating.book import Book, PoolKey
from rating.credit import Reservation
from rating.limits import Count, counts

Key = TypeVar("Key")


class Sight(Mapping[Key, int]):
    """What a call may not have: seconds or money that is used, and that other calls have set aside."""

    __slots__ = ("_held", "_used")

    def __init__(self, used: Mapping[Key, int], held: Mapping[Key, int]) -> None:
        self._used, self._held = used, held

    def __getitem__(self, key: Key) -> int:
        if key not in self._used and key not in self._held:
            raise KeyError(key)
        return self._used.get(key, 0) + self._held.get(key, 0)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._used.keys() | self._held.keys())

    def __len__(self) -> int:
        return len(self._used.keys() | self._held.keys())


@dataclass(slots=True, kw_only=True)
class Purse:
    """One account.

    Attributes:
        used: seconds drawn from its pools; None until they were read.
        spent: money of what its limits count; None until it was read.
        held: what is set aside, by id.
        held_micro: their money.
        held_pools: their seconds.
        held_counts: their money, of what its limits count.
    """

    balance_micro: int = 0
    used: dict[PoolKey, int] | None = None
    spent: dict[Count, int] | None = None
    held: dict[str, Reservation] = field(default_factory=dict)
    held_micro: int = 0
    held_pools: dict[PoolKey, int] = field(default_factory=dict)
    held_counts: dict[Count, int] = field(default_factory=dict)
    _counts: dict[str, tuple[Count, ...]] = field(default_factory=dict)

    def free_micro(self, but: Reservation | None = None) -> int:
        """Return the money that is not set aside, or only for one call."""
        own_micro = but.grant.money_micro if but else 0
        return self.balance_micro - self.held_micro + own_micro

    def sight(self, but: Reservation | None = None) -> Mapping[PoolKey, int]:
        """Return what a call sees of pools: what it has set aside itself does not count."""
        assert self.used is not None, "pools are read before anybody asks"
        if not self.held_pools:
            return self.used
        own = but.grant.pools if but else {}
        if not own:
            return Sight(self.used, self.held_pools)
        others = {pool: seconds - own.get(pool, 0) for pool, seconds in self.held_pools.items()}
        return Sight(self.used, others)

    def spending(self, but: Reservation | None = None) -> Mapping[Count, int]:
        """Return what a call sees of spend limits: what it has set aside itself does not count."""
        if not self.held_counts:
            return self.spent or {}
        own = self._counts.get(but.id, ()) if but else ()
        others = {
            count: micro - (but.grant.money_micro if but and count in own else 0)
            for count, micro in self.held_counts.items()
        }
        return Sight(self.spent or {}, others)

    def spend(self, some: tuple[Count, ...], micro: int) -> None:
        """Add what a call has cost to what limits count."""
        if self.spent is not None:
            for count in some:
                self.spent[count] = self.spent.get(count, 0) + micro

    def hold(self, reservation: Reservation, some: tuple[Count, ...]) -> None:
        """Set aside; the same id again takes the place of what was there.

        Args:
            reservation: money, and seconds of pools.
            some: what the money may count as spent in.
        """
        self.let_go(reservation.id)
        if not reservation.grant.money_micro:
            some = ()  # a call for nothing would leave a sum of nothing
        self.held[reservation.id], self._counts[reservation.id] = reservation, some
        self.held_micro += reservation.grant.money_micro
        for pool, seconds in reservation.grant.pools.items():
            self.held_pools[pool] = self.held_pools.get(pool, 0) + seconds
        for count in some:
            self.held_counts[count] = self.held_counts.get(count, 0) + reservation.grant.money_micro

    def let_go(self, name: str) -> None:
        """Give back what was set aside under an id, if anything was."""
        reservation = self.held.pop(name, None)
        if reservation is None:
            return
        self.held_micro -= reservation.grant.money_micro
        for pool, seconds in reservation.grant.pools.items():
            self.held_pools[pool] -= seconds
            if not self.held_pools[pool]:
                del self.held_pools[pool]
        for count in self._counts.pop(name):
            self.held_counts[count] -= reservation.grant.money_micro
            if not self.held_counts[count]:
                del self.held_counts[count]


@dataclass(slots=True, kw_only=True)
class Purses:
    """All accounts that have or had credit or limits.

    Attributes:
        bound: reservations whose leg was answered: only its rating ends them.
        forgotten: counts how often something has to be read again.
    """

    accounts: dict[str, Purse] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    forgotten: int = 0
    _owners: dict[str, str] = field(default_factory=dict)
    _calls: dict[str, set[str]] = field(default_factory=dict)

    @property
    def nothing_held(self) -> bool:
        """Whether no call has anything set aside."""
        return not self._owners

    def of(self, account: str) -> Purse:
        """Return the purse of an account, an empty one if it never had any credit."""
        purse = self.accounts.get(account)
        if purse is None:
            purse = self.accounts[account] = Purse()
        return purse

    def forget(self) -> None:
        """Have what was drawn from pools and what was spent read again."""
        self.forgotten += 1
        for purse in self.accounts.values():
            purse.used = purse.spent = None

    def turn_to(self, book: Book, before: Book) -> None:
        """Count by another book: of accounts that it limits otherwise all is read, and set aside, anew."""
        self.forgotten += 1
        for name, purse in self.accounts.items():
            if book.accounts.get(name) == before.accounts.get(name):
                continue
            purse.used = purse.spent = None
            for reservation in tuple(purse.held.values()):
                purse.hold(reservation, counts_of(reservation, book))

    def find(self, name: str) -> Reservation | None:
        """Return what is set aside under an id."""
        owner = self._owners.get(name)
        return self.accounts[owner].held[name] if owner is not None else None

    def all(self) -> list[Reservation]:
        """Return everything that is set aside."""
        return [one for purse in self.accounts.values() for one in purse.held.values()]

    def hold(self, reservation: Reservation, book: Book) -> None:
        """Set aside."""
        self.of(reservation.account).hold(reservation, counts_of(reservation, book))
        self._owners[reservation.id] = reservation.account
        self._calls.setdefault(reservation.call, set()).add(reservation.id)

    def release(self, name: str) -> bool:
        """Give back; False if nothing was set aside under this id."""
        reservation = self.find(name)
        if reservation is None:
            return False
        self.accounts[self._owners.pop(name)].let_go(name)
        self.bound.discard(name)
        ids = self._calls[reservation.call]
        ids.discard(name)
        if not ids:
            del self._calls[reservation.call]
        return True

    def unanswered(self, call: str) -> list[str]:
        """Return what a channel's calls have set aside that were not answered."""
        return [name for name in self._calls.get(call, ()) if name not in self.bound]

    def overdue(self, now_us: int, margin_us: int) -> list[str]:
        """Return what was set aside for answers that can no longer come."""
        return [
            one.id for one in self.all() if one.id not in self.bound and one.wish.last_us + margin_us < now_us
        ]


def counts_of(reservation: Reservation, book: Book) -> tuple[Count, ...]:
    """Return what the money that is set aside for a call may count as spent in."""
    account, wish = book.accounts.get(reservation.account), reservation.wish
    if account is None or not account.limits:
        return ()
    found = counts(account.limits, wish.payer, account.zone, wish.first_us, wish.last_us)
    return tuple(count for _, count in found)
