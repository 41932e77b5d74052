"""The kernel, column by column; `rating.rate` is its judge.

Owns the order of questions. Refuses to judge what is rare: an emergency, a leg without account, destination
or price, and a broken one go to the plain kernel, alone; none of them draws, so the order is kept. A leg that
is cut is cut by the plain kernel and draws with the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rating.book import PoolKey
from rating.columns.arrays import NOBODY, Flags, Ints
from rating.columns.draw import Balances, Segments
from rating.columns.index import Index
from rating.columns.legs import Legs
from rating.columns.listing import UNLISTED
from rating.columns.result import Block, Names, RatedColumns
from rating.periods import FIRST_US, LAST_US, SECOND_US
from rating.rate import EMERGENCY, LONGEST_LEG_S, Segment, cut, rate_leg
from rating.rated import Quarantined, RatedLeg

TURNS = 16  # stretches of an account that its legs in a block ask for in common; beyond, each leg asks alone
BLOCK = 1 << 16  # legs at once: their columns stay near the core


@dataclass(slots=True)
class _Priced:
    """Columns of the legs of a block that have a price at their answer."""

    row: Ints
    account: Ints
    answered_us: Ints
    ended_us: Ints
    limit_s: Ints
    destination: Ints
    key: Ints
    stretch: Ints
    terms: Ints

    def only(self, kept: Flags) -> "_Priced":
        """Return some of them."""
        if kept.all():
            return self
        return _Priced(
            self.row[kept],
            self.account[kept],
            self.answered_us[kept],
            self.ended_us[kept],
            self.limit_s[kept],
            self.destination[kept],
            self.key[kept],
            self.stretch[kept],
            self.terms[kept],
        )


def rate_columns(legs: Legs, index: Index, balances: Mapping[PoolKey, int]) -> RatedColumns:
    """Rate legs in the order given; the same as `rating.rate.rate`.

    Args:
        legs: one or a million.
        index: what its book answered so far.
        balances: seconds used so far of each pool.

    Raises:
        ColumnRangeError: a price, an allowance or a balance is too large for a column; `rate` has no limit.
    """
    index.bound()
    now = Balances(index, balances)
    blocks = [
        _rate_block(legs.part(start, start + BLOCK), index, now) for start in range(0, len(legs), BLOCK)
    ]
    return RatedColumns(blocks=tuple(blocks), used=now.drawn())


def _rate_block(legs: Legs, index: Index, now: Balances) -> Block:
    priced = _priced(legs, index)
    talk_s = -((priced.answered_us - priced.ended_us) // SECOND_US)
    billable_s = _billable_seconds(talk_s, priced, index)
    last_us = priced.answered_us + (np.minimum(talk_s, billable_s) - 1) * SECOND_US
    cuts, kept = _cut(legs, index, priced, billable_s, last_us)
    if kept is not None:
        priced, billable_s = priced.only(kept), billable_s[kept]
    segments, first_segment = _segments(index, priced, billable_s, cuts)
    segments.draw(now)
    segments.lift(first_segment, priced.terms)
    pieces, first_piece, amount_micro = segments.pieces(first_segment, len(priced.row))
    connection_micro = index.terms.connection_micro.cells[priced.terms]
    return Block(
        legs=legs,
        names=Names(accounts=index.accounts, terms=index.terms_list, slots=index.slot_pools),
        row=priced.row,
        account=priced.account,
        terms=priced.terms,
        duration_us=priced.ended_us - priced.answered_us,
        billable_s=billable_s,
        connection_micro=connection_micro,
        amount_micro=amount_micro + connection_micro,
        first_piece=first_piece,
        pieces=pieces,
        others=_others(legs, index, priced.row),
    )


def _priced(legs: Legs, index: Index) -> _Priced:
    """Find the legs that are sound and have a price at their answer."""
    account = np.fromiter(map(index.payers.__getitem__, legs.payer), dtype=np.int64, count=len(legs))
    destination, key = _destinations(legs.number, account, index)
    answered_us, ended_us = legs.answered_us, legs.ended_us
    sound = (account != NOBODY) & (destination != NOBODY) & (legs.limit_s >= 0) & ~legs.indeterminate
    sound &= (answered_us >= FIRST_US) & (answered_us < LAST_US)
    sound &= (ended_us >= answered_us) & (ended_us <= answered_us + LONGEST_LEG_S * SECOND_US)
    sound[_emergencies(legs.why)] = False
    nothing = np.zeros(len(legs), dtype=np.int64)
    priced = _Priced(
        np.arange(len(legs), dtype=np.int64),
        account,
        answered_us,
        ended_us,
        legs.limit_s,
        destination,
        key,
        nothing,
        nothing,
    ).only(sound)
    priced.stretch = _stretches(priced, index)
    shape = index.stretches.shape.cells[priced.stretch]
    priced.terms = index.terms_numbers(shape, priced.destination, priced.key)
    return priced.only(priced.terms != NOBODY)


def _destinations(numbers: Sequence[str], account: Ints, index: Index) -> tuple[Ints, Ints]:
    """Look numbers up; those that may be short, and those that are none, one by one.

    Returns:
        Their destinations, and the keys by which price lists know them.
    """
    destination, lengths, digits, key = index.numbers.look_up(numbers)
    key[~digits] = UNLISTED
    in_words = np.flatnonzero((lengths <= index.longest_short.cells[account]) | ~digits)
    for row in in_words.tolist():
        if account[row] != NOBODY:
            destination[row] = index.short_number(int(account[row]), numbers[row])
    return destination, key


def _emergencies(why: Sequence[str]) -> list[int]:
    if EMERGENCY not in why:
        return []
    return [row for row, one in enumerate(why) if one == EMERGENCY]


def _stretches(priced: _Priced, index: Index) -> Ints:
    """Find what is in force at the answers: nearly always what was last asked for, or the one before it.

    Where it is not, one leg of each account asks and the others look again: at the edge of a band all miss.
    """
    stretch = index.latest.cells[priced.account]
    missed = np.flatnonzero(~_holds(index, stretch, priced.answered_us))
    if len(missed):
        stretch[missed] = index.before.cells[priced.account[missed]]
        missed = missed[~_holds(index, stretch[missed], priced.answered_us[missed])]
    for _ in range(TURNS):
        if not len(missed):
            return stretch
        accounts, first = np.unique(priced.account[missed], return_index=True)
        for account, leg in zip(accounts.tolist(), missed[first].tolist(), strict=True):
            index.stretch_number(account, int(priced.answered_us[leg]))
        stretch[missed] = index.latest.cells[priced.account[missed]]
        missed = missed[~_holds(index, stretch[missed], priced.answered_us[missed])]
    for place in missed.tolist():
        stretch[place] = index.stretch_number(int(priced.account[place]), int(priced.answered_us[place]))
    return stretch


def _holds(index: Index, stretch: Ints, instant_us: Ints) -> Flags:
    starts, ends = index.stretches.start_us.cells[stretch], index.stretches.end_us.cells[stretch]
    holds: Flags = (starts <= instant_us) & (instant_us < ends)
    return holds


def _billable_seconds(talk_s: Ints, priced: _Priced, index: Index) -> Ints:
    """Raise to the first increment, beyond it in steps of the next, and never beyond the limit."""
    first_s = index.terms.first_s.cells[priced.terms]
    next_s = index.terms.next_s.cells[priced.terms]
    steps = (np.maximum(talk_s - first_s, 0) + next_s - 1) // next_s
    billable_s = np.where(talk_s > 0, first_s + steps * next_s, 0)
    limited = priced.limit_s > 0
    return np.where(limited, np.minimum(billable_s, priced.limit_s), billable_s)


def _cut(
    legs: Legs, index: Index, priced: _Priced, billable_s: Ints, last_us: Ints
) -> tuple[Mapping[int, list[Segment]], Flags | None]:
    """Cut the legs of which a second begins behind the end of their stretch.

    Returns:
        The segments of those, by place, and which legs to keep: one that has no price further on goes. None:
        all are kept. Places are those of the legs that are kept.
    """
    places = np.flatnonzero(last_us >= index.stretches.end_us.cells[priced.stretch])
    cuts: dict[int, list[Segment]] = {}
    gone: list[int] = []
    for place in places.tolist():
        destination = index.numbers.destinations[int(priced.destination[place])]
        leg = legs.leg(int(priced.row[place]))
        account = index.accounts[int(priced.account[place])]
        segments = cut(leg, index.book, account, destination, int(billable_s[place]))
        if isinstance(segments, Quarantined):
            gone.append(place)
        else:
            cuts[place - len(gone)] = segments
    if not gone:
        return cuts, None
    kept = np.ones(len(priced.row), dtype=np.bool_)
    kept[gone] = False
    return cuts, kept


def _segments(
    index: Index, priced: _Priced, billable_s: Ints, cuts: Mapping[int, list[Segment]]
) -> tuple[Segments, Ints | None]:
    """Make a segment of every leg, several of one that is cut, none of one without a second.

    Returns:
        The segments, and where those of each leg begin (one more than there are legs), None if each has one.
    """
    if not cuts and billable_s.all():
        whole = Segments(index, priced.answered_us.copy(), billable_s.copy(), priced.stretch, priced.terms)
        return whole, None
    count = np.minimum(billable_s, 1)
    for place, parts in cuts.items():
        count[place] = len(parts)
    first = np.zeros(len(count) + 1, dtype=np.int64)
    np.cumsum(count, out=first[1:])
    columns = [
        np.repeat(column, count) for column in (priced.answered_us, billable_s, priced.stretch, priced.terms)
    ]
    start_us, seconds, stretch, terms = columns
    for place, parts in cuts.items():
        account, destination = int(priced.account[place]), priced.destination[place : place + 1]
        key = priced.key[place : place + 1]
        for number, part in enumerate(parts, int(first[place])):
            start_us[number], seconds[number] = part.start_us, part.seconds
            stretch[number] = index.stretch_number(account, part.start_us)
            shape = index.stretches.shape.cells[stretch[number : number + 1]]
            terms[number] = index.terms_numbers(shape, destination, key)[0]
    return Segments(index, start_us, seconds, stretch, terms), first


def _others(legs: Legs, index: Index, rows: Ints) -> Mapping[int, RatedLeg | Quarantined]:
    """Let the plain kernel judge every leg that has no price here."""
    if len(rows) == len(legs):
        return {}
    other = np.ones(len(legs), dtype=np.bool_)
    other[rows] = False
    used: dict[PoolKey, int] = {}
    found = {row: rate_leg(legs.leg(row), index.book, {}, used) for row in np.flatnonzero(other).tolist()}
    assert not used, "a leg without a price has drawn"
    return found
