"""Allowances: what they hold, what tops them up, and which thresholds have been reached."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rating.account import AccountSpec
from rating.allowance import Closes, Kept
from rating.book import Book, bind
from rating.catalogue import MOST_ROLL_OVER_MONTHS, CatalogueSpec
from rating.closing import kept, to_keep
from rating.columns import Index, legs_of, rate_columns
from rating.leg import Leg
from rating.rate import rate
from rating.thresholds import reached

MakeBook = Callable[..., Book]
FIXED = ("acme", "dach/fixed/2026-10-01")  # 500 minutes


@pytest.mark.parametrize(
    ("pool", "used_s", "percents"),
    [
        (("nobody", FIXED[1]), 30_000, []),
        (("acme", "europe/fixed/2026-10-01"), 30_000, []),
        (("acme", "dach/fixed/2025-12-01"), 30_000, []),
        (FIXED, 0, []),
        (FIXED, 23_999, []),
        (FIXED, 24_000, [80]),
        (FIXED, 29_999, [80]),
        (FIXED, 30_000, [80, 100]),
        (FIXED, 40_000, [80, 100]),
        (("acme", "dach/mobile/2026-11-01"), 4_800, [80]),
    ],
)
def test_a_threshold_is_reached_to_the_second(
    make_book: MakeBook, pool: tuple[str, str], used_s: int, percents: list[int]
) -> None:
    """Not a second before, and never of a pool that nobody granted."""
    found = reached(make_book("dach/S"), {pool: used_s})
    assert [(one.account, one.pool, one.percent, one.used_s) for one in found] == [
        (*pool, percent, used_s) for percent in percents
    ]


def test_a_top_up_is_an_allowance_of_its_own(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: Callable[..., Leg]
) -> None:
    """From its day on it burns behind the bundle; what was called before it is not covered afterwards."""
    spec = deepcopy(dict(autphone_values))
    spec["bundles"]["dach"]["top_ups"] = {"more": {"price": "5.00", "mobile_minutes": 2}}
    more = ({"bundle": "dach", "top_up": "more", "from": "2026-10-20"},)
    book = make_book("dach/S", catalogues=(CatalogueSpec.model_validate(spec),), top_ups=more)
    left = {("acme", "dach/mobile/2026-10-01"): 5_940}
    legs = [
        make_leg("+436641234567", 90, at=f"2026-10-{day}T10:00:00+02:00", key=day)
        for day in ("19", "20", "21")
    ]
    legs.append(make_leg("+436641234567", 60, at="2026-11-01T10:00:00+01:00", key="1"))
    rating = rate(legs, book, left)
    assert [[(piece.pool, piece.seconds) for piece in one.pieces] for one in rating.rated] == [
        [("dach/mobile/2026-10-01", 60), ("", 60)],
        [("dach+more/mobile/2026-10-20", 120)],
        [("", 120)],
        [("dach/mobile/2026-11-01", 60)],
    ]
    assert rate_columns(legs_of(legs), Index(book), left).rating() == rating
    assert book.granted_s(("acme", "dach+more/mobile/2026-10-20")) == 120
    assert rating.rated[1].pieces[0].rule == "autphone@2026-01-01 bundle dach+more"


@pytest.mark.parametrize(
    ("first", "seconds"),
    [("2026-10-01", 30_000), ("2026-10-02", 29_033), ("2026-10-16", 15_484), ("2026-10-31", 968)],
)
def test_a_first_month_may_be_prorated(
    autphone_values: Mapping[str, Any], make_book: MakeBook, first: str, seconds: int
) -> None:
    """The seconds of the days that are left, its own day included, rounded up; then the whole month's."""
    spec = deepcopy(dict(autphone_values))
    spec["bundles"]["dach"]["first_month"] = "pro-rata"
    book = make_book(("dach/S", first), catalogues=(CatalogueSpec.model_validate(spec),))
    assert book.granted_s(FIXED) == seconds
    assert book.granted_s(("acme", "dach/fixed/2026-11-01")) == 30_000


