"""The last calls of this machine, the newest first: the list of which one picks a call to have it explained.

Owns reading the ends of decision logs and spool: it takes as long after a year as after a day. Needs no
database, and refuses to tell more of a call than a line (`pbxcore.calls` does).
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pbxcore import logged
from pbxcore.calls import CALL_END, TRUNK_FAILED, TRUNK_LEG, UNDECIDED, ended, unended, words_of
from pbxcore.intake.lines import read
from pbxcore.intake.record import Record
from pbxcore.settings import Settings

TAIL = 1 << 20  # bytes of each log: some hundreds of decisions, the records of about as many calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """A call in a line.

    Attributes:
        at: when it was decided first; of a call that asked nobody, when it ended.
        caller: number that it shows, else the endpoint that asks.
        dialled: what it asked for; of a call that nobody decided, what the spool says of that.
        outcome: how it ended, with the reason of a refusal; empty: it goes on, or was not recorded.
        unended: of a call without an outcome, which of the two, in words.
        linkedid: its name.
    """

    at: datetime
    caller: str
    dialled: str
    outcome: str
    linkedid: str
    unended: str = ""


def last(settings: Settings, most: int, since: datetime | None) -> list[Recent]:
    """Give the last calls, at most so many.

    Args:
        settings: where records and decisions lie.
        most: how many at most.
        since: when the Asterisk that runs now started; None: none runs.
    """
    decided, ends, left = _decided(settings.decisions), dict[str, Record](), dict[str, Mapping[str, str]]()
    joined, over = dict[str, Record](), set[str]()
    for one in _records(settings.spool):
        own = one.subject == CALL_END and one.uniqueid == ended(one)  # not of who picked it up
        if own and (one.linkedid not in ends or one.uniqueid == one.linkedid):
            ends[one.linkedid] = one
        elif one.subject in {TRUNK_LEG, TRUNK_FAILED, UNDECIDED}:
            left.setdefault(one.linkedid, words_of(one.extra))
        if one.subject == CALL_END:
            joined[ended(one)] = one  # a transfer has given its channel to another call
        elif one.event == "HANGUP":
            over.add(one.uniqueid)
    found = [
        _recent(call, decided.get(call), ends.get(call) or joined.get(call), left.get(call, {}))
        for call in {**decided, **ends}
    ]
    found.sort(key=lambda one: (one.at, one.linkedid), reverse=True)
    return [
        one if one.outcome else replace(one, unended=unended(one.at, since, is_over=one.linkedid in over))
        for one in found[:most]
    ]


def _recent(
    call: str, decision: Mapping[str, Any] | None, end: Record | None, left: Mapping[str, str]
) -> Recent:
    said = words_of(end.extra) if end else {}
    cause = "cause " if said.get("reason", "").isdigit() else ""  # of Q.850, of a trunk that failed
    reason = f" ({cause}{said['reason']})" if said.get("reason") else ""
    outcome = said.get("outcome", "") + reason
    if decision is None:
        assert end, "it is known by one of the two"
        at, who = datetime.fromtimestamp(end.time_us // 1_000_000, UTC), left.get("caller") or _endpoint(end)
        dialled = left.get("num") or left.get("dialled", "")
        return Recent(at=at, caller=who, dialled=dialled, outcome=outcome, linkedid=call)
    facts = decision["facts"]
    return Recent(
        at=datetime.fromisoformat(str(decision["time"])),
        caller=str(facts.get("caller") or facts.get("endpoint", "")),
        dialled=str(facts.get("dialled", "")),
        outcome=outcome,
        linkedid=call,
    )


def _endpoint(one: Record) -> str:
    return one.channel.removeprefix("PJSIP/").rpartition("-")[0]


def _decided(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Give the first decision of each call that the logs end with."""
    lines = [line for name in ("control", "standby") for line in _tail(folder, f"{name}.ndjson*", "utf-8")]
    found: dict[str, Mapping[str, Any]] = {}
    for entry in sorted(filter(None, map(logged.entry, lines)), key=lambda one: str(one["time"])):
        if entry.get("linkedid"):
            found.setdefault(str(entry["linkedid"]), entry)
    return found


def _records(spool: Path) -> list[Record]:
    return list(read("".join(_tail(spool, "legs.tsv*", "latin-1")), 0)[0])


def _tail(folder: Path, pattern: str, encoding: str) -> list[str]:
    """Give the last whole lines of files that were renamed as they grew, the oldest first."""
    lines: list[str] = []
    room = TAIL
    for path, size in _newest_first(folder, pattern):
        try:
            with path.open("rb") as file:
                file.seek(max(0, size - room))
                text = file.read(room).decode(encoding, errors="replace")
        except FileNotFoundError:  # renamed since, or too old
            continue
        whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        lines = [*(whole if size <= room else whole[1:]), *lines]
        room -= size
        if room <= 0:
            break
    return lines


def _newest_first(folder: Path, pattern: str) -> Iterator[tuple[Path, int]]:
    stats = []
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # as above
            stats.append((path.stat(), path))
    for stat, path in sorted(stats, key=lambda one: one[0].st_mtime_ns, reverse=True):
        yield path, stat.st_size
