"""The way of a call in words, as a person would say it, and what tells two ways apart.

Owns these words. Refuses to know which calls are compared (`pbxcore.cli.calls`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from difflib import SequenceMatcher

from dialplan.decision import (
    END,
    Admit,
    Confirm,
    Decision,
    Joined,
    Limit,
    ListenToVoicemail,
    Next,
    Outside,
    Play,
    Reject,
    Ring,
    Step,
    Voicemail,
)
from dialplan.keys import Keys

# What a step says beside its few words; a test looks for a field that has none.
FIELDS = {
    "busy": "greets as busy",
    "busy_level": "calls from which it is busy",
    "called_keys": "who answers transfers by",
    "caller": "phones see",
    "calling_keys": "the caller transfers by",
    "cause": "cause",
    "confirm": "asks to press 1 in",
    "credit": "credit",
    "diversions": "times diverted",
    "diverted": "diverted before by",
    "diverting": "diverted by",
    "endpoints": "phones",
    "group": "group",
    "groups": "of groups",
    "heard": "the caller hears",
    "hidden": "hides its number",
    "joined": "beside these",
    "language": "speaks",
    "limit_s": "most seconds",
    "limits": "counted",
    "mailbox": "mailbox",
    "network": "the carrier knows it as",
    "number": "number",
    "payer": "paid by",
    "prefix": "before the caller's name",
    "presented": "shows",
    "reason": "reason",
    "silent": "phones that stop ringing",
    "sound": "plays",
    "sounds": "says",
    "then": "goes on with",
    "timeout_s": "seconds of ringing",
    "tone": "ring tone",
    "trunks": "over",
    "why": "as a",
}
WRITTEN = "as they are written, or at once"
_TURNS = {
    "random": "in any order",
    "round_robin": "in turn",
    "least_recent": "who waited longest first",
    "fewest_calls": "who answered fewest today first",
}


def brief(decision: Decision | None) -> str:
    """Say a decision in a few words: its steps, one after the other."""
    if decision is None:
        return "not possible"
    return ", then ".join(_steps(decision))


def apart(before: Decision | None, after: Decision | None) -> tuple[str, str]:
    """Say two decisions in a few words and, where these are the same, name what nevertheless differs."""
    now, then = brief(before), brief(after)
    if now != then or before is None or after is None:
        return now, then
    differing = [*_fields(before, after), *_turns(before, after)]
    return (
        "; ".join([now, *(f"{name} {old}" for name, old, _ in differing)]),
        "; ".join([then, *(f"{name} {new}" for name, _, new in differing)]),
    )


def part(before: Decision | None, after: Decision | None) -> tuple[str, str]:
    """Give the words of the steps that differ, and only these; where the words are equal, what differs."""
    if before is None or after is None:
        return apart(before, after)
    old, new = _steps(before), _steps(after)
    if old == new:
        differing = dict.fromkeys([*_fields(before, after), *_turns(before, after)])  # each once
        return (
            "; ".join(f"{name} {value}" for name, value, _ in differing),
            "; ".join(f"{name} {value}" for name, _, value in differing),
        )
    blocks = [block for block in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
              if block[0] != "equal"]  # fmt: skip
    return (
        ", then ".join(words for _, first, last, _, _ in blocks for words in old[first:last]),
        ", then ".join(words for _, _, _, first, last in blocks for words in new[first:last]),
    )


def limits_in_words(limits: Sequence[Limit]) -> str:
    """Say which calls are counted, and how many there may be."""
    said = (f"at most {one.most} {_CALLS[one.category]} {one.group}" for one in limits if one.most)
    return ", ".join(said) or "no limit"


_CALLS = {
    "in": "calls in of",
    "out": "calls out of",
    "all": "calls of",
    "payer": "calls out of",
    "trunk": "calls over",
}


def _steps(decision: Decision) -> list[str]:
    return [_step(step) for step in decision.steps]


def _step(step: Step) -> str:  # noqa: PLR0911 — one for each kind of step
    match step:
        case Ring():
            rings = ", ".join([*step.endpoints, *_beside(step.joined)])
            return f"{rings} ring{'' if len(step.endpoints) > 1 else 's'} for {step.timeout_s} s"
        case Outside():
            return f"{step.number} is called, {step.payer} pays"
        case Voicemail():
            return f"voicemail {step.mailbox.partition('@')[0]} records"
        case ListenToVoicemail():
            return f"voicemail {step.mailbox.partition('@')[0]} is heard"
        case Admit():
            return f"it is counted: {limits_in_words(step.limits)}"
        case Play():
            return f"{step.sound} is played"
        case Reject():
            return f"it is refused: {step.reason}"
        case Confirm():
            return f"it is confirmed by {' and '.join(step.sounds)}"


def _beside(joined: Sequence[Joined]) -> Iterator[str]:
    return (f"step {one.step} after {one.delay_s} s" for one in joined)


def _fields(before: Decision, after: Decision) -> Iterator[tuple[str, str, str]]:
    """Name what else of a step differs, with both values; equal words mean steps of equal kinds."""
    for one, other in zip(before.steps, after.steps, strict=True):
        for field in fields(one):
            old, new = getattr(one, field.name), getattr(other, field.name)
            if old != new:
                yield (FIELDS[field.name], *_values(old, new))


def _turns(before: Decision, after: Decision) -> Iterator[tuple[str, str, str]]:
    """Name how the members of a call's groups take turns, if they no longer do it alike."""
    old, new = (
        ", ".join(f"{_TURNS.get(hunt.strategy, hunt.strategy)} in {hunt.group}" for hunt in one.hunts)
        for one in (before, after)
    )
    if old != new:
        yield "members ring", old or WRITTEN, new or WRITTEN


def _values(old: object, new: object) -> tuple[str, str]:
    """Write both values; keys that are the same tell themselves apart by the music that goes with them."""
    if isinstance(old, Keys) and isinstance(new, Keys) and str(old) == str(new):
        return _with_music(old), _with_music(new)
    return _value(old), _value(new)


def _with_music(keys: Keys) -> str:
    music = keys.music or "the machine's"
    return f"{keys} with {music} music"


def _value(value: object) -> str:  # noqa: PLR0911 — one for each kind of value
    match value:
        case None | "" | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case Next():
            return _next(value)
        case tuple() if isinstance(value[0], Limit):
            return limits_in_words(value)
        case tuple() if isinstance(value[0], Joined):
            return ", ".join(_beside(value))
        case tuple():
            return ", ".join(map(str, value))
    return str(value)


def _next(then: Next) -> str:
    """Say where the call goes on, once where it is the same whatever happened."""
    ways = {"busy": then.busy, "no answer": then.no_answer, "unreachable": then.unreachable}
    words = {name: "nothing" if step == END else f"step {step}" for name, step in ways.items()}
    if len(set(words.values())) == 1:
        return words["busy"]
    return ", ".join(f"{step} if {name}" for name, step in words.items())
