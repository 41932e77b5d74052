"""What a change means for callers, in words."""

from dataclasses import replace

import pytest

from dialplan.decision import (
    Confirm,
    Decision,
    Hunt,
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
from pbxcore.cli.calls import apart, brief

OUTSIDE = Outside(
    trunks=("carrier",),
    number="+436641234567",
    presented="",
    network="+493055500100",
    payer="acme/11",
    why=Why.FORWARD,
    timeout_s=20,
)

HUNT = Hunt(group="acme/60", strategy="random", next_turn=0, first=(), rings_s=12, at_once=True)


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


def decided(*steps: Step, hunts: tuple[Hunt, ...] = ()) -> Decision:
    """Make a decision of these steps."""
    return Decision(version="acme@1", steps=steps, because=(), hunts=hunts)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            decided(OUTSIDE),
            decided(replace(OUTSIDE, presented="+493022200100")),
            (
                "+436641234567 for acme/11; presented none",
                "+436641234567 for acme/11; presented +493022200100",
            ),
        ),
        (
            decided(replace(OUTSIDE, trunks=("carrier", "other"))),
            decided(OUTSIDE),
            (
                "+436641234567 for acme/11; trunks carrier, other",
                "+436641234567 for acme/11; trunks carrier",
            ),
        ),
        (
            decided(OUTSIDE, hunts=(HUNT,)),
            decided(OUTSIDE, hunts=(replace(HUNT, strategy="linear"),)),
            (
                "+436641234567 for acme/11; turns acme/60 random",
                "+436641234567 for acme/11; turns acme/60 linear",
            ),
        ),
        (None, decided(OUTSIDE), ("not possible", "+436641234567 for acme/11")),
    ],
)
def test_two_ways_never_read_the_same(
    before: Decision | None, after: Decision | None, words: tuple[str, str]
) -> None:
    """Where the few words are equal, what differs is named with both values."""
    assert apart(before, after) == words
