"""Members of groups: what `check` says of those that never ring, or that ring more than fits."""

from typing import Any

import pytest

from dialplan.checks import check_tenant
from dialplan.finding import Path
from dialplan.spec import TenantSpec
from tests.unit.dialplan.small import BASE

MOBILE = {"number": "+436641234567"}


def found(groups: dict[str, Any], **forwards: str) -> list[tuple[str, Path]]:
    """Check a tenant of these groups, whose extensions forward every call as given: `x11="extension 10"`."""
    always = {number.removeprefix("x"): {"always": to} for number, to in forwards.items()}
    document = {
        **BASE,
        "extensions": {
            number: {"name": number, "devices": [f"p{number}"], "forward": always.get(number, {})}
            for number in ("10", "11", *always)
        },
        "groups": {name: {"name": name, **group} for name, group in groups.items()},
    }
    return [
        (one.code, one.path) for one in check_tenant(TenantSpec.model_validate(document), trunks=("carrier",))
    ]


@pytest.mark.parametrize(
    ("inside", "members", "forwards", "code"),
    [
        (["11", MOBILE], ["10", "61"], "ignore", "outside-within-member"),
        (["11", MOBILE], ["10", "62"], "ignore", "outside-within-member"),  # a group in a group in a group
        (["11"], ["10", "61"], "obey", "forward-within-member"),
        (["11"], ["10", "61"], "ignore", None),
        (["11", MOBILE], ["10", "61", MOBILE], "ignore", None),  # it rings as a member of its own
    ],
)
def test_behind_a_member_are_phones_alone(
    inside: list[Any], members: list[Any], forwards: str, code: str | None
) -> None:
    """A number behind a member never rings and a forward never counts; what is a member too is not missed."""
    groups = {
        "in": {"extension": "61", "members": inside, "members_forward": "obey"},
        "between": {"extension": "62", "members": ["61", *([MOBILE] if MOBILE in inside else [])]},
        "out": {"extension": "60", "members": members, "members_forward": forwards},
    }
    expected = [(code, ("groups", "out", "members", 1))] if code else []
    assert found(groups, x11="extension 10") == expected


@pytest.mark.parametrize(("mobiles", "fits"), [(4, True), (9, False)])
def test_what_members_forward_to_has_to_fit(mobiles: int, *, fits: bool) -> None:
    """A group that obeys rings all that the groups ring to which its members forward: each takes a step."""
    members = [str(number) for number in range(20, 24)]
    groups = {
        "all": {"extension": "60", "members": members, "members_forward": "obey"},
        **{
            f"g{number}": {"members": [{"number": f"+43664123{number}{index}"} for index in range(mobiles)]}
            for number in members
        },
    }
    forwards = {f"x{number}": f"group g{number}" for number in members}
    assert found(groups, **forwards) == ([] if fits else [("too-many-steps", ("groups", "all"))])
