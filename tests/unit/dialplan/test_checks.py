"""A plan that compiles cannot get a call lost: each law, broken once."""

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from dialplan.checks import check_tenant
from dialplan.checks.register import CHECKS
from dialplan.compile import check_together, compile_tenant
from dialplan.decide import decide
from dialplan.entitlement import Feature
from dialplan.facts import Facts, Origin, State
from dialplan.published import Published
from dialplan.spec import TenantSpec
from pbxcore.control.wire import commands
from tests.unit.dialplan.small import BASE

TRUNKS = ("carrier",)

# what is changed in a sound document → the code, and where it is found
BROKEN: dict[str, tuple[dict[str, Any], str, tuple[str | int, ...]]] = {
    "a target that is not there": (
        {"numbers": {"+493055500100": {"to": "group sales"}}},
        "unknown-target",
        ("numbers", "+493055500100", "to"),
    ),
    "an extension that is not there": (
        {"extensions": {"11": {"name": "B", "devices": ["p11"], "forward": {"busy": "extension 99"}}}},
        "unknown-target",
        ("extensions", "11", "forward", "busy"),
    ),
    "a mailbox that is not there": (
        {"numbers": {"+493055500100": {"to": "voicemail 11"}}},
        "no-mailbox",
        ("numbers", "+493055500100", "to"),
    ),
    "a mailbox that would lose what nobody has heard": (
        {"extensions": {"11": {"name": "B", "devices": ["p11"], "voicemail": {"delete_after_mail": True}}}},
        "deleted-unsent",
        ("extensions", "11", "voicemail", "delete_after_mail"),
    ),
    "a mailbox that would lose a recording": (
        {
            "extensions": {
                "11": {
                    "name": "B",
                    "devices": ["p11"],
                    "voicemail": {"mail": "b@example.com", "attach": False, "delete_after_mail": True},
                }
            }
        },
        "deleted-unsent",
        ("extensions", "11", "voicemail", "delete_after_mail"),
    ),
    "a member that is not there": (
        {"groups": {"g": {"name": "G", "extension": "60", "members": ["10", "99"]}}},
        "missing-member",
        ("groups", "g", "members", 1),
    ),
    "a phone of two extensions": (
        {"extensions": {"11": {"name": "B", "devices": ["p10"]}}},
        "device-twice",
        ("extensions", "11", "devices", 0),
    ),
    "a phone twice": (
        {"extensions": {"11": {"name": "B", "devices": ["p11", "p11"]}}},
        "device-twice",
        ("extensions", "11", "devices", 1),
    ),
    "an extension like an emergency number": (
        {"extensions": {"110": {"name": "B", "devices": ["p110"]}}},
        "extension-is-emergency",
        ("extensions", "110"),
    ),
    "an extension like a service number": (
        {"extensions": {"116117": {"name": "B", "devices": ["p1"]}}},
        "extension-is-service",
        ("extensions", "116117"),
    ),
    "an extension like a feature code": (
        {"extensions": {"*97": {"name": "B", "devices": ["p1"]}}},
        "extension-is-code",
        ("extensions", "*97"),
    ),
    "a group with an extension's number": (
        {"groups": {"g": {"name": "G", "extension": "10", "members": ["10"]}}},
        "extension-twice",
        ("groups", "g", "extension"),
    ),
    "a number that two others stand for": (
        {
            "numbers": {
                "+493055500101": {"to": "extension 10", "stands_for": "+493022200100"},
                "+493055500102": {"to": "extension 10", "stands_for": "+493022200100"},
            }
        },
        "number-twice",
        ("numbers", "+493055500102", "stands_for"),
    ),
    "a caller's way that leads nowhere": (
        {"numbers": {"+493055500100": {"to": "extension 10", "callers": {"+49*": "extension 99"}}}},
        "unknown-target",
        ("numbers", "+493055500100", "callers", "+49*"),
    ),
    "callers without a number who are sent nowhere": (
        {"anonymous": "voicemail 11", "numbers": {"+493055500101": {"to": "extension 10"}}},
        "no-mailbox",
        ("anonymous",),
    ),
    "callers without a number who are sent round": (
        {"extensions": {"11": {"name": "B", "devices": ["p11"], "anonymous": "extension 11"}}},
        "cycle",
        ("extensions", "11", "anonymous"),
    ),
    "a forward for some calls that its owner may not pay for": (
        {
            "extensions": {
                "11": {
                    "name": "B",
                    "devices": ["p11"],
                    "may_call": "country",
                    "forward": {"rules": [{"callers": ["+43*"], "busy": "number +436641234567"}]},
                }
            }
        },
        "forbidden-forward",
        ("extensions", "11", "forward", "rules", 0, "busy"),
    ),
    "a forward for a number that is not ours": (
        {
            "extensions": {
                "11": {
                    "name": "B",
                    "devices": ["p11"],
                    "forward": {"rules": [{"numbers": ["+493099999"], "busy": "extension 10"}]},
                }
            }
        },
        "foreign-number",
        ("extensions", "11", "forward", "rules", 0, "numbers", 0),
    ),
    "an unreachable phone's way that leads nowhere": (
        {"extensions": {"11": {"name": "B", "devices": ["p11"], "forward": {"unreachable": "group g"}}}},
        "unknown-target",
        ("extensions", "11", "forward", "unreachable"),
    ),
    "a caller ID that is not ours": (
        {"extensions": {"11": {"name": "B", "devices": ["p11"], "caller_id": "+4930999999"}}},
        "foreign-caller-id",
        ("extensions", "11", "caller_id"),
    ),
    "a caller ID without right of use": (
        {
            "numbers": {"+493055500100": {"to": "extension 10", "stands_for": "+493022200100"}},
            "extensions": {"11": {"name": "B", "devices": ["p11"], "caller_id": "+493022200100"}},
        },
        "no-right-of-use",
        ("extensions", "11", "caller_id"),
    ),
    "a forward its owner may not call": (
        {
            "extensions": {
                "11": {
                    "name": "B",
                    "devices": ["p11"],
                    "may_call": "country",
                    "forward": {"always": "number +436641234567"},
                }
            }
        },
        "forbidden-forward",
        ("extensions", "11", "forward", "always"),
    ),
    "a forward to itself": (
        {"extensions": {"11": {"name": "B", "devices": ["p11"], "forward": {"busy": "extension 11"}}}},
        "cycle",
        ("extensions", "11", "forward", "busy"),
    ),
    "a forward to one's own number": (
        {
            "extensions": {
                "10": {"name": "A", "devices": ["p10"], "forward": {"busy": "number +493055500100"}},
            }
        },
        "cycle",
        ("numbers", "+493055500100", "to"),
    ),
    "a circle through hours and a group": (
        {
            "numbers": {"+493055500100": {"to": "hours h"}},
            "hours": {"h": {"open": ["Mon 08:00-09:00"], "then": "group g"}},
            "groups": {"g": {"name": "G", "members": ["10"], "otherwise": "hours h"}},
        },
        "cycle",
        ("hours", "h", "then"),
    ),
    "groups within each other": (
        {
            "groups": {
                "a": {"name": "A", "extension": "60", "members": ["10", "61"]},
                "b": {"name": "B", "extension": "61", "members": ["60"]},
            }
        },
        "cycle-of-groups",
        ("groups", "a", "members", 1),
    ),
    "an extension that nothing happens at": (
        {"extensions": {"11": {"name": "B"}}},
        "dead-end",
        ("extensions", "11"),
    ),
    "a group without phones": (
        {
            "extensions": {"12": {"name": "C", "voicemail": {}}},
            "groups": {"g": {"name": "G", "extension": "60", "members": ["12"]}},
        },
        "dead-end",
        ("groups", "g", "members"),
    ),
    "a group that nobody can reach": (
        {"groups": {"g": {"name": "G", "members": ["10"]}}},
        "unreachable",
        ("groups", "g"),
    ),
    "hours that only unreachable hours lead to": (
        {
            "hours": {
                "h": {"open": ["Mon 08:00-09:00"], "then": "hours i"},
                "i": {"open": ["Mon 08:00-09:00"], "then": "busy"},
            }
        },
        "unreachable",
        ("hours", "i"),
    ),
    "a member who would never ring": (
        {
            "groups": {
                "g": {
                    "name": "G",
                    "extension": "60",
                    "timeout_s": 10,
                    "members": ["10", {"extension": "11", "delay_s": 6}],
                }
            }
        },
        "delay-without-effect",
        ("groups", "g", "members", 1, "delay_s"),
    ),
    "a delay where members take turns": (
        {
            "groups": {
                "g": {
                    "name": "G",
                    "extension": "60",
                    "strategy": "linear",
                    "members": [{"extension": "10", "delay_s": 1}],
                }
            }
        },
        "delay-without-effect",
        ("groups", "g", "members", 0, "delay_s"),
    ),
    "a member outside whom the group may not call": (
        {
            "groups": {
                "g": {
                    "name": "G",
                    "extension": "60",
                    "may_call": "country",
                    "members": ["10", {"number": "+436641234567"}],
                }
            }
        },
        "forbidden-forward",
        ("groups", "g", "members", 1, "number"),
    ),
    "a group that rings itself by its own number": (
        {
            "numbers": {"+493055500100": {"to": "group g"}},
            "groups": {"g": {"name": "G", "members": ["10", {"number": "+493055500100"}]}},
        },
        "cycle",
        ("numbers", "+493055500100", "to"),
    ),
    "two time rules with one code": (
        {
            "numbers": {"+493055500100": {"to": "hours h"}, "+493055500101": {"to": "hours i"}},
            "hours": {
                name: {"open": [], "then": "busy", "switch": {"code": "1", "by": ["10"]}} for name in "hi"
            },
        },
        "hours-code-twice",
        ("hours", "i", "switch", "code"),
    ),
    "a time rule switched by nobody": (
        {
            "numbers": {"+493055500100": {"to": "hours h"}},
            "hours": {"h": {"open": [], "then": "busy", "switch": {"code": "1", "by": ["10", "99"]}}},
        },
        "unknown-switcher",
        ("hours", "h", "switch", "by", 1),
    ),
    "no number to call back": ({"numbers": None}, "no-callback-number", ("numbers",)),
    "a chain that is too long": (
        {
            "extensions": {
                str(number): {
                    "name": "X",
                    "devices": [f"p{number}"],
                    "forward": {"busy": f"extension {number + 1}"},
                }
                for number in range(20, 60)
            }
            | {"60": {"name": "X", "devices": ["p60"]}}
        },
        "too-many-steps",
        ("extensions", "20"),
    ),
    "a group with too many phones": (
        {
            "extensions": {str(n): {"name": "X", "devices": [f"p{n}"]} for n in range(200, 400)},
            "groups": {"g": {"name": "G", "extension": "60", "members": [str(n) for n in range(200, 400)]}},
        },
        "too-many-phones",
        ("groups", "g", "members"),
    ),
    "music that is not there": (
        {"extensions": {"11": {"name": "B", "devices": ["p11"], "on_hold": "jazz"}}},
        "unknown-music",
        ("extensions", "11", "on_hold"),
    ),
    "entitlements in no order": (
        {"entitlements": [{"since": "2026-12-01"}, {"since": "2026-12-01T00:00"}]},
        "entitlements-order",
        ("entitlements", 1, "since"),
    ),
    "entitlements that only the clock on the wall has in order": (
        {"entitlements": [{"since": "2027-03-28T02:15"}, {"since": "2027-03-28T02:45"}]},
        "entitlements-order",
        ("entitlements", 1, "since"),
    ),
    "music that nobody hears": ({"music": {"jazz": ["one"]}}, "unheard-music", ("music", "jazz")),
}


