"""Promises about the end of a month, in an operator's words, through the public functions."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from rating import money
from rating.account import AccountSpec
from rating.book import Book, PoolKey, bind
from rating.catalogue import CatalogueSpec
from rating.closing import Months, Standing, corrections, rerate
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import from_iso
from rating.rate import rate

CONFIG = Path(__file__).parents[3] / "config"
SCENARIOS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("closing.yaml").read_text("utf-8"))
BERLIN = ZoneInfo("Europe/Berlin")
GRANTED_S = {"fixed": 30_000, "mobile": 6_000}
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


def the_book(payment: str) -> Book:
    """A book of the shipped documents."""
    catalogue = yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
    account = yaml.safe_load((CONFIG / "accounts" / "acme.yaml").read_text("utf-8"))
    specs = (
        CatalogueSpec.model_validate(catalogue),
        AccountSpec.model_validate({**account, "payment": payment}),
    )
    return bind(load(CONFIG / "destinations"), specs[:1], specs[1:], {"acme": "acme"})


def leg_of(number: int, call: dict[str, Any]) -> Leg:
    """A leg of a call as the scenario tells it; its time is Berlin's."""
    answered_us = from_iso(call["at"].replace(tzinfo=BERLIN).isoformat())
    return Leg(
        key=str(number),
        linkedid="1",
        trunk="carrier",
        payer="acme/10",
        why="call",
        number=call["to"],
        answered_us=answered_us,
        ended_us=answered_us + call["seconds"] * 1_000_000,
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one["promise"] for one in SCENARIOS])
def test_a_promise_about_closing_holds(scenario: dict[str, Any]) -> None:
    """Corrections and invoices are what the scenario says."""
    book = the_book(scenario.get("payment", "postpaid"))
    used: dict[PoolKey, int] = {
        ("acme", pool): GRANTED_S[pool.split("/")[1]] - left_s for pool, left_s in scenario["left"].items()
    }
    calls = scenario["calls"]
    arrived = rate([leg_of(number, call) for number, call in enumerate(calls)], book, used)
    used |= arrived.used
    months = Months(book, {})
    standing = [Standing(leg=leg, month=months.of("acme", leg.ended_us)) for leg in arrived.rated]
    found = rerate(standing, book, used)
    used |= found.used
    written = corrections(found)
    late = rate(
        [leg_of(number, call) for number, call in enumerate(scenario.get("late", []), 100)], book, used
    )
    closed = Months(book, {"acme": NOVEMBER})
    invoices: Counter[date] = Counter()
    rows = [(leg, months) for leg in (*arrived.rated, *written)]
    for leg, billed in (*rows, *((leg, closed) for leg in late.rated)):
        invoices[billed.of("acme", leg.ended_us)] += leg.amount_micro
    wanted = {str(number): money.parse(amount) for number, amount in scenario["corrected"].items()}
    assert {leg.key: leg.amount_micro for leg in written} == wanted
    assert invoices[OCTOBER] == money.parse(scenario["october"])
    assert invoices[NOVEMBER] == money.parse(scenario.get("november", "0"))
