"""What a change means for callers, in words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from dialplan.decision import (
    Admit,
    Confirm,
    Decision,
    Hunt,
    Limit,
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
from dialplan.difference import Changed
from pbxcore.callers import Consequences
from pbxcore.cli import calls
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


RINGS = {name: Ring(endpoints=(name,), timeout_s=12) for name in ("acme-p10", "acme-p11", "acme-p12")}
COUNTED = Admit(limits=(Limit(group="acme", category="all", most=5),))


def changed(phone: str, before: Decision, after: Decision, hour: int = 12, switched: str = "") -> Changed:
    """Make a call of a phone to extension 10 that changes."""
    at = datetime(2026, 11, 22, hour, tzinfo=UTC)
    return Changed(caller=phone, dialled="10", shows="", at=at, before=before, after=after, switched=switched)


def shown(monkeypatch: pytest.MonkeyPatch, *found: Changed) -> list[str]:
    """Give the lines of the table, without its head."""
    console = Console(width=200, record=True, quiet=False, file=None)
    monkeypatch.setattr(calls, "out", console)
    calls.show(Consequences(calls=found, holds=()))
    return [" ".join(line.split()) for line in console.export_text().splitlines()[1:]]


def test_what_changes_every_call_alike_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of the whole tenant stands before all that calls do; it is told once, from its first hour."""
    counted = [changed(name, decided(ring), decided(COUNTED, ring), 12 - n)
               for n, (name, ring) in enumerate(RINGS.items())]  # fmt: skip
    assert shown(monkeypatch, *counted) == [
        "acme-p10, acme-p11, acme-p12 10 Sun 2026-11-22 10:00 … … count at most 5 calls of acme …"
    ]


def test_what_changes_otherwise_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other steps, other fields behind equal words, or another rule that has to be switched."""
    ring = RINGS["acme-p10"]
    lines = shown(
        monkeypatch,
        changed("acme-p11", decided(ring), decided(COUNTED)),
        changed("acme-p12", decided(ring), decided(replace(ring, prefix="Sales"))),
        changed("acme-p12", decided(ring), decided(COUNTED), switched="office"),
    )
    assert len(lines) == 3
    assert "ring acme-p10 12 s count at most 5 calls of acme" in lines[0]
    assert "office switched to special" in lines[2]


def test_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three are named."""
    found = [changed(f"acme-p{n}", decided(OUTSIDE), decided(COUNTED)) for n in range(9)]
    (line,) = shown(monkeypatch, *found)
    assert line.startswith("acme-p0, acme-p1, acme-p2 and 6 more 10 Sun")
