"""Words for what a change means for callers: calls that go another way, and other music on hold.

Owns how `diff` and a refused `apply` show it. Refuses to find it out (`pbxcore.callers` does).

A line of a document may change every call of a tenant. Calls of which the same part changes are one line of
the table, however many they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from difflib import SequenceMatcher

from rich.markup import escape

from dialplan.decision import (
    Admit,
    Confirm,
    Decision,
    Limit,
    ListenToVoicemail,
    Outside,
    Play,
    Reject,
    Ring,
    Step,
    Voicemail,
)
from dialplan.difference import STRANGER, Changed, Held
from dialplan.plan import Music
from pbxcore.callers import Consequences
from pbxcore.cli.app import out
from pbxcore.cli.tables import Table

NAMED = 3  # who calls and what is called, by name; the others by their number


def show(found: Consequences, *, most: int | None = None) -> None:
    """Print the calls and holds that change, or that there are none; of calls at most so many."""
    if not found.calls:
        out.print("[green]=[/] No call goes another way.")
    else:
        _show_calls(found, len(found.calls) if most is None else most)
    for one in found.holds:
        words = f"{one.extension} puts on hold to {_music(one.before)}, then to {_music(one.after)}"
        out.print(escape(words), highlight=False)


def as_json(found: Consequences) -> list[dict[str, object]]:
    """Give the same for scripts, without a limit."""
    return [*map(_call, found.calls), *map(_hold, found.holds)]


def _call(one: Changed) -> dict[str, object]:
    before, after = apart(one.before, one.after)
    return {
        "caller": one.caller,
        "dialled": one.dialled,
        "shows": one.shows,
        "at": one.at.isoformat(),
        "switched": one.switched,
        "before": before,
        "after": after,
    }


def _hold(one: Held) -> dict[str, object]:
    return {"on_hold_by": one.extension, "before": _music(one.before), "after": _music(one.after)}


def _show_calls(found: Consequences, most: int) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("caller", "dials", "from", "now", "then"):
        table.add_column(column)
    alike = together(found.calls)
    for calls in alike[:most]:
        at = min(one.at for one in calls).strftime("%a %Y-%m-%d %H:%M")
        when = f"{at}, {calls[0].switched} switched to special" if calls[0].switched else at
        now, then = _words(calls)
        callers, dialled = _some(map(_who, calls)), _some(one.dialled for one in calls)
        table.add_row(escape(callers), escape(dialled), when, escape(now), escape(then))
    out.print(table)
    if len(alike) > most:
        more = sum(map(len, alike[most:]))
        out.print(f"and {more} more; --json has them all", highlight=False)


def together(calls: Iterable[Changed]) -> list[list[Changed]]:
    """Put those together of which the same part changes; in the order of the first of each."""
    groups: dict[tuple[str, ...], list[Changed]] = {}
    for one in calls:
        groups.setdefault((one.switched, *_part(one.before, one.after)), []).append(one)
    return list(groups.values())


def _words(calls: Sequence[Changed]) -> tuple[str, str]:
    """Say what changes: whole where all calls read the same, else the part that does, between dots."""
    whole = {apart(one.before, one.after) for one in calls}
    if len(whole) == 1:
        return whole.pop()
    now, then = _part(calls[0].before, calls[0].after)
    return f"… {now} …" if now else "…", f"… {then} …" if then else "…"


def _part(before: Decision | None, after: Decision | None) -> tuple[str, str]:
    """Give the words of the steps that differ, and only these; where the words are equal, what differs."""
    if before is None or after is None:
        return apart(before, after)
    old, new = ([_step(step) for step in one.steps] for one in (before, after))
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


def _some(names: Iterable[str]) -> str:
    """Name a few, each once, and say how many more there are."""
    once = list(dict.fromkeys(names))
    more = len(once) - NAMED
    return ", ".join(once[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _who(one: Changed) -> str:
    """Name who calls; what a caller from outside shows only where that makes the difference."""
    if not one.caller.startswith("trunk-") or one.shows == STRANGER:
        return one.caller
    return f"{one.caller} {one.shows or 'without number'}"


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


def _fields(before: Decision, after: Decision) -> Iterator[tuple[str, str, str]]:
    """Name each field of a step that differs, with both values; equal words mean steps of equal kinds."""
    for one, other in zip(before.steps, after.steps, strict=True):
        for field in fields(one):
            old, new = getattr(one, field.name), getattr(other, field.name)
            if old != new:
                yield field.name.replace("_", " "), _value(old), _value(new)


def _turns(before: Decision, after: Decision) -> Iterator[tuple[str, str, str]]:
    """Name how the groups of a call take turns, if they no longer do it alike."""
    old, new = (tuple(f"{hunt.group} {hunt.strategy}" for hunt in one.hunts) for one in (before, after))
    if old != new:
        yield "turns", _value(old), _value(new)


def _value(value: object) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], Limit):
        return limits_in_words(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == "" else str(value)


def brief(decision: Decision | None) -> str:
    """Say a decision in a few words: its steps, one after the other."""
    if decision is None:
        return "not possible"
    return ", then ".join(_step(step) for step in decision.steps)


def _step(step: Step) -> str:  # noqa: PLR0911 — one for each kind of step
    match step:
        case Ring():
            beside = [f"{one.delay_s} s later step {one.step}" for one in step.joined]
            return f"ring {'+'.join([*step.endpoints, *beside])} {step.timeout_s} s"
        case Outside():
            return f"{step.number} for {step.payer}"
        case Voicemail():
            return f"record in {step.mailbox}"
        case ListenToVoicemail():
            return f"listen to {step.mailbox}"
        case Admit():
            return f"count {limits_in_words(step.limits)}"
        case Play():
            return f"play {step.sound}"
        case Reject():
            return f"refuse: {step.reason}"
        case Confirm():
            return f"confirm by {'+'.join(step.sounds)}"


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


def _music(music: Music | None) -> str:
    if music is None:
        return "the machine's music"
    return " ".join(music.sounds) + (" in random order" if music.random else "")
