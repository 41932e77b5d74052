"""Rows 0.1 to 0.12: the postpaid, monthly system, document 000."""

from collections.abc import Callable
from typing import Any

import pytest

Tell = Callable[..., Any]
SIGNED = "  - {on: 2026-06-16, sign: {add: {user: 3}, choose: {package: basic}, signed_form: form.pdf}}\n"


@pytest.mark.row("0.1")
def test_row_0_1_an_order_counts_with_its_signed_copy(tell: Tell) -> None:
    """An order without the signed form is refused and charges nothing; with it, it counts from then on."""
    told = tell(
        "cloudpbx",
        "  - {on: 2026-06-10, sign: {add: {user: 3}, choose: {package: basic}}}\n" + SIGNED,
        until="2026-07-01",
    )
    assert told.answers == ["refused", "accepted"]
    assert told.why(0) == ["the signed copy of the order form is missing"]
    assert told.state["first"] == "2026-06-16"


@pytest.mark.row("0.2")
@pytest.mark.parametrize(
    ("ordered", "region", "ready"),
    [
        ("2026-06-01", "BY", "2026-06-03"),
        ("2026-06-02", "BY", "2026-06-05"),  # 4 June is Corpus Christi there
        ("2026-06-02", "HH", "2026-06-04"),
        ("2026-06-05", "HH", "2026-06-09"),  # over a weekend
    ],
)
def test_row_0_2_ready_in_two_working_days_and_ported_when_the_old_contract_ends(
    tell: Tell, ordered: str, region: str, ready: str
) -> None:
    """The order shows by when it is ready, in working days of the region, and apart from it the porting."""
    sign = (
        "add: {user: 3, porting: 1}, choose: {package: basic}, signed_form: x, old_contract_ends: 2026-08-28"
    )
    told = tell("cloudpbx", f"  - {{on: {ordered}, sign: {{{sign}}}}}\n", region=region, until="2026-07-01")
    dates = told.last["dates"]
    assert dates["ready-by"]["day"] == ready
    assert dates["porting"]["day"] == "2026-08-31"  # the 28th is a Friday
    assert "old contract runs until 2026-08-28" in dates["porting"]["why"]


@pytest.mark.row("0.4")
def test_row_0_4_the_month_before_is_invoiced_on_the_first_once(tell: Tell) -> None:
    """Fees and calls of a month stand on one invoice, made on the first of the next."""
    calls = (
        "  - {on: 2026-07-05, calls: {amount: '1.234567'}}\n  - {on: 2026-07-31, calls: {amount: '2.00'}}\n"
    )
    told = tell("cloudpbx", SIGNED + calls, until="2026-09-01")
    assert told.invoices == {"2026-07-01": "7.35", "2026-08-01": "17.93", "2026-09-01": "14.70"}
    lines = told.values["invoices"][1]["lines"]
    assert [(line["kind"], line["amount"]) for line in lines] == [("month", "14.70"), ("calls", "3.23")]


@pytest.mark.row("0.5")
def test_row_0_5_a_month_that_has_begun_is_charged_in_part(tell: Tell) -> None:
    """Ordered on the 16th of June: 15 of 30 days of three users at 4.90."""
    told = tell("cloudpbx", SIGNED, until="2026-07-01")
    (line,) = told.values["invoices"][0]["lines"]
    assert (line["quantity"], line["days"], line["of_days"], line["amount"]) == (3, 15, 30, "7.35")


@pytest.mark.row("0.7")
def test_row_0_7_a_user_costs_from_the_month_of_creation_in_full(tell: Tell) -> None:
    """A user created on the 20th of July costs July in full, nothing before and nothing for setting up."""
    told = tell("cloudpbx", SIGNED + "  - {on: 2026-07-20, order: {add: {user: 1}}}\n", until="2026-09-01")
    assert told.invoices == {"2026-07-01": "7.35", "2026-08-01": "19.60", "2026-09-01": "19.60"}
    assert told.limits("2026-07-20") == {"extensions": 4}


@pytest.mark.row("0.8")
def test_row_0_8_only_new_numbers_and_terminals_cost_something_once(tell: Tell) -> None:
    """Provision, porting and temporary numbers cost nothing; new numbers and terminals do, once."""
    add = "user: 1, number: 2, temporary-number: 3, porting: 3, terminal-desk: 1"
    sign = f"{{add: {{{add}}}, choose: {{package: basic}}, signed_form: x}}"
    told = tell("cloudpbx", f"  - {{on: 2026-06-01, sign: {sign}}}\n", until="2026-08-01")
    once = [
        (line["product"], line["amount"])
        for one in told.values["invoices"]
        for line in one["lines"]
        if line["kind"] == "once"
    ]
    assert sorted(once) == [("number", "10.00"), ("terminal-desk", "89.00")]
    assert told.invoices == {"2026-07-01": "103.90", "2026-08-01": "4.90"}


