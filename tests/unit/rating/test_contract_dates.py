"""Dates of contracts: working days, months as the law counts them, ends step by step."""

from datetime import date

import pytest

from rating.contract.calendar import (
    Calendar,
    is_working_day,
    known,
    months_later,
    regions,
    term_end,
    working_day_after,
)
from rating.contract.ending import ending, term_over
from rating.contract.facts import Fact, Use, in_order
from rating.offer import NoticeSpec, StatuteSpec, TermSpec

GERMANY = Calendar(country="DE", region="BY")
MONTH = NoticeSpec(months=1)
TWO_MONTHS = NoticeSpec(calendar_months=2)
STATUTE = StatuteSpec(law="law", after="prolongation", notice=MONTH)
YEAR = TermSpec(minimum_months=12, prolongation_months=1, notice=MONTH, ends="term-end", statute=STATUTE)


@pytest.mark.parametrize(
    ("country", "region", "there"),
    [("XX", "", False), ("DE", "XX", False), ("DE", "", True), ("DE", "BY", True), ("NL", "", True)],
)
def test_a_calendar_is_known_or_not(country: str, region: str, there: bool) -> None:  # noqa: FBT001 — a table
    """A country or region without holidays of its own is said to be unknown, not to have none."""
    assert known(country, region) is there


def test_regions_can_be_told() -> None:
    """Who writes a wrong region is told the right ones."""
    assert {"BY", "SN"} <= set(regions("DE"))
    assert regions("XX") == ()


@pytest.mark.parametrize(
    ("day", "country", "region", "week", "works"),
    [
        ("2026-05-05", "NL", "", "mon-fri", False),  # every year, and not only every fifth
        ("2026-04-03", "NL", "", "mon-fri", False),  # Good Friday
        ("2026-04-27", "NL", "", "mon-fri", False),
        ("2026-05-04", "NL", "", "mon-fri", True),
        ("2026-05-05", "DE", "", "mon-fri", True),
        ("2026-10-31", "DE", "SN", "mon-sat", False),
        ("2026-10-31", "DE", "BY", "mon-sat", True),  # a Saturday
        ("2026-10-31", "DE", "BY", "mon-fri", False),
        ("2026-11-01", "DE", "SN", "mon-sat", False),  # a Sunday
        ("2026-10-04", "IT", "", "mon-sat", False),
        ("2027-10-04", "IT", "", "mon-fri", False),  # Saint Francis, from 2026 on
    ],
)
def test_working_days(day: str, country: str, region: str, week: str, works: bool) -> None:  # noqa: FBT001 — a table
    """Holidays of country and region, and the days of the week."""
    calendar = Calendar(country=country, region=region, week=week)
    assert is_working_day(date.fromisoformat(day), calendar) is works


@pytest.mark.parametrize(
    ("day", "count", "found"),
    [("2026-05-13", 0, "2026-05-13"), ("2026-05-13", 1, "2026-05-15"), ("2026-05-16", 1, "2026-05-18")],
)
def test_working_days_after_a_day(day: str, count: int, found: str) -> None:
    """The day itself is not counted; Ascension is the 14th."""
    assert working_day_after(date.fromisoformat(day), count, GERMANY) == date.fromisoformat(found)


@pytest.mark.parametrize(
    ("day", "months", "later", "over"),
    [
        ("2026-01-31", 1, "2026-02-28", "2026-02-28"),
        ("2026-01-30", 1, "2026-02-28", "2026-02-28"),
        ("2026-01-29", 1, "2026-02-28", "2026-02-28"),
        ("2026-01-28", 1, "2026-02-28", "2026-02-27"),
        ("2024-02-29", 12, "2025-02-28", "2025-02-28"),
        ("2026-01-01", 12, "2027-01-01", "2026-12-31"),
        ("2026-12-15", 1, "2027-01-15", "2027-01-14"),
    ],
)
def test_months_end_on_the_day_of_the_same_number(day: str, months: int, later: str, over: str) -> None:
    """A period after a day ends on its number, a term whose first day counts the day before (§ 188 BGB)."""
    assert months_later(date.fromisoformat(day), months) == date.fromisoformat(later)
    assert term_end(date.fromisoformat(day), months) == date.fromisoformat(over)


