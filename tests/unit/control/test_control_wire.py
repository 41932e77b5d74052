"""The wire between dialplan and decision: what is refused, and what an answer looks like."""

import dataclasses
import re

import pytest

from dialplan.decision import (
    MAX_STEPS,
    Admit,
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
from dialplan.facts import Origin
from dialplan.keys import Keys
from pbxcore.control import wire

NONCE = "0b7ac2f2-9f0d-4a11-b7d1-5e4a52c1f1aa"
FIELDS = {
    "protocol": "3", "nonce": NONCE, "linkedid": "pbx-1.0", "origin": "phone", "endpoint": "acme-p10",
    "actor": "acme-p10", "dialled": "+4930", "caller": "10", "diversion": ":", "trail": "", "helped": "",
    "group": "",
}  # fmt: skip


def _headers(call: str = "pbx-1.0", **changed: str) -> dict[str, str]:
    return {"agi_uniqueid": call, "agi_arg_1": "|".join((FIELDS | changed).values())}


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": "1"},
        {"protocol": ""},
        {"nonce": ""},
        {"nonce": 'x",PBX_OK='},
        {"origin": "stranger"},
        {"endpoint": "acme p10"},
        {"dialled": ""},
        {"dialled": "11\n"},
        {"dialled": "1" * 101},
        {"caller": "Ä"},
        {"caller": "1" * 101, "trail": ":acme-p10"},
        {"diversion": '/"'},
        {"diversion": "/" + "1" * 800},
        {"trail": ":acme p10"},
        {"helped": "acme p10"},
        {"trail": ":a" * 301},
        {"helped": "acme-p10|"},
        {"group": "acme/sales,"},
        {"group": "acme/" + "s" * 100},
        {"call": ""},
    ],
)
def test_a_question_of_another_kind_is_refused(changed: dict[str, str]) -> None:
    """What is not a question of this protocol is no question, and says so."""
    with pytest.raises(wire.BadQuestionError):
        wire.question(_headers(**changed))


def test_missing_arguments_are_no_question() -> None:
    """A request without arguments, or with some of them, is refused, not an error of ours."""
    for said in ({}, {"agi_arg_1": "3"}, {"agi_arg_1": f"3|{NONCE}|pbx-1.0|phone"}):
        with pytest.raises(wire.BadQuestionError):
            wire.question({"agi_uniqueid": "pbx-1.0", **said})


def test_a_question_gives_the_facts() -> None:
    """Each field has its place; empty diversions are none."""
    asked = wire.question(_headers(origin="trunk", diversion="+491:+492"))
    assert asked.nonce == NONCE
    assert asked.facts.origin is Origin.TRUNK
    assert (asked.facts.dialled, asked.facts.caller) == ("+4930", "10")
    assert asked.facts.diversions == ("+491", "+492")
    assert wire.question(_headers()).facts.diversions == ()


