"""Blocks of numbers: which extension each number rings, what is shown, and what cannot be."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.checks import check_tenant
from dialplan.compile import check_together
from dialplan.decide import decide
from dialplan.decision import Outside, Reject, Ring
from dialplan.facts import Facts, Origin, State
from dialplan.plan import Plan
from dialplan.published import Published
from dialplan.spec import TenantSpec
from pbxcore.claims import numbers as numbers_of_tenant

BLOCK = "+49305550"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def spec(block: dict[str, Any] | None = None, more: dict[str, Any] | None = None) -> TenantSpec:
    """Make a tenant with a block of two digits."""
    numbers = {BLOCK: {"ddi": 2, "to": "group desk", **(block or {})}, **(more or {})}
    return TenantSpec.model_validate({
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "numbers": numbers,
        "extensions": {"10": {"name": "Anna", "devices": ["p10"]},
                       "11": {"name": "Bruno", "devices": ["p11"]},
                       "100": {"name": "Clara", "devices": ["p100"]}},
        "groups": {"desk": {"name": "Desk", "extension": "60", "members": ["100"]}},
    })  # fmt: skip


def plan(block: dict[str, Any] | None = None, more: dict[str, Any] | None = None) -> Plan:
    """Build the plan of such a tenant."""
    return build_plan(spec(block, more), revision=1, trunks=("carrier",))


def rings(one: Plan, number: str) -> str:
    """Say which phone a call from a trunk rings first, or why it is refused."""
    facts = Facts(call="pbx-1.1", linkedid="pbx-1.1", origin=Origin.TRUNK, endpoint="trunk-carrier",
                  actor="trunk-carrier", dialled=number, caller="+12025550123")  # fmt: skip
    first = decide(Published().with_plan(one), facts, State(), NOW).steps[0]
    return (
        first.endpoints[0] if isinstance(first, Ring) else first.reason if isinstance(first, Reject) else "?"
    )


def dials(one: Plan, phone: str, dialled: str) -> Any:  # noqa: ANN401 — a step
    """Give the first step of a phone's call."""
    facts = Facts(call="pbx-1.1", linkedid="pbx-1.1", origin=Origin.PHONE, endpoint=phone, actor=phone,
                  dialled=dialled)  # fmt: skip
    return decide(Published().with_plan(one), facts, State(), NOW).steps[0]


WRONG = [
    (spec(more={"+493055": {"ddi": 3, "to": "busy"}}), "block-in-block"),
    (spec(more={"+4930555012345": {"ddi": 3, "to": "busy"}}), "block-too-long"),
    (
        spec({"stands_for": "+49302220"}, {"+493099999": {"to": "busy", "stands_for": "+4930222010"}}),
        "number-twice",
    ),
]


@pytest.mark.parametrize(("document", "code"), WRONG)
def test_blocks_that_cannot_be_are_found(document: TenantSpec, code: str) -> None:
    """A block inside another, one that makes no telephone numbers, one whose number leads elsewhere."""
    assert code in {finding.code for finding in check_tenant(document, trunks=("carrier",))}


@pytest.mark.parametrize("ddi", [0, 4, "2"])
def test_a_block_has_one_to_three_digits(ddi: object) -> None:
    """More would be ten thousand numbers in one line."""
    with pytest.raises(ValueError, match="ddi"):
        spec({"ddi": ddi})


RUNG = [
    (f"{BLOCK}10", "acme-p10"),
    (f"{BLOCK}11"[1:], "acme-p11"),  # as a carrier without + brings it
    (f"{BLOCK}60", "acme-p100"),  # the group's own extension
    (f"{BLOCK}99", "acme-p100"),  # nobody has it: where the block says
    (BLOCK, "acme-p100"),
    (f"{BLOCK}0", "acme-p100"),  # the operator
    (f"{BLOCK}1", "unknown-number"),  # dialled half
    (f"{BLOCK}100", "unknown-number"),  # too long for this block, though an extension has it
]