@pytest.mark.parametrize(
    ("term", "first", "received", "last"),
    [
        (TermSpec(ends="any-day"), "2026-01-10", "2026-03-05", "2026-03-05"),
        (TermSpec(ends="month-end"), "2026-01-10", "2026-03-31", "2026-03-31"),
        (TermSpec(ends="month-end", notice=NoticeSpec(days=30)), "2026-01-10", "2026-03-01", "2026-03-31"),
        (TermSpec(ends="month-end", notice=NoticeSpec(days=30)), "2026-01-10", "2026-03-02", "2026-04-30"),
        (TermSpec(ends="month-end", minimum_months=1), "2026-03-01", "2026-03-02", "2026-03-31"),
        (TermSpec(ends="month-end", minimum_months=1), "2026-03-02", "2026-03-02", "2026-04-30"),
        (YEAR, "2026-01-15", "2026-12-14", "2027-01-14"),
        (YEAR, "2026-01-15", "2026-12-15", "2027-02-14"),
        (YEAR, "2026-01-31", "2027-02-15", "2027-03-30"),
        (TermSpec(ends="any-day", notice=TWO_MONTHS), "2026-01-01", "2026-03-31", "2026-05-31"),
    ],
)  # fmt: skip
def test_ends(term: TermSpec, first: str, received: str, last: str) -> None:
    """Notice, then minimum, then the next day on which it may end; each is a step."""
    found = ending(
        term,
        first=date.fromisoformat(first),
        received=date.fromisoformat(received),
        calendar=GERMANY,
    )
    assert found.last == date.fromisoformat(last)
    assert found.steps[0].rule == "received"
    assert found.steps[-1].day == found.last
    assert all(step.text for step in found.steps)


@pytest.mark.parametrize(
    ("recorded", "processed"),
    [(None, "2026-03-04"), ("2026-03-03", "2026-03-03"), ("2026-03-01", "2026-03-04"),
     ("2026-03-20", "2026-03-04")],
)  # fmt: skip
def test_processing_takes_what_is_allowed_at_most(recorded: str | None, processed: str) -> None:
    """What was recorded counts, unless it lies before the notice or takes longer than allowed."""
    term = TermSpec(ends="month-end", processing_working_days=2, notice=NoticeSpec(calendar_months=1))
    found = ending(
        term,
        first=date(2026, 1, 1),
        received=date(2026, 3, 2),
        calendar=GERMANY,
        processed=date.fromisoformat(recorded) if recorded else None,
    )
    assert found.steps[1].day == date.fromisoformat(processed)


@pytest.mark.parametrize(
    ("received", "by_law"), [("2026-12-14", None), ("2026-12-20", "2027-01-20"), ("2027-02-20", "2027-03-20")]
)
def test_the_law_is_told_where_it_is_better(received: str, by_law: str | None) -> None:
    """Beside a later end by contract stands the law's; where both are the same there is nothing to tell."""
    found = ending(YEAR, first=date(2026, 1, 15), received=date.fromisoformat(received), calendar=GERMANY)
    assert (found.right.day.isoformat() if found.right else None) == by_law


def test_only_terms_are_over() -> None:
    """What ends with months has no term that runs out."""
    assert term_over(TermSpec(ends="month-end"), first=date(2026, 1, 1), day=date(2026, 5, 1)) is None
    assert term_over(YEAR, first=date(2026, 1, 31), day=date(2027, 2, 1)) == date(2027, 2, 28)


@pytest.mark.parametrize("told", [(9, 10), (10, 9)])
def test_of_one_minute_the_most_in_use_counts_last(told: tuple[int, int]) -> None:
    """Ten are more than nine, however they were learned: by number, not by text."""
    known = [Fact(on=date(2026, 3, 1), minute=1439, deed=Use(counts={"extensions": one})) for one in told]
    assert [one.deed for one in in_order(known)] == [
        Use(counts={"extensions": 9}),
        Use(counts={"extensions": 10}),
    ]
