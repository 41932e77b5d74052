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
TRUNK_FAILED, UNDECIDED = "TRUNK_FAILED", "UNDECIDED"  # written of calls that need them alone
PHONES_FAILED = "PHONES_FAILED"  # so is this
TRUNK_CHANNEL = "PJSIP/trunk-"
LIMITS = {
    "34": "trunk",
    "120": "payer",
}  # causes of a leg that is one too many (FULL in extensions.conf): whose
DECIDERS = ("control", "standby")  # who else ends a call is Asterisk, and has no reasons to tell


class What(StrEnum):
    """What happened to a channel."""

    CALLS = "calls"  # it asked for something: the first channel of a call
    RINGS = "rings"  # it was called
    UNCALLED = "is not called: as many calls as there may be"  # a leg over a trunk that a limit forbade
    LEAVES = "leaves"  # it goes out over a trunk, on somebody's account
    REFUSED = "is not taken"  # by the trunk over which it left
    FULL = "is not called over that trunk: as many calls as there may be"  # the same, and what was tried next
    AWAY = "is not called over a trunk that is away"
    ASKS = "is decided by nobody"  # of who asked: what for
    ANSWERS = "answers"
    TALKS = "is answered"  # of who asked
    STOPS = "stops ringing"  # it was never answered
    GONE = "hangs up"
    ENDS = "ends"  # the outcome of what it asked for
    BRANCH = "leads nowhere"  # the same of a Local channel, which is none that calls: a phone's 302
    UNTAKEN = "is taken by no phone"  # a step, before its time was over; of who asked


OVER = frozenset({What.GONE, What.STOPS, What.UNCALLED, What.REFUSED, What.FULL})  # with it, its channel
TOLD = frozenset({What.AWAY, What.ASKS, What.BRANCH, What.UNTAKEN})  # also where no channel is


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened to a channel.

    Attributes:
        at: when, to the microsecond.
        channel: UniqueID; of a trunk channel it is the key of its leg.
        who: its endpoint, `acme-p10` or `trunk-carrier`; of a leg that left, or should have, the number.
        words: of LEAVES what the dialplan said (`payer`, `why`, `trunk`, `limit`), of ENDS the `outcome`, who
            decided it (`by`) and the `reason`; of REFUSED, FULL and AWAY the `trunk`, the `cause` and `sip`
            status that it gave, and the trunk that was tried `next`; of ASKS the facts of its question; of
            BRANCH as of ENDS; of UNTAKEN the `step` and what it `came` to; of STOPS `sip`, if one refused.
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
        gone = {one.channel for one in self.happenings if one.what in OVER}
        return not {one.channel for one in self.happenings if one.what not in TOLD} - gone


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
        found = [one for one in _containing(spool, names) if not names.isdisjoint(_named(one))]
        known = names.union(*map(_named, found))
        if known == names:
            break
        names = known
    return sorted(found, key=lambda one: one.time_us)


def _named(one: Record) -> set[str]:
    """Give what a record names of a call: its channel, its linkedid, and who took it from that channel."""
    return {one.uniqueid, one.linkedid} | ({ended(one)} if one.subject == CALL_END else set())


def _containing(spool: Path, names: set[str]) -> Iterator[Record]:
    for path in spool.glob("legs.tsv*"):
        with path.open(encoding="latin-1", newline="\n") as file:
            text = "".join(line for line in file if line.endswith("\n") and any(one in line for one in names))
        if text:
            yield from read(text, 0)[0]


def _happenings(records: list[Record]) -> Iterator[Happening]:
    gone = {one.uniqueid for one in records if one.event == "HANGUP"}
    # Who is called belongs to another's call from the first, whatever it asks for later.
    called = {one.uniqueid for one in records if one.event == "CHAN_START" and one.uniqueid != one.linkedid}
    asking = {one.uniqueid for one in records} - called
    answered = {one.uniqueid for one in records if one.event == "ANSWER"}
    outside = {
        one.uniqueid: words_of(one.extra).get("num", "") for one in records if one.subject == TRUNK_LEG
    }
    failed, refused = _failed(records, outside), _refused(records)
    for one in records:
        what = _what(one, asks=one.uniqueid in asking, answered=one.uniqueid in answered)
        if one.uniqueid in outside and what is What.RINGS:
            continue  # LEAVES, a moment later, says more
        if one.uniqueid in failed and what in {What.RINGS, What.STOPS}:
            continue  # and so does the record of its trunk
        if one.channel.startswith(TRUNK_CHANNEL) and one.uniqueid in gone - outside.keys():
            if what is What.STOPS:
                continue
            what = What.UNCALLED if what is What.RINGS else what
        if one.subject == TRUNK_FAILED:
            yield _failure(one, failed)
        elif what is What.ENDS and (words := words_of(one.extra)).get("call"):
            yield Happening(at=_instant(one), channel=words["call"], who=words["who"], what=what, words=words)
        elif what and (what := _of_local(one, what) if one.channel.startswith("Local/") else what):
            yield Happening(
                at=_instant(one),
                channel=one.uniqueid,
                who=outside.get(one.uniqueid)
                or one.channel.removeprefix("PJSIP/")[:-9],  # without its number
                what=what,
                words=_words(one) if one.subject else refused.get(one.channel, {}),
            )


