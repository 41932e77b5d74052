"""A later version of a catalogue that is dearer, or has lost something, does no harm to who stays."""

from collections.abc import Callable
from copy import deepcopy
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from pbxcore.wanting import quoted
from rating.catalogue import CatalogueSpec
from rating.contract import facts, report
from rating.contract.charges import month_price
from rating.contract.document import ContractSpec
from rating.contract.edition import Shelf, shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, History, history
from rating.contract.passing import Happened
from rating.contract.state import ChoicePart, ProductPart, choices, rights
from rating.contract.wish import Change

CATALOGUES = Path(__file__).parents[3] / "config/catalogues"
UNTIL = date(2026, 12, 31)
OLD, NEW = "@2026-01-01", "@2026-07-01"
Changes = Callable[[Any], object]


def offers(name: str, *changes: Changes, both: Changes = lambda _: None) -> Shelf:
    """Lay out a catalogue, and behind it a version of each month since July, each with a change more."""
    first: Any = yaml.safe_load((CATALOGUES / f"{name}.yaml").read_text("utf-8"))
    both(first)
    found = [first]
    for month, change in enumerate(changes, 7):
        found.append(deepcopy(found[-1]))
        found[-1]["valid_from"] = date(2026, month, 1)
        change(found[-1])
    return shelf([CatalogueSpec.model_validate(values) for values in found])


def dearer(values: Any) -> None:  # noqa: ANN401 — a document
    """Let every price of a base be 10 more."""
    for row in values["offer"]["products"]["pbx"]["prices"]:
        row["price_per_month"] = str(Decimal(row["price_per_month"]) + 10)


def without_20(values: Any) -> None:  # noqa: ANN401 — a document
    """Sell no size 20."""
    del values["offer"]["choices"]["size"]["options"]["20"]
    base = values["offer"]["products"]["pbx"]
    base["prices"] = [row for row in base["prices"] if row["when"]["size"] != "20"]


def without_20_in_mid_month(values: Any) -> None:  # noqa: ANN401 — a document
    """Sell no size 20, from a day on which one that was ordered may be pending."""
    without_20(values)
    values["valid_from"] = date(2026, 7, 15)


def without(product: str) -> Changes:
    """Sell one product no longer."""
    return lambda values: values["offer"]["products"].pop(product)


def told(shelf_: Shelf, *events: tuple[str, facts.Deed]) -> History:
    """Tell what happened until the end of the year, also as scripts read it."""
    (name,) = shelf_
    said = [
        Fact(on=date.fromisoformat(day), minute=minute, deed=deed)
        for minute, (day, deed) in enumerate(events)
    ]
    past = history(said, shelf_, Customer(catalogue=name), UNTIL)
    report.of_history(past)
    return past


def sign(**wanted: Any) -> facts.Sign:  # noqa: ANN401 — the fields of a change
    """Sign."""
    return facts.Sign(change=Change(**wanted), signed_form=True)


def order(**wanted: Any) -> facts.Order:  # noqa: ANN401 — the fields of a change
    """Order a change."""
    return facts.Order(change=Change(**wanted))


def easybell(size: str, edition: str = "classic") -> tuple[str, facts.Deed]:
    """Sign easybell in June."""
    return "2026-06-01", sign(choose={"size": (size,), "edition": (edition,)})


def size(option: str) -> facts.Order:
    """Order another size."""
    return order(choose={"size": (option,)})


def happened(past: History, what: str) -> list[str]:
    """Name the parts that began or were held back."""
    parts = [one.part for one in past.entries if isinstance(one, Happened) and one.what == what]
    return [
        one.product
        if isinstance(one, ProductPart)
        else f"{one.choice} {one.option}"
        if isinstance(one, ChoicePart)
        else one.edition.name
        for one in parts
        if one is not None
    ]


