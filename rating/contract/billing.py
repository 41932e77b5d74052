"""When what a contract costs is asked for: invoices on the first of a month, a credit that is debited.

Owns what has been charged and what is due. Refuses to know what a month costs (`rating.contract.charges`): it
charges the difference to what was charged before: no day is charged twice and each change is made good.
"""

from dataclasses import dataclass, replace
from datetime import date

from rating.contract.calendar import DAY, month_end
from rating.contract.charges import month_lines
from rating.contract.edition import Edition
from rating.contract.line import Line, difference, once, taken_back, to_cents, total
from rating.contract.state import State
from rating.offer import ProductSpec
from rating.periods import month_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What is invoiced on a day."""

    on: date
    edition: Edition
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What happens to a credit.

    Attributes:
        what: top-up, order, debit, calls, taken-back or refund; paid or rated where the account's balance
            has it already.
        amount_micro: with a minus what is taken.
        balance_micro: after it.
    """

    on: date
    what: str
    amount_micro: int
    balance_micro: int
    edition: Edition
    lines: tuple[Line, ...] = ()


Booked = Invoice | Movement
OF_CALLS = frozenset({"rated", "calls"})
BESIDE = OF_CALLS | {"paid"}
"""Movements that the account's balance has had first; `calls` of a contract without an account nobody has."""


def turn_month(state: State, day: date) -> tuple[State, tuple[Booked, ...]]:
    """Ask for everything that is due on the first of a month."""
    state, lines = _recurring(state, day, at_once=False)
    lines = (*state.due, *lines, *_calls(state))
    state = replace(state, due=(), calls={})
    return _book(state, day, lines, "debit")


def settle(state: State, day: date, what: str) -> tuple[State, tuple[Booked, ...]]:
    """Take from a credit at once what an order costs; an invoice waits for the first of the month."""
    if not state.prepaid:
        return state, ()
    state, lines = _recurring(state, day, at_once=True)
    lines = (*state.due, *lines)
    state = replace(state, due=())
    return _book(state, day, lines, what)


def settle_whole(state: State, day: date) -> tuple[State, tuple[Booked, ...]]:
    """Take from a credit, or give back to it, all that is still open: what is left is the customer's.

    On the first of a month this is the month before, too, and its calls: they are debited on that day.
    """
    if not state.prepaid:
        return state, ()
    state, lines = _recurring(state, day, at_once=day.day > 1)
    lines = (*state.due, *lines, *_calls(state))
    state = replace(state, due=(), calls={})
    return _book(state, day, lines, "taken-back" if total(lines) < 0 else "debit")


def charge_once(state: State, product: str, units: int, day: date) -> State:
    """Charge units of a one-off service, or of what costs something when it is ordered."""
    spec = state.edition.offer.products[product]
    paid = _beyond_free(state, product, spec, units)
    state = replace(state, once={**state.once, product: state.once.get(product, 0) + units})
    if not paid or not spec.price_once:
        return state
    line = once(state.edition, product, paid, spec.price_once, day)
    return replace(state, due=(*state.due, line), charged_once=(*state.charged_once, line))


def take_back(state: State) -> State:
    """Give back all that the contract was charged for, however long ago, and charge none of it again."""
    assert state.first is not None, "a contract that is withdrawn from has begun"
    lines = list(state.charged_once)
    kept: dict[date, tuple[Line, ...]] = {}
    for month, charged in state.charged.items():
        own = tuple(line for line in charged if line.edition is state.edition and line.last >= state.first)
        lines += own
        kept[month] = tuple(line for line in charged if line not in own)
    return replace(
        state,
        lots=tuple(replace(lot, void=True) if lot.first >= state.first else lot for lot in state.lots),
        due=(*state.due, *map(taken_back, lines)),
        charged=kept,
        charged_once=(),
    )


def move_credit(
    state: State, day: date, what: str, amount_micro: int, lines: tuple[Line, ...] = ()
) -> tuple[State, Movement]:
    """Change a credit."""
    state = replace(state, balance_micro=state.balance_micro + amount_micro)
    return state, Movement(
        on=day,
        what=what,
        amount_micro=amount_micro,
        balance_micro=state.balance_micro,
        edition=state.edition,
        lines=lines,
    )


def _beyond_free(state: State, product: str, spec: ProductSpec, units: int) -> int:
    free = max(0, spec.first_free - state.once.get(product, 0))
    return max(0, units - free)


def _recurring(state: State, day: date, *, at_once: bool) -> tuple[State, tuple[Line, ...]]:
    """Find what months cost beyond what was charged for them.

    The current month is due where it is charged in advance, the one before in any case; a change of something
    that was charged in advance is made good with it. Nothing changes what lies longer ago.
    """
    this = month_start(day)
    before = month_start(this - DAY)
    found: list[Line] = []
    charged = dict(state.charged)
    for month in (this,) if at_once else (before, this):
        lines = tuple(
            line
            for line in month_lines(state, month)
            if month < this or line.edition.offer.billing.charged == "advance"
        )
        found += difference(lines, charged.get(month, ()))
        charged[month] = lines
    return replace(state, charged=charged), tuple(found)


def _calls(state: State) -> tuple[Line, ...]:
    """One line for the calls of a month, rounded once."""
    return tuple(
        Line(
            kind="calls",
            edition=edition,
            product="calls",
            quantity=1,
            price_micro=amount,
            first=month,
            last=month_end(month),
            amount_micro=to_cents(amount, edition.offer.billing.rounding),
        )
        for (month, edition), amount in sorted(state.calls.items(), key=lambda pair: pair[0][0])
    )


def _book(state: State, day: date, lines: tuple[Line, ...], what: str) -> tuple[State, tuple[Booked, ...]]:
    booked: list[Booked] = []
    for edition in sorted({line.edition for line in lines}, key=lambda one: one.name):
        own = tuple(line for line in lines if line.edition is edition)
        if edition.offer.billing.prepaid is not None:
            state, movement = move_credit(state, day, what, -total(own), own)
            booked.append(movement)
        else:
            booked.append(Invoice(on=day, edition=edition, lines=own))
    return state, tuple(booked)
