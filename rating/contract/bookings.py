"""What a contract books of the catalogue's minutes: bundles and buy-outs, as an account's document has them.

Owns the way from a contract to the bookings that rating draws from. Refuses accounts and balances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from rating.contract.calendar import DAY, month_end
from rating.contract.state import State, period, spans
from rating.offer_checks import holds
from rating.stays import Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A bundle in one size, or a buy-out.

    Attributes:
        name: of the bundle or buy-out.
        size: of the bundle; empty for a buy-out.
        first: first day.
        until: last day, the last of a month, as allowances run by months; None: until further notice.
    """

    name: str
    size: str = ""
    first: date
    until: date | None = None


def stays(state: State) -> tuple[Stay, ...]:
    """Give by which catalogue its calls are charged, and from when on: a move that is agreed, too."""
    if not state.periods:
        return (Stay(date.min, state.edition.catalogue),)
    spans = [(one.first, one.edition) for one in state.periods]
    if state.moves_to is not None and state.last is not None:
        spans.append((state.last + DAY, state.moves_to.edition))
    found = [Stay(date.min, spans[0][1].catalogue)]
    for first, edition in spans:
        if edition.catalogue != found[-1].catalogue:
            found.append(Stay(first, edition.catalogue))
    return tuple(found)


def bundles(state: State) -> tuple[Booking, ...]:
    """Give the bundles that were booked and are; not what was withdrawn."""
    found = []
    for lot in state.lots:
        by = period(state, lot.first)
        named = by.edition.bundles.get(lot.product) if by is not None else None
        if named is not None and not lot.void:
            bundle, size = named
            last = state.last if lot.last is None else lot.last  # an end that is agreed ends it, too
            until = month_end(last) if last is not None else None
            found.append(Booking(name=bundle, size=size, first=lot.first, until=until))
    return tuple(found)


def buy_outs(state: State) -> tuple[Booking, ...]:
    """Give the times in which call costs are bought out."""
    found: list[Booking] = []
    for first, last, name in _bought_out(state):
        until = month_end(last) if last is not None else None
        before = found[-1] if found else None
        if (
            before is not None
            and before.name == name
            and before.until is not None
            and before.until >= first - DAY
        ):
            found[-1] = Booking(name=name, first=before.first, until=until)
        else:
            found.append(Booking(name=name, first=first, until=until))
    return tuple(found)


def _bought_out(state: State) -> Iterator[tuple[date, date | None, str]]:
    for one, last in spans(state):
        if last is not None and last < one.first:
            continue
        for product in one.edition.offer.products.values():
            if product.buy_out is not None and product.when and holds(product.when, one.choices):
                yield one.first, last, product.buy_out
