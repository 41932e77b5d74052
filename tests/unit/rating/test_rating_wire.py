"""Legs and rated legs as lines of JSON."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rating import wire
from rating.book import Book
from rating.leg import Leg
from rating.periods import from_iso, iso
from rating.rate import rate

MakeLeg = Callable[..., Leg]
MakeBook = Callable[..., Book]
LINE: dict[str, Any] = {
    "key": "pbx-1.1",
    "linkedid": "pbx-1.0",
    "trunk": "carrier",
    "payer": "acme/60",
    "why": "forward",
    "number": "+436641234567",
    "answered": "2026-10-31T22:58:00.000001Z",
    "ended": "2026-10-31T23:02:00.5Z",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": None}, "key: not of type str"),
        ({"colour": "red"}, "colour: unknown"),
        ({"limit_s": "60"}, "limit_s: not of type int"),
        ({"limit_s": True}, "limit_s: not of type int"),
        ({"limit_s": 0.5}, "limit_s: not of type int"),
        ({"indeterminate": 1}, "indeterminate: not of type bool"),
        ({"why": "because"}, "why: 'because' is none of"),
        ({"answered": "yesterday"}, "answered: "),
        ({"answered": "2026-10-31T22:58:00"}, "answered: "),
        ({"colour": "red", "key": 1}, "key: not of type str; colour: unknown"),
    ],
)
def test_a_line_that_is_no_leg_is_refused(change: dict[str, Any], words: str) -> None:
    """Unknown fields, wrong types and instants without offset are named, all at once."""
    with pytest.raises(wire.WireError, match=words):
        wire.leg_from_json(json.dumps({**LINE, **change}))


@pytest.mark.parametrize("line", ["", "[]", "{", "null", '{"key":"x"}', b"\xff"])
def test_what_is_no_object_is_refused(line: str | bytes) -> None:
    """Broken JSON and other values are errors of ours, not of the parser."""
    with pytest.raises(wire.WireError):
        wire.leg_from_json(line)


def test_a_leg_reads_back_as_itself() -> None:
    """To the microsecond, with every field."""
    leg = wire.leg_from_json(json.dumps(LINE))
    assert (leg.answered_us % 1_000_000, leg.ended_us - leg.answered_us) == (1, 240_499_999)
    assert wire.leg_from_json(wire.dump(wire.leg_to_json(leg))) == leg


def test_a_rated_leg_reads_back_as_itself(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Billing sees what was stored, pieces included."""
    balances = {("acme", "dach/mobile/2026-10-01"): 5_970}
    rated = rate([make_leg("+436641234567", 95)], make_book("dach/S"), balances).rated[0]
    assert len(rated.pieces) == 2
    assert wire.rated_from_json(wire.dump(wire.rated_to_json(rated))) == rated


def test_the_fields_of_the_stream_keep_their_order(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Names and order are a promise to billing: docs/rated-stream.md."""
    rated = rate([make_leg("+493012345678")], make_book("de/S"), {}).rated[0]
    line = wire.rated_to_json(rated)
    assert list(line) == [
        *(
            "type",
            "key",
            "linkedid",
            "account",
            "payer",
            "why",
            "number",
            "tariff",
            "country",
            "kind",
            "zone",
        ),
        *(
            "answered",
            "ended",
            "duration_us",
            "billable_s",
            "connection",
            "amount",
            "amount_micro",
            "currency",
        ),
        "pieces",
        "limit_s",
        "tax_class",
        "prices",
    ]
    assert list(line["pieces"][0]) == [
        *("start", "seconds", "source", "pool", "before_s", "after_s", "price_per_minute", "amount"),
        *("amount_micro", "rule"),
    ]


def test_a_quarantined_leg_says_so(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Beside rated legs it is told by its type."""
    result = rate([make_leg("+210")], make_book(), {}).quarantined[0]
    assert wire.result_to_json(result) == {
        "type": "quarantined",
        "key": "pbx-1.1",
        "reason": "unknown-destination",
        "detail": "no numbering plan knows +210",
    }


def test_instants_are_written_one_way() -> None:
    """UTC with six decimals, whatever offset was read."""
    assert iso(from_iso("2026-10-31T23:58:00+01:00")) == "2026-10-31T22:58:00.000000Z"
