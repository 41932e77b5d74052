"""What a change means for callers, in words."""

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from dialplan.build import build_plan
from dialplan.decision import (
    Admit,
    Because,
    Confirm,
    Decision,
    Hunt,
    Joined,
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
from dialplan.difference import STRANGER, Changed
from dialplan.keys import Keys
from dialplan.spec import TenantSpec
from pbxcore.callers import Consequences
from pbxcore.cli import calls, ways
from pbxcore.cli.places import NOWHERE, Places, places
from pbxcore.cli.ways import apart, brief, part
from pbxcore.documents import read

ACME = Path(__file__).parents[3] / "config/tenants/acme.yaml"
COUNTED_FIVE = (Limit(group="acme", category="all", most=5),)

OUTSIDE = Outside(
    trunks=("carrier",),
    number="+436641234567",
    presented="",
    network="+493055500100",
    payer="acme/11",
    why=Why.FORWARD,
    timeout_s=20,
)


def ringing(**ways: int) -> Ring:
    """Make a step that rings a phone and leads to others."""
    return Ring(endpoints=("acme-p10",), timeout_s=25, then=Next(**ways))


HUNT = Hunt(group="acme/60", strategy="random", next_turn=0, first=(), rings_s=12, at_once=True)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((Ring(endpoints=("acme-p10", "acme-p11"), timeout_s=12),), "acme-p10, acme-p11 ring for 12 s"),
        (
            (Play(sound="closed", then=2), Voicemail(mailbox="10@acme")),
            "closed is played, then voicemail 10 records",
        ),
        (
            (
                ringing(busy=2, no_answer=3, unreachable=3),
                Voicemail(mailbox="10@acme", busy=True),
                Voicemail(mailbox="10@acme"),
            ),
            "acme-p10 rings for 25 s, then voicemail 10 records",
        ),
        (
            (
                ringing(busy=2, no_answer=3, unreachable=3),
                Voicemail(mailbox="11@acme"),
                Voicemail(mailbox="10@acme"),
            ),
            "acme-p10 rings for 25 s, if busy voicemail 11 records, else voicemail 10 records",
        ),
        (
            (ringing(no_answer=2, unreachable=2), Voicemail(mailbox="10@acme")),
            "acme-p10 rings for 25 s, if no answer or unreachable voicemail 10 records",
        ),
        (
            (
                ringing(busy=2, no_answer=3, unreachable=4),
                ringing(busy=4, no_answer=4, unreachable=4),
                OUTSIDE,
                Voicemail(mailbox="10@acme"),
            ),
            (
                "acme-p10 rings for 25 s, if busy (acme-p10 rings for 25 s, then voicemail 10 records), "
                "if no answer +436641234567 is called, acme/11 pays, else voicemail 10 records"
            ),
        ),
        (
            (
                ringing(busy=2, no_answer=3, unreachable=3),
                ringing(busy=3, no_answer=3, unreachable=3),
                Play(sound="closed", then=4),
                Voicemail(mailbox="10@acme"),
            ),
            (
                "acme-p10 rings for 25 s, if busy (acme-p10 rings for 25 s, then closed is played, "
                "then voicemail 10 records), else closed is played and so on"
            ),
        ),
        (
            (
                replace(ringing(busy=3, no_answer=3, unreachable=3), joined=(Joined(step=2, delay_s=5),)),
                Ring(endpoints=("acme-p11",), timeout_s=20),
                Voicemail(mailbox="10@acme"),
            ),
            (
                "acme-p10, step 2 after 5 s rings for 25 s, step 2: acme-p11 rings for 20 s, "
                "then voicemail 10 records"
            ),
        ),
        ((ListenToVoicemail(mailbox="10@acme"),), "voicemail 10 is heard"),
        ((PickUp(endpoints=("acme-p10",)),), "it takes a call that rings at acme-p10"),
        ((OUTSIDE,), "+436641234567 is called, acme/11 pays"),
        ((Reject(cause=1, reason=Reason.UNKNOWN_NUMBER),), f"it is refused: {Reason.UNKNOWN_NUMBER}"),
        (
            (Confirm(sounds=("do-not-disturb", "activated")),),
            "it is confirmed by do-not-disturb and activated",
        ),
    ],
)
def test_a_decision_in_few_words(steps: tuple[Step, ...], words: str) -> None:
    """Each step has its own words, one after the other, or in the place of another; each once."""
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
                "+436641234567 is called, acme/11 pays; shows none",
                "+436641234567 is called, acme/11 pays; shows +493022200100",
            ),
        ),
        (
            decided(replace(OUTSIDE, trunks=("carrier", "other"))),
            decided(OUTSIDE),
            (
                "+436641234567 is called, acme/11 pays; over carrier, other",
                "+436641234567 is called, acme/11 pays; over carrier",
            ),
        ),
        (
            decided(OUTSIDE, hunts=(HUNT,)),
            decided(OUTSIDE, hunts=(replace(HUNT, strategy="round_robin"),)),
            (
                "+436641234567 is called, acme/11 pays; members ring in any order in acme/60",
                "+436641234567 is called, acme/11 pays; members ring in turn in acme/60",
            ),
        ),
        (None, decided(OUTSIDE), ("not possible", "+436641234567 is called, acme/11 pays")),
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
    """Give the lines that are printed, each way of a call in three."""
    console = Console(width=200, record=True, quiet=False, file=None)
    monkeypatch.setattr(calls, "out", console)
    calls.show(Consequences(calls=found, holds=()))
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def test_what_changes_every_call_alike_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of the whole tenant stands before all that calls do; it is told once, from its first hour."""
    counted = [changed(name, decided(ring), decided(replace(COUNTED, then=2), ring), 12 - n)
               for n, (name, ring) in enumerate(RINGS.items())]  # fmt: skip
    assert shown(monkeypatch, *counted) == [
        "acme-p10, acme-p11, acme-p12 → 10, from Sun 2026-11-22 10:00 UTC on",
        "now …",
        "then … it is counted: at most 5 calls of acme …",
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
    assert len(lines) == 9
    assert lines[1:3] == ["now acme-p10 rings for 12 s", "then it is counted: at most 5 calls of acme"]
    assert lines[5].endswith("before the caller's name Sales")
    assert "while office is switched to special" in lines[6]


def test_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three are named."""
    found = [changed(f"acme-p{n}", decided(OUTSIDE), decided(COUNTED)) for n in range(9)]
    line, _, _ = shown(monkeypatch, *found)
    assert line.startswith("acme-p0, acme-p1, acme-p2 and 6 more → 10, from Sun")


