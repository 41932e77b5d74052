"""A question and its answer on the wire: AGI arguments → facts, decision → channel variables.

Owns the protocol between the dialplan and whoever decides (docs/architecture.md, "A question on the wire").
Refuses to send anything that could be misread: every value is made of safe characters, every command fits an
AGI line, every jump goes forward and stays within the decision.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dialplan.decision import (
    END,
    MAX_STEP_BYTES,
    MAX_STEPS,
    Admit,
    Confirm,
    Decision,
    Joined,
    Limit,
    ListenToVoicemail,
    Next,
    Outside,
    PickUp,
    Play,
    Reject,
    Ring,
    Step,
    Voicemail,
)
from dialplan.facts import Facts, Origin
from dialplan.keys import Keys
from pbxcore.control.diversion import Diverted, read
from pbxcore.music import class_of

PROTOCOL = "3"
BETWEEN = "|"  # of fields, in one argument: Asterisk writes each argument to the socket by itself
ANONYMOUS = "anonymous"  # RFC 3323: the user part of From that stands for nobody
MAX_ARGUMENT = 100  # characters; the longest number or endpoint name is far below
MAX_HEADERS = 800  # characters of diversions; six of them, which are more than a call may have
MAX_TRAIL = 6 * MAX_ARGUMENT  # the dialplan ends a call before a sixth phone sends it on
SERVED = "served"  # how a call leaves whose end control wants to hear of (manager.conf); all others by `s`
MAX_COMMAND_BYTES = 1_900  # Asterisk reads an AGI line into 2,048 bytes and cuts what is beyond
_SAFE = re.compile(r"[0-9A-Za-z_+*#.@/:&-]*", re.ASCII)

_TEXT = "[0-9A-Za-z_+*#.@:-]"
_ARGUMENT, _SOMETHING = f"{_TEXT}{{0,{MAX_ARGUMENT}}}", f"{_TEXT}{{1,{MAX_ARGUMENT}}}"
_ORIGINS = {origin.value: origin for origin in Origin}
_FIELDS = {  # of a question, in their order, behind the UniqueID of the call, which comes by itself
    "call": _SOMETHING,
    "protocol": PROTOCOL,
    "nonce": "[0-9a-f-]{8,36}",
    "linkedid": _ARGUMENT,
    "origin": "|".join(_ORIGINS),
    "endpoint": _ARGUMENT,
    "actor": _ARGUMENT,
    "dialled": _SOMETHING,
    "caller": _ARGUMENT,
    "diversion": f"[0-9A-Za-z_+*#.@:;=<>?/-]{{0,{MAX_HEADERS}}}",
    "trail": f"{_TEXT}{{0,{MAX_TRAIL}}}",
    "helped": _ARGUMENT,
    "group": f"[0-9A-Za-z_+*#.@/:&-]{{0,{MAX_ARGUMENT}}}",
}
_QUESTION = re.compile(r"\|".join(f"({pattern})" for pattern in _FIELDS.values()), re.ASCII)


class WireError(ValueError):
    """A question or an answer that cannot be carried.

    Attributes:
        code: stable word for logs and metrics.
    """

    code = "wire"


class BadQuestionError(WireError):
    """The arguments are not those of a question."""

    code = "bad-question"


class BadAnswerError(WireError):
    """The decision cannot be written as channel variables."""

    code = "bad-answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Facts and the nonce that the answer has to carry."""

    nonce: str
    facts: Facts


def question(headers: Mapping[str, str]) -> Question:
    """Read the question from the headers of an AGI request: `agi_uniqueid`, and `agi_arg_1` with the rest.

    Raises:
        BadQuestionError: not a question of this protocol.
    """
    text = f"{headers.get('agi_uniqueid', '')}{BETWEEN}{headers.get('agi_arg_1', '')}"
    asked = _QUESTION.fullmatch(text)
    if asked is None:
        raise BadQuestionError(_wrong(text))
    call, _, nonce, linkedid, origin, endpoint, actor, dialled, caller, diversion, trail, helped, group = (
        asked.groups()
    )
    diverted = _diverted(diversion)
    facts = Facts(
        call=call,
        linkedid=linkedid,
        origin=_ORIGINS[origin],
        endpoint=endpoint,
        actor=actor,
        dialled=dialled,
        caller="" if caller.lower() == ANONYMOUS else caller,
        diversions=diverted.numbers,
        diversion_count=diverted.count,
        trail=tuple(filter(None, trail.split(":"))),
        helped=helped,
        group=group,
    )
    return Question(nonce=nonce, facts=facts)


