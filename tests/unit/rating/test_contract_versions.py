"""Who stays on the version he signed, and who goes on to another one."""

from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from rating.catalogue import CatalogueSpec
from rating.contract import facts
from rating.contract.edition import Shelf, in_force, shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, History, history
from rating.contract.state import choices
from rating.contract.wish import Change

CATALOGUE = Path(__file__).parents[3] / "config/catalogues/cloudpbx.yaml"
WORDS = dict.fromkeys(("de", "en", "it", "nl"), "Support")
SIGN = facts.Sign(change=Change(add={"user": 2}, choose={"package": ("basic",)}), signed_form=True)


def versions(**changed: Any) -> Shelf:  # noqa: ANN401 — values of a document
    """Lay out the catalogue and a version of July in which Plus costs a euro more."""
    first: Any = yaml.safe_load(CATALOGUE.read_text("utf-8"))
    second = deepcopy(first)
    second["valid_from"] = date(2026, 7, 1)
    second["offer"]["products"]["user"]["prices"][0]["price_per_month"] = "5.90"
    second["offer"]["products"]["user"]["prices"][1]["price_per_month"] = "8.90"
    for product in changed.get("without", ()):
        del second["offer"]["products"][product]
    second["offer"]["choices"] |= changed.get("choices", {})
    return shelf([CatalogueSpec.model_validate(values) for values in (second, first)])


def told(offers: Shelf, *later: tuple[str, facts.Deed]) -> History:
    """Tell of two users since June and what came later, until the end of the year."""
    events = [Fact(on=date(2026, 6, 1), deed=SIGN)]
    events += [Fact(on=date.fromisoformat(day), deed=deed) for day, deed in later]
    return history(events, offers, Customer(catalogue="cloudpbx"), date(2026, 12, 31))


def test_a_version_is_in_force_from_its_day_on() -> None:
    """Before the first one there is none; the order of the documents says nothing."""
    editions = versions()["cloudpbx"]
    assert in_force(editions, date(2025, 12, 31)) is None
    named = [in_force(editions, date(2026, month, 30)) for month in (6, 7)]
    assert [one.name if one else "" for one in named] == ["cloudpbx@2026-01-01", "cloudpbx@2026-07-01"]


@pytest.mark.parametrize(
    ("change", "version", "price"),
    [
        (Change(add={"user": 1}), "cloudpbx@2026-01-01", 14_700_000),
        (Change(choose={"package": ("plus",)}), "cloudpbx@2026-07-01", 17_800_000),
        (Change(newest=True), "cloudpbx@2026-07-01", 11_800_000),
        (Change(add={"user": 1}, newest=True), "cloudpbx@2026-07-01", 17_700_000),
    ],
)
def test_who_changes_a_choice_or_asks_goes_on(change: Change, version: str, price: int) -> None:
    """More units stay at the price that was signed; another option is by the version of its day."""
    past = told(versions(), ("2026-08-01", facts.Order(change=change)))
    assert past.answers[-1].outcome == "accepted"
    made = past.answers[-1].quote
    assert made is not None
    assert made.price_after_micro == price
    assert past.states[-1].edition.name == version


def test_a_quote_says_that_the_version_changes() -> None:
    """Nobody goes on to other prices without having seen it."""
    past = told(versions(), ("2026-08-01", facts.Order(change=Change(choose={"package": ("plus",)}))))
    made = past.answers[-1].quote
    assert made is not None
    assert [part.steps[0].rule for part in made.plan.parts] == ["at-once", "version"]


def test_what_another_version_lost_is_given_up_first() -> None:
    """A contract with a product that the new version has no longer does not lose it silently."""
    sign_number = ("2026-06-02", facts.Order(change=Change(add={"temporary-number": 1})))
    go_on = ("2026-08-01", facts.Order(change=Change(newest=True)))
    past = told(versions(without=["temporary-number"]), sign_number, go_on)
    assert [one.code for one in past.answers[-1].refusals] == ["version-lost"]
    assert past.states[-1].edition.name == "cloudpbx@2026-01-01"


SUPPORT = {
    "name": WORDS,
    "up": {"begins": "at-once"},
    "down": {"ends": "month-end"},
    "options": {"mail": {"name": WORDS}, "phone": {"name": WORDS}},
}


@pytest.mark.parametrize(
    ("choice", "outcome", "support"),
    [(SUPPORT, "refused", None), ({**SUPPORT, "default": "mail"}, "accepted", "mail")],
)
def test_what_another_version_asks_for_is_its_default_or_stands_in_the_way(
    choice: dict[str, Any], outcome: str, support: str | None
) -> None:
    """A choice that the signed version did not know has the new one's default; without one nobody goes on."""
    past = told(
        versions(choices={"support": choice}), ("2026-08-01", facts.Order(change=Change(newest=True)))
    )
    assert past.answers[-1].outcome == outcome
    assert choices(past.states[-1], date(2026, 8, 1)).get("support") == support


def test_who_signs_later_signs_the_later_version() -> None:
    """A new contract is by the version of its day."""
    past = history(
        [Fact(on=date(2026, 8, 1), deed=SIGN)], versions(), Customer(catalogue="cloudpbx"), date(2026, 9, 1)
    )
    assert past.states[-1].edition.name == "cloudpbx@2026-07-01"
