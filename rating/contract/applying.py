"""Parts of a change become part of a contract.

Owns how lots and periods change. Refuses to judge whether they may.
"""

from collections.abc import Iterable
from dataclasses import replace

from rating.contract.calendar import DAY
from rating.contract.state import ChoicePart, Lot, Part, Period, ProductPart, State, VersionPart, period


def apply_parts(state: State, parts: Iterable[Part]) -> State:
    """Apply what has begun, and keep in mind what has not."""
    for part in sorted(parts, key=lambda one: one.begins):
        if isinstance(part, ChoicePart):
            state = _without_pending(state, part.choice)
        if part.begins <= state.today:
            state = apply_part(state, part)
        else:
            state = replace(state, pending=tuple(sorted((*state.pending, part), key=_order)))
    return state


def apply_now(state: State, parts: Iterable[Part]) -> State:
    """Apply everything, as if its days had come: for looking ahead."""
    replaced = {part.choice for part in parts if isinstance(part, ChoicePart)}
    pending = [
        part for part in state.pending if not (isinstance(part, ChoicePart) and part.choice in replaced)
    ]
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
        state = replace(state, edition=part.edition)
        given = {name: one.default for name, one in part.edition.offer.choices.items() if one.default}
        chosen = {**given, **found.choices}
        return _with_period(state, replace(found, first=part.begins, edition=part.edition, choices=chosen))
    chosen = {**found.choices, part.choice: part.option}
    return _with_period(state, replace(found, first=part.begins, choices=chosen))


def _order(part: Part) -> tuple[object, ...]:
    """By day; what goes before what comes; then by what it is, so that the order never depends on chance."""
    if isinstance(part, ProductPart):
        return part.begins, part.quantity > 0, part.product, part.quantity
    name = part.choice if isinstance(part, ChoicePart) else part.edition.name
    return part.begins, False, name, 0


def _without_pending(state: State, choice: str) -> State:
    left = (part for part in state.pending if not (isinstance(part, ChoicePart) and part.choice == choice))
    return replace(state, pending=tuple(left))


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
    left, lots = -part.quantity, []
    last = part.begins - DAY
    for lot in reversed(state.lots):
        if lot.product != part.product or lot.last is not None or not left:
            lots.append(lot)
            continue
        gone = min(left, lot.quantity)
        left -= gone
        lots.append(replace(lot, quantity=gone, last=last, charged_until=last))
        if gone < lot.quantity:
            lots.append(replace(lot, quantity=lot.quantity - gone))
    return replace(state, lots=tuple(reversed(lots)))
