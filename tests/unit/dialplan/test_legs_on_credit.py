"""Legs on credit: what a decision has to ask, and what the answer makes of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.credit import AROUND_S, REFUSALS, Credit, questions, with_credit
from dialplan.decide import decide
from dialplan.decision import Decision, Outside, Reason, Reject, Ring
from dialplan.facts import Facts, Origin, State
from dialplan.published import Published
from dialplan.spec import TenantSpec
from rating.credit import Refusal

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FAR = "+436641110001"
KEY = 2  # the step behind the ring
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "account": "acme",
    "numbers": {"+493055500100": {"to": "extension 10"}},
    "extensions": {
        "10": {"name": "Anna", "devices": ["p10"]},
        "11": {
            "name": "Bruno",
            "devices": ["p11"],
            "forward": {"no_answer": {"to": f"number {FAR}", "after_s": 20}},
        },
    },
}
PLAN = build_plan(TenantSpec.model_validate_json(json.dumps(DOCUMENT)), revision=1, trunks=("one", "two"))
INVOICED = Published().with_plan(PLAN)
PREPAID = replace(INVOICED, prepaid=frozenset({"acme"}))
LIMITED = replace(INVOICED, limited=frozenset({"acme"}))
STATE = State(longest_call_s=14_400)
COSTLY = "+4990012345678"  # premium: nobody calls it blindly


def dial(published: Published, number: str, state: State = STATE) -> Decision:
    """Anna dials."""
    facts = Facts(call="pbx-1.0", linkedid="pbx-1.0", origin=Origin.PHONE, endpoint="acme-p10",
                  actor="acme-p10", dialled=number)  # fmt: skip
    return decide(published, facts, state, NOON)


@pytest.mark.parametrize(
    ("published", "dialled", "asked"),
    [
        (INVOICED, "11", []),  # it is invoiced
        (PREPAID, "112", []),  # help costs nothing
        (PREPAID, "+493055500100", []),  # our own number leads inside
        (PREPAID, "10", []),
        (PREPAID, "11", [("acme/11", FAR, AROUND_S + 20 + 2 * 60)]),  # who forwards pays
        (PREPAID, FAR, [("acme/10", FAR, AROUND_S + 2 * 60)]),
        (LIMITED, "112", []),
        (LIMITED, "10", []),
        (LIMITED, "11", [("acme/11", FAR, AROUND_S + 20 + 2 * 60)]),
        (LIMITED, FAR, [("acme/10", FAR, AROUND_S + 2 * 60)]),
    ],
)
def test_only_legs_on_credit_are_asked_for(
    published: Published, dialled: str, asked: list[tuple[str, str, int]]
) -> None:
    """Who pays, whom it calls, and the longest time that it may ring."""
    found = questions(dial(published, dialled), published)
    assert [(one.payer, one.number, one.answer_within_s) for one in found] == asked


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, Reason.CREDIT_UNKNOWN),
        ({1: Credit(300, "other")}, Reason.CREDIT_UNKNOWN),  # an answer for another step
        ({KEY: Credit(0)}, Reason.CREDIT_UNKNOWN),
        ({KEY: Credit(0, "r1", "busy")}, Reason.CREDIT_UNKNOWN),  # a word that we do not know
        ({KEY: Credit(0, "r1", "no-account")}, Reason.CREDIT_UNKNOWN),
        ({KEY: Credit(0, "r1", "no-credit")}, Reason.NO_CREDIT),
        ({KEY: Credit(0, "r1", "no-price")}, Reason.NO_PRICE),
        ({KEY: Credit(0, "r1", "account-day-limit")}, Reason.ACCOUNT_DAY),
        ({KEY: Credit(0, "r1", "account-month-limit")}, Reason.ACCOUNT_MONTH),
        ({KEY: Credit(0, "r1", "extension-day-limit")}, Reason.EXTENSION_DAY),
        ({KEY: Credit(0, "r1", "extension-month-limit")}, Reason.EXTENSION_MONTH),
    ],
)
def test_a_leg_without_credit_is_a_refusal(said: dict[int, Credit], reason: Reason) -> None:
    """Whatever else than a yes came, that leg does not leave; what comes before it is as it was."""
    before = dial(PREPAID, "11")
    after = with_credit(before, PREPAID, said)
    assert isinstance(after.steps[0], Ring)
    assert after.steps[0] == before.steps[0]
    assert isinstance(after.steps[1], Reject)
    assert after.steps[1].reason is reason
    assert after.because[-1].rule == "credit"


@pytest.mark.parametrize(("granted_s", "limit_s"), [(300, 300), (14_400, 14_400), (20_000, 14_400)])
def test_a_leg_on_credit_has_an_end_and_its_reference(granted_s: int, limit_s: int) -> None:
    """It may last as long as was said, and no longer than any call may."""
    after = with_credit(dial(PREPAID, "11"), PREPAID, {KEY: Credit(granted_s, "r1")})
    leg = after.steps[1]
    assert isinstance(leg, Outside)
    assert (leg.limit_s, leg.credit) == (limit_s, "r1")


def test_the_standby_knows_no_credit() -> None:
    """It refuses legs on credit with that reason, calls inside and for help are decided as ever."""
    blind = replace(STATE, blind=True)
    refused = dial(PREPAID, FAR, blind).steps[0]
    assert isinstance(refused, Reject)
    assert refused.reason is Reason.CREDIT_UNKNOWN
    assert isinstance(dial(PREPAID, "11", blind).steps[0], Ring)
    assert isinstance(dial(PREPAID, "112", blind).steps[0], Outside)


def test_who_is_on_credit_outlives_a_change_of_plans() -> None:
    """Another revision of a tenant changes how it decides, not how it pays."""
    assert PREPAID.with_plan(PLAN).prepaid == {"acme"}
    assert PREPAID.without("acme").prepaid == {"acme"}


def test_every_refusal_of_rating_has_its_reason() -> None:
    """But for an account that is not there: of that nothing is known."""
    assert {refusal.value for refusal in Refusal} - {"no-account"} <= set(REFUSALS)


@pytest.mark.parametrize("said", [{}, {1: Credit(0, "r1", "busy")}])
def test_an_invoiced_leg_leaves_blindly_where_nobody_answers(said: dict[int, Credit]) -> None:
    """A limit is no reason to lose calls: it leaves as the standby lets it, near and for an hour at most."""
    near, far = dial(LIMITED, "+493012345678"), dial(LIMITED, COSTLY)
    leg, refused = with_credit(near, LIMITED, said).steps[0], with_credit(far, LIMITED, said).steps[0]
    assert isinstance(leg, Outside)
    assert (leg.limit_s, leg.credit) == (3_600, "")
    assert isinstance(refused, Reject)
    assert refused.reason is Reason.BLIND


def test_the_standby_lets_an_invoiced_leg_leave_as_ever() -> None:
    """Spend limits change nothing of what it decides."""
    blind = replace(STATE, blind=True)
    for number in ("+493012345678", COSTLY, "112"):
        assert dial(LIMITED, number, blind) == dial(INVOICED, number, blind)


def test_who_has_limits_outlives_a_change_of_plans() -> None:
    """Like who is on credit."""
    assert LIMITED.with_plan(PLAN).without("acme").limited == {"acme"}