ELSEWHERE = {"missing-sound", "not-entitled", "too-many-extensions", "no-voice"}  # more than the document
HEARD = {"unknown-heard", "not-repeatable"}
OTHERS = {"unknown-rights", "rights-on-rights", "allowed-and-blocked", "no-open"}  # in files of their own
OTHERS |= {"limit-without-effect", "unknown-trunk", "unstarted-trunk", "route-for-all"}
OTHERS |= {"level-within-member", "outside-within-member", "forward-within-member"}


def changed(change: dict[str, Any]) -> TenantSpec:
    """Give the sound document with a change: entries are added, None takes a section out, texts replace."""
    document = deepcopy(BASE)
    for section, entries in change.items():
        if entries is None:
            del document[section]
        elif isinstance(entries, dict):
            document.setdefault(section, {}).update(deepcopy(entries))
        else:
            document[section] = entries
    return TenantSpec.model_validate(document)


@pytest.mark.parametrize("what", BROKEN)
def test_each_law_is_checked(what: str) -> None:
    """A document that breaks a law has no plan, and a finding that says where and what to do."""
    change, code, path = BROKEN[what]
    plan, findings = compile_tenant(changed(change), revision=1, trunks=TRUNKS)
    assert plan is None
    assert (code, path) in {(finding.code, finding.path) for finding in findings}
    assert all(finding.message and finding.remedy for finding in findings)


