"""Public holidays: of which country and region, the same for everybody, and on which hours hold then."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from dialplan import hours, numbers, public_holidays
from dialplan.build import build_plan
from dialplan.compile import compile_tenant
from dialplan.spec import TenantSpec

BERLIN = ZoneInfo("Europe/Berlin")


def tenant(changed: dict[str, object], *, country: str = "DE") -> TenantSpec:
    """Give a tenant whose office is open from Monday to Saturday, with a region or another rule."""
    more = {"region": changed["region"]} if "region" in changed else {}
    changed = {key: value for key, value in changed.items() if key != "region"}
    office = {"open": ["Mon-Sat 08:00-18:00 22:00-02:00"], "then": "extension 10", "holidays": "closed"}
    return TenantSpec.model_validate({
        "version": 1, "tenant": "acme", "name": "A", "country": country, "time_zone": "Europe/Berlin",
        "account": "acme", "numbers": {"+493055500100": {"to": "hours office"}}, **more,
        "extensions": {"10": {"name": "X", "devices": ["p10"]}}, "hours": {"office": {**office, **changed}},
    })  # fmt: skip


def is_open(spec: TenantSpec, local: str) -> bool:
    """Tell whether the office is open at a local time."""
    week = build_plan(spec, revision=1, trunks=()).hours["office"].week
    return hours.is_open(week, datetime.fromisoformat(local).replace(tzinfo=BERLIN), BERLIN)


@pytest.mark.parametrize(
    ("key", "value"),
    [("holidays", "open"), ("holidays", ["8-12"]), ("holidays", 1), ("holidays", "09:00-12:00"),
     ("exceptions", {"12-32": "closed"}), ("exceptions", {"02-30": "closed"}),
     ("exceptions", {"13-01": "closed"}),
     ("exceptions", {"1-1": "closed"}), ("exceptions", {"24.12.": "closed"}), ("region", "Bayern"),
     ("region", "by")],
)  # fmt: skip
def test_what_is_no_holiday_rule_is_refused(key: str, value: object) -> None:
    """Neither a word nor a day that does not exist is guessed at."""
    with pytest.raises(ValidationError):
        tenant({key: value})


@pytest.mark.parametrize(("country", "region"), [("DE", "XX"), ("DE", "ZH"), ("AT", "BY"), ("SM", "1")])
def test_a_region_of_another_country_does_not_compile(country: str, region: str) -> None:
    """A region whose holidays nobody knows is found, with those that are known."""
    plan, findings = compile_tenant(
        tenant({"region": region}, country=country), revision=1, trunks=("carrier",)
    )
    assert plan is None
    assert [(one.code, one.path) for one in findings] == [("unknown-region", ("region",))]


@pytest.mark.parametrize(
    ("country", "region", "day", "name"),
    [
        ("DE", "", date(2026, 10, 3), "German Unity Day"),
        ("DE", "", date(2026, 6, 4), ""),
        ("DE", "BY", date(2026, 6, 4), "Corpus Christi"),
        ("DE", "BE", date(2026, 6, 4), ""),
        ("DE", "BE", date(2026, 3, 8), "Women's Day"),
        ("AT", "", date(2026, 10, 26), "National Day"),
        ("NL", "", date(2026, 4, 27), "King's Day"),
        (
            "IT",
            "",
            date(2026, 10, 4),
            "Saint Francis of Assisi, Patron Saint of Italy",
        ),  # from 2026 on; the library decides
        ("DE", "", date(2026, 12, 24), ""),
        ("XX", "", date(2026, 12, 25), ""),
        ("DE", "XX", date(2026, 12, 25), ""),
        ("DE", "", date(1, 1, 1), ""),
        ("DE", "", date(9999, 12, 25), ""),
    ],
)
def test_a_day_is_a_holiday_where_it_is_one(country: str, region: str, day: date, name: str) -> None:
    """Country and region decide; what is not known has no holidays, and no day is asked in vain."""
    assert public_holidays.name_of(country, region, day) == name


def test_every_country_we_know_has_holidays() -> None:
    """A tenant of any country that numbers know can close on its holidays."""
    assert [country for country in numbers.COUNTRIES if not public_holidays.in_year(country, "", 2026)] == []


@pytest.mark.parametrize(
    ("local", "changed", "expected"),
    [
        ("2026-10-03T10:00", {}, False),  # a Saturday and German Unity Day
        ("2026-10-02T23:00", {}, True),
        ("2026-10-03T01:59", {}, True),  # the night of Friday goes on
        ("2026-10-03T23:00", {}, False),  # the night of the holiday does not begin
        ("2026-10-04T01:00", {}, False),
        ("2026-10-03T10:00", {"holidays": None}, True),  # a day like others
        ("2026-10-03T10:00", {"holidays": ["09:00-12:00"]}, True),
        ("2026-10-03T12:00", {"holidays": ["09:00-12:00"]}, False),
        ("2026-10-03T10:00", {"exceptions": {"2026-10-03": ["10:00-11:00"]}}, True),
        ("2026-10-03T10:00", {"exceptions": {"10-03": ["10:00-11:00"]}}, True),
        ("2026-10-03T10:00", {"exceptions": {"10-03": ["10:00-11:00"], "2026-10-03": "closed"}}, False),
        ("2026-12-24T13:00", {"exceptions": {"12-24": ["08:00-12:00"]}}, False),
        ("2031-12-24T11:59", {"exceptions": {"12-24": ["08:00-12:00"]}}, True),
        ("2028-02-29T11:00", {"exceptions": {"02-29": "closed"}}, False),
        ("2026-06-04T11:00", {"region": "BY"}, False),
        ("2026-06-04T11:00", {"region": "BE"}, True),
    ],
)
def test_who_speaks_on_a_special_day(local: str, changed: dict[str, object], expected: bool) -> None:  # noqa: FBT001 — the expected answer
    """A date before a day of each year, that before a holiday, that before the week."""
    assert is_open(tenant(changed), local) is expected


@pytest.mark.parametrize("year", range(2026, 2037))
def test_both_clock_changes_of_a_year_keep_holidays_whole(year: int) -> None:
    """A holiday begins and ends with the wall clock's midnights, whatever the clocks do around it."""
    week = build_plan(tenant({"open": ["Mon-Sun 00:00-24:00"]}), revision=1, trunks=()).hours["office"].week
    for day in public_holidays.in_year("DE", "", year):
        begin = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
        end = datetime.combine(day + timedelta(1), begin.timetz())
        first, last = begin.astimezone(UTC), end.astimezone(UTC)
        assert not hours.is_open(week, first, BERLIN)
        assert not hours.is_open(week, last - timedelta(seconds=1), BERLIN)
        before, after = day - timedelta(1), day + timedelta(1)
        assert hours.is_open(week, first - timedelta(seconds=1), BERLIN) is not bool(week.holiday(before))
        assert hours.is_open(week, last, BERLIN) is not bool(week.holiday(after))
