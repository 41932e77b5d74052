"""From a contract's document to its history.

Owns this way and the day of the last fact. Refuses files and databases: they bring the document.
"""

from collections.abc import Iterable
from datetime import date

from rating.contract.calendar import DAY
from rating.contract.document import ContractSpec, facts_of
from rating.contract.edition import Shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, History, history
from rating.contract.state import State

MOST_LOOKS = 10  # ahead: what is ordered, the end, and what a move to another catalogue begins with


def tell(spec: ContractSpec, offers: Shelf, until: date, told: Iterable[Fact] = ()) -> History:
    """Work out a contract's history up to the end of a day, perhaps with what it is told besides."""
    customer = Customer(
        catalogue=spec.catalogue, holder=spec.holder, region=spec.region, customer=spec.customer
    )
    return history((*facts_of(spec, offers), *told), offers, customer, until)


def tell_all(spec: ContractSpec, offers: Shelf) -> History:
    """Work out a contract's history until nothing is left of it that is known to begin or end.

    The same facts give the same on whichever day: what is ordered for later stands in it already.
    """
    until = last_fact(spec, offers)
    for _ in range(MOST_LOOKS):
        past = tell(spec, offers, until)
        known = _last_known(past.states[-1])
        if known <= until:
            return past
        until = known
    raise AssertionError("what follows an end was chosen before it, and has none itself")


def _last_known(state: State) -> date:
    """Give the last day on which something that is known begins or has ended."""
    days = [state.today, *(part.begins for part in state.pending), *(one.first for one in state.periods)]
    days += [lot.last + DAY for lot in state.lots if lot.last is not None]
    days += [state.last + DAY] if state.last is not None and not state.ended else []
    return max(days)


def last_fact(spec: ContractSpec, offers: Shelf) -> date:
    """Give the day of the last fact; without any, the first on which the catalogue sells something."""
    return max((event.on for event in spec.events), default=offers[spec.catalogue][0].version)
