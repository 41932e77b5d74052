"""Bands: peak and off-peak by the clock of a named time zone, and what a call over an edge costs."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rating import money
from rating.book import Book
from rating.catalogue import CatalogueSpec
from rating.leg import Leg
from rating.periods import iso
from rating.rate import rate
from rating.rated import RatedLeg

MakeLeg = Callable[..., Leg]
MakeBook = Callable[..., Book]

NUMBER = "+493012345678"
BY_SECOND = {"zone": "DE", "kind": "fixed", "first_increment_s": 1, "next_increment_s": 1}
DAY = {**BY_SECOND, "price_per_second": "0.01"}
NIGHT = {**BY_SECOND, "price_per_second": "0.001", "band": "night"}


def catalogue(values: Mapping[str, Any], *rows: object, bands: object, zone: str) -> CatalogueSpec:
    """The catalogue with other rows for German landlines."""
    others = [row for row in values["rates"] if (row["zone"], row["kind"]) != ("DE", "fixed")]
    return CatalogueSpec.model_validate(
        {**values, "rates": [*rows, *others], "bands": bands, "time_zone": zone}
    )


def night(values: Mapping[str, Any], *windows: object, zone: str = "Europe/Berlin") -> CatalogueSpec:
    """The catalogue with a cheap night; a cent a second by day, a tenth of one by night."""
    return catalogue(
        values, DAY, NIGHT, bands=[{"band": "night", "name": "Nacht", "windows": windows}], zone=zone
    )


def only(book: Book, make_leg: MakeLeg, seconds: int | str, at: str) -> RatedLeg:
    """Rate one call."""
    (rated,) = rate([make_leg(NUMBER, seconds, at=at)], book, {}).rated
    return rated


def pieces(rated: RatedLeg) -> list[tuple[str, int]]:
    """What each piece counted as, and its seconds."""
    return [("night" if piece.rule.endswith(" night") else "day", piece.seconds) for piece in rated.pieces]


@pytest.mark.parametrize(
    ("window", "at", "expected", "amount"),
    [
        # 29 March 2026: 02:00 +01:00 is 03:00 +02:00.
        (("22:00", "02:30"), "2026-03-29T01:59:00+01:00", [("night", 60), ("day", 60)], "0.660000"),
        (("22:00", "03:00"), "2026-03-29T01:59:00+01:00", [("night", 60), ("day", 60)], "0.660000"),
        (("22:00", "02:00"), "2026-03-29T01:59:00+01:00", [("night", 60), ("day", 60)], "0.660000"),
        (("22:00", "03:01"), "2026-03-29T01:59:00+01:00", [("night", 120)], "0.120000"),
        (("02:30", "06:00"), "2026-03-29T01:59:00+01:00", [("day", 60), ("night", 60)], "0.660000"),
        (("02:00", "03:00"), "2026-03-29T01:59:00+01:00", [("day", 120)], "1.200000"),
        (("02:15", "02:45"), "2026-03-29T01:59:00+01:00", [("day", 120)], "1.200000"),
        (("22:00", "06:00"), "2026-03-29T05:59:00+02:00", [("night", 60), ("day", 60)], "0.660000"),
        # 25 October 2026: 03:00 +02:00 is 02:00 +01:00; what is shown twice begins and ends the first time.
        (("22:00", "02:30"), "2026-10-25T02:29:00+02:00", [("night", 60), ("day", 60)], "0.660000"),
        (("22:00", "02:30"), "2026-10-25T02:29:00+01:00", [("day", 120)], "1.200000"),
        (("02:30", "06:00"), "2026-10-25T02:29:00+02:00", [("day", 60), ("night", 60)], "0.660000"),
        (("02:30", "06:00"), "2026-10-25T02:29:00+01:00", [("night", 120)], "0.120000"),
        (("22:00", "03:00"), "2026-10-25T02:59:00+02:00", [("night", 120)], "0.120000"),
        (("22:00", "03:00"), "2026-10-25T02:59:00+01:00", [("night", 60), ("day", 60)], "0.660000"),
        (("22:00", "06:00"), "2026-10-25T05:59:00+01:00", [("night", 60), ("day", 60)], "0.660000"),
    ],
)
def test_both_clock_changes_of_berlin(  # noqa: PLR0917 — a table and three fixtures
    autphone_values: Mapping[str, Any],
    make_book: MakeBook,
    make_leg: MakeLeg,
    window: tuple[str, str],
    at: str,
    expected: list[tuple[str, int]],
    amount: str,
) -> None:
    """Law 9: two minutes over an edge cost what each side costs, where a time is skipped or shown twice."""
    spec = night(autphone_values, {"from": window[0], "until": window[1]})
    rated = only(make_book(catalogues=(spec,)), make_leg, 120, at)
    assert (pieces(rated), money.text(rated.amount_micro)) == (expected, amount)


def test_a_night_over_a_clock_change_has_its_real_length(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: MakeLeg
) -> None:
    """22:00 to 06:00 is seven hours in March, nine in October and eight else: the rest of ten is day."""
    book = make_book(catalogues=(night(autphone_values, {"from": "22:00", "until": "06:00"}),))
    for start, hours in (("2026-03-28T22:00:00+01:00", 7), ("2026-10-24T22:00:00+02:00", 9)):
        rated = only(book, make_leg, 36_000, start)
        assert pieces(rated) == [("night", hours * 3600), ("day", 36_000 - hours * 3600)]
    rated = only(book, make_leg, 28_801, "2026-10-26T22:00:00+01:00")
    assert pieces(rated) == [("night", 28_800), ("day", 1)]


@pytest.mark.parametrize(
    ("at", "seconds", "expected"),
    [
        ("2026-10-05T21:59:30+02:00", 31, [("day", 30), ("night", 1)]),  # by the second
        ("2026-10-05T05:59:30+02:00", 30, [("night", 60)]),  # by the minute; rounding takes no time
        ("2026-10-05T05:59:30+02:00", 31, [("night", 30), ("day", 30)]),  # the last piece has the rounding
        ("2026-10-05T05:59:59.5+02:00", 1, [("night", 60)]),  # a second belongs where it begins
    ],
)
def test_the_answer_governs_increments(  # noqa: PLR0917 — a table and three fixtures
    autphone_values: Mapping[str, Any],
    make_book: MakeBook,
    make_leg: MakeLeg,
    at: str,
    seconds: int,
    expected: list[tuple[str, int]],
) -> None:
    """Laws 9 to 12: increments and fee are those of the band at the answer, for the call as a whole."""
    slow = {**NIGHT, "first_increment_s": 60, "next_increment_s": 60, "connection_fee": "0.05"}
    window = {"from": "22:00", "until": "06:00"}
    spec = catalogue(
        autphone_values,
        DAY,
        slow,
        bands=[{"band": "night", "name": "x", "windows": [window]}],
        zone="Europe/Berlin",
    )
    rated = only(make_book(catalogues=(spec,)), make_leg, seconds, at)
    assert pieces(rated) == expected
    assert rated.connection_micro == (50_000 if expected[0][0] == "night" else 0)


def test_a_call_is_cut_only_where_its_price_may_change(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: MakeLeg
) -> None:
    """A weekend has no edge at its midnight, nor a band's month in another zone than the account's."""
    weekend = night(autphone_values, {"days": ["sat"]}, {"days": ["sun"]})
    book = make_book(catalogues=(weekend,))
    assert pieces(only(book, make_leg, 120, "2026-10-10T23:59:00+02:00")) == [("night", 120)]
    assert pieces(only(book, make_leg, 120, "2026-10-11T23:59:00+02:00")) == [("night", 60), ("day", 60)]
    far = night(autphone_values, {"from": "22:00", "until": "06:00"}, zone="Pacific/Auckland")
    rated = only(make_book(catalogues=(far,)), make_leg, 7200, "2026-10-31T11:30:00+01:00")  # 23:30 there
    assert pieces(rated) == [("night", 7200)]
    assert [iso(piece.start_us) for piece in rated.pieces] == ["2026-10-31T10:30:00.000000Z"]


def test_a_dated_band_speaks_before_those_behind_it(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: MakeLeg
) -> None:
    """Of two bands at once the first one's row speaks, and where it has none the other's."""
    bands = [
        {"band": "promo", "name": "x", "from": "2026-10-06", "until": "2026-10-07"},
        {"band": "night", "name": "x", "windows": [{"from": "22:00", "until": "06:00"}]},
    ]
    promo = {**BY_SECOND, "price_per_second": "0.002", "band": "promo"}
    free = make_book(
        catalogues=(catalogue(autphone_values, DAY, NIGHT, promo, bands=bands, zone="Europe/Berlin"),)
    )
    rated = only(free, make_leg, 120, "2026-10-05T23:59:00+02:00")
    assert [piece.amount_micro for piece in rated.pieces] == [60_000, 120_000]
    assert [piece.rule.rpartition(" ")[2] for piece in rated.pieces] == ["night", "promo"]
    rated = only(free, make_leg, 120, "2026-10-07T23:59:00+02:00")
    assert [piece.rule.rpartition(" ")[2] for piece in rated.pieces] == ["promo", "night"]
    none = make_book(catalogues=(catalogue(autphone_values, DAY, NIGHT, bands=bands, zone="Europe/Berlin"),))
    assert only(none, make_leg, 1, "2026-10-06T23:59:00+02:00").amount_micro == 1_000