AT = datetime(2026, 12, 15, tzinfo=UTC)
BASIC: dict[str, Any] = {"since": "2026-12-01", "features": []}
FULL: dict[str, Any] = {"since": "2027-01-01T00:00"}
NOT_YET = "devices-not-yet", ("extensions", "11", "devices", 0)


@pytest.mark.parametrize(
    ("timeline", "found"),
    [
        ([BASIC], [("not-entitled", ("extensions", "10", "voicemail"))]),
        ([{**FULL, "since": "2026-11-01"}, BASIC], [("not-entitled", ("extensions", "10", "voicemail"))]),
        ([{**FULL, "since": "2026-11-01"}, {**BASIC, "since": "2027-01-01"}], []),  # until its end
        ([BASIC, FULL], []),  # it waits
        ([FULL], []),  # nothing is granted yet, but will be
        ([{**BASIC, "features": ["voicemail"]}], []),
        ([{"since": "2026-12-01", "extensions": 1}], [("too-many-extensions", ("extensions", "11"))]),
        ([{"since": "2026-12-01", "devices": 1}], [("too-many-devices", ("extensions", "11", "devices", 0))]),
        ([{"since": "2026-12-01", "extensions": 2, "devices": 2}], []),
        ([{"since": "2026-12-01", "devices": 1}, {**FULL, "devices": 2}], [NOT_YET]),
        ([{"since": "2026-12-01", "devices": 1}, FULL], [NOT_YET]),  # any number
        ([{"since": "2026-12-01", "devices": 2}, {**FULL, "devices": 1}], []),  # until its end
        ([], []),
    ],
)
def test_a_document_uses_what_its_tenant_may(
    timeline: list[dict[str, Any]], found: list[tuple[str, tuple[str | int, ...]]]
) -> None:
    """What is withheld from an instant on and for good is a mistake; without an instant nobody asks."""
    spec = TenantSpec.model_validate({**BASE, **({"entitlements": timeline} if timeline else {})})
    told = check_tenant(spec, trunks=TRUNKS, at=AT)
    assert [(finding.code, finding.path) for finding in told] == found
    assert check_tenant(spec, trunks=TRUNKS) == ()


