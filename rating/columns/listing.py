"""Price lists as arrays: a number's key → what the lists in force say of it.

Owns how nested prefixes become intervals without overlap, and how several lists become one table. Refuses to
know what a row costs.

The problem: the longest prefix is asked for by length, one number at a time. But prefixes are intervals of
keys (`rating.columns.numbers`), a longer one lies within a shorter one, and where it ends the shorter one
goes on. So a list is cut into intervals once, and a column of numbers is found in them by binary search.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rating.columns.arrays import Ints
from rating.columns.numbers import KEY_DIGITS, key_of_bound
from rating.price_list import Row
from rating.price_table import Listed, PriceTable

UNLISTED = -1  # key of what is not `+` and digits: it comes before every interval


@dataclass(frozen=True, slots=True)
class Listing:
    """Lists in force together.

    Attributes:
        bounds: where each interval begins; the first one is of what is on no list.
        listed: what the lists say in each.
    """

    bounds: Ints
    listed: Sequence[Listed]


def listing_of(tables: Sequence[PriceTable]) -> Listing:
    """Make intervals of lists."""
    changes = [_intervals(table) for table in tables]
    bounds = sorted({UNLISTED, *(bound for one in changes for bound in one)})
    says: list[Row | None] = [None] * len(tables)
    listed: list[Listed] = []
    for bound in bounds:
        says = [change.get(bound, said) for change, said in zip(changes, says, strict=True)]
        listed.append(tuple(says))
    return Listing(np.array(bounds, dtype=np.int64), listed)


def _intervals(table: PriceTable) -> dict[int, Row | None]:
    """Find where each interval of a list begins, and the row that speaks in it."""
    found: dict[int, Row | None] = {}
    around: list[tuple[int, Row | None]] = [(key_of_bound(":"), None)]  # where each ends
    for prefix in sorted(table.rows):
        begin = key_of_bound(prefix)
        while around[-1][0] <= begin:
            closed, _ = around.pop()
            found[closed] = around[-1][1]
        row = found[begin] = table.rows[prefix]
        around.append((begin + (1 << 4 * (KEY_DIGITS - len(prefix))), row))
    while len(around) > 1:
        closed, _ = around.pop()
        found[closed] = around[-1][1]
    return found
