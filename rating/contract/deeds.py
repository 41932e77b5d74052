"""What each deed does to a contract, and what is answered.

Owns accepted, refused and held back. Refuses what happens by itself (`rating.contract.passing`), and what
ends a contract or gives it to somebody else (`rating.contract.parting`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rating.contract import facts
from rating.contract.answer import NO_CONTRACT, NOT_SIGNED, Answer, Done, changed, refused
from rating.contract.billing import move_credit, settle
from rating.contract.edition import Shelf
from rating.contract.facts import Fact
from rating.contract.lacking import missing
from rating.contract.offering import Need, smallest
from rating.contract.opening import SIGNED_ALREADY, Opening, conditions, offered, opened, quote_opening
from rating.contract.parting import parting, processed
from rating.contract.quote import Quote, ordered, quote
from rating.contract.state import State, active, choices, moves_to_credit, rights
from rating.contract.wish import Agreed, Refusal
from rating.finding import closest
from rating.periods import month_start


def do(state: State, fact: Fact, shelf: Shelf) -> Done:
    """Do what a fact says, on its day; the state is advanced to it."""
    return _DEEDS[type(fact.deed)](state, fact, fact.deed, shelf)


def _top_up(state: State, fact: Fact, deed: facts.TopUp, _shelf: Shelf) -> Done:
    if not state.prepaid and not moves_to_credit(state):
        return refused(state, fact, _no_credit(state))
    state, movement = move_credit(state, fact.on, "top-up", deed.amount_micro)
    return state, Answer(fact=fact, outcome="accepted"), (movement,)


def _ledger(state: State, fact: Fact, deed: facts.Ledger, _shelf: Shelf) -> Done:
    """Take in what the account's balance has seen: it is one with the contract's credit."""
    if not state.prepaid:
        return refused(state, fact, _no_credit(state))
    booked = []
    for what, amount_micro in (("paid", deed.paid_micro), ("rated", -deed.calls_micro)):
        if amount_micro:
            state, movement = move_credit(state, fact.on, what, amount_micro)
            booked.append(movement)
    return state, Answer(fact=fact, outcome="accepted"), tuple(booked)


def _no_credit(state: State) -> Refusal:
    return Refusal("no-credit", f"{state.edition.name} is paid by invoice", "pay the invoice")


def _sign(state: State, fact: Fact, deed: facts.Sign, shelf: Shelf) -> Done:
    """Sign a contract; if a quote was agreed, the same must be quoted today."""
    if active(state):
        return refused(state, fact, SIGNED_ALREADY)
    state = offered(state, shelf, fact.on)
    opening = Opening(change=deed.change, begins=deed.begins, old_contract_ends=deed.old_contract_ends)
    made = quote_opening(state, opening, fact.on)
    refusals = made.plan.refusals
    if state.edition.offer.signed_form and not deed.signed_form:
        refusals += (NOT_SIGNED,)
    if not refusals and made.missing_micro:
        refusals = (missing(made.missing_micro),)
    if refusals:
        return refused(state, fact, *refusals)
    if deed.quote and made.id != deed.quote:
        return refused(state, fact, changed(deed.quote, made), made=made)
    chosen, _ = conditions(state, deed.change)
    after = opened(state, chosen, fact.on, max(fact.on, deed.begins or fact.on))
    after, booked = settle(after, fact.on, "order")
    return after, Answer(fact=fact, outcome="accepted", dates=made.dates), booked


def _use(state: State, fact: Fact, deed: facts.Use, shelf: Shelf) -> Done:
    if not active(state):
        return refused(state, fact, NO_CONTRACT)
    now = rights(state, fact.on)
    features = deed.features if deed.features is not None else tuple(state.features_in_use)
    free = {name for editions in shelf.values() for one in editions for name in one.offer.features}
    may = {
        *now.features,
        *(free - state.edition.offer.features.keys()),
    }  # what others gate, this one includes
    refusals = [_closed(state, fact, one) for one in deed.features or () if one not in may]
    refusals += [
        Refusal("limit", f"{number} {one} are more than {now.limits[one]}", f"order more {one}")
        for one, number in deed.counts.items()
        if one in now.limits and number > now.limits[one]
    ]
    if refusals:
        return refused(state, fact, *refusals)
    counts = {**state.in_use, **deed.counts}
    state = replace(state, in_use=counts, features_in_use=frozenset(features))
    return state, Answer(fact=fact, outcome="accepted"), ()


def _closed(state: State, fact: Fact, feature: str) -> Refusal:
    """Say why a function may not be used."""
    spec = state.edition.offer.features.get(feature)
    if spec is None:
        known = ", ".join(state.edition.offer.features) or "none"
        remedy = closest(feature, state.edition.offer.features, f"it has {known}")
        return Refusal("unknown-feature", f"{state.edition.name} has no {feature}", remedy)
    chosen = choices(state, fact.on)
    needed = [f"{choice} {option}" for choice, option in spec.when.items()]
    has = [f"{choice} {chosen.get(choice, 'none')}" for choice in spec.when]
    needed += [spec.product] if spec.product is not None else []
    words = f"{feature} belongs to {', '.join(needed)}" + (
        f"; this contract has {', '.join(has)}" if has else ""
    )
    return Refusal("gate", words, f"order {', '.join(needed)}")


def _create(state: State, fact: Fact, deed: facts.Create, shelf: Shelf) -> Done:
    """Let the tenant have more, or hold it back and offer the change that allows it."""
    if not active(state):
        return refused(state, fact, NO_CONTRACT)
    wanted = {one: state.in_use.get(one, 0) + number for one, number in deed.counts.items()}
    limits = rights(state, fact.on).limits
    over = {one: number - limits[one] for one, number in wanted.items() if number > limits.get(one, number)}
    if not over:
        state = replace(state, in_use={**state.in_use, **wanted})
        return state, Answer(fact=fact, outcome="accepted"), ()
    refusals = tuple(
        Refusal("limit", f"{wanted[one]} {one} are {more} more than allowed", f"order more {one}")
        for one, more in over.items()
    )
    made = smallest(state, Need(creates=deed.counts, over=over), shelf, fact.on)
    if made is None:
        return refused(state, fact, *refusals)
    state = replace(state, quotes={**state.quotes, deed.offer: Agreed(made.id, made.change)})
    return state, Answer(fact=fact, outcome="held-back", refusals=refusals, quote=made), ()


def _edit(state: State, fact: Fact, deed: facts.Edit, _shelf: Shelf) -> Done:
    options = [one for choice in state.edition.offer.choices.values() for one in choice.options.values()]
    told = any(option.administers for option in options)
    allowed = rights(state, fact.on).administers
    if deed.by == "staff" or not told or deed.what in allowed:
        return state, Answer(fact=fact, outcome="accepted"), ()
    known = ", ".join(allowed) or "nothing by itself"
    words = f"{deed.what} is changed by the provider's staff; this tenant may change {known}"
    return refused(state, fact, Refusal("managed", words, "ask the provider's staff"))


def _ask(state: State, fact: Fact, deed: facts.Ask, shelf: Shelf) -> Done:
    if not active(state):
        return refused(state, fact, NO_CONTRACT)
    made = quote(state, deed.change, shelf, fact.on)
    if made.refused:
        return refused(state, fact, *_reasons(made), made=made)
    state = replace(state, quotes={**state.quotes, deed.label: Agreed(made.id, made.change)})
    return state, Answer(fact=fact, outcome="quoted", quote=made), ()


def _order(state: State, fact: Fact, deed: facts.Order, shelf: Shelf) -> Done:
    """Order what was quoted, if the same quote would be made today."""
    if not active(state):
        return refused(state, fact, NO_CONTRACT)
    known = state.quotes.get(deed.quote)
    change = deed.change if deed.change is not None else known.change if known is not None else None
    if change is None:
        words = f"there is no quote {deed.quote!r}" if deed.quote else "nothing says what is ordered"
        return refused(state, fact, Refusal("unknown-quote", words, "ask for a quote first"))
    made = quote(state, change, shelf, fact.on)
    if made.refused:
        return refused(state, fact, *_reasons(made), made=made)
    agreed = known.id if known is not None else deed.quote
    if agreed and made.id != agreed:
        return refused(state, fact, changed(agreed, made), made=made)
    state = ordered(state, made.plan, fact.on)
    state, booked = settle(state, fact.on, "order")
    created = {one: state.in_use.get(one, 0) + number for one, number in change.creates.items()}
    state = replace(state, in_use={**state.in_use, **created})
    return state, Answer(fact=fact, outcome="accepted", quote=made), booked


def _reasons(made: Quote) -> tuple[Refusal, ...]:
    return (*made.plan.refusals, *((missing(made.missing_micro),) if made.missing_micro else ()))


def _calls(state: State, fact: Fact, deed: facts.Calls, _shelf: Shelf) -> Done:
    if not active(state):
        return refused(state, fact, NO_CONTRACT)
    if state.prepaid:
        paid = min(deed.amount_micro, max(0, state.balance_micro))
        state, movement = move_credit(state, fact.on, "calls", -paid)
        refusals = (
            (
                Refusal(
                    "credit-used-up", "the calls end when the credit is used up", 'an event `top_up: "20.00"`'
                ),
            )
            if paid < deed.amount_micro
            else ()
        )
        answer = Answer(fact=fact, outcome="accepted", refusals=refusals, charged_micro=paid)
        return state, answer, (movement,)
    month = month_start(fact.on)
    calls = {
        **state.calls,
        (month, state.edition): state.calls.get((month, state.edition), 0) + deed.amount_micro,
    }
    state = replace(state, calls=calls)
    return state, Answer(fact=fact, outcome="accepted", charged_micro=deed.amount_micro), ()


_DEEDS: Mapping[type, Callable[[State, Fact, Any, Shelf], Done]] = {
    facts.TopUp: _top_up,
    facts.Ledger: _ledger,
    facts.Sign: _sign,
    facts.Use: _use,
    facts.Create: _create,
    facts.Edit: _edit,
    facts.Ask: _ask,
    facts.Order: _order,
    facts.Holder: parting,
    facts.Cancel: parting,
    facts.Processed: processed,
    facts.Move: parting,
    facts.Withdraw: parting,
    facts.Calls: _calls,
}