def test_what_is_granted_is_that_of_the_booking_in_force_in_the_month(make_book: MakeBook) -> None:
    """A bundle in another size from the next month on holds another number of seconds then."""
    book = make_book(("dach/S", "2026-10-15", "2026-10-31"), ("dach/M", "2026-11-01"))
    months = ("09", "10", "11", "12")
    small, large = book.granted_s(FIXED), book.granted_s(("acme", "dach/fixed/2026-11-01"))
    assert 0 < small < large
    granted = [book.granted_s(("acme", f"dach/fixed/2026-{month}-01")) for month in months]
    assert granted == [0, small, large, large]


OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (10, 11, 12))
MOBILE = "+436641234567"


def rolling(values: Mapping[str, Any], months: int, minutes: int = 2) -> CatalogueSpec:
    """The catalogue with a small `dach` whose minutes stay for some months."""
    spec = deepcopy(dict(values))
    spec["bundles"]["dach"] |= {
        "roll_over_months": months,
        "top_ups": {"more": {"price": "5.00", "mobile_minutes": 1}},
    }
    for size in spec["bundles"]["dach"]["sizes"].values():
        size["mobile_minutes"] = minutes
    return CatalogueSpec.model_validate(spec)


def drawn(book: Book, legs: list[Leg]) -> list[list[tuple[str, int]]]:
    """From which pools each leg is paid, by both kernels."""
    rating = rate(legs, book, {})
    assert rate_columns(legs_of(legs), Index(book), {}).rating() == rating
    return [[(piece.pool, piece.seconds) for piece in one.pieces] for one in rating.rated]


def test_what_a_month_leaves_over_is_drawn_first_and_lapses(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: Callable[..., Leg]
) -> None:
    """October's minutes before November's, in December no more; a top-up stays as long as its bundle."""
    more = ({"bundle": "dach", "top_up": "more", "from": "2026-10-20"},)
    book = make_book(("dach/S", "2026-10-01"), catalogues=(rolling(autphone_values, 1),), top_ups=more)
    days = ("10-05", "11-05", "11-06", "11-07", "12-05", "12-06")
    legs = [make_leg(MOBILE, 60, at=f"2026-{day}T10:00:00+01:00", key=day) for day in days]
    assert [pool for ((pool, _),) in drawn(book, legs)] == [
        *["dach/mobile/2026-10-01"] * 2,
        "dach+more/mobile/2026-10-20",
        "dach/mobile/2026-11-01",
        "dach/mobile/2026-11-01",
        "dach/mobile/2026-12-01",
    ]
    rules = {piece.rule for leg in rate(legs[:1], book, {}).rated for piece in leg.pieces}
    assert rules == {"autphone@2026-01-01 bundle dach/S until 2026-11-30"}


def test_a_threshold_is_that_of_one_month_whenever_it_is_reached(
    autphone_values: Mapping[str, Any], make_book: MakeBook
) -> None:
    """What rolled over counts for the month that granted it, and makes no other month larger."""
    book = make_book("dach/S", catalogues=(rolling(autphone_values, 1),))
    october, november = ("acme", "dach/mobile/2026-10-01"), ("acme", "dach/mobile/2026-11-01")
    assert [one.percent for one in reached(book, {october: 96, november: 95})] == [80]