def test_who_calls_from_outside_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody dials a trunk; and who hides the number is anonymous."""
    calls_in = [
        replace(changed("trunk-carrier", decided(OUTSIDE), decided(COUNTED)), shows=shows)
        for shows in ("", STRANGER, "+4930123")
    ]
    line, _, _ = shown(monkeypatch, *calls_in)
    assert line.startswith("anonymous over carrier, anybody over carrier, +4930123 over carrier → 10")


@pytest.mark.parametrize("step", get_args(Step), ids=lambda one: one.__name__)
def test_every_field_of_a_step_has_its_words(step: type) -> None:
    """What differs is never told by a name of the program's inside."""
    assert {one.name for one in dataclasses.fields(step)} <= ways.FIELDS.keys()


RING = Ring(endpoints=("acme-p10",), timeout_s=9)
KEYS = Keys(blind="##", attended="", tenant="acme", music="")
KEYS_WITH_MUSIC = replace(KEYS, music="x")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            replace(RING, then=Next(busy=2, no_answer=2, unreachable=2)),
            replace(RING, then=Next(busy=3, no_answer=2, unreachable=2)),
            ("goes on with step 2", "step 3 if busy, step 2 if no answer"),
        ),
        (
            replace(RING, then=Next(busy=2)),
            replace(RING, then=Next(busy=3)),
            ("step 2 if busy, nothing if no answer", "step 3 if busy, nothing if no answer"),
        ),
        (
            RING,
            replace(RING, called_keys=KEYS),
            ("by none", "who answers transfers by ##"),
        ),
        (
            replace(RING, called_keys=KEYS),
            replace(RING, called_keys=KEYS_WITH_MUSIC),
            ("with the machine's music", "with x music"),
        ),
        (OUTSIDE, replace(OUTSIDE, hidden=True), ("hides its number no", "hides its number yes")),
        (OUTSIDE, replace(OUTSIDE, limits=COUNTED_FIVE), ("counted none", "counted at most 5 calls of acme")),
    ],
)
def test_what_differs_is_told_in_words(before: Step, after: Step, words: tuple[str, str]) -> None:
    """No representation of the program's values: where it goes on, what is pressed, yes and no."""
    boxes = (Voicemail(mailbox="10@acme"), Voicemail(mailbox="10@acme", busy=True))
    for said, word in zip(apart(decided(before, *boxes), decided(after, *boxes)), words, strict=True):
        assert word in said
        assert "(" not in said


