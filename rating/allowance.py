"""Allowances: minutes that a bundle, or a top-up of one, grants in a month, and until when they may be drawn.

Owns what is granted, by which tariff, the last day, and the burn order. Refuses balances: how much of an
allowance is used is an argument of rating.

The problem: minutes that roll over are granted in one month and drawn in later ones, and documents may have
changed between the two. So an allowance is nothing else than a pool that stays open for longer, under the
name of its own month; and of a month that is closed it is not the documents of today that say what it
granted, but what its close has kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from rating.account import BookingSpec, BuyOutBookingSpec, TopUpBookingSpec
from rating.destinations import Kind
from rating.finding import RatingError
from rating.periods import month_away, month_start, next_month
from rating.stays import Turn, in_force
from rating.tariff import Bundle, Tariff

PoolKey = tuple[str, str]
"""(account, identity of the allowance as in `rating.rated.Piece.pool`)."""

_DAY = timedelta(days=1)


class Pool(NamedTuple):
    """An allowance that covers a destination.

    Attributes:
        key: account and identity, the key of its balance.
        granted_s: seconds it holds for its time.
        rule: where it stands, `autphone@2026-01-01 bundle dach/S`; one that rolls over says until when.
    """

    key: PoolKey
    granted_s: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An allowance that rolls over, as the close of its month has kept it.

    Attributes:
        top_up: its name; empty for the bundle itself.
        period: first of its month; of a top-up the day on which it was bought.
        booked_from: first day of the booking.
        tariff: that granted it.
        until: last day on which it may be drawn.
        fixed_s: what it held.
        fixed_left_s: what calls up to the close of its month had left of that. It stays as it was, whatever
            later months and late legs draw.
    """

    bundle: str
    top_up: str
    period: date
    size: str
    booked_from: date
    tariff: str
    until: date
    fixed_s: int
    mobile_s: int
    fixed_left_s: int
    mobile_left_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closes:
    """What the closes of an account have settled.

    Attributes:
        opened: first month that is not closed.
        kept: allowances of the months before it; older ones than anything draws from may be missing.
    """

    opened: date
    kept: tuple[Kept, ...]


