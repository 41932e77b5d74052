"""Purses: what each prepaid account has left, and what its calls under way have set aside, in memory.

Owns the sums. Refuses to price (`rating.credit`) and to write: everything here can be read from the database
again, and is thrown away with the writer. Changes are made here *before* their transaction: if that fails, so
does the writer, and its successor reads what is true and does the same again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rating.book import PoolKey
from rating.credit import Reservation


class Sight(Mapping[PoolKey, int]):
    """Seconds of pools that a call may not draw: those used, and those that other calls have set aside."""

    __slots__ = ("_held", "_used")

    def __init__(self, used: Mapping[PoolKey, int], held: Mapping[PoolKey, int]) -> None:
        self._used, self._held = used, held

    def __getitem__(self, pool: PoolKey) -> int:
        if pool not in self._used and pool not in self._held:
            raise KeyError(pool)
        return self._used.get(pool, 0) + self._held.get(pool, 0)

    def __iter__(self) -> Iterator[PoolKey]:
        return iter(self._used.keys() | self._held.keys())

    def __len__(self) -> int:
        return len(self._used.keys() | self._held.keys())


@dataclass(slots=True, kw_only=True)
class Purse:
    """One account.

    Attributes:
        used: seconds drawn from its pools; None until they were read.
        held: what is set aside, by id.
        held_micro: their money.
        held_pools: their seconds.
    """

    balance_micro: int = 0
    used: dict[PoolKey, int] | None = None
    held: dict[str, Reservation] = field(default_factory=dict)
    held_micro: int = 0
    held_pools: dict[PoolKey, int] = field(default_factory=dict)

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

    def hold(self, reservation: Reservation) -> None:
        """Set aside; the same id again takes the place of what was there."""
        self.let_go(reservation.id)
        self.held[reservation.id] = reservation
        self.held_micro += reservation.grant.money_micro
        for pool, seconds in reservation.grant.pools.items():
            self.held_pools[pool] = self.held_pools.get(pool, 0) + seconds

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


@dataclass(slots=True, kw_only=True)
class Purses:
    """All accounts that have or had credit.

    Attributes:
        bound: reservations whose leg was answered: only its rating ends them.
    """

    accounts: dict[str, Purse] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    _owners: dict[str, str] = field(default_factory=dict)
    _calls: dict[str, set[str]] = field(default_factory=dict)

    def of(self, account: str) -> Purse:
        """Return the purse of an account, an empty one if it never had any credit."""
        purse = self.accounts.get(account)
        if purse is None:
            purse = self.accounts[account] = Purse()
        return purse

    def forget_pools(self) -> None:
        """Have what was drawn from pools read again."""
        for purse in self.accounts.values():
            purse.used = None

    def find(self, name: str) -> Reservation | None:
        """Return what is set aside under an id."""
        owner = self._owners.get(name)
        return self.accounts[owner].held[name] if owner is not None else None

    def all(self) -> list[Reservation]:
        """Return everything that is set aside."""
        return [one for purse in self.accounts.values() for one in purse.held.values()]

    def hold(self, reservation: Reservation) -> None:
        """Set aside."""
        self.of(reservation.account).hold(reservation)
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
