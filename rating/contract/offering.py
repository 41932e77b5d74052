"""The change to offer to somebody who wants more than the contract allows (row 1.1 of the requirements).

Owns the search for the smallest change that allows it. Refuses to keep or order what it finds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from rating.contract.edition import Shelf
from rating.contract.quote import Quote, quote
from rating.contract.state import State, choices, rights
from rating.contract.wish import Change
from rating.offer import OfferSpec
from rating.offer_checks import holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a contract does not allow yet.

    Attributes:
        creates: how many more of what is limited the tenant wants than it has.
        over: how many more than the limit that would be.
        features: functions that are gated and closed.
    """

    creates: Mapping[str, int] = field(default_factory=dict)
    over: Mapping[str, int] = field(default_factory=dict)
    features: frozenset[str] = frozenset()


def need(state: State, wanted: Mapping[str, int], used: frozenset[str], day: date) -> Need:
    """Compare what a tenant is to have and use with what the contract allows on a day."""
    now, offer = rights(state, day), state.edition.offer
    return Need(
        creates={
            one: more for one, number in wanted.items() if (more := number - state.in_use.get(one, 0)) > 0
        },
        over={
            one: number - now.limits[one]
            for one, number in wanted.items()
            if number > now.limits.get(one, number)
        },
        features=frozenset(used & offer.features.keys()) - set(now.features),
    )


def smallest(state: State, lacking: Need, shelf: Shelf, day: date) -> Quote | None:
    """Give the quote of the smallest change that allows what is lacking; None if nothing that is sold does.

    Whoever orders it has what it creates.
    """
    made = (quote(state, change, shelf, day) for change in _changes(state, lacking, day))
    return next((one for one in made if not one.plan.refusals), None)


def alone(made: Quote, state: State, shelf: Shelf) -> Quote:
    """Give the quote of the same change without what it creates, for who creates that himself."""
    return quote(state, replace(made.change, creates={}), shelf, made.on)


def _changes(state: State, lacking: Need, day: date) -> Iterator[Change]:
    """Give what might do: options and products of the functions, with a higher option or more units."""
    offer = state.edition.offer
    opening = _opening(offer, lacking.features)
    if opening is None:
        return
    if not lacking.over:
        yield replace(opening, creates=lacking.creates)
        return
    current = {**choices(state, day), **{name: one for name, (one,) in opening.choose.items()}}
    for name, option in _higher(offer, lacking.over, current):
        yield replace(opening, choose={**opening.choose, name: (option,)}, creates=lacking.creates)
    more = _units(offer, lacking.over)
    if more:
        yield replace(opening, add={**opening.add, **more}, creates=lacking.creates)


def _opening(offer: OfferSpec, features: frozenset[str]) -> Change | None:
    """Give the options and products that functions belong to; None where two contradict each other."""
    choose: dict[str, tuple[str, ...]] = {}
    add: dict[str, int] = {}
    for name in sorted(features):
        spec = offer.features[name]
        choose |= {choice: (option,) for choice, option in spec.when.items()}
        add |= {spec.product: 1} if spec.product is not None else {}
    chosen = {choice: option for choice, (option,) in choose.items()}
    fitting = all(holds(offer.features[name].when, chosen) for name in features)
    return Change(add=add, choose=choose) if fitting else None


def _higher(
    offer: OfferSpec, over: Mapping[str, int], current: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Give the higher options of each choice that grants what is wanted, the smallest first."""
    for name, choice in offer.choices.items():
        if any(one in spec.grants for spec in choice.options.values() for one in over):
            ranks = list(choice.options)
            yield from ((name, option) for option in ranks[ranks.index(current[name]) + 1 :])


def _units(offer: OfferSpec, over: Mapping[str, int]) -> dict[str, int]:
    """Give the units of products that grant what is wanted; empty if nothing does."""
    more: dict[str, int] = {}
    for resource, missing in over.items():
        granting = (
            name for name, one in offer.products.items() if resource in one.grants and one.per is None
        )
        name = next(granting, None)
        if name is not None:
            units = -(-missing // offer.products[name].grants[resource])
            more[name] = max(more.get(name, 0), units)
    return more
