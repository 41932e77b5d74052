"""What a month costs where no catalogue has an example: included units, tiers that shrink in mid-month."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from rating import money
from rating.catalogue import CatalogueSpec
from rating.contract import facts
from rating.contract.billing import Invoice
from rating.contract.edition import shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, history, timeline
from rating.contract.line import Line
from rating.contract.wish import Change

CATALOGUE = Path(__file__).parents[3] / "config/catalogues/autphone.yaml"


def lines(values: Mapping[str, Any], *orders: tuple[str, Change]) -> list[list[Line]]:
    """Sign one extension on the first of January, order, and give the lines of each invoice until April."""
    offers = shelf([CatalogueSpec.model_validate(values)])
    events = [Fact(on=date(2026, 1, 1), deed=facts.Sign(change=Change()))]
    events += [Fact(on=date.fromisoformat(day), deed=facts.Order(change=change)) for day, change in orders]
    past = history(events, offers, Customer(catalogue="autphone"), date(2026, 4, 1))
    assert [one.outcome for one in past.answers] == ["accepted"] * len(events)
    return [list(one.lines) for one in past.entries if isinstance(one, Invoice)]


@pytest.fixture
def written() -> dict[str, Any]:
    """Give the catalogue as it is written, to be changed."""
    values: dict[str, Any] = deepcopy(yaml.safe_load(CATALOGUE.read_text("utf-8")))
    return values


def amounts(invoice: list[Line], product: str) -> list[tuple[int, int, str]]:
    """Units, days and amount of a product's lines."""
    return [
        (line.quantity, line.days, money.text(line.amount_micro)[:-4])
        for line in invoice
        if line.product == product
    ]


def test_included_units_cost_nothing_and_the_oldest_are_included(written: dict[str, Any]) -> None:
    """Of three numbers at 1.00 one is included; with two given up again the included one stays."""
    written["offer"]["products"]["number"]["price_per_month"] = "1.00"
    january, february, march = lines(
        written,
        ("2026-01-16", Change(add={"number": 2})),
        ("2026-02-20", Change(remove={"number": 2})),
    )
    assert amounts(january, "number") == [(2, 16, "1.03")]
    assert amounts(february, "number") == [(2, 28, "2.00")]
    assert amounts(march, "number") == []


def test_units_may_be_usable_before_they_begin(written: dict[str, Any]) -> None:
    """Ordered for the next month and usable at once: allowed from the order on, charged from the month on."""
    written["offer"]["products"]["extension"]["more"] = {"begins": "next-month", "usable": "at-once"}
    offers = shelf([CatalogueSpec.model_validate(written)])
    events = [
        Fact(on=date(2026, 1, 1), deed=facts.Sign(change=Change())),
        Fact(on=date(2026, 1, 10), deed=facts.Order(change=Change(add={"extension": 2}))),
    ]
    past = history(events, offers, Customer(catalogue="autphone"), date(2026, 3, 1))
    limits = {day: may.limits for day, may in timeline(past)}
    assert limits == {date(2026, 1, 1): {"extensions": 1}, date(2026, 1, 10): {"extensions": 3}}
    invoices = [list(one.lines) for one in past.entries if isinstance(one, Invoice)]
    assert [amounts(one, "extension") for one in invoices] == [[(1, 31, "6.50")], [(3, 28, "19.50")]]


def test_units_that_end_in_mid_month_make_the_others_dearer(written: dict[str, Any]) -> None:
    """51 at 6.00 until the tenth, 50 at 6.50 from the eleventh."""
    written["offer"]["products"]["extension"]["less"] = {"ends": "any-day"}
    january, *_ = lines(
        written,
        ("2026-01-01", Change(add={"extension": 50})),
        ("2026-01-10", Change(remove={"extension": 1})),
    )
    assert amounts(january, "extension") == [(51, 10, "98.71"), (50, 21, "220.16")]


@pytest.mark.parametrize(
    ("rounding", "amount"), [("up", "3.36"), ("half-up", "3.35"), ("half-even", "3.35"), ("down", "3.35")]
)
def test_a_line_is_rounded_as_the_catalogue_says(written: dict[str, Any], rounding: str, amount: str) -> None:
    """6.50 for sixteen of 31 days is 3.3548…; for 31 days nothing is rounded."""
    written["offer"]["billing"]["rounding"] = rounding
    january, february, _ = lines(written, ("2026-01-16", Change(add={"extension": 1})))
    assert amounts(january, "extension") == [(1, 31, "6.50"), (1, 16, amount)]
    assert amounts(february, "extension") == [(2, 28, "13.00")]
