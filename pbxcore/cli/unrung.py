"""Which phones a decision was to ring and did not, step by step, and what may have kept each from ringing.

Owns following a decision's steps by what was recorded. Refuses to guess: where records do not say how a step
ended, it follows no further.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pbxcore.calls import Call, Happening, What

TRIED = {"answered", "busy", "unanswered", "carrier-failure"}  # outcomes that come after the first step
TRUNKS = {What.LEAVES, What.REFUSED, What.FULL, What.AWAY}
EARLY_S = 0.5  # so much before its time a step's last phone may stop ringing
UNKNOWN = ""  # how a step ended
ENDED_BY_TRUNK = {"BUSY": "busy", "NOANSWER": "no_answer"}  # any other word of Dial: `unreachable`


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rung:
    """A step that rings phones, and what came of it.

    Attributes:
        began: when, or nearly.
        rang: channels of phones that rang for it, by endpoint.
        came: `busy`, `no_answer`, `unreachable`, `left`, or unknown; recorded where a phone refused.
        over: when the next step began; None: it did not, or nobody knows.
    """

    step: Mapping[str, Any]
    began: datetime
    rang: Mapping[str, Sequence[str]]
    came: str = UNKNOWN
    over: datetime | None = None


def unrung(call: Call, entry: Mapping[str, Any]) -> Iterator[tuple[datetime, str, str]]:
    """Name phones that a decision's steps were to ring and that have no channel: when, which, and why.

    Only of steps that are known to have been taken.
    """
    steps: Sequence[Mapping[str, Any]] = entry["decision"]["steps"]
    later = _of_decision(call, entry)
    number, began, first = 1, datetime.fromisoformat(str(entry["time"])), True
    for _step in steps:  # they lead only forward
        if not 0 < number <= len(steps):
            return
        step = steps[number - 1]
        match step["do"]:
            case "ring":
                rung = _ring(step, later, began, _recorded(later, number, entry.get("call")))
                if rung.rang or rung.over or (first and _was_tried(later)):
                    yield from _missing(rung)
                number, over = _after_ring(rung, later)
                first = False
            case "outside":
                number, over = _after_outside(step, later, began)
                first = False
            case "admit" | "play":
                number, over = step.get("then", 0), began
            case _:
                return
        if over is None:
            return
        began = over


def unrung_members(call: Call, entry: Mapping[str, Any]) -> Iterator[tuple[datetime, str, str]]:
    """Name phones of members that ring with a step of their own, and did not: when, which, and why."""
    steps: Sequence[Mapping[str, Any]] = entry["decision"]["steps"]
    later = _of_decision(call, entry)
    for number in {one["step"] for step in steps for one in step.get("joined", ())}:
        for one in later:
            if _is_record(one, number) and one.channel != entry.get("call"):
                yield from _missing(_ring(steps[number - 1], later, later[0].at, one))


def _of_decision(call: Call, entry: Mapping[str, Any]) -> list[Happening]:
    """Give what happened between a decision and the next one about the same channel."""
    asked = str(entry["time"])
    following = [str(one["time"]) for one in call.decisions if one.get("call") == entry.get("call")]
    until = min((one for one in following if one > asked), default="9")
    return [one for one in call.happenings if asked <= one.at.isoformat() < until]


def _is_record(one: Happening, number: int) -> bool:
    return one.what is What.UNTAKEN and one.words.get("step") == str(number)


def _recorded(later: Sequence[Happening], number: int, channel: str | None) -> Happening | None:
    """Give the record of a step that no phone took, if there is one."""
    return next((one for one in later if _is_record(one, number) and one.channel == channel), None)


def _ring(
    step: Mapping[str, Any], later: Sequence[Happening], began: datetime, record: Happening | None
) -> _Rung:
    rang: dict[str, list[str]] = {}
    for one in later:
        if one.what is What.RINGS and began <= one.at and (record is None or one.at <= record.at):
            rang.setdefault(one.who, []).append(one.channel)
    rang = {who: channels for who, channels in rang.items() if who in step.get("endpoints", ())}
    came, over = (record.words.get("came", ""), record.at) if record else (UNKNOWN, None)
    return _Rung(step=step, began=began, rang=rang, came=came, over=over)


def _was_tried(later: Sequence[Happening]) -> bool:
    """Tell whether the first step was taken, of records that do not say how it ended."""
    ends = (one.words.get("outcome") for one in later if one.what is What.ENDS)
    return next(ends, "") in TRIED or any(one.what in TRUNKS for one in later)


def _missing(rung: _Rung) -> Iterator[tuple[datetime, str, str]]:
    # Where none rang, the step was over as it began, and after all that the one before left to be told.
    at = rung.over if rung.over and not rung.rang else rung.began
    for endpoint in rung.step.get("endpoints", ()):
        if endpoint not in rung.rang:
            yield at, endpoint, _why(rung)


def _why(rung: _Rung) -> str:
    level = rung.step.get("busy_level")
    busy = f"busy with {level} or more calls"
    if rung.came == "left":
        return "has left the group"
    if rung.came == "busy" and not rung.rang and level:
        return busy
    others = [busy] if level and rung.came == UNKNOWN and not rung.rang else []
    others += ["has left the group"] if rung.step.get("group") else []
    return ", or ".join(["it is not registered", *others])


def _after_ring(rung: _Rung, later: Sequence[Happening]) -> tuple[int, datetime | None]:
    """Give the step that follows, and when it began; None where that is not known."""
    then = rung.step.get("then", {})
    if rung.over:
        return then.get("unreachable" if rung.came == "left" else rung.came, 0), rung.over
    channels = {channel for all_of_it in rung.rang.values() for channel in all_of_it}
    stopped = {one.channel: one.at for one in later if one.what is What.STOPS}
    if not channels or not channels <= stopped.keys():
        return 0, None
    over = max(stopped[one] for one in channels)
    if (over - rung.began).total_seconds() < rung.step["timeout_s"] - EARLY_S:
        return 0, None  # the caller gave up, or it was recorded before there were records of such ends
    return then.get("no_answer", 0), over


def _after_outside(
    step: Mapping[str, Any], later: Sequence[Happening], began: datetime
) -> tuple[int, datetime | None]:
    for one in later:
        failed = one.what in {What.REFUSED, What.FULL, What.AWAY} and not one.words.get("next")
        if failed and one.at >= began and one.who == step["number"]:
            how = ENDED_BY_TRUNK.get(one.words.get("status", ""), "unreachable")
            return step.get("then", {}).get(how, 0), one.at
    return 0, None
