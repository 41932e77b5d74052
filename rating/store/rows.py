"""Legs as rows and back. Owns the forms; refuses columns (`rating.store.lines`): few readers need NumPy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from operator import attrgetter
from typing import Any

from rating.cell import cell
from rating.leg import Leg
from rating.rated import Piece, RatedLeg, Source

Row = tuple[object, ...]

COLUMNS = ("position", *(field.name for field in fields(RatedLeg)), "billing_month")

_NAMES = COLUMNS[1:-2]  # all but the pieces, which are one JSON value
_values = attrgetter(*_NAMES)
# The order in which jsonb keeps keys: what is written is to the letter what is read, and can be compared.
_PIECE = tuple(sorted((field.name for field in fields(Piece)), key=lambda name: (len(name), name)))
_piece_values = attrgetter(*_PIECE)
_write = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode
_SOURCES = {source.value: source for source in Source}


def row_of(position: int, leg: RatedLeg, month: date) -> Row:
    """Return the row of a rated leg that is billed in a month, in the order of `COLUMNS`."""
    pieces = _write([dict(zip(_PIECE, _piece_values(piece), strict=True)) for piece in leg.pieces])
    return (position, *_values(leg), pieces, month)


def line_of(leg: RatedLeg, month: date) -> str:
    """Return the row of a rated leg that is billed in a month as a line of COPY, without its position."""
    _, *cells = row_of(0, leg, month)
    return "\t".join(cell(str(one)) for one in cells)


def numbered(lines: Sequence[str], position: int) -> bytes:
    """Return what COPY reads: lines with their positions, the first of which is given."""
    return "".join([f"{number}\t{line}\n" for number, line in enumerate(lines, position)]).encode()


def rated_leg_of(row: Mapping[str, Any]) -> RatedLeg:
    """Return the rated leg of a row."""
    pieces = (Piece(**{**piece, "source": _SOURCES[piece["source"]]}) for piece in json.loads(row["pieces"]))
    values = {name: row[name] for name in _NAMES}
    values["limit_s"] = values["limit_s"] or 0  # of legs that schema 0001 stored nothing is known
    return RatedLeg(**values, pieces=tuple(pieces))


def json_of(leg: Leg) -> str:
    """Return a leg as it waits in quarantine."""
    return _write(asdict(leg))


def leg_of(text: str) -> Leg:
    """Return the leg that waited in quarantine."""
    return Leg(**json.loads(text))
