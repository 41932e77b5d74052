"""A batch of legs as what the ledger writes: lines of the stream, quarantine, and what pools have given.

Owns the choice of the kernel: the plain one for few legs, and where a number is larger than a column holds;
columns for the rest. They agree to the micro-unit. Refuses to price (`rating`) and to write (`rating.store`).
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rating.book import Book, PoolKey
from rating.closing import Months, Rerating, bound, rerate
from rating.columns import Index, Numbers, legs_of, rate_columns, rerate_columns
from rating.columns.arrays import ColumnRangeError
from rating.leg import Leg
from rating.rate import rate
from rating.rated import Quarantined
from rating.store.closing import OpenLegs
from rating.store.credit import Entry
from rating.store.lines import lines_of_rated
from rating.store.rows import line_of
from rating.thresholds import Reached, reached

# Columns cost more than they spare for fewer legs; a batch of 4,000 is five times cheaper by them.
FEW = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What came of a batch.

    Attributes:
        lines: of `rated_leg`, in the order of the legs.
        used: seconds used of each pool that was drawn from, the batch included.
        reached: thresholds that are at or below it.
        entries: debits of prepaid accounts.
        released: reservations that are over.
    """

    lines: Sequence[str]
    quarantined: Sequence[Quarantined]
    used: Mapping[PoolKey, int]
    reached: Sequence[Reached]
    entries: Sequence[Entry] = ()
    released: Sequence[str] = ()


def price(legs: Sequence[Leg], index: Index, balances: Mapping[PoolKey, int], months: Months) -> Priced:
    """Rate legs in the order given.

    Args:
        legs: that ended.
        index: the book, and what it answered so far.
        balances: seconds used so far of each pool of their accounts.
        months: in which legs are billed.
    """
    if len(legs) <= FEW:
        return _plainly(legs, index.book, balances, months)
    try:
        rated = rate_columns(legs_of(legs), index, balances)
    except (ColumnRangeError, OverflowError):
        return _plainly(legs, index.book, balances, months)
    return Priced(
        lines=lines_of_rated(rated, months),
        quarantined=tuple(rated.quarantined()),
        used=rated.used,
        reached=reached(index.book, rated.used),
    )


def rated_keys(priced: Priced, legs: Iterable[Leg]) -> list[str]:
    """Return the keys of the legs that are rated now; the others wait."""
    waiting = {one.key for one in priced.quarantined}
    return [leg.key for leg in legs if leg.key not in waiting]


def rate_again(legs: OpenLegs, book: Book, numbers: Numbers) -> Rerating:
    """Rate open legs again, by whichever kernel is quicker for so many.

    Args:
        legs: all of an account.
        book: what is in force.
        numbers: of its table of destinations.
    """
    account = book.accounts.get(legs.account)
    if len(legs) > FEW and account is not None and not account.prepaid:
        index = Index(bound(book, [legs.account]), numbers)
        with contextlib.suppress(ColumnRangeError, OverflowError):
            return rerate_columns(legs.told(), index, legs.opening, legs.balances)
    return rerate([legs.standing(number) for number in range(len(legs))], book, legs.balances)


def _plainly(legs: Sequence[Leg], book: Book, balances: Mapping[PoolKey, int], months: Months) -> Priced:
    rating = rate(legs, book, balances)
    lines = [line_of(leg, months.of(leg.account, leg.ended_us)) for leg in rating.rated]
    return Priced(
        lines=lines, quarantined=rating.quarantined, used=rating.used, reached=reached(book, rating.used)
    )
