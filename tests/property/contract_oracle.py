"""What contracts cost, worked out the slow way: day by day, from what was agreed and nothing else.

Owns the integral of the price. It reads answers (accepted or not, what was agreed, the last day) and what was
held back; it asks no state, lot, line or cut, and looks prices up in the catalogue by itself.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from rating.contract import facts
from rating.contract.answer import Answer
from rating.contract.edition import Edition, in_force
from rating.contract.history import History
from rating.contract.passing import Happened
from rating.contract.state import ChoicePart, Part, ProductPart
from rating.contract.wish import Change
from rating.offer import ProductSpec
from tests.property.contract_stories import DAY, UNTIL, Story

Charged = dict[tuple[str, date], list[tuple[int, int]]]
"""(product, day) → units and price of a month, for each price that is charged on it."""


@dataclass
class Agreed:
    """One contract, from its first day to its last one.

    Attributes:
        units: product, number, first day, and first day that is charged.
        chosen: choice, option, first day; later ones count, and those of the signing are older than all.
        editions: versions with their first days.
        last: None while nobody gave notice.
        void: withdrawn: it costs nothing.
    """

    first: date
    units: list[tuple[str, int, date, date]]
    chosen: list[tuple[str, str, date]]
    editions: list[tuple[Edition, date]]
    once: list[tuple[str, int]] = field(default_factory=list)
    last: date | None = None
    void: bool = False

    def edition(self, day: date) -> Edition:
        """Version on a day."""
        return [one for one, first in self.editions if first <= day][-1]

    def choices(self, day: date) -> dict[str, str]:
        """Option of each choice on a day."""
        offer = self.edition(day).offer
        given = {name: choice.default for name, choice in offer.choices.items() if choice.default is not None}
        begun = sorted((one for one in self.chosen if one[2] <= day), key=lambda one: one[2])
        return {**given, **{choice: option for choice, option, _ in begun}}

    def count(self, product: str, day: date) -> int:
        """Units of a product on a day."""
        spec = self.edition(day).offer.products[product]
        if spec.per is not None:
            chosen = self.choices(day)
            there = all(chosen.get(choice) == option for choice, option in spec.when.items())
            return self.count(spec.per, day) if there else 0
        return sum(units for name, units, first, _ in self.units if name == product and first <= day)


def contracts(story: Story) -> list[Agreed]:
    """Give the contracts of a story: the one that was signed, and those to which it moved."""
    past = story.past
    held = [one.part for one in past.entries if isinstance(one, Happened) and one.what == "held-back"]
    kept = _stayed(past)
    found: list[Agreed] = []
    target: tuple[Edition, Change] | None = None
    for answer in past.answers:
        if found and found[-1].last is not None and target is not None and answer.fact.on > found[-1].last:
            found.append(_begun(found[-1].last + DAY, *target))
            target = None
        if answer.outcome != "accepted":
            continue
        deed = answer.fact.deed
        if isinstance(deed, facts.Sign):
            edition = in_force(story.offers[story.customer.catalogue], answer.fact.on)
            assert edition is not None
            found.append(_begun(max(answer.fact.on, deed.begins or answer.fact.on), edition, deed.change))
        elif isinstance(deed, facts.Order):
            _order(found[-1], answer, held)
        elif isinstance(deed, facts.Cancel | facts.Processed | facts.Move | facts.Withdraw):
            assert answer.ending is not None
            stays = answer.ending.last + DAY in kept
            found[-1].last = None if stays else answer.ending.last
            if isinstance(deed, facts.Move):
                edition = in_force(story.offers[deed.catalogue], answer.fact.on)
                assert edition is not None
                target = edition, deed.change
            if stays or isinstance(deed, facts.Withdraw):
                found[-1].void, target = isinstance(deed, facts.Withdraw), None
    if target is not None and found[-1].last is not None and found[-1].last + DAY <= UNTIL:
        found.append(_begun(found[-1].last + DAY, *target))
    return found


def _stayed(past: History) -> set[date]:
    """Give the days on which a move, and not a part of an order, was held back."""
    happened = [one for one in past.entries if isinstance(one, Happened)]
    return {one.on for one in happened if one.what == "held-back" and one.part is None}


def due(story: Story) -> Charged:
    """Go day by day and write down what each day costs."""
    found: Charged = defaultdict(list)
    for one in contracts(story):
        if one.void:
            continue
        for day in _days(one.first, one.last):
            _charge(found, one, day, day)
        if one.last is not None and one.first <= one.last < UNTIL:
            offer = one.edition(one.last).offer
            later = one.last + DAY
            while offer.billing.last_month == "full-month" and later.month == one.last.month:
                _charge(found, one, later, one.last)
                later += DAY
        _charge_before(found, one)
    return found


def once(story: Story) -> int:
    """What services cost, and what costs something when it is ordered, beyond a contract's free firsts."""
    amount = 0
    for one in contracts(story):
        ordered: dict[str, int] = defaultdict(int)
        for product, units in one.once if not one.void else ():
            spec = one.editions[0][0].offer.products[product]
            free = max(0, spec.first_free - ordered[product])
            ordered[product] += units
            amount += max(0, units - free) * spec.price_once
    return amount