def test_every_use_of_a_feature_is_found() -> None:
    """A tariff that includes nothing gets the complete list of what is in use."""
    document = {
        **BASE,
        "entitlements": [BASIC],
        "numbers": {"+493055500100": {"to": "hours office"}},
        "groups": {"g": {"name": "G", "extension": "60", "members": ["10"], "voicemail": {}}},
        "hours": {"office": {"open": ["Mon 08:00-09:00"], "then": "announcement away"}},
        "announcements": {"away": {"sound": "vm-goodbye"}},
    }
    told = check_tenant(TenantSpec.model_validate(document), trunks=TRUNKS, at=AT)
    assert {finding.code for finding in told} == {"not-entitled"}
    assert {finding.message.split()[-1] for finding in told} == {*Feature}
    assert len(told) == 5


@pytest.mark.parametrize(
    "entry",
    [
        {"since": "tomorrow"},
        {"since": "2026-12-01T00:00+01:00"},
        {"since": "0001-01-01"},
        {"since": "2026-12-01", "features": ["fax"]},
        {"since": "2026-12-01", "extensions": -1},
        {"features": []},
    ],
)
def test_an_entitlement_has_a_form(entry: dict[str, Any]) -> None:
    """A time with a zone, a feature that nothing here knows, a negative number: no entitlement."""
    with pytest.raises(ValidationError):
        TenantSpec.model_validate({**BASE, "entitlements": [entry]})


