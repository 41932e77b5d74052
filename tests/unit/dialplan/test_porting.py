"""The life of a number: its stage at an instant, what is shown at it, and which call confirms a porting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.checks import check_tenant
from dialplan.decide import decide
from dialplan.decision import Decision, Outside, Reason, Reject, Ring
from dialplan.facts import Facts, Origin, State
from dialplan.plan import Plan
from dialplan.porting import Stage, confirmation, stage
from dialplan.published import Published
from dialplan.spec import TenantSpec

T, N = "+493055500100", "+493022200100"
MOBILE = "+436641234567"
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def spec(porting: dict[str, Any] | None = None, **number: Any) -> TenantSpec:  # noqa: ANN401 — of a document
    """Make a tenant whose temporary number T stands for N."""
    entry = {"to": "extension 10", "stands_for": N, "right_of_use": None, **number}
    if porting:
        entry["porting"] = porting
    return TenantSpec.model_validate({
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "numbers": {T: {key: one for key, one in entry.items() if one is not None}},
        "extensions": {"10": {"name": "Anna", "devices": ["p10"], "forward": {"busy": f"number {MOBILE}"}}},
    })  # fmt: skip


def plan(porting: dict[str, Any] | None = None, **number: Any) -> Plan:  # noqa: ANN401 — of a document
    """Build the plan of such a tenant."""
    return build_plan(spec(porting, **number), revision=1, trunks=("carrier",))


def from_trunk(dialled: str, *, diversions: tuple[str, ...] = ()) -> Facts:
    """Let a trunk bring a call."""
    return Facts(call="pbx-1.1", linkedid="pbx-1.1", origin=Origin.TRUNK, endpoint="trunk-carrier",
                 actor="trunk-carrier", dialled=dialled, caller="+493099", diversions=diversions)  # fmt: skip


def from_phone(dialled: str) -> Facts:
    """Let Anna dial."""
    return Facts(call="pbx-1.1", linkedid="pbx-1.1", origin=Origin.PHONE, endpoint="acme-p10",
                 actor="acme-p10", dialled=dialled)  # fmt: skip


def decided(one: Plan, facts: Facts, now: datetime = NOON) -> Decision:
    """Decide with one tenant in force."""
    return decide(Published().with_plan(one), facts, State(), now)


def refused(decision: Decision) -> Reason | None:
    """Say why a call is refused; None where it is not."""
    first = decision.steps[0]
    return first.reason if isinstance(first, Reject) else None


WRONG = [
    ({"porting": {"planned": "2026-12-01T06:00"}, "stands_for": None}, "porting-of-nothing"),
    ({"porting": {"planned": "2026-12-01T06:00", "rejected": "name differs"}}, "porting-twice"),
    ({"porting": {"confirmed": "2026-12-01T06:00", "rejected": "name differs"}}, "porting-twice"),
    ({"porting": {"by": "carrier"}}, "porting-unconfirmed"),
    ({"porting": {"planned": "2026-12-01T06:00", "reference": "WBCI-1"}}, "porting-unconfirmed"),
    ({"porting": {"confirmed": "2026-12-01T06:00"}, "ordered": True}, "porting-before-order"),
    ({"ordered": True}, "no-callback-number"),
]


@pytest.mark.parametrize(("number", "code"), WRONG)
def test_a_porting_that_cannot_be_is_found(number: dict[str, Any], code: str) -> None:
    """What contradicts itself does not compile."""
    assert code in {finding.code for finding in check_tenant(spec(**number), trunks=("carrier",))}


@pytest.mark.parametrize(
    ("stands_for", "ddi", "words"),
    [
        (T, None, f"{T} stands for itself"),
        (T, 2, f"{T} stands for itself"),
        (f"{T}0", 2, f"{T} stands for a number of its own"),
        (f"{T}12", 2, f"{T} stands for a number of its own"),
        (T[:-1], 1, f"{T} stands for a number of its own"),  # its digit 0 is the block itself
    ],
)
def test_a_number_that_stands_for_itself_is_found_once(stands_for: str, ddi: int | None, words: str) -> None:
    """It would be released after its grace, and nobody's: a mistake of its own, with a remedy."""
    wrong = spec({"confirmed": "2026-11-01T06:00"}, stands_for=stands_for, ddi=ddi)
    found = [one for one in check_tenant(wrong, trunks=("carrier",)) if one.code != "no-callback-number"]
    assert [(one.path, one.code) for one in found] == [(("numbers", T, "stands_for"), "stands-for-itself")]
    assert found[0].message.startswith(words)
    assert "leave out stands_for and porting" in found[0].remedy