def test_phones_that_sent_a_call_on_are_facts() -> None:
    """The trail of a 302 holds more than other fields may; a question without one is a question."""
    trail = tuple(f"{'t' * 20}-{'d' * 30}{n}" for n in range(5))
    assert wire.question(_headers(trail=":" + ":".join(trail))).facts.trail == trail
    assert wire.question(_headers()).facts.trail == ()
    assert wire.question(_headers(helped="acme-p10")).facts.helped == "acme-p10"
    assert wire.question(_headers()).facts.helped == ""
    assert wire.question(_headers(group="acme/sales")).facts.group == "acme/sales"


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
         "ring(PJSIP/acme-a&PJSIP/acme-b,9,,0,2,0)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, caller="+4930"),),
         "ring(PJSIP/acme-a,9,+4930,0,0,0)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, caller="anonymous"),),
         "ring(PJSIP/acme-a,9,anonymous,0,0,0)"),
        ((OUTSIDE, REJECT),
         "outside(one:two,+43664,+4930,+4931,1,3:+4932:+4933,acme/60,forward,60,3600,2,2,2)"),
        ((dataclasses.replace(OUTSIDE, diversion_reason="user-busy"), REJECT),
         "outside(one:two,+43664,+4930,+4931,1,user-busy/3:+4932:+4933,acme/60,forward,60,3600,2,2,2)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, tone="sales", prefix="Verkauf:",
               joined=(Joined(step=2, delay_s=3), Joined(step=3, delay_s=0))),
          Ring(endpoints=("acme-b",), timeout_s=5), dataclasses.replace(OUTSIDE, confirm="de", then=Next())),
         "ring(PJSIP/acme-a&Local/3-2@member&Local/0-3@member/n,9,,0,0,0,2:3,sales,VmVya2F1Zjo)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, group="acme/sales"),),
         "ring(PJSIP/acme-a,9,,0,0,0,,,,,acme/sales)"),
        ((Confirm(sounds=("agent-loggedoff",), silent=("acme-a", "acme-b"), groups=("acme/x", "acme/y")),),
         "confirm(agent-loggedoff,acme-a&acme-b,acme/x:acme/y)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, calling_keys=KEYS, called_keys=KEYS),),
         "ring_more(PJSIP/acme-a,9,,0,0,0,,,,,,Tt,*1:*2:acme-waiting,*1:*2:acme-waiting)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, called_keys=ASKING),),
         "ring_more(PJSIP/acme-a,9,,0,0,0,,,,,,t,,:*2:default)"),
        ((dataclasses.replace(OUTSIDE, then=Next(), diverting="", limit_s=0, calling_keys=KEYS),),
         "outside_keyed(one:two,+43664,+4930,+4931,1,,acme/60,forward,60,0,0,0,0,,,T,*1:*2:acme-waiting)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, heard="welcome.de@acme"),),
         "ring_more(PJSIP/acme-a,9,,0,0,0,,,,,,,,,acme-welcome.de)"),
        ((Play(sound="tenants/acme/closed", language="de"),), "play(tenants/acme/closed,0,de)"),
        ((Voicemail(mailbox="10@acme", language="de", busy=True),), "voicemail(10@acme,b,de)"),
        ((Voicemail(mailbox="10@acme"),), "voicemail(10@acme,u)"),
        ((ListenToVoicemail(mailbox="10@acme"),), "listen(10@acme)"),
        ((PickUp(endpoints=("acme-a", "acme-b")),), "pick_up(acme-a:acme-b)"),
        ((dataclasses.replace(OUTSIDE, trunks=("one",), diverting="", limit_s=0, limits=LIMITS[:1]), REJECT),
         "outside(one,+43664,+4930,+4931,1,,acme/60,forward,60,0,2,2,2,,,,,,-counted,30:one@trunk)"),
        ((Ring(endpoints=("acme-a",), timeout_s=9, busy_level=2),), "ring(PJSIP/acme-a,9,,0,0,0,,,,2)"),
        ((Admit(limits=LIMITS, then=2), REJECT), "admit(30:one@trunk:2:acme/60@payer,2)"),
        ((Play(sound="de/closed", then=2), REJECT), "play(de/closed,2)"),
        ((REJECT,), "reject(17,busy)"),
    ],
)  # fmt: skip
def test_each_step_is_written_as_the_dialplan_reads_it(steps: tuple[Step, ...], written: str) -> None:
    """One step is one label with its arguments in the dialplan's order; the nonce comes last."""
    (command,) = wire.commands(_decision(*steps), NONCE)
    assert command.startswith("SET VARIABLE ARRAY(PBX_S1,")
    assert f'PBX_N,PBX_VERSION,PBX_OK) "{written},' in command
    assert command.endswith(f',{len(steps)},acme@7,{NONCE}"')


def test_control_hears_of_the_end_of_a_call_whose_group_takes_turns() -> None:
    """And of no other call's: an event for each call of all tenants costs more than a decision."""
    hunt = Hunt(group="acme/60", strategy="random", next_turn=1, first=("acme/10",), rings_s=20)
    first = dataclasses.replace(hunt, at_once=True)
    for hunts, leaves in (((), False), ((hunt,), False), ((hunt, first), True)):
        (command,) = wire.commands(dataclasses.replace(_decision(REJECT), hunts=hunts), NONCE)
        names, _, values = command.partition(" ")[2].partition(" ")[2].partition(" ")
        assert ("PBX_END" in names, ",served," in values) == (leaves, leaves)


def test_a_long_answer_is_cut_between_variables() -> None:
    """Every command fits an AGI line, nothing is lost, and the nonce is in the last one alone."""
    steps = tuple(
        Ring(endpoints=tuple(f"acme-phone{n:02}{m:02}" for m in range(40)), timeout_s=9) for n in range(20)
    )
    commands = wire.commands(_decision(*steps), NONCE)
    assert len(commands) > 1
    assert all(len(command.encode()) < 2_000 for command in commands)
    assert [NONCE in command for command in commands] == [False] * (len(commands) - 1) + [True]
    names = re.findall(r"PBX_[A-Z]+\d*", " ".join(commands))
    assert len(names) == len(set(names)) == 20 + 3
