"""Quotes: exactly what an order would change, from when and why, and what it would cost.

Owns the content of a quote and its id. Refuses to order anything: an order names the quote, and holds only
while the same quote would be made again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from rating import money
from rating.contract.applying import apply_now, apply_parts
from rating.contract.billing import Booked, charge_once, settle
from rating.contract.calendar import DAY
from rating.contract.change import Plan, plan
from rating.contract.charges import Standing, month_price, standing
from rating.contract.edition import Edition, Shelf, in_force
from rating.contract.ending import Ending, Step
from rating.contract.line import Line, difference, total
from rating.contract.passing import advance
from rating.contract.state import ChoicePart, Part, ProductPart, State, choices
from rating.contract.wish import Change, Refusal
from rating.party import CustomerSpec
from rating.periods import next_month

ID_DIGITS = 16  # of the hash: enough to tell the quotes of one contract apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a change comes to; of a refused one only the plan.

    Attributes:
        id: hash of everything the customer agrees to.
        deed: what an order of it is: order, sign, cancel, withdraw, holder or move.
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
        once_lines: what is charged once, where it costs something.
        has: what the contract has when everything of it has begun, product by product.
        chosen: option of every choice then.
        dates: promised with it, beside the days on which things begin.
        ending: of the contract; None: it goes on.
        refund_micro: of a credit, due back on the day after the end, if nothing else is taken from it.
        holder: private or company.
        customer: who holds the contract, for paper; None: nobody said.
    """

    id: str
    deed: str = "order"
    edition: Edition
    on: date
    change: Change = field(default_factory=Change)
    plan: Plan
    price_before_micro: int = 0
    price_after_micro: int = 0
    at_once_micro: int = 0
    invoice_on: date
    invoice_lines: tuple[Line, ...] = ()
    missing_micro: int = 0
    once_lines: tuple[Line, ...] = ()
    has: tuple[Standing, ...] = ()
    chosen: Mapping[str, str] = field(default_factory=dict)
    dates: tuple[Step, ...] = ()
    ending: Ending | None = None
    refund_micro: int = 0
    holder: str = ""
    customer: CustomerSpec | None = None

    @property
    def refused(self) -> bool:
        """Whether it cannot be ordered."""
        return bool(self.plan.refusals) or self.missing_micro > 0

    @property
    def opens(self) -> bool:
        """Whether it is of a new contract: the first one, or one under another catalogue."""
        return self.deed in {"sign", "move"}

    @property
    def effective(self) -> date:
        """Day on which the last of it begins; of an end, the first day without the contract."""
        ended = [self.ending.last + DAY] if self.ending is not None else []
        return max((*(part.begins for part in self.plan.parts), *ended), default=self.on)


def quote(state: State, change: Change, shelf: Shelf, day: date) -> Quote:
    """Make a quote for a day on which everything internal is done."""
    turn = next_month(day)
    planned = plan(state, change, day, in_force(shelf.get(state.edition.catalogue, ()), day))
    if planned.refusals:
        return Quote(id="", edition=state.edition, on=day, change=change, plan=planned, invoice_on=turn)
    after = ordered(state, planned, day)
    begun = [part.begins for part in (*planned.parts, *state.pending)]
    made = come_to(
        state,
        after,
        ahead=(apply_now(state, planned.parts), max([day, *begun])),
        once=after.charged_once[len(state.charged_once) :],
        day=day,
    )
    return identified(replace(made, change=change, plan=planned))


def come_to(
    state: State, after: State, *, ahead: tuple[State, date], once: tuple[Line, ...], day: date
) -> Quote:
    """Say what it comes to in money and in what the contract has then; change and id are not in it yet.

    Args:
        state: the contract as it is.
        after: with everything ordered, nothing taken from a credit yet.
        ahead: the contract when all of it has begun, and the day on which it has.
        once: lines of services among it.
        day: of the order.
    """
    turn = next_month(day)
    settled, booked = settle(after, day, "order")
    at_once = state.balance_micro - settled.balance_micro
    return Quote(
        id="",
        edition=state.edition,
        on=day,
        plan=Plan(),
        price_before_micro=month_price(state, day),
        price_after_micro=month_price(*ahead),
        at_once_micro=at_once,
        invoice_on=turn,
        invoice_lines=invoice_difference(state, settled, booked, day),
        missing_micro=_missing(state, at_once),
        once_lines=once,
        has=standing(*ahead),
        chosen=choices(*ahead),
        dates=_known_end(state),
        holder=state.holder,
        customer=state.customer,
    )


def _known_end(state: State) -> tuple[Step, ...]:
    """Say that a contract ends of which notice was given: what is ordered now ends with it."""
    if state.ending is None:
        return ()
    last = state.ending.last
    return (
        Step(
            "contract-ends",
            last,
            f"notice was given on {state.notice}: the contract ends on {last}, all of it",
        ),
    )


def ordered(state: State, planned: Plan, day: date) -> State:
    """Give the contract with a plan ordered; nothing is taken from a credit yet."""
    state = apply_parts(state, planned.parts)
    for product, units in planned.once:
        state = charge_once(state, product, units, day)
    return state


def invoice_difference(state: State, after: State, booked: tuple[Booked, ...], day: date) -> tuple[Line, ...]:
    """Give what is booked at once and until the first of the next month more than without it, and less."""
    turn = next_month(day)
    return difference((*booked_lines(booked), *_coming(after, turn)), _coming(state, turn))


def refused_by(made: Quote, refusals: tuple[Refusal, ...]) -> Quote:
    """Give a quote that something stands in the way of, which it could not know; it has no id."""
    return replace(made, id="", plan=replace(made.plan, refusals=refusals)) if refusals else made


def booked_lines(booked: tuple[Booked, ...]) -> tuple[Line, ...]:
    """Give the lines of invoices and movements."""
    return tuple(line for one in booked for line in one.lines)


def _missing(state: State, at_once_micro: int) -> int:
    """What a credit lacks for an order: it never takes it below zero."""
    if not state.prepaid or at_once_micro <= 0:
        return 0
    return max(0, at_once_micro - state.balance_micro)


def _coming(state: State, turn: date) -> tuple[Line, ...]:
    _, entries = advance(state, turn)
    return booked_lines(tuple(entry for entry in entries if isinstance(entry, Booked)))


def identified(made: Quote) -> Quote:
    """Give a quote its id; in which order its parts were said is no part of what is agreed."""
    content: dict[str, object] = {
        "edition": made.edition.name,
        "parts": sorted((_part(part, made.on) for part in made.plan.parts), key=json.dumps),
        "once": sorted(made.plan.once),
        "prices": [money.text(made.price_before_micro), money.text(made.price_after_micro)],
        "at_once": money.text(made.at_once_micro),
        "invoice": [made.invoice_on.isoformat(), money.text(total(made.invoice_lines))],
        "creates": dict(made.change.creates),
    }
    if made.deed not in {"order", "sign"}:
        content |= {"deed": made.deed, "ends": _ends(made.ending, made.on), "holder": _holder(made)}
    written = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return replace(made, id=hashlib.sha256(written.encode()).hexdigest()[:ID_DIGITS])


def _ends(ends: Ending | None, on: date) -> list[str]:
    """Give what is agreed of an end; what ends with the order ends on whichever day that is."""
    if ends is None:
        return []
    by_law = [ends.right.law, ends.right.day.isoformat()] if ends.right is not None else []
    return ["at-once" if ends.last == on else ends.last.isoformat(), *by_law]


def _holder(made: Quote) -> list[object]:
    said = made.customer.model_dump(mode="json") if made.customer is not None else None
    return [made.holder, said]


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
