"""Rows 2.1 to 2.5: per PBX and device, a year of term, call costs bought out, document 002."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app

Tell = Callable[..., Any]
CATALOGUE = Path(__file__).parents[3] / "config/catalogues/accensys.yaml"


def signed(on: str = "2026-03-01", care: str = "self-managed", more: str = "") -> str:
    """Write a signing with four devices."""
    return f"  - {{on: {on}, sign: {{add: {{device: 4{more}}}, choose: {{care: {care}}}}}}}\n"


@pytest.mark.row("2.1")
@pytest.mark.parametrize(
    ("care", "by", "what", "outcome"),
    [
        ("managed", "tenant", "groups", "refused"),
        ("managed", "tenant", "extensions", "refused"),
        ("managed", "staff", "groups", "accepted"),
        ("self-managed", "tenant", "trunks", "refused"),
        ("self-managed", "tenant", "groups", "accepted"),
        ("self-managed", "staff", "trunks", "accepted"),
    ],
)
def test_row_2_1_who_changes_a_system(tell: Tell, care: str, by: str, what: str, outcome: str) -> None:
    """A managed system is changed by the provider's staff alone, the other one mostly by the tenant."""
    edit = f"  - {{on: 2026-03-02, edit: {{by: {by}, what: {what}}}}}\n"
    told = tell("accensys", signed(care=care) + edit, until="2026-04-01")
    assert told.answers[-1] == outcome
    if outcome == "refused":
        assert told.why()[0].startswith(f"{what} is changed by the provider's staff")


@pytest.mark.row("2.3")
def test_row_2_3_call_costs_are_bought_out_for_a_fixed_amount(tell: Tell) -> None:
    """9.95 for each of four devices from the next month on; what is passed on comes on top."""
    events = (
        "  - {on: 2026-03-10, order: {choose: {calls: bought-out}}}\n"
        "  - {on: 2026-04-20, calls: {amount: '1.99', what: premium}}\n"
    )
    told = tell("accensys", signed() + events, until="2026-05-01")
    assert told.invoices == {"2026-04-01": "33.00", "2026-05-01": "74.79"}  # 15 + 4 x 4.50, + 39.80 + 1.99


@pytest.mark.row("2.3")
def test_row_2_3_premium_numbers_and_calls_abroad_are_always_passed_on(tmp_path: Path) -> None:
    """With the buy-out a call inside the Netherlands costs nothing; a premium number and Germany do."""
    account = tmp_path / "account.yaml"
    account.write_text(
        "version: 1\naccount: bakker\nname: Bakker\ncatalogue: accensys\ncountry: NL\n"
        "time_zone: Europe/Amsterdam\nbuy_outs: [{buy_out: calls, from: 2026-01-01}]\n"
    )
    called = ["+31201234567", "+31612345678", "+319001234567", "+493012345678"]
    legs = tmp_path / "legs.ndjson"
    legs.write_text("".join(json.dumps(leg(number)) + "\n" for number in called))
    documents = ["--catalogue", str(CATALOGUE), "--account", str(account), "--legs", str(legs)]
    result = CliRunner().invoke(app, ["rate", *documents])
    assert result.exit_code == 0, result.output
    amounts = [json.loads(line)["amount"] for line in result.stdout.splitlines()]
    assert amounts == ["0.000000", "0.000000", "1.990000", "0.019000"]


def leg(number: str) -> dict[str, object]:
    """Write a leg of sixty seconds."""
    return {
        "key": f"leg{number}",
        "linkedid": f"leg{number}",
        "payer": "bakker/10",
        "number": number,
        "trunk": "carrier",
        "why": "call",
        "answered": "2026-03-05T10:00:00Z",
        "ended": "2026-03-05T10:01:00Z",
    }


@pytest.mark.row("2.4")
def test_row_2_4_invoiced_in_arrears_by_pbx_device_and_actual_use(tell: Tell) -> None:
    """PBX and devices for the month, a number given up on the 16th for its 16 days, calls by use."""
    events = (
        "  - {on: 2026-03-16, order: {remove: {number: 1}}}\n  - {on: 2026-03-17, calls: {amount: '4.19'}}\n"
    )
    more = ", number: 3, block: 1, click-to-dial: 2"
    told = tell("accensys", signed(more=more) + events, until="2026-05-01")
    lines = {(one["product"], one["days"]): one["amount"] for one in told.values["invoices"][0]["lines"]}
    assert lines == {
        ("pbx", 31): "15.00",
        ("device", 31): "18.00",
        ("number", 31): "2.50",
        ("number", 16): "0.65",
        ("block", 31): "7.50",
        ("click-to-dial", 31): "4.00",
        ("calls", 31): "4.19",
    }
    assert told.invoices == {"2026-04-01": "51.84", "2026-05-01": "47.00"}


@pytest.mark.row("2.5")
@pytest.mark.parametrize(
    ("received", "processed", "last"),
    [
        ("2026-06-10", "2026-06-12", "2027-02-28"),  # within the year: its end is in February
        ("2027-03-24", "2027-03-30", "2027-04-30"),  # Thursday counts, Good Friday to Easter Monday do not
        ("2027-03-25", "2027-03-31", "2027-04-30"),
        ("2027-03-26", "2027-03-31", "2027-04-30"),  # received on Good Friday
        ("2027-03-30", "2027-04-01", "2027-05-31"),  # processed when April had begun
        ("2027-05-04", "2027-05-10", "2027-06-30"),  # 5 May and Ascension on the 6th, then a weekend
    ],
)
def test_row_2_5_a_year_then_a_calendar_month_from_processing(
    tell: Tell, received: str, processed: str, last: str
) -> None:
    """Two working days of processing, then the first calendar month that begins after it; a year at least."""
    told = tell(
        "accensys", signed("2026-02-16") + f"  - {{on: {received}, cancel: {{}}}}\n", until="2027-08-01"
    )
    steps = {step["rule"]: step["day"] for step in told.last["ending"]["steps"]}
    assert list(steps) == ["received", "processed", "notice", "minimum", "month-end"]
    assert (steps["processed"], steps["minimum"], steps["month-end"]) == (processed, "2027-02-15", last)
    assert told.last["ending"]["last"] == last


@pytest.mark.row("2.5")
def test_row_2_5_a_recorded_processing_counts(tell: Tell) -> None:
    """Processed a day earlier than allowed, in March: April is the notice, and the customer is told."""
    events = "  - {on: 2027-03-30, cancel: {}}\n  - {on: 2027-03-31, processed: {}}\n"
    told = tell("accensys", signed("2026-02-16") + events, until="2027-08-01")
    assert [one["ending"]["last"] for one in told.values["events"][1:]] == ["2027-05-31", "2027-04-30"]
    assert "as recorded" in told.last["ending"]["steps"][1]["why"]
    assert max(told.invoices) == "2027-05-01"