@pytest.mark.parametrize(
    ("change", "size_", "smaller", "used", "price"),
    [(dearer, "10", "5", 8, 17_900_000), (without_20, "20", "10", 15, 29_900_000)],
)
def test_an_option_that_is_held_back_holds_its_version_back(
    change: Changes, size_: str, smaller: str, used: int, price: int
) -> None:
    """Who does not change stays, at the price and with the size that he signed, and may change later."""
    events = (
        easybell(size_),
        ("2026-07-10", size(smaller)),
        ("2026-07-20", facts.Use(counts={"extensions": used})),
    )
    past = told(offers("easybell", change), *events)
    assert happened(past, "held-back") == [f"size {smaller}", f"easybell{NEW}"]
    last = past.states[-1]
    assert (last.edition.name, month_price(last, UNTIL)) == (f"easybell{OLD}", price)
    assert rights(last, UNTIL).limits["extensions"] == int(size_)
    fewer = ("2026-09-01", facts.Use(counts={"extensions": 1}))
    past = told(offers("easybell", change), *events, fewer, ("2026-09-02", size(smaller)))
    assert past.states[-1].edition.name == f"easybell{NEW}"


def test_an_order_that_is_taken_back_leaves_the_version_that_was_signed() -> None:
    """Whoever takes everything back has changed nothing: neither his price nor what is pending."""
    past = told(
        offers("easybell", dearer), easybell("5"), ("2026-08-10", size("10")), ("2026-08-11", size("5"))
    )
    last = past.states[-1]
    assert (last.edition.name, month_price(last, UNTIL), last.pending) == (f"easybell{OLD}", 9_900_000, ())


@pytest.mark.parametrize(
    ("later", "held", "version", "chosen"),
    [
        (("2026-08-11", order(choose={"edition": ("pro",)})), [], NEW, ("5", "pro")),
        (("2026-08-11", facts.Use(counts={"extensions": 8})), ["size 5"], NEW, ("10", "classic")),
        (("2026-08-11", facts.Use(features=("analytics",))), ["edition classic"], NEW, ("5", "pro")),
        (
            ("2026-08-11", facts.Use(counts={"extensions": 8}, features=("analytics",))),
            ["edition classic", "size 5", f"easybell{NEW}"],
            OLD,
            ("10", "pro"),
        ),
    ],
)
def test_a_version_begins_with_the_first_of_its_options_that_does(
    later: tuple[str, facts.Deed], held: list[str], version: str, chosen: tuple[str, str]
) -> None:
    """Of two options ordered at once one may be taken back or held back; the other one brings the version."""
    both = ("2026-08-10", order(choose={"size": ("5",), "edition": ("classic",)}))
    past = told(offers("easybell", dearer), easybell("10", "pro"), both, later)
    last = past.states[-1]
    assert sorted(happened(past, "held-back")) == sorted(held)
    assert last.edition.name == f"easybell{version}"
    assert choices(last, UNTIL) == dict(zip(("size", "edition"), chosen, strict=True))
    assert happened(past, "begun").count(f"easybell{NEW}") == (version == NEW)


def test_an_option_that_stays_because_another_is_held_back_must_be_sold_by_the_version() -> None:
    """Size 20 stays in use, and the version that has none does not begin with the other option either."""
    past = told(
        offers("easybell", without_20),
        easybell("20", "pro"),
        ("2026-08-10", order(choose={"size": ("10",), "edition": ("classic",)})),
        ("2026-08-11", facts.Use(counts={"extensions": 15})),
    )
    assert past.states[-1].edition.name == f"easybell{OLD}"
    assert choices(past.states[-1], UNTIL) == {"size": "20", "edition": "pro"}


