"""Drawing from allowances, a column at a time.

Owns the order in which segments draw, and the pieces that come of it. Refuses everything before and after:
which allowances cover a segment is in its terms, how much was used before comes from `Balances`.

The problem: what a segment finds in a pool depends on all that drew from it before, and what it leaves for
the next pool on what it found. But allowances of an account in a month are in one order, and every segment's
are a part of that order. So the first allowance is drawn by all its segments at once: what the n-th finds is
what was there minus the sum of what those before it wanted. Then the second, by those that still want
something, and so on. Where an account's allowances changed within a month, or two draw from one pool, there
is no such order; those few are drawn one by one, as the plain kernel does.
"""

from collections.abc import Mapping

import numpy as np

from rating.book import PoolKey
from rating.columns.arrays import Flags, Ints, fits
from rating.columns.index import Index
from rating.columns.result import MINIMUM, OVERFLOW, Pieces
from rating.periods import SECOND_US

_NOT_READ = -1
_HALF = 1 << 32  # a group and a place in a block fit into 31 bits each


class Balances:
    """Seconds used of each pool, read when first asked for."""

    def __init__(self, index: Index, balances: Mapping[PoolKey, int]) -> None:
        self._index = index
        self._balances = balances
        self._before = np.zeros(0, dtype=np.int64)
        self.now = np.zeros(0, dtype=np.int64)

    def read(self, pools: Ints) -> Ints:
        """Return what is used of some pools.

        Raises:
            ColumnRangeError: a balance does not fit.
        """
        if len(self.now) < len(self._index.pools):
            more = np.full(len(self._index.pools) - len(self.now) + 1024, _NOT_READ, dtype=np.int64)
            self.now = np.concatenate((self.now, more))
            self._before = np.concatenate((self._before, more))
        for pool in np.unique(pools[self.now[pools] == _NOT_READ]).tolist():
            used_s = fits(self._balances.get(self._index.pools[pool], 0))
            self.now[pool] = self._before[pool] = used_s
        return self.now[pools]

    def drawn(self) -> Mapping[PoolKey, int]:
        """Return the pools that were drawn from."""
        pools = np.flatnonzero(self.now != self._before)
        return self._index.used(self.now[pools], pools)


