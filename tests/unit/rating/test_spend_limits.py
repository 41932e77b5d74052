"""Spend limits: what they count, what a call may do below them, and what a document may say of them."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rating.account import AccountSpec, check
from rating.catalogue import CatalogueSpec
from rating.credit import Grant, Refusal, Wish, authorise
from rating.limits import WHOLE, Count, Left, Limit, Span, counts, left
from rating.periods import from_iso
from tests.unit.rating.conftest import MakeBook

FIXED = "+493012345678"  # 0.019 a minute
NOON_US = from_iso("2026-10-05T12:00:00+02:00")
EVENING_US = from_iso("2026-10-31T23:59:30+01:00")
BERLIN = ZoneInfo("Europe/Berlin")
TODAY, TOMORROW = date(2026, 10, 31), date(2026, 11, 1)
DAY = Limit(WHOLE, Span.DAY, 20_000_000)
MONTH = Limit(WHOLE, Span.MONTH, 100_000_000)
OWN = Limit("acme/10", Span.DAY, 5_000_000)
LIMITS = {WHOLE: (DAY, MONTH), "acme/10": (OWN,)}
WRITTEN: dict[str, Any] = {
    "per_day": "20.00",
    "per_month": "100.00",
    "extensions": {"acme/10": {"per_day": "5.00"}},
}


@pytest.mark.parametrize(
    ("payer", "first_us", "last_us", "found"),
    [
        ("acme/11", NOON_US, NOON_US, {("", "day", date(2026, 10, 5)), ("", "month", date(2026, 10, 1))}),
        (
            "acme/10",
            EVENING_US,  # it may be answered on either day, in either month
            EVENING_US + 60_000_000,
            {
                ("", "day", TODAY),
                ("", "day", TOMORROW),
                ("", "month", date(2026, 10, 1)),
                ("", "month", date(2026, 11, 1)),
                ("acme/10", "day", TODAY),
                ("acme/10", "day", TOMORROW),
            },
        ),
    ],
)
def test_a_call_counts_in_the_days_and_months_of_its_answer(
    payer: str, first_us: int, last_us: int, found: set[Count]
) -> None:
    """By the clock of the account's zone; of an extension only where it is limited itself."""
    assert {count for _, count in counts(LIMITS, payer, BERLIN, first_us, last_us)} == found


def test_nothing_is_counted_where_nothing_is_limited() -> None:
    """Another extension's limit is nobody else's."""
    assert left(counts({"acme/11": (OWN,)}, "acme/10", BERLIN, NOON_US, NOON_US), {}) is None


def test_the_nearest_limit_speaks() -> None:
    """The least that is left, on the worse of two days; below zero where more was spent."""
    counted = list(counts(LIMITS, "acme/10", BERLIN, EVENING_US, EVENING_US + 60_000_000))
    assert left(counted, {}) == Left(5_000_000, OWN)
    spent = {Count(WHOLE, Span.DAY, TODAY): 19_000_000, Count("acme/10", Span.DAY, TOMORROW): 1_000_000}
    assert left(counted, spent) == Left(1_000_000, DAY)
    assert left(counted, {Count(WHOLE, Span.MONTH, date(2026, 10, 1)): 107_000_000}) == Left(
        -7_000_000, MONTH
    )


def wish(number: str = FIXED, *, why: str = "call") -> Wish:
    """Ten minutes at noon."""
    return Wish(payer="acme/10", number=number, first_us=NOON_US, last_us=NOON_US, seconds=600, why=why)


def spent(who: str, span: Span, micro: int) -> dict[Count, int]:
    """Something that was spent on that day or in that month."""
    return {Count(who, span, date(2026, 10, 5 if span is Span.DAY else 1)): micro}


