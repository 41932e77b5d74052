"""One line of the spool: what Asterisk said about one channel at one instant.

Owns the format "A leg record" of docs/architecture.md. Refuses whatever is not exactly that: a record that
was glued to the fragment of another one after a full disk, one that was cut, one that means nothing to us.
Such a line is a value too (`BadLine`), and is kept. Many lines are read at once by `pbxcore.intake.lines`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

FIELDS = 9
MARK = "L1\t"
TIME = 17  # characters: ten digits, a point, six digits; right from 2001 to 2286
POINT = 10
LONGEST = 1_022  # characters; Asterisk cuts a record at 1,023 and says nothing
TRUNK = "PJSIP/trunk-"  # how names of trunk channels begin
USER = "USER_DEFINED"
EVENTS = frozenset({"CHAN_START", "ANSWER", "HANGUP", "LINKEDID_END", USER})


class Fault(StrEnum):
    """Why a line is no record."""

    FIELDS = "fields"  # not nine of them, or it does not begin like one
    CUT = "cut"  # as long as Asterisk's limit: its end is missing
    EVENT = "event"  # none that we asked for
    TIME = "time"
    ENDLESS = "endless"  # no newline where the file ended or the longest line would
    FACTS = "facts"  # a TRUNK_LEG that cannot be read
    STRAY = "stray"  # an answer or hangup of a trunk channel that never began


class Sign(StrEnum):
    """What a record says of a leg."""

    START = "CHAN_START"
    ANSWER = "ANSWER"
    HANGUP = "HANGUP"
    TRUNK_LEG = "TRUNK_LEG"  # the dialplan let it out
    CALL_END = "CALL_END"  # it ran our dialplan to the end
    NOTHING = ""


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

    @property
    def sign(self) -> Sign:
        """What it says of a leg."""
        return sign(self.event, self.subject)


def sign(event: str, subject: str) -> Sign:
    """Return what an event says of a leg."""
    if event == USER:
        return _SUBJECTS.get(subject, Sign.NOTHING)
    return _SIGNS.get(event, Sign.NOTHING)


_SUBJECTS = {one.value: one for one in (Sign.TRUNK_LEG, Sign.CALL_END)}
_SIGNS = {one.value: one for one in (Sign.START, Sign.ANSWER, Sign.HANGUP)}


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


def one_by_one(text: str, start: int) -> tuple[list[Record], list[BadLine]]:
    """Read lines of which some are no records; return what is one and what is none, each in order.

    Args:
        text: lines, each with its newline, one character per byte (latin-1).
        start: where the text starts in its file.
    """
    records: list[Record] = []
    bad: list[BadLine] = []
    for line in text[:-1].split("\n"):
        found = _record(line, start)
        if isinstance(found, Record):
            records.append(found)
        else:
            _unglue(found, records, bad)
        start += len(line) + 1
    return records, bad


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