@pytest.mark.row("0.9")
def test_row_0_9_there_is_no_contract_period(tell: Tell) -> None:
    """A contract that was signed last week can be given up like any other."""
    told = tell("cloudpbx", SIGNED + "  - {on: 2026-06-23, cancel: {}}\n", until="2026-09-01")
    assert [step["rule"] for step in told.last["ending"]["steps"]] == ["received", "notice", "month-end"]
    assert told.last["ending"]["last"] == "2026-07-31"
    assert told.invoices == {"2026-07-01": "7.35", "2026-08-01": "14.70"}


@pytest.mark.row("0.10")
def test_row_0_10_all_users_are_in_the_same_package(tell: Tell) -> None:
    """A mixed order is refused with the reason, at signing and later."""
    mixed = "  - {on: 2026-06-15, sign: {add: {user: {basic: 3, plus: 2}}, signed_form: x}}\n"
    later = "  - {on: 2026-06-17, order: {add: {user: {basic: 1, plus: 1}}}}\n"
    told = tell("cloudpbx", mixed + SIGNED + later, until="2026-07-01")
    assert told.answers == ["refused", "accepted", "refused"]
    assert told.why(0) == told.why(2) == ["All users are always in the same package"]


@pytest.mark.row("0.11")
def test_row_0_11_an_upgrade_is_charged_by_the_day_from_its_own_day(tell: Tell) -> None:
    """Plus from the 11th of July: ten days of Basic and 21 of Plus for all three users."""
    told = tell(
        "cloudpbx", SIGNED + "  - {on: 2026-07-11, order: {choose: {package: plus}}}\n", until="2026-09-01"
    )
    lines = [(line["days"], line["price"], line["amount"]) for line in told.values["invoices"][1]["lines"]]
    assert lines == [(10, "4.90", "4.74"), (21, "7.90", "16.05")]
    assert told.invoices["2026-09-01"] == "23.70"


@pytest.mark.row("0.11")
@pytest.mark.parametrize(
    ("change", "ordered", "begins"),
    [
        ("choose: {package: basic}", "2026-08-01", "2026-09-01"),
        ("choose: {package: basic}", "2026-08-02", "2026-10-01"),
        ("remove: {user: 1}", "2026-08-01", "2026-09-01"),
        ("remove: {user: 1}", "2026-08-02", "2026-10-01"),
    ],
)
def test_row_0_11_less_is_possible_at_a_month_end_with_30_days_of_notice(
    tell: Tell, change: str, ordered: str, begins: str
) -> None:
    """The day is worked out and shown in the quote, before anything is ordered."""
    events = (
        "  - {on: 2026-07-11, order: {choose: {package: plus}}}\n"
        f"  - {{on: {ordered}, quote: {{label: less, {change}}}}}\n"
    )
    told = tell("cloudpbx", SIGNED + events, until="2026-12-01")
    (part,) = told.last["quote"]["changes"]
    assert part["begins"] == told.last["quote"]["effective"] == begins
    assert [step["rule"] for step in part["steps"]] == ["received", "notice", "month-end"]
    assert told.state["products"]["user"] == 3
    assert told.state["choices"]["package"] == "plus"


@pytest.mark.row("0.11")
def test_row_0_11_what_was_ordered_happens_on_its_day_and_not_before(tell: Tell) -> None:
    """A user given up on the 2nd of August costs until the end of September."""
    told = tell("cloudpbx", SIGNED + "  - {on: 2026-08-02, order: {remove: {user: 1}}}\n", until="2026-11-01")
    assert told.invoices["2026-10-01"] == "14.70"
    assert told.invoices["2026-11-01"] == "9.80"


@pytest.mark.row("0.11")
def test_row_0_11_the_last_user_stays(tell: Tell) -> None:
    """Fewer users than one is a cancellation, and is said to be none of this."""
    told = tell("cloudpbx", SIGNED + "  - {on: 2026-08-02, order: {remove: {user: 3}}}\n", until="2026-11-01")
    assert told.why() == ["3 user are there and 1 must stay"]


@pytest.mark.row("0.12")
@pytest.mark.parametrize(
    ("received", "last"),
    [("2026-07-01", "2026-07-31"), ("2026-07-02", "2026-08-31"), ("2026-08-31", "2026-09-30")],
)
def test_row_0_12_notice_is_30_days_to_the_end_of_a_month(tell: Tell, received: str, last: str) -> None:
    """The day of notice is not counted; the contract ends at the first month end behind 30 days."""
    told = tell("cloudpbx", SIGNED + f"  - {{on: {received}, cancel: {{}}}}\n", until="2026-12-01")
    assert told.last["ending"]["last"] == last
    assert told.state["ended"]
    assert max(told.invoices) <= "2026-10-01"
