"""Rows 4.1 to 4.6: prepaid, no term, debited on the first, document 004."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Tell = Callable[..., Any]


def opened(credit: str = "100.00", on: str = "2026-04-01", more: str = "extension: 2, line: 1, ") -> str:
    """Write a top-up and a signing: 6.00 + 2 x 1.80 + 2.40 + 1.80 = 13.80 a month."""
    return f"  - {{on: {on}, top_up: '{credit}'}}\n  - {{on: {on}, sign: {{add: {{{more}number: 1}}}}}}\n"


@pytest.mark.row("4.1")
def test_row_4_1_cancelled_at_any_time_and_the_rest_is_paid_back(tell: Tell) -> None:
    """Ten days after signing: it ends that day, the month that has begun stays paid, the rest goes back."""
    events = "  - {on: 2026-04-05, calls: {amount: '1.25'}}\n  - {on: 2026-04-10, cancel: {}}\n"
    told = tell("openvoip", opened() + events, until="2026-06-01")
    assert told.last["ending"]["last"] == "2026-04-10"
    assert told.credit == [
        ("2026-04-01", "top-up", "100.00", "100.00"),
        ("2026-04-01", "order", "-13.80", "86.20"),
        ("2026-04-05", "calls", "-1.25", "84.95"),
        ("2026-04-11", "refund", "-84.95", "0.00"),
    ]
    assert told.invoices == {}


@pytest.mark.row("4.1")
def test_row_4_1_a_consumer_may_withdraw_and_gets_everything_but_calls_back(tell: Tell) -> None:
    """Within fourteen days nothing but calls is charged; companies give notice."""
    events = "  - {on: 2026-04-05, calls: {amount: '1.25'}}\n  - {on: 2026-04-15, withdraw: {}}\n"
    told = tell("openvoip", opened() + events, holder="private", until="2026-06-01")
    assert told.credit[-2:] == [
        ("2026-04-15", "taken-back", "13.80", "98.75"),
        ("2026-04-16", "refund", "-98.75", "0.00"),
    ]
    late = tell(
        "openvoip", opened() + "  - {on: 2026-04-16, withdraw: {}}\n", holder="private", until="2026-05-01"
    )
    assert late.why() == ["signed on 2026-04-01, it could be withdrawn from until 2026-04-15"]
    company = tell("openvoip", opened() + events, until="2026-05-01")
    assert company.why() == ["company customers cannot withdraw from openvoip@2026-01-01"]


@pytest.mark.row("4.1")
def test_row_4_1_withdrawn_in_the_next_month_the_first_one_comes_back_too(tell: Tell) -> None:
    """Signed in late April and withdrawn in May: half a month and a whole one are given back."""
    events = "  - {on: 2026-05-04, withdraw: {}}\n"
    told = tell("openvoip", opened(on="2026-04-21") + events, holder="private", until="2026-07-01")
    assert [one[1:] for one in told.credit] == [
        ("top-up", "100.00", "100.00"),
        ("order", "-4.60", "95.40"),
        ("debit", "-13.80", "81.60"),
        ("taken-back", "18.40", "100.00"),
        ("refund", "-100.00", "0.00"),
    ]


@pytest.mark.row("4.1")
@pytest.mark.parametrize("begins", ["2026-04-20", "2026-05-20"])
def test_row_4_1_cancelled_before_it_begins_it_costs_nothing(tell: Tell, begins: str) -> None:
    """What was taken in advance comes back before the rest is paid out, and nothing stays behind."""
    sign = f"sign: {{add: {{extension: 2, line: 1, number: 1}}, begins: {begins}}}"
    events = (
        "  - {on: 2026-04-10, top_up: '100.00'}\n"
        f"  - {{on: 2026-04-10, {sign}}}\n"
        "  - {on: 2026-04-12, cancel: {}}\n"
    )
    told = tell("openvoip", events, until="2026-08-01")
    assert told.credit[-1] == (begins, "refund", "-100.00", "0.00")
    assert [one[1] for one in told.credit[1:-1]] in (["order", "taken-back"], ["debit", "taken-back"])
    assert told.last["ending"]["steps"][0]["why"].startswith(
        "notice received on 2026-04-12, before it begins"
    )


@pytest.mark.row("4.2")
def test_row_4_2_another_holder_is_a_change_of_hands_by_ticket(tell: Tell) -> None:
    """Private customers and companies can sign; one becomes the other by ticket and nothing else changes."""
    events = (
        "  - {on: 2026-04-05, holder: {kind: company}}\n"
        "  - {on: 2026-04-05, at: '10:00', holder: {kind: company, ticket: T-4711}}\n"
        "  - {on: 2026-04-06, holder: {kind: company, ticket: T-4711, opened_by: Ada Rossi}}\n"
    )
    told = tell("openvoip", opened() + events, holder="private", until="2026-06-01")
    assert told.answers[-3:] == ["refused", "refused", "accepted"]
    assert told.why(-3) == ["another holder is a change of hands, which is requested by ticket"]
    assert told.why(-2) == ["nobody is named who opened ticket T-4711"]
    assert told.last["dates"]["holder"]["day"] == "2026-04-06"
    assert told.state["holder"] == "company"
    assert [one[2] for one in told.credit] == ["100.00", "-13.80", "-13.80", "-13.80"]


@pytest.mark.row("4.3")
def test_row_4_3_a_number_is_needed_and_the_last_one_stays(tell: Tell) -> None:
    """Without a number nothing is signed and nothing charged; porting may be asked for later."""
    events = (
        "  - {on: 2026-04-01, top_up: '100.00'}\n"
        "  - {on: 2026-04-01, sign: {add: {extension: 2}}}\n"
        "  - {on: 2026-04-02, sign: {add: {number: 1}}}\n"
        "  - {on: 2026-04-03, order: {add: {porting: 1}}}\n"
        "  - {on: 2026-04-04, order: {remove: {number: 1}}}\n"
    )
    told = tell("openvoip", events, until="2026-04-30")
    assert told.answers == ["accepted", "refused", "accepted", "accepted", "refused"]
    assert told.why(1) == ["0 number are ordered, and 1 are needed"]
    assert told.why() == ["1 number are there and 1 must stay"]


@pytest.mark.row("4.4")
def test_row_4_4_the_debit_may_make_a_debt_and_then_nothing_is_cancelled(tell: Tell) -> None:
    """13.80 of 14.00, again a month later: the debt is paid before the contract ends; 0.00 suffices."""
    events = (
        "  - {on: 2026-05-10, cancel: {}}\n"
        "  - {on: 2026-05-11, top_up: '13.59'}\n"
        "  - {on: 2026-05-11, at: '10:00', cancel: {}}\n"
        "  - {on: 2026-05-12, top_up: '0.01'}\n"
        "  - {on: 2026-05-12, at: '10:00', cancel: {}}\n"
    )
    told = tell("openvoip", opened("14.00") + events, until="2026-07-01")
    assert told.credit[2] == ("2026-05-01", "debit", "-13.80", "-13.60")
    assert told.answers[2:] == ["refused", "accepted", "refused", "accepted", "accepted"]
    assert told.why(2) == ["the credit is 13.60 below zero"]
    assert told.state["balance"] == "0.00"
    assert told.state["ended"]


@pytest.mark.row("4.4")
def test_row_4_4_services_renew_by_themselves_but_calls_and_orders_make_no_debt(tell: Tell) -> None:
    """With a debt the debits go on; calls take nothing more and an upgrade is refused."""
    events = "  - {on: 2026-05-10, calls: {amount: '2.00'}}\n  - {on: 2026-05-11, order: {add: {blf: 1}}}\n"
    told = tell("openvoip", opened("14.00") + events, until="2026-07-01")
    assert told.values["events"][2]["charged"] == "0.00"
    assert told.answers[-1] == "refused"
    assert [one[3] for one in told.credit if one[1] == "debit"] == ["-13.60", "-27.40", "-41.20"]


@pytest.mark.row("4.4")
def test_row_4_4_calls_end_where_the_credit_does(tell: Tell) -> None:
    """Of calls for 0.50 a credit of 0.20 pays 0.20."""
    told = tell(
        "openvoip", opened("14.00") + "  - {on: 2026-04-10, calls: {amount: '0.50'}}\n", until="2026-04-30"
    )
    assert told.last["charged"] == "0.20"
    assert told.state["balance"] == "0.00"


@pytest.mark.row("4.4")
def test_row_4_4_what_rated_calls_took_is_taken_in_whole(tell: Tell) -> None:
    """It has happened: 0.50 of 0.20, and 1.00 paid into the account; a catalogue that invoices has none."""
    events = "  - {on: 2026-04-10, ledger: {calls: '0.50', paid: '1.00'}}\n"
    told = tell("openvoip", opened("14.00") + events, until="2026-04-30")
    assert told.credit[-2:] == [
        ("2026-04-10", "paid", "1.00", "1.20"),
        ("2026-04-10", "rated", "-0.50", "0.70"),
    ]
    events = "  - {on: 2026-04-10, ledger: {calls: '0.50'}}\n"
    below = tell("openvoip", opened("14.00") + events, until="2026-04-30")
    assert below.state["balance"] == "-0.30"
    signed = "  - {on: 2026-01-15, sign: {add: {extension: 4}}}\n"
    assert tell("autphone", signed + events, until="2026-04-30").why() == [
        "autphone@2026-01-01 is paid by invoice"
    ]


@pytest.mark.row("4.5")
@pytest.mark.parametrize(
    ("upgrade", "at_once", "down", "rights"),
    [
        ("choose: {traffic: flat}", "9.60", "choose: {traffic: pay-as-you-go}", {}),
        ("choose: {pbx: advanced}", "2.00", "choose: {pbx: standard}", {}),
        (
            "add: {extension: 1}",
            "1.20",
            "remove: {extension: 1}",
            {"limits": {"extensions": 3, "incoming-lines": 1}},
        ),
        ("add: {line: 1}", "1.60", "remove: {line: 1}", {"limits": {"extensions": 2, "incoming-lines": 2}}),
        ("add: {blf: 1}", "0.80", "remove: {blf: 1}", {"features": ["blf"]}),
        ("add: {fax: 1}", "2.40", "remove: {fax: 1}", {"features": ["virtual-fax"]}),
    ],
)
def test_row_4_5_an_upgrade_is_paid_and_active_at_once_a_downgrade_stops_with_the_month(
    tell: Tell, upgrade: str, at_once: str, down: str, rights: dict[str, Any]
) -> None:
    """On the 11th of April 20 of 30 days are paid; given up on the 20th it costs nothing from May on."""
    events = f"  - {{on: 2026-04-11, order: {{{upgrade}}}}}\n"
    told = tell("openvoip", opened() + events, until="2026-04-12")
    assert told.credit[-1] == ("2026-04-11", "order", f"-{at_once}", str(Decimal("86.20") - Decimal(at_once)))
    assert rights.items() <= told.state["rights"].items()
    events += f"  - {{on: 2026-04-20, order: {{{down}}}}}\n"
    after = tell("openvoip", opened() + events, until="2026-05-01")
    assert after.credit[-1][1:3] == ("debit", "-13.80")
    assert [one[0] for one in after.credit] == ["2026-04-01", "2026-04-01", "2026-04-11", "2026-05-01"]


@pytest.mark.row("4.5")
def test_row_4_5_an_upgrade_without_credit_is_refused_with_what_is_missing(tell: Tell) -> None:
    """0.20 is left, 9.60 would be needed: 9.40 are missing, nothing changes; signing is held to the same."""
    told = tell(
        "openvoip",
        opened("14.00") + "  - {on: 2026-04-11, order: {choose: {traffic: flat}}}\n",
        until="2026-04-30",
    )
    assert told.answers[-1] == "refused"
    assert told.last["quote"]["missing"] == "9.40"
    assert told.why() == ["the credit lacks 9.40"]
    assert told.state["choices"]["traffic"] == "pay-as-you-go"
    assert tell("openvoip", opened("13.00"), until="2026-04-30").why() == ["the credit lacks 0.80"]


@pytest.mark.row("4.5")
def test_row_4_5_credit_is_gross_and_vat_is_shown(tell: Tell) -> None:
    """13.80 hold 2.49 of VAT at 22 %."""
    told = tell("openvoip", opened(), until="2026-04-30")
    debit = told.values["credit"][1]
    assert (debit["amount"], debit["net"], debit["vat"]) == ("-13.80", "11.31", "2.49")


@pytest.mark.row("4.5")
@pytest.mark.parametrize("event", ["calls: {amount: '0.019'}", "ledger: {calls: '0.019'}"])
def test_row_4_5_vat_is_in_what_calls_take(tell: Tell, event: str) -> None:
    """A minute for 0.019 takes 0.019 of the credit, of which 0.003426 are VAT; what is paid in has none."""
    told = tell("openvoip", opened() + f"  - {{on: 2026-04-10, {event}}}\n", until="2026-04-30")
    top_up, calls = told.values["credit"][0], told.values["credit"][-1]
    assert (calls["amount"], calls["net"], calls["vat"]) == ("-0.019000", "0.015574", "0.003426")
    assert not {"net", "vat"} & top_up.keys()


@pytest.mark.row("4.6")
def test_row_4_6_services_are_debited_on_the_first_of_each_month(tell: Tell) -> None:
    """Signed on the 16th: half of April at once, whole months on each first."""
    told = tell("openvoip", opened(on="2026-04-16"), until="2026-07-15")
    assert [one[:3] for one in told.credit[1:]] == [
        ("2026-04-16", "order", "-6.90"),
        ("2026-05-01", "debit", "-13.80"),
        ("2026-06-01", "debit", "-13.80"),
        ("2026-07-01", "debit", "-13.80"),
    ]
