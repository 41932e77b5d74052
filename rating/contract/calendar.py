"""Working days of a country and region, and months counted as contracts count them.

Owns the arithmetic of days. Refuses terms (`rating.contract.ending`) and to know what today is.

Public holidays are those of the library `holidays`, of a fixed version, with one decision of our own: in the
Netherlands Good Friday and 5 May are no working days in any year, by article 3 of the Algemene termijnenwet.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import holidays

DAY = timedelta(days=1)
MOST_DAYS = 4_000  # looked at for a working day: ten years; no notice is longer
_EVERY_5_MAY = frozenset({"NL"})
_CLOSED = {"mon-fri": frozenset({5, 6}), "mon-sat": frozenset({6})}  # weekdays, Monday is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Which days are working days: of a week, without the holidays of a country and one of its regions."""

    country: str
    region: str = ""
    week: str = "mon-fri"

    def __str__(self) -> str:
        return "-".join(filter(None, (self.country, self.region))) + f" {self.week}"


def known(country: str, region: str = "") -> bool:
    """Whether we know the holidays of a country and region; the region may be empty."""
    regions = holidays.list_supported_countries().get(country)
    return regions is not None and (not region or region in regions)


def regions(country: str) -> tuple[str, ...]:
    """Regions of a country that have holidays of their own."""
    return tuple(holidays.list_supported_countries().get(country, ()))


def is_working_day(day: date, calendar: Calendar) -> bool:
    """Whether people work on a day."""
    closed = _CLOSED[calendar.week]
    return day.weekday() not in closed and day not in _holidays(calendar.country, calendar.region, day.year)


def working_day_after(day: date, count: int, calendar: Calendar) -> date:
    """Give the so manyth working day after a day, which itself is not counted.

    Raises:
        ValueError: there is none within years.
    """
    for _ in range(MOST_DAYS):
        if count == 0:
            return day
        day += DAY
        count -= is_working_day(day, calendar)
    raise ValueError(f"no working day of {calendar} within {MOST_DAYS} days")


def month_end(day: date) -> date:
    """Last day of the month."""
    return (day.replace(day=1) + 32 * DAY).replace(day=1) - DAY


def days_in_month(day: date) -> int:
    """How many days its month has."""
    return month_end(day).day


def months_later(day: date, months: int) -> date:
    """The day of the same number, or the last day of a month that is too short for it (§ 188 III BGB)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    return first.replace(day=min(day.day, days_in_month(first)))


def term_end(first: date, months: int) -> date:
    """Last day of a term of so many months whose first day is counted (§ 188 II BGB)."""
    behind = months_later(first, months)
    return behind - DAY if behind.day == first.day else behind


@lru_cache(maxsize=1024)
def _holidays(country: str, region: str, year: int) -> frozenset[date]:
    days = set(holidays.country_holidays(country, subdiv=region or None, years=year, expand=False))
    return frozenset(days | {date(year, 5, 5)}) if country in _EVERY_5_MAY else frozenset(days)
