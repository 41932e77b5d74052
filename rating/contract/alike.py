"""Lots as a month sees them: those that begin and end alike in it are one.

Owns what a month can tell apart. Refuses prices (`rating.contract.charges`).

The problem: a contract of years has a lot for every order, and nearly all of them run all month. A month is
looked at several times for each order: when it is quoted, and when what was charged is made good. So what
does not differ within it is put together first, before anything is cut and priced.

Which units are the oldest, and with them free, stays as it was: lots stand in the order in which they began,
and the newest ones end first.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from rating.contract.calendar import month_end
from rating.contract.state import Lot

_Alike = tuple[str, date, date, date | None, date | None, bool]
"""All that a month is told of a lot: its product, its first day and the first that is charged, the last ones,
whether it is void."""


def alike(lots: Iterable[Lot], month: date) -> Mapping[str, Sequence[Lot]]:
    """Give the lots of each product that run in the month that begins on a day; an end behind it is none."""
    end, units = month_end(month), dict[_Alike, int]()
    for lot in lots:
        if lot.first <= end and (lot.last is None or lot.last >= month):
            one = _within(lot, month, end)
            units[one] = units.get(one, 0) + lot.quantity
    seen: dict[str, list[Lot]] = {}
    for (product, first, charged_from, last, charged_until, void), quantity in units.items():
        lot = Lot(
            product=product,
            quantity=quantity,
            first=first,
            charged_from=charged_from,
            last=last,
            charged_until=charged_until,
            void=void,
        )
        seen.setdefault(product, []).append(lot)
    return seen


def _within(lot: Lot, month: date, end: date) -> _Alike:
    first, charged_from = max(lot.first, month), max(lot.charged_from, month)
    if lot.last is None or lot.charged_until is None or lot.last >= end:
        return lot.product, first, charged_from, None, None, lot.void
    return lot.product, first, charged_from, lot.last, min(lot.charged_until, end), lot.void