@pytest.mark.parametrize(
    ("confirmed", "wrong"),
    [("2026-12-01T13:01", True), ("2026-12-01T12:01Z", True), ("2026-12-01T13:00", False), (None, False)],
)
def test_what_is_to_come_is_not_confirmed(confirmed: str | None, wrong: bool) -> None:  # noqa: FBT001 — a table
    """By the tenant's clock; who looks at no instant does not know."""
    one = spec({"confirmed": confirmed} if confirmed else None)
    found = [finding.path for finding in check_tenant(one, trunks=("carrier",), at=NOON)]
    assert found == [("numbers", T, "porting", "confirmed")] * wrong
    assert not check_tenant(one, trunks=("carrier",))


@pytest.mark.parametrize("instant", ["2026-12-01", "2026-13-01T06:00", "1.12.2026", "2026-12-01T06:00+1",
                                     "9999-12-31T23:59", "0001-01-01T00:00"])  # fmt: skip
def test_what_is_no_instant_is_a_mistake(instant: str) -> None:
    """An instant has a date and a time; the remedy shows the form."""
    with pytest.raises(ValueError, match="no instant"):
        spec({"planned": instant})


def test_a_time_that_the_clock_leaps_over_is_the_first_one_after() -> None:
    """A porting in the night when clocks go forward has the instant that an entitlement would have."""
    porting = plan({"planned": "2026-03-29T02:30"})
    assert porting.numbers[T].planned_at == datetime(2026, 3, 29, 1, tzinfo=UTC), "03:00 in Berlin"


STAGES = [
    (plan(stands_for=None), NOON, Stage.OWN),
    (plan(ordered=True), NOON, Stage.ORDERED),
    (plan(), NOON, Stage.TEMPORARY),
    (plan({"rejected": "name differs"}), NOON, Stage.TEMPORARY),
    (plan({"planned": "2026-12-01T06:00"}), NOON, Stage.PORTING),
    (plan({"planned": "2026-11-01T06:00"}), NOON, Stage.PORTING),  # a plan is no fact
    (plan({"confirmed": "2026-12-01T06:00"}), NOON, Stage.PORTED),
    (plan({"confirmed": "2026-12-01T06:00", "grace_days": 30}), NOON + 30 * DAY, Stage.RELEASED),
    (
        plan({"confirmed": "2026-12-01T13:00", "grace_days": 1}),
        NOON + DAY - timedelta(seconds=1),
        Stage.PORTED,
    ),
    (plan({"confirmed": "2026-12-01T13:00", "grace_days": 1}), NOON + DAY, Stage.RELEASED),  # 13:00 in Berlin
]


@pytest.mark.parametrize(("one", "now", "expected"), STAGES)
def test_the_stage_follows_from_the_document_and_the_instant(
    one: Plan, now: datetime, expected: Stage
) -> None:
    """Each stage begins with a fact or with its instant, none with a plan."""
    assert stage(one.numbers[T], now) is expected


SHOWN = [
    (plan(), (T, T)),
    (plan(right_of_use=NOON.date()), (N, T)),
    (plan({"planned": "2026-11-01T06:00"}, right_of_use=NOON.date()), (N, T)),
    (plan({"confirmed": "2026-12-01T06:00"}), (N, N)),
    (plan({"confirmed": "2026-01-01T06:00"}), (N, N)),
]


@pytest.mark.parametrize(("one", "expected"), SHOWN)
def test_what_the_far_end_sees_and_what_can_be_called_back(one: Plan, expected: tuple[str, str]) -> None:
    """N may be shown by right of use; only its confirmed porting makes it the number to call back."""
    step = decided(one, from_phone(MOBILE)).steps[0]
    assert isinstance(step, Outside)
    assert (step.presented, step.network) == expected
    assert one.phones[0].callback == expected[1]


def test_a_number_on_order_is_not_shown_and_takes_calls() -> None:
    """While T is on order the tenant's other number is shown; a call that comes early is taken."""
    document = spec(ordered=True).model_dump(exclude_defaults=True)
    document["numbers"]["+493055500111"] = {"to": "extension 10"}
    one = build_plan(TenantSpec.model_validate(document), revision=1, trunks=("carrier",))
    assert one.phones[0].callback == "+493055500111"
    assert isinstance(decided(one, from_trunk(T)).steps[0], Ring)


@pytest.mark.parametrize(
    "porting", [None, {"planned": "2026-12-02T06:00"}, {"confirmed": "2026-12-01T06:00"}]
)
def test_calls_to_both_numbers_ring_at_every_stage(porting: dict[str, Any] | None) -> None:
    """T and N lead to the same place, with or without a diversion header of the old provider."""
    for facts in (from_trunk(T), from_trunk(N), from_trunk(T, diversions=(N,)), from_trunk(N[1:])):
        assert isinstance(decided(plan(porting), facts).steps[0], Ring)


