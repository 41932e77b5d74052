"""A new contract before it is signed: exactly what would be signed, from when, and what it would cost.

Owns the quote of a signing. Refuses to sign (`rating.contract.deeds`), and changes of a contract that runs
(`rating.contract.quote`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from rating.contract.change import Plan, charged_in_full
from rating.contract.edition import Shelf, charged_from, in_force
from rating.contract.ending import Step
from rating.contract.passing import begin
from rating.contract.quote import Quote, come_to, identified
from rating.contract.signing import promised, select
from rating.contract.state import ChoicePart, Part, ProductPart, State, active
from rating.contract.wish import Change, Refusal, Selection
from rating.periods import next_month

SIGNED_ALREADY = Refusal("signed-already", "there is a contract that runs", "change it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What would be signed.

    Attributes:
        begins: first day; None: the day of signing.
        old_contract_ends: last day at the provider from whom numbers are ported.
    """

    change: Change
    begins: date | None = None
    old_contract_ends: date | None = None


def offered(state: State, shelf: Shelf, day: date) -> State:
    """Give who has no contract, or no longer one, the version of the day."""
    newest = in_force(shelf[state.edition.catalogue], day)
    return state if active(state) or newest is None else replace(state, edition=newest)


def quote_opening(state: State, opening: Opening, day: date) -> Quote:
    """Make a quote of a contract that is signed on a day."""
    first = max(day, opening.begins or day)
    chosen, refusals = conditions(state, opening.change)
    if refusals:
        plan = Plan(refusals=refusals)
        turn = next_month(day)
        wanted = opening.change
        return Quote(
            id="", deed="sign", edition=state.edition, on=day, change=wanted, plan=plan, invoice_on=turn
        )
    after = opened(state, chosen, day, first)
    made = come_to(state, after, ahead=(after, first), once=after.charged_once, day=day)
    plan = Plan(parts=tuple(parts_of(chosen, first, (_why(day, first),))), once=chosen.once)
    dates = promised(state.edition, state.calendar, day, opening.old_contract_ends)
    return identified(replace(made, change=opening.change, plan=plan, dates=dates, deed="sign"))


def opened(state: State, chosen: Selection, day: date, first: date) -> State:
    """Give the contract signed; nothing is taken from a credit yet."""
    return begin(replace(state, signed=day, ended=False), chosen, first)


def conditions(state: State, change: Change) -> tuple[Selection, tuple[Refusal, ...]]:
    """Complete what somebody wants to sign, and say what is missing or in the way."""
    chosen, refusals = select(state.edition, change)
    if active(state):
        refusals = (SIGNED_ALREADY,)
    offer = state.edition.offer
    if state.holder not in offer.holders:
        words = f"{state.edition.name} is not for {state.holder} customers"
        refusals += (Refusal("holder", words, "it is for " + ", ".join(offer.holders)),)
    return chosen, refusals


def parts_of(chosen: Selection, first: date, steps: tuple[Step, ...]) -> Iterator[Part]:
    """Give what a new contract begins with, as parts that begin on its first day for these reasons."""
    for choice, option in chosen.choices.items():
        yield ChoicePart(
            choice=choice, before="", option=option, begins=first, usable=first, up=True, steps=steps
        )
    products = chosen.edition.offer.products
    for product, units in chosen.products.items():
        if units and not products[product].once_only:
            charged = charged_from(chosen.edition, products[product], first)
            yield ProductPart(
                product=product,
                quantity=units,
                begins=first,
                charged_from=charged,
                usable=first,
                steps=(*steps, *charged_in_full(products[product], first, charged)),
            )


def _why(day: date, first: date) -> Step:
    if first > day:
        return Step("wished", first, f"begins on {first}, as it is wished")
    return Step("at-once", first, f"signed on {day}, begins at once: {first}")
