"""The change offered to who wants more than a contract allows, and how far ahead rights are known."""

from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from rating.catalogue import CatalogueSpec
from rating.contract.document import ContractSpec
from rating.contract.edition import Shelf, shelf
from rating.contract.history import timeline
from rating.contract.offering import alone, need, smallest
from rating.contract.quote import Quote
from rating.contract.story import tell, tell_all

FOLDER = Path(__file__).parents[3] / "config/catalogues"
NAME = dict.fromkeys(("de", "en", "it", "nl"), "X")
DAY = date(2026, 4, 10)
SMALL = "{on: 2026-03-01, sign: {choose: {size: '5', edition: classic}}}"
PRO = SMALL.replace("classic", "pro").replace("}}}", "}, begins: 2026-05-17}}")
CREDIT = "{on: 2026-03-01, top_up: '50.00'}, {on: 2026-03-01, sign: {add: {number: 1, extension: 2}}}"
MOVED = SMALL + ", {on: 2026-03-20, move: {catalogue: openvoip, add: {number: 1, extension: 2}}}"
MOVED += ", {on: 2026-03-21, top_up: '20.00'}"
GATES = {  # of functions that no catalogue gates
    "groups": {"when": {"edition": "pro"}},
    "hours": {"when": {"edition": "classic", "size": "20"}},
}


def offers(catalogue: str, **features: dict[str, Any]) -> Shelf:
    """Lay out a catalogue that gates further functions."""
    values: Any = deepcopy(yaml.safe_load((FOLDER / f"{catalogue}.yaml").read_text("utf-8")))
    for name, gate in features.items():
        values["offer"]["features"][name] = {"name": NAME, **gate}
    return shelf([CatalogueSpec.model_validate(values)])


def contract(catalogue: str, events: str) -> ContractSpec:
    """Write a contract with these events."""
    head = {"version": 1, "contract": "story", "catalogue": catalogue}
    written = events.replace("{on:", "{'on':")  # YAML 1.1 reads `on` as true
    return ContractSpec.model_validate({**head, "events": yaml.safe_load(f"[{written}]")})


def offer(there: Shelf, events: str, wanted: dict[str, int], used: set[str]) -> Quote | None:
    """Give what is offered on a day to who wants so much."""
    (name,) = there
    state = tell(contract(name, events), there, DAY).states[-1]
    return smallest(state, need(state, wanted, frozenset(used), DAY), there, DAY)


@pytest.mark.parametrize(
    ("catalogue", "events", "wanted", "used", "found"),
    [
        ("easybell", SMALL, {"extensions": 21}, set(), (None, None)),  # no size has so many
        ("easybell", SMALL, {}, {"groups", "hours"}, (None, None)),  # Pro only, and Classic only
        ("easybell", SMALL, {"extensions": 6}, set(), ({"size": ("10",)}, {})),
        ("easybell", SMALL, {"extensions": 6, "devices": 12}, set(), ({"size": ("20",)}, {})),
        ("easybell", SMALL, {}, {"groups"}, ({"edition": ("pro",)}, {})),
        ("easybell", SMALL, {"devices": 6}, {"groups"}, ({"size": ("10",), "edition": ("pro",)}, {})),
        ("openvoip", CREDIT, {"extensions": 5}, set(), ({}, {"extension": 3})),
        ("openvoip", CREDIT, {}, {"blf"}, ({}, {"blf": 1})),
        ("openvoip", CREDIT, {"extensions": 3}, {"blf"}, ({}, {"extension": 1, "blf": 1})),
    ],
)  # fmt: skip
def test_the_offer_is_the_smallest_change_that_allows_all_of_it(
    catalogue: str, events: str, wanted: dict[str, int], used: set[str], found: tuple[object, object]
) -> None:
    """The next option that suffices, options and products of functions, units; nothing if nothing does."""
    there = offers(catalogue, **{name: gate for name, gate in GATES.items() if name in used})
    made = offer(there, events, wanted, used)
    assert (made and made.change.choose, made and made.change.add) == found


def test_the_same_change_can_be_ordered_alone() -> None:
    """Without what it creates it is another quote, at the same price."""
    there = offers("easybell")
    state = tell(contract("easybell", SMALL), there, DAY).states[-1]
    made = smallest(state, need(state, {"extensions": 6}, frozenset(), DAY), there, DAY)
    assert made is not None
    assert made.change.creates == {"extensions": 6}
    other = alone(made, state, there)
    assert (other.change.creates, other.id != made.id) == ({}, True)
    assert other.price_after_micro == made.price_after_micro


@pytest.mark.parametrize(
    ("events", "days"),
    [
        (SMALL, ["2026-03-01"]),
        (PRO, ["2026-03-01", "2026-05-17"]),
        (SMALL + ", {on: 2026-03-20, order: {choose: {edition: pro}}}", ["2026-03-01", "2026-04-01"]),
        (SMALL + ", {on: 2026-03-20, cancel: {}}", ["2026-03-01", "2026-05-01"]),
        (MOVED, ["2026-03-01", "2026-05-01"]),
    ],
)  # fmt: skip
def test_rights_are_known_to_their_end_on_the_day_of_the_last_fact(events: str, days: list[str]) -> None:
    """A first day in mid-month, an order for the next month, an end, and what follows it: each on its day."""
    there = {**offers("easybell"), **offers("openvoip")}
    past = tell_all(contract("easybell", events), there)
    assert [str(day) for day, _ in timeline(past)] == days
