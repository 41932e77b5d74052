"""What a contract sells and what its account's document books are compared, by months."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from rating.account import AccountSpec
from rating.catalogue import CatalogueSpec
from rating.contract import facts, unbooked
from rating.contract.bookings import Booking
from rating.contract.edition import shelf
from rating.contract.ending import Step
from rating.contract.facts import Fact
from rating.contract.history import Customer, history
from rating.contract.wish import Change

FOLDER = Path(__file__).parents[3] / "config/catalogues"
TODAY = date(2026, 11, 27)
SIGNED = ("2026-11-10", facts.Sign(change=Change(add={"extension": 2, "dach-S": 1})))
BARE = ("2026-11-10", facts.Sign(change=Change(add={"extension": 2})))
GIVEN_UP = ("2026-11-27", facts.Order(change=Change(remove={"dach-S": 1})))
LARGER = ("2026-11-27", facts.Order(change=Change(add={"dach-M": 1})))
S = {"bundle": "dach", "size": "S", "from": "2026-11-10"}
OF_OLD = {**S, "from": "2026-01-01"}
M = {"bundle": "dach", "size": "M", "from": "2027-01-01"}
UNTIL = {"until": "2026-11-30"}
WORLD = {"bundle": "nobody-sells-it", "size": "S", "from": "2026-11-10"}


def steps(
    *deeds: tuple[str, facts.Deed], catalogue: str = "autphone", **booked: list[dict[str, str]]
) -> tuple[Step, ...]:
    """Compare what follows from deeds with what an account's document books."""
    read = [CatalogueSpec.model_validate(yaml.safe_load(one.read_text("utf-8"))) for one in FOLDER.glob("*")]
    events = [
        Fact(on=date.fromisoformat(day), minute=minute, deed=deed) for minute, (day, deed) in enumerate(deeds)
    ]
    past = history(events, shelf(read), Customer(catalogue=catalogue), date(2027, 12, 31))
    assert [one.outcome for one in past.answers] == ["accepted"] * len(events)
    head = {"version": 1, "account": "muc", "name": "m", "country": "DE", "catalogue": catalogue}
    account = AccountSpec.model_validate({**head, "time_zone": "Europe/Berlin", **booked})
    return unbooked.steps("mueller", past.states[-1], account, TODAY)


@pytest.mark.parametrize(
    ("deeds", "booked", "day", "said"),
    [
        ((SIGNED,), [], "2026-11-01", "`- {bundle: dach, size: S, from: 2026-11-10}`"),
        ((SIGNED,), [{**S, **UNTIL}], "2026-12-01", "`- {bundle: dach, size: S, from: 2026-11-10}`"),
        ((SIGNED,), [{**S, "size": "M"}], "2026-12-01", "`- {bundle: dach, size: S, from: 2026-11-10}`"),
        (
            (SIGNED, GIVEN_UP),
            [S],
            "2027-01-01",
            "`- {bundle: dach, size: S, from: 2026-11-10, until: 2026-12-31}`",
        ),
        ((SIGNED, LARGER), [S], "2027-01-01", "`- {bundle: dach, size: M, from: 2027-01-01}`"),
        ((BARE,), [S], "2026-12-01", "write `until: 2026-11-30` there"),
    ],
    ids=["not booked", "ends too early", "another size", "given up", "larger", "never sold"],
)
def test_what_differs_is_said_with_the_lines_to_write(
    deeds: tuple[tuple[str, facts.Deed], ...], booked: list[dict[str, str]], day: str, said: str
) -> None:
    """Paid and not granted, granted and not paid: from which month on, and what the document should say."""
    (step,) = steps(*deeds, bundles=booked)
    assert (step.rule, str(step.day), said in step.text) == ("booked", day, True), step.text


@pytest.mark.parametrize(
    ("deeds", "booked"),
    [
        ((), [S]),
        ((BARE,), []),
        ((BARE,), [WORLD]),
        ((BARE,), [{**S, **UNTIL}]),
        ((SIGNED,), [S]),
        ((SIGNED,), [OF_OLD]),
        ((SIGNED, GIVEN_UP), [{**S, "until": "2026-12-31"}]),
        ((SIGNED, LARGER), [{**S, "until": "2026-12-31"}, M]),
    ],
    ids=["unsigned", "none", "not of this trade", "granted", "same", "before", "ended", "followed"],
)
def test_what_is_booked_as_it_is_sold_is_nothing_to_say(
    deeds: tuple[tuple[str, facts.Deed], ...], booked: list[dict[str, str]]
) -> None:
    """Neither are bundles that the contract's catalogue does not sell, nor what this month grants already."""
    assert steps(*deeds, bundles=booked) == ()


@pytest.mark.parametrize(("booked", "told"), [([], 1), ([{"buy_out": "calls", "from": "2026-12-01"}], 0)])
def test_call_costs_bought_out_are_compared_too(booked: list[dict[str, str]], told: int) -> None:
    """Who pays for bought-out calls and has no such line pays for each call as well."""
    sign = ("2026-11-10", facts.Sign(change=Change(choose={"care": ("self-managed",)})))
    choose = ("2026-11-20", facts.Order(change=Change(choose={"calls": ("bought-out",)})))
    found = steps(sign, choose, catalogue="accensys", buy_outs=booked)
    assert [("below `buy_outs:`" in one.text, str(one.day)) for one in found] == [(True, "2026-12-01")] * told


def sold(size: str, first: str, until: str | None = None) -> Booking:
    """A bundle as a contract sold it."""
    last = date.fromisoformat(until) if until else None
    return Booking(name="dach", size=size, first=date.fromisoformat(first), until=last)


@pytest.mark.parametrize(
    ("found", "laid_out"),
    [
        ([sold("S", "2026-03-05", "2026-05-31"), sold("M", "2026-05-10")], ["S 2026-04-30", "M None"]),
        ([sold("S", "2026-05-05", "2026-05-31"), sold("M", "2026-05-10")], ["M None"]),
        ([sold("S", "2026-03-05", "2026-05-31"), sold("S", "2026-05-10")], ["S None"]),
    ],
)
def test_a_document_has_one_size_at_a_time(found: list[Booking], laid_out: list[str]) -> None:
    """Signed anew in the month of an end: lines that `check` of an account takes."""
    assert [f"{one.size} {one.until}" for one in unbooked.in_turn(found)] == laid_out
