"""Where leg records come from: the port that the rater reads, whatever stands behind it.

Owns the vocabulary. The file of one Asterisk (`pbxcore.intake.spool`) is an adapter; records that travel over
a network are another one.
"""

from dataclasses import dataclass
from typing import Protocol

from pbxcore.intake.lines import Records
from pbxcore.intake.record import BadLine


@dataclass(frozen=True, slots=True)
class Position:
    """How far somebody has read; everything before it is done.

    Attributes:
        file: identity of the file, the same after rename, copy and restart.
        line_end: bytes of it that are done; always the end of a line.
    """

    file: str
    line_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was read at once.

    Attributes:
        file: identity of the file it was read from.
        records: in order.
        bad: lines that are no record.
        position: after it.
        at_end: nothing more was there when it was read.
    """

    file: str
    records: Records
    bad: tuple[BadLine, ...]
    position: Position | None
    at_end: bool


class LegSource(Protocol):
    """Records in order, from a position on, at least once."""

    @property
    def name(self) -> str:
        """Identity of the source; positions are kept under it."""

    def seek(self, position: Position | None) -> None:
        """Continue at a position; for None, or where it cannot be found, begin with the oldest record.

        Reading something again is harmless: legs are known by their keys.
        """

    async def read(self) -> Batch:
        """Wait for records; after a second without any return an empty batch."""

    def done(self, position: Position) -> None:
        """Hear, in any thread, that all before a position is stored; what is no longer needed may go."""
