"""Who hides its number, and from whom: what is shown and what is said of it agree."""

from datetime import UTC, datetime

import pytest

from dialplan.build import build_plan
from dialplan.decide import decide
from dialplan.decision import Decision, Outside, Ring
from dialplan.facts import Facts, Origin, State
from dialplan.published import Published
from dialplan.spec import TenantSpec

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


def published() -> Published:
    """Give two tenants, each with one who hides its number."""
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
    return plans


def called(tenant: str, dialled: str) -> Decision:
    """Let the phone of one, who hides its number, call."""
    phone = f"{tenant}-p10"
    facts = Facts(call="c", linkedid="c", origin=Origin.PHONE, endpoint=phone, actor=phone, dialled=dialled)
    return decide(published(), facts, State(), NOW)


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


@pytest.mark.parametrize("endpoint", ["trunk-carrier", "two-p19", "1-2@member-0"])
def test_who_is_sent_outside_shows_no_number_of_who_it_says_it_is(endpoint: str) -> None:
    """A number inside is a caller's own word: only its phone makes a caller an extension of the tenant."""
    facts = Facts(call="c", linkedid="c", origin=Origin.TRANSFER, endpoint=endpoint, actor="one-p11",
                  dialled="+436641234567", caller="10")  # fmt: skip
    (step,) = decide(published(), facts, State(), NOW).steps
    assert isinstance(step, Outside)
    assert (step.presented, step.payer) == ("", "one/11")
