"""Longest durations that can be paid: refusals first, then money, allowances and changes of price."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rating.account import AccountSpec
from rating.book import Book, bind
from rating.catalogue import CatalogueSpec
from rating.credit import Grant, Refusal, Wish, authorise
from rating.destinations import Destinations
from rating.periods import from_iso

FIXED, MOBILE, ABROAD = "+493012345678", "+4915112345678", "+12125551234"  # 0.019, 0.099, 0.049
NOON_US = from_iso("2026-10-05T12:00:00+02:00")
EDGE_US = from_iso("2026-11-01T00:00:00+01:00")
POOL = ("acme", "dach/fixed/2026-10-01")


def wish(number: str = FIXED, seconds: int = 600, **more: Any) -> Wish:  # noqa: ANN401 — any field
    """A call at noon."""
    first_us = more.pop("first_us", NOON_US)
    made = Wish(payer="acme/10", number=number, first_us=first_us, last_us=first_us, seconds=seconds)
    return replace(made, **more)


def book(
    destinations: Destinations,
    tariff: CatalogueSpec,
    *bundles: str,
    **change: Any,  # noqa: ANN401 — any field of a catalogue
) -> Book:
    """A prepaid account; from November everything costs twice as much, by the second if `change` says so."""
    now = tariff.model_copy(update=change)
    twice = tuple(row.model_copy(update={"price_per_minute": row.per_minute_micro * 2}) for row in now.rates)
    then = now.model_copy(update={"valid_from": date(2026, 11, 1), "rates": twice})
    account = AccountSpec.model_validate(
        {
            "version": 1,
            "account": "acme",
            "name": "Acme",
            "payment": "prepaid",
            "catalogue": "autphone",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "bundles": [{"bundle": one, "size": "S", "from": "2026-01-01"} for one in bundles],
        }
    )
    return bind(destinations, [now, then], [account], {"acme": "acme"})


BY_SECOND = {"first_increment_s": 1, "next_increment_s": 1}


@pytest.mark.parametrize(
    ("asked", "micro", "reason"),
    [
        (wish(payer="nobody/1"), 10**9, Refusal.NO_ACCOUNT),
        (wish("+210123456"), 10**9, Refusal.NO_PRICE),  # no numbering plan knows it
        (wish(first_us=0), 10**9, Refusal.NO_PRICE),  # a clock was not set
        (wish(first_us=from_iso("2025-12-31T12:00:00+01:00")), 10**9, Refusal.NO_PRICE),  # before any tariff
        (wish(), 0, Refusal.NO_CREDIT),
        (wish(), -5_000_000, Refusal.NO_CREDIT),
        (wish(), 316, Refusal.NO_CREDIT),  # a second costs 0.000317
    ],
)
def test_what_cannot_be_paid_does_not_begin(
    destinations: Destinations, autphone: CatalogueSpec, asked: Wish, micro: int, reason: Refusal
) -> None:
    """Nobody to pay, no price, or not enough for a second."""
    assert authorise(asked, book(destinations, autphone), {}, micro) is reason


@pytest.mark.parametrize(
    ("asked", "micro", "limit_s", "set_aside_micro"),
    [
        (wish(), 10**9, 600, 190_000),  # ten minutes
        (wish(), 190_000, 600, 190_000),
        (wish(), 189_999, 599, 189_683),  # cut within the increment: never billed longer than authorised
        (wish(), 317, 1, 317),
        (wish(seconds=61), 10**9, 61, 19_317),
        (wish(MOBILE), 99_000, 60, 99_000),
        (wish(seconds=10**6), 10**9, 86_400, 27_360_000),  # a day is the longest leg
        (wish("112"), 0, 600, 0),
        (wish("112"), -(10**9), 600, 0),
        (wish(why="emergency"), 0, 600, 0),
        (wish("+498001234567"), -1, 600, 0),  # freephone at home is free, whatever the balance
    ],
)
def test_money_gives_a_duration(
    destinations: Destinations, autphone: CatalogueSpec, *, asked: Wish, micro: int, limit_s: int,
    set_aside_micro: int,
) -> None:  # fmt: skip
    """As long as it lasts, to the second; emergency and what is free need none."""
    grant = authorise(asked, book(destinations, autphone), {}, micro)
    assert grant == Grant(limit_s=limit_s, money_micro=set_aside_micro, pools={})


@pytest.mark.parametrize(
    ("used_s", "micro", "limit_s", "money_micro", "drawn_s"),
    [
        (0, 0, 600, 0, 600),  # 500 minutes are there
        (30_000, 0, 0, 0, 0),
        (29_900, 0, 100, 0, 100),
        (29_900, 19_000, 160, 19_000, 100),  # a minute beyond it
        (29_900, 10**9, 600, 158_333, 100),
    ],
)
def test_allowances_and_money_pay_together(
    destinations: Destinations, autphone: CatalogueSpec, *, used_s: int, micro: int, limit_s: int,
    money_micro: int, drawn_s: int,
) -> None:  # fmt: skip
    """First what is left of the bundle, then money; both are set aside."""
    grant = authorise(wish(), book(destinations, autphone, "dach"), {POOL: used_s}, micro)
    if limit_s:
        assert grant == Grant(limit_s=limit_s, money_micro=money_micro, pools={POOL: drawn_s})
    else:
        assert grant is Refusal.NO_CREDIT


@pytest.mark.parametrize(
    ("first_s", "last_s", "set_aside_micro"),
    [
        (-600, -60, 19_000),  # over before midnight, whenever it is answered
        (-600, -59, 18_683 + 633),  # its last second may be November's
        (-61.5, -58.9, 18_683 + 633),  # so too where no whole second of the window leads there
        (-61.5, -59.1, 19_000),
        (-600, 0, 38_000),  # all of it may be
        (0, 5, 38_000),
    ],
)
def test_the_dearest_answer_is_set_aside(
    destinations: Destinations, autphone: CatalogueSpec, first_s: float, last_s: float, set_aside_micro: int
) -> None:
    """Nobody knows when a call will be answered: the answer that costs most counts."""
    first_us, last_us = (EDGE_US + round(second * 1_000_000) for second in (first_s, last_s))
    asked = replace(wish(seconds=60, first_us=first_us), last_us=last_us)
    grant = authorise(asked, book(destinations, autphone, **BY_SECOND), {}, 10**9)
    assert grant == Grant(limit_s=60, money_micro=set_aside_micro, pools={})


def test_a_shorter_call_that_costs_more_is_set_aside(
    destinations: Destinations, autphone: CatalogueSpec
) -> None:
    """Rounding seconds are paid where the last talk second is: ten seconds of October can be dear."""
    free = tuple(
        row.model_copy(update={"price_per_minute": 0 if (row.zone, row.kind) == ("DE", "fixed") else 1})
        for row in autphone.rates
    )
    then = autphone.model_copy(update={"valid_from": date(2026, 11, 1), "rates": free})
    spec = AccountSpec.model_validate(
        {"version": 1, "account": "acme", "name": "", "catalogue": "autphone", "country": "DE",
         "time_zone": "Europe/Berlin"}
    )  # fmt: skip
    changing = bind(destinations, [autphone, then], [spec], {"acme": "acme"})
    grant = authorise(wish(seconds=120, first_us=EDGE_US - 20_000_000), changing, {}, 10**9)
    assert grant == Grant(limit_s=120, money_micro=19_000, pools={})


def test_a_minimum_charge_and_a_fee_are_set_aside_with_the_first_second(
    destinations: Destinations, autphone: CatalogueSpec
) -> None:
    """What a call costs at least must be there before it begins."""
    dear = tuple(
        row.model_copy(update={"connection_fee": 50_000, "minimum_charge": 200_000}) for row in autphone.rates
    )
    charged = book(destinations, autphone, rates=dear)
    assert authorise(wish(), charged, {}, 199_999) is Refusal.NO_CREDIT
    grant = authorise(wish(), charged, {}, 200_000)
    assert grant == Grant(limit_s=473, money_micro=200_000, pools={})  # 0.05 + 473 s at 0.019 = 0.199783


def test_a_call_ends_before_a_time_without_a_price(
    destinations: Destinations, autphone: CatalogueSpec
) -> None:
    """A leg is priced as a whole or not at all, so it may not reach a month without a row for it."""
    kept = tuple(row for row in autphone.rates if row.zone != "World")
    then = autphone.model_copy(update={"valid_from": date(2026, 11, 1), "rates": kept})
    spec = AccountSpec.model_validate(
        {"version": 1, "account": "acme", "name": "", "catalogue": "autphone", "country": "DE",
         "time_zone": "Europe/Berlin"}
    )  # fmt: skip
    losing = bind(destinations, [autphone, then], [spec], {"acme": "acme"})
    greece = "+302123456789"
    asked = wish(greece, first_us=EDGE_US - 100_000_000)
    grant = authorise(asked, losing, {}, 10**9)
    assert isinstance(grant, Grant)
    assert grant.limit_s == 100
    assert authorise(replace(asked, last_us=EDGE_US), losing, {}, 10**9) is Refusal.NO_PRICE
