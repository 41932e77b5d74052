"""What a credit lacks, and what costs nothing: no cents that nobody can pay, no rights that nobody pays."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from rating.catalogue import CatalogueSpec
from rating.contract import facts
from rating.contract.edition import shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, History, history
from rating.contract.lacking import fraction, is_debt, missing
from rating.contract.quote import quote
from rating.contract.state import rights
from rating.contract.wish import Change

FOLDER = Path(__file__).parents[3] / "config/catalogues"
SEAT = {
    "name": dict.fromkeys(("de", "en", "it", "nl"), "Analytics"),
    "price_per_month": "5.00",
    "when": {"edition": "pro"},
    "grants": {"seats": 1},
}
PRO = facts.Sign(change=Change(add={"seat": 4}, choose={"size": ("5",), "edition": ("pro",)}))
CLASSIC = Change(choose={"edition": ("classic",)})


def told(values: Any, until: str, *deeds: tuple[str, facts.Deed]) -> History:  # noqa: ANN401 — YAML
    """Tell what happened under one catalogue."""
    events = [
        Fact(on=date.fromisoformat(day), minute=minute, deed=deed) for minute, (day, deed) in enumerate(deeds)
    ]
    offers = shelf([CatalogueSpec.model_validate(values)])
    return history(events, offers, Customer(catalogue=values["catalogue"]), date.fromisoformat(until))


def shipped(catalogue: str) -> Any:  # noqa: ANN401 — YAML
    """Read a catalogue as it is written."""
    return yaml.safe_load((FOLDER / f"{catalogue}.yaml").read_text("utf-8"))


def with_seats() -> Any:  # noqa: ANN401 — YAML
    """Give a catalogue whose seats are sold with one edition alone."""
    values = shipped("easybell")
    values["offer"]["products"]["seat"] = SEAT
    return values


def test_what_is_no_longer_sold_grants_nothing() -> None:
    """Seats that the lower edition does not charge are not there from its first day on."""
    past = told(with_seats(), "2026-10-02", ("2026-06-01", PRO), ("2026-07-10", facts.Order(change=CLASSIC)))
    assert [one.outcome for one in past.answers] == ["accepted", "accepted"]
    limits = [
        rights(past.on(date(2026, month, 2)), date(2026, month, 2)).limits["seats"] for month in (7, 10)
    ]
    assert limits == [4, 0]


def test_what_is_no_longer_sold_and_in_use_is_given_up_first() -> None:
    """The lower edition would take used seats away: it says so before the order."""
    used = facts.Use(counts={"seats": 3})
    past = told(with_seats(), "2026-07-10", ("2026-06-01", PRO), ("2026-06-02", used))
    made = quote(
        past.states[-1], CLASSIC, shelf([CatalogueSpec.model_validate(with_seats())]), date(2026, 7, 10)
    )
    assert [one.remedy for one in made.plan.refusals] == ["remove 3 seats first"]


@pytest.mark.parametrize(
    ("calls_micro", "outcome"), [(10_000, "refused"), (9_999, "accepted"), (1, "accepted"), (0, "accepted")]
)
def test_less_than_a_cent_below_zero_holds_nobody(calls_micro: int, outcome: str) -> None:
    """A cent of debt is paid before notice; a micro of it could not be."""
    sign = ("2026-01-01", facts.Sign(change=Change(add={"number": 1})))
    credit = told(shipped("openvoip"), "2026-01-01", ("2026-01-01", facts.TopUp(amount_micro=10**8)), sign)
    spent = 10**8 - credit.states[-1].balance_micro
    past = told(
        shipped("openvoip"),
        "2026-01-05",
        ("2026-01-01", facts.TopUp(amount_micro=spent)),
        sign,
        ("2026-01-02", facts.Ledger(calls_micro=calls_micro or -1)),
        ("2026-01-05", facts.Cancel()),
    )
    assert past.answers[-1].outcome == outcome


@pytest.mark.parametrize(
    ("balance_micro", "debt", "rest_micro"),
    [(-10_001, True, 9_999), (-10_000, True, 0), (-9_999, False, 1), (0, False, 0), (19_999, False, 9_999)],
)
def test_a_debt_is_a_cent_at_least(balance_micro: int, rest_micro: int, *, debt: bool) -> None:
    """What is less can neither be paid in nor out."""
    assert (is_debt(balance_micro), fraction(balance_micro)) == (debt, rest_micro)


def test_what_is_lacking_is_paid_in_cents() -> None:
    """Whoever lacks a part of a cent tops up the whole one."""
    assert 'top_up: "0.02"' in missing(10_001).remedy
