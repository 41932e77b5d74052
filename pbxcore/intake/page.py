"""Lines of the spool by columns: checked all at once, and looked at only where they may tell of a leg.

The problem: of ten lines that a call leaves half are of phones, and nearly nothing is needed of those. To
look at each field of each line, and to make an object of each line, takes longer than all that comes after.
So where fields begin and end is found for all lines together, columns are checked as a whole, and a line
becomes a record when somebody asks for it.

Owns that way. Refuses to know the format better than `pbxcore.intake.record`: where one line is not sound,
every line of the page is read alone there. Refuses to know what a leg is: `telling` leaves out only what
`pbxcore.intake.assemble` would pass over, and keeps whatever it cannot judge.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pbxcore.intake.record import EVENTS, FIELDS, LONGEST, MARK, POINT, TIME, TRUNK, USER, Record, Sign, sign

Ints: TypeAlias = npt.NDArray[np.int64]
Cells: TypeAlias = npt.NDArray[np.uint8]
Words: TypeAlias = npt.NDArray[np.uint64]
Flags: TypeAlias = npt.NDArray[np.bool_]

WORD = 8  # characters that are compared at once
_TAB, _NEWLINE, _ZERO, _NINE = b"\t\n09"
_MARK, _EVENT, _TIME, _UNIQUEID, _, _CHANNEL, _, _SUBJECT, _EXTRA = range(FIELDS)
_SIGNS = tuple(Sign)
_START, _END, _NOTHING = map(_SIGNS.index, (Sign.START, Sign.CALL_END, Sign.NOTHING))
_UNKNOWN = -1
_DIGITS = np.array([place for place in range(TIME) if place != POINT], dtype=np.int64)
_TENS = 10 ** np.arange(len(_DIGITS) - 1, -1, -1, dtype=np.int64)
_FROM_THE_END = np.arange(10, dtype=np.int64)  # digits of a sequence that is judged here
_ENDLESS = 1 << 62  # higher than any sequence
_KEY = 2 * WORD  # characters of a UniqueID that are looked at

_new_record = partial(tuple.__new__, Record)  # in half the time


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Telling:
    """Lines of a page that may tell something, by their places, ascending.

    Attributes:
        lines: of trunk channels, of channels that are or become open, and those of `low`.
        low: which of these are starts whose sequence is not above those of all trunk channels before.
        ended: ends of calls.
    """

    lines: Ints
    low: Flags
    ended: Ints


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Page:
    """Lines of which each one is a record; `page_of` makes them.

    Attributes:
        text: the lines, each with its newline.
        start: where the text starts in its file.
        begins: first character of each field, by field and line.
        ends: the tab or newline behind it.
        cells: the characters of the text.
        words: the eight characters that begin at each place of it.
        says: what each line says of a leg, by its place in `Sign`.
        times_us: when.
    """

    text: str
    start: int
    begins: Ints
    ends: Ints
    cells: Cells
    words: Words
    says: Ints
    times_us: Ints

    def __len__(self) -> int:
        return len(self.says)

    def record(self, line: int) -> Record:
        """Return a line as a record."""
        begin, time_us = self.begins.item(_MARK, line), self.times_us.item(line)
        text = self.text[begin : self.ends.item(_EXTRA, line)]
        _, event, _, uniqueid, linkedid, channel, _, subject, extra = text.split("\t")
        return _new_record(
            (self.start + begin, event, time_us, uniqueid, linkedid, channel, subject, extra, text)
        )

    def uniqueids(self, lines: Ints) -> list[str]:
        """Return the channels of some lines."""
        begins, ends = self.begins[_UNIQUEID][lines].tolist(), self.ends[_UNIQUEID][lines].tolist()
        return [self.text[begin:end] for begin, end in zip(begins, ends, strict=True)]

    def signs(self, lines: Ints) -> Iterator[tuple[Sign, int, str, int]]:
        """Return what some lines say, when, of which channel, and their places."""
        says = map(_SIGNS.__getitem__, self.says[lines].tolist())
        times_us = self.times_us[lines].tolist()
        return zip(says, times_us, self.uniqueids(lines), lines.tolist(), strict=True)

    def latest_us(self, before_us: int) -> Ints:
        """Return the latest time before each line, and behind all.

        Args:
            before_us: the latest time before this page.
        """
        return np.maximum.accumulate(np.concatenate((np.array([before_us], dtype=np.int64), self.times_us)))

    def telling(self, open_keys: Iterable[str]) -> Telling:
        """Find the lines that may tell something of a leg, or of a new start of Asterisk.

        Args:
            open_keys: channels that legs may come of before this page.
        """
        says = self.says != _NOTHING
        trunk = says & _begin_with(self.words, self.begins[_CHANNEL], TRUNK)
        tails, highest = _of_keys(open_keys)
        low = self._not_above(highest, trunk)
        lines = np.flatnonzero(trunk | self._of(tails, trunk, says & ~trunk) | low)
        return Telling(lines=lines, low=low[lines], ended=np.flatnonzero(self.says == _END))

    def _of(self, tails: Words, trunk: Flags, asked: Flags) -> Flags:
        """Find lines of channels that are or may become open, by the end of their UniqueIDs: so some more."""
        own = self.words[self.ends[_UNIQUEID] - WORD]
        known = np.unique(np.concatenate((tails, own[trunk])))
        found: Flags = asked & (self.ends[_UNIQUEID] - self.begins[_UNIQUEID] < WORD)
        lines = np.flatnonzero(asked & ~found)
        if len(known):
            places = np.minimum(np.searchsorted(known, own[lines]), len(known) - 1)
            found[lines] = known[places] == own[lines]
        return found

    def _not_above(self, highest: int, trunk: Flags) -> Flags:
        """Find starts of channels whose sequence is not above those of all trunk channels before."""
        started = self.says == _START
        lines = np.flatnonzero(started | trunk)
        sequences = _sequences(self.cells, self.ends[_UNIQUEID][lines])
        before = np.where(trunk[lines], sequences, -1)
        before = np.maximum.accumulate(np.concatenate((np.array([highest], dtype=np.int64), before)))
        found = np.zeros(len(self), dtype=np.bool_)
        found[lines] = started[lines] & ((sequences <= before[:-1]) | (sequences == _ENDLESS))
        return found


def page_of(text: str, start: int) -> Page | None:
    """Read lines of which each one is a record; None if one is not.

    Args:
        text: lines, each with its newline.
        start: where the text starts in its file.
    """
    if not (text.isascii() and text.endswith("\n")):
        return None
    data = text.encode("ascii") + b"\0" * WORD
    cells = np.frombuffer(data, dtype=np.uint8)
    words = np.ndarray(len(text), dtype="<u8", buffer=data, strides=(1,))
    # What stands below a tab is in no sound line, or makes all be read alone.
    ends = np.flatnonzero(cells[: len(text)] <= _NEWLINE)
    if len(ends) % FIELDS:
        return None
    ends = np.ascontiguousarray(ends.reshape(-1, FIELDS).T)
    if (cells[ends[:-1]] != _TAB).any() or (cells[ends[-1]] != _NEWLINE).any():
        return None
    begins = np.zeros_like(ends)
    begins[1:], begins[0, 1:] = ends[:-1] + 1, ends[-1, :-1] + 1
    says, times_us = _says(words, begins, ends), _times_us(cells, begins, ends)
    if says is None or times_us is None or not _is_sound(words, begins, ends):
        return None
    return Page(
        text=text,
        start=start,
        begins=begins,
        ends=ends,
        cells=cells,
        words=words,
        says=says,
        times_us=times_us,
    )


def _of_keys(keys: Iterable[str]) -> tuple[Words, int]:
    """Return the ends of UniqueIDs as they are compared, and the highest sequence in them."""
    text = "".join([key[-_KEY:].rjust(_KEY) for key in keys]).encode("ascii", "replace")
    if not text:
        return np.zeros(0, dtype=np.uint64), -1
    cells = np.frombuffer(text, dtype=np.uint8)
    ends = np.arange(_KEY, len(text) + 1, _KEY, dtype=np.int64)
    tails = np.frombuffer(text, dtype="<u8")[_KEY // WORD - 1 :: _KEY // WORD]
    return tails, int(_sequences(cells, ends).max())


def _sequences(cells: Cells, ends: Ints) -> Ints:
    """Return the digits before some places as numbers; `_ENDLESS` where there are more than are judged."""
    digits = cells[ends[:, None] - 1 - _FROM_THE_END] - np.uint8(_ZERO)
    inside = np.logical_and.accumulate(digits <= _NINE - _ZERO, axis=1)
    return np.where(inside[:, -1], _ENDLESS, np.where(inside, digits, 0) @ 10**_FROM_THE_END)


def _word(text: str) -> np.uint64:
    """Return up to eight characters as they are compared."""
    return np.uint64(int.from_bytes(text.encode("ascii"), "little"))


def _begin_with(words: Words, begins: Ints, text: str) -> Flags:
    """Find the fields that begin with a text, which has no tab in it."""
    head, tail = text[:WORD], text[WORD:][-WORD:]
    found: Flags = words[begins] & np.uint64((1 << 8 * len(head)) - 1) == _word(head)
    if tail:
        places = np.minimum(begins + len(text) - WORD, len(words) - 1)
        found &= words[places] == _word(text[-WORD:])
    return found


def _are(words: Words, begins: Ints, ends: Ints, text: str) -> Flags:
    """Find the fields that are a text."""
    found: Flags = (ends - begins == len(text)) & _begin_with(words, begins, text)
    return found


def _is_sound(words: Words, begins: Ints, ends: Ints) -> bool:
    """Tell whether every line begins like a record, names a channel, and is not cut."""
    return bool(
        _begin_with(words, begins[_MARK], MARK).all()
        and (ends[_UNIQUEID] > begins[_UNIQUEID]).all()
        and (ends[_EXTRA] - begins[_MARK] <= LONGEST).all()
    )


def _says(words: Words, begins: Ints, ends: Ints) -> Ints | None:
    """Read what lines say of legs; None if an event is none that we know."""
    says = np.full(begins.shape[1], _UNKNOWN, dtype=np.int64)
    for event in EVENTS:
        found = np.flatnonzero(_are(words, begins[_EVENT], ends[_EVENT], event))
        says[found] = _SIGNS.index(sign(event, ""))
        if event == USER:
            for subject in (Sign.TRUNK_LEG, Sign.CALL_END):
                so = _are(words, begins[_SUBJECT][found], ends[_SUBJECT][found], subject.value)
                says[found[so]] = _SIGNS.index(subject)
    return None if (says == _UNKNOWN).any() else says


def _times_us(cells: Cells, begins: Ints, ends: Ints) -> Ints | None:
    """Read the column of times as microseconds; None if one of them is none."""
    begin = begins[_TIME]
    if (ends[_TIME] - begin != TIME).any() or (cells[begin + POINT] != ord(".")).any():
        return None
    digits = cells[begin[:, None] + _DIGITS] - np.uint8(_ZERO)
    if (digits > _NINE - _ZERO).any():
        return None
    times_us: Ints = digits @ _TENS
    return times_us