@pytest.mark.parametrize(
    ("present", "codes"),
    [
        (None, []),
        ({}, ["missing-sound", "missing-sound"]),
        ({"one": "", "two": "it is 44100 Hz"}, ["unplayable-sound"]),
        ({"one": "", "two": ""}, []),
    ],
)
def test_sounds_are_looked_for(present: dict[str, str] | None, codes: list[str]) -> None:
    """A sound that is not on this machine, or cannot be played, is named with the command that brings it."""
    document = {**BASE, "music": {"jazz": ["one", "two"]}, "on_hold": "jazz"}
    found = check_tenant(TenantSpec.model_validate(document), trunks=TRUNKS, present=present)
    assert [finding.code for finding in found] == codes
    assert all("pbxcore sounds add acme" in finding.remedy for finding in found)
    assert [finding.path for finding in found][-1:] == [("music", "jazz", "sounds", 1)] * bool(codes)


def test_every_check_is_broken_here() -> None:
    """No check is registered that this table does not see at work; without trunks one more is."""
    broken = {code for _, code, _ in BROKEN.values()} | ELSEWHERE | OTHERS | HEARD
    alone = compile_tenant(TenantSpec.model_validate(BASE), revision=1, trunks=())[1]
    assert {finding.code for finding in alone} == {"no-trunk"}
    assert len(broken) >= len(CHECKS)


def test_a_sound_document_has_a_plan_and_no_finding() -> None:
    """The sample tenant and the smallest one compile."""
    sample = yaml.safe_load((Path(__file__).parents[3] / "config/tenants/acme.yaml").read_text())
    for document in (BASE, sample):
        plan, findings = compile_tenant(TenantSpec.model_validate(document), revision=7, trunks=TRUNKS)
        assert findings == ()
        assert plan is not None
        assert plan.version == "acme@7"


def test_all_mistakes_are_found_at_once() -> None:
    """One pass finds everything that is wrong, not only the first."""
    changes: dict[str, Any] = {
        "numbers": {"+493055500100": {"to": "group nowhere"}},
        "groups": {"g": {"name": "G", "extension": "112", "members": ["98", "99"]}},
    }
    codes = [finding.code for finding in compile_tenant(changed(changes), revision=1, trunks=TRUNKS)[1]]
    assert sorted(codes) == [
        "dead-end",
        "extension-is-emergency",
        "missing-member",
        "missing-member",
        "unknown-target",
    ]


