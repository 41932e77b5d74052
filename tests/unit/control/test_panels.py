"""What a line of the decision log looks like on a terminal."""

import json
from dataclasses import replace
from typing import get_args

import pytest
from rich.console import Console

from dialplan.decision import (
    Admit,
    Confirm,
    Decision,
    Limit,
    ListenToVoicemail,
    Next,
    Outside,
    PickUp,
    Play,
    Reason,
    Reject,
    Ring,
    Step,
    Voicemail,
    Why,
)
from pbxcore.cli import panels
from pbxcore.control.decision_log import encoded

OUTSIDE = Outside(trunks=("carrier",), number="+43664", presented="+4930", network="+4930", payer="acme/10",
                  why=Why.CALL, timeout_s=60, limit_s=0)  # fmt: skip
CASES = (
    (Ring(endpoints=("acme-p10",), timeout_s=9, then=Next(busy=2)), "ring acme-p10 for 9 s (busy → 2)"),
    (OUTSIDE, "call +43664 through carrier"),
    (replace(OUTSIDE, limits=(Limit(most=1, group="acme/10", category="out"),)),
     "call +43664 through carrier, showing +4930, paid by acme/10; counted: acme/10 ("),
    (replace(OUTSIDE, hidden=True, diverting="+4989"),
     "call +43664 through carrier, hiding +4930, diverted by +4989, paid by acme/10"),
    (replace(OUTSIDE, then=Next(busy=2)),
     "call +43664 through carrier, showing +4930, paid by acme/10 (busy → 2)"),
    (Ring(endpoints=("acme-p10",), timeout_s=9, busy_level=1),
     "ring acme-p10 for 9 s, busy from call 1 on (then end)"),
    (Voicemail(mailbox="10@acme"), "voicemail 10@acme"),
    (ListenToVoicemail(mailbox="10@acme"), "listen-to-voicemail 10@acme"),
    (Play(sound="tenants/acme/welcome", then=2), "play tenants/acme/welcome, then step 2"),
    (Play(sound="tenants/acme/closed"), "play tenants/acme/closed"),
    (Admit(limits=(Limit(most=1, group="acme", category="in"),), then=2),
     "admit acme (in, at most 1), then step 2"),
    (Admit(limits=(Limit(most=0, group="carrier", category="trunk"),), then=2),
     "admit carrier (trunk, no limit), then step 2"),
    (Reject(cause=21, reason=Reason.NO_CREDIT), "reject for no-credit (cause 21)"),
    (Confirm(sounds=("activated",)), "confirm activated"),
    (PickUp(endpoints=("acme-p10", "acme-p11")), "pick-up what rings at acme-p10, acme-p11"),
)  # fmt: skip


@pytest.mark.parametrize(("step", "shown"), CASES)
def test_each_kind_of_step_is_shown_in_words(step: Step, shown: str) -> None:
    """What `pbxcore explain` says of a step tells what it is about, and where the call goes on."""
    decision = json.loads(encoded(Decision(version="acme@1", steps=(step,), because=())))
    console = Console(width=200)
    with console.capture() as capture:
        console.print(panels.decision({"version": "acme@1", "micros": 9, "decision": decision}))
    assert f"1. {shown}" in capture.get()


def test_no_kind_of_step_is_left_out() -> None:
    """A kind that is added tomorrow needs its words, too."""
    assert {type(step) for step, _ in CASES} == set(get_args(Step))
