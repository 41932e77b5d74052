"""A price list by prefix from A to Z, as carriers send it: CSV, one row for each prefix and time.

Owns the columns of the file, the form of its rows, and what must be true of them. Refuses to know where the
file stands (its text is part of the catalogue, `files`) and which row speaks (`rating.price_table`).
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from rating import money
from rating.destinations.kind import Kind
from rating.finding import Finding
from rating.offer import Name

REQUIRED = ("prefix", "name", "price_per_minute")
OPTIONAL = ("first_increment_s", "next_increment_s", "connection_fee", "valid_from", "valid_to")
MOST_ROWS = 200_000  # three times the largest lists of carriers
MOST_DATES = 64  # on which rows begin or end: a table is kept for each time between two
MOST_FINDINGS = 100  # of one file; who has more reads the first hundred first
LONGEST_INCREMENT_S = 3600

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.csv$")]  # beside the document

_PREFIX = re.compile(r"\+?([1-9][0-9]{0,14})", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,4}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class PriceListSpec(BaseModel):
    """A file of prices by prefix.

    Attributes:
        price_list: its name; stands where the zone does in what is rated.
        file: beside the catalogue's own file.
        kinds: for which it speaks, by what a number counts as; others are priced by rows alone.
        tax_class: as the catalogue's, unless given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    price_list: Name
    file: FileName
    kinds: tuple[Kind, ...] = Field(default=(Kind.FIXED, Kind.MOBILE), min_length=1)
    tax_class: Name | None = None


@dataclass(frozen=True, slots=True, eq=False)  # a row is itself: it is a key for every leg
class Row:
    """One row of a list.

    Attributes:
        line: in the file; the heading is line 1.
        prefix: digits, without `+`.
        name: what people read.
        price_per_minute_micro: net or gross, as the catalogue says.
        connection_micro: charged once at the answer.
        first_increment_s: 0: as the catalogue's.
        next_increment_s: 0: as the catalogue's.
        first: first day on which it is in force; `date.min`: since ever.
        until: last one; `date.max`: for good.
    """

    line: int
    prefix: str
    name: str
    price_per_minute_micro: int
    connection_micro: int = 0
    first_increment_s: int = 0
    next_increment_s: int = 0
    first: date = date.min
    until: date = date.max


class _Wrong(NamedTuple):
    """A mistake in a row, and how it is mended."""

    code: str
    message: str
    remedy: str


def rows_of(text: str) -> tuple[tuple[Row, ...], tuple[Finding, ...]]:
    """Read a file.

    Returns:
        The rows that are right, in the order of the file, and what is wrong with others. The path of a
        finding is the line alone.
    """
    rows: list[Row] = []
    wrong: list[Finding] = []
    lines = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        heading = [cell.strip() for cell in next(lines, [])]
        wrong += (_finding(1, one) for one in _check_heading(heading))
        if not wrong:
            _read(lines, heading, rows, wrong)
    except csv.Error as broken:
        remedy = "look at the quotes of this line and of the ones before"
        wrong.append(_finding(lines.line_num, _Wrong("no-csv", f"this is no CSV: {broken}", remedy)))
    if not rows and not wrong:
        wrong.append(_finding(1, _Wrong("no-rows", "there is no row in it", "write one for each prefix")))
    wrong += (_finding(line, one) for line, one in _check_together(rows))
    return tuple(rows), tuple(sorted(wrong, key=lambda one: one.path)[:MOST_FINDINGS])


def _read(
    lines: "csv._reader",  # type: ignore[name-defined]  # its name is not public
    heading: Sequence[str],
    rows: list[Row],
    wrong: list[Finding],
) -> None:
    """Read the rows; stop after as many as there may be."""
    for cells in lines:
        if not any(cells):
            continue
        line = lines.line_num
        if len(rows) == MOST_ROWS:
            remedy = "divide it into several lists"
            wrong.append(_finding(line, _Wrong("too-much", f"more than {MOST_ROWS} rows", remedy)))
            return
        read = _row(line, heading, cells)
        if isinstance(read, Row):
            rows.append(read)
        else:
            wrong += (_finding(line, one) for one in read)


def days_of(rows: Sequence[Row]) -> tuple[date, ...]:
    """Return the days on which something changes: a row begins, or has ended."""
    begins = {row.first for row in rows if row.first != date.min}
    behind = {date.fromordinal(row.until.toordinal() + 1) for row in rows if row.until != date.max}
    return tuple(sorted(begins | behind))


def check(
    lists: Sequence[PriceListSpec], files: Mapping[str, str], zones: Mapping[str, object]
) -> Iterator[Finding]:
    """Find what is wrong with lists and their files; the path of a row is `("files", name, line)`.

    Args:
        lists: of a catalogue.
        files: its files.
        zones: its zones, whose names lists may not have.
    """
    for number, one in enumerate(lists):
        path = ("price_lists", number)
        if one.price_list in {other.price_list for other in lists[:number]} or one.price_list in zones:
            yield Finding(
                path=(*path, "price_list"),
                code="name-twice",
                message=f"a zone or another list is named {one.price_list} already",
                remedy="give it a name of its own: it stands where the zone does in what is rated",
            )
        if Kind.EMERGENCY in one.kinds:
            yield Finding(
                path=(*path, "kinds"),
                code="emergency-priced",
                message="emergency calls are never priced",
                remedy="remove the kind",
            )
        if one.file not in files:
            yield Finding(
                path=(*path, "file"),
                code="file-missing",
                message=f"{one.file} is not among the files of the document",
                remedy="put it beside the document; if that has `files`, it must hold all of them",
            )
    named = {one.file for one in lists}
    for name, text in files.items():
        if name not in named:
            yield Finding(
                path=("files", name),
                code="file-of-nothing",
                message=f"no price list names {name}",
                remedy="name it under price_lists, or remove it",
            )
            continue
        for finding in rows_of(text)[1]:
            yield Finding(
                path=("files", name, *finding.path),
                code=finding.code,
                message=finding.message,
                remedy=finding.remedy,
            )


