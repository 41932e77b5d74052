"""What a month sees of lots: those that begin and end alike in it are one, and no others."""

from datetime import date
from typing import Any

import pytest

from rating.contract.alike import alike
from rating.contract.state import Lot

FEBRUARY, END, BEFORE, MIDDLE = date(2026, 2, 1), date(2026, 2, 28), date(2025, 7, 9), date(2026, 2, 14)
BEHIND = date(2026, 3, 1)


def lot(quantity: int = 1, first: date = BEFORE, product: str = "seat", **said: Any) -> Lot:  # noqa: ANN401 — its fields
    """Make a lot that is charged from its first day on, unless something else is said."""
    usual: dict[str, Any] = {"product": product, "quantity": quantity, "first": first, "charged_from": first}
    return Lot(**usual | said)


def ended(last: date, until: date | None = None) -> dict[str, Any]:
    """Say on which day a lot ends, and until when it is charged."""
    return {"last": last, "charged_until": until or last}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lot(), lot(product="line")),
        (lot(), lot(first=MIDDLE)),
        (lot(), lot(**ended(MIDDLE))),
        (lot(), lot(void=True)),
        (lot(first=MIDDLE), lot(first=MIDDLE, charged_from=FEBRUARY)),
        (lot(**ended(MIDDLE)), lot(**ended(MIDDLE, END))),
    ],
)
def test_what_differs_within_a_month_stays_apart(one: Lot, other: Lot) -> None:
    """By product, first and last day, the days that are charged, and whether it is withdrawn."""
    assert [seen.quantity for lots in alike([one, other], FEBRUARY).values() for seen in lots] == [1, 1]


@pytest.mark.parametrize("gone", [lot(**ended(date(2026, 1, 31))), lot(first=BEHIND)])
def test_what_does_not_run_in_a_month_is_not_seen(gone: Lot) -> None:
    """It ended on the day before, or begins on the day after."""
    assert not alike([gone], FEBRUARY)


def test_what_runs_all_month_is_one_however_long_it_runs() -> None:
    """Begun years ago or on the first, ending on the last or never: its days in the month are the same."""
    lots = [lot(2), lot(3, FEBRUARY), lot(4, **ended(END)), lot(5, **ended(BEHIND))]
    assert alike(lots, FEBRUARY) == {"seat": [lot(14, FEBRUARY)]}


def test_what_begins_and_ends_on_the_same_days_of_a_month_is_one() -> None:
    """Its first day and what is charged before and behind stay as they are; the oldest stand first."""
    days: dict[str, Any] = {"charged_from": FEBRUARY, **ended(date(2026, 2, 20), END)}
    lots = [lot(), lot(2, MIDDLE, **days), lot(3, MIDDLE, **days)]
    assert alike(lots, FEBRUARY) == {"seat": [lot(1, FEBRUARY), lot(5, MIDDLE, **days)]}
