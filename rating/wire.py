"""Legs and rated legs as JSON: what goes in, and the stream that billing imports (`docs/rated-stream.md`).

Owns names, order and form of the fields. Money is a decimal string with six decimals and, beside it, an
integer of micro-units; an instant is ISO 8601 in UTC with microseconds. Refuses unknown and missing fields.
"""

import json
from collections.abc import Mapping
from typing import Any, assert_never

from rating import money
from rating.finding import RatingError
from rating.leg import Leg
from rating.periods import from_iso, iso
from rating.rated import Piece, Quarantined, RatedLeg, Source

Line = dict[str, Any]


class WireError(RatingError):
    """A line that cannot be read."""

    code = "bad-line"


_LEG_FIELDS: dict[str, type] = {
    "key": str,
    "linkedid": str,
    "trunk": str,
    "payer": str,
    "why": str,
    "number": str,
    "answered": str,
    "ended": str,
}
_LEG_DEFAULTS: Line = {"limit_s": 0, "version": "", "indeterminate": False, "credit": ""}
_PIECE_FIELDS: dict[str, type] = {
    "start": str,
    "seconds": int,
    "source": str,
    "pool": str,
    "before_s": int,
    "after_s": int,
    "price_per_minute": str,
    "amount": str,
    "amount_micro": int,
    "rule": str,
}
_RATED_FIELDS: dict[str, type] = {
    "type": str,
    "key": str,
    "linkedid": str,
    "account": str,
    "payer": str,
    "why": str,
    "number": str,
    "tariff": str,
    "country": str,
    "kind": str,
    "zone": str,
    "answered": str,
    "ended": str,
    "duration_us": int,
    "billable_s": int,
    "connection": str,
    "amount": str,
    "amount_micro": int,
    "currency": str,
    "pieces": list,
}
_RATED_DEFAULTS: Line = {"limit_s": 0, "tax_class": "", "prices": ""}
_WHYS = frozenset({"", "call", "forward", "transfer", "emergency"})


def leg_to_json(leg: Leg) -> Line:
    """Write a leg."""
    return {
        "key": leg.key,
        "linkedid": leg.linkedid,
        "trunk": leg.trunk,
        "payer": leg.payer,
        "why": leg.why,
        "number": leg.number,
        "answered": iso(leg.answered_us),
        "ended": iso(leg.ended_us),
        "limit_s": leg.limit_s,
        "version": leg.version,
        "indeterminate": leg.indeterminate,
        "credit": leg.credit,
    }


def leg_from_json(line: str | bytes) -> Leg:
    """Read a leg from one line of NDJSON.

    Raises:
        WireError: what is wrong, with the names of the fields.
    """
    read = _fields(_parse(line), _LEG_FIELDS, _LEG_DEFAULTS)
    if read["why"] not in _WHYS:
        raise WireError(f"why: {read['why']!r} is none of {', '.join(sorted(_WHYS - {''}))}")
    return Leg(
        **{name: read[name] for name in ("key", "linkedid", "trunk", "payer", "why", "number")},
        answered_us=_instant(read, "answered"),
        ended_us=_instant(read, "ended"),
        **{name: read[name] for name in _LEG_DEFAULTS},
    )


def rated_to_json(rated: RatedLeg) -> Line:
    """Write a rated leg."""
    return {
        "type": "rated",
        "key": rated.key,
        "linkedid": rated.linkedid,
        "account": rated.account,
        "payer": rated.payer,
        "why": rated.why,
        "number": rated.number,
        "tariff": rated.tariff,
        "country": rated.country,
        "kind": rated.kind,
        "zone": rated.zone,
        "answered": iso(rated.answered_us),
        "ended": iso(rated.ended_us),
        "duration_us": rated.duration_us,
        "billable_s": rated.billable_s,
        "connection": money.text(rated.connection_micro),
        "amount": money.text(rated.amount_micro),
        "amount_micro": rated.amount_micro,
        "currency": rated.currency,
        "pieces": [piece_to_json(piece) for piece in rated.pieces],
        "limit_s": rated.limit_s,
        "tax_class": rated.tax_class,
        "prices": rated.prices,
    }


