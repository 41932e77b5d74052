"""Legs as rows and back. Owns the forms; refuses everything else."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any

from rating.leg import Leg
from rating.rated import Piece, RatedLeg, Source

COLUMNS = ("position", *(field.name for field in fields(RatedLeg)))

_NAMES = COLUMNS[1:-1]  # all but the pieces, which are one JSON value
_values = attrgetter(*_NAMES)
_PIECE = tuple(field.name for field in fields(Piece))
_piece_values = attrgetter(*_PIECE)
_write = json.JSONEncoder(separators=(",", ":")).encode


def row_of(position: int, leg: RatedLeg) -> tuple[object, ...]:
    """Return the row of a rated leg, in the order of `COLUMNS`."""
    pieces = _write([dict(zip(_PIECE, _piece_values(piece), strict=True)) for piece in leg.pieces])
    return (position, *_values(leg), pieces)


def rated_leg_of(row: Mapping[str, Any]) -> RatedLeg:
    """Return the rated leg of a row."""
    pieces = (Piece(**{**piece, "source": Source(piece["source"])}) for piece in json.loads(row["pieces"]))
    return RatedLeg(**{name: row[name] for name in _NAMES}, pieces=tuple(pieces))


def json_of(leg: Leg) -> str:
    """Return a leg as it waits in quarantine."""
    return _write(asdict(leg))


def leg_of(text: str) -> Leg:
    """Return the leg that waited in quarantine."""
    return Leg(**json.loads(text))
