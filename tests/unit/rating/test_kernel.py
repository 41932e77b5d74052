"""The kernel, law by law."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rating import money, wire
from rating.book import Book, check
from rating.catalogue import CatalogueSpec, RateSpec
from rating.columns import Index, legs_of, rate_columns
from rating.destinations import Destinations
from rating.leg import Leg
from rating.periods import from_iso, iso
from rating.rate import LONGEST_LEG_S, rate
from rating.rated import Quarantine, RatedLeg, Source

MakeLeg = Callable[..., Leg]
MakeBook = Callable[..., Book]

AT_MOBILE, DE_FIXED, DE_MOBILE = "+436641234567", "+493012345678", "+4915112345678"


def only(leg: Leg, book: Book, balances: Mapping[tuple[str, str], int] | None = None) -> RatedLeg:
    """Rate one leg that must be rated."""
    rating = rate([leg], book, balances or {})
    assert not rating.quarantined
    return rating.rated[0]


def pieces(rated: RatedLeg) -> list[tuple[str, int, int, int, int]]:
    """Pool or overflow, seconds, before, after, amount."""
    return [(p.pool or "overflow", p.seconds, p.before_s, p.after_s, p.amount_micro) for p in rated.pieces]


@pytest.mark.parametrize(
    ("number", "more", "reason", "words"),
    [
        (AT_MOBILE, {"payer": ""}, Quarantine.NO_PAYER, "past the decision"),
        (AT_MOBILE, {"payer": "", "why": ""}, Quarantine.NO_PAYER, "past the decision"),
        (AT_MOBILE, {"payer": "nobody/1"}, Quarantine.UNKNOWN_ACCOUNT, "tenant nobody"),
        (AT_MOBILE, {"payer": "acmeX/1"}, Quarantine.UNKNOWN_ACCOUNT, "tenant acmeX"),
        ("+210123456", {}, Quarantine.UNKNOWN_DESTINATION, "+210123456"),
        ("", {}, Quarantine.UNKNOWN_DESTINATION, "an empty number"),
        ("s", {}, Quarantine.UNKNOWN_DESTINATION, "no short number of DE"),
        ("144", {}, Quarantine.UNKNOWN_DESTINATION, "no short number of DE"),
        ("+883510012345", {}, Quarantine.NO_PRICE, "international"),
        (AT_MOBILE, {"indeterminate": True}, Quarantine.INDETERMINATE, "last sign of life"),
        (AT_MOBILE, {"ended_us": 0}, Quarantine.IMPOSSIBLE, "set back"),
        (AT_MOBILE, {"answered_us": 5, "ended_us": 10}, Quarantine.IMPOSSIBLE, "was not set"),
        (AT_MOBILE, {"limit_s": -1}, Quarantine.IMPOSSIBLE, "limit"),
    ],
)
def test_what_cannot_be_rated_is_kept_and_says_why(  # noqa: PLR0917 — a table and two fixtures
    make_leg: MakeLeg, make_book: MakeBook, number: str, more: dict[str, Any], reason: Quarantine, words: str
) -> None:
    """Law 9: nothing is dropped, nothing is guessed, no unknown destination is free."""
    rating = rate([make_leg(number, **more)], make_book("dach/S"), {})
    assert (rating.rated, rating.used) == ((), {})
    assert rating.quarantined[0].reason is reason
    assert words in rating.quarantined[0].detail


def test_a_leg_longer_than_any_call_is_kept(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Law 9: a leg of more than a day is a mistake of a clock; one of a day is a call."""
    book = make_book()
    assert (
        rate([make_leg(DE_FIXED, LONGEST_LEG_S + 1)], book, {}).quarantined[0].reason is Quarantine.IMPOSSIBLE
    )
    assert only(make_leg(DE_FIXED, LONGEST_LEG_S), book).billable_s == LONGEST_LEG_S


