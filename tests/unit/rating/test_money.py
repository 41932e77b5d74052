"""Money in and out, and the one division."""

from decimal import Decimal

import pytest

from rating.money import Rounding, divide, for_seconds, parse, text


@pytest.mark.parametrize(
    "written",
    [
        *(0.019, 1, True, None, Decimal("NaN"), Decimal("0.0000001")),
        *("", "1,5", "1e3", ".5", "5.", "0.0000001", " 1", "+1", "٣", "1" * 13),
    ],
)
def test_what_is_no_exact_amount_is_refused(written: object) -> None:
    """Binary numbers, other notations and digits finer than a micro-unit are refused, not rounded."""
    with pytest.raises(ValueError, match="amount"):
        parse(written)


@pytest.mark.parametrize(
    ("written", "micro"),
    [("0", 0), ("0.019", 19_000), ("6.50", 6_500_000), ("-0.000001", -1), (Decimal("0.190"), 190_000)],
)
def test_amounts_are_read_exactly(written: object, micro: int) -> None:
    """A decimal string is a whole number of micro-units."""
    assert parse(written) == micro


@pytest.mark.parametrize(
    ("micro", "written"), [(0, "0.000000"), (1_800_000, "1.800000"), (-1, "-0.000001"), (19_000, "0.019000")]
)
def test_amounts_are_written_with_six_decimals(micro: int, written: str) -> None:
    """Every amount has the same form, and reads back as itself."""
    assert text(micro) == written
    assert parse(written) == micro


def test_nothing_is_divided_by_nothing() -> None:
    """A divisor that is not positive is a mistake."""
    with pytest.raises(ValueError, match="positive"):
        divide(1, 0, Rounding.UP)


@pytest.mark.parametrize(
    ("amount", "by", "up", "down", "half_up", "half_even"),
    [
        (6, 3, 2, 2, 2, 2),
        (5, 2, 3, 2, 3, 2),
        (7, 2, 4, 3, 4, 4),
        (7, 3, 3, 2, 2, 2),
        (8, 3, 3, 2, 3, 3),
        (-5, 2, -3, -2, -3, -2),
        (-8, 3, -3, -2, -3, -3),
    ],
)
def test_each_direction_has_its_name(  # noqa: PLR0917 — a table
    amount: int, by: int, up: int, down: int, half_up: int, half_even: int
) -> None:
    """Up is away from zero, down towards it, the halves as they say."""
    found = tuple(divide(amount, by, direction) for direction in Rounding)
    assert found == (up, down, half_up, half_even)


def test_seconds_are_multiplied_before_they_are_divided() -> None:
    """One second of 0.019 a minute is 0.000317, not 19 times a rounded sixtieth."""
    assert for_seconds(19_000, 1, Rounding.HALF_UP) == 317
    assert for_seconds(19_000, 60, Rounding.HALF_UP) == 19_000
    assert for_seconds(1_800_000, 60, Rounding.DOWN) == 1_800_000
