"""Text of the spool as records: by columns where every line is one, else each line alone.

Owns the choice, part by part: one bad line makes few others be read alone. Refuses to know either way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pbxcore.intake.page import Page, page_of
from pbxcore.intake.record import BadLine, Record, one_by_one

PART = 1 << 20  # characters looked at at once
ALONE = 1 << 12  # characters whose lines are read alone where one of them is no record


@dataclass(frozen=True, slots=True)
class Records:
    """Records in order, of which most are not made until somebody asks for them.

    Attributes:
        parts: that follow each other.
    """

    parts: tuple[Page | Sequence[Record], ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Record]:
        for part in self.parts:
            yield from map(part.record, range(len(part))) if isinstance(part, Page) else part


def read(text: str, start: int) -> tuple[Records, list[BadLine]]:
    """Read complete lines; return the records and what is none, each in order.

    Args:
        text: lines, each with its newline, one character per byte (latin-1).
        start: where the text starts in its file.
    """
    parts: list[Page | Sequence[Record]] = []
    bad: list[BadLine] = []
    rest = [(0, len(text))] if text else []  # of the text, what comes next at the end
    while rest:
        place, behind = rest.pop()
        end = _end(text, place, min(behind, place + PART))
        if end < behind:
            rest.append((end, behind))
        page = page_of(text[place:end], start + place)
        middle = _end(text, place, (place + end) // 2)
        if page is not None:
            parts.append(page)
        elif end - place > ALONE and middle < end:
            rest += [(middle, end), (place, middle)]
        else:
            records, no_records = one_by_one(text[place:end], start + place)
            parts.append(records)
            bad += no_records
    return Records(tuple(parts)), bad


def _end(text: str, place: int, behind: int) -> int:
    """Return where the last line that ends before a place ends; where none does, the next one."""
    return text.rfind("\n", place, behind) + 1 or text.find("\n", place) + 1 or len(text)