@pytest.mark.row("0.6")
def test_a_released_number_is_nobodys() -> None:
    """After its grace T is unknown from outside and dialled outside from inside; N rings on."""
    one = plan({"confirmed": "2026-12-01T06:00", "grace_days": 7})
    later = NOON + 8 * DAY
    assert refused(decided(one, from_trunk(T), later)) is Reason.UNKNOWN_NUMBER
    outside = decided(one, from_phone(T), later).steps[0]
    assert isinstance(outside, Outside)
    assert outside.number == T
    assert isinstance(decided(one, from_trunk(N), later).steps[0], Ring)


def test_a_rule_that_names_a_released_number_of_its_own_stays_inside() -> None:
    """Its tenant meant the place where T leads; outside, T may be a stranger's by now."""
    document = spec({"confirmed": "2026-12-01T06:00", "grace_days": 7}).model_dump(exclude_defaults=True)
    document["extensions"]["11"] = {"name": "Ben", "forward": {"always": f"number {T}"}}
    document["numbers"]["+493055500111"] = {"to": "extension 11"}
    one = build_plan(TenantSpec.model_validate(document), revision=1, trunks=("carrier",))
    for now in (NOON, NOON + 8 * DAY):
        step = decided(one, from_trunk("+493055500111"), now).steps[0]
        assert isinstance(step, Ring), step
        assert step.endpoints == ("acme-p10",)


def test_a_forward_is_diverted_by_the_number_that_can_be_called_back() -> None:
    """Diversion names T before the porting and N after it."""
    for porting, expected in ((None, T), ({"confirmed": "2026-12-01T06:00"}, N)):
        forward = next(s for s in decided(plan(porting), from_trunk(T)).steps if isinstance(s, Outside))
        assert forward.diverting == expected


@pytest.mark.row("0.6")
def test_numbers_that_are_forwarded_to_each_other_do_not_loop() -> None:
    """What T sends to N, and N's old provider back to T, ends with its reason, not with a thousand calls."""
    document = spec().model_dump(exclude_defaults=True)
    document["extensions"]["10"]["forward"] = {"always": f"number {N}"}
    one = build_plan(TenantSpec.model_validate(document), revision=1, trunks=("carrier",))
    assert refused(decided(one, from_trunk(T))) is Reason.LOOP
    assert refused(decided(plan(), from_trunk(T, diversions=(T, N)))) is Reason.LOOP
    assert refused(decided(plan(), from_trunk(T[1:], diversions=(T[1:],)))) is Reason.LOOP, (
        "as carriers write"
    )


def test_the_old_provider_that_still_forwards_after_the_porting_loses_no_call() -> None:
    """N is ours, and a switch somewhere still sends its calls to T, marked as diverted by N."""
    one = plan({"confirmed": "2026-12-01T06:00"})
    assert isinstance(decided(one, from_trunk(T, diversions=(N,))).steps[0], Ring)


CONFIRMING = [
    (plan({"planned": "2026-12-01T06:00"}), from_trunk(N), True),
    (plan({"planned": "2027-12-01T06:00"}), from_trunk(N[1:]), True),  # it came early: it is a fact
    (plan({"planned": "2026-12-01T06:00"}), from_trunk(T), False),
    (plan({"planned": "2026-12-01T06:00"}), from_trunk(N, diversions=(N,)), False),
    (plan({"planned": "2026-12-01T06:00"}), from_trunk(N, diversions=(N[1:],)), False),
    (plan({"planned": "2026-12-01T06:00"}), from_trunk(N, diversions=("0" + N[3:],)), False),
    (plan({"planned": "2026-12-01T06:00"}), from_phone(N), False),
    (plan({"planned": "2026-12-01T06:00"}), from_trunk("+493099999"), False),
    (plan(), from_trunk(N), False),
    (plan({"rejected": "name differs"}), from_trunk(N), False),
    (plan({"planned": "2026-12-01T06:00", "confirmed": "2026-12-01T06:10"}), from_trunk(N), False),
]


@pytest.mark.parametrize(("one", "facts", "expected"), CONFIRMING)
def test_only_a_trunks_call_to_the_number_itself_confirms_a_planned_porting(
    one: Plan, facts: Facts, *, expected: bool
) -> None:
    """A call to T, from inside, diverted by N, or without a plan confirms nothing."""
    found = confirmation(Published().with_plan(one), facts)
    assert (found is not None) == expected
    if found:
        assert (found.tenant, found.number) == ("acme", N)
