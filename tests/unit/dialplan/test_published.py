"""Plans in force: one tenant is swapped, whole or not at all, and survives the disk."""

import pytest

from dialplan.build import build_plan
from dialplan.plan import Plan
from dialplan.published import NumberTaken, Published, UnreadablePlan, plan_from_json, plan_to_json
from dialplan.shelves import Shelves
from dialplan.spec import TenantSpec


def plan(tenant: str, *numbers: str, revision: int = 1) -> Plan:
    """Give a plan of a tenant that has these numbers."""
    spec = TenantSpec.model_validate(
        {
            "version": 1,
            "tenant": tenant,
            "name": tenant,
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "account": tenant,
            "numbers": {number: {"to": "extension 10"} for number in numbers},
            "extensions": {"10": {"name": "A", "devices": ["p10"]}},
        }
    )
    return build_plan(spec, revision=revision, trunks=("carrier",))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[1]",
        '{"format":2,"revision":1,"trunks":[],"document":{}}',
        '{"format":1,"revision":1,"trunks":[],"document":{}}',
        '{"format":1,"revision":"x","trunks":[],"document":{}}',
        plan_to_json(plan("acme", "+493055500100"))[:-20],
        plan_to_json(plan("acme", "+493055500100")).replace('"revision": 1', '"revision": 1e999'),
    ],
)
def test_what_is_no_plan_is_not_read(text: str) -> None:
    """A file that was cut off, or is of another kind, is refused and not guessed at."""
    with pytest.raises(UnreadablePlan):
        plan_from_json(text)


def test_a_plan_survives_the_disk() -> None:
    """What is read back is the plan that was written."""
    written = plan("acme", "+493055500100", revision=7)
    assert plan_from_json(plan_to_json(written)) == written


def test_a_number_has_one_tenant() -> None:
    """A second tenant with a number is refused, and the first keeps it."""
    published = Published().with_plan(plan("acme", "+493055500100"))
    with pytest.raises(NumberTaken) as taken:
        published.with_plan(plan("beta", "+493055500100"))
    assert (taken.value.number, taken.value.tenant, taken.value.holder) == ("+493055500100", "beta", "acme")
    with pytest.raises(NumberTaken):
        Published().with_plans([plan("acme", "+493055500100"), plan("beta", "+493055500100")])


def test_one_tenant_is_swapped_whole() -> None:
    """A new plan takes the place of the old one with all its numbers; who holds the old view keeps it."""
    before = Published().with_plans([plan("acme", "+493055500100"), plan("beta", "+493055500200")])
    after = before.with_plan(plan("acme", "+493055500101", revision=2))
    assert after.plan_of_number("+493055500100") is None
    assert after.plans.get("acme") is after.plan_of_number("+493055500101")
    assert after.plans.get("beta") is before.plans.get("beta")
    assert before.plan_of_number("+493055500100") is before.plans.get("acme")


def test_a_number_moves_with_both_plans() -> None:
    """Two plans put in force at once may pass a number from one to the other."""
    before = Published().with_plan(plan("acme", "+493055500100"))
    after = before.with_plans([plan("beta", "+493055500100"), plan("acme")])
    found = after.plan_of_number("+493055500100")
    assert found is not None
    assert found.tenant == "beta"


def test_a_tenant_that_goes_leaves_nothing() -> None:
    """Neither its phones nor its numbers are found any more."""
    published = Published().with_plan(plan("acme", "+493055500100")).without("acme").without("never")
    assert published == Published()
    assert published.plan_of_endpoint("acme-p10") is None


def test_shelves_share_what_did_not_change() -> None:
    """A copy with one change shares all shelves but one, however many items there are."""
    full: Shelves[int] = Shelves[int]().updated({str(number): number for number in range(5_000)})
    changed = full.updated({"17": -1})
    assert (full.get("17"), changed.get("17"), len(changed)) == (17, -1, 5_000)
    assert sum(one is not other for one, other in zip(full._shelves, changed._shelves, strict=True)) == 1
    assert changed.without(["17"]).get("17") is None
    assert "17" not in changed.without(["17", "nothing"])
