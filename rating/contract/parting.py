"""What ends a contract or gives it to somebody else: notice, withdrawal, a move, a change of hands.

Owns what each of them does, what stands in its way, and its quote. Refuses changes of a contract that goes on
as it is (`rating.contract.deeds`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from rating.contract import facts
from rating.contract.answer import NO_CONTRACT, NOT_SIGNED, Answer, Done, changed, refused
from rating.contract.billing import Booked, Movement, settle, take_back
from rating.contract.calendar import DAY
from rating.contract.change import Plan
from rating.contract.charges import month_price, standing
from rating.contract.edition import Edition, Shelf, in_force
from rating.contract.ending import Ending, Step, ending
from rating.contract.facts import Fact
from rating.contract.lacking import is_debt, missing, top_up, top_up_event
from rating.contract.line import amount_text
from rating.contract.opening import parts_of
from rating.contract.passing import advance, lacking_to_move, lost_by_moving
from rating.contract.quote import Quote, booked_lines, identified, invoice_difference
from rating.contract.signing import select
from rating.contract.state import State, active, choices
from rating.contract.wish import Refusal, Selection
from rating.finding import closest
from rating.periods import next_month


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parting:
    """What would become of a contract; of a refused deed nothing.

    Attributes:
        dates: why it is on that day, where no ending says so.
    """

    after: State
    booked: tuple[Booked, ...] = ()
    dates: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def parting(state: State, fact: Fact, deed: facts.Parting, shelf: Shelf) -> Done:
    """Do it; if a quote was agreed, the same must be quoted today."""
    found = _parted(state, fact, shelf)
    refusals = found.refusals
    if isinstance(deed, facts.Move) and found.after.moves_to is not None:
        offer = found.after.moves_to.edition.offer
        refusals += (NOT_SIGNED,) if offer.signed_form and not deed.signed_form else ()
    if refusals:
        return refused(state, fact, *refusals)
    made = quote_parting(state, fact, shelf) if deed.quote else None
    if made is not None and made.id != deed.quote:
        return refused(state, fact, changed(deed.quote, made), made=made)
    ends = None if isinstance(deed, facts.Holder) else found.after.ending
    answer = Answer(fact=fact, outcome="accepted", quote=made, ending=ends, dates=found.dates)
    return found.after, answer, found.booked


def processed(state: State, fact: Fact, _deed: facts.Processed, _shelf: Shelf) -> Done:
    """Count a notice from when it has been processed."""
    if not active(state) or state.notice is None:
        return refused(
            state, fact, Refusal("no-notice", "no notice waits to be processed", "record the notice first")
        )
    after = _with_ending(state, fact, processed=True)
    return after, Answer(fact=fact, outcome="accepted", ending=after.ending), ()


def quote_parting(state: State, fact: Fact, shelf: Shelf) -> Quote:
    """Say what it would come to: when it ends and why, what of it is felt, what stands in the way."""
    found, day, kind = _parted(state, fact, shelf), fact.on, type(fact.deed).__name__.lower()
    made = Quote(
        id="",
        deed=kind,
        edition=state.edition,
        on=day,
        plan=Plan(refusals=found.refusals),
        price_before_micro=month_price(state, day),
        invoice_on=next_month(day),
    )
    if found.refusals:
        return made
    after = found.after
    made = replace(made, dates=found.dates, holder=after.holder, customer=after.customer)
    if isinstance(fact.deed, facts.Holder):
        has, price = standing(after, day), made.price_before_micro
        return identified(replace(made, price_after_micro=price, has=has, chosen=choices(after, day)))
    assert after.ending is not None, "whoever leaves has an end"
    made = replace(made, ending=after.ending, refund_micro=_refund(after, after.ending))
    if after.moves_to is not None:
        return identified(_moving(made, after, after.moves_to, after.ending))
    at_once = state.balance_micro - after.balance_micro
    lines = invoice_difference(state, after, found.booked, day)
    return identified(replace(made, at_once_micro=at_once, invoice_lines=lines))


def _moving(made: Quote, after: State, chosen: Selection, ends: Ending) -> Quote:
    """Say what the contract under the other catalogue is like: its first invoice is what is felt of it."""
    first = ends.last + DAY
    turn = next_month(first)
    last, _ = advance(after, ends.last)
    lacking = lacking_to_move(last, first)
    paid = replace(after, balance_micro=after.balance_micro + lacking)  # it is quoted as it begins
    begun, _ = advance(paid, first)
    _, entries = advance(paid, turn)
    booked = tuple(one for one in entries if isinstance(one, Booked) and one.edition is chosen.edition)
    step = Step("after", first, f"begins when the contract under {made.edition.name} has ended: {first}")
    return replace(
        made,
        edition=chosen.edition,
        dates=(*made.dates, *_to_pay_in(lacking, first)),
        plan=Plan(parts=tuple(parts_of(chosen, first, (*ends.steps, step))), once=chosen.once),
        price_after_micro=month_price(begun, first),
        invoice_on=turn,
        invoice_lines=booked_lines(booked),
        once_lines=begun.charged_once,
        has=standing(begun, first),
        chosen=choices(begun, first),
    )


def _to_pay_in(lacking_micro: int, first: date) -> tuple[Step, ...]:
    """Say what a credit needs by the day on which the first debit is taken."""
    if not lacking_micro:
        return ()
    words = f"the first debit is taken from a credit on {first}, else the old contract goes on"
    return (Step("credit", first, f"{words}: {top_up_event(lacking_micro)}"),)


def _refund(after: State, ends: Ending) -> int:
    """What of a credit goes back on the day after the end, if nothing else is taken from it."""
    _, entries = advance(after, ends.last + DAY)
    return -sum(one.amount_micro for one in entries if isinstance(one, Movement) and one.what == "refund")


def _parted(state: State, fact: Fact, shelf: Shelf) -> _Parting:
    return _PARTINGS[type(fact.deed)](state, fact, fact.deed, shelf)


def _handed_over(state: State, fact: Fact, deed: facts.Holder, _shelf: Shelf) -> _Parting:
    offer, refusals = state.edition.offer, tuple[Refusal, ...]()
    if not active(state):
        return _Parting(after=state, refusals=(NO_CONTRACT,))
    if deed.kind not in offer.holders:
        refusals += (_not_for(deed.kind, state.edition),)
    if offer.holder_change == "ticket" and not deed.ticket:
        words = "another holder is a change of hands, which is requested by ticket"
        refusals += (Refusal("no-ticket", words, "open a ticket and name it"),)
    elif offer.holder_change == "ticket" and not deed.opened_by:
        words = f"nobody is named who opened ticket {deed.ticket}"
        refusals += (Refusal("no-opener", words, "name who opened it"),)
    if (deed.kind, deed.customer) == (state.holder, state.customer):
        refusals += (Refusal("nothing-changes", "the same holder has it already", "name the new one"),)
    by = f", requested by ticket {deed.ticket} of {deed.opened_by}" if deed.ticket else ""
    step = Step("holder", fact.on, f"changes hands on the day of the order, {fact.on}{by}")
    after = replace(state, holder=deed.kind, customer=deed.customer)
    return _Parting(after=after, dates=(step,), refusals=refusals)


def _cancelled(state: State, fact: Fact, _deed: facts.Cancel, _shelf: Shelf) -> _Parting:
    refusals = _bound(state)
    return _Parting(after=state if refusals else _with_ending(state, fact), refusals=refusals)


def _moved(state: State, fact: Fact, deed: facts.Move, shelf: Shelf) -> _Parting:
    """Go to another catalogue on the day after this contract can end."""
    refusals = _given_up(state, deed.catalogue) or _bound(state)
    target = in_force(shelf.get(deed.catalogue, ()), fact.on)
    if target is None:
        known = ", ".join(shelf)
        words = f"there is no catalogue {deed.catalogue}"
        remedy = closest(deed.catalogue, shelf, f"use one of {known}")
        refusals += (Refusal("unknown-catalogue", words, remedy),)
    if refusals or target is None:
        return _Parting(after=state, refusals=refusals)
    chosen, refusals = select(target, deed.change)
    if target.currency != state.edition.currency:
        words = f"{target.name} is in {target.currency}, the contract in {state.edition.currency}"
        refusals += (Refusal("other-currency", words, "cancel, and sign the other one with its own account"),)
    if state.holder not in target.offer.holders:
        refusals += (_not_for(state.holder, target),)
    if refusals:
        return _Parting(after=state, refusals=refusals)
    after = replace(_with_ending(state, fact), moves_to=chosen)
    assert after.ending is not None, "whoever moves has an end"
    last, _ = advance(after, after.ending.last)
    first = after.ending.last + DAY
    refusals = lost_by_moving(last, first)
    lacking = lacking_to_move(last, first)
    if lacking and state.prepaid:  # who is invoiced can pay in from now on, until that day
        refusals += (missing(lacking),)
    return _Parting(after=state if refusals else after, refusals=refusals)


def _withdrawn(state: State, fact: Fact, _deed: facts.Withdraw, _shelf: Shelf) -> _Parting:
    rule = state.edition.offer.withdrawal
    if not active(state) or state.signed is None:
        return _Parting(after=state, refusals=(NO_CONTRACT,))
    if rule is None or state.holder not in rule.holders:
        words = f"{state.holder} customers cannot withdraw from {state.edition.name}"
        return _Parting(after=state, refusals=(Refusal("no-withdrawal", words, "give notice"),))
    until = state.signed + rule.days * DAY
    if fact.on > until:
        words = f"signed on {state.signed}, it could be withdrawn from until {until}"
        return _Parting(after=state, refusals=(Refusal("too-late", words, "give notice"),))
    words = f"within {rule.days} days of {state.signed}: nothing but calls is charged"
    ends = Ending(fact.on, (Step("withdrawal", fact.on, words),))
    after = replace(take_back(state), pending=(), notice=fact.on, ending=ends, moves_to=None)
    after, booked = settle(after, fact.on, "taken-back")
    return _Parting(after=after, booked=booked)


def _not_for(holder: str, edition: Edition) -> Refusal:
    known = "it is for " + ", ".join(edition.offer.holders)
    return Refusal("holder", f"{edition.name} is not for {holder} customers", known)


def _given_up(state: State, catalogue: str) -> tuple[Refusal, ...]:
    """Say that notice was given of a contract: it ends, and what comes then is no part of it."""
    if not active(state) or state.ending is None:
        return ()
    words = f"notice was given on {state.notice}: it ends on {state.last} and does not move"
    first = state.ending.last + DAY
    remedy = f"sign a contract of its own under {catalogue} that begins on {first}, for an account of its own"
    return (Refusal("noticed-already", words, remedy),)


def _bound(state: State) -> tuple[Refusal, ...]:
    """Say why a contract cannot be given up at all."""
    if not active(state):
        return (NO_CONTRACT,)
    if state.ending is not None:
        words = f"notice was given on {state.notice}, it ends on {state.last}"
        return (Refusal("noticed-already", words, "nothing has to be done"),)
    prepaid = state.edition.offer.billing.prepaid
    if prepaid is not None and not prepaid.cancel_below_zero and is_debt(state.balance_micro):
        amount = amount_text(-state.balance_micro)
        words = f"the credit is {amount} below zero"
        return (Refusal("debt", words, top_up(-state.balance_micro)),)
    return ()


def _with_ending(state: State, fact: Fact, *, processed: bool = False) -> State:
    assert state.first is not None, "a contract that runs has a first day"
    received = state.notice or fact.on
    counted = max(received, state.first - DAY)
    found = ending(
        state.edition.offer.terms,
        first=state.first,
        received=counted,
        calendar=state.calendar,
        processed=fact.on if processed else None,
    )
    if counted > received:
        words = f"notice received on {received}, before it begins: it counts from {counted}"
        found = replace(found, steps=(Step("received", counted, words), *found.steps[1:]))
    return replace(state, ending=found, notice=received)


_PARTINGS: Mapping[type, Callable[[State, Fact, Any, Shelf], _Parting]] = {
    facts.Holder: _handed_over,
    facts.Cancel: _cancelled,
    facts.Move: _moved,
    facts.Withdraw: _withdrawn,
}
