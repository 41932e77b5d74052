"""Rows 3.1 to 3.10: extensions in tiers, minute bundles, services, document 003."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app

Tell = Callable[..., Any]


def signed(extensions: int = 1, on: str = "2026-01-01", more: str = "") -> str:
    """Write a signing."""
    return f"  - {{on: {on}, sign: {{add: {{extension: {extensions}{more}}}}}}}\n"


@pytest.mark.row("3.1")
@pytest.mark.parametrize(
    ("extensions", "price"),
    [(1, "6.50"), (50, "325.00"), (51, "306.00"), (100, "600.00"), (101, "555.50")],
)
def test_row_3_1_the_price_reached_is_that_of_all_extensions(tell: Tell, extensions: int, price: str) -> None:
    """Per active extension 6.50, from the 51st 6.00, from the 101st 5.50, each for all of them."""
    told = tell("autphone", signed(extensions), until="2026-02-01")
    assert told.invoices == {"2026-02-01": price}
    assert told.state["price_per_month"] == price


@pytest.mark.row("3.1")
def test_row_3_1_the_51st_makes_all_cheaper_from_its_day_on(tell: Tell) -> None:
    """Fifty for ten days at 6.50, then 51 for 21 days at 6.00; one less is dearer again next month."""
    events = (
        "  - {on: 2026-01-11, order: {add: {extension: 1}}}\n"
        "  - {on: 2026-01-20, order: {remove: {extension: 1}}}\n"
    )
    told = tell("autphone", signed(50) + events, until="2026-03-01")
    lines = [
        (one["quantity"], one["price"], one["days"], one["amount"])
        for one in told.values["invoices"][0]["lines"]
    ]
    assert lines == [(50, "6.50", 10, "104.84"), (51, "6.00", 21, "207.29")]
    assert told.invoices["2026-03-01"] == "325.00"


@pytest.mark.row("3.3")
@pytest.mark.parametrize(
    ("signed_on", "received", "last", "by_law"),
    [
        ("2026-01-15", "2026-12-14", "2027-01-14", None),
        ("2026-01-15", "2026-12-15", "2027-02-14", "2027-01-15"),
        ("2026-01-01", "2026-11-30", "2026-12-31", None),
        ("2026-01-01", "2026-12-01", "2027-01-31", "2027-01-01"),
        ("2026-01-15", "2026-02-01", "2027-01-14", None),
        ("2026-01-15", "2027-02-20", "2027-04-14", "2027-03-20"),  # after it was prolonged tacitly
        ("2026-01-31", "2027-01-30", "2027-02-28", None),
    ],
)
def test_row_3_3_a_year_then_month_by_month_and_the_law_beside(
    tell: Tell, signed_on: str, received: str, last: str, by_law: str | None
) -> None:
    """One month to the end of the term, the day of notice not counted; the law's better day stands beside."""
    told = tell(
        "autphone", signed(on=signed_on) + f"  - {{on: {received}, cancel: {{}}}}\n", until="2027-06-01"
    )
    ending = told.last["ending"]
    assert ending["last"] == last
    law = ending["by_law"]
    assert law == (None if by_law is None else {"law": "§ 56 Abs. 3 TKG", "last": by_law})


@pytest.mark.row("3.3")
def test_row_3_3_without_notice_it_goes_on_by_a_month_each_time(tell: Tell) -> None:
    """After twelve months the contract is prolonged by one month, and another one; one number is included."""
    told = tell("autphone", signed(on="2026-01-15"), until="2027-03-20")
    prolonged = [(one["on"], one["until"]) for one in told.values["happened"] if one["what"] == "prolonged"]
    assert prolonged == [
        ("2027-01-15", "2027-02-14"),
        ("2027-02-15", "2027-03-14"),
        ("2027-03-15", "2027-04-14"),
    ]
    assert told.state["products"] == {"extension": 1, "number": 1}


PRICES = {"de": (10, 20, 40), "dach": (20, 40, 80), "europe": (90, 180, 360), "export": (100, 200, 400)}


@pytest.mark.row("3.4")
@pytest.mark.parametrize("bundle", PRICES)
def test_row_3_4_bundles_cost_what_the_document_says(tell: Tell, bundle: str) -> None:
    """Four bundles in three sizes."""
    for size, price in zip("SML", PRICES[bundle], strict=True):
        told = tell("autphone", signed(more=f", {bundle}-{size}: 1"), until="2026-02-01")
        amounts = {one["product"]: one["amount"] for one in told.values["invoices"][0]["lines"]}
        assert amounts == {"extension": "6.50", f"{bundle}-{size}": f"{price}.00"}


