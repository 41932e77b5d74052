"""Who hides its number, and from whom: what is shown and what is said of it agree."""

from datetime import UTC, datetime

import pytest

from dialplan.build import build_plan
from dialplan.decide import decide
from dialplan.decision import Decision, Ring
from dialplan.facts import Facts, Origin, State
from dialplan.published import Published
from dialplan.spec import TenantSpec

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


def called(tenant: str, dialled: str) -> Decision:
    """Let the phone of one, who hides its number, call."""
    plans = Published()
    for name, number in (("one", "+493055500100"), ("two", "+493055500200")):
        document = {
            "version": 1,
            "tenant": name,
            "name": name,
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "account": name,
            "numbers": {number: {"to": "extension 11"}},
            "extensions": {
                "10": {"name": "A", "devices": ["p10"], "hide_number": True},
                "11": {"name": "B", "devices": ["p11"]},
            },
        }
        plan = build_plan(TenantSpec.model_validate(document), revision=1, trunks=("carrier",))
        plans = plans.with_plan(plan)
    phone = f"{tenant}-p10"
    facts = Facts(call="c", linkedid="c", origin=Origin.PHONE, endpoint=phone, actor=phone, dialled=dialled)
    return decide(plans, facts, State(), NOW)


@pytest.mark.parametrize(
    ("dialled", "rule"), [("{}", "extensions.10.hide_number"), ("*31#{}", "features.*31")]
)
@pytest.mark.parametrize(("number", "shown"), [("+493055500200", "anonymous"), ("11", "")])
def test_a_number_is_hidden_from_others_and_not_from_colleagues(
    dialled: str, rule: str, number: str, shown: str
) -> None:
    """Another tenant's phone shows no number; a colleague's shows what came, and nobody says otherwise."""
    decision = called("one", dialled.format(number))
    (ring,) = decision.steps
    assert isinstance(ring, Ring)
    assert ring.caller == shown
    assert [one.text for one in decision.because if one.rule == rule] == [
        "the caller's number is not shown outside"
    ]
