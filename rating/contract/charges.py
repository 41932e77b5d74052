"""What a month of a contract costs: the integral of the price over its days, as lines.

Owns which units are charged on which days at which price. Refuses to know what has been charged already
(`rating.contract.billing`) and when anybody is asked for it.

The problem: within a month units come and go, options change and with them prices, and a price of tiers
follows the number of all units. So a month is cut, product by product, where its price may change; each lot
is charged by its stretches, and stretches that meet at one price become one line: a whole month costs exactly
its price. Lots that a month cannot tell apart are one to it (`rating.contract.alike`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from rating.contract.alike import alike
from rating.contract.calendar import DAY, month_end
from rating.contract.edition import Edition, unit_price
from rating.contract.line import Line, monthly
from rating.contract.state import Lot, Period, State, period, quantities


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
class _Price:
    """What a unit costs a month by an edition; so many of them cost nothing, the oldest ones."""

    edition: Edition
    micro: int
    included: int


@dataclass(frozen=True, slots=True)
class _Span:
    """Days of a month on which units of a product have one price."""

    price: _Price
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Days of a month on which units of a lot are charged at one price."""

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
    along = _along(state)
    stretches: list[_Stretch] = []
    for product, lots in alike(state.lots, month).items():
        for name in (product, *along.get(product, ())):
            spans = _spans(state, lots, name, month)
            for lot in lots:
                stretches += _stretches(name, lots, lot, spans) if not lot.void else ()
    stretches.sort(key=_identity)
    lines = []
    for (product, first, last, price, _), same in groupby(stretches, key=_identity):
        units = list(same)
        quantity = sum(one.quantity for one in units)
        lines.append(monthly(units[0].edition, product, quantity, price, (first, last)))
    return tuple(lines)


def month_price(state: State, day: date) -> int:
    """What a whole month would cost as things are on a day, in micro-units."""
    return sum(units * price for units, price in _paid(state, day).values())


def standing(state: State, day: date) -> tuple[Standing, ...]:
    """What a contract has on a day, in the catalogue's order; all amounts together are the month's price."""
    found = period(state, day)
    if found is None:
        return ()
    paid = _paid(state, day)
    return tuple(
        Standing(product=name, units=units, paid=charged, price_micro=price)
        for name, units in quantities(state, found.edition.offer.products, day).items()
        for charged, price in (paid.get(name, (0, 0)),)
        if units
    )


def _identity(stretch: _Stretch) -> tuple[str, date, date, int, str]:
    return stretch.product, stretch.first, stretch.last, stretch.price_micro, stretch.edition.name


def _paid(state: State, day: date) -> dict[str, tuple[int, int]]:
    """Give units and price of each product that costs something on a day."""
    found, running = period(state, day), dict[str, list[Lot]]()
    if found is None:
        return {}
    for lot in state.lots:
        if lot.runs(day):
            running.setdefault(lot.product, []).append(lot)
    along, paid = _along(state), dict[str, tuple[int, int]]()
    for product, lots in running.items():
        for name in (product, *along.get(product, ())):
            price = _price(found, lots, name, day)
            units = sum(lot.quantity for lot in lots if not lot.void)
            units -= sum(free for lot, free in _free(lots, price.included, day) if not lot.void)
            if price.micro and units:
                paid[name] = units, price.micro
    return paid


def _along(state: State) -> Mapping[str, Iterable[str]]:
    """Name what goes along with a product in any edition of the contract."""
    along: dict[str, dict[str, None]] = {}
    for edition in dict.fromkeys(one.edition for one in state.periods):
        for name, spec in edition.offer.products.items():
            if spec.per is not None:
                along.setdefault(spec.per, {})[name] = None
    return along


def _spans(state: State, lots: Sequence[Lot], name: str, month: date) -> Sequence[_Span]:
    """Divide a month where a unit of a product, or of what goes along with it, costs something else.

    Where units are included it is divided wherever a lot begins or has ended: others may be free then.
    """
    cut = [
        _Span(_price(found, lots, name, first), first, last)
        for first, last in _cut(state, lots, month)
        if (found := period(state, first)) is not None
    ]
    spans = []
    for (price, _), same in groupby(
        cut, key=lambda one: (one.price, one.first if one.price.included else None)
    ):
        days = list(same)
        spans.append(_Span(price, days[0].first, days[-1].last))
    return spans


def _cut(state: State, lots: Sequence[Lot], month: date) -> Iterator[tuple[date, date]]:
    """Divide a month where a lot begins or has ended, or a period begins."""
    end = month_end(month)
    days = {one.first for one in state.periods} | {lot.first for lot in lots}
    days |= {lot.last + DAY for lot in lots if lot.last is not None}
    begins = [month, *sorted(day for day in days if month < day <= end)]
    for day, following in zip(begins, [*begins[1:], end + DAY], strict=True):
        yield day, following - DAY


def _price(found: Period, lots: Sequence[Lot], name: str, day: date) -> _Price:
    """Price a unit of a product, or of what goes along with it, by all units that are there on a day."""
    product, products = lots[0].product, found.edition.offer.products
    spec = products.get(name)
    if spec is None or product not in products or product not in (name, spec.per):
        return _Price(found.edition, 0, 0)
    there = sum(lot.quantity for lot in lots if lot.runs(day))
    micro = unit_price(found.edition, spec, found.choices, there)
    return _Price(found.edition, micro or 0, spec.included if name == product else 0)


def _free(lots: Sequence[Lot], included: int, day: date) -> Iterator[tuple[Lot, int]]:
    """Give the units that are included on a day, lot by lot: the oldest ones are."""
    for lot in lots:
        if not included:
            break
        if lot.runs(day):
            free = min(included, lot.quantity)
            included -= free
            yield lot, free


def _stretches(name: str, lots: Sequence[Lot], lot: Lot, spans: Sequence[_Span]) -> Iterator[_Stretch]:
    """Charge a lot for its days of a month; stretches that meet at one price are one."""
    own = [one for one in spans if lot.first <= one.last and (lot.last is None or one.first <= lot.last)]
    for (price, free), same in groupby(own, key=lambda one: (one.price, _free_of(lot, lots, one))):
        days = list(same)
        if price.micro and free < lot.quantity:
            first = lot.charged_from if days[0] is own[0] else days[0].first
            last = lot.charged_until if days[-1] is own[-1] else None
            yield _Stretch(
                price.edition, name, price.micro, lot.quantity - free, first, last or days[-1].last
            )


def _free_of(lot: Lot, lots: Sequence[Lot], span: _Span) -> int:
    """Units of a lot that are included in a span, in which it runs."""
    free = _free(lots, span.price.included, max(span.first, lot.first))
    return next((units for one, units in free if one is lot), 0)
