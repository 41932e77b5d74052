"""The wire between dialplan and decision: what is refused, and what an answer looks like."""

import dataclasses
from typing import Any

import pytest

from dialplan.decision import (
    MAX_STEPS,
    Admit,
    Confirm,
    Decision,
    Joined,
    Limit,
    ListenToVoicemail,
    Next,
    Outside,
    Play,
    Reason,
    Reject,
    Ring,
    Step,
    Voicemail,
    Why,
)
from dialplan.facts import Origin
from dialplan.keys import Keys
from pbxcore.control import wire

NONCE = "0b7ac2f2-9f0d-4a11-b7d1-5e4a52c1f1aa"
ARGUMENTS = ["1", NONCE, "pbx-1.0", "phone", "acme-p10", "acme-p10", "+4930", "10", ":"]


def _headers(**changed: str) -> dict[str, str]:
    headers = {f"agi_arg_{number}": value for number, value in enumerate(ARGUMENTS, start=1)}
    return {"agi_uniqueid": "pbx-1.0", **headers, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"agi_arg_1": "2"},
        {"agi_arg_1": ""},
        {"agi_arg_2": ""},
        {"agi_arg_2": 'x",PBX_OK='},
        {"agi_arg_4": "stranger"},
        {"agi_arg_5": "acme p10"},
        {"agi_arg_7": ""},
        {"agi_arg_7": "11\n"},
        {"agi_arg_7": "1" * 101},
        {"agi_arg_8": "Ä"},
        {"agi_arg_8": "1" * 101, "agi_arg_10": ":acme-p10"},
        {"agi_arg_9": '/"'},
        {"agi_arg_9": "/" + "1" * 800},
        {"agi_arg_10": ":acme p10"},
        {"agi_arg_11": "acme p10"},
        {"agi_arg_10": ":a" * 301},
        {"agi_uniqueid": ""},
    ],
)
def test_a_question_of_another_kind_is_refused(changed: dict[str, str]) -> None:
    """What is not a question of this protocol is no question, and says so."""
    with pytest.raises(wire.BadQuestionError):
        wire.question(_headers(**changed))


def test_missing_arguments_are_no_question() -> None:
    """A request without arguments is refused, not an error of ours."""
    with pytest.raises(wire.BadQuestionError):
        wire.question({})


def test_a_question_gives_the_facts() -> None:
    """Each argument has its place; empty diversions are none."""
    asked = wire.question(_headers(agi_arg_4="trunk", agi_arg_9="+491:+492"))
    assert asked.nonce == NONCE
    assert asked.facts.origin is Origin.TRUNK
    assert (asked.facts.dialled, asked.facts.caller) == ("+4930", "10")
    assert asked.facts.diversions == ("+491", "+492")
    assert wire.question(_headers()).facts.diversions == ()


def test_phones_that_sent_a_call_on_are_facts() -> None:
    """The trail of a 302 holds more than other arguments may; a question without one is a question."""
    trail = tuple(f"{'t' * 20}-{'d' * 30}{n}" for n in range(5))
    assert wire.question(_headers(agi_arg_10=":" + ":".join(trail))).facts.trail == trail
    assert wire.question(_headers()).facts.trail == ()
    assert wire.question(_headers(agi_arg_11="acme-p10")).facts.helped == "acme-p10"
    assert wire.question(_headers()).facts.helped == ""


def _decision(*steps: Step, version: str = "acme@7") -> Decision:
    return Decision(version=version, steps=steps, because=())


LIMITS = (
    Limit(most=30, group="one", category="trunk"),
    Limit(most=2, group="acme/60", category="payer"),
)
REJECT = Reject(cause=17, reason=Reason.BUSY)


@pytest.mark.parametrize(
    "decision",
    [
        _decision(),
        _decision(*[REJECT] * (MAX_STEPS + 1)),
        _decision(REJECT, version='a"b'),
        _decision(Ring(endpoints=("acme-p10,PBX_OK=1",), timeout_s=5)),
        _decision(Ring(endpoints=("acme-p10)",), timeout_s=5)),
        _decision(Ring(endpoints=("a" * 2_000,), timeout_s=5)),
        _decision(Play(sound="${SHELL(id)}", then=0)),
        _decision(Play(sound="x", then=1)),
        _decision(REJECT, Play(sound="x", then=1)),
        _decision(Admit(limits=LIMITS, then=1)),
        _decision(Admit(limits=(Limit(most=1, group="a)", category="in"),), then=0)),
        _decision(Ring(endpoints=("a",), timeout_s=5, then=Next(busy=3)), REJECT),
        _decision(Voicemail(mailbox="10@acme\n")),
        _decision(Ring(endpoints=(), timeout_s=9, joined=(Joined(step=1, delay_s=0),))),
        _decision(Ring(endpoints=("a",), timeout_s=9, joined=(Joined(step=2, delay_s=0),))),
        _decision(Ring(endpoints=("a",), timeout_s=9, tone="a b")),
    ],
)
def test_an_answer_that_could_be_misread_is_never_sent(decision: Decision) -> None:
    """Unsafe characters, jumps back or beyond, nothing or too much: refused before anything is sent."""
    with pytest.raises(wire.BadAnswerError):
        wire.commands(decision, NONCE)