def test_a_version_ordered_before_does_not_come_behind_a_later_one() -> None:
    """What was ordered by July's version begins under August's, if that has begun meanwhile."""
    past = told(
        offers("easybell", dearer, dearer),
        easybell("10"),
        ("2026-07-31", order(choose={"edition": ("pro",)})),
        ("2026-07-31", size("20")),
        ("2026-08-31", order(newest=True)),
    )
    assert past.states[-1].edition.name == "easybell@2026-08-01"
    past = told(
        offers("easybell", dearer, dearer),
        easybell("10"),
        ("2026-07-15", order(choose={"edition": ("pro",)})),
        ("2026-07-15", order(newest=True)),
    )
    assert happened(past, "begun") == ["edition pro"]


def later_block(values: Any) -> None:  # noqa: ANN401 — a document
    """Let a block begin with the next month."""
    values["offer"]["products"]["block"]["more"] = {"begins": "next-month"}


ACCENSYS = ("2026-06-01", sign(add={"device": 1}, choose={"care": ("self-managed",)}))
CLOUDPBX = ("2026-06-01", sign(add={"user": 1}, choose={"package": ("basic",)}))
BOUGHT_OUT = {"calls": ("bought-out",)}


@pytest.mark.parametrize(
    ("shelf_", "events"),
    [
        (
            offers("accensys", without("block")),
            (ACCENSYS, ("2026-08-10", order(add={"block": 3}, choose=BOUGHT_OUT))),
        ),
        (
            offers("accensys", without("block"), both=later_block),
            (
                ACCENSYS,
                ("2026-08-10", order(add={"block": 3})),
                ("2026-08-11", order(choose=BOUGHT_OUT)),
            ),
        ),
        (
            offers("accensys", without("block")),
            (
                ACCENSYS,
                ("2026-08-10", order(choose=BOUGHT_OUT)),
                ("2026-08-11", order(add={"block": 3})),
            ),
        ),
        (
            offers("cloudpbx", without("terminal-desk")),
            (CLOUDPBX, ("2026-08-10", order(add={"terminal-desk": 1}, choose={"package": ("plus",)}))),
        ),
        (
            offers("easybell", without_20),
            (easybell("10"), ("2026-08-10", size("20"))),
        ),
        (
            offers("easybell", without_20_in_mid_month),
            (easybell("10"), ("2026-07-10", size("20")), ("2026-07-20", order(newest=True))),
        ),
    ],
    ids=("together", "pending", "version-pending", "once", "chosen", "option-pending"),
)
def test_what_the_version_in_force_then_does_not_sell_is_refused(
    shelf_: Shelf, events: tuple[tuple[str, facts.Deed], ...]
) -> None:
    """Running, pending or ordered with it: nothing runs free, nothing breaks."""
    past = told(shelf_, *events)
    assert [one.code for one in past.answers[-1].refusals] == ["version-lost"]
    assert [one.outcome for one in past.answers[:-1]] == ["accepted"] * (len(events) - 1)


def test_who_signs_again_signs_the_version_of_the_day() -> None:
    """After the end nobody stays on anything; its quote is of the same version and can be signed."""
    shelf_ = offers("easybell", dearer)
    left = (("2026-02-01", easybell("5")[1]), ("2026-03-10", facts.Cancel()))
    past = told(shelf_, *left, ("2026-10-10", easybell("5")[1]))
    last = past.states[-1]
    assert (last.edition.name, month_price(last, UNTIL)) == (f"easybell{NEW}", 19_900_000)
    chosen = {"choose": {"size": "5", "edition": "classic"}}
    document = {
        "version": 1,
        "contract": "acme",
        "catalogue": "easybell",
        "events": [{"on": "2026-02-01", "sign": chosen}, {"on": "2026-03-10", "cancel": {}}],
    }
    made = quoted(ContractSpec.model_validate(document), shelf_, chosen, date(2026, 10, 10))
    assert (made.edition.name, made.price_after_micro) == (f"easybell{NEW}", 19_900_000)
    agreed = facts.Sign(change=made.change, signed_form=True, quote=made.id)
    assert told(shelf_, *left, ("2026-10-10", agreed)).answers[-1].outcome == "accepted"
