"""Price lists by prefix: what their files may say, and which row speaks for a call."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest

from rating import catalogue as catalogues
from rating import money
from rating.book import Book
from rating.catalogue import CatalogueSpec
from rating.columns import Index, legs_of, rate_columns
from rating.destinations import Destination, Destinations, Kind
from rating.leg import Leg
from rating.price_list import MOST_DATES, MOST_FINDINGS, rows_of
from rating.rate import rate
from rating.rated import RatedLeg
from rating.tariff import tariff

MakeLeg = Callable[..., Leg]
MakeBook = Callable[..., Book]

HEADING = (
    "prefix,name,price_per_minute,first_increment_s,next_increment_s,connection_fee,valid_from,valid_to\n"
)
LIST = HEADING + (
    "33,France,0.03,,,,,\n"
    "336,France mobile,0.20,60,60,0.05,,\n"
    "336,France mobile,0.12,60,60,0.05,2026-11-01,\n"
    "331,Paris,0.01,1,1,,2026-01-01,2026-10-31\n"
    "49,Germany,0.02,,,,,\n"
)


def listed(values: Mapping[str, Any], text: str = LIST, **more: object) -> CatalogueSpec:
    """The catalogue with a price list."""
    lists = [{"price_list": "atoz", "file": "atoz.csv", **more}]
    return CatalogueSpec.model_validate({**values, "price_lists": lists, "files": {"atoz.csv": text}})


def only(book: Book, leg: Leg) -> RatedLeg:
    """Rate one call by both kernels."""
    rating = rate([leg], book, {})
    assert rate_columns(legs_of([leg]), Index(book), {}).rating() == rating
    (rated,) = rating.rated
    return rated


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("", 1, "missing-column"),
        ("prefix;name;price_per_minute\n33;France;0,03\n", 1, "no-comma"),
        ("prefix,name,price\n33,France,0.03\n", 1, "unknown-column"),
        ("prefix,name\n33,France\n", 1, "missing-column"),
        ("prefix,name,price_per_minute,name\n", 1, "column-twice"),
        (HEADING, 1, "no-rows"),
        ('prefix,name,price_per_minute\n33,"France"x,0.03\n', 2, "no-csv"),
        ("prefix,name,price_per_minute\n33,France,0,03\n", 2, "cells"),
        ("prefix,name,price_per_minute\n\n0033,France,0.03\n", 3, "prefix"),
        ("prefix,name,price_per_minute\n,France,0.03\n", 2, "prefix"),
        ("prefix,name,price_per_minute\n1234567890123456,x,0.03\n", 2, "prefix"),
        ("prefix,name,price_per_minute\n\u0663\u0663,x,0.03\n", 2, "prefix"),
        ("prefix,name,price_per_minute\n33,France,3e-2\n", 2, "wrong-value"),
        ("prefix,name,price_per_minute\n33,France,-0.03\n", 2, "wrong-value"),
        ("prefix,name,price_per_minute\n33,France,0.0000003\n", 2, "wrong-value"),
        ("prefix,name,price_per_minute\n33,France,999999999999\n", 2, "wrong-value"),
        ("prefix,name,price_per_minute\n33,France,0\n", 2, "free-of-charge"),
        (HEADING + "33,France,0.03,0,,,,\n", 2, "wrong-value"),
        (HEADING + "33,France,0.03,,3601,,,\n", 2, "wrong-value"),
        (HEADING + "33,France,0.03,,,free,,\n", 2, "wrong-value"),
        (HEADING + "33,France,0.03,,,,1.1.2026,\n", 2, "wrong-value"),
        (HEADING + "33,France,0.03,,,,2026-02-30,\n", 2, "wrong-value"),
        (HEADING + "33,France,0.03,,,,1999-12-31,\n", 2, "wrong-value"),
        (HEADING + "33,France,0.03,,,,2026-02-01,2026-01-31\n", 2, "ends-before-it-begins"),
        (HEADING + "33,France,0.03,,,,,\n49,x,1,,,,,\n+33,France,0.04,,,,,\n", 4, "row-twice"),
    ],
)
def test_what_a_file_gets_wrong_is_found(
    autphone_values: Mapping[str, Any], destinations: Destinations, text: str, line: int, code: str
) -> None:
    """Each mistake has its line in the file, its code, and a remedy."""
    found = {
        (one.path, one.code): one
        for one in catalogues.check(listed(autphone_values, text), destinations.countries)
    }
    assert (("files", "atoz.csv", line), code) in found
    assert all(one.remedy for one in found.values())


def test_everything_wrong_with_a_row_is_told() -> None:
    """Each cell by its column: who mends the first one must not wait for the next."""
    _, found = rows_of(HEADING + "x33,France,0.03x,0,free,-1,1.1.2026,2026-02-30\n")
    assert [(one.path, one.message.partition(":")[0]) for one in found] == [
        ((2,), "'x33' is no prefix"),
        ((2,), "price_per_minute"),
        ((2,), "connection_fee"),
        ((2,), "first_increment_s"),
        ((2,), "next_increment_s"),
        ((2,), "valid_from"),
        ((2,), "valid_to"),
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price_lists": [{"price_list": "atoz", "file": "other.csv"}]}, "file-missing"),
        ({"price_lists": []}, "file-of-nothing"),
        ({"price_lists": [{"price_list": "DE", "file": "atoz.csv"}]}, "name-twice"),
        (
            {"price_lists": [{"price_list": "x", "file": "atoz.csv", "kinds": ["emergency"]}]},
            "emergency-priced",
        ),
        ({"price_lists": [{"price_list": "x", "file": "atoz.csv"}] * 2}, "name-twice"),
    ],
)
def test_what_a_catalogue_gets_wrong_about_lists_is_found(
    autphone_values: Mapping[str, Any], destinations: Destinations, change: dict[str, Any], code: str
) -> None:
    """A list has a file, a file has a list, and a name tells one list."""
    values = {**autphone_values, "files": {"atoz.csv": LIST}, **change}
    found = catalogues.check(CatalogueSpec.model_validate(values), destinations.countries)
    assert code in {one.code for one in found}


def test_a_file_with_a_thousand_mistakes_tells_the_first_hundred() -> None:
    """Nobody reads a thousand findings."""
    _, wrong = rows_of("prefix,name,price_per_minute\n" + "0,x,1\n" * 1_000)
    assert len(wrong) == MOST_FINDINGS
    assert wrong[0].path == (2,)


def test_a_list_that_changes_every_day_is_refused() -> None:
    """A table is kept for each time between two changes, so there is a limit."""
    days = [date.fromordinal(date(2026, 1, 1).toordinal() + n) for n in range(MOST_DATES + 1)]
    _, wrong = rows_of(HEADING + "".join(f"33,x,1,,,,{day},\n" for day in days))
    assert [one.code for one in wrong] == ["too-many-days"]


@pytest.mark.parametrize(
    ("number", "at", "seconds", "amount", "rule"),
    [
        ("+33612345678", "2026-10-05T10:00:00+02:00", 61, "0.450000", "+336 France mobile (atoz.csv:3)"),
        ("+33612345678", "2026-11-05T10:00:00+01:00", 61, "0.290000", "+336 France mobile (atoz.csv:4)"),
        ("+33123456789", "2026-10-05T10:00:00+02:00", 61, "0.010167", "+331 Paris (atoz.csv:5)"),
        ("+33123456789", "2026-11-05T10:00:00+01:00", 61, "0.060000", "+33 France (atoz.csv:2)"),
        ("+493012345678", "2026-11-05T10:00:00+01:00", 61, "0.040000", "+49 Germany (atoz.csv:6)"),
    ],
)
def test_the_longest_prefix_in_force_at_the_answer_speaks(  # noqa: PLR0917 — a table and its fixtures
    autphone_values: Mapping[str, Any],
    make_book: MakeBook,
    make_leg: MakeLeg,
    number: str,
    at: str,
    seconds: int,
    amount: str,
    rule: str,
) -> None:
    """Rows without increments have the catalogue's; a row that ended leaves the word to a shorter one."""
    rated = only(make_book(catalogues=(listed(autphone_values),)), make_leg(number, seconds, at=at))
    assert (money.text(rated.amount_micro), rated.zone) == (amount, "atoz")
    assert [piece.rule for piece in rated.pieces] == [f"autphone@2026-01-01 list atoz {rule}"]