def test_before_the_first_tariff_nothing_has_a_price(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Law 9: a call before the catalogue begins waits, even by one second, and draws nothing."""
    early = make_leg(DE_FIXED, 60, at="2025-12-31T23:59:59+01:00")
    rating = rate([early], make_book("de/S"), {})
    assert rating.quarantined[0].reason is Quarantine.NO_PRICE
    assert "not in force" in rating.quarantined[0].detail or "in force yet" in rating.quarantined[0].detail


def test_a_bundle_that_the_catalogue_lost_holds_the_leg(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """Law 9: where a booked bundle is gone, the customer is not charged overflow by mistake."""
    without = autphone.model_copy(update={"bundles": {}})
    rating = rate([make_leg(DE_FIXED)], make_book("de/S", catalogues=(without,)), {})
    assert rating.quarantined[0].reason is Quarantine.NO_PRICE
    assert "has no bundle de in size S" in rating.quarantined[0].detail


def test_a_version_that_cannot_be_read_is_not_passed_over(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Law 9: from its first day on nobody knows a price, not even of a call's end; before it they do."""
    book = replace(make_book("de/S"), unread={"autphone": frozenset({date(2026, 2, 10)})})
    before, over, behind = (
        make_leg(DE_FIXED, 120, at=f"2026-02-{at}+01:00")
        for at in ("09T23:57:00", "09T23:59:00", "10T00:00:00")
    )
    assert only(before, book).billable_s == 120
    legs = [before, over, behind] * 2
    assert rate_columns(legs_of(legs), Index(book), {}).rating() == rate(legs, book, {})
    for late in (over, behind):
        (waiting,) = rate([late], book, {}).quarantined
        assert (waiting.reason, "autphone@2026-02-10 cannot be read" in waiting.detail) == (
            Quarantine.NO_PRICE,
            True,
        )


def test_a_version_that_can_be_read_speaks_after_one_that_cannot(
    make_leg: MakeLeg, make_book: MakeBook
) -> None:
    """What was in force before it does not matter any more."""
    book = replace(make_book(), unread={"autphone": frozenset({date(2025, 12, 1)})})
    assert only(make_leg(DE_FIXED, 60, at="2026-02-10T00:00:00+01:00"), book).billable_s == 60


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"payer": ""},
        {"payer": "nobody/1"},
        {"indeterminate": True},
        {"ended_us": 0},
        {"answered_us": 0, "ended_us": 0},
        {"number": ""},
        {"number": "999"},
    ],
)
def test_an_emergency_call_is_never_priced_and_never_held(
    make_leg: MakeLeg, make_book: MakeBook, more: dict[str, Any]
) -> None:
    """Law 4 of the dialplan: whatever else is wrong with it, it costs nothing and is rated."""
    rated = only(make_leg(**{"number": "112", "why": "emergency", **more}), make_book("dach/S"))
    assert (rated.zone, rated.kind, rated.amount_micro, rated.pieces) == ("emergency", "emergency", 0, ())
    assert rated.billable_s == 0
    assert rated.duration_us >= 0