class Segments:
    """Segments of a block in order of legs and time; they draw, and what comes of it are pieces.

    Args:
        index: what their numbers mean.
        start_us: where each begins.
        wanted_s: seconds of each.
        stretch: in which each lies.
        terms: what each costs.
    """

    def __init__(self, index: Index, start_us: Ints, wanted_s: Ints, stretch: Ints, terms: Ints) -> None:
        self._index = index
        self._start_us = start_us
        self._wanted_s = wanted_s
        self._stretch = stretch
        self._terms = terms
        self._count = np.zeros(len(start_us), dtype=np.int64)
        self._made: list[tuple[Ints, ...]] = []

    def draw(self, balances: Balances) -> None:
        """Draw from every allowance; what is still wanted then is overflow."""
        covers = self._index.terms.covers.cells[self._terms]
        segments = np.flatnonzero(covers)
        if len(segments):
            group = self._index.stretches.group.cells[self._stretch[segments]]
            order = _in_groups(group)
            if order is not None:
                segments, group = segments[order], group[order]
            first = self._index.stretches.slots.cells[self._stretch[segments]]
            odd = self._odd(group, first)
            if odd is not None:
                self._draw_one_by_one(np.sort(segments[odd]), balances)
                segments, first = segments[~odd], first[~odd]
            self._draw_in_order(segments, first, covers[segments], balances)
        self._overflow()

    def lift(self, legs: Ints | None, terms: Ints) -> None:
        """Add what is missing to the least a leg costs, if a second of it is charged.

        Args:
            legs: as in `pieces`.
            terms: in force at the answer of each leg.
        """
        if not self._index.has_minimum:
            return
        first = legs if legs is not None else np.arange(len(terms) + 1, dtype=np.int64)
        segments, _, _, _, _, _, _, _, amount, _ = self._made[-1]  # overflow
        charged = np.zeros(len(self._count) + 1, dtype=np.int64)
        cost = np.zeros(len(self._count) + 1, dtype=np.int64)
        charged[segments + 1], cost[segments + 1] = 1, amount
        charged, cost = np.cumsum(charged)[first], np.cumsum(cost)[first]
        missing = self._index.terms.lifted_to_micro.cells[terms]
        missing -= cost[1:] - cost[:-1]
        lifted = np.flatnonzero((charged[1:] > charged[:-1]) & (missing > 0))
        last = first[lifted + 1] - 1
        nothing = np.zeros_like(last)
        self._make(
            last,
            (
                self._start_us[last] + self._wanted_s[last] * SECOND_US,  # what was drawn is behind it
                nothing,
                nothing + MINIMUM,
                nothing,
                nothing,
                nothing,
                missing[lifted],
                terms[lifted],
            ),
        )

    def pieces(self, legs: Ints | None, count: int) -> tuple[Pieces, Ints, Ints]:
        """Return all pieces, where those of each leg begin, and the amount of each leg's pieces.

        Args:
            legs: first segment of each leg and the end of the last one; None if there is one for each.
            count: of legs.
        """
        first = np.zeros(len(self._count) + 1, dtype=np.int64)
        np.cumsum(self._count, out=first[1:])
        columns = tuple(np.zeros(int(first[-1]), dtype=np.int64) for _ in range(8))
        for segments, nth, *made in self._made:
            places = first[segments] + nth
            for column, cells in zip(columns, made, strict=True):
                column[places] = cells
        start_us, seconds, slot, before_s, after_s, price, amount, terms = columns
        made_of = Pieces(
            start_us=start_us,
            seconds=seconds,
            slot=slot,
            before_s=before_s,
            after_s=after_s,
            price_per_minute_micro=price,
            amount_micro=amount,
            terms=terms,
        )
        first = first if legs is None else first[legs]
        assert len(first) == count + 1
        total = np.zeros(len(amount) + 1, dtype=np.int64)
        np.cumsum(amount, out=total[1:])
        return made_of, first, total[first[1:]] - total[first[:-1]]

    def _odd(self, group: Ints, first: Ints) -> Flags | None:
        """Find segments of groups in which allowances are not in one order; None if there are none."""
        changes = np.flatnonzero((group[1:] == group[:-1]) & (first[1:] != first[:-1]))
        odd = set(group[changes].tolist())
        if self._index.has_odd:
            odd.update(
                g for g, f in zip(group.tolist(), first.tolist(), strict=True) if self._index.is_odd(f)
            )
        return np.isin(group, np.array(sorted(odd), dtype=np.int64)) if odd else None

    def _draw_in_order(self, segments: Ints, first: Ints, covers: Ints, balances: Balances) -> None:
        """Draw the first allowance of every group, then the second; fixed and mobile are separate."""
        mobile = self._index.terms.mobile.cells[self._terms[segments]]
        for level in range(int(covers.max()).bit_length() if len(covers) else 0):
            wants = ((covers >> level) & 1 > 0) & (self._wanted_s[segments] > 0)
            for kind in (0, 1):
                drawing = np.flatnonzero(wants & (mobile == kind))
                if len(drawing):
                    self._draw_at_once(segments[drawing], first[drawing] + (2 * level + kind), balances)

    def _draw_at_once(self, segments: Ints, slots: Ints, balances: Balances) -> None:
        """Let segments draw from one slot each; those of one slot stand together, in order."""
        wanted_s = self._wanted_s[segments]
        begins = np.concatenate((np.zeros(1, dtype=np.int64), np.flatnonzero(slots[1:] != slots[:-1]) + 1))
        ends = np.concatenate((begins[1:], np.array([len(slots)], dtype=np.int64)))
        pools = self._index.slots.pool.cells[slots[begins]]
        used_s = balances.read(pools)
        left_s = np.maximum(self._index.slots.granted_s.cells[slots[begins]] - used_s, 0)
        sums = np.cumsum(wanted_s)
        before = sums[begins] - wanted_s[begins]
        found_s = np.repeat(left_s + before, ends - begins) - (sums - wanted_s)
        taken_s = np.minimum(np.maximum(found_s, 0), wanted_s)
        balances.now[pools] = used_s + np.minimum(left_s, sums[ends - 1] - before)
        if not taken_s.all():
            some = np.flatnonzero(taken_s)
            segments, slots, taken_s, found_s = segments[some], slots[some], taken_s[some], found_s[some]
        self._take(segments, slots, taken_s, found_s)

    def _draw_one_by_one(self, segments: Ints, balances: Balances) -> None:
        """Let segments draw in their order, each from all of its slots."""
        took: list[tuple[int, int, int, int]] = []
        for segment in segments.tolist():
            terms, stretch = self._terms[segment], self._stretch[segment]
            slot = int(self._index.stretches.slots.cells[stretch] + self._index.terms.mobile.cells[terms])
            covers = int(self._index.terms.covers.cells[terms])
            wanted_s = int(self._wanted_s[segment])
            while covers and wanted_s:
                pool = self._index.slots.pool.cells[slot]
                used_s = int(balances.read(np.array([pool], dtype=np.int64))[0])
                found_s = int(self._index.slots.granted_s.cells[slot]) - used_s
                if covers & 1 and found_s > 0:
                    taken_s = min(found_s, wanted_s)
                    balances.now[pool] = used_s + taken_s
                    wanted_s -= taken_s
                    took.append((segment, slot, taken_s, found_s))
                covers >>= 1
                slot += 2
        for segment, slot, taken_s, found_s in took:
            self._take(*(np.array([cell], dtype=np.int64) for cell in (segment, slot, taken_s, found_s)))

    def _take(self, segments: Ints, slots: Ints, taken_s: Ints, found_s: Ints) -> None:
        nothing = np.zeros_like(taken_s)
        start_us = self._start_us[segments]
        self._make(
            segments,
            (start_us, taken_s, slots, found_s, found_s - taken_s, nothing, nothing, nothing),
        )
        self._start_us[segments] = start_us + taken_s * SECOND_US
        self._wanted_s[segments] -= taken_s

    def _overflow(self) -> None:
        """Charge what is still wanted: multiply, then divide, round once, as `rating.money` does."""
        segments = np.flatnonzero(self._wanted_s)
        terms, seconds = self._terms[segments], self._wanted_s[segments]
        price_micro = self._index.terms.price_micro.cells[terms]
        product = price_micro * seconds
        amount_micro = product // 60
        rest = product - amount_micro * 60
        odd = amount_micro & self._index.terms.half_even.cells[terms]
        amount_micro += rest >= self._index.terms.rounds_up_from.cells[terms] - odd
        nothing = np.zeros_like(seconds)
        self._make(
            segments,
            (
                self._start_us[segments],
                seconds,
                nothing + OVERFLOW,
                nothing,
                nothing,
                price_micro,
                amount_micro,
                terms,
            ),
        )

    def _make(self, segments: Ints, columns: tuple[Ints, ...]) -> None:
        self._made.append((segments, self._count[segments], *columns))
        self._count[segments] += 1


def _in_groups(group: Ints) -> Ints | None:
    """Return the order that brings groups together and changes nothing within them; None if they are."""
    if (group[1:] >= group[:-1]).all():
        return None
    places = np.sort(group * _HALF + np.arange(len(group), dtype=np.int64))
    places &= _HALF - 1
    return places