def test_a_call_is_cut_where_the_list_changes(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: MakeLeg
) -> None:
    """At midnight of the account's zone the new row's price begins; increments and fee are of the answer."""
    book = make_book(catalogues=(listed(autphone_values),))
    rated = only(book, make_leg("+33612345678", 90, at="2026-10-31T23:59:30+01:00"))
    assert [(piece.seconds, piece.amount_micro) for piece in rated.pieces] == [(30, 100_000), (90, 180_000)]
    assert rated.amount_micro == 330_000


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+43123456789", "no row of the list knows Austria"),
        ("+4990012345678", "premium counts as no kind of the list"),
        ("+498001234567", "freephone at home has a row for home"),
    ],
)
def test_where_the_list_is_silent_the_rows_speak(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: MakeLeg, number: str, why: str
) -> None:
    """What is not listed, of another kind, or has a row for home, costs what it did."""
    leg = make_leg(number)
    assert only(make_book(catalogues=(listed(autphone_values),)), leg) == only(make_book(), leg), why


def test_bundles_and_buy_outs_cover_listed_numbers(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: MakeLeg
) -> None:
    """A list says what overflow costs; what an allowance covers is told by country and kind."""
    rated = only(make_book("de/S", catalogues=(listed(autphone_values),)), make_leg("+493012345678", 60))
    assert [piece.pool for piece in rated.pieces] == ["de/fixed/2026-10-01"]


