"""Bands: times at which rows of their own are in force, like off-peak, by the clock of one named time zone.

Owns when a band begins and ends. Refuses prices and accounts.

The problem: clocks are changed. So a band is no comparison of clock times but a set of spans between
instants: each window begins once and ends once on its day, where the clock first shows the time, and where it
is skipped, at the skip. The spans of a month are worked out once and shared by all accounts.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rating.periods import clock_us, month_start, next_month

_ASIDE = timedelta(days=3)  # a month of any time zone, and windows from the day before


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time of day on some days.

    Attributes:
        band: its name.
        weekdays: on which it begins, 0 is Monday.
        first: first day on which it begins; None: since ever.
        until: last one; None: for good.
        begins_min: minute of the day.
        ends_min: minute after the last, counted from the same midnight: beyond 1440 it is the next day's.
    """

    band: str
    weekdays: frozenset[int]
    first: date | None
    until: date | None
    begins_min: int
    ends_min: int

    def begins_on(self, day: date) -> bool:
        """Tell whether it begins on a day."""
        return (
            day.weekday() in self.weekdays
            and (self.first is None or self.first <= day)
            and (self.until is None or day <= self.until)
        )


class Span(NamedTuple):
    """A time in which the same bands are in force, in the order in which they speak."""

    start_us: int
    end_us: int
    bands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When the bands of a tariff are in force.

    Attributes:
        zone: whose clock they follow.
        order: the bands; an earlier one speaks before a later one.
    """

    zone: ZoneInfo
    order: tuple[str, ...]
    windows: tuple[Window, ...]
    _months: dict[date, tuple[Span, ...]] = field(default_factory=dict, compare=False, repr=False)

    def at(self, instant_us: int, day: date) -> Span:
        """Return what is in force at an instant. It ends where that changes, or behind the month of `day`.

        Args:
            instant_us: the instant.
            day: a local day of its month, anywhere; rating knows 1,200 months, more are never remembered.
        """
        month = month_start(day)
        spans = self._months.get(month)
        if spans is None:
            spans = self._months[month] = tuple(self._spans(month))
        return spans[bisect_right(spans, instant_us, key=_start) - 1]

    def _spans(self, month: date) -> Iterator[Span]:
        first, behind = month - _ASIDE, next_month(month) + _ASIDE
        days = [first + timedelta(days=number) for number in range((behind - first).days)]
        changes = self._changes(days)
        edges = sorted({clock_us(first, 0, self.zone), *changes, clock_us(behind, 0, self.zone)})
        held: dict[str, int] = dict.fromkeys(self.order, 0)
        start_us, bands = edges[0], tuple[str, ...]()
        for edge_us in edges[:-1]:
            for band, change in changes.get(edge_us, ()):
                held[band] += change
            now = tuple(band for band in self.order if held[band])
            if now != bands and edge_us > start_us:
                yield Span(start_us, edge_us, bands)
                start_us = edge_us
            bands = now
        yield Span(start_us, edges[-1], bands)

    def _changes(self, days: Sequence[date]) -> Mapping[int, list[tuple[str, int]]]:
        """Find where windows that begin on some days begin (1) and end (-1)."""
        changes: dict[int, list[tuple[str, int]]] = {}
        for day in days:
            for window in self.windows:
                if window.begins_on(day):
                    for minute, change in ((window.begins_min, 1), (window.ends_min, -1)):
                        instant_us = clock_us(day, minute, self.zone)
                        changes.setdefault(instant_us, []).append((window.band, change))
        return changes


def _start(span: Span) -> int:
    return span.start_us
