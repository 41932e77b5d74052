"""The scenarios of this folder, each a promise in an operator's words, through the public kernel."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from rating import money
from rating.account import AccountSpec
from rating.book import Book, bind, check
from rating.catalogue import CatalogueSpec
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import from_iso
from rating.rate import rate

CONFIG = Path(__file__).parents[3] / "config"
SCENARIOS: list[dict[str, Any]] = [
    scenario
    for name in ("autphone.yaml", "tariffs.yaml")
    for scenario in yaml.safe_load((Path(__file__).parent / name).read_text("utf-8"))
]
BERLIN = ZoneInfo("Europe/Berlin")


def book_of(bundles: list[str], offer: dict[str, Any], **booked: list[dict[str, Any]]) -> Book:
    """A book of the shipped documents and one account; what `offer` says replaces what the catalogue does.

    Args:
        bundles: `dach/S`, booked since January, or `dach/S/2026-10-16`, since that day.
        offer: keys of the catalogue.
        booked: keys of the account.
    """
    shipped = yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
    rows = offer.get("rates", [])
    replaced = {(row["zone"], row["kind"]) for row in rows}
    kept = [row for row in shipped["rates"] if (row["zone"], row["kind"]) not in replaced]
    catalogue = CatalogueSpec.model_validate({**shipped, **offer, "rates": [*rows, *kept]})
    written = yaml.safe_load((CONFIG / "accounts" / "acme.yaml").read_text("utf-8"))
    keys = ("bundle", "size", "from")
    written["bundles"] = [
        dict(zip(keys, (*one.split("/"), "2026-01-01")[:3], strict=True)) for one in bundles
    ]
    account = AccountSpec.model_validate({**written, **booked})
    destinations = load(CONFIG / "destinations")
    assert not any(check(destinations, [catalogue], [account]))
    return bind(destinations, [catalogue], [account], {"acme": "acme"})


def leg_of(number: int, call: dict[str, Any]) -> Leg:
    """A leg of a call as the scenario tells it; its time is Berlin's."""
    answered_us = from_iso(call["at"].replace(tzinfo=BERLIN).isoformat())
    return Leg(
        key=str(number),
        linkedid="1",
        trunk="carrier",
        payer=call.get("payer", "acme/10"),
        why=call.get("why", "call"),
        number=call["to"],
        answered_us=answered_us,
        ended_us=answered_us + call["seconds"] * 1_000_000,
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one["promise"] for one in SCENARIOS])
def test_a_promise_holds(scenario: dict[str, Any]) -> None:
    """Each call costs what the scenario says, of the pieces it says, or waits for the reason it says."""
    book = book_of(
        scenario.get("bundles", ["dach/S"]),
        scenario.get("catalogue", {}),
        buy_outs=scenario.get("buy_outs", []),
        top_ups=scenario.get("top_ups", []),
    )
    calls = scenario["calls"]
    granted_s = {"fixed": 30_000, "mobile": 6_000}
    left = scenario.get("left", {})
    balances = {("acme", pool): granted_s[pool.split("/")[1]] - seconds for pool, seconds in left.items()}
    balances |= {("acme", pool): seconds for pool, seconds in scenario.get("used", {}).items()}
    rating = rate([leg_of(number, call) for number, call in enumerate(calls)], book, balances)
    waiting = {int(one.key): one.reason.value for one in rating.quarantined}
    assert waiting == {number: call["waits"] for number, call in enumerate(calls) if "waits" in call}
    for rated in rating.rated:
        call = calls[int(rated.key)]
        pieces = [f"{piece.pool.rpartition('/')[0] or 'overflow'} {piece.seconds}" for piece in rated.pieces]
        assert (rated.amount_micro, pieces) == (money.parse(call["costs"]), call["pieces"])
        assert rated.tax_class == call.get("taxed", "")