def _wrong(text: str) -> str:
    """Say what is wrong with a question."""
    fields = text.split(BETWEEN)
    if len(fields) != len(_FIELDS):
        return f"{len(fields) - 1} fields, not {len(_FIELDS) - 1}"
    named = zip(_FIELDS.items(), fields, strict=True)
    name, value = next(
        (name, value) for (name, pattern), value in named if not re.fullmatch(pattern, value, re.ASCII)
    )
    return f"its {name} {value[:30]!r} is none: missing, too long, or of other characters"


def _diverted(text: str) -> Diverted:
    """Read `FROM:ORIG` as Asterisk knows it, or a carrier's headers, `DIVERSION/HISTORY-INFO`."""
    diversion, slash, history = text.partition("/")
    if slash:
        return read(diversion, history)
    numbers = tuple(filter(None, text.split(":")))
    return Diverted(numbers, len(numbers))


def commands(decision: Decision, nonce: str) -> tuple[str, ...]:
    """Write a decision as AGI commands, each setting several variables; the last one set is `PBX_OK`.

    Most decisions are one command: one round trip. ARRAY is a function: that costs Asterisk less than the
    application MSet.

    Raises:
        BadAnswerError: empty, too long, unsafe characters, or a jump that goes nowhere.
    """
    steps = decision.steps
    if not 1 <= len(steps) <= MAX_STEPS:
        raise BadAnswerError(f"{len(steps)} steps")
    _check(decision.version)
    pairs = [(f"PBX_S{number}", _step(number, step, steps)) for number, step in enumerate(steps, start=1)]
    pairs += [("PBX_END", SERVED)] if any(hunt.at_once for hunt in decision.hunts) else []
    pairs += [("PBX_N", str(len(steps))), ("PBX_VERSION", decision.version), ("PBX_OK", nonce)]
    all_in_one = _command(pairs)
    if len(all_in_one) <= MAX_COMMAND_BYTES:
        return (all_in_one,)
    return tuple(_command(batch) for batch in _batches(pairs))


def _command(pairs: Sequence[tuple[str, str]]) -> str:
    names, values = zip(*pairs, strict=True)
    return f'SET VARIABLE ARRAY({",".join(names)}) "{",".join(values)}"'