def rated(tmp_path: Path, bundle: str, *calls: tuple[str, int]) -> list[dict[str, Any]]:
    """Rate calls one after the other with a bundle, by `pbxcore rate`."""
    name, _, size = bundle.partition("/")
    account, legs = tmp_path / "account.yaml", tmp_path / "legs.ndjson"
    account.write_text(
        "version: 1\naccount: acme\nname: Acme\ncatalogue: autphone\ncountry: DE\ntime_zone: Europe/Berlin\n"
        f"bundles: [{{bundle: {name}, size: {size}, from: 2026-01-01}}]\n"
    )
    written = [
        {
            "key": f"leg{place}",
            "linkedid": f"leg{place}",
            "payer": "acme/10",
            "number": number,
            "trunk": "carrier",
            "why": "call",
            "answered": f"2026-03-{place + 1:02}T00:00:00Z",
            "ended": f"2026-03-{place + 1:02}T{minutes // 60:02}:{minutes % 60:02}:00Z",
        }
        for place, (number, minutes) in enumerate(calls)
    ]
    legs.write_text("".join(json.dumps(one) + "\n" for one in written))
    catalogue = Path(__file__).parents[3] / "config/catalogues/autphone.yaml"
    documents = ["--catalogue", str(catalogue), "--account", str(account), "--legs", str(legs)]
    result = CliRunner().invoke(app, ["rate", *documents])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.row("3.5")