def test_an_emergency_number_is_not_priced_either(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """A call to 112 that lost its mark is still no call to charge for."""
    assert only(make_leg("112"), make_book()).zone == "emergency"


@pytest.mark.parametrize(
    ("seconds", "limit_s", "increments", "billable_s"),
    [
        ("0", 0, (60, 60), 0),
        ("0.000001", 0, (60, 60), 60),
        ("60", 0, (60, 60), 60),
        ("60.000001", 0, (60, 60), 120),
        ("119.5", 0, (60, 60), 120),
        ("0.3", 0, (1, 1), 1),
        ("29.999999", 0, (30, 6), 30),
        ("30.1", 0, (30, 6), 36),
        ("36", 0, (30, 6), 36),
        ("100.02", 100, (60, 60), 100),
        ("90", 100, (60, 60), 100),
        ("50", 100, (60, 60), 60),
        ("5000", 100, (60, 60), 100),
    ],
)
def test_seconds(  # noqa: PLR0917 — a table and three fixtures
    make_leg: MakeLeg,
    make_book: MakeBook,
    autphone: CatalogueSpec,
    seconds: str,
    limit_s: int,
    increments: tuple[int, int],
    billable_s: int,
) -> None:
    """Law 4: the ceiling of the exact duration, then increments, never more than was authorised."""
    first, following = increments
    tariff = autphone.model_copy(update={"first_increment_s": first, "next_increment_s": following})
    rated = only(make_leg(DE_FIXED, seconds, limit_s=limit_s), make_book(catalogues=(tariff,)))
    assert rated.billable_s == billable_s == sum(piece.seconds for piece in rated.pieces)


BY_30_AND_6 = {"first_increment_s": 30, "next_increment_s": 6}


def with_row(catalogue: CatalogueSpec, **row: object) -> CatalogueSpec:
    """The catalogue with another row for German landlines, by the second unless it says otherwise."""
    written = {"zone": "DE", "kind": "fixed", "first_increment_s": 1, "next_increment_s": 1, **row}
    others = (one for one in catalogue.rates if (one.zone, one.kind) != ("DE", "fixed"))
    return catalogue.model_copy(update={"rates": (RateSpec.model_validate(written), *others)})


@pytest.mark.parametrize(
    ("row", "seconds", "billable_s", "amount"),
    [
        ({"price_per_second": "0.0003"}, 61, 61, "0.018300"),
        ({"price_per_minute": "0.018"}, 61, 61, "0.018300"),
        ({"price_per_second": "0.000001"}, 1, 1, "0.000001"),
        ({"price_per_second": "0.001", "minimum_s": 10}, "0.000001", 10, "0.010000"),
        ({"price_per_second": "0.001", "minimum_s": 10}, 11, 11, "0.011000"),
        ({"price_per_second": "0.001", "minimum_s": 10}, 0, 0, "0.000000"),
        ({"price_per_second": "0.001", "minimum_s": 40, **BY_30_AND_6}, 31, 42, "0.042000"),
        ({"price_per_second": "0.001", "minimum_s": 20, **BY_30_AND_6}, 31, 36, "0.036000"),
        ({"price_per_second": "0.001", "connection_fee": "0.05"}, 10, 10, "0.060000"),
        ({"price_per_second": "0.001", "connection_fee": "0.05"}, 0, 0, "0.050000"),
        ({"price_per_second": "0.001", "minimum_charge": "0.10"}, 10, 10, "0.100000"),
        ({"price_per_second": "0.001", "minimum_charge": "0.1", "connection_fee": "0.05"}, 9, 9, "0.100000"),
        ({"price_per_second": "0.001", "minimum_charge": "0.1", "connection_fee": "0.11"}, 9, 9, "0.119000"),
        ({"price_per_second": "0.001", "minimum_charge": "0.10"}, 101, 101, "0.101000"),
        ({"price_per_second": "0.001", "minimum_charge": "0.10"}, 0, 0, "0.000000"),
        ({"price_per_minute": "0.0001", "rounding": "up"}, 1, 1, "0.000002"),
        ({"price_per_minute": "0.0001", "rounding": "down"}, 1, 1, "0.000001"),
        ({"price_per_minute": "0.0001"}, 1, 1, "0.000002"),
    ],
)  # fmt: skip
def test_a_row_says_what_a_call_costs(  # noqa: PLR0917 — a table and three fixtures
    make_leg: MakeLeg,
    make_book: MakeBook,
    autphone: CatalogueSpec,
    row: dict[str, object],
    seconds: int | str,
    billable_s: int,
    amount: str,
) -> None:
    """Law 5 and 8: per minute or second, at least so many seconds or so much, rounded where the row says."""
    book = make_book(catalogues=(with_row(autphone, **row),))
    rated = only(make_leg(DE_FIXED, seconds), book)
    assert (rated.billable_s, money.text(rated.amount_micro)) == (billable_s, amount)


@pytest.mark.parametrize(
    ("prices", "offer", "told"),
    [(None, None, "net"), ("gross", None, "gross"), (None, "net", "net"), (None, "gross", "gross")],
)
def test_a_rated_leg_says_whether_vat_is_in_it(  # noqa: PLR0917 — a table and three fixtures
    make_leg: MakeLeg,
    make_book: MakeBook,
    autphone: CatalogueSpec,
    prices: str | None,
    offer: str | None,
    told: str,
) -> None:
    """As the catalogue says, or its offer; both kernels, and what is written and read again, say the same."""
    sold = autphone.offer.model_copy(update={"prices": offer}) if autphone.offer and offer else None
    book = make_book(catalogues=(autphone.model_copy(update={"prices": prices, "offer": sold}),))
    leg = make_leg(DE_FIXED)
    rated = only(leg, book)
    assert (rated.prices, rated.amount_micro) == (told, 19_000)
    assert rate_columns(legs_of([leg]), Index(book), {}).rating().rated == (rated,)
    assert wire.rated_from_json(json.dumps(wire.rated_to_json(rated))) == rated
    assert only(make_leg("112"), book).prices == ""  # nothing has a price


@pytest.mark.parametrize(
    "row",
    [
        {"price_per_second": "999999999"},
        {"price_per_minute": "0.019", "connection_fee": 2 * money.MOST_MICRO},
        {"price_per_minute": "0.019", "minimum_charge": 2 * money.MOST_MICRO},
    ],
)
def test_a_price_that_no_ledger_holds_is_none(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec, row: dict[str, Any]
) -> None:
    """A mistyped price holds the legs that need it, in both kernels, and draws nothing; others are rated."""
    micro = {name: value for name, value in row.items() if isinstance(value, int)}
    spec = with_row(autphone, **{name: value for name, value in row.items() if name not in micro})
    rates = (spec.rates[0].model_copy(update=micro), *spec.rates[1:])
    book = make_book("de/S", catalogues=(spec.model_copy(update={"rates": rates}),))
    legs = [make_leg(DE_FIXED, key="pbx-1.1"), make_leg(AT_MOBILE, key="pbx-1.2")]
    rating = rate(legs, book, {})
    assert [leg.key for leg in rating.rated] == ["pbx-1.2"]
    assert [one.reason for one in rating.quarantined] == [Quarantine.NO_PRICE]
    assert "beyond what anybody means" in rating.quarantined[0].detail
    assert rating.used == {}
    assert rate_columns(legs_of(legs), Index(book), {}).rating() == rating


def test_the_minimum_charge_is_a_piece_of_its_own(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """Law 12: it lifts what a charged second costs; a call out of the allowance alone stays free."""
    book = make_book(
        "de/S", catalogues=(with_row(autphone, price_per_second="0.001", minimum_charge="0.10"),)
    )
    pool = ("acme", "de/fixed/2026-10-01")
    rating = rate([make_leg(DE_FIXED, 60), make_leg(DE_FIXED, 60)], book, {pool: 30_000 - 70})
    free, split = rating.rated
    assert (free.amount_micro, len(free.pieces)) == (0, 1)
    assert [(piece.source.value, piece.seconds, piece.amount_micro) for piece in split.pieces] == [
        ("allowance", 10, 0),
        ("overflow", 50, 50_000),
        ("minimum", 0, 50_000),
    ]


def test_the_example_of_law_4(make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec) -> None:
    """60 s left in October, 31 Oct 23:58:00, 240 s, 60/1, 0.03/s: 60 s free + 1.80, 120 s from November."""
    rates = tuple(
        row.model_copy(update={"price_per_minute": 1_800_000})
        if (row.zone, row.kind) == ("DE", "fixed")
        else row
        for row in autphone.rates
    )
    tariff = autphone.model_copy(update={"next_increment_s": 1, "rates": rates})
    leg = make_leg(DE_FIXED, 240, at="2026-10-31T23:58:00+01:00")
    october, november = ("acme", "de/fixed/2026-10-01"), ("acme", "de/fixed/2026-11-01")
    rating = rate([leg], make_book("de/S", catalogues=(tariff,)), {october: 30_000 - 60})
    assert pieces(rating.rated[0]) == [
        (october[1], 60, 60, 0, 0),
        ("overflow", 60, 0, 0, 1_800_000),
        (november[1], 120, 30_000, 29_880, 0),
    ]
    assert rating.rated[0].amount_micro == 1_800_000
    assert rating.used == {october: 30_000, november: 120}
    assert [iso(piece.start_us) for piece in rating.rated[0].pieces] == [
        "2026-10-31T22:58:00.000000Z",
        "2026-10-31T22:59:00.000000Z",
        "2026-10-31T23:00:00.000000Z",
    ]


@pytest.mark.parametrize(
    ("at", "seconds", "parts"),
    [
        ("2026-10-31T23:59:00+01:00", "60", [("2026-10", 60)]),
        ("2026-10-31T23:59:00+01:00", "61", [("2026-10", 60), ("2026-11", 60)]),
        ("2026-10-31T23:59:59.5+01:00", "0.5", [("2026-10", 60)]),
        ("2026-10-31T23:59:59.5+01:00", "2", [("2026-10", 1), ("2026-11", 59)]),
        ("2026-11-01T00:00:00+01:00", "1", [("2026-11", 60)]),
        ("2026-03-29T01:59:30+01:00", "60", [("2026-03", 60)]),
    ],
)
def test_a_second_belongs_to_the_month_in_which_it_begins(
    make_leg: MakeLeg, make_book: MakeBook, at: str, seconds: str, parts: list[tuple[str, int]]
) -> None:
    """Law 4: months end at the account's midnight; rounding seconds take no time, the last piece has them."""
    rated = only(make_leg(DE_FIXED, seconds, at=at), make_book("de/S"))
    assert [(piece.pool.rpartition("/")[2][:7], piece.seconds) for piece in rated.pieces] == parts


def test_months_end_in_the_zone_of_the_account(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Law 4: the same instants are one month in Berlin and two in Reykjavik."""
    leg = make_leg(DE_FIXED, 120, at="2026-10-31T23:59:00+00:00")
    assert len(only(leg, make_book("de/S")).pieces) == 1
    assert len(only(leg, make_book("de/S", time_zone="Atlantic/Reykjavik")).pieces) == 2


def test_a_tariff_change_cuts_and_the_answer_governs_the_fee(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """Law 4: each side has its price; increments and connection fee are those of the answer, charged once."""
    old = autphone.model_copy(
        update={"rates": tuple(rate.model_copy(update={"connection_fee": 50_000}) for rate in autphone.rates)}
    )
    dearer = tuple(rate.model_copy(update={"price_per_minute": 600_000}) for rate in autphone.rates)
    new = autphone.model_copy(
        update={
            "valid_from": date(2026, 10, 15),
            "rates": dearer,
            "first_increment_s": 1,
            "next_increment_s": 1,
        }
    )
    leg = make_leg(DE_FIXED, 90, at="2026-10-14T23:59:00+02:00")
    rated = only(leg, make_book(catalogues=(new, old)))
    assert pieces(rated) == [("overflow", 60, 0, 0, 19_000), ("overflow", 60, 0, 0, 600_000)]
    assert (rated.tariff, rated.connection_micro, rated.amount_micro) == (
        "autphone@2026-01-01",
        50_000,
        669_000,
    )
    assert [piece.rule for piece in rated.pieces] == [
        "autphone@2026-01-01 overflow DE/fixed",
        "autphone@2026-10-15 overflow DE/fixed",
    ]


def test_a_price_that_ends_in_mid_call_draws_nothing(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """Law 9: a leg is priced as a whole or not at all; its allowance is untouched."""
    rates = tuple(rate for rate in autphone.rates if rate.kind != "satellite" and rate.zone != "DE")
    new = autphone.model_copy(update={"valid_from": date(2026, 10, 15), "rates": rates})
    leg = make_leg(DE_FIXED, 90, at="2026-10-14T23:59:00+02:00")
    rating = rate([leg], make_book("de/S", catalogues=(autphone, new)), {})
    assert rating.quarantined[0].reason is Quarantine.NO_PRICE
    assert rating.used == {}


def test_a_bundle_begins_in_mid_call(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Law 4: what is before the first day of a bundle is overflow; the rest is the whole month's minutes."""
    book = make_book(("de/S", "2026-10-15"))
    rated = only(make_leg(DE_FIXED, 120, at="2026-10-14T23:59:00+02:00"), book)
    assert pieces(rated) == [("overflow", 60, 0, 0, 19_000), ("de/fixed/2026-10-01", 60, 30_000, 29_940, 0)]


def test_a_bundle_ends_with_its_last_day(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """A booking grants nothing after `until`."""
    book = make_book(("de/S", "2026-01-01", "2026-09-30"))
    assert pieces(only(make_leg(DE_FIXED), book)) == [("overflow", 60, 0, 0, 19_000)]


@pytest.mark.parametrize(
    ("bundles", "number", "order"),
    [
        (("export/S", "europe/S", "dach/S", "de/S"), DE_FIXED, ["de", "dach", "europe", "export"]),
        (("export/S", "europe/S", "dach/S", "de/S"), "+4312345678", ["dach", "europe", "export"]),
        (("export/S", "europe/S", "dach/S", "de/S"), "+33123456789", ["europe", "export"]),
        (("export/S", "europe/S", "dach/S", "de/S"), "+12125551234", ["export"]),
        (("export/S", "europe/S", "dach/S", "de/S"), "+302123456789", []),
    ],
)
def test_burn_order(
    make_leg: MakeLeg, make_book: MakeBook, bundles: tuple[str, ...], number: str, order: list[str]
) -> None:
    """Law 5: the narrowest covering bundle first, each to its last second, then the next."""
    rated = only(make_leg(number, 80_000), make_book(*bundles), {("acme", "de/fixed/2026-10-01"): 20_000})
    drawn = [piece.pool.partition("/")[0] for piece in rated.pieces if piece.source is Source.ALLOWANCE]
    assert drawn == order[: len(drawn)]
    assert drawn or not order
    assert sum(piece.seconds for piece in rated.pieces) == rated.billable_s == 80_040


def test_a_zone_that_a_stored_bundle_names_twice_makes_it_no_broader(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """Countries are counted, not words."""
    twice = autphone.bundles["de"].model_copy(update={"zones": ("DE",) * 9})
    catalogue = autphone.model_copy(update={"bundles": {**autphone.bundles, "de": twice}})
    book = make_book("dach/S", "de/S", catalogues=(catalogue,))
    assert only(make_leg(DE_FIXED), book).pieces[0].pool.startswith("de/")


def test_of_two_equally_narrow_bundles_the_older_burns_first(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """Law 5: when breadth and expiry are the same, age decides."""
    bundles = {**autphone.bundles, "also-de": autphone.bundles["de"]}
    book = make_book(
        ("also-de/S", "2026-03-01"),
        ("de/S", "2026-02-01"),
        catalogues=(autphone.model_copy(update={"bundles": bundles}),),
    )
    assert only(make_leg(DE_FIXED), book).pieces[0].pool.startswith("de/")


def test_fixed_and_mobile_are_separate_pools(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Law 5: an empty mobile pool is not helped by a full fixed one."""
    empty = {("acme", "de/mobile/2026-10-01"): 6_000}
    assert pieces(only(make_leg(DE_MOBILE), make_book("de/S"), empty)) == [("overflow", 60, 0, 0, 99_000)]
    assert pieces(only(make_leg(DE_FIXED), make_book("de/S"), empty))[0][0] == "de/fixed/2026-10-01"


@pytest.mark.parametrize(
    ("number", "zone", "price_micro", "pool"),
    [
        ("+12125551234", "Export", 49_000, "export/fixed/2026-10-01"),
        ("+4980012345678", "home", 0, ""),
        ("116117", "home", 0, ""),
        ("+43800123456", "AT-CH", 29_000, "export/fixed/2026-10-01"),
        ("+18005551234", "Export", 49_000, "export/fixed/2026-10-01"),
        ("+49900112345678", "any", 1_990_000, ""),
        ("11833", "any", 1_990_000, ""),
        ("+4970012345678", "any", 190_000, ""),
        ("+88216123456", "any", 4_900_000, ""),
        ("+302123456789", "World", 490_000, ""),
        ("+306912345678", "World", 490_000, ""),
        ("+441481123456", "World", 490_000, ""),
    ],
)
def test_kinds(  # noqa: PLR0917 — a table and two fixtures
    make_leg: MakeLeg, make_book: MakeBook, number: str, zone: str, price_micro: int, pool: str
) -> None:
    """A plan that does not tell means fixed; freephone is free at home only; no bundle has special kinds."""
    spent = only(make_leg(number), make_book())
    assert (spent.zone, spent.amount_micro) == (zone, price_micro)
    assert only(make_leg(number), make_book("export/S")).pieces[0].pool == pool


def test_a_refused_leg_does_not_stop_the_others(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Legs are rated in the order given, and each result stands in its list in that order."""
    legs = [make_leg(n, key=str(i)) for i, n in enumerate([DE_FIXED, "+210", AT_MOBILE, "", DE_FIXED])]
    rating = rate(legs, make_book("de/S"), {})
    assert [leg.key for leg in rating.rated] == ["0", "2", "4"]
    assert [leg.key for leg in rating.quarantined] == ["1", "3"]
    assert rating.rated[2].pieces[0].before_s == 30_000 - 60


def test_a_pool_that_was_overdrawn_gives_nothing(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """More used than granted (a smaller size since) is an empty pool, not a debt."""
    rated = only(make_leg(DE_FIXED), make_book("de/S"), {("acme", "de/fixed/2026-10-01"): 99_999})
    assert pieces(rated) == [("overflow", 60, 0, 0, 19_000)]


def test_the_sample_documents_are_right(destinations: Destinations, autphone: CatalogueSpec) -> None:
    """Nothing is wrong with the catalogue that is shipped."""
    assert check(destinations, [autphone], []) == ((),)


def test_a_month_begins_once_where_midnight_is_skipped(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """A zone without midnight on a first of the month still has one instant where the month begins."""
    leg = make_leg(DE_FIXED, 120, at="2026-11-01T02:59:00+00:00")
    rated = only(leg, make_book("de/S", time_zone="America/Asuncion"))
    assert [piece.pool.rpartition("/")[2] for piece in rated.pieces] == ["2026-10-01", "2026-11-01"]
    assert rated.pieces[1].start_us == from_iso("2026-11-01T03:00:00+00:00")
