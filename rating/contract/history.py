"""The history of a contract: every fact answered, everything that happened by itself, every day's state.

Owns the fold over facts. Refuses files and clocks; what one deed does stands in `rating.contract.deeds`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from rating.contract.answer import Answer
from rating.contract.deeds import do
from rating.contract.edition import Edition, Shelf, in_force
from rating.contract.facts import Fact, in_order
from rating.contract.passing import Entry, advance, following
from rating.contract.state import Rights, State, active, period, rights
from rating.party import CustomerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who signs.

    Attributes:
        catalogue: under which the first contract is.
        holder: private or company.
        region: whose holidays count beside those of the country; may be empty.
        customer: who that is, for paper; None: nobody said.
    """

    catalogue: str
    holder: str = "company"
    region: str = ""
    customer: CustomerSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What follows from facts.

    Attributes:
        answers: to every fact, in their order.
        entries: invoices, movements of a credit, and what happened by itself.
        states: the state at the end of every day on which something happened.
    """

    answers: tuple[Answer, ...]
    entries: tuple[Entry, ...]
    states: tuple[State, ...]

    def on(self, day: date) -> State:
        """State at the end of a day."""
        known = [state for state in self.states if state.today <= day]
        state = known[-1] if known else self.states[0]
        return advance(state, day)[0] if state.today < day else state


def history(facts: Iterable[Fact], shelf: Shelf, customer: Customer, until: date) -> History:
    """Work out a history up to the end of a day.

    Args:
        facts: in any order.
        shelf: every version of every catalogue.
        customer: who it is, and under which catalogue it begins.
        until: last day; facts after it are left out.
    """
    ordered = [fact for fact in in_order(facts) if fact.on <= until]
    state = State(
        edition=_first(shelf[customer.catalogue], ordered[0].on if ordered else until),
        holder=customer.holder,
        region=customer.region,
        customer=customer.customer,
        today=ordered[0].on if ordered else until,
    )
    answers: list[Answer] = []
    entries: list[Entry] = []
    states = [state]
    for fact in ordered:
        state, passed = _pass(state, fact.on, states)
        entries += passed
        if not active(state) and state.signed is None:
            state = replace(state, edition=_first(shelf[customer.catalogue], fact.on))
        state, answer, more = do(state, fact, shelf)
        answers.append(answer)
        entries += more
        states.append(state)
    state, passed = _pass(state, until, states)
    return History(answers=tuple(answers), entries=(*entries, *passed), states=(*states, state))


def timeline(past: History) -> tuple[tuple[date, Rights], ...]:
    """What the tenant may do, from each day on which that changes: a value, for plans of calls."""
    found: list[tuple[date, Rights]] = []
    for state in past.states:
        now = rights(state, state.today)
        if found and found[-1][0] == state.today:
            found.pop()
        if not found or found[-1][1] != now:
            found.append((state.today, now))
    return tuple(found)


def running(state: State, day: date) -> Edition | None:
    """Give the version of the catalogue by which a contract runs, by its state at the end of a day."""
    begun = state.first is not None and state.first <= day and not state.ended
    found = period(state, day) if begun else None
    return found.edition if found is not None else None


def _pass(state: State, day: date, states: list[State]) -> tuple[State, tuple[Entry, ...]]:
    """Let days pass, remembering the state of each on which something happened."""
    entries: list[Entry] = []
    while state.today < day:  # bounded by the days between
        state, more = advance(state, min(day, following(state)))
        entries += more
        states.append(state)
    return state, tuple(entries)


def _first(editions: tuple[Edition, ...], day: date) -> Edition:
    return in_force(editions, day) or editions[0]
