"""Past calls: what Asterisk recorded and what was decided, put together in order of time.

Owns finding a call on this machine by any of its names, and what each record means. Needs no database: what
its legs cost is asked elsewhere (`rating.store`). Refuses to keep anything: a call is known as long as its
records are (14 days, `pbxcore.intake.spool`) or its decisions.

A call has a linkedid. A transfer joins two calls, and some of their channels' records carry the other's; so a
call is everything that shares a channel or a linkedid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pbxcore.control import decision_log
from pbxcore.intake.lines import read
from pbxcore.intake.record import Record
from pbxcore.settings import Settings

MOST_JOINED = 8  # rounds of looking for what a call was joined with; each reads all records once
IN_PROGRESS, NO_END = "in progress", "no end was recorded"
TRUNK_LEG, CALL_END = "TRUNK_LEG", "CALL_END"
TRUNK_CHANNEL = "PJSIP/trunk-"
DECIDERS = ("control", "standby")  # who else ends a call is Asterisk, and has no reasons to tell


class What(StrEnum):
    """What happened to a channel."""

    CALLS = "calls"  # it asked for something: the first channel of a call
    RINGS = "rings"  # it was called
    UNCALLED = "is not called: as many calls as there may be"  # a leg over a trunk that a limit forbade
    LEAVES = "leaves"  # it goes out over a trunk, on somebody's account
    ANSWERS = "answers"
    TALKS = "is answered"  # of who asked
    STOPS = "stops ringing"  # it was never answered
    GONE = "hangs up"
    ENDS = "ends"  # the outcome of what it asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened to a channel.

    Attributes:
        at: when, to the microsecond.
        channel: UniqueID; of a trunk channel it is the key of its leg.
        who: its endpoint, `acme-p10` or `trunk-carrier`; of a leg that left, the number that was called.
        words: of LEAVES what the dialplan said (`payer`, `why`, `trunk`, `limit`), of ENDS the `outcome`, who
            decided it (`by`) and the `reason`.
    """

    at: datetime
    channel: str
    who: str
    what: What
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of the past.

    Attributes:
        linkedids: one; several where calls were joined.
        decisions: lines of the decision logs, in order of time; each says in `by` who decided.
        happenings: in order of time.
    """

    linkedids: tuple[str, ...]
    decisions: tuple[Mapping[str, Any], ...]
    happenings: tuple[Happening, ...]

    @property
    def legs(self) -> tuple[str, ...]:
        """Keys of the legs that left over a trunk, in order of time."""
        return tuple(one.channel for one in self.happenings if one.what is What.LEAVES)

    @property
    def is_ended(self) -> bool:
        """Whether an outcome was recorded."""
        return any(one.what is What.ENDS for one in self.happenings)

    @property
    def unlogged(self) -> tuple[Happening, ...]:
        """Ends that control or the standby had decided, of which no log has the decision."""
        logged = {(one["by"], one.get("call")) for one in self.decisions}
        decided = (one for one in self.happenings if one.what is What.ENDS and one.words.get("version"))
        return tuple(
            one
            for one in decided
            if one.words["by"] in DECIDERS and (one.words["by"], one.channel) not in logged
        )

    @property
    def is_over(self) -> bool:
        """Whether nobody is in it any more, as far as was recorded."""
        gone = {one.channel for one in self.happenings if one.what in {What.GONE, What.STOPS}}
        return not {one.channel for one in self.happenings} - gone


def unended(began: datetime, since: datetime | None, *, is_over: bool) -> str:
    """Say of a call whose outcome was not recorded whether it goes on, and why not where that is known.

    Args:
        began: when it was asked for, or its first channel came.
        since: when the Asterisk that runs now started; None: none runs.
        is_over: its channels have hung up.
    """
    if is_over or since is None:
        return NO_END
    return IN_PROGRESS if began >= since else f"{NO_END}: Asterisk has started anew since"


def find(settings: Settings, name: str) -> Call | None:
    """Find a call by its linkedid, the UniqueID of one of its channels, or the key of one of its legs."""
    records = _records_of(settings.spool, name)
    linkedids = tuple(dict.fromkeys([one.linkedid for one in records])) or (name,)
    decisions = [one for linkedid in linkedids for one in decision_log.of_call(settings.decisions, linkedid)]
    if not records and not decisions:
        return None
    decisions.sort(key=lambda one: str(one["time"]))
    return Call(linkedids=linkedids, decisions=tuple(decisions), happenings=tuple(_happenings(records)))


def _records_of(spool: Path, name: str) -> list[Record]:
    """Read every record of a call, in order of time."""
    names, found = {name}, list[Record]()
    for _round in range(MOST_JOINED):
        found = [one for one in _containing(spool, names) if names & {one.uniqueid, one.linkedid}]
        known = names | {part for one in found for part in (one.uniqueid, one.linkedid)}
        if known == names:
            break
        names = known
    return sorted(found, key=lambda one: one.time_us)


def _containing(spool: Path, names: set[str]) -> Iterator[Record]:
    for path in spool.glob("legs.tsv*"):
        with path.open(encoding="latin-1", newline="\n") as file:
            text = "".join(line for line in file if line.endswith("\n") and any(one in line for one in names))
        if text:
            yield from read(text, 0)[0]


def _happenings(records: list[Record]) -> Iterator[Happening]:
    gone = {one.uniqueid for one in records if one.event == "HANGUP"}
    asking = {one.uniqueid for one in records if one.subject == CALL_END}
    # What it asked for ends in a record; until then it is the channel that the call is named after.
    asking |= {one.uniqueid for one in records if one.uniqueid == one.linkedid and one.uniqueid not in gone}
    answered = {one.uniqueid for one in records if one.event == "ANSWER"}
    outside = {
        one.uniqueid: words_of(one.extra).get("num", "") for one in records if one.subject == TRUNK_LEG
    }
    for one in records:
        what = _what(one, asks=one.uniqueid in asking, answered=one.uniqueid in answered)
        if one.uniqueid in outside and what is What.RINGS:
            continue  # LEAVES, a moment later, says more
        if one.channel.startswith(TRUNK_CHANNEL) and one.uniqueid in gone - outside.keys():
            if what is What.STOPS:
                continue
            what = What.UNCALLED if what is What.RINGS else what
        if what and not one.channel.startswith("Local/"):  # halves of a way inside Asterisk
            yield Happening(
                at=datetime.fromtimestamp(one.time_us // 1_000_000, UTC).replace(
                    microsecond=one.time_us % 1_000_000
                ),
                channel=one.uniqueid,
                who=outside.get(one.uniqueid)
                or one.channel.removeprefix("PJSIP/")[:-9],  # without its number
                what=what,
                words=words_of(one.extra) if one.subject else {},
            )


def _what(one: Record, *, asks: bool, answered: bool) -> What | None:
    match one.event, one.subject:
        case "CHAN_START", _:
            return What.CALLS if asks else What.RINGS
        case "ANSWER", _:
            return What.TALKS if asks else What.ANSWERS
        case "HANGUP", _:
            return What.GONE if asks or answered else What.STOPS
        case _, "TRUNK_LEG":
            return What.LEAVES
        case _, "CALL_END":
            return What.ENDS
        case _:
            return None


def words_of(extra: str) -> dict[str, str]:
    """Read what the dialplan says in a record, `key=value|…`."""
    return dict(part.partition("=")[::2] for part in extra.split("|"))
