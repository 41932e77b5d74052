"""The way of a call in words, as a person would say it, and what tells two ways apart.

Owns these words. Refuses to know which calls are compared (`pbxcore.cli.calls`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
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
    PickUp,
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
    "diversion_reason": "diverted because",
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
FIRST = 1  # number of a decision's first step: jumps count from there
WRITTEN = "as they are written, or at once"
_TURNS = {
    "random": "in any order",
    "round_robin": "in turn",
    "least_recent": "who waited longest first",
    "fewest_calls": "who answered fewest today first",
}


@dataclass(frozen=True, slots=True)
class _Told:
    """A step as it is told.

    Attributes:
        how: what brings a call there from what was told before: `then`, `if busy`, `else`; empty: nothing.
        alone: the same where nothing was told before.
        words: what happens.
        place: among the steps that are told.
        ways: the alternatives of several steps that it is part of, each by the place of its first one.
    """

    how: str = field(compare=False)  # where something else came before, it is the same step
    alone: str
    words: str
    place: int = field(compare=False)
    ways: frozenset[int] = field(compare=False)


_NOTHING = _Told("", "", "", -1, frozenset())


def brief(decision: Decision | None) -> str:
    """Say a decision in a few words: its steps, which of them follow one another, which are alternatives."""
    return "not possible" if decision is None else _sentence(_told(decision))


def _sentence(told: Sequence[_Told]) -> str:
    """Join steps: alternatives in brackets, unless all is part of one; dots where steps are left out."""
    brackets = frozenset[int]().union(*(one.ways for one in told))
    brackets -= brackets.intersection(*(one.ways for one in told))
    said = ""
    for before, one, after in zip((_NOTHING, *told), told, (*told[1:], _NOTHING), strict=False):
        follows = before.place + 1 == one.place
        opened, closed = brackets & (one.ways - before.ways), brackets & (one.ways - after.ways)
        own = one.place in opened  # its words open it; where they are left out, what is left does
        how = f"{one.how if follows else one.alone} ".lstrip()
        said += "" if before is _NOTHING else ", " if follows else " … "
        said += "(" * (len(opened) - own) + how + "(" * own + one.words + ")" * len(closed)
    return said


def apart(before: Decision | None, after: Decision | None) -> tuple[str, str]:
    """Say two decisions in a few words and, where these are the same, name what nevertheless differs."""
    now, then = brief(before), brief(after)
    if now != then or before is None or after is None:
        return now, then
    differing = dict.fromkeys([*_fields(before, after), *_turns(before, after)])  # each once
    return (
        "; ".join([now, *(f"{name} {old}" for name, old, _ in differing)]),
        "; ".join([then, *(f"{name} {new}" for name, _, new in differing)]),
    )


def part(before: Decision | None, after: Decision | None) -> tuple[str, str]:
    """Give the words of the steps that differ, and only these; where the words are equal, what differs."""
    if before is None or after is None:
        return apart(before, after)
    old, new = _told(before), _told(after)
    if old == new:
        differing = dict.fromkeys([*_fields(before, after), *_turns(before, after)])  # each once
        return (
            "; ".join(f"{name} {value}" for name, value, _ in differing),
            "; ".join(f"{name} {value}" for name, _, value in differing),
        )
    blocks = [block for block in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
              if block[0] != "equal"]  # fmt: skip
    return (
        _sentence([one for _, first, last, _, _ in blocks for one in old[first:last]]),
        _sentence([one for _, _, _, first, last in blocks for one in new[first:last]]),
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


def _told(decision: Decision) -> list[_Told]:
    """Tell the steps along the ways that a call may take.

    Ways that read the same are one. Where two meet again, what follows stands at the first of them alone:
    otherwise a decision of many steps would be as long as it has ways.
    """
    steps, alike, passed, told = decision.steps, _alike(decision.steps), set[int](), list[_Told]()

    def tell(number: int, how: str, alone: str, ways: frozenset[int]) -> None:
        step, again = steps[number - 1], alike[number] in passed
        passed.add(alike[number])
        branches = _branches(step, alike)
        words = _step(step) + (" and so on" if again and branches else "")
        told.append(_Told(how, alone, words, len(told), ways))
        for to, leading, first in () if again else branches:
            # After `then` and `else` nothing else comes that could be taken for a part of it.
            tell(to, leading, first, ways if leading in {"then", "else"} else ways | {len(told)})

    tell(FIRST, "", "", frozenset())
    steps_of = Counter(way for one in told for way in one.ways)
    several = {way for way, count in steps_of.items() if count > 1}
    return [replace(one, ways=one.ways & several) for one in told]


def _branches(step: Step, alike: Mapping[int, int]) -> list[tuple[int, str, str]]:
    """Give where a step leads to, once for each way that reads otherwise, and how that is told."""
    branches = [(one.step, f"step {one.step}:", f"step {one.step}:") for one in _joined(step)]
    outcomes = _outcomes(step)
    leading: dict[int, list[str]] = {}
    for outcome, number in outcomes.items():
        if number != END:
            leading.setdefault(alike[number], []).append(outcome)
    certain = END not in outcomes.values()  # one of them happens
    for nth, names in enumerate(leading.values(), start=1):
        alone = "" if certain and len(leading) == 1 else f"if {' or '.join(names)}"
        last = certain and nth == len(leading)
        branches.append((outcomes[names[0]], ("else" if alone else "then") if last else alone, alone))
    return branches


def _alike(steps: Sequence[Step]) -> Mapping[int, int]:
    """Number the steps so that those from which a call goes on in the same words have the same number."""
    known: dict[tuple[object, ...], int] = {}
    found: dict[int, int] = {}

    def look(number: int) -> int:
        if number not in found:
            step = steps[number - 1]
            ways = [(name, -1 if to == END else look(to)) for name, to in _ways(step).items()]
            found[number] = known.setdefault((_step(step), *ways), len(known))
        return found[number]

    look(FIRST)
    return found


def _ways(step: Step) -> Mapping[str, int]:
    return {**{f"step {one.step}": one.step for one in _joined(step)}, **_outcomes(step)}


def _joined(step: Step) -> Sequence[Joined]:
    return step.joined if isinstance(step, Ring) else ()


def _outcomes(step: Step) -> Mapping[str, int]:
    """Give the number of the step to which each way in which this one may end leads."""
    match step:
        case Ring() | Outside():
            then = step.then
            return {"busy": then.busy, "no answer": then.no_answer, "unreachable": then.unreachable}
        case Admit() | Play():
            return {"done": step.then}
    return {}


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
        case PickUp():
            return f"it takes a call that rings at {', '.join(step.endpoints)}"


def _beside(joined: Sequence[Joined]) -> Iterator[str]:
    return (f"step {one.step} after {one.delay_s} s" for one in joined)


def _fields(before: Decision, after: Decision) -> Iterator[tuple[str, str, str]]:
    """Name what else differs in the steps on the same ways, with both values."""
    waiting, passed = [(FIRST, FIRST)], set[tuple[int, int]]()
    while waiting:
        pair = waiting.pop(0)
        if pair in passed:
            continue
        passed.add(pair)
        one, other = before.steps[pair[0] - 1], after.steps[pair[1] - 1]
        for name in _names(one) if type(one) is type(other) else ():
            old, new = getattr(one, name), getattr(other, name)
            if old != new:
                yield (FIELDS[name], *_values(old, new))
        ways = zip(_ways(one).values(), _ways(other).values(), strict=False)
        waiting += [leading for leading in ways if END not in leading]


def _names(step: Step) -> Iterator[str]:
    return (one.name for one in fields(step))


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
