"""Thresholds of allowances: how much of a pool has to be used before somebody is told.

Owns which pools have reached which part of what they hold. Refuses to know who was told already: that is the
ledger's (`rating.store.thresholds`), in the transaction of the legs that drew.
"""

from collections.abc import Mapping
from typing import NamedTuple

from rating.book import Book, PoolKey

PERCENTS = (80, 100)
_WHOLE = 100


class Reached(NamedTuple):
    """A pool of which so much is used.

    Attributes:
        pool: identity of the allowance, as in `rating.rated.Piece.pool`.
        percent: one of `PERCENTS`.
        granted_s: what the pool holds for its period.
        used_s: what is used of it.
    """

    account: str
    pool: str
    percent: int
    granted_s: int
    used_s: int


def reached(book: Book, used: Mapping[PoolKey, int]) -> tuple[Reached, ...]:
    """Return every threshold at or below what is used of some pools, the lower ones of a pool first.

    Args:
        book: what is in force.
        used: seconds used of each pool.
    """
    return tuple(
        Reached(*pool, percent, granted_s, used_s)
        for pool, used_s in used.items()
        if (granted_s := book.granted_s(pool))
        for percent in PERCENTS
        if used_s * _WHOLE >= granted_s * percent
    )
