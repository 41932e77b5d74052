"""What `pbxcore explain` says where no decision tells enough: trunks that fail, and calls nobody decides."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from pbxcore import calls, recent
from pbxcore.calls import Call, What
from pbxcore.cli.happened import story, unlogged
from pbxcore.settings import Settings

PHONE, FIRST, SECOND = "pbx-1795793348.3", "pbx-1795793348.4", "pbx-1795793348.5"
NUMBER = "+436641110503"
P11, P12, SENT_ON, MEMBER = (f"pbx-1795793348.{nth}" for nth in (6, 7, 8, 9))
CHANNELS = {
    P11: "PJSIP/acme-p11-00000006",
    P12: "PJSIP/acme-p12-00000007",
    SENT_ON: "Local/99@forward-00000001;2",
    MEMBER: "Local/0-2@member-00000002;2",
    PHONE: "PJSIP/acme-p10-00000003",
    FIRST: "PJSIP/trunk-carrier-00000004",
    SECOND: "PJSIP/trunk-backup-00000005",
}
LEG = f"payer=acme/10|why=call|num={NUMBER}|limit=14400|version=acme@1|trunk="
HELP = "payer=acme/10|why=emergency|num=112|limit=0|version=constant|trunk="
END = "outcome={}|by={}|version={}|reason={}"
BY_CONTROL = END.format("answered", "control", "acme@1", "")


def failed(
    trunk: str, then: str = "", *, channel: str = "", number: str = NUMBER, **said: str
) -> tuple[str, ...]:
    """Give what is recorded on the phone's channel when a trunk does not take its call."""
    words = {"cause": "34", "sip": "", "status": "CHANUNAVAIL", "next": then, "away": "", **said}
    extra = "|".join(f"{name}={value}" for name, value in words.items())
    return PHONE, "TRUNK_FAILED", f"trunk={trunk}|num={number}|channel={CHANNELS.get(channel, '')}|{extra}"


def call_of(settings: Settings, lines: Sequence[tuple[str, ...]]) -> Call:
    """Let Asterisk have recorded lines of one call: a channel, what happened, and what the dialplan said."""
    settings.spool.mkdir(parents=True)
    text = ""
    for number, (channel, what, *extra) in enumerate(lines):
        user = what not in {"CHAN_START", "ANSWER", "HANGUP"}
        event, subject = ("USER_DEFINED", what) if user else (what, "")
        words, *after = extra or [""]  # seconds after the first, if not as many ms as its line
        said = (channel, PHONE, CHANNELS[channel], "acme/10", subject, words)
        at = f"{1_795_793_348 + int(after[0] if after else 0)}.{number:03}000"
        text += "\t".join(("L1", event, at, *said)) + "\n"
    (settings.spool / "legs.tsv").write_text(text)
    found = calls.find(settings, PHONE)
    assert found
    return found