KEYS = Keys(blind="*1", attended="*2", tenant="acme", music="waiting")
ASKING = Keys(blind="", attended="*2", tenant="acme", music="")
OUTSIDE = Outside(trunks=("one", "two"), number="+43664", presented="+4930", network="+4931", payer="acme/60",
                  why=Why.FORWARD, timeout_s=60, hidden=True, diverting="+4932", diverted=("+4933",),
                  diversions=3, limit_s=3600, then=Next(busy=2, no_answer=2, unreachable=2))  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "written"),
    [
        ((Ring(endpoints=("acme-a", "acme-b"), timeout_s=9, then=Next(no_answer=2)), REJECT),
         "ring(PJSIP/acme-a&PJSIP/acme-b,9,,0,2,0,,,,0,)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, caller="+4930"),),
         "ring(PJSIP/acme-a,9,+4930,0,0,0,,,,0,)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, caller="anonymous"),),
         "ring(PJSIP/acme-a,9,anonymous,0,0,0,,,,0,)"),
        ((OUTSIDE, REJECT),
         "outside(one:two,+43664,+4930,+4931,1,3:+4932:+4933,acme/60,forward,60,3600,2,2,2,,)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, tone="sales", prefix="Verkauf:",
               joined=(Joined(step=2, delay_s=3), Joined(step=3, delay_s=0))),
          Ring(endpoints=("acme-b",), timeout_s=5), dataclasses.replace(OUTSIDE, confirm="de", then=Next())),
         "ring(PJSIP/acme-a&Local/3-2@member&Local/0-3@member/n,9,,0,0,0,2:3,sales,VmVya2F1Zjo,0,)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, group="acme/sales"),),
         "ring(PJSIP/acme-a,9,,0,0,0,,,,0,acme/sales)"),
        ((Confirm(sounds=("agent-loggedoff",), silent=("acme-a", "acme-b"), groups=("acme/x", "acme/y")),),
         "confirm(agent-loggedoff,acme-a&acme-b,acme/x:acme/y)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, calling_keys=KEYS, called_keys=KEYS),),
         "ring_more(PJSIP/acme-a,9,,0,0,0,,,,0,,Tt,*1:*2:acme-waiting,*1:*2:acme-waiting,)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, called_keys=ASKING),),
         "ring_more(PJSIP/acme-a,9,,0,0,0,,,,0,,t,,:*2:default,)"),
        ((dataclasses.replace(OUTSIDE, then=Next(), diverting="", limit_s=0, calling_keys=KEYS),),
         "outside_keyed(one:two,+43664,+4930,+4931,1,,acme/60,forward,60,0,0,0,0,,,T,*1:*2:acme-waiting,)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, heard="welcome.de@acme"),),
         "ring_more(PJSIP/acme-a,9,,0,0,0,,,,0,,,,,acme-welcome.de)"),
        ((Play(sound="tenants/acme/closed", language="de"),), "play(tenants/acme/closed,0,de)"),
        ((Voicemail(mailbox="10@acme", language="de", busy=True),), "voicemail(10@acme,b,de)"),
        ((Voicemail(mailbox="10@acme"),), "voicemail(10@acme,u,)"),
        ((ListenToVoicemail(mailbox="10@acme"),), "listen(10@acme)"),
        ((dataclasses.replace(OUTSIDE, trunks=("one",), diverting="", limit_s=0, limits=LIMITS[:1]), REJECT),
         "outside(one,+43664,+4930,+4931,1,,acme/60,forward,60,0,2,2,2,,,,,,-counted,30:one@trunk)"),
        ((Admit(limits=LIMITS, then=2), REJECT), "admit(30:one@trunk:2:acme/60@payer,2)"),
        ((Play(sound="de/closed", then=2), REJECT), "play(de/closed,2,)"),
        ((REJECT,), "reject(17,busy)"),
    ],
)  # fmt: skip
def test_each_step_is_written_as_the_dialplan_reads_it(steps: tuple[Step, ...], written: str) -> None:
    """One step is one label with its arguments in the dialplan's order; the nonce comes last."""
    (command,) = wire.commands(_decision(*steps), NONCE)
    assert command.startswith(f'EXEC MSet "PBX_S1={written},')
    assert command.endswith(f',PBX_N={len(steps)},PBX_VERSION=acme@7,PBX_OK={NONCE}"')


def test_a_long_answer_is_cut_between_variables() -> None:
    """Every command fits an AGI line, nothing is lost, and the nonce is in the last one alone."""
    steps = tuple(
        Ring(endpoints=tuple(f"acme-phone{n:02}{m:02}" for m in range(40)), timeout_s=9) for n in range(20)
    )
    commands = wire.commands(_decision(*steps), NONCE)
    assert len(commands) > 1
    assert all(len(command.encode()) < 2_000 for command in commands)
    assert [NONCE in command for command in commands] == [False] * (len(commands) - 1) + [True]
    pairs: list[Any] = [pair for command in commands for pair in command[11:-1].split(",PBX_")]
    assert len(pairs) == 20 + 3
