"""What an order would change: from when, why then, and what stands in its way.

Owns the rules of ordering. Refuses to change a state (`rating.contract.applying`) and to price anything
(`rating.contract.quote`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rating.contract.applying import apply_now
from rating.contract.calendar import DAY
from rating.contract.edition import Edition, unit_price
from rating.contract.ending import Ending, Right, Step, ending
from rating.contract.state import (
    ChoicePart,
    Part,
    ProductPart,
    State,
    VersionPart,
    choices,
    kept,
    limited,
    period,
    rights,
)
from rating.contract.version import lost
from rating.contract.wish import Change, Refusal
from rating.finding import closest
from rating.offer import ChangeSpec, ProductSpec
from rating.periods import month_start, next_month


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a change comes to.

    Attributes:
        parts: what changes and from when.
        once: one-off services, and what costs something when it is ordered.
        refusals: why nothing of it is done; empty: it can be ordered.
        right: an earlier day by law, where a part is an end.
    """

    parts: tuple[Part, ...] = ()
    once: tuple[tuple[str, int], ...] = ()
    refusals: tuple[Refusal, ...] = ()
    right: Right | None = None


def plan(state: State, change: Change, day: date, newest: Edition | None) -> Plan:
    """Work out a change that is ordered on a day.

    Args:
        state: the contract.
        change: what is wanted.
        day: of the order.
        newest: version of the catalogue in force on this day.
    """
    refusals = list(names(state.edition, change))
    if refusals:
        return Plan(refusals=tuple(refusals))
    parts: list[Part] = [*_choices(state, change, day)]
    parts += _version(state, change, day, newest, parts)
    after = apply_now(state, parts)
    for product, units in change.remove.items():
        refusals += _not_kept(state, product, units)
        parts += _less(state, product, units, day) if not refusals else ()
    for product, units in change.add.items():
        refusals += _not_sold(state, after, product, units, day)
        parts += _more(state, product, units, day, change.remove) if not refusals else ()
    refusals += lost(state.edition, apply_now(state, parts), day)
    if not refusals:
        refusals += _in_the_way(state, parts, day, change.creates)
        refusals += _too_late(state, parts)
        if not parts and not any(_once(state, change)):
            refusals.append(
                Refusal("nothing-changes", "nothing would change", "say what should be different")
            )
    return Plan(parts=tuple(parts), once=tuple(_once(state, change)), refusals=tuple(refusals))


def in_use_too_much(state: State, after: State, day: date, creates: Mapping[str, int]) -> tuple[Refusal, ...]:
    """Find what the tenant has or uses and would no longer be allowed: all of it.

    Two offers are compared by names: what one of them does not name, it neither limits nor withholds.
    """
    if not (state.in_use or creates or state.features_in_use):
        return ()
    now, then = rights(state, state.today), rights(after, day)
    named, names = limited(state.edition.offer), limited(after.edition.offer)
    refusals = []
    for resource in dict.fromkeys((*state.in_use, *creates)):
        wanted = state.in_use.get(resource, 0) + creates.get(resource, 0)
        limit = then.limits.get(resource, 0) if resource in names or creates.get(resource) else wanted
        before = now.limits.get(resource, 0) if resource in named else wanted
        if wanted > limit and (limit < before or creates.get(resource)):
            refusals.append(
                Refusal(
                    "remove-first",
                    f"{wanted} {resource} are in use, and {limit} would be allowed",
                    f"remove {wanted - limit} {resource} first",
                )
            )
    had = state.features_in_use - (set(state.edition.offer.features) - set(now.features))
    lost = sorted(had & (set(after.edition.offer.features) - set(then.features)))
    refusals += [
        Refusal("remove-first", f"{feature} is in use and would be lost", f"remove {feature} first")
        for feature in lost
    ]
    return tuple(refusals)


def since(state: State, choice: str) -> date:
    """First day of the option that a contract has of a choice."""
    first = state.first or state.today
    option = choices(state, state.today).get(choice)
    for one in reversed(state.periods):
        if one.choices.get(choice) != option:
            break
        first = one.first
    return first


