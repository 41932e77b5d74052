"""Entitlements: whoever calls at whatever instant, also in the nights when clocks change."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.build import build_plan
from dialplan.decide import decide
from dialplan.decision import Reject, Ring
from dialplan.entitlement import ALL_FEATURES, Feature, from_now_on, instant, returns, withheld
from dialplan.facts import Facts, Origin, State
from dialplan.plan import Plan
from dialplan.published import Published, plan_from_json, plan_to_json
from dialplan.spec import TenantSpec

NIGHTS = [  # in which a clock goes back or forward, and one in which it does not
    ("Europe/Berlin", datetime.fromisoformat("2026-10-25")),
    ("Europe/Berlin", datetime.fromisoformat("2027-03-28")),
    ("Australia/Lord_Howe", datetime.fromisoformat("2027-04-04")),  # by half an hour
    ("Australia/Lord_Howe", datetime.fromisoformat("2026-10-04")),
    ("America/Havana", datetime.fromisoformat("2027-03-14")),  # at midnight
    ("Europe/Berlin", datetime.fromisoformat("2026-12-01")),
]
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "account": "acme",
    "numbers": {"+493055500100": {"to": "group sales"}},
    "extensions": {"10": {"name": "Anna", "devices": ["p10"]}},
    "groups": {"sales": {"name": "Sales", "extension": "60", "members": ["10"]}},
}

Night = tuple[str, list[tuple[datetime, set[Feature]]]]


def timelines(first: datetime) -> st.SearchStrategy[list[tuple[datetime, set[Feature]]]]:
    """Draw entries that begin in a night, at quarters of an hour."""
    walls = st.integers(-2, 16).map(lambda quarters: first + timedelta(minutes=15 * quarters))
    entries = st.tuples(walls, st.sets(st.sampled_from(Feature)))
    return st.lists(entries, min_size=1, max_size=5, unique_by=lambda entry: entry[0])


def is_in_order(night: Night) -> bool:
    """Tell whether each entry begins at an instant of its own: two that a clock leaps over do not."""
    return len({entry.since for entry in plan(*night).entitlements}) == len(night[1])


nights = st.sampled_from(NIGHTS).flatmap(lambda one: st.tuples(st.just(one[0]), timelines(one[1])))
nights = nights.filter(is_in_order)
offsets = st.sampled_from([-3600, -1800, -900, -1, 0, 1, 900, 1800, 3600]).map(
    lambda seconds: timedelta(seconds=seconds)
)
indices = st.integers(0, 4)


def plan(zone: str, timeline: list[tuple[datetime, set[Feature]]]) -> Plan:
    """Build the plan of a tenant with a group and entitlements."""
    written = [{"since": wall.isoformat(), "features": sorted(some)} for wall, some in timeline]
    document = {**DOCUMENT, "time_zone": zone, "entitlements": written}
    return build_plan(TenantSpec.model_validate_json(json.dumps(document)), revision=1, trunks=("carrier",))


@settings(max_examples=300)
@given(night=nights, edge=indices, offset=offsets)
def test_a_call_is_decided_by_the_entry_that_began_last(night: Night, edge: int, offset: timedelta) -> None:
    """Around its edges, to the second: what the clock has shown by then is in force, and nothing later."""
    zone, timeline = night
    one = plan(zone, timeline)
    now = _edge(one, edge) + offset
    shown = _latest_shown(now, ZoneInfo(zone))
    last = max((wall for wall, _ in timeline if wall <= shown), default=None)
    refused = isinstance(step := _dial(one, now), Reject)
    assert refused == all(Feature.GROUPS not in some for wall, some in timeline if wall == last)
    assert not refused or (isinstance(step, Reject) and step.reason == "not-entitled")
    assert refused or isinstance(step, Ring)


def _edge(one: Plan, edge: int) -> datetime:
    return one.entitlements[edge % len(one.entitlements)].since


def _latest_shown(now: datetime, zone: ZoneInfo) -> datetime:
    """Give the latest time that a clock on the wall has shown so far, whatever it shows now."""
    minute = now.replace(second=0)
    instants = (now, *(minute - timedelta(minutes=ago) for ago in range(180)))
    return max(at.astimezone(zone).replace(tzinfo=None) for at in instants)


def _dial(one: Plan, now: datetime) -> object:
    facts = Facts(call="c", linkedid="c", origin=Origin.TRUNK, endpoint="trunk-carrier",
                  actor="trunk-carrier", dialled="+493055500100", caller="+4989123456")  # fmt: skip
    return decide(Published().with_plan(one), facts, State(), now).steps[0]


@given(night=nights, edge=indices, offset=offsets, later=offsets.map(abs))
def test_what_has_begun_never_ends_because_a_clock_goes_back(
    night: Night, edge: int, offset: timedelta, later: timedelta
) -> None:
    """As time goes on the timeline only gets shorter, through both changes of clocks."""
    one = plan(*night)
    now = _edge(one, edge) + offset
    left = from_now_on(one.entitlements, now)
    assert from_now_on(one.entitlements, now + later) in [left[index:] for index in range(len(left))]


@given(night=nights, edge=indices, offset=offsets, feature=st.sampled_from(Feature))
def test_what_is_said_to_come_comes_and_not_before(
    night: Night, edge: int, offset: timedelta, feature: Feature
) -> None:
    """The instant that an explanation names is the first at which the feature may be used again."""
    one = plan(*night)
    timeline, now = one.entitlements, _edge(one, edge) + offset
    later = [entry.since for entry in timeline if entry.since > now]
    again = returns(timeline, feature, now)
    assert again == min((at for at in later if not withheld(timeline, feature, at)), default=None)


@given(night=nights)
def test_a_plan_on_disk_keeps_its_timeline(night: Night) -> None:
    """What is written and read again decides alike."""
    one = plan(*night)
    assert plan_from_json(plan_to_json(one)) == one


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2026-12-01T00:00", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("2027-06-01T00:00", datetime(2027, 5, 31, 22, tzinfo=UTC)),
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # twice: the first
        ("2027-03-28T02:30", datetime(2027, 3, 28, 1, tzinfo=UTC)),  # never: 03:00
    ],
)
def test_a_time_on_the_wall_is_one_instant(wall: str, utc: datetime) -> None:
    """Also in the two nights of the year in which the clock shows it twice or never."""
    assert instant(wall, ZoneInfo("Europe/Berlin")) == utc


def test_without_a_timeline_everything_is_allowed() -> None:
    """And an entry without features has all of them, those of later versions too."""
    assert not withheld((), Feature.GROUPS, datetime(2026, 12, 1, tzinfo=UTC))
    spec = TenantSpec.model_validate(
        {**DOCUMENT, "time_zone": "UTC", "entitlements": [{"since": "2026-12-01"}]}
    )
    (entry,) = build_plan(spec, revision=1, trunks=()).entitlements
    assert entry.features == ALL_FEATURES
