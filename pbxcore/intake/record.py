"""One line of the spool: what Asterisk said about one channel at one instant.

Owns the format "A leg record" of docs/architecture.md. Refuses whatever is not exactly that: a record that
was glued to the fragment of another one after a full disk, one that was cut, one that means nothing to us.
Such a line is a value too (`BadLine`), and is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import accumulate
from operator import add
from typing import NamedTuple

FIELDS = 9
MARK = "L1\t"
TIME = 17  # characters: ten digits, a point, six digits; right from 2001 to 2286
POINT = 10
PART = 1 << 16  # characters read at once: their fields stay near the core
LONGEST = 1_022  # characters; Asterisk cuts a record at 1,023 and says nothing
EVENTS = frozenset({"CHAN_START", "ANSWER", "HANGUP", "LINKEDID_END", "USER_DEFINED"})


class Fault(StrEnum):
    """Why a line is no record."""

    FIELDS = "fields"  # not nine of them, or it does not begin like one
    CUT = "cut"  # as long as Asterisk's limit: its end is missing
    EVENT = "event"  # none that we asked for
    TIME = "time"
    ENDLESS = "endless"  # no newline where the file ended or the longest line would
    FACTS = "facts"  # a TRUNK_LEG that cannot be read
    STRAY = "stray"  # an answer or hangup of a trunk channel that never began


class Record(NamedTuple):
    """One event of a channel.

    Attributes:
        start: where its line starts in the file, bytes.
        event: CHAN_START, ANSWER, HANGUP, LINKEDID_END or USER_DEFINED.
        time_us: microseconds since the epoch.
        uniqueid: the channel.
        linkedid: groups the channels of one call; it may change when calls are joined.
        channel: name, `PJSIP/trunk-carrier-0000001f`.
        subject: TRUNK_LEG or CALL_END where the event is USER_DEFINED.
        extra: what the dialplan says, `key=value|…`.
        line: the line as it was.
    """

    start: int
    event: str
    time_us: int
    uniqueid: str
    linkedid: str
    channel: str
    subject: str
    extra: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that is no record.

    Attributes:
        start: where it starts in its file, bytes.
        fault: what is wrong with it.
        line: its characters, one per byte (latin-1), without the newline.
    """

    start: int
    fault: Fault
    line: str


# What `Record._make` does but for counting the fields, in a third of its time.
_new_record = partial(tuple.__new__, Record)


def read(text: str, start: int) -> tuple[list[Record], list[BadLine]]:
    """Read complete lines; return the records and what is none, each in order.

    Args:
        text: lines, each with its newline, one character per byte (latin-1).
        start: where the text starts in its file.
    """
    records: list[Record] = []
    bad: list[BadLine] = []
    place = 0
    while place < len(text):
        end = text.rfind("\n", place, place + PART) + 1 or text.find("\n", place) + 1 or len(text)
        part = text[place:end]
        whole = _all_at_once(part, start + place)
        if whole is None:
            _one_by_one(part, start + place, records, bad)
        else:
            records += whole
        place = end
    return records, bad


def _all_at_once(text: str, start: int) -> list[Record] | None:
    """Read lines of which each one is a record; None if one is not.

    The problem: to look at each field of each line takes longer than all that comes after. So the lines
    become one list of fields, with the newlines as fields of their own: where every tenth one is a newline,
    each line has nine. Then a column is a slice, and is checked as a whole.
    """
    lines = text[:-1].split("\n")
    cells = "\t\n\t".join(lines).split("\t")
    column = FIELDS + 1
    if len(cells) != len(lines) * column - 1 or cells[FIELDS::column].count("\n") != len(lines) - 1:
        return None
    marks, events, times, uniqueids, *others = (cells[field::column] for field in range(FIELDS))
    linkedids, channels, _, subjects, extras = others
    time_us = _times(times)
    sound = text.isascii() and "\0" not in text and max(map(len, lines)) <= LONGEST
    if not sound or time_us is None or not (EVENTS.issuperset(events) and {"L1"}.issuperset(marks)):
        return None
    if "" in uniqueids:
        return None
    starts = map(add, accumulate(map(len, lines), initial=start), range(len(lines)))
    columns = (starts, events, time_us, uniqueids, linkedids, channels, subjects, extras, lines)
    return list(map(_new_record, zip(*columns, strict=False)))  # there is one start more, of what comes next


def _times(times: Sequence[str]) -> list[int] | None:
    """Read a column of times as microseconds; None if one of them is none."""
    text = "".join(times)
    digits = text.replace(".", "")
    width = TIME - 1
    if not {TIME}.issuperset(map(len, times)) or text[POINT::TIME] != "." * len(times):
        return None
    if len(digits) != width * len(times) or not (digits.isascii() and digits.isdigit()):
        return None
    return [int(digits[place : place + width]) for place in range(0, len(digits), width)]


def _one_by_one(text: str, start: int, records: list[Record], bad: list[BadLine]) -> None:
    """Read lines of which some are no records."""
    for line in text[:-1].split("\n"):
        found = _record(line, start)
        if isinstance(found, Record):
            records.append(found)
        else:
            _unglue(found, records, bad)
        start += len(line) + 1


def _unglue(whole: BadLine, records: list[Record], bad: list[BadLine]) -> None:
    """Find the whole record at the end of a bad line.

    A record is written by one write, and only a full disk cuts one off: what comes next is whole, and what
    stands before it is the fragment.
    """
    at = whole.line.rfind(MARK)
    record = _record(whole.line[at:], whole.start + at) if at > 0 else None
    if isinstance(record, Record):
        records.append(record)
        bad.append(BadLine(start=whole.start, fault=whole.fault, line=whole.line[:at]))
    else:
        bad.append(whole)


def _record(line: str, start: int) -> Record | BadLine:
    fields = line.split("\t")
    if len(fields) != FIELDS or fields[0] != "L1" or not fields[3] or "\0" in line or not line.isascii():
        return BadLine(start=start, fault=Fault.FIELDS, line=line)
    if len(line) > LONGEST:
        return BadLine(start=start, fault=Fault.CUT, line=line)
    _, event, time, uniqueid, linkedid, channel, _, subject, extra = fields
    if event not in EVENTS:
        return BadLine(start=start, fault=Fault.EVENT, line=line)
    digits = time[:POINT] + time[POINT + 1 :]
    if len(time) != TIME or time[POINT] != "." or not digits.isdigit():
        return BadLine(start=start, fault=Fault.TIME, line=line)
    return Record(start, event, int(digits), uniqueid, linkedid, channel, subject, extra, line)
