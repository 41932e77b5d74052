"""Money: whole micro-units (10^-6 of a currency) inside, decimal strings at the edges.

Owns reading, writing, and the one division there is, with its direction by name. Refuses binary fractions,
more digits than a micro-unit holds, and rounding that nobody named.
"""

import re
from decimal import Decimal
from enum import StrEnum

MICRO = 1_000_000
SECONDS_PER_MINUTE = 60
MOST_MICRO = 1_000_000_000 * MICRO  # that people write: the longest call at as much a minute fits 64 bits

_DECIMAL = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,6}))?", re.ASCII)


class Rounding(StrEnum):
    """Where a fraction of a micro-unit goes."""

    UP = "up"  # away from zero
    DOWN = "down"  # towards zero
    HALF_UP = "half-up"  # to the nearest, halves away from zero
    HALF_EVEN = "half-even"  # to the nearest, halves to the even neighbour


def parse(written: object) -> int:
    """Read a decimal string, or an exact decimal number, into micro-units: `"0.019"` → 19,000.

    Raises:
        ValueError: it is binary, no decimal number, or finer than a micro-unit.
    """
    if isinstance(written, Decimal) and written.is_finite():
        written = f"{written:f}"
    if not isinstance(written, str):
        raise ValueError('an amount is decimal text, in quotes: "0.019"')  # noqa: TRY004 — pydantic collects ValueErrors
    match = _DECIMAL.fullmatch(written)
    if match is None:
        raise ValueError(f"{written!r} is no amount with up to six decimals")
    sign, whole, fraction = match.groups()
    micro = int(whole) * MICRO + int((fraction or "").ljust(6, "0"))
    return -micro if sign else micro


def meant(micro: int) -> int:
    """Return an amount that people wrote, if they can have meant it.

    Raises:
        ValueError: it is more than the most.
    """
    if micro > MOST_MICRO:
        raise ValueError(f"{text(micro)} is no amount that anybody means: {text(MOST_MICRO)} is the most")
    return micro


def text(micro: int) -> str:
    """Write micro-units as a decimal string with six decimals: 1,800,000 → `1.800000`."""
    whole, fraction = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{fraction:06d}"


def divide(amount: int, by: int, rounding: Rounding) -> int:
    """Divide, rounding once.

    Raises:
        ValueError: `by` is not positive.
    """
    if by <= 0:
        raise ValueError("money is divided by positive numbers only")
    quotient, rest = divmod(abs(amount), by)
    if rest and _goes_up(quotient, rest, by, rounding):
        quotient += 1
    return -quotient if amount < 0 else quotient


def for_seconds(price_per_minute_micro: int, seconds: int, rounding: Rounding) -> int:
    """Price of some seconds: multiplied first, divided after, rounded once."""
    return divide(price_per_minute_micro * seconds, SECONDS_PER_MINUTE, rounding)


def _goes_up(quotient: int, rest: int, by: int, rounding: Rounding) -> bool:
    if rounding is Rounding.UP:
        return True
    if rounding is Rounding.DOWN:
        return False
    if rest * 2 == by:
        return rounding is Rounding.HALF_UP or quotient % 2 == 1
    return rest * 2 > by
