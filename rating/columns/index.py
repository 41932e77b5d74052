"""What a book answered, as arrays: the law is asked once for many legs.

Owns the numbers that stand for payers, accounts, destinations, stretches, terms and pools, and what is known
about each. Refuses to answer anything itself: every price and every allowance comes from `Book.stretch` and
`Stretch.terms`. An index belongs to one book and is thrown away with it.

The problem: 50,000 accounts times a thousand destinations are too many questions. But accounts that booked
the same under the same tariff differ in nothing but whose seconds are drawn. So stretches of one *shape*
(tariff, bands, home country, what is booked) share their answers, and a *slot* says where an allowance of a
stretch is: two for each, fixed and mobile.

What price lists say of a number is a third side of the question. Of a hundred thousand rows few are called,
so those answers are *sparse*: a sorted column of questions beside one of answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import proxy

import numpy as np

from rating.book import Account, Book, PoolKey, Stretch, Terms
from rating.columns.arrays import NOBODY, Column, Ints, fits
from rating.columns.listing import Listing, listing_of
from rating.columns.numbers import MOST_DESTINATIONS, Numbers
from rating.destinations import Kind
from rating.money import Rounding
from rating.periods import month_start
from rating.price_table import Listed
from rating.rate import LONGEST_LEG_S

MOST_ALLOWANCES = 62  # of one account at a time: a bit each
MOST_ANSWERS = 1_000_000  # of one sort; beyond that all are asked again
MOST_SHAPES = 2_000  # 16 KB each

_NOT_ASKED = -2
_LISTED = 1 << 30  # what lists say, beside a shape and a destination in one number
# What is left of a division by 60 is rounded up from here on; half-even moves it by one for odd quotients.
_ROUNDS_UP_FROM = {Rounding.UP: 1, Rounding.DOWN: 60, Rounding.HALF_UP: 30, Rounding.HALF_EVEN: 31}


class _Payers(dict[str, int]):
    """Payer → number of the account, found when first asked."""

    def __init__(self, index: "Index") -> None:
        super().__init__()
        self._index = proxy(index)  # no circle: a book that is in force no more goes at once

    def __missing__(self, payer: str) -> int:
        account = self._index.book.account_of(payer)
        found = self[payer] = NOBODY if account is None else self._index.account_number(account)
        return found


@dataclass(slots=True)
class _Stretches:
    """What is known about stretches."""

    start_us: Column = field(default_factory=Column)
    end_us: Column = field(default_factory=Column)
    shape: Column = field(default_factory=Column)
    group: Column = field(default_factory=Column)  # account and month, or account: what shares pools
    slots: Column = field(default_factory=Column)  # the first one


@dataclass(slots=True)
class _Terms:
    """What is known about terms. `covers`: a bit for each allowance of the shape that pays for them."""

    first_s: Column = field(default_factory=Column)
    next_s: Column = field(default_factory=Column)
    connection_micro: Column = field(default_factory=Column)
    price_micro: Column = field(default_factory=Column)
    rounds_up_from: Column = field(default_factory=Column)
    half_even: Column = field(default_factory=Column)
    covers: Column = field(default_factory=Column)
    mobile: Column = field(default_factory=Column)
    lifted_to_micro: Column = field(default_factory=Column)  # the minimum, less the connection fee


@dataclass(slots=True)
class _Slots:
    """What is known about slots."""

    granted_s: Column = field(default_factory=Column)
    pool: Column = field(default_factory=Column)


class Index:
    """What a book answered so far."""

    def __init__(self, book: Book, numbers: Numbers | None = None) -> None:
        """Begin without answers.

        Args:
            book: what is in force.
            numbers: of its table of destinations, if somebody has built them already.

        Raises:
            ColumnRangeError: the table of destinations does not fit.
        """
        self.book = book
        self.numbers = numbers if numbers is not None else Numbers(book.destinations)
        assert self.numbers.table is book.destinations
        self.forget()

    def forget(self) -> None:
        """Forget every answer but those about numbers."""
        self.payers = _Payers(self)
        self.accounts: list[Account] = []
        self._account_numbers: dict[str, int] = {}
        self.longest_short = Column()  # of an account's country
        self.latest = Column()  # stretch of an account
        self.before = Column()  # and the one that was asked for before it
        self.stretches = _Stretches()
        self._stretch_numbers: dict[tuple[int, int], int] = {}
        self._shapes: dict[object, int] = {}
        self._groups: dict[object, int] = {}
        self._answers: Ints = np.zeros(0, dtype=np.int64)
        self._listings: list[Listing | None] = [None]
        self._listed_of_listing: list[Ints] = [np.zeros(1, dtype=np.int64)]
        self._listing_numbers: dict[tuple[int, ...], int] = {}
        self._listing_of_shape = Column()
        self._listed: list[Listed] = [()]
        self._listed_numbers: dict[Listed, int] = {}
        self._sparse_cells: Ints = np.zeros(0, dtype=np.int64)
        self._sparse_answers: Ints = np.zeros(0, dtype=np.int64)
        self._stretch_of_shape: list[Stretch] = []
        self.terms = _Terms()
        self.has_minimum = False  # of any terms
        self.terms_list: list[Terms] = []
        self._terms_numbers: dict[tuple[int, int], int] = {}
        self.slots = _Slots()
        self.slot_pools: list[tuple[str, str]] = []  # name and rule
        self._slot_numbers: dict[object, int] = {}
        self._odd: set[int] = set()
        self.pools: list[PoolKey] = []
        self._pool_numbers: dict[PoolKey, int] = {}
        self._short: dict[tuple[str, str], int] = {}

    def bound(self) -> None:
        """Forget when there is too much to remember. Never while a block is under way."""
        held = max(len(self.payers), len(self._stretch_numbers), len(self.pools), len(self._short))
        held = max(held, len(self._sparse_cells), len(self._listed))
        if held > MOST_ANSWERS or len(self._shapes) > MOST_SHAPES:
            self.forget()

    def account_number(self, account: Account) -> int:
        """Return the number of an account."""
        number = self._account_numbers.setdefault(account.account, len(self.accounts))
        if number == len(self.accounts):
            self.accounts.append(account)
            short = self.book.destinations.short.get(account.country)
            self.longest_short.append(short.longest if short is not None else 0)
            self.latest.append(self._no_stretch())
            self.before.append(self._no_stretch())
        return number

    def short_number(self, account: int, number: str) -> int:
        """Return the destination of a number that must be asked for in words."""
        country = self.accounts[account].country
        found = self._short.get((country, number))
        if found is None:
            found = self.numbers.destination_number(self.book.destinations.look_up(number, country))
            self._short[country, number] = found
        return found

    def stretch_number(self, account: int, instant_us: int) -> int:
        """Return the stretch of an account at an instant, and remember it as the latest one."""
        stretch = self.book.stretch(self.accounts[account], instant_us)
        number = self._stretch_numbers.get((account, stretch.start_us))
        if number is None:
            number = self._stretch_numbers[account, stretch.start_us] = self._add_stretch(account, stretch)
        if self.latest.cells[account] != number:
            self.before.cells[account] = self.latest.cells[account]
            self.latest.cells[account] = number
        return number

    def terms_numbers(self, shapes: Ints, destinations: Ints, keys: Ints) -> Ints:
        """Return the terms of numbers in stretches of some shapes.

        Args:
            shapes: of the stretches.
            destinations: of the numbers.
            keys: of the numbers, `UNLISTED` for what is not `+` and digits.
        """
        cells = shapes * MOST_DESTINATIONS + destinations
        if len(self._listings) == 1:
            return self._dense(cells)
        listed = self._say(shapes, keys)
        found, on_list = np.zeros_like(cells), listed > 0
        found[~on_list] = self._dense(cells[~on_list])
        found[on_list] = self._sparse(cells[on_list] * _LISTED + listed[on_list])
        return found

    def _dense(self, cells: Ints) -> Ints:
        """Return what destinations cost by zone."""
        found: Ints = self._answers[cells]
        asked = np.flatnonzero(found == _NOT_ASKED)
        if len(asked):
            for cell in np.unique(cells[asked]).tolist():
                self._answers[cell] = self._ask(cell, 0)
            found = self._answers[cells]
        return found

    def _sparse(self, cells: Ints) -> Ints:
        """Return what destinations cost of which lists say something."""
        new = np.setdiff1d(cells, self._sparse_cells)
        if len(new):
            answers = [self._ask(*divmod(cell, _LISTED)) for cell in new.tolist()]
            merged = np.concatenate((self._sparse_cells, new))
            order = np.argsort(merged)
            self._sparse_cells = merged[order]
            self._sparse_answers = np.concatenate((self._sparse_answers, np.array(answers, dtype=np.int64)))[
                order
            ]
        return self._sparse_answers[np.searchsorted(self._sparse_cells, cells)]

    def _say(self, shapes: Ints, keys: Ints) -> Ints:
        """Return what the lists say of numbers, as places in `_listed`; 0: nothing."""
        listings = self._listing_of_shape.cells[shapes]
        says = np.zeros_like(keys)
        for number in np.unique(listings).tolist():
            listing = self._listings[number]
            if listing is not None:
                here = np.flatnonzero(listings == number)
                found = np.searchsorted(listing.bounds, keys[here], side="right") - 1
                says[here] = self._listed_of_listing[number][found]
        return says

    def _listing_number(self, stretch: Stretch) -> int:
        """Return the number of the lists in force in a stretch; the book keeps their tables."""
        if not stretch.tables:
            return 0
        number = self._listing_numbers.setdefault(tuple(map(id, stretch.tables)), len(self._listings))
        if number == len(self._listings):
            listing = listing_of(stretch.tables)
            self._listings.append(listing)
            places = [self._listed_number(one) for one in listing.listed]
            self._listed_of_listing.append(np.array(places, dtype=np.int64))
        return number

    def _listed_number(self, listed: Listed) -> int:
        if not any(listed):
            return 0
        number = self._listed_numbers.setdefault(listed, len(self._listed))
        if number == len(self._listed):
            self._listed.append(listed)
            fits(number, _LISTED - 1)
        return number

    def is_odd(self, slots: int) -> bool:
        """Tell whether two allowances of a stretch draw from one pool."""
        return slots in self._odd

    @property
    def has_odd(self) -> bool:
        """Tell whether there is such a stretch at all."""
        return bool(self._odd)

    def used(self, totals: Ints, drawn: Ints) -> Mapping[PoolKey, int]:
        """Return what was drawn from pools."""
        return {self.pools[pool]: total for pool, total in zip(drawn.tolist(), totals.tolist(), strict=True)}

    def _no_stretch(self) -> int:
        """Return the stretch that holds no instant."""
        if not len(self.stretches.start_us):
            for column in (self.stretches.start_us, self.stretches.end_us, self.stretches.shape):
                column.append(0)
            self.stretches.group.append(0)
            self.stretches.slots.append(0)
        return 0

    def _add_stretch(self, account: int, stretch: Stretch) -> int:
        tariff = id(stretch.tariff)  # the book keeps them all
        booked = tuple(
            (one.name, one.booking.size, id(one.granted_by), month_start(one.period))
            for one in stretch.allowances
        )
        # What it holds is no part of the shape: accounts began and were topped up on many days.
        granted = tuple((one.period, one.booking.first) for one in stretch.allowances)
        shape = self._shapes.setdefault(
            (
                *(tariff, stretch.account.country, stretch.broken, stretch.bands, stretch.buy_out, booked),
                tuple(map(id, stretch.tables)),
            ),
            len(self._shapes),
        )
        if shape == len(self._stretch_of_shape):
            self._stretch_of_shape.append(stretch)
            self._listing_of_shape.append(self._listing_number(stretch))
            self._answers = np.concatenate(
                (self._answers, np.full(MOST_DESTINATIONS, _NOT_ASKED, dtype=np.int64))
            )
        # What rolls over is drawn in several months: then all of the account's are one group.
        alone = booked and not self.book.rolls_over(stretch.account)
        period = month_start(stretch.allowances[0].period) if alone else None
        number = len(self.stretches.start_us)
        self.stretches.start_us.append(stretch.start_us)
        self.stretches.end_us.append(stretch.end_us)
        self.stretches.shape.append(shape)
        self.stretches.group.append(self._groups.setdefault((account, period), len(self._groups)))
        self.stretches.slots.append(self._slots_of(stretch, (account, booked, granted)))
        return number

    def _slots_of(self, stretch: Stretch, owner: object) -> int:
        """Return the first slot of the allowances of a stretch; stretches with the same ones share them."""
        first = self._slot_numbers.get(owner)
        if first is not None:
            return first
        first = self._slot_numbers[owner] = len(self.slots.pool)
        fits(len(stretch.allowances), MOST_ALLOWANCES)
        for allowance in stretch.allowances:
            for kind in (Kind.FIXED, Kind.MOBILE):
                pool = allowance.pool(stretch.account.account, kind)
                number = self._pool_numbers.setdefault(pool.key, len(self.pools))
                if number == len(self.pools):
                    self.pools.append(pool.key)
                self.slots.granted_s.append(fits(pool.granted_s))
                self.slots.pool.append(number)
                self.slot_pools.append((pool.key[1], pool.rule))
        if len({(one.name, one.period) for one in stretch.allowances}) < len(stretch.allowances):
            self._odd.add(first)
        return first

    def _ask(self, cell: int, listed: int) -> int:
        """Ask the book; a cell is a shape and a destination."""
        shape, destination = divmod(cell, MOST_DESTINATIONS)
        stretch = self._stretch_of_shape[shape]
        terms = stretch.terms(self.numbers.destinations[destination], self._listed[listed])
        if terms is None:
            return NOBODY
        price = terms.price
        number = len(self.terms_list)
        most_s = LONGEST_LEG_S + fits(price.first_increment_s) + fits(price.next_increment_s)
        fits(price.price_per_minute_micro * most_s)
        self.terms.first_s.append(price.first_increment_s)
        self.terms.next_s.append(price.next_increment_s)
        self.terms.connection_micro.append(fits(price.connection_micro))
        self.terms.price_micro.append(fits(price.price_per_minute_micro))
        self.terms.rounds_up_from.append(_ROUNDS_UP_FROM[price.rounding])
        self.terms.half_even.append(int(price.rounding is Rounding.HALF_EVEN))
        self.terms.covers.append(_covers(stretch, terms))
        self.terms.mobile.append(int(price.kind is Kind.MOBILE))
        beside_fee_micro = max(fits(price.minimum_micro) - price.connection_micro, 0)
        self.terms.lifted_to_micro.append(beside_fee_micro)
        self.has_minimum |= price.minimum_micro > 0
        self.terms_list.append(terms)
        return number


def _covers(stretch: Stretch, terms: Terms) -> int:
    """Find the allowances of a stretch that are the pools of some terms, a bit each; both in burn order."""
    bits = 0
    pools = list(terms.pools)
    for number, allowance in enumerate(stretch.allowances):
        if pools and allowance.pool(stretch.account.account, terms.price.kind) == pools[0]:
            bits |= 1 << number
            pools.pop(0)
    assert not pools, "a pool of no allowance"
    return bits
