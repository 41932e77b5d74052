"""Whole numbers in columns: 64 bits, signed, and never beyond what was checked.

Owns the type of a column, a column that grows, and the error for a number that is too large. Refuses every
other type of number: NumPy turns signed beside unsigned into binary fractions without a word.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rating.finding import RatingError

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

NOBODY = -1  # no account, no destination, no terms
LARGEST = 1 << 60  # of anything that is put into a column: sums of a few of them still fit


class ColumnRangeError(RatingError):
    """A number that the plain kernel holds and a column does not."""

    code = "column-range"


def fits(value: int, most: int = LARGEST) -> int:
    """Return a number that is not negative and not too large.

    Raises:
        ColumnRangeError: it is.
    """
    if not 0 <= value <= most:
        raise ColumnRangeError(f"{value} does not fit a column")
    return value


def ints(values: Sequence[int]) -> Ints:
    """Return numbers as a column.

    Raises:
        OverflowError: one of them has more than 64 bits.
    """
    return np.array(values, dtype=np.int64)


def no_flags(count: int) -> Flags:
    """Return so many flags, none of them set."""
    return np.zeros(count, dtype=np.bool_)


class Column:
    """A column that grows at its end."""

    def __init__(self) -> None:
        self._cells = np.zeros(1024, dtype=np.int64)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, value: int) -> None:
        """Add a number at the end."""
        if self._length == len(self._cells):
            self._cells = np.concatenate((self._cells, np.zeros_like(self._cells)))
        self._cells[self._length] = value
        self._length += 1

    @property
    def cells(self) -> Ints:
        """The numbers; valid until the next one is added. May be longer than the column."""
        return self._cells