def _begun(first: date, edition: Edition, change: Change) -> Agreed:
    """Give what a contract begins with."""
    products = edition.offer.products
    units = {name: spec.comes_with for name, spec in products.items() if spec.comes_with} | dict(change.add)
    return Agreed(
        first=first,
        units=[
            (name, number, first, _first_charged(edition, products[name], first))
            for name, number in units.items()
            if not _done_once(products[name])
        ],
        chosen=[(choice, options[0], date.min) for choice, options in change.choose.items()],
        editions=[(edition, first)],
        once=list(units.items()),
    )


def _first_charged(edition: Edition, spec: ProductSpec, first: date) -> date:
    own = spec.more is not None and spec.more.charged == "full-month"
    return first.replace(day=1) if own or edition.offer.billing.first_month == "full-month" else first


def _done_once(spec: ProductSpec) -> bool:
    return spec.price_per_month is None and not spec.tiers and not spec.prices and spec.buy_out is None


def _order(agreed: Agreed, answer: Answer, held: list[Part | None]) -> None:
    """Add what was agreed with an order, and what of it was held back on its day not."""
    assert answer.quote is not None
    agreed.once += answer.quote.plan.once
    for part in answer.quote.plan.parts:
        if isinstance(part, ChoicePart):  # what was ordered before and has not begun is taken back
            ordered = answer.fact.on
            agreed.chosen = [one for one in agreed.chosen if one[0] != part.choice or one[2] <= ordered]
        if any(one is part for one in held):
            continue
        if isinstance(part, ProductPart):
            agreed.units.append((part.product, part.quantity, part.begins, part.charged_from))
        elif isinstance(part, ChoicePart):
            agreed.chosen.append((part.choice, part.option, part.begins))
        else:
            agreed.editions.append((part.edition, part.begins))
            agreed.editions.sort(key=lambda one: one[1])


def _days(first: date, last: date | None) -> Iterator[date]:
    day = first
    while day < UNTIL and (last is None or day <= last):
        yield day
        day += DAY


def _charge(found: Charged, agreed: Agreed, day: date, as_on: date) -> None:
    """Charge a day by what the contract has on it, or had on its last one."""
    edition, chosen = agreed.edition(as_on), agreed.choices(as_on)
    for name, spec in edition.offer.products.items():
        units = 0 if _done_once(spec) else agreed.count(name, as_on)
        price = unit_price(edition, spec, chosen, units) if units > spec.included else 0
        if price:
            found[name, day].append((units - spec.included, price))


def _charge_before(found: Charged, agreed: Agreed) -> None:
    """Charge the days of a month before what began in it, where its first month is charged in full."""
    for product, units, begins, charged_from in agreed.units:
        if units < 0 or begins >= UNTIL or (agreed.last is not None and begins > agreed.last):
            continue
        edition, day = agreed.edition(begins), charged_from
        there = agreed.count(product, begins)
        price = unit_price(edition, edition.offer.products[product], agreed.choices(begins), there)
        while day < begins and price:
            found[product, day].append((units, price))
            day += DAY


def unit_price(edition: Edition, spec: ProductSpec, chosen: Mapping[str, str], units: int) -> int:
    """Price of a unit and month, found the slow way."""
    if any(chosen.get(choice) != option for choice, option in spec.when.items()):
        return 0
    found = edition.buy_outs[spec.buy_out] if spec.buy_out else spec.price_per_month or 0
    for tier in spec.tiers:
        found = tier.price_per_month if units >= tier.least else found
    for row in spec.prices:
        if all(chosen.get(choice) == option for choice, option in row.when.items()):
            found = row.price_per_month
    return found


def usage(past: History) -> int:
    """What calls cost that were charged."""
    return sum(one.charged_micro or 0 for one in past.answers)
