"""What a change means for callers, in words."""

import pytest

from dialplan.decision import (
    Confirm,
    Decision,
    ListenToVoicemail,
    Outside,
    Play,
    Reason,
    Reject,
    Ring,
    Step,
    Voicemail,
    Why,
)
from pbxcore.cli.calls import brief

OUTSIDE = Outside(
    trunks=("carrier",),
    number="+436641234567",
    presented="",
    network="+493055500100",
    payer="acme/11",
    why=Why.FORWARD,
    timeout_s=20,
)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((Ring(endpoints=("acme-p10", "acme-p11"), timeout_s=12),), "ring acme-p10+acme-p11 12 s"),
        ((Play(sound="closed"), Voicemail(mailbox="10@acme")), "play closed, then record in 10@acme"),
        ((ListenToVoicemail(mailbox="10@acme"),), "listen to 10@acme"),
        ((OUTSIDE,), "+436641234567 for acme/11"),
        ((Reject(cause=1, reason=Reason.UNKNOWN_NUMBER),), f"refuse: {Reason.UNKNOWN_NUMBER}"),
        ((Confirm(sounds=("do-not-disturb", "activated")),), "confirm by do-not-disturb+activated"),
    ],
)
def test_a_decision_in_few_words(steps: tuple[Step, ...], words: str) -> None:
    """Each step has its own words, one after the other."""
    assert brief(Decision(version="acme@1", steps=steps, because=())) == words


def test_no_decision_is_not_possible() -> None:
    """A call that cannot come is said to be so."""
    assert brief(None) == "not possible"
