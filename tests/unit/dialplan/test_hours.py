"""Opening hours: the notation, midnight, exceptions and the nights when clocks change."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from dialplan import hours

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "Mon",
        "Mon-Fri",
        "08:00-18:00",
        "Mo-Fr 08:00-18:00",
        "mon 08:00-18:00",
        "Mon-Fri 8:00-18:00",
        "Mon-Fri 08:00-25:00",
        "Mon-Fri 24:00-01:00",
        "Mon-Fri 08:60-18:00",
        "Mon-Fri 08:00-08:00",
        "Mon-Fri 08:00",
        "Mon,,Tue 08:00-18:00",
    ],
)
def test_what_are_no_hours_is_refused(rule: str) -> None:
    """A line that could be understood in two ways, or in none, is no rule."""
    assert hours.parse_rule(rule) is None


@pytest.mark.parametrize(
    ("rules", "local", "expected"),
    [
        (("Mon-Fri 08:00-18:00",), "2026-11-23T07:59", False),
        (("Mon-Fri 08:00-18:00",), "2026-11-23T08:00", True),
        (("Mon-Fri 08:00-18:00",), "2026-11-23T17:59", True),
        (("Mon-Fri 08:00-18:00",), "2026-11-23T18:00", False),
        (("Mon-Fri 08:00-18:00",), "2026-11-22T12:00", False),  # a Sunday
        (("Mon-Fri 08:00-12:00 13:00-17:00",), "2026-11-23T12:30", False),
        (("Mon-Fri 08:00-12:00", "Wed 14:00-20:00"), "2026-11-25T19:00", True),
        (("Sat-Mon 10:00-12:00",), "2026-11-22T11:00", True),  # over the end of the week
        (("Sun 22:00-02:00",), "2026-11-22T23:00", True),
        (("Sun 22:00-02:00",), "2026-11-23T01:59", True),  # Monday, but Sunday's night
        (("Sun 22:00-02:00",), "2026-11-23T02:00", False),
        (("Sun 22:00-02:00",), "2026-11-22T01:00", False),  # Sunday, but Saturday's night
        (("Mon-Sun 00:00-24:00",), "2026-11-23T00:00", True),
        # The clocks go forward at 02:00 on 29 March 2026: 03:00 is the first instant after 01:59.
        (("Sun 02:30-10:00",), "2026-03-29T01:59", False),
        (("Sun 02:30-10:00",), "2026-03-29T03:00", True),
        (("Sat 22:00-02:30",), "2026-03-29T03:00", False),
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(rules: tuple[str, ...], local: str, expected: bool) -> None:  # noqa: FBT001 — the expected answer
    """A rule is open from its first minute to the one before its last, on the tenant's wall clock."""
    week = hours.parse_rules(rules)
    assert week is not None
    assert hours.is_open(week, datetime.fromisoformat(local).replace(tzinfo=BERLIN), BERLIN) is expected


@pytest.mark.parametrize(
    ("utc", "expected"),
    [("00:15", True), ("00:45", False), ("01:15", True), ("01:45", False)],
)
def test_the_hour_that_comes_twice_is_the_same_both_times(utc: str, expected: bool) -> None:  # noqa: FBT001 — the expected answer
    """On 25 October 2026 the wall shows 02:00 to 03:00 twice; a rule until 02:30 closes twice."""
    week = hours.parse_rules(("Sat 22:00-02:30",))
    assert week is not None
    assert hours.is_open(week, datetime.fromisoformat(f"2026-10-25T{utc}+00:00"), BERLIN) is expected


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-12-24T09:00", False),  # closed for the day
        ("2026-12-31T09:30", True),  # shorter
        ("2026-12-31T15:00", False),
        ("2026-12-26T01:00", False),  # the night of the 25th does not happen
        ("2026-12-27T01:00", True),  # that of the 26th does
    ],
)
def test_a_dated_exception_replaces_the_week(local: str, expected: bool) -> None:  # noqa: FBT001 — the expected answer
    """An exception holds for what begins on its day, its night included."""
    days = hours.parse_rules(("Mon-Sun 08:00-16:00 22:00-02:00",))
    assert days is not None
    exceptions = {date(2026, 12, 24): (), date(2026, 12, 25): (), date(2026, 12, 31): ((540, 720),)}
    week = hours.Week(days.days, exceptions)
    assert hours.is_open(week, datetime.fromisoformat(local).replace(tzinfo=BERLIN), BERLIN) is expected


@pytest.mark.parametrize(
    "now",
    [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), datetime(2026, 1, 1)],  # noqa: DTZ001 — even one without a zone
)
def test_the_ends_of_time_have_an_answer(now: datetime) -> None:
    """No instant makes the question fail."""
    week = hours.parse_rules(("Mon-Sun 00:00-24:00",))
    assert week is not None
    assert hours.is_open(week, now, ZoneInfo("Pacific/Kiritimati"))
    assert hours.is_open(week, now, ZoneInfo("America/Los_Angeles"))
