"""Row X.5, and what holds for every catalogue."""

from collections.abc import Callable
from typing import Any

import pytest

Tell = Callable[..., Any]
OPENED = (
    "  - {on: 2026-04-01, top_up: '100.00'}\n  - {on: 2026-04-01, sign: {add: {extension: 3, number: 1}}}\n"
)


@pytest.mark.row("X.5")
def test_row_x_5_from_prepaid_to_invoices(tell: Tell) -> None:
    """It ends on the day it is asked for, the rest of the credit goes back, and the next day is invoiced."""
    move = "  - {on: 2026-04-20, move: {catalogue: autphone, add: {extension: 3}}}\n"
    told = tell("openvoip", OPENED + move, others=("autphone",), until="2026-06-01")
    assert told.credit[-1] == ("2026-04-21", "refund", "-86.80", "0.00")
    assert told.invoices == {"2026-05-01": "6.50", "2026-06-01": "19.50"}  # ten of thirty days in April
    assert told.state["catalogue"] == "autphone@2026-01-01"
    assert told.state["first"] == "2026-04-21"
    assert told.values["account"] == {
        "catalogue": "openvoip",
        "moves": [{"catalogue": "autphone", "from": "2026-04-21"}],
        "bundles": [],
        "buy_outs": [],
    }


@pytest.mark.row("X.5")
def test_row_x_5_what_was_paid_in_for_a_move_stays(tell: Tell) -> None:
    """The move lacks money on its day and is held back; when the old contract ends, calls may have had it."""
    events = (
        "  - {on: 2026-04-01, sign: {add: {extension: 3}}}\n"
        "  - {on: 2026-04-20, move: {catalogue: openvoip, add: {extension: 2, line: 1, number: 1}}}\n"
        "  - {on: 2026-05-01, top_up: '10.00'}\n"
        "  - {on: 2027-05-01, cancel: {}}\n"
    )
    told = tell("autphone", events, others=("openvoip",), until="2028-06-01")
    assert [(what, amount) for _, what, amount, _ in told.credit] == [("top-up", "10.00")]
    assert told.state["catalogue"] == "autphone@2026-01-01"


@pytest.mark.row("X.5")
def test_row_x_5_not_before_the_old_contract_can_end(tell: Tell) -> None:
    """A year's term holds: the other catalogue begins on the day after it, with its own choices."""
    signed = "  - {on: 2026-01-15, sign: {add: {extension: 10}}}\n"
    move = (
        "  - {on: 2026-03-01, move: {catalogue: cloudpbx, add: {user: 10}, choose: {package: plus}"
        ", signed_form: form.pdf}}\n"
        "  - {on: 2027-01-20, order: {add: {user: 1}}}\n"
    )
    told = tell("autphone", signed + move, others=("cloudpbx",), until="2027-03-01")
    assert told.values["events"][1]["ending"]["last"] == "2027-01-14"
    january = [one["lines"] for one in told.values["invoices"] if one["on"] == "2027-02-01"]
    amounts = {(line["product"], line["days"]): line["amount"] for lines in january for line in lines}
    assert amounts == {("extension", 14): "29.35", ("user", 17): "43.32", ("user", 31): "7.90"}
    assert told.invoices["2027-03-01"] == "86.90"


@pytest.mark.row("X.5")
def test_row_x_5_what_is_in_use_moves_only_where_it_fits(tell: Tell) -> None:
    """Too many extensions are removed first; devices, of which the other catalogue says nothing, may stay."""
    move = "  - {on: 2026-04-20, move: {catalogue: cloudpbx, add: {user: 5}, choose: {package: plus}"
    events = (
        "  - {on: 2026-03-01, sign: {choose: {size: '10', edition: pro}}}\n"
        "  - {on: 2026-03-02, use: {counts: {extensions: 8, devices: 9}, features: [analytics]}}\n"
        f"{move}, signed_form: form.pdf}}}}\n"
        "  - {on: 2026-04-21, use: {counts: {extensions: 5, devices: 9}, features: [analytics]}}\n"
        f"{move.replace('04-20', '04-22')}, signed_form: form.pdf}}}}\n"
    )
    told = tell("easybell", events, others=("cloudpbx",), until="2026-09-01")
    assert told.why(2) == ["8 extensions are in use, and 5 would be allowed"]
    assert told.answers == ["accepted", "accepted", "refused", "accepted", "accepted"]
    assert told.state["catalogue"] == "cloudpbx@2026-01-01"


@pytest.mark.row("X.5")
def test_row_x_5_a_move_is_held_back_by_what_is_in_use_on_its_day(tell: Tell) -> None:
    """More extensions came meanwhile: the old contract goes on, is charged, and can move later."""
    move = "move: {catalogue: cloudpbx, add: {user: 5}, choose: {package: plus}, signed_form: form.pdf}}\n"
    events = (
        "  - {on: 2026-03-01, sign: {choose: {size: '10', edition: pro}}}\n"
        f"  - {{on: 2026-04-20, {move}"
        "  - {on: 2026-04-21, use: {counts: {extensions: 8}}}\n"
    )
    told = tell("easybell", events, others=("cloudpbx",), until="2026-09-01")
    assert told.answers == ["accepted"] * 3
    held = next(one for one in told.values["happened"] if one["what"] == "held-back")
    assert held["on"] == "2026-06-01"
    assert [one["message"] for one in held["refusals"]] == ["8 extensions are in use, and 5 would be allowed"]
    assert [one["why"] for one in held["steps"]] == [
        "does not move to cloudpbx@2026-01-01: easybell@2026-01-01 goes on from 2026-06-01"
    ]
    assert (told.state["catalogue"], told.state["ending"]) == ("easybell@2026-01-01", None)
    assert told.invoices["2026-08-01"] == told.invoices["2026-05-01"]
    again = (
        events + f"  - {{on: 2026-09-01, use: {{counts: {{extensions: 5}}}}}}\n  - {{on: 2026-09-02, {move}"
    )
    told = tell("easybell", again, others=("cloudpbx",), until="2027-03-01")
    assert told.answers == ["accepted"] * 5
    assert told.state["catalogue"] == "cloudpbx@2026-01-01"