@pytest.mark.parametrize(
    ("money_micro", "who", "span", "micro", "said"),
    [
        (None, WHOLE, Span.DAY, 20_000_000, Refusal.ACCOUNT_DAY),
        (None, WHOLE, Span.DAY, 19_999_684, Refusal.ACCOUNT_DAY),  # a second costs 0.000317
        (None, WHOLE, Span.MONTH, 100_000_000, Refusal.ACCOUNT_MONTH),
        (None, "acme/10", Span.DAY, 5_000_001, Refusal.EXTENSION_DAY),
        (None, "acme/10", Span.MONTH, 9_000_000, Refusal.EXTENSION_MONTH),
        (0, WHOLE, Span.DAY, 0, Refusal.NO_CREDIT),  # the credit is nearer than any limit
        (0, WHOLE, Span.DAY, 20_000_000, Refusal.NO_CREDIT),
        (10**9, WHOLE, Span.DAY, 20_000_000, Refusal.ACCOUNT_DAY),
        (None, WHOLE, Span.DAY, 19_810_000, Grant(limit_s=600, money_micro=190_000, pools={})),
        (None, WHOLE, Span.DAY, 19_981_000, Grant(limit_s=60, money_micro=19_000, pools={})),
        (10_000, WHOLE, Span.DAY, 0, Grant(limit_s=31, money_micro=9_817, pools={})),
        (10**9, "acme/11", Span.DAY, 10**9, Grant(limit_s=600, money_micro=190_000, pools={})),
    ],
)
def test_a_call_may_do_what_credit_and_limits_leave(  # noqa: PLR0917 — each is a column
    make_book: MakeBook, money_micro: int | None, who: str, span: Span, micro: int, said: Grant | Refusal
) -> None:
    """The least of them all gives the duration; nothing left is a refusal that names which one it was."""
    limits = {**WRITTEN, "extensions": {"acme/10": {"per_day": "5.00", "per_month": "9.00"}}}
    book = make_book(spend_limits=limits)
    assert authorise(wish(), book, {}, money_micro, spent(who, span, micro)) == said


@pytest.mark.parametrize("asked", [wish("112"), wish(why="emergency"), wish("+498001234567")])
def test_no_limit_stands_before_help_or_what_costs_nothing(make_book: MakeBook, asked: Wish) -> None:
    """Emergency and freephone go out whatever was spent, and set nothing aside."""
    book = make_book(spend_limits={"per_day": "0"})
    assert authorise(asked, book, {}, None, spent(WHOLE, Span.DAY, 10**9)) == Grant(
        limit_s=600, money_micro=0, pools={}
    )


def test_allowances_are_talked_away_where_a_limit_is_reached(make_book: MakeBook) -> None:
    """Minutes that are paid for cost nothing: the call ends with them."""
    book = make_book("dach/S", spend_limits={"per_day": "0"})
    pool = ("acme", "dach/fixed/2026-10-01")
    assert authorise(wish(), book, {pool: 29_900}, None) == Grant(
        limit_s=100, money_micro=0, pools={pool: 100}
    )
    assert authorise(wish(), book, {pool: 30_000}, None) is Refusal.ACCOUNT_DAY


def test_an_invoiced_account_without_limits_sets_nothing_aside(make_book: MakeBook) -> None:
    """Nothing bounds it."""
    assert authorise(wish(), make_book(), {}, None) == Grant(limit_s=600, money_micro=0, pools={})


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({}, [("nothing-limited", ("spend_limits",))]),
        (
            {"per_day": "1.00", "extensions": {"acme/10": {}}},
            [("nothing-limited", ("spend_limits", "extensions", "acme/10"))],
        ),
        (
            {"per_day": "2.00", "per_month": "1.00"},
            [("limit-never-reached", ("spend_limits", "per_day"))],
        ),
        (
            {"per_day": "2.00", "extensions": {"acme/10": {"per_day": "2.01"}}},
            [("limit-never-reached", ("spend_limits", "extensions", "acme/10", "per_day"))],
        ),
        (
            {"extensions": {"acme/10": {"per_day": "2.00", "per_month": "1.99"}}},
            [("limit-never-reached", ("spend_limits", "extensions", "acme/10", "per_day"))],
        ),
        (WRITTEN, []),
        ({"per_day": "0"}, []),  # only what costs nothing
        ({"per_day": "1.00", "per_month": "1.00", "extensions": {"acme/10": {"per_day": "1.00"}}}, []),
    ],
)
def test_limits_that_limit_nothing_are_mistakes(
    autphone: CatalogueSpec, limits: dict[str, Any], found: list[tuple[str, tuple[str, ...]]]
) -> None:
    """Each at its place."""
    spec = AccountSpec.model_validate(
        {"version": 1, "account": "acme", "name": "", "catalogue": "autphone", "country": "DE",
         "time_zone": "Europe/Berlin", "spend_limits": limits}
    )  # fmt: skip
    assert [(one.code, one.path) for one in check(spec, [autphone])] == found