@pytest.mark.parametrize(("number", "expected"), RUNG)
def test_the_digits_behind_a_block_ring_the_extension(number: str, expected: str) -> None:
    """A call rings who has the digits; every other number of the block goes where the block says."""
    assert rings(plan(), number) == expected


def test_an_entry_of_its_own_is_taken_out_of_the_block() -> None:
    """A number that is written by itself goes where it says, whatever its digits are."""
    assert rings(plan(more={f"{BLOCK}10": {"to": "extension 11"}}), f"{BLOCK}10") == "acme-p11"


def test_an_extension_shows_its_own_number_of_the_block() -> None:
    """Its digits behind the block are shown and called back; who has none there shows the block."""
    one = plan()
    for phone, number in (("acme-p10", f"{BLOCK}10"), ("acme-p100", BLOCK)):
        step = dials(one, phone, "+436641234567")
        assert isinstance(step, Outside)
        assert (step.presented, step.network) == (number, number)
    assert [phone.callback for phone in one.phones] == [f"{BLOCK}10", f"{BLOCK}11", BLOCK]


def test_a_block_is_ported_as_a_whole() -> None:
    """Each number of the temporary block stands for the one with the same digits."""
    before = plan({"stands_for": "+49302220", "right_of_use": NOW.date()})
    after = plan({"stands_for": "+49302220", "porting": {"confirmed": "2026-11-01T06:00", "grace_days": 7}})
    assert rings(before, "+4930222010") == rings(after, "+4930222010") == "acme-p10"
    assert rings(after, f"{BLOCK}10") == "unknown-number"  # released
    for one, network in ((before, f"{BLOCK}10"), (after, "+4930222010")):
        step = dials(one, "acme-p10", "+436641234567")
        assert (step.presented, step.network) == ("+4930222010", network)


def test_a_number_that_is_ported_before_its_block_is_shown_by_its_own_entry() -> None:
    """Its temporary number, which is nobody's, is neither shown nor called back, whichever stands first."""
    block = {"ddi": 2, "to": "group desk", "stands_for": "+49302220"}
    confirmed = {"confirmed": "2026-11-01T06:00", "grace_days": 7}
    own = {"to": "extension 10", "stands_for": "+4930222010", "porting": confirmed}
    for numbers in ({BLOCK: block, f"{BLOCK}10": own}, {f"{BLOCK}10": own, BLOCK: block}):
        document = {**spec().model_dump(exclude_defaults=True), "numbers": numbers}
        one = build_plan(TenantSpec.model_validate(document), revision=1, trunks=("carrier",))
        step = dials(one, "acme-p10", "+436641234567")
        assert (step.presented, step.network, one.phones[0].callback) == ("+4930222010",) * 3
        assert rings(one, "+4930222010") == "acme-p10"
        assert rings(one, f"{BLOCK}10") == "unknown-number"


def test_numbers_of_a_block_are_dialled_inside_without_leaving() -> None:
    """A colleague's full number rings the colleague."""
    assert dials(plan(), "acme-p10", f"{BLOCK}11").endpoints == ("acme-p11",)


def test_no_other_tenant_may_have_a_number_of_the_block() -> None:
    """All numbers of a block are claimed, those that nobody has too."""
    changed = {"tenant": "beta", "numbers": {f"{BLOCK}77": {"to": "busy"}}}
    other = TenantSpec.model_validate({**spec().model_dump(exclude_defaults=True), **changed})
    found = check_together({"acme": spec(), "beta": other})
    assert {finding.code for finding in found["beta"]} == {"number-taken"}
    assert len(numbers_of_tenant(spec())) == 100 + 2


def test_rules_are_explained_by_their_entry() -> None:
    """The decision names the line of the document, not a number that stands in none."""
    facts = Facts(call="pbx-1.1", linkedid="pbx-1.1", origin=Origin.TRUNK, endpoint="trunk-carrier",
                  actor="trunk-carrier", dialled=f"{BLOCK}10", caller="+12025550123")  # fmt: skip
    decision = decide(Published().with_plan(plan()), facts, State(), NOW)
    assert decision.because[0].rule == f"numbers.{BLOCK}.to"
