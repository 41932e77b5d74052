"""What a change changes for callers: every call that goes another way, and none that does not."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.decision import Ring
from dialplan.difference import STRANGER, Held, difference, held
from dialplan.plan import Music, Plan
from dialplan.published import Published
from dialplan.spec import TenantSpec

SUNDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "account": "acme",
    "numbers": {"+493055500100": {"to": "hours office"}},
    "extensions": {
        "10": {"name": "Anna", "devices": ["p10"], "voicemail": {}},
        "11": {"name": "Bruno", "devices": ["p11"]},
        "12": {"name": "Clara", "devices": ["p12"]},
    },
    "hours": {"office": {"open": ["Mon-Fri 08:00-17:00"], "then": "extension 10", "closed": "voicemail 10"}},
}


def plan(revision: int = 1, **changes: object) -> Plan:
    """Build a plan of the document with some keys replaced."""
    spec = TenantSpec.model_validate_json(json.dumps({**DOCUMENT, **changes}))
    return build_plan(spec, revision=revision, trunks=("carrier",))


def calls(before: Plan | None, after: Plan | None) -> list[tuple[str, str]]:
    """Tell who calls whom another way."""
    published = Published().with_plan(before) if before else Published()
    return [(one.caller, one.dialled) for one in difference(published, before, after, SUNDAY)]


def test_a_label_changes_no_call() -> None:
    """What no caller notices is no difference."""
    assert calls(plan(), plan(2, name="Acme Maschinenbau")) == []


def test_hours_that_close_a_quarter_earlier_are_seen() -> None:
    """The one quarter of an hour in the week at which a call goes another way is found, with its instant."""
    hours = {"office": {**DOCUMENT["hours"]["office"], "open": ["Mon-Fri 08:00-16:45"]}}
    before, after = plan(), plan(2, hours=hours)
    (one,) = difference(Published().with_plan(before), before, after, SUNDAY)
    assert one.dialled == "+493055500100"
    assert one.at == datetime(2026, 11, 23, 15, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"holidays": "closed"}, datetime(2026, 12, 25, 7, tzinfo=UTC)),
        ({"holidays": ["10:00-12:00"]}, datetime(2026, 12, 25, 7, tzinfo=UTC)),
        ({"exceptions": {"2027-02-08": "closed"}}, datetime(2027, 2, 8, 7, tzinfo=UTC)),
        ({"exceptions": {"06-14": "closed"}}, datetime(2027, 6, 14, 6, tzinfo=UTC)),
    ],
)
def test_a_special_day_months_ahead_is_seen(change: dict[str, Any], at: datetime) -> None:
    """The first holiday, or exception, of the coming year on which a call goes another way is told."""
    before, after = plan(), plan(2, hours={"office": {**DOCUMENT["hours"]["office"], **change}})
    first = difference(Published().with_plan(before), before, after, SUNDAY)[0]
    assert (first.dialled, first.at) == ("+493055500100", at)


def test_the_special_way_of_a_rule_is_seen() -> None:
    """Nobody has switched to it now: it is told with the rule that has to be."""
    hours = {"office": {**DOCUMENT["hours"]["office"], "special": "extension 11"}}
    before, special = plan(), plan(2, hours=hours)
    (one,) = difference(Published().with_plan(before), before, special, SUNDAY)
    assert (one.caller, one.dialled, one.switched) == ("trunk-carrier", "+493055500100", "office")
    assert one.after
    assert isinstance(one.after.steps[0], Ring)
    assert one.after.steps[0].endpoints == ("acme-p11",)
    away = {"name": "Bruno", "devices": ["p11"], "forward": {"always": "extension 12"}}
    after = plan(3, hours=hours, extensions={**DOCUMENT["extensions"], "11": away})
    found = difference(Published().with_plan(special), special, after, SUNDAY)
    assert [one.switched for one in found if one.caller == "trunk-carrier"] == ["office"]
    assert calls(special, plan(3, hours=hours)) == []


def test_a_forward_changes_calls_to_its_extension() -> None:
    """Called from inside: nobody else's calls are told."""
    extensions = {
        **DOCUMENT["extensions"],
        "11": {"name": "B", "devices": ["p11"], "forward": {"always": "extension 12"}},
    }
    assert calls(plan(), plan(2, extensions=extensions)) == [("acme-p10", "11"), ("acme-p12", "11")]


