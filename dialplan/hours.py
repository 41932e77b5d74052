"""Opening hours: whether a tenant's clock on the wall stands within them.

Owns the notation (`Mon-Fri 08:00-18:00`), the week and the dated exceptions. Refuses to read a clock: the
instant is an argument.

Hours are what the clock on the wall shows, as the sign on the door is. In the night when clocks go forward an
opening at 02:30 begins at 03:00; in the night when they go back the hour that comes twice is open, or closed,
both times.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import chain

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MIN = 24 * 60

_SPAN = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")

Span = tuple[int, int]  # minutes since the midnight its day begins with; it may end on the next day
Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """Spans of each day of the week, Monday first; `exceptions` replace those of a date."""

    days: tuple[Spans, ...]
    exceptions: Mapping[date, Spans] = field(default_factory=dict)

    def on(self, day: date) -> Spans:
        """Give the spans that begin on a date."""
        return self.exceptions.get(day, self.days[day.weekday()])


def is_open(week: Week, now: datetime, zone: tzinfo) -> bool:
    """Tell whether the week is open at an instant. A span past midnight belongs to the day it began on."""
    local = local_time(now, zone)
    minute = local.hour * 60 + local.minute
    today = local.date()
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