@pytest.mark.parametrize(
    "bookings",
    [
        (("dach/S", "2026-10-01", "2026-10-31"), ("dach/M", "2026-11-01")),
        (("dach/S", "2026-10-01", "2026-10-31"), ("export/S", "2026-11-01")),
        (("dach/S", "2026-10-01", "2026-10-31"),),
    ],
    ids=["in another size", "another bundle", "none any more"],
)
def test_what_is_left_over_stays_when_the_booking_ends(
    autphone_values: Mapping[str, Any],
    make_book: MakeBook,
    make_leg: Callable[..., Leg],
    bookings: tuple[tuple[str, ...], ...],
) -> None:
    """It was paid for: whatever is booked next, it is drawn first, until its day."""
    book = make_book(*bookings, catalogues=(rolling(autphone_values, 1),))
    legs = [
        make_leg(MOBILE, 60, at=f"2026-{day}T10:00:00+01:00", key=day) for day in ("11-05", "11-06", "12-05")
    ]
    first, second, third = drawn(book, legs)
    assert first == second == [("dach/mobile/2026-10-01", 60)]
    assert third != first


@pytest.mark.parametrize(
    "months", [0, 2], ids=["documents of today have none", "documents of today have more"]
)
def test_of_a_closed_month_counts_what_was_kept(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: Callable[..., Leg], months: int
) -> None:
    """However long, however large and whether at all documents grant it by now."""
    granted = make_book(("dach/S", "2026-10-01"), catalogues=(rolling(autphone_values, 1),))
    (october,) = to_keep(granted, "acme", OCTOBER)
    settled = kept(october, "acme", {("acme", "dach/mobile/2026-10-01"): 50})
    assert (settled.mobile_s, settled.mobile_left_s, settled.until) == (120, 70, date(2026, 11, 30))
    closes = {"acme": Closes(opened=NOVEMBER, kept=(settled,))}
    changed = make_book("export/S", catalogues=(rolling(autphone_values, months, minutes=9),))
    book = changed.with_closes(closes)
    at = ("2026-10-31T10:00:00+01:00", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00")
    legs = [make_leg(MOBILE, 60, at=one, key=one) for one in at]
    assert drawn(book, legs)[:2] == [[("dach/mobile/2026-10-01", 60)]] * 2
    assert drawn(book, legs)[2] == [("export/mobile/2026-12-01", 60)]
    assert book.granted_s(("acme", "dach/mobile/2026-10-01")) == 120


def test_what_a_close_did_not_keep_does_not_roll_over(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: Callable[..., Leg]
) -> None:
    """A catalogue that promises it afterwards promises it from the first open month on."""
    book = make_book("dach/S", catalogues=(rolling(autphone_values, 1),))
    late, on_time = (make_leg(MOBILE, 60, at=f"2026-{day}T10:00:00+01:00") for day in ("10-05", "11-05"))
    closed = book.with_closes({"acme": Closes(opened=NOVEMBER, kept=())})
    assert drawn(book, [on_time]) == [[("dach/mobile/2026-10-01", 60)]]
    assert drawn(closed, [on_time]) == [[("dach/mobile/2026-11-01", 60)]]
    assert drawn(closed, [late]) == [[("dach/mobile/2026-10-01", 60)]], "its own month still has them"


def test_a_top_up_that_was_kept_begins_on_its_day_whatever_documents_say(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: Callable[..., Leg]
) -> None:
    """Late legs of its month draw from it, from midnight of its day on and not before."""
    spec = deepcopy(dict(autphone_values))
    spec["bundles"]["dach"] |= {"roll_over_months": 1}
    spec["bundles"]["dach"]["top_ups"] = {"more": {"price": "5.00", "mobile_minutes": 2}}
    catalogues = (CatalogueSpec.model_validate(spec),)
    more = ({"bundle": "dach", "top_up": "more", "from": "2026-10-20"},)
    booked = ("dach/S", "2026-10-01")
    granted = to_keep(make_book(booked, catalogues=catalogues, top_ups=more), "acme", OCTOBER)
    closes = Closes(opened=NOVEMBER, kept=tuple(kept(one, "acme", {}) for one in granted))
    spent = {("acme", "dach/mobile/2026-10-01"): 6_000}
    days = ("19T23:59:00", "20T00:00:00")
    late = [make_leg(MOBILE, 60, at=f"2026-10-{day}+02:00", key=day) for day in days]
    found = []
    for topped_up in (more, ()):  # as it was, and when the document no longer lists it
        changed = make_book(booked, catalogues=catalogues, top_ups=topped_up)
        rating = rate(late, changed.with_closes({"acme": closes}), spent)
        found.append([[(one.pool, one.seconds) for one in leg.pieces] for leg in rating.rated])
    assert found == [[[("", 60)], [("dach+more/mobile/2026-10-20", 60)]]] * 2


def test_what_was_kept_of_a_bundle_that_is_gone_lets_legs_wait(
    make_book: MakeBook, make_leg: Callable[..., Leg]
) -> None:
    """Nobody is charged by mistake what is paid for."""
    lost = Kept(
        bundle="gone", top_up="", period=OCTOBER, size="S", booked_from=OCTOBER, tariff="autphone@2026-01-01",
        until=date(2026, 11, 30), fixed_s=60, mobile_s=0, fixed_left_s=60, mobile_left_s=0,
    )  # fmt: skip
    leg = make_leg("+493012345678", at="2026-11-05T10:00:00+01:00")
    for kept_one in (lost, replace(lost, tariff="nobody@2026-01-01")):
        book = make_book("dach/S").with_closes({"acme": Closes(opened=NOVEMBER, kept=(kept_one,))})
        (waiting,) = rate([leg], book, {}).quarantined
        assert (waiting.reason.value, "minutes are left" in waiting.detail) == ("no-price", True)


def test_minutes_move_with_an_account_to_another_catalogue(
    autphone_values: Mapping[str, Any], make_book: MakeBook, make_leg: Callable[..., Leg]
) -> None:
    """What was kept is covered by the tariff that granted it, though another one prices what is beyond."""
    granted = make_book(("dach/S", "2026-10-01"), catalogues=(rolling(autphone_values, 1),))
    (october,) = to_keep(granted, "acme", OCTOBER)
    closes = {"acme": Closes(opened=NOVEMBER, kept=(kept(october, "acme", {}),))}
    other = rolling(autphone_values, 0).model_copy(update={"catalogue": "other", "bundles": {}})
    spec = {"version": 1, "account": "acme", "name": "A", "catalogue": "other", "country": "DE"}
    account = AccountSpec.model_validate({**spec, "time_zone": "Europe/Berlin"})
    both = [rolling(autphone_values, 1), other]
    book = bind(granted.destinations, both, [account], {"acme": "acme"}).with_closes(closes)
    (leg,) = rate([make_leg(MOBILE, 180, at="2026-11-05T10:00:00+01:00")], book, {}).rated
    assert [(piece.pool, piece.seconds) for piece in leg.pieces] == [
        ("dach/mobile/2026-10-01", 120),
        ("", 60),
    ]
    assert leg.tariff == "other@2026-01-01"


def test_a_close_keeps_every_month_that_it_closes(
    autphone_values: Mapping[str, Any], make_book: MakeBook
) -> None:
    """Months without calls are closed with a later one; what lapsed before its month is not there."""
    book = make_book("dach/S", catalogues=(rolling(autphone_values, 1),))
    opened = book.with_closes({"acme": Closes(opened=OCTOBER, kept=())})
    found = to_keep(opened, "acme", DECEMBER)
    assert [one.period for one in found] == [OCTOBER, NOVEMBER, DECEMBER]
    assert len(to_keep(book, "acme", DECEMBER)) == MOST_ROLL_OVER_MONTHS, "nothing was granted before January"
    settled = book.with_closes({"acme": Closes(opened=NOVEMBER, kept=(kept(found[0], "acme", {}),))})
    assert [one.period for one in to_keep(settled, "acme", NOVEMBER)] == [NOVEMBER]
    assert to_keep(make_book("dach/S"), "acme", DECEMBER) == ()
    assert to_keep(book, "nobody", DECEMBER) == ()
