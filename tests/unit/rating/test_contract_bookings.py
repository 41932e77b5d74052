"""What a contract books is what the document of its account says."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from rating import account
from rating.account import AccountSpec
from rating.catalogue import CatalogueSpec
from rating.contract import facts, report
from rating.contract.edition import shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, history
from rating.contract.wish import Change

FOLDER = Path(__file__).parents[3] / "config/catalogues"


def booked(catalogue: str, *deeds: tuple[str, facts.Deed]) -> dict[str, Any]:
    """Tell what is booked at the end of 2027, and check it as an account's document."""
    read = [CatalogueSpec.model_validate(yaml.safe_load(one.read_text("utf-8"))) for one in FOLDER.glob("*")]
    events = [
        Fact(on=date.fromisoformat(day), minute=minute, deed=deed) for minute, (day, deed) in enumerate(deeds)
    ]
    past = history(events, shelf(read), Customer(catalogue=catalogue), date(2027, 12, 31))
    assert [one.outcome for one in past.answers] == ["accepted"] * len(events)
    values = report.of_account(past.states[-1])
    head = {"version": 1, "account": "a", "name": "a", "country": "DE"}
    document = AccountSpec.model_validate({**head, "time_zone": "Europe/Berlin", **values})
    assert account.check(document, read) == ()
    return values


def order(**wanted: Any) -> facts.Order:  # noqa: ANN401 — the fields of a change
    """Order a change."""
    return facts.Order(change=Change(**wanted))


def test_bundles_run_from_their_day_to_the_end_of_a_month() -> None:
    """Booked in mid-March, another size after it; the contract's end in mid-month ends it with the month."""
    values = booked(
        "autphone",
        ("2026-01-15", facts.Sign(change=Change())),
        ("2026-03-15", order(add={"dach-S": 1})),
        ("2026-04-01", order(add={"dach-M": 1})),
        ("2026-12-01", facts.Cancel()),
    )
    assert (values["catalogue"], values["moves"]) == ("autphone", [])
    assert values["bundles"] == [
        {"bundle": "dach", "size": "S", "from": "2026-03-15", "until": "2026-04-30"},
        {"bundle": "dach", "size": "M", "from": "2026-05-01", "until": "2027-01-31"},
    ]


@pytest.mark.parametrize(
    ("later", "until"),
    [((), None), ((("2026-06-10", order(choose={"calls": ("metered",)})),), "2026-06-30")],
)
def test_call_costs_are_bought_out_while_that_is_chosen(
    later: tuple[tuple[str, facts.Deed], ...], until: str | None
) -> None:
    """From the month after the order, until it is given up; changes of other choices do not interrupt it."""
    values = booked(
        "accensys",
        ("2026-01-15", facts.Sign(change=Change(choose={"care": ("self-managed",)}))),
        ("2026-03-10", order(choose={"calls": ("bought-out",)})),
        ("2026-04-10", order(choose={"care": ("managed",)})),
        *later,
    )
    assert values["buy_outs"] == [{"buy_out": "calls", "from": "2026-04-01", "until": until}]


def test_call_costs_are_not_bought_out_between_two_contracts() -> None:
    """Nobody pays for the time between the end of a contract and the day on which another one is signed."""
    sign = facts.Sign(change=Change(choose={"care": ("self-managed",), "calls": ("bought-out",)}))
    metered = facts.Sign(change=Change(choose={"care": ("self-managed",), "calls": ("metered",)}))
    values = booked("accensys", ("2026-01-15", sign), ("2026-03-10", facts.Cancel()), ("2027-10-10", metered))
    assert values["buy_outs"] == [{"buy_out": "calls", "from": "2026-01-15", "until": "2027-01-31"}]


def test_after_a_move_each_catalogue_books_what_it_has() -> None:
    """The bundle with which the new contract begins; the old one's buy-out to the end of its month."""
    values = booked(
        "openvoip",
        ("2026-01-01", facts.TopUp(amount_micro=50_000_000)),
        ("2026-01-01", facts.Sign(change=Change(add={"number": 1}))),
        ("2026-01-02", order(choose={"traffic": ("flat",)})),
        ("2026-02-10", facts.Move(catalogue="autphone", change=Change(add={"extension": 1, "dach-S": 1}))),
    )
    bundle = {"bundle": "dach", "size": "S", "from": "2026-02-11", "until": None}
    assert values["bundles"] == [bundle]
    assert values["buy_outs"] == [{"buy_out": "flat", "from": "2026-01-02", "until": "2026-02-28"}]


def test_a_move_that_is_agreed_ends_what_the_other_catalogue_does_not_have() -> None:
    """The account's document can say it ahead: the bundle goes with the month in which the contract ends."""
    signed = facts.Sign(change=Change(add={"extension": 1, "dach-S": 1}), signed_form=True)
    values = booked(
        "autphone",
        ("2027-03-01", signed),
        ("2027-03-02", facts.Move(catalogue="openvoip", change=Change(add={"number": 1}))),
    )
    assert values["moves"] == [{"catalogue": "openvoip", "from": "2028-03-01"}]
    assert values["bundles"] == [{"bundle": "dach", "size": "S", "from": "2027-03-01", "until": "2028-02-29"}]


def test_a_contract_keeps_its_currency() -> None:
    """A credit of 50 euros would go on as 50 francs."""
    read = [yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8")) for name in ("openvoip", "autphone")]
    read[1]["currency"] = "CHF"
    events = [
        Fact(on=date(2026, 1, 1), deed=facts.TopUp(amount_micro=50_000_000)),
        Fact(on=date(2026, 1, 1), minute=1, deed=facts.Sign(change=Change(add={"number": 1}))),
        Fact(
            on=date(2026, 2, 10), deed=facts.Move(catalogue="autphone", change=Change(add={"extension": 1}))
        ),
    ]
    offers = shelf([CatalogueSpec.model_validate(one) for one in read])
    past = history(events, offers, Customer(catalogue="openvoip"), date(2026, 12, 31))
    assert [refusal.code for refusal in past.answers[-1].refusals] == ["other-currency"]
