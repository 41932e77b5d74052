"""Thresholds of allowances: what has been reached."""

from collections.abc import Callable

import pytest

from rating.book import Book
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


def test_what_is_granted_is_that_of_the_booking_in_force_in_the_month(make_book: MakeBook) -> None:
    """A bundle in another size from the next month on holds another number of seconds then."""
    book = make_book(("dach/S", "2026-10-15", "2026-10-31"), ("dach/M", "2026-11-01"))
    months = ("09", "10", "11", "12")
    small, large = book.granted_s(FIXED), book.granted_s(("acme", "dach/fixed/2026-11-01"))
    assert 0 < small < large
    granted = [book.granted_s(("acme", f"dach/fixed/2026-{month}-01")) for month in months]
    assert granted == [0, small, large, large]