NO_CLOSES = Closes(opened=date.min, kept=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A booked bundle in one month, or a top-up of one.

    Attributes:
        period: first of the month; of a top-up the day on which it was bought.
        top_up: its name; empty for the bundle itself.
        kept: what the close of its month has settled; None while that is open.
    """

    booking: BookingSpec
    granted_by: Tariff
    period: date
    top_up: str = ""
    kept: Kept | None = None

    @property
    def name(self) -> str:
        """What stands in the identity of its pools: `dach`, `dach+more`."""
        return self.booking.bundle + (f"+{self.top_up}" if self.top_up else "")

    @property
    def until(self) -> date:
        """Last day on which it may be drawn."""
        if self.kept is not None:
            return self.kept.until
        return month_away(self.period, self._bundle.roll_over_months + 1) - _DAY

    @property
    def rolls_over(self) -> bool:
        """Whether it may be drawn after its own month."""
        return self.until >= next_month(self.period)

    def pool(self, account: str, kind: Kind) -> Pool:
        """The pool of fixed or mobile seconds."""
        rule = f"{self.granted_by.name} bundle {self.name}" + ("" if self.top_up else f"/{self.booking.size}")
        return Pool(
            (account, f"{self.name}/{kind}/{self.period.isoformat()}"),
            self.granted_s(kind),
            f"{rule} until {self.until.isoformat()}" if self.rolls_over else rule,
        )

    def granted_s(self, kind: Kind) -> int:
        """Seconds for its time; of a prorated first month those of its days, rounded up."""
        if self.kept is not None:
            return self.kept.fixed_s if kind is Kind.FIXED else self.kept.mobile_s
        if self.top_up:
            return self._bundle.top_ups[self.top_up, kind]
        seconds = self._bundle.seconds[self.booking.size, kind]
        if not self._bundle.prorated or self.booking.first <= self.period:
            return seconds
        end = next_month(self.period)
        return -(-seconds * (end - self.booking.first).days // (end - self.period).days)

    @property
    def burns(self) -> tuple[int, date, date, str, date]:
        """Its place in the burn order: narrowest first, what expires first, the older booking, by name."""
        first = self.period if self.top_up else self.booking.first
        return self._bundle.breadth, self.until, first, self.name, self.period

    @property
    def _bundle(self) -> Bundle:
        return self.granted_by.bundles[self.booking.bundle]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """All that says which allowances an account has on a day.

    Attributes:
        turns: the versions it is charged by, of every catalogue it has been with.
        closes: what its closed months have settled.
        tariff_named: finds a version of any catalogue: an account may have moved since. None: there is none.
    """

    bookings: Sequence[BookingSpec]
    top_ups: Sequence[TopUpBookingSpec]
    turns: Sequence[Turn[Tariff]]
    closes: Closes
    tariff_named: Callable[[str], Tariff | None]

    def on(self, day: date) -> tuple[tuple[Allowance, ...], str]:
        """Find the allowances of a day, in burn order.

        An allowance is granted once, when its period begins, by the tariff in force then.

        Returns:
            The allowances, and what is wrong if one that is booked cannot be granted.
        """
        try:
            found = (*self._of_month(day), *self._of_before(day))
        except _NotGrantedError as lost:
            return (), str(lost)
        return tuple(sorted(found, key=_burns)), ""

    @property
    def roll_over(self) -> bool:
        """Whether any of them may ever be drawn after its own month."""
        return bool(self.closes.kept) or self._longest_months > 0

    @property
    def _longest_months(self) -> int:
        """For how many months the longest of them stays."""
        booked = {one.bundle for one in self.bookings}
        bundles = (bundle for one in self.turns if one.version for bundle in one.version.bundles.values())
        return max((bundle.roll_over_months for bundle in bundles if bundle.bundle in booked), default=0)

    def _of_month(self, day: date) -> Iterator[Allowance]:
        """Yield those of the day's own month; where its close has kept one, documents have no say."""
        kept = [
            self._kept(one)
            for one in self.closes.kept
            if month_start(one.period) == month_start(day) and max(one.period, one.booked_from) <= day
        ]
        settled = {(one.name, one.period) for one in kept}
        yield from kept
        yield from (one for one in self._granted(day) if (one.name, one.period) not in settled)

    def _of_before(self, day: date) -> Iterator[Allowance]:
        """Yield what rolled over: of closed months what was kept, of open ones what documents say."""
        for one in self.closes.kept:
            if one.period < month_start(day) and day <= one.until:
                yield self._kept(one)
        for months in range(1, self._longest_months + 1):
            month = month_away(day, -months)
            if month >= self.closes.opened:
                last = next_month(month) - _DAY
                yield from (one for one in self._granted(last) if day <= one.until)

    def _granted(self, day: date) -> Iterator[Allowance]:
        """Yield what documents have granted from the first of a month to a day in it."""
        month = month_start(day)
        for booking in self.bookings:
            if not holds(booking, day):
                continue
            begins = max(month, booking.first)
            granted_by = in_force(self.turns, begins) or in_force(self.turns, day)
            if granted_by is None:
                continue
            bundle = granted_by.bundles.get(booking.bundle)
            if bundle is None or (booking.size, Kind.FIXED) not in bundle.seconds:
                raise _NotGrantedError(
                    f"{granted_by.name} has no bundle {booking.bundle} in size {booking.size}"
                )
            yield Allowance(booking=booking, granted_by=granted_by, period=month)
            for one in self.top_ups:
                if one.bundle == booking.bundle and begins <= one.first <= day:
                    yield self._topped_up(booking, one)

    def _topped_up(self, booking: BookingSpec, one: TopUpBookingSpec) -> Allowance:
        sold_by = in_force(self.turns, one.first)
        sold = sold_by.bundles.get(one.bundle) if sold_by is not None else None
        if sold_by is None or sold is None or (one.top_up, Kind.FIXED) not in sold.top_ups:
            raise _NotGrantedError(f"no {one.top_up} of bundle {one.bundle} was sold on {one.first}")
        return Allowance(booking=booking, granted_by=sold_by, period=one.first, top_up=one.top_up)

    def _kept(self, one: Kept) -> Allowance:
        granted_by = self.tariff_named(one.tariff)
        if granted_by is None or one.bundle not in granted_by.bundles:
            raise _NotGrantedError(f"{one.tariff} has no bundle {one.bundle}, of which minutes are left")
        booking = BookingSpec(bundle=one.bundle, size=one.size, first=one.booked_from)
        return Allowance(
            booking=booking, granted_by=granted_by, period=one.period, top_up=one.top_up, kept=one
        )


class _NotGrantedError(RatingError):
    """Something is booked that documents do not have."""

    code = "not-granted"


def holds(booking: BookingSpec | BuyOutBookingSpec, day: date) -> bool:
    """Tell whether something is booked on a day."""
    return booking.first <= day and (booking.until is None or day <= booking.until)


def _burns(one: Allowance) -> tuple[int, date, date, str, date]:
    return one.burns