def names(edition: Edition, change: Change) -> Iterator[Refusal]:
    """Find names that the catalogue does not have, and several options at once."""
    offer = edition.offer
    for product in (*change.add, *change.remove):
        spec = offer.products.get(product)
        if spec is None:
            yield Refusal(
                "unknown-product",
                f"{edition.name} has no product {product}",
                closest(product, offer.products, "it has " + ", ".join(offer.products)),
            )
        elif spec.per is not None:
            yield Refusal("not-ordered", f"{product} comes with {spec.per}", f"order {spec.per}")
    for choice, options in change.choose.items():
        known = offer.choices.get(choice)
        if known is None:
            yield Refusal(
                "unknown-choice",
                f"{edition.name} has no choice {choice}",
                closest(choice, offer.choices, "it has " + (", ".join(offer.choices) or "none")),
            )
            continue
        if len(set(options)) > 1:
            words = known.one_for_all.en if known.one_for_all else f"a contract has one {choice}"
            yield Refusal("one-for-all", words, f"choose one of {', '.join(options)} for everybody")
        for option in options:
            if option not in known.options:
                remedy = closest(option, known.options, "it has " + ", ".join(known.options))
                yield Refusal("unknown-option", f"{choice} has no option {option}", remedy)


def _choices(state: State, change: Change, day: date) -> Iterator[ChoicePart]:
    for choice, (option, *_) in change.choose.items():
        current = choices(state, max(day, state.first or day))[choice]
        pending = any(isinstance(part, ChoicePart) and part.choice == choice for part in state.pending)
        if option == current:
            if pending:
                yield ChoicePart(
                    choice=choice,
                    before=current,
                    option=option,
                    begins=day,
                    usable=day,
                    up=False,
                    steps=(Step("taken-back", day, "what was ordered and has not begun is taken back"),),
                )
            continue
        spec = state.edition.offer.choices[choice]
        ranks = list(spec.options)
        if ranks.index(option) > ranks.index(current):
            begins, steps = _begin(state, spec.up, day)
            usable = day if spec.up.usable == "at-once" else begins
            steps, up = (*steps, *_usable_before(begins, usable)), True
        else:
            found = ending(spec.down, first=since(state, choice), received=day, calendar=state.calendar)
            begins, steps = found.last + DAY, found.steps
            usable, up = begins, False
        yield ChoicePart(
            choice=choice, before=current, option=option, begins=begins, usable=usable, up=up, steps=steps
        )


def _begin(state: State, rule: ChangeSpec, day: date) -> tuple[date, tuple[Step, ...]]:
    """Give the day on which more begins, and why."""
    first = max(day, state.first or day)
    if rule.begins == "next-month":
        first = next_month(first)
    words = "with the order" if rule.begins == "at-once" else "with the next month"
    return first, (Step(rule.begins, first, f"ordered on {day}, begins {words}: {first}"),)


def _version(
    state: State, change: Change, day: date, newest: Edition | None, parts: Sequence[Part]
) -> Iterator[VersionPart]:
    """Who changes a choice, or asks for it, changes to the version in force; everybody else stays."""
    changing = [part for part in parts if isinstance(part, ChoicePart) and part.option != part.before]
    if newest is None or newest is state.edition or not (change.newest or changing):
        return
    begins = min((part.begins for part in changing), default=max(day, state.first or day))
    words = f"who changes does so by the version in force: {newest.name} instead of {state.edition.name}"
    along = tuple(part.choice for part in changing)
    yield VersionPart(edition=newest, begins=begins, steps=(Step("version", begins, words),), along=along)


def _less(state: State, product: str, units: int, day: date) -> Iterator[ProductPart]:
    """Give up units, the newest first; all of them on the last day that any of them needs."""
    found = product_ending(state, product, units, day)
    begins = found.last + DAY
    yield ProductPart(
        product=product,
        quantity=-units,
        begins=begins,
        charged_from=begins,
        usable=begins,
        steps=found.steps,
    )


def product_ending(state: State, product: str, units: int, day: date) -> Ending:
    """Find when units of a product, the newest ones, end if they are given up on a day.

    What was ordered and has not begun is bound like the rest: it begins, and ends by the same rule.
    """
    spec = state.edition.offer.products[product]
    rule = spec.less or state.edition.offer.less
    endings = [
        ending(rule, first=first, received=max(day, first), calendar=state.calendar)
        for first in _newest(state, product, units)
    ]
    return max(endings, key=lambda one: one.last)


def _newest(state: State, product: str, units: int) -> list[date]:
    """First days of the newest units of those that run, or will, and are not given up already."""
    orders = [part for part in state.pending if isinstance(part, ProductPart) and part.product == product]
    there = [(lot.first, lot.quantity) for lot in state.lots if lot.product == product and lot.last is None]
    there += [(part.begins, part.quantity) for part in orders if part.quantity > 0]
    gone, firsts = sum(-part.quantity for part in orders if part.quantity < 0), list[date]()
    for first, quantity in reversed(there):
        left = max(0, quantity - gone)
        gone = max(0, gone - quantity)
        if left and units > 0:
            firsts.append(first)
            units -= left
    return firsts