def _words(one: Record) -> dict[str, str]:
    words = words_of(one.extra)
    if one.subject == PHONES_FAILED and one.channel.startswith("Local/"):
        words["step"] = one.channel.partition("@")[0].rpartition("-")[2]  # Local/<delay>-<step>@member
    return words


def _of_local(one: Record, what: What) -> What | None:
    """Say what is told of a Local channel, half of a way inside Asterisk: what it asked, and came to."""
    if what is What.ENDS:
        came_to_nothing = words_of(one.extra).get("outcome") not in {"answered", "abandoned"}
        return What.BRANCH if came_to_nothing else None
    return what if what in {What.ASKS, What.UNTAKEN} else None


def _refused(records: list[Record]) -> Mapping[str, Mapping[str, str]]:
    """Give the SIP status with which phones refused, by the name of their channel."""
    said = [
        part.rpartition(":")
        for one in records
        if one.subject == PHONES_FAILED
        for part in words_of(one.extra).get("said", "").split(",")
    ]
    return {f"PJSIP/{name}": {"sip": sip} for name, _, sip in said if sip >= "300" and sip != "487"}


def _failed(records: list[Record], outside: Mapping[str, str]) -> Mapping[str, Record]:
    """Give what was recorded of trunks that did not take a call, by the channel that was made for it."""
    channels = {one.channel: one.uniqueid for one in records if one.channel.startswith(TRUNK_CHANNEL)}
    found: dict[str, Record] = {}
    for one in records:
        words = words_of(one.extra) if one.subject == TRUNK_FAILED else {}
        if words.get("channel") in channels:
            found[channels[words["channel"]]] = one
        elif words and words.get("cause") in LIMITS:
            # Hung up before anything was sent: Asterisk does not say which one it was.
            name = f"{TRUNK_CHANNEL}{words.get('trunk')}"
            unsent = (key for channel, key in channels.items() if channel[:-9] == name and key not in outside)
            if channel := next((key for key in unsent if key not in found), ""):
                found[channel] = one
    return found


def _failure(one: Record, failed: Mapping[str, Record]) -> Happening:
    """Tell a trunk that said no from one that a limit forbade, and from one for which no channel was made."""
    words = words_of(one.extra)
    channel = next((channel for channel, record in failed.items() if record is one), "")
    forbidden = not words.get("channel") and words.get("cause") in LIMITS
    what = What.AWAY if words.get("away") else What.FULL if forbidden else What.REFUSED
    return Happening(
        at=_instant(one), channel=channel or one.uniqueid, who=words.get("num", ""), what=what, words=words
    )


def _instant(one: Record) -> datetime:
    second = datetime.fromtimestamp(one.time_us // 1_000_000, UTC)
    return second.replace(microsecond=one.time_us % 1_000_000)


def _what(one: Record, *, asks: bool, answered: bool) -> What | None:
    match one.event, one.subject:
        case "CHAN_START", _:
            return What.CALLS if asks else What.RINGS
        case "ANSWER", _:
            return What.TALKS if asks else What.ANSWERS
        case "HANGUP", _:
            return What.GONE if asks or answered else What.STOPS
        case _:
            return _SAID.get(one.subject)


_SAID = {  # by what the dialplan records
    TRUNK_LEG: What.LEAVES,
    CALL_END: What.ENDS,
    UNDECIDED: What.ASKS,
    PHONES_FAILED: What.UNTAKEN,
}


def ended(one: Record) -> str:
    """Give the channel whose end a CALL_END tells: who picked a call up has left its own to what rang."""
    return words_of(one.extra).get("call") or one.uniqueid


def words_of(extra: str) -> dict[str, str]:
    """Read what the dialplan says in a record, `key=value|…`."""
    return dict(part.partition("=")[::2] for part in extra.split("|"))
