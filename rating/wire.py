"""Legs and rated legs as JSON: what goes in, and the stream that billing imports (`docs/rated-stream.md`).

Owns names, order and form of the fields. Money is a decimal string with six decimals and, beside it, an
integer of micro-units; an instant is ISO 8601 in UTC with microseconds. Refuses unknown and missing fields.
"""

import json
from typing import Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from rating import money
from rating.finding import RatingError
from rating.leg import Leg
from rating.periods import from_iso, iso
from rating.rated import Piece, Quarantined, RatedLeg, Source

Line = dict[str, Any]


class WireError(RatingError):
    """A line that cannot be read."""

    code = "bad-line"


class _LegLine(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    key: str
    linkedid: str
    trunk: str
    payer: str
    why: Literal["", "call", "forward", "transfer", "emergency"]
    number: str
    answered: str
    ended: str
    limit_s: int = 0
    version: str = ""
    indeterminate: bool = False

    @field_validator("answered", "ended")
    @classmethod
    def _instant(cls, text: str) -> str:
        from_iso(text)
        return text


class _PieceLine(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    start: str
    seconds: int
    source: Literal["allowance", "overflow"]
    pool: str
    before_s: int
    after_s: int
    price_per_minute: str
    amount: str
    amount_micro: int
    rule: str


class _RatedLine(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["rated"]
    key: str
    linkedid: str
    account: str
    payer: str
    why: str
    number: str
    tariff: str
    country: str
    kind: str
    zone: str
    answered: str
    ended: str
    duration_us: int
    billable_s: int
    connection: str
    amount: str
    amount_micro: int
    currency: str
    pieces: list[_PieceLine]


_LEG = TypeAdapter(_LegLine)
_RATED = TypeAdapter(_RatedLine)


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
    }


def leg_from_json(line: str | bytes) -> Leg:
    """Read a leg from one line of NDJSON.

    Raises:
        WireError: what is wrong, with the names of the fields.
    """
    try:
        read = _LEG.validate_json(line)
    except ValidationError as error:
        raise WireError(_complaint(error)) from None
    return Leg(
        key=read.key,
        linkedid=read.linkedid,
        trunk=read.trunk,
        payer=read.payer,
        why=read.why,
        number=read.number,
        answered_us=from_iso(read.answered),
        ended_us=from_iso(read.ended),
        limit_s=read.limit_s,
        version=read.version,
        indeterminate=read.indeterminate,
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
    try:
        read = _RATED.validate_json(line)
        return RatedLeg(
            key=read.key,
            linkedid=read.linkedid,
            account=read.account,
            payer=read.payer,
            why=read.why,
            number=read.number,
            tariff=read.tariff,
            country=read.country,
            kind=read.kind,
            zone=read.zone,
            answered_us=from_iso(read.answered),
            ended_us=from_iso(read.ended),
            duration_us=read.duration_us,
            billable_s=read.billable_s,
            connection_micro=money.parse(read.connection),
            amount_micro=read.amount_micro,
            currency=read.currency,
            pieces=tuple(_piece(piece) for piece in read.pieces),
        )
    except ValidationError as error:
        raise WireError(_complaint(error)) from None
    except ValueError as error:
        raise WireError(str(error)) from None


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


def _piece(read: _PieceLine) -> Piece:
    return Piece(
        start_us=from_iso(read.start),
        seconds=read.seconds,
        source=Source(read.source),
        pool=read.pool,
        before_s=read.before_s,
        after_s=read.after_s,
        price_per_minute_micro=money.parse(read.price_per_minute),
        amount_micro=read.amount_micro,
        rule=read.rule,
    )


def _complaint(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, mistake['loc'])) or 'line'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False, include_context=False, include_input=False)
    )