def _more(
    state: State, product: str, units: int, day: date, removed: Mapping[str, int]
) -> Iterator[ProductPart]:
    spec = state.edition.offer.products[product]
    if spec.once_only:
        return
    rule = spec.more or state.edition.offer.more
    begins, steps = _begin(state, rule, day)
    if spec.group is not None:
        for part in _group_ends(state, product, spec, day, removed):
            if isinstance(part, ProductPart):
                yield part
                begins = max(begins, part.begins)
                steps = (
                    *part.steps,
                    Step("after", begins, f"begins when {part.product} has ended: {begins}"),
                )
            elif part > begins:
                begins = part
                steps = (Step("after", begins, f"begins when the one before has ended: {begins}"),)
    charged = month_start(begins) if rule.charged == "full-month" else begins
    usable = day if rule.usable == "at-once" else begins
    yield ProductPart(
        product=product,
        quantity=units,
        begins=begins,
        charged_from=charged,
        usable=usable,
        steps=(*steps, *_usable_before(begins, usable), *charged_in_full(spec, begins, charged)),
    )


def charged_in_full(spec: ProductSpec, begins: date, charged: date) -> tuple[Step, ...]:
    """Say that the month in which something begins is charged whole, where it costs something."""
    if charged >= begins or not (spec.price_per_month or spec.tiers or spec.prices or spec.buy_out):
        return ()
    words = f"the month in which it begins is charged in full: from {charged}"
    return (Step("full-month", charged, words),)


def _usable_before(begins: date, usable: date) -> tuple[Step, ...]:
    """Say that something may be used before it begins and is charged."""
    if usable >= begins:
        return ()
    words = f"may be used from the order on, {usable}, and is charged from {begins}"
    return (Step("usable", usable, words),)


def _group_ends(
    state: State, product: str, spec: ProductSpec, day: date, removed: Mapping[str, int]
) -> Iterator[ProductPart | date]:
    """Give what of the same group ends for this one, and first days without what is ending already."""
    for name, other in state.edition.offer.products.items():
        if other.group != spec.group or name == product:
            continue
        if kept(state, name) > 0 and name not in removed:
            yield from _less(state, name, kept(state, name), day)
        elif name in removed:
            yield product_ending(state, name, removed[name], day).last + DAY
        else:
            yield from (
                part.begins
                for part in state.pending
                if isinstance(part, ProductPart) and part.product == name and part.quantity < 0
            )


def _not_kept(state: State, product: str, units: int) -> Iterator[Refusal]:
    spec = state.edition.offer.products[product]
    there = kept(state, product)
    if there - units < spec.minimum or units > there:
        yield Refusal(
            "minimum",
            f"{there} {product} are there and {max(spec.minimum, 0)} must stay",
            f"give up {max(0, there - spec.minimum)} at most",
        )


def _not_sold(state: State, after: State, product: str, units: int, day: date) -> Iterator[Refusal]:
    """Find what is not sold by the version and with the options in force on the day of the order."""
    found = period(after, max(day, after.first or day))
    edition = found.edition if found is not None else state.edition
    spec = edition.offer.products.get(product)
    if spec is None:
        yield Refusal("version-lost", f"{edition.name} has no {product}", f"order without {product}")
        return
    if found is not None and unit_price(edition, spec, found.choices, 1) is None:
        yield Refusal("not-sold", f"{product} is not sold with these options", "choose other ones")
    if spec.maximum is not None and kept(state, product) + units > spec.maximum:
        yield Refusal(
            "maximum",
            f"{kept(state, product) + units} {product} would be more than {spec.maximum}",
            f"order {max(0, spec.maximum - kept(state, product))} at most",
        )


def _in_the_way(
    state: State, parts: Sequence[Part], day: date, creates: Mapping[str, int]
) -> tuple[Refusal, ...]:
    if not parts:
        return ()
    last = max(day, *(part.begins for part in parts))
    return in_use_too_much(state, apply_now(state, parts), last, creates)


def _too_late(state: State, parts: Sequence[Part]) -> Iterator[Refusal]:
    last = state.last
    begins = max((part.begins for part in parts), default=None)
    if last is not None and begins is not None and begins > last:
        yield Refusal(
            "ends-before",
            f"it would begin on {begins}, and the contract ends on {last}",
            "nothing has to be done: everything ends with the contract",
        )


def _once(state: State, change: Change) -> Iterator[tuple[str, int]]:
    for product, units in change.add.items():
        spec = state.edition.offer.products[product]
        if units and (spec.once_only or spec.price_once):
            yield product, units