def _batches(pairs: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    batches: list[list[tuple[str, str]]] = [[]]
    room = MAX_COMMAND_BYTES
    for pair in pairs:
        takes = sum(map(len, pair)) + 2  # a comma after each
        if takes > room and batches[-1]:
            batches.append([])
            room = MAX_COMMAND_BYTES
        batches[-1].append(pair)
        room -= takes
    return batches


def _step(number: int, step: Step, steps: Sequence[Step]) -> str:
    for jump in _jumps(step):
        if jump != END and not number < jump <= len(steps):
            raise BadAnswerError(f"step {number} jumps to {jump} of {len(steps)}")
    written = _write(step, steps)
    if len(written) > MAX_STEP_BYTES:
        raise BadAnswerError(f"step {number} takes {len(written)} bytes")
    return written


def _jumps(step: Step) -> tuple[int, ...]:
    match step:
        case Ring(then=then, joined=joined):
            return (then.busy, then.no_answer, then.unreachable, *(one.step for one in joined))
        case Outside(then=then):
            return (then.busy, then.no_answer, then.unreachable)
        case Play(then=following) | Admit(then=following):
            return (following,)
        case _:
            return ()


def _write(step: Step, steps: Sequence[Step]) -> str:  # noqa: PLR0911 — one for each kind of step
    """Write one step as the label and arguments of `[step]` in extensions.conf."""
    match step:
        case Ring():
            return _ring(step, steps)
        case Outside():
            return _outside(step)
        case Admit():
            return _call("admit", _limits(step.limits), step.then)
        case Voicemail():
            return _call("voicemail", step.mailbox, "b" if step.busy else "u", step.language)
        case ListenToVoicemail():
            return _call("listen", step.mailbox)
        case Play():
            return _call("play", step.sound, step.then, step.language)
        case Reject():
            return _call("reject", step.cause, step.reason.value)
        case PickUp():
            return _call("pick_up", ":".join(step.endpoints))
        case Confirm():
            return _call("confirm", "&".join(step.sounds), "&".join(step.silent), ":".join(step.groups))


def _ring(step: Ring, steps: Sequence[Step]) -> str:
    phones = [f"PJSIP/{endpoint}" for endpoint in step.endpoints]
    members = [_member(one, steps) for one in step.joined]
    joined = ":".join(str(one.step) for one in step.joined)
    rung = ("&".join([*phones, *members]), step.timeout_s, step.caller, *_then(step.then), joined,
            step.tone, _encoded(step.prefix), step.busy_level or "", step.group)  # fmt: skip
    keyed, heard = _keyed(step.calling_keys, step.called_keys), _heard(step.heard)
    if not (keyed or heard):
        return _call("ring", *rung)
    return _call("ring_more", *rung, *(keyed or ("", "", "")), heard)


def _outside(step: Outside) -> str:
    leg = (":".join(step.trunks), step.number, step.presented, step.network,
           int(step.hidden), _diversions(step), step.payer, step.why.value, step.timeout_s,
           step.limit_s, *_then(step.then), step.confirm, step.credit)  # fmt: skip
    keyed, limited = _keyed(step.calling_keys, None), _limited(step)
    more = (*(keyed or ("", "", "")), *limited) if limited else keyed
    return _call("outside_keyed", *leg, *more) if keyed else _call("outside", *leg, *more)


def _keyed(calling: Keys | None, called: Keys | None) -> tuple[str, ...]:
    """Write who of the two may press what, as Dial's options and the keys of each; nothing where nobody may.

    Keys come with the music that the other side hears meanwhile: `*1:*2:acme-waiting`.
    """
    if not (calling or called):
        return ()
    options = f"{'T' if calling else ''}{'t' if called else ''}"
    return (options, *(f"{keys.blind}:{keys.attended}:{class_of(keys.tenant, keys.music)}" if keys else ""
                       for keys in (calling, called)))  # fmt: skip


def _heard(what: str) -> str:
    """Name the class of music that the caller hears while it rings; nothing for the ringing tone."""
    name, _, tenant = what.partition("@")
    return class_of(tenant, name) if name else ""


def _diversions(step: Outside) -> str:
    """Write how often the call was diverted, by which number of ours last, and by which before.

    `2:+49301:+49302`; a reason that is not what the last phones came to comes first: `user-busy/1:+49301`.
    """
    if not step.diverting:
        return ""
    why = f"{step.diversion_reason}/" if step.diversion_reason else ""
    return why + ":".join((str(step.diversions), step.diverting, *step.diverted))


def _limited(step: Outside) -> tuple[str, ...]:
    """Name the context that counts a leg before it leaves, and what it counts; nothing for most legs."""
    return ("-counted", _limits(step.limits)) if step.limits else ()


def _limits(limits: Sequence[Limit]) -> str:
    """Write limits and the groups they are of, as Asterisk names groups: `4:acme@out:10:acme@all`."""
    return ":".join(f"{one.most}:{one.group}@{one.category}" for one in limits)


def _member(one: Joined, steps: Sequence[Step]) -> str:
    """Name the channel of a member with a step of its own.

    It steps aside when a phone answers. Where it leads outside it stays: it holds the call to its limit.
    """
    stays = "/n" if isinstance(steps[one.step - 1], Outside) else ""
    return f"Local/{one.delay_s}-{one.step}@member{stays}"


def _encoded(text: str) -> str:
    """Write words in characters that are safe on the wire; the dialplan reads base64 without its end, too."""
    return base64.b64encode(text.encode()).decode().rstrip("=")


def _then(then: Next) -> tuple[int, int, int]:
    return (then.busy, then.no_answer, then.unreachable)


def _call(label: str, *arguments: str | int) -> str:
    """Write a step; its arguments are checked together, before commas stand between them.

    Empty ones at the end are left out: Asterisk makes a variable of each, and reads an absent one as empty.
    """
    written = tuple(map(str, arguments))
    _check("".join(written))
    return f"{label}({','.join(written).rstrip(',')})"


def _check(value: str) -> str:
    if not _SAFE.fullmatch(value):
        raise BadAnswerError(f"{value[:40]!r} holds characters that are not safe on the wire")
    return value
