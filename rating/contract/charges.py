"""What a month of a contract costs: the integral of the price over its days, as lines.

Owns which units are charged on which days at which price. Refuses to know what has been charged already
(`rating.contract.billing`) and when anybody is asked for it.

The problem: within a month units come and go, options change and with them prices, and a price of tiers
follows the number of all units. So a month is cut where anything changes; each lot is charged by its
stretches, and stretches that meet at one price become one line: a whole month costs exactly its price.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from rating.contract.calendar import DAY, month_end
from rating.contract.edition import Edition, unit_price
from rating.contract.line import Line, monthly
from rating.contract.state import Lot, Period, State, period, quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Units of a product that a contract has, and what they cost a month.

    Attributes:
        paid: units that are not included.
        price_micro: of one of them.
    """

    product: str
    units: int
    paid: int
    price_micro: int

    @property
    def amount_micro(self) -> int:
        """What all of them cost a month."""
        return self.paid * self.price_micro


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Days of a month on which units of a lot have one price."""

    edition: Edition
    product: str
    price_micro: int
    quantity: int
    first: date
    last: date


def month_lines(state: State, month: date) -> tuple[Line, ...]:
    """Lines of everything that goes on, for the month that begins on a day.

    A day before a lot began, charged because its first month is charged in full, has the price of its first
    day; a day after its end that of its last one.
    """
    stretches: list[_Stretch] = []
    for lot in state.lots:
        if not lot.void:
            stretches += _joined(_stretches(state, lot, month))
    stretches.sort(key=_identity)
    lines = []
    for (product, first, last, price, _), same in groupby(stretches, key=_identity):
        units = list(same)
        quantity = sum(one.quantity for one in units)
        lines.append(monthly(units[0].edition, product, quantity, price, (first, last)))
    return tuple(lines)


def month_price(state: State, day: date) -> int:
    """What a whole month would cost as things are on a day, in micro-units."""
    found = period(state, day)
    if found is None:
        return 0
    return sum(
        units * price
        for lot in state.lots
        if lot.runs(day) and not lot.void
        for _, price, units in _prices(state, lot, found, day)
    )


def standing(state: State, day: date) -> tuple[Standing, ...]:
    """What a contract has on a day, in the catalogue's order; all amounts together are the month's price."""
    found = period(state, day)
    if found is None:
        return ()
    paid: dict[str, int] = {}
    prices: dict[str, int] = {}
    for lot in state.lots:
        if lot.runs(day) and not lot.void:
            for product, price, units in _prices(state, lot, found, day):
                paid[product] = paid.get(product, 0) + units
                prices[product] = price
    there = {name: quantity(state, name, day) for name in found.edition.offer.products}
    return tuple(
        Standing(product=name, units=units, paid=paid.get(name, 0), price_micro=prices.get(name, 0))
        for name, units in there.items()
        if units
    )


def _identity(stretch: _Stretch) -> tuple[str, date, date, int, str]:
    return stretch.product, stretch.first, stretch.last, stretch.price_micro, stretch.edition.name


def _stretches(state: State, lot: Lot, month: date) -> Iterator[_Stretch]:
    until = lot.charged_until or lot.last
    first = max(lot.charged_from, month)
    last = min(month_end(month), until) if until is not None else month_end(month)
    for begins, ends in _cut(state, first, last):
        day = max(begins, lot.first)
        day = min(day, lot.last) if lot.last is not None else day
        found = period(state, day)
        if found is None:
            continue
        for product, price, units in _prices(state, lot, found, day):
            yield _Stretch(found.edition, product, price, units, begins, ends)


def _cut(state: State, first: date, last: date) -> Iterator[tuple[date, date]]:
    """Divide days where a lot begins or has ended, or a period begins."""
    if first > last:
        return
    days = {one.first for one in state.periods}
    for lot in state.lots:
        days.add(lot.first)
        if lot.last is not None:
            days.add(lot.last + DAY)
    begins = [first, *sorted(day for day in days if first < day <= last)]
    for day, following in zip(begins, [*begins[1:], last + DAY], strict=True):
        yield day, following - DAY


def _prices(state: State, lot: Lot, found: Period, day: date) -> Iterator[tuple[str, int, int]]:
    """Product, price and units that a lot is charged for on a day: its own, and what goes along with it."""
    products = found.edition.offer.products
    own = products.get(lot.product)
    if own is None:
        return
    units = _paid_units(state, lot, day, own.included)
    price = unit_price(found.edition, own, found.choices, _running(state, lot.product, day))
    if price and units:
        yield lot.product, price, units
    for name, product in products.items():
        if product.per == lot.product:
            price = unit_price(found.edition, product, found.choices, _running(state, lot.product, day))
            if price:
                yield name, price, lot.quantity


def _running(state: State, product: str, day: date) -> int:
    return sum(lot.quantity for lot in state.lots if lot.product == product and lot.runs(day))


def _paid_units(state: State, lot: Lot, day: date, included: int) -> int:
    """Units of a lot that are not included: the oldest ones are."""
    if not included:
        return lot.quantity
    older = 0
    for other in state.lots:
        if other is lot:
            break
        older += other.quantity if other.product == lot.product and other.runs(day) else 0
    return max(0, lot.quantity - max(0, included - older))


def _joined(stretches: Iterator[_Stretch]) -> list[_Stretch]:
    """Join stretches that meet at one price."""
    joined: list[_Stretch] = []
    open_: dict[str, int] = {}
    for one in stretches:
        place = open_.get(one.product)
        before = joined[place] if place is not None else None
        if before is not None and place is not None and _continues(before, one):
            joined[place] = _Stretch(
                one.edition, one.product, one.price_micro, one.quantity, before.first, one.last
            )
        else:
            open_[one.product] = len(joined)
            joined.append(one)
    return joined


def _continues(before: _Stretch, one: _Stretch) -> bool:
    return (
        before.last + DAY == one.first
        and before.price_micro == one.price_micro
        and before.quantity == one.quantity
        and before.edition is one.edition
    )
