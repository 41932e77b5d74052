"""Limits of calls at once: which are named with a decision, and which document is wrong about them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from dialplan import carriers
from dialplan.build import build_plan
from dialplan.carriers import NO_CARRIERS, Carriers
from dialplan.checks import check_tenant
from dialplan.decide import decide
from dialplan.decision import Admit, Limit, Outside
from dialplan.facts import Facts, Origin, State
from dialplan.published import Published
from dialplan.spec import TenantSpec

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
    "account": "acme", "numbers": {"+493055500100": {"to": "extension 10"}},
    "extensions": {"10": {"name": "A", "devices": ["p10"]}, "11": {"name": "B", "devices": ["p11"]}},
}  # fmt: skip


def steps(caller: str, dialled: str, *, known: Carriers = NO_CARRIERS, **more: object) -> list[object]:
    """Decide a call of the document with some keys more."""
    plan = build_plan(
        TenantSpec.model_validate({**DOCUMENT, **more}), revision=1, trunks=("carrier", "backup")
    )
    origin = Origin.TRUNK if caller.startswith("trunk-") else Origin.PHONE
    facts = Facts(call="c", linkedid="c", origin=origin, endpoint=caller, actor=caller, dialled=dialled)
    return list(decide(Published(carriers=known).with_plan(plan), facts, State(), NOW).steps)


@pytest.mark.parametrize("broken", [{"max_calls": 0}, {"max_inbound": 1_001}, {"max_outbound": "2"}])
def test_what_is_no_limit(broken: dict[str, object]) -> None:
    """No call at all, more than any tenant has, a text: nobody means that."""
    with pytest.raises(ValidationError):
        TenantSpec.model_validate({**DOCUMENT, **broken})


@pytest.mark.parametrize(
    ("more", "own", "path"),
    [
        ({"max_inbound": 5, "max_calls": 4}, {}, ("max_inbound",)),
        ({"max_outbound": 5, "max_calls": 4}, {}, ("max_outbound",)),
        ({"max_outbound": 2}, {"max_outbound": 3}, ("extensions", "10", "max_outbound")),
        ({"max_outbound": 2, "max_calls": 9}, {"max_outbound": 3}, ("extensions", "10", "max_outbound")),
        ({"max_calls": 2}, {"max_outbound": 3}, ("extensions", "10", "max_outbound")),
        ({"max_calls": 2, "max_inbound": 2, "max_outbound": 2}, {"max_outbound": 2}, None),
        ({}, {"max_outbound": 3}, None),
    ],
)
def test_a_limit_that_is_never_reached_is_told(
    more: dict[str, Any], own: dict[str, Any], path: tuple[str, ...] | None
) -> None:
    """A limit above another that holds for the same calls is a slip."""
    extensions = {**DOCUMENT["extensions"], "10": {**DOCUMENT["extensions"]["10"], **own}}
    spec = TenantSpec.model_validate({**DOCUMENT, **more, "extensions": extensions})
    found = check_tenant(spec, trunks=("carrier",))
    assert [(one.code, one.path) for one in found] == ([("limit-without-effect", path)] if path else [])


@pytest.mark.parametrize(
    ("members", "level", "index"),
    [
        (["10", "61"], 1, 1),
        (["62"], 1, 0),  # through a group that has the group as a member
        (["10", "61"], None, None),
        (["10", "11"], 1, None),
    ],
)
def test_a_level_cannot_hold_within_a_member(
    members: list[str], level: int | None, index: int | None
) -> None:
    """Phones of a group that is a member are counted together: an extension's own level would be lost."""
    extensions = {**DOCUMENT["extensions"], "11": {**DOCUMENT["extensions"]["11"], "busy_level": level}}
    groups = {
        "all": {"name": "All", "extension": "60", "members": members},
        "some": {"name": "Some", "extension": "61", "members": ["11"]},
        "more": {"name": "More", "extension": "62", "members": ["10", {"extension": "61"}]},
    }
    spec = TenantSpec.model_validate({**DOCUMENT, "extensions": extensions, "groups": groups})
    found = {
        one.path: one.remedy for one in check_tenant(spec, trunks=()) if one.code == "level-within-member"
    }
    assert all(found.values())
    assert [path for path in found if path[1] == "all"] == (
        [] if index is None else [("groups", "all", "members", index)]
    )


def test_who_has_no_limit_pays_for_none() -> None:
    """Without limits no step counts anything, in neither direction."""
    (out,) = steps("acme-p10", "03012345678")
    assert isinstance(out, Outside)
    assert out.limits == ()
    assert not any(isinstance(step, Admit) for step in steps("trunk-carrier", "+493055500100"))


def test_a_leg_names_every_group_in_which_it_counts() -> None:
    """Those of the trunks that it may take, of the tenant, and of who pays."""
    extensions = {**DOCUMENT["extensions"], "10": {**DOCUMENT["extensions"]["10"], "max_outbound": 1}}
    known = Carriers(capacity={"backup": 30, "other": 5})
    (out,) = steps("acme-p10", "03012345678", known=known, max_outbound=4, max_calls=6, extensions=extensions)
    assert isinstance(out, Outside)
    assert out.limits == (
        Limit(most=30, group="backup", category="trunk"),
        Limit(most=4, group="acme", category="out"),
        Limit(most=6, group="acme", category="all"),
        Limit(most=1, group="acme/10", category="payer"),
    )


def test_what_comes_in_is_counted_first() -> None:
    """In the tenant, and for the trunk that brought it, which refuses none itself."""
    known = Carriers(capacity={"carrier": 30})
    first, *_ = steps("trunk-carrier", "+493055500100", known=known, max_inbound=2)
    assert first == Admit(
        limits=(
            Limit(most=2, group="acme", category="in"),
            Limit(most=0, group="carrier", category="trunk"),
        ),
        then=2,
    )
    assert not isinstance(steps("trunk-backup", "+493055500100", known=known)[0], Admit)


def test_help_is_never_counted() -> None:
    """Neither by tenant and extension nor by trunk, in whatever is decided; nor is who calls back."""
    extensions = {**DOCUMENT["extensions"], "10": {**DOCUMENT["extensions"]["10"], "max_outbound": 1}}
    known = Carriers(capacity={"carrier": 1})
    (out,) = steps("acme-p10", "112", known=known, max_outbound=1, max_calls=1, extensions=extensions)
    assert isinstance(out, Outside)
    assert out.limits == ()


@pytest.mark.parametrize("known", [NO_CARRIERS, Carriers(capacity={"carrier": 30})])
def test_what_is_known_of_trunks_survives_the_disk(known: Carriers) -> None:
    """What is read back is what was written; an index of yesterday says nothing."""
    assert carriers.from_json(carriers.to_json(known)) == known
    assert carriers.from_json({}) == NO_CARRIERS