@pytest.mark.parametrize(("size", "fixed", "mobile"), [("S", 500, 100), ("M", 1000, 200), ("L", 2000, 400)])
def test_row_3_5_two_pools_are_drawn_down_call_by_call(
    tmp_path: Path, size: str, fixed: int, mobile: int
) -> None:
    """The call that empties a pool is split at the boundary, the rest costs its minutes; pools are apart."""
    fixed_line, mobile_phone = "+493012345678", "+4915112345678"
    calls = [
        (fixed_line, fixed // 2),
        (fixed_line, fixed // 2 - 1),
        (fixed_line, 3),
        (mobile_phone, mobile + 1),
    ]
    legs = rated(tmp_path, f"de/{size}", *calls)
    assert [leg["amount"] for leg in legs] == ["0.000000", "0.000000", "0.038000", "0.099000"]
    assert [piece["seconds"] for piece in legs[2]["pieces"]] == [60, 120]
    assert [piece["seconds"] for piece in legs[3]["pieces"]] == [mobile * 60, 60]


@pytest.mark.row("3.6")
def test_row_3_6_countries_are_exactly_those_of_the_three_lists() -> None:
    """48 numbers of Europe's countries, 13 more of Export's; Greece is in none, Export contains Europe."""
    asked = {"+4930123456": 4, "+4311234567": 3, "+41446681800": 3, "+33123456789": 2, "+3120123456": 2}
    asked |= {"+12125551234": 1, "+5511987654321": 1, "+302101234567": 0, "+61212345678": 0}
    result = CliRunner().invoke(app, ["destinations", "lookup", *asked, "--json"])
    told = {one["number"]: one["catalogues"] for one in json.loads(result.stdout)}
    bundles = {
        number: len(next(one for one in catalogues if one["tariff"].startswith("autphone@"))["bundles"])
        for number, catalogues in told.items()
    }
    assert bundles == asked


@pytest.mark.row("3.7")
def test_row_3_7_a_bundle_booked_in_mid_month_costs_the_whole_month(tell: Tell) -> None:
    """Booked on the 15th of March: March in full, earliest end the end of April."""
    events = (
        "  - {on: 2026-03-15, order: {add: {dach-S: 1}}}\n"
        "  - {on: 2026-03-16, order: {remove: {dach-S: 1}}}\n"
    )
    told = tell("autphone", signed() + events, region="BY", until="2026-06-01")
    (part,) = told.last["quote"]["changes"]
    assert part["begins"] == "2026-05-01"
    assert told.invoices["2026-04-01"] == told.invoices["2026-05-01"] == "26.50"
    assert told.invoices["2026-06-01"] == "6.50"


@pytest.mark.row("3.7")
def test_row_3_7_a_bundle_signed_in_mid_month_costs_the_whole_month_too(tell: Tell) -> None:
    """Its minutes are whole, so is its price, 20.00; extensions of the 15th cost 17 of 31 days, 14.26."""
    sign = "  - {on: 2026-01-15, sign: {add: {extension: 4, dach-S: 1}}}\n"
    told = tell("autphone", sign, until="2026-02-01")
    (january,) = told.values["invoices"]
    assert {one["product"]: one["amount"] for one in january["lines"]} == {
        "dach-S": "20.00",
        "extension": "14.26",
    }


@pytest.mark.row("3.7")
@pytest.mark.parametrize(
    ("received", "region", "begins"),
    [
        ("2026-04-19", "BY", "2026-05-01"),
        ("2026-04-20", "BY", "2026-06-01"),
        ("2026-10-20", "BY", "2026-11-01"),  # Saturdays count
        ("2026-10-20", "SN", "2026-12-01"),  # 31 October is Reformation Day there
        ("2026-10-19", "SN", "2026-11-01"),
    ],
)
def test_row_3_7_notice_of_a_bundle_is_ten_working_days_to_the_end_of_a_month(
    tell: Tell, received: str, region: str, begins: str
) -> None:
    """Werktage are Monday to Saturday without the holidays of the customer's Land."""
    events = f"  - {{on: {received}, order: {{remove: {{dach-S: 1}}}}}}\n"
    told = tell("autphone", signed(more=", dach-S: 1") + events, region=region, until="2026-12-31")
    (part,) = told.last["quote"]["changes"]
    assert part["begins"] == begins


@pytest.mark.row("3.7")
def test_row_3_7_another_size_begins_when_the_one_before_has_ended(tell: Tell) -> None:
    """From S to M: S is given up in time and M begins on the first day after it, at its own price."""
    events = "  - {on: 2026-04-10, order: {add: {dach-M: 1}}}\n"
    told = tell("autphone", signed(more=", dach-S: 1") + events, until="2026-06-01")
    changes = [(one["product"], one["quantity"], one["begins"]) for one in told.last["quote"]["changes"]]
    assert changes == [("dach-S", -1, "2026-05-01"), ("dach-M", 1, "2026-05-01")]
    assert told.invoices["2026-05-01"] == "26.50"
    assert told.invoices["2026-06-01"] == "46.50"


@pytest.mark.row("3.7")
def test_row_3_7_who_thinks_again_gets_each_size_in_its_turn(tell: Tell) -> None:
    """From S to M, and L on the same day: M begins in May and is bound for a month, L begins behind it."""
    events = "".join(f"  - {{on: 2026-04-10, at: '0{n}:00', order: {{add: {{dach-{size}: 1}}}}}}\n"
                     for n, size in enumerate("ML"))  # fmt: skip
    told = tell("autphone", signed(more=", dach-S: 1") + events, until="2026-08-01")
    assert told.answers == ["accepted"] * 3
    changes = [(one["product"], one["quantity"], one["begins"]) for one in told.last["quote"]["changes"]]
    assert changes == [("dach-M", -1, "2026-06-01"), ("dach-L", 1, "2026-06-01")]
    bundles = [str(Decimal(told.invoices[f"2026-0{month}-01"]) - Decimal("6.50")) for month in (5, 6, 7)]
    assert bundles == ["20.00", "40.00", "80.00"]


@pytest.mark.row("3.8")
def test_row_3_8_numbers_are_free_and_a_block_costs_ten(tell: Tell) -> None:
    """Single numbers cost nothing, a block of numbers 10.00 a month."""
    told = tell("autphone", signed(more=", number: 7, ddi-block: 2"), until="2026-02-01")
    assert told.invoices == {"2026-02-01": "26.50"}


@pytest.mark.row("3.9")
def test_row_3_9_services_cost_once(tell: Tell) -> None:
    """The first porting is free and each later one is administration; numbers are chosen per local area."""
    events = (
        "  - {on: 2026-01-05, order: {add: {porting: 1}}}\n"
        "  - {on: 2026-01-06, order: {add: {porting: 1}}}\n"
        "  - {on: 2026-01-07, order: {add: {number-choice: 2}}}\n"
        "  - {on: 2026-01-08, order: {add: {administration: 1}}}\n"
        "  - {on: 2026-01-09, order: {add: {service: 1}}}\n"
        "  - {on: 2026-02-09, order: {add: {porting: 2}}}\n"
    )
    told = tell("autphone", signed() + events, until="2026-03-01")
    once = [
        [
            (line["product"], line["quantity"], line["amount"])
            for line in one["lines"]
            if line["kind"] == "once"
        ]
        for one in told.values["invoices"]
    ]
    assert once == [
        [
            ("porting", 1, "25.00"),
            ("number-choice", 2, "30.00"),
            ("administration", 1, "25.00"),
            ("service", 1, "349.00"),
        ],
        [("porting", 2, "50.00")],
    ]
    assert told.invoices == {"2026-02-01": "435.50", "2026-03-01": "56.50"}


@pytest.mark.row("3.10")
def test_row_3_10_prices_are_net_of_vat(tell: Tell) -> None:
    """VAT of 19 % comes on top of what the document names."""
    told = tell("autphone", signed(50), until="2026-02-01")
    (invoice,) = told.values["invoices"]
    assert (invoice["net"], invoice["vat"], invoice["gross"]) == ("325.00", "61.75", "386.75")