def _finding(line: int, wrong: _Wrong) -> Finding:
    return Finding(path=(line,), code=wrong.code, message=wrong.message, remedy=wrong.remedy)


def _check_heading(heading: Sequence[str]) -> Iterator[_Wrong]:
    known = (*REQUIRED, *OPTIONAL)
    if len(heading) == 1 and (";" in heading[0] or "\t" in heading[0]):
        yield _Wrong("no-comma", "cells are not divided by commas", "write it with commas between the cells")
        return
    for column in heading:
        if column not in known:
            close = get_close_matches(column, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            yield _Wrong("unknown-column", f"{column!r} is no column of a price list", remedy)
    if len(set(heading)) < len(heading):
        yield _Wrong("column-twice", "a column is named twice", "leave one of the two")
    for column in REQUIRED:
        if column not in heading:
            yield _Wrong("missing-column", f"the column {column} is missing", "name it in the first line")


def _row(line: int, heading: Sequence[str], cells: Sequence[str]) -> Row | Sequence[_Wrong]:
    """Read one row, or say everything that is wrong with it."""
    if len(cells) != len(heading):
        message = f"{len(cells)} cells under {len(heading)} headings"
        return [_Wrong("cells", message, "quote a cell that holds a comma; an amount has a point: 0.019")]
    cell = dict(zip(heading, map(str.strip, cells), strict=True))
    prefix = _PREFIX.fullmatch(cell["prefix"])
    if prefix is None:
        return list(_mistakes(cell))
    try:
        row = Row(
            line,
            prefix[1],
            cell["name"],
            _amount(cell["price_per_minute"]),
            _amount(cell.get("connection_fee") or "0"),
            _increment(cell.get("first_increment_s", "")),
            _increment(cell.get("next_increment_s", "")),
            _day(cell.get("valid_from", ""), date.min),
            _day(cell.get("valid_to", ""), date.max),
        )
    except ValueError:
        return list(_mistakes(cell))
    return list(_check_row(row)) or row


def _mistakes(cell: Mapping[str, str]) -> Iterator[_Wrong]:
    """Say of each cell that cannot be read what is wrong with it."""
    if not _PREFIX.fullmatch(cell["prefix"]):
        message = f"{cell['prefix']!r} is no prefix"
        yield _Wrong("prefix", message, "write calling code and further digits, like 4930")
    for column, read in _READERS.items():
        try:
            read(cell.get(column, ""))
        except ValueError as wrong:
            remedy = "correct the cell; amounts have a point, days are 2026-12-24"
            yield _Wrong("wrong-value", f"{column}: {wrong}", remedy)


def _check_row(row: Row) -> Iterator[_Wrong]:
    if not row.price_per_minute_micro:
        message = f"calls to {row.prefix} {row.name} would cost nothing"
        yield _Wrong("free-of-charge", message, "set a price; what is free is a row of rates")
    if row.until < row.first:
        message = f"{row.prefix} ends on {row.until}, before it begins on {row.first}"
        yield _Wrong("ends-before-it-begins", message, "correct one of the days")


def _amount(written: str) -> int:
    micro = money.parse(written)
    if micro < 0:
        raise ValueError(f"{written!r} is below zero")
    return money.meant(micro)


def _increment(written: str) -> int:
    if not written:
        return 0
    if not _SECONDS.fullmatch(written) or not 1 <= int(written) <= LONGEST_INCREMENT_S:
        raise ValueError(f"{written!r} is no increment: whole seconds from 1 to {LONGEST_INCREMENT_S}")
    return int(written)


def _day(written: str, none: date) -> date:
    if not written:
        return none
    if not _DATE.fullmatch(written):
        raise ValueError(f"{written!r} is no day like 2026-12-24")
    day = date.fromisoformat(written)
    if not 2000 <= day.year < 2100:  # as `rating.periods`
        raise ValueError(f"{written!r} is before 2000 or after 2099")
    return day


_READERS: Mapping[str, Callable[[str], object]] = {
    "price_per_minute": _amount,
    "connection_fee": lambda written: _amount(written or "0"),
    "first_increment_s": _increment,
    "next_increment_s": _increment,
    "valid_from": lambda written: _day(written, date.min),
    "valid_to": lambda written: _day(written, date.max),
}


def _check_together(rows: Sequence[Row]) -> Iterator[tuple[int, _Wrong]]:
    """Find rows that say the same prefix from the same day on, and lists that change too often."""
    seen: dict[tuple[str, date], int] = {}
    for row in rows:
        first = seen.setdefault((row.prefix, row.first), row.line)
        if first != row.line:
            message = f"{row.prefix} has a price from the same day on in line {first}"
            yield (
                row.line,
                _Wrong("row-twice", message, "leave one of the two, or let it begin on another day"),
            )
    days = days_of(rows)
    if len(days) > MOST_DATES:
        message = f"rows begin or end on {len(days)} days; {MOST_DATES} is the most"
        yield (
            1,
            _Wrong("too-many-days", message, "leave out what is long over, or divide it into several lists"),
        )