def test_places_of_a_document_are_told_with_their_lines() -> None:
    """Those that concern a call by its rules; of a call that no rule names, all of them."""
    found = Places(
        {("groups", "sales", "timeout_s"): 47, ("groups", "sales", "strategy"): 45, ("language",): 8}
    )
    ruled = Decision(version="acme@1", steps=(), because=(Because(rule="groups.sales", text="rings"),))
    assert found.of([ruled, None]) == "groups.sales.strategy (line 45), groups.sales.timeout_s (line 47)"
    assert found.of([decided()]).startswith("language (line 8), groups.sales.strategy (line 45)")


def test_the_lines_of_a_document_are_those_that_differ(tmp_path: Path) -> None:
    """A comment or another order of keys changes nothing; a new document changes no place of one in force."""
    file, old = tmp_path / "acme.yaml", ACME.read_text()
    file.write_text("# new\n" + old.replace("timeout_s: 12", "timeout_s: 15"))
    plans = []
    for path in (ACME, file):
        (document,), _ = read([path])
        assert isinstance(document.spec, TenantSpec)
        plans.append((document, build_plan(document.spec, revision=1, trunks=("carrier",))))
    (_, before), (document, after) = plans
    line = file.read_text().splitlines().index("    timeout_s: 15") + 1
    assert places(document, before, after).lines == {("groups", "sales", "timeout_s"): line}
    assert places(document, None, after) == NOWHERE


def test_only_the_way_that_changes_is_told() -> None:
    """Where it is taken if no answer alone, that is said; what comes before it is not."""
    before, after = (
        decided(ringing(busy=2, no_answer=3, unreachable=3), OUTSIDE, Voicemail(mailbox=box))
        for box in ("10@acme", "11@acme")
    )
    assert part(before, after) == (
        "if no answer or unreachable voicemail 10 records",
        "if no answer or unreachable voicemail 11 records",
    )


def nested(first: int, outside: str, box: str, *, last: str = "10@acme") -> Decision:
    """Decide by alternatives in one of two alternatives."""
    return decided(
        replace(ringing(busy=2, no_answer=5, unreachable=5), timeout_s=30),
        replace(ringing(busy=3, no_answer=4, unreachable=4), timeout_s=first),
        replace(OUTSIDE, number=outside),
        Voicemail(mailbox=box),
        Voicemail(mailbox=last),
    )


def test_an_alternative_of_several_steps_is_told_in_brackets() -> None:
    """What is tried if a colleague is busy, too, is not taken for what is tried if nobody answers."""
    assert brief(nested(20, "+43660", "11@acme")) == (
        "acme-p10 rings for 30 s, if busy (acme-p10 rings for 20 s, if busy +43660 is called, acme/11 pays, "
        "else voicemail 11 records), else voicemail 10 records"
    )


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (nested(20, "+43661", "11@acme"), "if busy +43660 is called, acme/11 pays"),
        (
            nested(20, "+43661", "12@acme", last="13@acme"),
            "(if busy +43660 is called, acme/11 pays, else voicemail 11 records), else voicemail 10 records",
        ),
        (
            nested(21, "+43660", "12@acme", last="13@acme"),
            (
                "if busy (acme-p10 rings for 20 s … if no answer or unreachable voicemail 11 records), "
                "else voicemail 10 records"
            ),
        ),
        (
            nested(21, "+43660", "11@acme", last="13@acme"),
            "if busy (acme-p10 rings for 20 s) … if no answer or unreachable voicemail 10 records",
        ),
    ],
    ids=["one-step", "without-its-first", "with-a-gap", "one-step-each"],
)
def test_brackets_and_dots_hold_in_a_part_of_a_way(then: Decision, now: str) -> None:
    """Where steps that stay are left out stand dots, and what goes on after them names its own case."""
    assert part(nested(20, "+43660", "11@acme"), then)[0] == now


def test_ways_that_became_one_are_told_by_what_they_lost() -> None:
    """Another number of steps in the same words: the greeting of the busy way is named."""
    before = decided(
        ringing(busy=2, no_answer=3, unreachable=3),
        Voicemail(mailbox="10@acme", busy=True),
        Voicemail(mailbox="10@acme"),
    )
    after = decided(ringing(busy=2, no_answer=2, unreachable=2), Voicemail(mailbox="10@acme"))
    now, then = apart(before, after)
    assert (now.partition(";")[0], "greets as busy yes" in now, "greets as busy no" in then) == (
        "acme-p10 rings for 25 s, then voicemail 10 records",
        True,
        True,
    )
