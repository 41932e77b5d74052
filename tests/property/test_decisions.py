"""Whatever a tenant's document says and whoever calls: a bounded decision, the same each time."""

import dataclasses
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dialplan.build import build_plan
from dialplan.checks import check_tenant
from dialplan.compile import check_together
from dialplan.decide import decide
from dialplan.decision import (
    Confirm,
    Outside,
    Ring,
    Why,
)
from dialplan.facts import Facts, State
from dialplan.flow import Box, diagrams, ways
from dialplan.published import Published, plan_from_json, plan_to_json
from dialplan.spec import TenantSpec
from dialplan.switch import NO_SWITCHES, Switch
from tests.property.drawn import (
    NUMBERS,
    anything,
    assert_bounded,
    dialled_inside,
    instants,
    published,
    questions,
    questions_of_one,
    sound_tenants,
    states,
    switches,
    tenants,
    without_switches,
)


@given(tenants("one"), tenants("two"), tenants("six"), questions, states, instants)
def test_every_call_is_decided_whatever_the_documents_say(  # noqa: PLR0917 — what a decision depends on
    one: TenantSpec, two: TenantSpec, six: TenantSpec, facts: Facts, state: State, now: datetime
) -> None:
    """Even documents full of circles, within and between them, give bounded decisions, twice the same."""
    plans = published(one, two, six)
    decision = decide(plans, facts, state, now)
    assert_bounded(decision)
    assert decide(plans, facts, state, now) == decision


@given(tenants("one"), questions, states, instants)
def test_what_a_plan_knows_of_a_group_changes_no_call(
    spec: TenantSpec, facts: Facts, state: State, now: datetime
) -> None:
    """Phones that are found at compile time ring as those that are found member by member."""
    plan = build_plan(spec, revision=1, trunks=("carrier",))
    groups = {name: dataclasses.replace(group, together=None) for name, group in plan.groups.items()}
    plain = dataclasses.replace(plan, groups=groups)
    known = decide(Published().with_plan(plan), facts, state, now)
    assert decide(Published().with_plan(plain), facts, state, now) == known


@given(sound_tenants(), questions_of_one, without_switches, instants)
def test_a_plan_that_compiles_is_never_cut_and_names_only_what_exists(
    spec: TenantSpec, facts: Facts, state: State, now: datetime
) -> None:
    """A plan without findings decides within its limits, pays itself and rings its own phones."""
    assert check_tenant(spec, trunks=("carrier",)) == ()
    plans = published(spec)
    ours = {*spec.numbers, *(number.stands_for for number in spec.numbers.values())}
    decision = decide(plans, facts, state, now)
    assert_bounded(decision)
    assert "limits" not in {line.rule for line in decision.because}
    for step in decision.steps:
        if isinstance(step, Ring):
            assert step.endpoints or step.joined
            assert all(endpoint.startswith("one-") for endpoint in step.endpoints)
        if isinstance(step, Outside) and step.why is not Why.EMERGENCY:
            assert step.payer.startswith("one/")
            assert step.network in ours
            assert step.number not in plans.numbers, "own numbers stay on-net"
            assert bool(step.diverting) == (step.why is not Why.CALL)
            assert not state.blind or 0 < step.limit_s <= 3600


@given(sound_tenants(), states, instants)
def test_everybody_in_a_plan_that_compiles_can_be_called(
    spec: TenantSpec, state: State, now: datetime
) -> None:
    """Whoever calls whom in a tenant, the decision is bounded and none of its steps rings nobody."""
    plans = published(spec)
    for facts in dialled_inside(spec):
        assert_bounded(decide(plans, facts, state, now))


@given(sound_tenants(), questions_of_one, states, instants)
def test_whatever_is_switched_a_forward_is_paid_by_its_owner(
    spec: TenantSpec, facts: Facts, state: State, now: datetime
) -> None:
    """Switches send calls anywhere, but never unpaid or to a stranger's phone, and none is changed unsaid."""
    plans = published(spec)
    decision = decide(plans, facts, state, now)
    assert_bounded(decision)
    assert bool(decision.changes) == any(isinstance(step, Confirm) for step in decision.steps)
    for step in decision.steps:
        if isinstance(step, Ring):
            assert all(endpoint.startswith("one-") for endpoint in step.endpoints)
        if isinstance(step, Outside) and step.why is not Why.EMERGENCY:
            assert step.payer.startswith("one/")
            assert step.number not in plans.numbers


