"""Parts of a change become part of a contract.

Owns how lots and periods change. Refuses to judge whether they may.
"""

from collections.abc import Sequence
from dataclasses import replace

from rating.contract.calendar import DAY
from rating.contract.state import ChoicePart, Lot, Part, Period, ProductPart, State, VersionPart, period


def apply_parts(state: State, parts: Sequence[Part]) -> State:
    """Apply what has begun, and keep in mind what has not."""
    state = replace(state, pending=_replaced(state, parts))
    for part in sorted(parts, key=lambda one: one.begins):
        if part.begins <= state.today:
            state = apply_part(state, part)
        else:
            state = replace(state, pending=tuple(sorted((*state.pending, part), key=_order)))
    return state


def apply_now(state: State, parts: Sequence[Part]) -> State:
    """Apply everything, as if its days had come: for looking ahead."""
    pending = _replaced(state, parts)
    state = replace(state, pending=())
    for part in sorted((*pending, *parts), key=_order):
        state = apply_part(state, part)
    return state


def apply_part(state: State, part: Part) -> State:
    """Apply one part, from its first day."""
    if isinstance(part, ProductPart):
        return _more(state, part) if part.quantity > 0 else _less(state, part)
    found = period(state, part.begins)
    assert found is not None, "a contract that has begun has periods"
    if isinstance(part, VersionPart):
        if part.edition.version <= found.edition.version:
            return state
        state = replace(state, edition=part.edition)
        given = {name: one.default for name, one in part.edition.offer.choices.items() if one.default}
        chosen = {**given, **found.choices}
        return _with_period(state, replace(found, first=part.begins, edition=part.edition, choices=chosen))
    chosen = {**found.choices, part.choice: part.option}
    return _with_period(state, replace(found, first=part.begins, choices=chosen))


def _order(part: Part) -> tuple[object, ...]:
    """By day; what goes, options, their version, what comes; then by name, so that chance says nothing."""
    if isinstance(part, ProductPart):
        return part.begins, 3 if part.quantity > 0 else 0, part.product, part.quantity
    if isinstance(part, ChoicePart):
        return part.begins, 1, part.choice, 0
    return part.begins, 2, part.edition.name, 0


def without_choice(pending: tuple[Part, ...], choice: str) -> tuple[Part, ...]:
    """Take a choice out of what is pending, and its version, if no other choice was ordered with it."""
    left = [part for part in pending if not (isinstance(part, ChoicePart) and part.choice == choice)]
    begins = {part.choice: part.begins for part in left if isinstance(part, ChoicePart)}
    found: list[Part] = []
    for part in left:
        if isinstance(part, VersionPart) and choice in part.along:
            along = tuple(one for one in part.along if one != choice)
            if along:
                found.append(replace(part, along=along, begins=min(begins[one] for one in along)))
        else:
            found.append(part)
    return tuple(sorted(found, key=_order))


def _replaced(state: State, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Give what stays pending when parts are ordered: of a choice the last order counts."""
    pending = state.pending
    for part in parts:
        if isinstance(part, ChoicePart):
            pending = without_choice(pending, part.choice)
    return pending


def _with_period(state: State, new: Period) -> State:
    earlier = tuple(one for one in state.periods if one.first != new.first)
    return replace(state, periods=tuple(sorted((*earlier, new), key=lambda one: one.first)))


def _more(state: State, part: ProductPart) -> State:
    lot = Lot(
        product=part.product,
        quantity=part.quantity,
        first=part.begins,
        charged_from=part.charged_from,
    )
    return replace(state, lots=(*state.lots, lot))


def _less(state: State, part: ProductPart) -> State:
    """End units, the newest first; a lot of which some stay is divided."""
    left, last = -part.quantity, part.begins - DAY
    older, newer = list(state.lots), list[Lot]()
    while left and older:
        lot = older.pop()
        if lot.product != part.product or lot.last is not None:
            newer.append(lot)
            continue
        gone = min(left, lot.quantity)
        left -= gone
        newer.append(replace(lot, quantity=gone, last=last, charged_until=last))
        if gone < lot.quantity:
            newer.append(replace(lot, quantity=lot.quantity - gone))
    return replace(state, lots=(*older, *reversed(newer)))