def test_two_tenants_with_one_number_are_both_told() -> None:
    """A number claimed twice, even as one that is stood for, is found in both; each names the other."""
    one = TenantSpec.model_validate(BASE)
    numbers = {"+493055500999": {"to": "extension 10", "stands_for": "+493055500100"}}
    two = TenantSpec.model_validate({**BASE, "tenant": "beta", "numbers": numbers})
    found = check_together({"a.yaml": one, "b.yaml": two})
    assert [(finding.path, "beta" in finding.message) for finding in found["a.yaml"]] == [
        (("numbers", "+493055500100"), True)
    ]
    assert [(finding.path, "acme" in finding.message) for finding in found["b.yaml"]] == [
        (("numbers", "+493055500999", "stands_for"), True)
    ]
    assert check_together({"a.yaml": one}) == {}


def test_as_many_phones_as_compile_fit_on_the_wire() -> None:
    """The largest group without a finding can be sent to Asterisk in one step."""
    extensions = {str(n): {"name": "X", "devices": [f"phone{n}"]} for n in range(1000, 1100)}
    for size in range(100, 0, -1):
        members = list(extensions)[:size]
        group = {"g": {"name": "G", "extension": "60", "members": members}}
        spec = changed({"extensions": extensions, "groups": group})
        plan, _ = compile_tenant(spec, revision=1, trunks=TRUNKS)
        if plan:
            break
    assert plan is not None
    assert size > 75
    facts = Facts(
        call="c", linkedid="c", origin=Origin.PHONE, endpoint="acme-p10", actor="acme-p10", dialled="60"
    )
    decision = decide(Published().with_plan(plan), facts, State(), datetime(2026, 11, 23, tzinfo=UTC))
    assert commands(decision, "0123456789abcdef")


def test_no_tenant_is_called_like_a_carrier_s_endpoint() -> None:
    """`trunk-carrier` is a carrier: no device of a tenant `trunk` may take its name."""
    with pytest.raises(ValidationError, match="no tenant can be called 'trunk'"):
        TenantSpec.model_validate({**BASE, "tenant": "trunk"}, strict=False)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"blocked": ["0900"]}, "no-caller"),
        ({"blocked": ["anonymous"]}, "no-caller"),
        ({"blocked": ["*"]}, "no-caller"),
        ({"numbers": {"+493055500100": {"to": "extension 10", "callers": {"boss": "busy"}}}}, "no-caller"),
        ({"anonymous": "reject 10"}, "no-target"),
        ({"extensions": {"10": {"name": "A", "forward": {"rules": [{"busy": "busy"}]}}}}, "no-condition"),
        (
            {"extensions": {"10": {"name": "A", "forward": {"rules": [{"callers": ["inside"]}]}}}},
            "no-forward",
        ),
        ({"extensions": {"10": {"name": "A", "blocked": ["+49*"] * 1_001}}}, "too_long"),
    ],
)
def test_what_is_written_of_callers_has_a_form(changes: dict[str, Any], code: str) -> None:
    """Each mistake of form is named; a bare star would block everybody."""
    with pytest.raises(ValidationError) as refused:
        TenantSpec.model_validate({**BASE, **changes})
    assert [error["type"] for error in refused.value.errors()] == [code]


def test_what_the_tenant_says_of_all_numbers_is_told_once() -> None:
    """Two numbers, one mistake."""
    numbers = {f"+49305550010{n}": {"to": "extension 10"} for n in range(2)}
    spec = TenantSpec.model_validate({**BASE, "numbers": numbers, "anonymous": "group sales"})
    assert [finding.code for finding in check_tenant(spec, trunks=TRUNKS)] == ["unknown-target"]


def test_many_ways_of_one_number_are_not_one_long_way() -> None:
    """Fifty kinds of callers, each led elsewhere: a call takes one of the ways."""
    callers = {f"+4930{n}*": f"number +43664{n:07}" for n in range(10, 60)}
    numbers = {"+493055500100": {"to": "extension 10", "callers": callers}}
    spec = TenantSpec.model_validate({**BASE, "numbers": numbers})
    assert check_tenant(spec, trunks=TRUNKS) == ()