def test_rights_change_calls_outside() -> None:
    """A phone that may call only inside from now on."""
    extensions = {**DOCUMENT["extensions"], "12": {"name": "Clara", "devices": ["p12"], "may_call": "inside"}}
    assert calls(plan(), plan(2, extensions=extensions)) == [
        ("acme-p12", STRANGER),
        ("acme-p12", "+49555012345"),
    ]


def test_hours_and_numbers_of_rights_are_tried() -> None:
    """A pattern blocked from now on, and hours that end earlier, are found where they change calls."""
    rights = {"office": {"open": ["Mon-Fri 08:00-17:00"], "closed": "country"}}
    clara = {"name": "Clara", "devices": ["p12"], "may_call": "office"}
    extensions = {**DOCUMENT["extensions"], "12": clara}
    before = plan(rights=rights, extensions=extensions)
    blocks = {"office": {**rights["office"], "blocked": ["+49900*"]}}
    assert calls(before, plan(2, rights=blocks, extensions=extensions)) == [("acme-p12", "+49900555012")]
    shorter = {"office": {**rights["office"], "open": ["Mon-Fri 08:00-16:00"]}}
    after = plan(2, rights=shorter, extensions=extensions)
    (one,) = difference(Published().with_plan(before), before, after, SUNDAY)
    assert (one.caller, one.dialled) == ("acme-p12", STRANGER)
    assert one.at == datetime(2026, 11, 23, 15, tzinfo=UTC)


@pytest.mark.parametrize(("before", "after"), [(None, plan()), (plan(), None)])
def test_a_tenant_that_comes_or_goes(before: Plan | None, after: Plan | None) -> None:
    """Every call to it is a difference."""
    found = calls(before, after)
    assert ("trunk-carrier", "+493055500100") in found
    assert ("acme-p10", "11") in found


def test_other_music_is_told_of_the_extensions_that_play_it() -> None:
    """An order or a choice that changes is seen at each extension that puts callers on hold to it."""
    music = {"a": ["one", "two"], "b": {"sounds": ["one", "two"], "order": "random"}}
    before = plan(music=music, on_hold="a")
    extensions = {**DOCUMENT["extensions"], "11": {"name": "Bruno", "devices": ["p11"], "on_hold": "b"}}
    listed, shuffled = Music(sounds=("one", "two"), random=False), Music(sounds=("one", "two"), random=True)
    assert held(before, plan(2, music=music, on_hold="a")) == ()
    assert held(before, plan(2, music=music, on_hold="a", extensions=extensions)) == (
        Held(extension="11", before=listed, after=shuffled),
    )
    assert [one.after for one in held(before, plan(2))] == [None] * 3
    assert [one.before for one in held(None, before)] == [None] * 3


def test_who_is_blocked_from_now_on_is_seen() -> None:
    """A caller of each kind that a rule names is tried, and told with the number that is shown."""
    numbers = {"+493055500100": {"to": "extension 10", "callers": {"+4940*": "extension 11"}}}
    before = plan(numbers={"+493055500100": {"to": "extension 10"}})
    after = plan(2, numbers=numbers, blocked=["+4989123456"], anonymous="voicemail 10")
    found = difference(Published().with_plan(before), before, after, SUNDAY)
    shown = {one.shows: one for one in found if one.caller == "trunk-carrier"}
    assert set(shown) == {"+4989123456", "", "+494055501234"}


def test_a_change_of_entitlements_is_seen_at_its_instant() -> None:
    """Months ahead, and in the hours of the week after it in which it matters."""
    before = plan(entitlements=[{"since": "2026-01-01"}])
    some = [{"since": "2026-01-01"}, {"since": "2027-03-01T00:00", "features": ["hours"]}]
    after = plan(2, entitlements=some)
    found = difference(Published().with_plan(before), before, after, SUNDAY)
    told = [(one.caller, one.dialled, one.at.isoformat()) for one in found]
    assert told == [
        ("trunk-carrier", "+493055500100", "2027-03-01T00:00:00+01:00"),  # closed: the mailbox
        ("trunk-carrier", "+493055500100", "2027-03-01T08:00:00+01:00"),  # open: the phone, then the mailbox
        ("acme-p11", "10", "2027-03-01T00:00:00+01:00"),
        ("acme-p12", "10", "2027-03-01T00:00:00+01:00"),
    ]
    assert difference(Published().with_plan(after), after, plan(3, entitlements=some), SUNDAY) == ()