@pytest.mark.row("X.5")
def test_row_x_5_a_debt_is_paid_first(tell: Tell) -> None:
    """Who owes something cannot move away from it."""
    opened = OPENED.replace("100.00", "14.00")
    move = "  - {on: 2026-05-20, move: {catalogue: autphone}}\n"
    told = tell("openvoip", opened + move, others=("autphone",), until="2026-06-01")
    assert told.answers[-1] == "refused"
    assert told.state["catalogue"] == "openvoip@2026-01-01"


@pytest.mark.row("X.5")
def test_row_x_5_what_the_other_catalogue_needs_is_asked_for(tell: Tell) -> None:
    """A choice without default must be made; until then nothing moves."""
    move = "  - {on: 2026-04-20, move: {catalogue: accensys, add: {device: 3}}}\n"
    told = tell("openvoip", OPENED + move, others=("accensys",), until="2026-06-01")
    assert told.why() == ["nothing says which care"]


@pytest.mark.row("X.5")
def test_row_x_5_the_other_catalogues_form_is_signed_too(tell: Tell) -> None:
    """A move is an order of the other provider's: where its form has to be signed, nothing moves without."""
    move = "  - {on: 2026-04-20, move: {catalogue: cloudpbx, add: {user: 3}, choose: {package: basic}}}\n"
    told = tell("openvoip", OPENED + move, others=("cloudpbx",), until="2026-06-01")
    assert told.why() == ["the signed copy of the order form is missing"]
    assert told.state["catalogue"] == "openvoip@2026-01-01"


CLOUD = "  - {on: 2026-01-01, sign: {add: {user: 1}, choose: {package: basic}, signed_form: form.pdf}}\n"
INTO_CREDIT = "  - {on: 2026-01-10, move: {catalogue: openvoip, add: {number: 1, extension: 50}}}\n"


@pytest.mark.row("X.5")
def test_row_x_5_a_move_into_a_credit_is_paid_on_its_day(tell: Tell) -> None:
    """Like a signing it never takes a credit below zero: who has not paid in by then stays, and can again."""
    told = tell("cloudpbx", CLOUD + INTO_CREDIT, others=("openvoip",), until="2026-05-01")
    held = next(one for one in told.values["happened"] if one["what"] == "held-back")
    lacks = [one["message"] for one in held["refusals"]]
    assert (told.credit, told.state["catalogue"], len(lacks)) == ([], "cloudpbx@2026-01-01", 1)
    assert lacks[0].startswith("the credit lacks ")
    amount, on = lacks[0].removeprefix("the credit lacks "), held["on"]
    paid = f"  - {{on: 2026-01-12, top_up: '{amount}'}}\n"
    told = tell("cloudpbx", CLOUD + INTO_CREDIT + paid, others=("openvoip",), until="2026-03-02")
    assert told.credit[:2] == [
        ("2026-01-12", "top-up", amount, amount),
        (on, "debit", f"-{amount}", "0.00"),
    ]
    assert told.state["catalogue"] == "openvoip@2026-01-01"


@pytest.mark.row("X.5")
def test_row_x_5_a_credit_goes_along_from_one_contract_to_the_next(tell: Tell) -> None:
    """Nothing is due back between two contracts on credit; what lacks for the second one refuses the move."""
    move = "  - {on: 2026-04-20, move: {catalogue: openvoip, add: {number: 1, extension: %s}}}\n"
    told = tell("openvoip", OPENED + move % 3, until="2026-04-30")
    assert {what for _, what, _, _ in told.credit} <= {"top-up", "order", "debit", "taken-back"}
    assert told.credit[-1][0] == "2026-04-21"
    told = tell("openvoip", OPENED + move % 500, until="2026-04-30")
    assert (told.answers[-1], told.why()[0][:17]) == ("refused", "the credit lacks ")
    assert told.state["first"] == "2026-04-01"


@pytest.mark.row("4.4")
def test_row_4_4_less_than_a_cent_is_neither_paid_back_nor_a_debt(tell: Tell) -> None:
    """What calls have left of a cent is written off under its own name; a micro below zero holds nobody."""
    calls = "  - {on: 2026-04-02, calls: {amount: '0.012345'}}\n"
    told = tell("openvoip", OPENED + calls + "  - {on: 2026-04-20, cancel: {}}\n", until="2026-06-01")
    (_, last, fraction, _), (_, refund, amount, left) = told.credit[-2:]
    assert (last, refund, fraction, left) == ("fraction", "refund", "-0.007655", "0.00")
    assert len(amount.partition(".")[2]) == 2