def piece_to_json(piece: Piece) -> Line:
    """Write a piece of a rated leg."""
    return {
        "start": iso(piece.start_us),
        "seconds": piece.seconds,
        "source": piece.source.value,
        "pool": piece.pool,
        "before_s": piece.before_s,
        "after_s": piece.after_s,
        "price_per_minute": money.text(piece.price_per_minute_micro),
        "amount": money.text(piece.amount_micro),
        "amount_micro": piece.amount_micro,
        "rule": piece.rule,
    }


def rated_from_json(line: str | bytes) -> RatedLeg:
    """Read a rated leg from one line of the stream.

    Raises:
        WireError: what is wrong, with the names of the fields.
    """
    read = _fields(_parse(line), _RATED_FIELDS, _RATED_DEFAULTS)
    same = ("key", "linkedid", "account", "payer", "why", "number", "tariff", "country", "kind", "zone")
    return RatedLeg(
        **{name: read[name] for name in same},
        answered_us=_instant(read, "answered"),
        ended_us=_instant(read, "ended"),
        duration_us=read["duration_us"],
        billable_s=read["billable_s"],
        connection_micro=_amount(read, "connection"),
        amount_micro=_amount(read, "amount"),
        currency=read["currency"],
        limit_s=read["limit_s"],
        tax_class=read["tax_class"],
        prices=read["prices"],
        pieces=tuple(_piece(piece) for piece in read["pieces"]),
    )


def quarantined_to_json(quarantined: Quarantined) -> Line:
    """Write a leg that was not rated."""
    return {
        "type": "quarantined",
        "key": quarantined.key,
        "reason": quarantined.reason.value,
        "detail": quarantined.detail,
    }


def result_to_json(result: RatedLeg | Quarantined) -> Line:
    """Write what came of a leg, whichever it was."""
    match result:
        case RatedLeg():
            return rated_to_json(result)
        case Quarantined():
            return quarantined_to_json(result)
        case _:
            assert_never(result)


def dump(line: Line) -> str:
    """One line of NDJSON, without the newline."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _piece(read: object) -> Piece:
    piece = _fields(read, _PIECE_FIELDS, {})
    if piece["source"] not in set(Source):
        raise WireError(f"source: {piece['source']!r} is none of {', '.join(Source)}")
    return Piece(
        start_us=_instant(piece, "start"),
        **{name: piece[name] for name in ("seconds", "pool", "before_s", "after_s", "rule")},
        source=Source(piece["source"]),
        price_per_minute_micro=_amount(piece, "price_per_minute"),
        amount_micro=_amount(piece, "amount"),
    )


def _parse(line: str | bytes) -> object:
    try:
        return json.loads(line)
    except ValueError as broken:
        raise WireError(f"no JSON: {broken}") from None


def _fields(read: object, required: Mapping[str, type], defaults: Line) -> Line:
    """Check names and types; a field that is not known is refused like one that is missing."""
    if not isinstance(read, dict):
        raise WireError("a line is one JSON object")
    complaints = [f"{name}: missing" for name in required if name not in read]
    for name, value in read.items():
        wanted = required.get(name) or (type(defaults[name]) if name in defaults else None)
        if wanted is None:
            complaints.append(f"{name}: unknown")
        elif type(value) is not wanted:
            complaints.append(f"{name}: not of type {wanted.__name__}")
    if complaints:
        raise WireError("; ".join(complaints))
    return {**defaults, **read}


def _instant(read: Line, name: str) -> int:
    try:
        return from_iso(read[name])
    except ValueError as broken:
        raise WireError(f"{name}: {broken}") from None


def _amount(read: Line, name: str) -> int:
    try:
        return money.parse(read[name])
    except ValueError as broken:
        raise WireError(f"{name}: {broken}") from None
