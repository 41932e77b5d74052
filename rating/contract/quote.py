"""Quotes: exactly what an order would change, from when and why, and what it would cost.

Owns the content of a quote and its id. Refuses to order anything: an order names the quote, and holds only
while the same quote would be made again.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date

from rating import money
from rating.contract.applying import apply_now, apply_parts
from rating.contract.billing import Booked, Invoice, Movement, charge_once, settle
from rating.contract.change import Plan, plan
from rating.contract.charges import month_price
from rating.contract.edition import Edition, Shelf, in_force
from rating.contract.line import Line, difference, total
from rating.contract.passing import advance
from rating.contract.state import ChoicePart, Part, ProductPart, State
from rating.contract.wish import Change
from rating.periods import next_month

ID_DIGITS = 16  # of the hash: enough to tell the quotes of one contract apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a change comes to; of a refused one only the plan.

    Attributes:
        id: hash of everything the customer agrees to.
        edition: version of the catalogue that the contract has.
        on: day for which it was made.
        change: what is wanted.
        plan: what changes, or why not.
        price_before_micro: a month as things are.
        price_after_micro: a month when everything of it has begun.
        at_once_micro: what is taken from a credit with the order.
        invoice_on: first of the next month, when the next invoice is made, or the credit debited.
        invoice_lines: what that day's lines have more, and with a minus less.
        missing_micro: what a credit lacks.
    """

    id: str
    edition: Edition
    on: date
    change: Change
    plan: Plan
    price_before_micro: int = 0
    price_after_micro: int = 0
    at_once_micro: int = 0
    invoice_on: date
    invoice_lines: tuple[Line, ...] = ()
    missing_micro: int = 0

    @property
    def refused(self) -> bool:
        """Whether it cannot be ordered."""
        return bool(self.plan.refusals) or self.missing_micro > 0

    @property
    def effective(self) -> date:
        """Day on which the last of it begins."""
        return max((part.begins for part in self.plan.parts), default=self.on)


def quote(state: State, change: Change, shelf: Shelf, day: date) -> Quote:
    """Make a quote for a day on which everything internal is done."""
    turn = next_month(day)
    planned = plan(state, change, day, in_force(shelf.get(state.edition.catalogue, ()), day))
    if planned.refusals:
        return Quote(id="", edition=state.edition, on=day, change=change, plan=planned, invoice_on=turn)
    after = ordered(state, planned, day)
    settled, booked = settle(after, day, "order")
    at_once = state.balance_micro - settled.balance_micro
    made = Quote(
        id="",
        edition=state.edition,
        on=day,
        change=change,
        plan=planned,
        price_before_micro=month_price(state, day),
        price_after_micro=_price_after(state, planned, day),
        at_once_micro=at_once,
        invoice_on=turn,
        invoice_lines=difference((*_lines(booked), *_coming(settled, turn)), _coming(state, turn)),
        missing_micro=_missing(state, at_once),
    )
    return replace(made, id=_id(state, made))


def ordered(state: State, planned: Plan, day: date) -> State:
    """Give the contract with a plan ordered; nothing is taken from a credit yet."""
    state = apply_parts(state, planned.parts)
    for product, units in planned.once:
        state = charge_once(state, product, units, day)
    return state


def _missing(state: State, at_once_micro: int) -> int:
    """What a credit lacks for an order: it never takes it below zero."""
    if not state.prepaid or at_once_micro <= 0:
        return 0
    return max(0, at_once_micro - state.balance_micro)


def _price_after(state: State, planned: Plan, day: date) -> int:
    begins = [part.begins for part in (*planned.parts, *state.pending)]
    return month_price(apply_now(state, planned.parts), max([day, *begins]))


def _coming(state: State, turn: date) -> tuple[Line, ...]:
    _, entries = advance(state, turn)
    return _lines(tuple(entry for entry in entries if isinstance(entry, Invoice | Movement)))


def _lines(booked: tuple[Booked, ...]) -> tuple[Line, ...]:
    return tuple(line for one in booked for line in one.lines)


def _id(state: State, made: Quote) -> str:
    content = {
        "edition": state.edition.name,
        "parts": [_part(part, made.on) for part in made.plan.parts],
        "once": made.plan.once,
        "prices": [money.text(made.price_before_micro), money.text(made.price_after_micro)],
        "at_once": money.text(made.at_once_micro),
        "invoice": [made.invoice_on.isoformat(), money.text(total(made.invoice_lines))],
        "creates": dict(made.change.creates),
    }
    written = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:ID_DIGITS]


def _part(part: Part, on: date) -> list[str | int]:
    """Give what is agreed of a part; what may be used with the order may be used on whichever day that is."""
    begins = part.begins.isoformat()
    if isinstance(part, ProductPart):
        return [part.product, part.quantity, begins, part.charged_from.isoformat(), _usable(part, on)]
    if isinstance(part, ChoicePart):
        return [part.choice, part.before, part.option, begins, _usable(part, on)]
    return [part.edition.name, begins]


def _usable(part: ProductPart | ChoicePart, on: date) -> str:
    return "at-once" if part.usable == on else part.usable.isoformat()
