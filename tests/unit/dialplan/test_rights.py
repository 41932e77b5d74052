"""Rights: how far somebody may call, by number and by hour."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from dialplan.build import rights, shared_rights
from dialplan.checks import check_tenant
from dialplan.decision import Reason
from dialplan.rights import ever_covers, refusal
from dialplan.spec import RightsSpec, TenantSpec

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 9, tzinfo=UTC)
BERLIN, VIENNA, PREMIUM, NEW_YORK = "+493012345678", "+4315551234", "+499001234567", "+12025550123"
OFFICE = {"to": "anywhere", "open": ["Mon-Fri 08:00-18:00"], "closed": "country", "blocked": ["+49900*"]}

VIENNA_ONLY = {"to": "inside", "allowed": ["+431*"]}
OWN_HOURS = {"to": "office", "open": ["Mon-Fri 08:00-18:00"], "closed": "country"}


def spec(**more: object) -> TenantSpec:
    """Make a tenant that shares some rights."""
    return TenantSpec.model_validate({
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "rights": {"office": OFFICE, "vienna": VIENNA_ONLY}, **more,
    })  # fmt: skip


def refused(may_call: object, number: str, now: datetime) -> tuple[str, str] | None:
    """Tell by which rule, and for which reason, a number may not be called."""
    tenant = spec()
    read = rights(tenant, RightsSpec.model_validate(may_call), "here", shared_rights(tenant))
    found = refusal(read, number, country="DE", now=now, zone=UTC)
    return (found.rule, found.reason) if found else None


@pytest.mark.parametrize(
    "broken",
    ["Anywhere", "", 5, {"to": "anywhere", "blocked": ["0900"]}, {"open": ["always"]}, {"closed": "office"},
     {"allowed": ["anonymous"]}, {"from": "08:00"}, {"blocked": ["+49*"] * 201}],
)  # fmt: skip
def test_what_are_no_rights(broken: object) -> None:
    """A word of another form, a number without country code, hours that are none, an unknown key."""
    with pytest.raises(ValidationError):
        RightsSpec.model_validate(broken)


@pytest.mark.parametrize(
    ("may_call", "number", "now", "said"),
    [
        ("inside", BERLIN, MONDAY, ("here", Reason.NOT_ALLOWED)),
        ("country", VIENNA, MONDAY, ("here", Reason.NOT_ALLOWED)),
        ("country", BERLIN, MONDAY, None),
        ("ghost", BERLIN, MONDAY, ("here", Reason.NOT_ALLOWED)),  # no check has seen this document
        ("office", NEW_YORK, MONDAY, None),
        ("office", NEW_YORK, SUNDAY, ("rights.office", Reason.NOT_ALLOWED_NOW)),
        ("office", BERLIN, SUNDAY, None),
        ("office", PREMIUM, MONDAY, ("rights.office", Reason.NOT_ALLOWED)),
        # one's own numbers speak before those of the rights on which one builds, at any hour
        ({"to": "office", "allowed": ["+499001234567"]}, PREMIUM, SUNDAY, None),
        ({"to": "office", "blocked": ["+43*"]}, VIENNA, MONDAY, ("here", Reason.NOT_ALLOWED)),
        ({"to": "inside", "allowed": ["+43*"]}, VIENNA, SUNDAY, None),
        # and theirs before hours of one's own, which would let go what they block and refuse what they allow
        (OWN_HOURS, PREMIUM, MONDAY, ("rights.office", Reason.NOT_ALLOWED)),
        (OWN_HOURS, PREMIUM, SUNDAY, ("rights.office", Reason.NOT_ALLOWED)),
        ({"to": "vienna", "open": ["Mon 10:00-12:00"]}, VIENNA, SUNDAY, None),
        # the longest that fits, whichever list it stands in
        ({"allowed": ["+431*"], "blocked": ["+43*"]}, VIENNA, MONDAY, None),
        ({"allowed": ["+43*"], "blocked": ["+431*"]}, VIENNA, MONDAY, ("here", Reason.NOT_ALLOWED)),
        # hours of one's own around those of others
        ({"to": "office", "open": ["Mon 10:00-12:00"]}, NEW_YORK, MONDAY, ("here", Reason.NOT_ALLOWED_NOW)),
        ({"to": "country", "open": ["Mon 10:00-12:00"]}, VIENNA, MONDAY, ("here", Reason.NOT_ALLOWED)),
        ({"to": "inside", "open": ["Sun 09:00-12:00"], "closed": "anywhere"}, VIENNA, MONDAY, None),
        ({"open": ["Mon 08:00-12:00"], "exceptions": {"2026-11-23": "closed"}}, BERLIN, MONDAY,
         ("here", Reason.NOT_ALLOWED_NOW)),
    ],
)  # fmt: skip
def test_rights_say_what_may_be_called_and_when(
    may_call: object, number: str, now: datetime, said: tuple[str, str] | None
) -> None:
    """Numbers that are named first, then the hours, then the reach; a refusal names the rule that spoke."""
    assert refused(may_call, number, now) == said


@pytest.mark.parametrize(
    ("may_call", "number", "at_some_hour"),
    [
        ("office", NEW_YORK, True),
        ("office", PREMIUM, False),
        (OWN_HOURS, PREMIUM, False),
        ({"to": "vienna", "open": []}, VIENNA, True),
        ({"to": "inside", "open": [], "closed": "country"}, BERLIN, True),
        ({"to": "country", "open": []}, VIENNA, False),
    ],
)
def test_a_forward_needs_an_hour_at_which_it_is_allowed(
    may_call: object, number: str, *, at_some_hour: bool
) -> None:
    """What rights cover at some hour is no mistake of a document."""
    tenant = spec()
    read = rights(tenant, RightsSpec.model_validate(may_call), "here", shared_rights(tenant))
    assert ever_covers(read, number, "DE") is at_some_hour


@pytest.mark.parametrize("written", ["country", "office", {"to": "office", "allowed": ["+43*"]}])
def test_a_document_is_stored_as_it_was_before_there_were_lists(written: object) -> None:
    """A bare word stays one: plans and revisions of today are those of yesterday."""
    tenant = spec(extensions={"10": {"name": "A", "devices": ["p10"], "may_call": written}})
    stored = tenant.model_dump(mode="json", exclude_defaults=True)["extensions"]["10"]["may_call"]
    assert stored == written
    assert TenantSpec.model_validate_json(tenant.model_dump_json(exclude_defaults=True)) == tenant


BROKEN: dict[str, tuple[dict[str, Any], str, tuple[str | int, ...]]] = {
    "rights that are not there": (
        {
            "extensions": {"11": {"name": "B", "devices": ["p11"], "may_call": "ofice"}},
            "rights": {"office": "country"},
        },
        "unknown-rights",
        ("extensions", "11", "may_call"),
    ),
    "rights that build on others that build on others": (
        {"rights": {"a": {"to": "country"}, "b": {"to": "a"}}},
        "rights-on-rights",
        ("rights", "b"),
    ),
    "rights called like a reach": (
        {"rights": {"country": {"to": "anywhere"}}},
        "rights-called-reach",
        ("rights", "country"),
    ),
    "a number that is allowed and blocked": (
        {"rights": {"a": {"allowed": ["+4930*"], "blocked": ["+4989*", "+49 30*"]}}},
        "allowed-and-blocked",
        ("rights", "a", "blocked", 1),
    ),
    "special days of rights that hold at any hour": (
        {"rights": {"g": {"holidays": "closed"}}},
        "no-open",
        ("rights", "g"),
    ),
    "a forward to a number that is blocked": (
        {
            "extensions": {
                "11": {
                    "name": "B",
                    "devices": ["p11"],
                    "may_forward": {"blocked": ["+43*"]},
                    "forward": {"busy": "number +436641234567"},
                }
            }
        },
        "forbidden-forward",
        ("extensions", "11", "forward", "busy"),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_told_where(name: str) -> None:
    """Each mistake has its code, its path and a remedy."""
    change, code, path = BROKEN[name]
    sound = {
        "numbers": {"+493055500100": {"to": "extension 10"}},
        "extensions": {"10": {"name": "A", "devices": ["p10"]}},
    }
    found = check_tenant(spec(**{**sound, **change}), trunks=("carrier",))
    assert (code, path) in [(one.code, one.path) for one in found if one.remedy]
