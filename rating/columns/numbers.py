"""Numbers → destinations, a column at a time.

Owns numbers as keys that sort like their digits, and the binary search in them. Refuses short numbers and
everything that is not `+` and digits: `rating.destinations.table` is asked for those, one by one.

The problem: the strings are the bottleneck. So a column of them becomes one run of bytes; from where a number
begins in it, its first 15 digits are read as two words of eight bytes and pressed into half a byte each:
digit plus one, and zero where the number has ended, so that "49" comes before "490". No prefix has more
digits, so these decide which interval of the table a number lies in; its length may decide on top of that.
"""

from collections.abc import Sequence

import numpy as np

from rating.columns.arrays import NOBODY, ColumnRangeError, Flags, Ints, fits
from rating.destinations import Destination, Destinations, Kind
from rating.destinations.table import LONGEST_NUMBER

MOST_DESTINATIONS = 4096  # there are about a thousand pairs of country and kind

KEY_DIGITS = 15  # in a key: sixty of its 63 bits
_WORD = 8
_PLUS, _NEWLINE, _ZERO, _NINE = 43, 10, 48, 9
_END = np.array([0, *(-1 << 8 * (_WORD - digits) for digits in range(1, 9))], dtype=np.int64)  # what counts
_LOW = 0x0F0F0F0F0F0F0F0F
_ONE = 0x0101010101010101
_HALF_BYTES = str.maketrans("0123456789", "123456789a")


class Numbers:
    """The table of destinations as arrays.

    Attributes:
        table: the table.
        destinations: what their numbers stand for.
    """

    def __init__(self, table: Destinations) -> None:
        """Build the arrays, in a fifth of a second.

        Raises:
            ColumnRangeError: the table does not fit.
        """
        self.table = table
        self.destinations: list[Destination] = []
        self._numbers: dict[Destination, int] = {}
        intern = self.destination_number
        bounds: dict[int, int] = {}
        rows: dict[tuple[int, ...], int] = {}
        for bound, (destination, lengths) in zip(table.bounds, table.answers, strict=True):
            row = [intern(destination)] * (LONGEST_NUMBER + 1)
            for length, other in (lengths or {}).items():
                if length <= LONGEST_NUMBER:
                    row[length] = intern(other)
            bounds[key_of_bound(bound)] = rows.setdefault(tuple(row), len(rows))
        self._bounds = np.array(list(bounds), dtype=np.int64)
        self._rows = np.array(list(bounds.values()), dtype=np.int64) * (LONGEST_NUMBER + 1)
        self._answers = np.array(list(rows), dtype=np.int64).reshape(-1)

    def destination_number(self, destination: Destination | None) -> int:
        """Return the number of a destination; what has no price (nothing, emergency) is `NOBODY`."""
        if destination is None or destination.kind is Kind.EMERGENCY:
            return NOBODY
        number = self._numbers.setdefault(destination, len(self.destinations))
        if number == len(self.destinations):
            fits(number, MOST_DESTINATIONS - 1)
            self.destinations.append(destination)
        return number

    def look_up(self, numbers: Sequence[str]) -> tuple[Ints, Ints, Flags, Ints]:
        """Look up a column of numbers.

        Returns:
            For each its destination and its length, whether it is `+` and digits, and its key; where it is
            not, none of the others means anything.
        """
        text = _bytes(numbers)
        starts, lengths, sound = _places(text, len(numbers))
        lengths -= 1
        keys = _keys(text, starts, np.minimum(lengths, 2 * _WORD))
        found = np.searchsorted(self._bounds, keys, side="right") - 1
        known = np.minimum(lengths, LONGEST_NUMBER)
        sound &= lengths <= LONGEST_NUMBER
        return self._answers[self._rows[found] + known], lengths + 1, sound, keys


def key_of_bound(bound: str) -> int:
    """Return the key of the first number behind a bound; behind "4930:" that is "4931".

    Raises:
        ColumnRangeError: it has more digits than a key.
    """
    if bound.endswith(":"):
        bound = bound[:-1].rstrip("9")
        if not bound:
            return 1 << 60
        bound = bound[:-1] + str(int(bound[-1]) + 1)
    if len(bound) > KEY_DIGITS:
        raise ColumnRangeError(f"prefix {bound} is too long for a key")
    return int("0" + bound.translate(_HALF_BYTES).ljust(KEY_DIGITS, "0"), 16)


def _bytes(numbers: Sequence[str]) -> bytes:
    """Write numbers one behind the other, each with a newline; what is no ASCII is no digit either."""
    text = "\n".join(numbers)
    if text.count("\n") >= max(len(numbers), 1):
        text = "\n".join([number.replace("\n", "?") for number in numbers])
    return text.encode("ascii", "replace") + b"\n" + b"\0" * 2 * _WORD


def _places(text: bytes, count: int) -> tuple[Ints, Ints, Flags]:
    """Find where each number begins, how long it is, and whether it is `+` and digits."""
    cells = np.frombuffer(text, dtype=np.uint8)[: -2 * _WORD]
    others = np.flatnonzero(cells - np.uint8(_ZERO) > _NINE)
    if len(others) == 2 * count:
        starts, ends = others[0::2], others[1::2]
        if (cells[starts] == _PLUS).all() and (cells[ends] == _NEWLINE).all():
            begins = starts[0] == 0 if count else True
            if begins and (starts[1:] == ends[:-1] + 1).all():
                return starts, ends - starts, np.ones(count, dtype=np.bool_)
    return _places_with_others(cells, others)


def _places_with_others(cells: "np.typing.NDArray[np.uint8]", others: Ints) -> tuple[Ints, Ints, Flags]:
    """Do the same for a column in which some are not."""
    ends = np.flatnonzero(cells == _NEWLINE)
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1] + 1))
    sound = cells[starts] == _PLUS
    wrong = others[cells[others] != _NEWLINE]
    owner = np.searchsorted(ends, wrong)
    sound[owner[wrong != starts[owner]]] = False
    return starts, ends - starts, sound


def _keys(text: bytes, starts: Ints, lengths: Ints) -> Ints:
    """Press the digits behind the `+` into keys."""
    words = np.ndarray(len(text) - _WORD + 1, dtype=">i8", buffer=text, strides=(1,))
    first = _press(words[starts + 1], np.minimum(lengths, _WORD))
    second = _press(words[starts + 1 + _WORD], np.maximum(lengths - _WORD, 0))
    return (first << 28) | (second >> 4)


def _press(words: Ints, lengths: Ints) -> Ints:
    """Turn eight characters, of which so many are digits, into eight half bytes."""
    cells = words.astype(np.int64)
    cells &= _LOW
    cells += _ONE
    cells &= _END[np.maximum(lengths, 0)]
    cells |= cells >> 4
    cells &= 0x00FF00FF00FF00FF
    cells |= cells >> 8
    cells &= 0x0000FFFF0000FFFF
    cells |= cells >> 16
    cells &= 0x00000000FFFFFFFF
    return cells