def told(call: Call) -> list[str]:
    """Give the sentences without their instants, and without decisions."""
    return [line for _at, line in story(call) if isinstance(line, str)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine without records yet."""
    return Settings(state=tmp_path)


THEN, NONE = "; backup is tried next", "; no other trunk is tried"
CALLS, LEFT = (PHONE, "CHAN_START"), (PHONE, "CALL_END", BY_CONTROL)
SENT, GONE = [(FIRST, "CHAN_START"), (FIRST, "TRUNK_LEG", LEG + "carrier")], (FIRST, "HANGUP")
UNSENT = [(FIRST, "CHAN_START"), (FIRST, "HANGUP")]
FAILURES = {
    "away": (
        [failed("carrier", "backup", cause="3", away="unreachable")],
        [f"{NUMBER} is not called over carrier, which is away (no answer to OPTIONS){THEN}"],
    ),
    "unknown": (
        [failed("carrier", "backup", cause="3", away="unknown")],
        [f"{NUMBER} is not called over carrier, which Asterisk does not know (until it starts anew){THEN}"],
    ),
    "refused": (
        [*SENT, GONE, failed("carrier", "backup", channel=FIRST, sip="503")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} is not taken by carrier: it says 503 Service Unavailable (cause 34, no line free){THEN}"],
    ),
    "for-all": (
        [*SENT, GONE, failed("carrier", channel=FIRST, sip="404", cause="1")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} is not taken by carrier: it says 404 Not Found (cause 1, no such number){NONE}"],
    ),
    "silent": (
        [*SENT, GONE, failed("carrier", "backup", channel=FIRST, sip="408", cause="102")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} is not reached over carrier: it says nothing in time (cause 102, too late){THEN}"],
    ),
    "busy": (
        [*SENT, GONE, failed("carrier", channel=FIRST, sip="486", cause="17", status="BUSY")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} is not taken by carrier: it says 486 Busy Here (cause 17, busy)"],
    ),
    "away-by-word": (
        [*SENT, GONE, failed("carrier", channel=FIRST, sip="480", cause="19", status="NOANSWER")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} is not taken by carrier: it says 480 Temporarily Unavailable (cause 19, no answer)"],
    ),
    "rings": (
        [*SENT, GONE, failed("carrier", channel=FIRST, sip="180", cause="0", status="NOANSWER")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} rings over carrier for 2 ms, and nobody answers"],
    ),
    "rings-unheard": (
        [*SENT, GONE, failed("carrier", channel=FIRST, sip="183", cause="0", status="NOANSWER")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} is called over carrier for 2 ms, and nobody answers"],
    ),
    "no-help-yet": (
        [*SENT, GONE, failed("carrier", "backup", channel=FIRST, sip="180", cause="0", status="NOANSWER")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} rings over carrier for 2 ms, and nobody answers{THEN}"],
    ),
    "no-key": (
        [*SENT, (FIRST, "ANSWER"), GONE,
         failed("carrier", channel=FIRST, sip="200", cause="16", status="BUSY")],
        [f"{NUMBER} is called over carrier, paid by acme/10 (call), 14400 s at most; leg {FIRST}",
         f"{NUMBER} answers", f"{NUMBER} hangs up", f"{NUMBER} does not press 1 and is given up"],
    ),
    "full": (
        [*UNSENT, failed("carrier", "backup")],
        [f"{NUMBER} is not called over carrier: carrier has as many calls as there may be{THEN}"],
    ),
    "limit": (
        [*UNSENT, failed("carrier", cause="120")],
        [f"{NUMBER} is not called over carrier: its tenant or payer has as many calls as there may be{NONE}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAILURES)
def test_each_trunk_that_does_not_take_a_call_is_told_with_its_cause(settings: Settings, kind: str) -> None:
    """Away, refusing or full: which, why, and what is tried next; each once, and in a word for 3 a.m."""
    lines, expected = FAILURES[kind]
    call = call_of(settings, [CALLS, *lines, LEFT, (PHONE, "HANGUP")])
    assert told(call)[1:-2] == expected
    assert call.is_over


def test_both_trunks_fail(settings: Settings) -> None:
    """Each failure belongs to a channel of its own, and both are told."""
    again = [(SECOND, "CHAN_START"), (SECOND, "TRUNK_LEG", LEG + "backup"), (SECOND, "HANGUP")]
    no, no_again = (
        failed("carrier", "backup", channel=FIRST, sip="500"),
        failed("backup", channel=SECOND, sip="503"),
    )
    call = call_of(settings, [CALLS, *SENT, GONE, no, *again, no_again, LEFT])
    assert [one.partition(" (")[0] for one in told(call) if "not taken" in one] == [
        f"{NUMBER} is not taken by carrier: it says 500 Server Internal Error",
        f"{NUMBER} is not taken by backup: it says 503 Service Unavailable",
    ]
    assert call.legs == (FIRST, SECOND)


def test_records_of_before_say_no_more_than_they_know(settings: Settings) -> None:
    """A leg of which the trunk's own record is missing was not answered, and why is not invented."""
    call = call_of(settings, [CALLS, *SENT, GONE, LEFT])
    assert f"{NUMBER} is not answered, after 1 ms" in told(call)
    assert not [line for line in told(call) if "not taken" in line or "away" in line]


UNDECIDED = "origin=phone|endpoint=acme-p10|actor=acme-p10|dialled=0664{}|caller={}"


def test_what_was_dialled_while_nobody_decided_is_told(settings: Settings) -> None:
    """The question stands in the spool, as no log can have it; the list of last calls knows it, too."""
    call = call_of(settings, [CALLS, (PHONE, "UNDECIDED", UNDECIDED.format("1", "10")),
                              (PHONE, "CALL_END", END.format("ours", "constant", "", "no-decision")),
                              (PHONE, "HANGUP")])  # fmt: skip
    assert told(call) == [
        "acme-p10 calls 06641 as 10",
        "neither control nor the standby answers: nobody decides, and nothing is dialled",
        "the outcome for acme-p10: ours (no-decision), decided by the constant dialplan",
        "acme-p10 is disconnected",
    ]
    assert list(unlogged(call)) == []
    (one,) = recent.last(settings, 9, None)
    assert (one.caller, one.dialled) == ("10", "06641")


@pytest.mark.parametrize(
    ("reason", "why"),
    [("loop", "have sent this call on too often"), ("line-break", "could forge the question")],
)
def test_who_was_not_asked_on_purpose_is_told(settings: Settings, reason: str, why: str) -> None:
    """The dialplan refuses by itself what goes round, and what could write lines into its question."""
    end = (PHONE, "CALL_END", END.format("rejected", "constant", "", reason))
    call = call_of(settings, [CALLS, (PHONE, "UNDECIDED", UNDECIDED.format("1", "")), end])
    assert told(call)[0] == "acme-p10 calls 06641"
    assert told(call)[1].endswith(why)


def test_an_emergency_call_has_no_decision_to_miss(settings: Settings) -> None:
    """Nobody is asked: that is said, with the number, though no trunk was there to be called."""
    away = [failed(trunk, number="112", cause="3", away="unreachable") for trunk in ("carrier", "backup")]
    end = (PHONE, "CALL_END", END.format("carrier-failure", "constant", "constant", "3"))
    call = call_of(settings, [CALLS, *away, end])
    assert told(call)[0] == (
        "acme-p10 calls 112, an emergency number: nobody is asked, the constant dialplan dials it"
    )
    assert told(call)[-1] == (
        "the outcome for acme-p10: carrier-failure (cause 3, no way there), decided by the constant dialplan"
    )
    assert list(unlogged(call)) == []
    (one,) = recent.last(settings, 9, None)
    assert one.dialled == "112"


def decide(settings: Settings, *steps: Mapping[str, object], by: str = "control", **facts: str) -> None:
    """Let a call have been decided a moment after it began."""
    asked = {"origin": "phone", "endpoint": "acme-p10", "actor": "acme-p10", "caller": "10", **facts}
    entry = {
        "time": "2026-11-27T15:29:08.000500+00:00",
        "call": asked.get("call", PHONE),
        "linkedid": PHONE,
        "version": "acme@1",
        "micros": 9,
        "facts": asked,
        "decision": {"because": [], "steps": steps},
    }
    settings.decisions.mkdir()
    (settings.decisions / f"{by}.ndjson").write_text(json.dumps(entry) + "\n")


def test_a_phone_that_is_not_there_is_told(settings: Settings) -> None:
    """Asterisk makes no channel for it, and records nothing; the step that was to ring it names it."""
    ring = {"do": "ring", "endpoints": ["acme-p11"], "timeout_s": 5, "then": {"no_answer": 2}}
    decide(settings, ring, {"do": "voicemail", "mailbox": "11@acme"}, dialled="11")
    call = call_of(settings, [CALLS, (PHONE, "ANSWER"), LEFT, (PHONE, "HANGUP")])
    assert told(call)[:4] == [
        "acme-p10 calls 11 as 10",
        "control decides by acme@1",
        "acme-p11 does not ring: it is not registered",
        "acme-p10 is answered by mailbox 11@acme",
    ]


def ring(then: int, *phones: str, **more: object) -> dict[str, object]:
    """Give a step that rings phones for five seconds, and is followed by another whatever comes of it."""
    following = {"busy": then, "no_answer": then, "unreachable": then}
    return {"do": "ring", "endpoints": phones, "timeout_s": 5, "then": following, **more}


def unheard(step: int, came: str, *said: str, channel: str = PHONE) -> tuple[str, ...]:
    """Give what is recorded of a step in which phones said no, or were not there."""
    return channel, "PHONES_FAILED", f"step={step}|came={came}|said={','.join(said)}"


GROUP: dict[str, object] = {"group": "acme/sales", "busy_level": 2}
RINGS: list[tuple[str, ...]] = [(P11, "CHAN_START"), (P11, "HANGUP")]
RINGS_OUT: list[tuple[str, ...]] = [(P11, "CHAN_START"), (P11, "HANGUP", "", "5")]
LATER = "acme-p12 does not ring: it is not registered"
UNRUNG: dict[str, tuple[list[tuple[str, ...]], dict[str, object], list[str]]] = {
    "nobody-knows-of-before": (RINGS, {}, []),  # records older than those of steps: it may have been busy
    "after-busy": ([*RINGS, unheard(1, "busy"), unheard(2, "unreachable")], {}, [LATER]),
    "after-no-answer": ([*RINGS_OUT, (*unheard(2, "unreachable"), "5")], {}, [LATER]),
    "not-taken": ([(P11, "CHAN_START"), (P11, "ANSWER"), (P11, "HANGUP", "", "5")], {}, []),
    "engaged": (
        [*RINGS, unheard(1, "busy"), unheard(2, "busy")], GROUP,
        ["acme-p12 does not ring: busy with 2 or more calls"],
    ),
    "left": (
        [*RINGS, unheard(1, "busy"), unheard(2, "left")], GROUP,
        ["acme-p12 does not ring: has left the group"],
    ),
    "either": (
        [*RINGS, unheard(1, "busy"), unheard(2, "unreachable")], GROUP, [f"{LATER}, or has left the group"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNRUNG)
def test_a_phone_of_a_later_step_that_did_not_ring_is_told(settings: Settings, kind: str) -> None:
    """Of steps that are known to have been taken, with what kept it from ringing."""
    lines, more, expected = UNRUNG[kind]
    decide(settings, ring(2, "acme-p11"), ring(0, "acme-p12", **more), dialled="60")
    call = call_of(settings, [CALLS, *lines])
    assert [line for line in told(call) if "does not ring" in line] == expected


def test_steps_after_a_number_outside_are_followed(settings: Settings) -> None:
    """The record of the last trunk says how such a step ended, and so which one rang next."""
    outside = {"do": "outside", "number": NUMBER, "trunks": ["carrier"], "why": "forward", "payer": "acme/60",
               "presented": "", "diverting": "", "then": {"busy": 2, "no_answer": 3}}  # fmt: skip
    decide(settings, outside, ring(0, "acme-p11", "acme-p12"), ring(0, "acme-p13"), dialled="60")
    busy = failed("carrier", channel=FIRST, sip="486", cause="17", status="BUSY")
    call = call_of(settings, [CALLS, *SENT, GONE, busy, *RINGS, unheard(2, "busy")])
    assert [line for line in told(call) if "does not ring" in line] == [LATER]


def test_a_member_with_a_step_of_its_own_that_did_not_ring_is_told(settings: Settings) -> None:
    """Its step is recorded of the Local channel that takes it, which says which one it is."""
    decide(settings, ring(0, "acme-p11", joined=[{"step": 2, "delay_s": 0}]), ring(0, "acme-p12"))
    call = call_of(settings, [CALLS, (P11, "CHAN_START"), unheard(0, "unreachable", channel=MEMBER)])
    assert [line for line in told(call) if "does not ring" in line] == [LATER]


def test_why_a_phone_did_not_take_the_call_is_told(settings: Settings) -> None:
    """With its status; of one that rang until the caller or the step gave up, only how long."""
    said = unheard(1, "busy", "acme-p11-00000006:603", "acme-p12-00000007:487")
    lines = [(P11, "CHAN_START"), (P12, "CHAN_START"), (P11, "HANGUP"), (P12, "HANGUP"), said]
    call = call_of(settings, [CALLS, *lines])
    assert told(call)[-2:] == [
        "acme-p11 does not take the call: it says 603 Decline, after 2 ms",
        "acme-p12 stops ringing after 2 ms",
    ]


def test_a_302_that_leads_nowhere_is_told(settings: Settings) -> None:
    """Its outcome is not that of the call, which goes on; one that was answered or given up says nothing."""
    asked = {"origin": "forward", "actor": "acme-p11", "call": SENT_ON, "dialled": "99"}
    decide(settings, {"do": "reject", "reason": "unknown-number", "cause": 1}, **asked)
    no = (SENT_ON, "CALL_END", END.format("rejected", "control", "acme@1", "unknown-number"))
    given_up = (SENT_ON, "CALL_END", END.format("abandoned", "control", "acme@1", ""))
    call = call_of(settings, [CALLS, no, given_up])
    assert [line for line in told(call) if "outcome" in line] == [
        "the outcome for the 302 of acme-p11 to 99: rejected (unknown-number), decided by control"
    ]
    assert not call.is_ended


def test_a_302_about_which_nobody_is_asked_is_told(settings: Settings) -> None:
    """Phones that send a call round are stopped by the dialplan: of that, too, the Local channel tells."""
    question = "origin=forward|endpoint=acme-p10|actor=acme-p11|dialled=12|caller=10"
    end = (SENT_ON, "CALL_END", END.format("rejected", "constant", "", "loop"))
    call = call_of(settings, [CALLS, (SENT_ON, "UNDECIDED", question), end])
    assert told(call)[1:] == [
        "acme-p11 sends the call on to 12 (302): nobody is asked: phones have sent this call on too often",
        "the outcome for the 302 of acme-p11 to 12: rejected (loop), decided by the constant dialplan",
    ]


def test_who_is_called_does_not_call(settings: Settings) -> None:
    """A leg that is sent elsewhere asks a question and ends with an outcome, but called nobody."""
    decide(settings, origin="transfer", call=FIRST, endpoint="trunk-carrier", dialled="99", by="standby")
    end = (FIRST, "CALL_END", END.format("answered", "standby", "acme@1", "unknown-number"))
    call = call_of(settings, [CALLS, *SENT, (FIRST, "ANSWER"), (PHONE, "ANSWER"), LEFT, end, GONE])
    assert [line for line in told(call) if "calls" in line] == ["acme-p10 calls"]
    assert f"{NUMBER} answers" in told(call)
    expected = f"acme-p10 transfers {NUMBER} to 99: control gives no answer, the standby decides by acme@1"
    assert expected in told(call)
    assert told(call)[-2] == (
        f"the outcome for {NUMBER}: answered, then sent on in vain (unknown-number), decided by the standby"
    )


def test_who_stands_behind_a_local_channel_is_told_by_number(settings: Settings) -> None:
    """Of a mobile that a group called the trunk is known, and which number it is if one alone is talking."""
    decide(settings, origin="transfer", call="pbx-1795793348.9", endpoint="trunk-carrier", dialled="99")
    call = call_of(settings, [*SENT, (FIRST, "ANSWER")])
    late = datetime.fromisoformat("2026-11-27T15:29:09+00:00").isoformat()
    call = replace(call, decisions=({**call.decisions[0], "time": late},))
    assert told(call)[-1] == f"acme-p10 transfers {NUMBER} to 99: control decides by acme@1"


def test_a_star_code_is_answered_by_its_confirmation(settings: Settings) -> None:
    """Nobody else was called."""
    decide(settings, {"do": "confirm", "sounds": ["activated"]}, dialled="*78")
    call = call_of(settings, [CALLS, (PHONE, "ANSWER"), LEFT])
    assert "acme-p10 is answered by a spoken confirmation" in told(call)


def test_who_diverted_a_call_before_is_told(settings: Settings) -> None:
    """A loop is refused for what the carrier says of the call: that is told."""
    decide(settings, origin="trunk", endpoint="trunk-carrier", dialled="+49301", call=FIRST)
    (log,) = settings.decisions.glob("*")
    log.write_text(
        log.read_text().replace('"caller": "10"', '"caller": "", "diversions": ["+49302", "+49303"]')
    )
    call = replace(call_of(settings, [(FIRST, "CHAN_START")]), linkedids=(PHONE,))
    begins = replace(call.happenings[0], what=What.CALLS)
    expected = "trunk-carrier brings a call from a hidden number to +49301, diverted by +49302, +49303"
    assert expected in told(replace(call, happenings=(begins,)))


def test_a_limit_of_credit_is_a_beginning(settings: Settings) -> None:
    """It is extended while there is credit: the call may last longer than the record says."""
    leg = (FIRST, "TRUNK_LEG", LEG.replace("14400", "12") + "carrier|credit=r1")
    call = call_of(settings, [CALLS, (FIRST, "CHAN_START"), leg])
    assert "12 s at first, and longer while there is credit; leg" in told(call)[-1]
