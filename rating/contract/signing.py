"""Signing: what a new contract begins with, and what must be there before it does.

Owns the conditions of signing and the days promised with it. Refuses orders of a contract that runs
(`rating.contract.change`).
"""

from collections.abc import Iterator, Mapping
from datetime import date

from rating.contract.calendar import DAY, Calendar, is_working_day, working_day_after
from rating.contract.change import names
from rating.contract.edition import Edition, unit_price
from rating.contract.ending import Step
from rating.contract.wish import Change, Refusal, Selection


def select(edition: Edition, change: Change) -> tuple[Selection, tuple[Refusal, ...]]:
    """Complete what somebody wants by what the catalogue gives with it, and say what is missing."""
    offer = edition.offer
    refusals = list(names(edition, change))
    chosen = {name: choice.default for name, choice in offer.choices.items() if choice.default is not None}
    chosen |= {name: options[0] for name, options in change.choose.items() if options}
    units = {name: spec.comes_with for name, spec in offer.products.items() if spec.comes_with}
    units |= dict(change.add)
    if not refusals:
        refusals += _not_chosen(edition, chosen)
        refusals += _wrong_units(edition, units)
    if not refusals:
        refusals += _not_sold(edition, units, chosen)
    once = tuple(
        (name, number)
        for name, number in units.items()
        if number and name in offer.products
        if offer.products[name].once_only or offer.products[name].price_once
    )
    return Selection(edition=edition, products=units, choices=chosen, once=once), tuple(refusals)


def promised(
    edition: Edition, calendar: Calendar, ordered: date, old_contract_ends: date | None
) -> tuple[Step, ...]:
    """Days promised with an order: by when it is ready, and apart from it, when numbers are ported."""
    steps = []
    days = edition.offer.ready_working_days
    if days is not None:
        ready = working_day_after(ordered, days, calendar)
        words = f"ready within {days} working days ({calendar}), not counting {ordered}: by {ready}"
        steps.append(Step("ready-by", ready, words))
    if old_contract_ends is not None:
        behind = old_contract_ends + DAY
        ported = behind if is_working_day(behind, calendar) else working_day_after(behind, 1, calendar)
        words = f"the old contract runs until {old_contract_ends}; ported on the next working day: {ported}"
        steps.append(Step("porting", ported, words))
    return tuple(steps)


def _not_chosen(edition: Edition, chosen: Mapping[str, str]) -> Iterator[Refusal]:
    for name, choice in edition.offer.choices.items():
        if name not in chosen:
            yield Refusal(
                "choose", f"nothing says which {name}", "choose one of " + ", ".join(choice.options)
            )


def _wrong_units(edition: Edition, units: Mapping[str, int]) -> Iterator[Refusal]:
    for name, spec in edition.offer.products.items():
        number = units.get(name, 0)
        if number < spec.minimum:
            yield Refusal(
                "minimum", f"{number} {name} are ordered, and {spec.minimum} are needed", f"order {name}"
            )
        if spec.maximum is not None and number > spec.maximum:
            yield Refusal(
                "maximum",
                f"{number} {name} would be more than {spec.maximum}",
                f"order {spec.maximum} at most",
            )
    yield from _one_of_a_group(edition, units)


def _one_of_a_group(edition: Edition, units: Mapping[str, int]) -> Iterator[Refusal]:
    first: dict[str, str] = {}
    for name, number in units.items():
        group = edition.offer.products[name].group
        if not number or group is None:
            continue
        if first.setdefault(group, name) != name:
            yield Refusal("one-of-a-group", f"{first[group]} and {name} at once", "order one of them")


def _not_sold(edition: Edition, units: Mapping[str, int], chosen: Mapping[str, str]) -> Iterator[Refusal]:
    for name, number in units.items():
        if number and unit_price(edition, edition.offer.products[name], chosen, number) is None:
            yield Refusal("not-sold", f"{name} is not sold with these options", "choose other ones")