def test_without_rows_a_listed_number_has_a_price_and_another_waits(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: MakeLeg, destinations: Destinations
) -> None:
    """A catalogue may be a list alone; what it does not know is never free."""
    premium = [row for row in autphone_values["rates"] if row["kind"] == "premium"]
    spec = listed({**autphone_values, "rates": premium})
    assert not catalogues.check(spec, destinations.countries)
    book = make_book(catalogues=(spec,))
    assert only(book, make_leg("+33123456789")).zone == "atoz"
    assert [one.reason.value for one in rate([make_leg("+43123456789")], book, {}).quarantined] == [
        "no-price"
    ]


@pytest.mark.parametrize(("more", "taxed"), [({}, "full"), ({"tax_class": "none"}, "none")])
def test_a_list_has_a_tax_class(
    autphone_values: Mapping[str, Any],
    make_book: MakeBook,
    make_leg: MakeLeg,
    more: dict[str, str],
    taxed: str,
) -> None:
    """Its own, or the catalogue's first."""
    spec = listed({**autphone_values, "tax_classes": ["full", "none"]}, **more)
    assert only(make_book(catalogues=(spec,)), make_leg("+33123456789")).tax_class == taxed


def test_thirty_thousand_rows_are_ready_to_be_asked(autphone_values: Mapping[str, Any]) -> None:
    """Every prefix of a large list is found under itself."""
    rows = [f"{1_000_000 + n},x{n},0.{n % 999 + 1:03}" for n in range(30_000)]
    compiled = tariff(listed(autphone_values, "\n".join(["prefix,name,price_per_minute", *rows])))
    (table,) = compiled.tables(date(2026, 1, 1))
    assert [table.find(f"{1_000_000 + n}12") is table.rows[f"{1_000_000 + n}"] for n in range(30_000)]
    assert len(table.rows) == 30_000
    row = table.find("101500000")
    price = compiled.price(Destination("US", Kind.FIXED), "DE", (), (row,))
    assert price is not None
    assert price.rule.endswith("+1015000 x15000 (atoz.csv:15002)")