@given(tenants("one"), tenants("two"), questions, states, switches(list(NUMBERS)), instants)
def test_a_switch_that_has_run_out_changes_nothing(  # noqa: PLR0917 — what a decision depends on
    one: TenantSpec, two: TenantSpec, facts: Facts, state: State, old: list[Switch], now: datetime
) -> None:
    """Neither do those that were cleared: the decision is that without them."""
    gone = [dataclasses.replace(switch, until=now - timedelta(seconds=1)) for switch in old[::2]]
    cleared = [dataclasses.replace(switch, value="") for switch in old[1::2]]
    later = state.switches.updated([*gone, *cleared])
    keys = {(switch.tenant, switch.kind, switch.subject) for switch in (*gone, *cleared)}
    others = (
        switch
        for tenant in NUMBERS
        for switch in state.switches.of(tenant, now)
        if (switch.tenant, switch.kind, switch.subject) not in keys
    )
    without = dataclasses.replace(state, switches=NO_SWITCHES.updated(others))
    plans = published(one, two)
    assert decide(plans, facts, dataclasses.replace(state, switches=later), now) == decide(
        plans, facts, without, now
    )


@given(tenants("one"), tenants("two"), questions, states, switches(["two"]), instants)
def test_a_switch_touches_no_other_tenant(  # noqa: PLR0917 — what a decision depends on
    one: TenantSpec, two: TenantSpec, facts: Facts, state: State, changes: list[Switch], now: datetime
) -> None:
    """A call in which only one tenant takes part is decided alike, whatever another switches."""
    plans = published(one, two)
    decision = decide(plans, facts, state, now)
    changed = dataclasses.replace(state, switches=state.switches.updated(changes))
    if "two" not in decision.version:
        assert decide(plans, facts, changed, now) == decision


@given(tenants("one"), tenants("two"), anything, states, st.datetimes())
def test_garbage_is_decided_too(
    one: TenantSpec, two: TenantSpec, facts: Facts, state: State, now: datetime
) -> None:
    """No question, however broken, and no instant makes decide raise."""
    assert_bounded(decide(published(one, two), facts, state, now))


@given(tenants("one"), questions, instants, st.integers(0, 86_400))
def test_a_plan_decides_the_same_after_the_disk(
    spec: TenantSpec, facts: Facts, now: datetime, later_s: int
) -> None:
    """A plan that was written and read again decides as before, at any instant."""
    plan = build_plan(spec, revision=3, trunks=("carrier", "spare"))
    again = plan_from_json(plan_to_json(plan))
    at = now + timedelta(seconds=later_s)
    assert decide(Published().with_plan(plan), facts, State(), at) == decide(
        Published().with_plan(again), facts, State(), at
    )


@given(tenants("one"), tenants("two"))
def test_findings_point_into_the_document(one: TenantSpec, two: TenantSpec) -> None:
    """Every finding has a code, words, a remedy, and a path whose section stands in the document."""
    sections = set(TenantSpec.model_fields)
    together = check_together({"one": one, "two": two})
    assert together == {}, "their numbers differ"
    for finding in check_tenant(one, trunks=("carrier",)):
        assert finding.code
        assert finding.message
        assert finding.remedy
        assert finding.path[0] in sections


def _boxes(box: Box) -> list[Box]:
    return [box, *(deeper for following in box.then for deeper in _boxes(following))]


@given(sound_tenants())
def test_the_call_flow_shows_every_rule_once(spec: TenantSpec) -> None:
    """On paper nothing is drawn twice, and a box that refers elsewhere refers to what is drawn."""
    boxes = [box for one in diagrams(spec) for box in _boxes(one.root)]
    leading = [box.place for box in boxes if box.then]
    assert len(leading) == len(set(leading))
    assert {box.place for box in boxes if box.elsewhere} <= set(leading)
    rules = {place for place in ways(spec) if place.kind in {"group", "hours", "announcement"}}
    assert rules <= set(leading)
