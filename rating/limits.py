"""Spend limits: how much calls may cost in a day or a month, of an account as a whole and of one extension.

Owns which counts a call adds to, and what is left below them. Refuses to know what was spent: that is an
argument. A call counts whole in the day and in the month of its answer, by the clock of the account's zone,
however long it lasts; so what it adds to is known from its answer on, and before it of each day on which it
may be answered.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rating.periods import local_day, month_start

WHOLE = ""  # of a limit: not one extension, but the account


class Span(StrEnum):
    """What a limit holds for."""

    DAY = "day"
    MONTH = "month"


class Limit(NamedTuple):
    """The most that calls may cost.

    Attributes:
        who: `<tenant>/<extension>`, or `WHOLE`.
        span: each calendar day or month.
        most_micro: 0: only what costs nothing.
    """

    who: str
    span: Span
    most_micro: int


class Count(NamedTuple):
    """What a limit counts: what calls of somebody cost that were answered in one day or month.

    Attributes:
        first: the day, or the first one of the month.
    """

    who: str
    span: Span
    first: date


class Left(NamedTuple):
    """What is left below the limit that is nearest.

    Attributes:
        micro: below zero where more was spent, or the limit was lowered.
        limit: which one.
    """

    micro: int
    limit: Limit


Limits = Mapping[str, tuple[Limit, ...]]
"""Who → its limits."""


def counts(
    limits: Limits, payer: str, zone: ZoneInfo, first_us: int, last_us: int
) -> Iterator[tuple[Limit, Count]]:
    """Yield every count that a call may add to, with its limit.

    Args:
        limits: of the account.
        payer: `<tenant>/<extension>` that owns the call.
        zone: of the account.
        first_us: earliest instant of the answer.
        last_us: latest one; the same where it is known.
    """
    concerned = (*limits.get(WHOLE, ()), *limits.get(payer, ()))
    if not concerned:
        return
    days = list(_days(local_day(first_us, zone), local_day(last_us, zone)))
    months = sorted({month_start(day) for day in days})
    for limit in concerned:
        for first in days if limit.span is Span.DAY else months:
            yield limit, Count(limit.who, limit.span, first)


def left(counted: Iterable[tuple[Limit, Count]], spent: Mapping[Count, int]) -> Left | None:
    """Find the least that is left below a limit, on any day on which a call may be answered.

    Args:
        counted: what the call may add to.
        spent: what calls have cost, and what others have set aside.

    Returns:
        The nearest limit; of two that are as near, the first one; None where nothing is limited.
    """
    found = (Left(limit.most_micro - spent.get(count, 0), limit) for limit, count in counted)
    return min(found, key=_micro, default=None)


def _micro(one: Left) -> int:
    return one.micro


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):  # a call rings for minutes: two at most
        yield first + timedelta(days=number)
