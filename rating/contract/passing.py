"""What happens by itself as days pass: what was ordered begins, months are charged, contracts end.

Owns the order of these on one day: an end first, then what begins, then the first of the month. Refuses what
people do (`rating.contract.history`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from rating.contract.applying import apply_part, without_choice
from rating.contract.billing import (
    Booked,
    Movement,
    charge_once,
    move_credit,
    settle,
    settle_whole,
    turn_month,
)
from rating.contract.calendar import DAY, month_end
from rating.contract.change import in_use_too_much
from rating.contract.edition import charged_from
from rating.contract.ending import Step, term_over, term_steps
from rating.contract.lacking import fraction, missing
from rating.contract.state import (
    ChoicePart,
    Lot,
    Part,
    Period,
    ProductPart,
    State,
    VersionPart,
    moves_to_credit,
)
from rating.contract.version import lost
from rating.contract.wish import Refusal, Selection
from rating.periods import next_month

MOST_DAYS = 40_000  # on which something happens in one history: more than a hundred years of days


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that happened by itself.

    Attributes:
        what: begun, held-back, prolonged, ended.
        part: that began or was held back.
        until: last day of a term, or of the contract.
        steps: the way to that day.
        refusals: why it was held back.
    """

    on: date
    what: str
    part: Part | None = None
    until: date | None = None
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()


Entry = Booked | Happened


def advance(state: State, day: date) -> tuple[State, tuple[Entry, ...]]:
    """Let everything happen that happens by itself up to the end of a day."""
    entries: list[Entry] = []
    for _ in range(MOST_DAYS):
        coming = following(state)
        if coming > day:
            break
        state, more = _on(replace(state, today=coming), coming)
        entries += more
    return replace(state, today=max(day, state.today)), tuple(entries)


def begin(state: State, chosen: Selection, day: date) -> State:
    """Begin a contract on a day, which may be in the future."""
    products = chosen.edition.offer.products
    lots = tuple(
        Lot(
            product=name,
            quantity=units,
            first=day,
            charged_from=charged_from(chosen.edition, products[name], day),
        )
        for name, units in chosen.products.items()
        if units and not products[name].once_only
    )
    period = Period(first=day, edition=chosen.edition, choices=dict(chosen.choices))
    state = replace(
        state,
        edition=chosen.edition,
        first=day,
        ending=None,
        notice=None,
        moves_to=None,
        lots=(*state.lots, *lots),
        periods=(*(one for one in state.periods if one.first != day), period),
        once={},
        charged_once=(),
    )
    for name, units in chosen.once:
        state = charge_once(state, name, units, state.today)
    return state


def following(state: State) -> date:
    """The next day on which something happens by itself."""
    after = state.today + DAY
    days = [next_month(state.today)]
    days += [max(after, part.begins) for part in state.pending]
    if state.first is not None and state.first >= after:
        days.append(state.first)
    if state.last is not None and not state.ended:
        days.append(max(after, state.last + DAY))
    over = _term(state, max(state.today, state.first or state.today))
    if over is not None:
        days.append(over + DAY)
    return min(days)


def _on(state: State, day: date) -> tuple[State, tuple[Entry, ...]]:
    entries: list[Entry] = []
    if state.last is not None and day == state.last + DAY and not state.ended:
        state, more = _over(state, day)
        entries += more
    if _term(state, day - DAY) == day - DAY:
        entries.append(_prolonged(state, day))
    for part in state.pending:
        if part.begins <= day and not (isinstance(part, VersionPart) and part.along):
            state, more = _begin_part(state, part, day)
            entries += more
    if day.day == 1:
        state, booked = turn_month(state, day)
        entries += booked
    return state, tuple(entries)


def _prolonged(state: State, day: date) -> Happened:
    assert state.first is not None, "a contract with a term has begun"
    terms, calendar = state.edition.offer.terms, state.calendar
    words = f"the term was over on {day - DAY}, and no notice had been received"
    steps = term_steps(terms, first=state.first, day=day, calendar=calendar)
    over = Step("over", day - DAY, words)
    return Happened(on=day, what="prolonged", until=_term(state, day), steps=(over, *steps))


def _begin_part(state: State, part: Part, day: date) -> tuple[State, tuple[Entry, ...]]:
    """Begin what was ordered, an option with its version, if its conditions hold on its day, too."""
    version = _along(state, part)
    left = tuple(one for one in state.pending if one is not part and one is not version)
    newer = version is not None and version.edition.version > state.edition.version
    together = (part, version) if version is not None and newer else (part,)
    after = replace(state, pending=left)
    for one in together:
        after = apply_part(after, one)
    refusals = _in_the_way(replace(state, pending=left), after, together, day)
    if not refusals:
        return after, tuple(Happened(on=day, what="begun", part=one) for one in together)
    pending = tuple(one for one in state.pending if one is not part)
    pending = without_choice(pending, part.choice) if isinstance(part, ChoicePart) else pending
    held = together if version is not None and len(version.along) == 1 else (part,)
    happened = (Happened(on=day, what="held-back", part=one, refusals=refusals) for one in held)
    return replace(state, pending=pending), tuple(happened)


