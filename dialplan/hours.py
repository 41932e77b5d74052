"""Opening hours: whether a tenant's clock on the wall stands within them.

Owns the notation (`Mon-Fri 08:00-18:00`), the week, the days on which it does not hold, and the order in
which these speak: an exception by its date, one by its day of each year, a public holiday, the week. Refuses
to read a clock: the instant is an argument.

Hours are what the clock on the wall shows, as the sign on the door is. In the night when clocks go forward an
opening at 02:30 begins at 03:00; in the night when they go back the hour that comes twice is open, or closed,
both times.
"""

import calendar
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import chain

from dialplan import public_holidays

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MIN = 24 * 60
LEAP_DAY = (2, 29)

_SPAN = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")
_YEARLY = re.compile(r"([0-9]{2})-([0-9]{2})")

Span = tuple[int, int]  # minutes since the midnight its day begins with; it may end on the next day
Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Holidays:
    """What holds on the public holidays of a country and its region (empty: those of all regions alone)."""

    country: str
    region: str
    spans: Spans


@dataclass(frozen=True, slots=True)
class Week:
    """Spans of each day of the week, Monday first, and of the days on which others hold.

    Attributes:
        exceptions: by date.
        yearly: by month and day.
        holidays: None: a public holiday is a day like others.
    """

    days: tuple[Spans, ...]
    exceptions: Mapping[date, Spans] = field(default_factory=dict)
    yearly: Mapping[tuple[int, int], Spans] = field(default_factory=dict)
    holidays: Holidays | None = None

    def on(self, day: date) -> Spans:
        """Give the spans that begin on a date."""
        if day in self.exceptions:
            return self.exceptions[day]
        if (day.month, day.day) in self.yearly:
            return self.yearly[day.month, day.day]
        return self.holidays.spans if self.holidays and self.holiday(day) else self.days[day.weekday()]

    def holiday(self, day: date) -> str:
        """Name the public holiday whose hours hold on a date; empty where none do."""
        if self.holidays is None or day in self.exceptions or (day.month, day.day) in self.yearly:
            return ""
        return public_holidays.name_of(self.holidays.country, self.holidays.region, day)

    def unlike_the_week(self, years: Iterable[int]) -> frozenset[date]:
        """Give the days of some years on which other spans may hold than on that day of other weeks."""
        whole = tuple(years)
        named = {
            date(year, month, day)
            for year in whole
            for month, day in self.yearly
            if (month, day) != LEAP_DAY or calendar.isleap(year)
        }
        kept = self.holidays
        public = (public_holidays.in_year(kept.country, kept.region, year) for year in whole if kept)
        return frozenset(chain(self.exceptions, named, *public))


def is_open(week: Week, now: datetime, zone: tzinfo) -> bool:
    """Tell whether the week is open at an instant."""
    return is_open_by(local_time(now, zone), week)


def is_open_by(wall: datetime, week: Week) -> bool:
    """Tell whether the week is open by the clock on the wall; what goes past midnight is its first day's."""
    minute = wall.hour * 60 + wall.minute
    today = wall.date()
    return _covers(week.on(today), minute) or _covers(week.on(_day_before(today)), minute + DAY_MIN)


def local_time(now: datetime, zone: tzinfo) -> datetime:
    """Give the wall clock of a zone at an instant; without zone it is UTC; the ends of time are kept."""
    aware = now if now.tzinfo else now.replace(tzinfo=UTC)
    try:
        return aware.astimezone(zone)
    except (OverflowError, ValueError):  # the first or last day of the calendar: nothing lies beyond
        return aware.replace(tzinfo=zone)


def parse_rules(rules: tuple[str, ...]) -> Week | None:
    """Read `Mon-Fri 08:00-12:00 13:00-17:00` lines into a week; None if one of them is no such line."""
    parsed = [parse_rule(rule) for rule in rules]
    if None in parsed:
        return None
    pairs = [pair for pair in parsed if pair]
    by_day = (tuple(chain.from_iterable(spans for days, spans in pairs if day in days)) for day in range(7))
    return Week(tuple(by_day))


def parse_rule(rule: str) -> tuple[frozenset[int], Spans] | None:
    """Read one line into days (Monday is 0) and spans; None if it is none."""
    days_text, _, spans_text = rule.strip().partition(" ")
    days, spans = _parse_days(days_text), parse_spans(tuple(spans_text.split()))
    return (days, spans) if days and spans else None


def parse_yearly(text: str) -> tuple[int, int] | None:
    """Read a day of each year, `12-24`, into month and day; None if it is written in another way."""
    match = _YEARLY.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def parse_spans(texts: tuple[str, ...]) -> Spans | None:
    """Read `08:00-12:00` texts; an end that is not after its begin lies on the next day; None for no span."""
    spans = tuple(_parse_span(text) for text in texts)
    return None if None in spans else tuple(span for span in spans if span)


def _parse_days(text: str) -> frozenset[int] | None:
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            return None
        begin = DAYS.index(first)
        length = (DAYS.index(last) - begin) % 7 if dash else 0
        days.update((begin + offset) % 7 for offset in range(length + 1))
    return frozenset(days)


def _parse_span(text: str) -> Span | None:
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    begin_h, begin_m, end_h, end_m = (int(group) for group in match.groups())
    begin, end = begin_h * 60 + begin_m, end_h * 60 + end_m
    if begin >= DAY_MIN or end > DAY_MIN or begin == end:
        return None
    return begin, end if end > begin else end + DAY_MIN


def _covers(spans: Spans, minute: int) -> bool:
    return any(begin <= minute < end for begin, end in spans)


def _day_before(day: date) -> date:
    return day - timedelta(days=1) if day > date.min else day
