"""Allowances: what they hold, what tops them up, and which thresholds have been reached."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from rating.book import Book
from rating.catalogue import CatalogueSpec
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