def _along(state: State, part: Part) -> VersionPart | None:
    """Give the version that was ordered with an option and has not begun with another one."""
    choice = part.choice if isinstance(part, ChoicePart) else ""
    versions = (one for one in state.pending if isinstance(one, VersionPart))
    return next((one for one in versions if choice in one.along), None)


def _in_the_way(state: State, after: State, together: Sequence[Part], day: date) -> tuple[Refusal, ...]:
    """Find what forbids that parts begin: what is in use, or what their version does not have."""
    version = any(isinstance(one, VersionPart) for one in together)
    gives_up = any(
        not one.up if isinstance(one, ChoicePart) else isinstance(one, ProductPart) and one.quantity < 0
        for one in together
    )
    refusals = lost(state.edition, after, day) if version else ()
    if refusals or not (version or gives_up):
        return refusals
    return in_use_too_much(replace(state, today=day - DAY), after, day, {})


def lost_by_moving(state: State, day: date) -> tuple[Refusal, ...]:
    """Find what is in use and would not be allowed under the other catalogue, from its first day on."""
    if state.moves_to is None:
        return ()
    return in_use_too_much(state, begin(replace(state, lots=(), pending=()), state.moves_to, day), day, {})


def lacking_to_move(state: State, day: date) -> int:
    """What a credit lacks for what a move takes from it on its day, as a signing would."""
    if not moves_to_credit(state):
        return 0
    after, _ = _end(state, day)
    return max(0, -after.balance_micro)


def _over(state: State, day: date) -> tuple[State, tuple[Entry, ...]]:
    """End a contract, unless what follows it would take away what is in use: then it goes on."""
    refusals = lost_by_moving(state, day)
    lacking = lacking_to_move(state, day)
    refusals += (missing(lacking),) if lacking else ()
    if not refusals or state.moves_to is None:
        return _end(state, day)
    words = f"does not move to {state.moves_to.edition.name}: {state.edition.name} goes on from {day}"
    held = Happened(on=day, what="held-back", steps=(Step("goes-on", day, words),), refusals=refusals)
    return replace(state, ending=None, notice=None, moves_to=None), (held,)


def _end(state: State, day: date) -> tuple[State, tuple[Entry, ...]]:
    """End a contract; what follows it begins."""
    last = day - DAY
    full = state.edition.offer.billing.last_month == "full-month"
    until = month_end(last) if full else last
    lots = tuple(_ended(lot, last, until) if lot.last is None else lot for lot in state.lots)
    pending = () if state.moves_to is None else tuple(p for p in state.pending if p.begins < day)
    periods = (*state.periods[:-1], *(replace(one, last=last) for one in state.periods[-1:]))
    state = replace(state, lots=lots, periods=periods, pending=pending, ended=state.moves_to is None)
    steps = state.ending.steps if state.ending is not None else ()
    entries: list[Entry] = [Happened(on=day, what="ended", until=last, steps=steps)]
    state, booked = settle_whole(state, day)  # before the rest goes back
    entries += booked
    prepaid = state.edition.offer.billing.prepaid
    if prepaid is not None and prepaid.refund and not moves_to_credit(state):
        state, movements = _due_back(state, day)
        entries += movements
    if state.moves_to is not None:
        state = begin(state, state.moves_to, day)
        state, booked = settle(state, day, "debit")
        entries += booked
    return state, tuple(entries)


def _due_back(state: State, day: date) -> tuple[State, tuple[Movement, ...]]:
    """Give back what is left of a credit in cents; less than one is written off under its own name."""
    if state.balance_micro <= 0:
        return state, ()
    rest_micro, movements = fraction(state.balance_micro), list[Movement]()
    for what, amount_micro in (("fraction", rest_micro), ("refund", state.balance_micro - rest_micro)):
        if amount_micro:
            state, movement = move_credit(state, day, what, -amount_micro)
            movements.append(movement)
    return state, tuple(movements)


def _ended(lot: Lot, last: date, charged_until: date) -> Lot:
    """End a lot; one that has not begun by then, in a contract given up before, never does."""
    return replace(lot, last=last, charged_until=charged_until, void=lot.void or lot.first > last)


def _term(state: State, day: date) -> date | None:
    """Last day of the term that runs on a day, while no end is in sight."""
    if state.first is None or state.ending is not None or state.ended or day < state.first:
        return None
    return term_over(state.edition.offer.terms, first=state.first, day=day)
