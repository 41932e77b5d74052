"""Who of a ring group rings when: every strategy over calls, and what is no strategy."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from math import factorial
from typing import Any

import pytest
from pydantic import ValidationError

from dialplan.build import build_plan
from dialplan.facts import Served, State
from dialplan.hunt import each_once, in_turn
from dialplan.plan import Group, Strategy
from dialplan.spec import TenantSpec

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MEMBERS = ("10", "11", "12", "13")
IN_TURN = [one for one in Strategy if one is not Strategy.SIMULTANEOUS]


def document(**group: object) -> dict[str, Any]:
    """Give a tenant with four extensions and one group."""
    extensions = {number: {"name": "X", "devices": [f"p{number}"]} for number in MEMBERS}
    return {"version": 1, "tenant": "acme", "name": "A", "country": "DE", "time_zone": "Europe/Berlin",
            "account": "acme", "numbers": {"+493055500100": {"to": "group g"}}, "extensions": extensions,
            "groups": {"g": {"name": "G", "extension": "60", "members": MEMBERS, **group}}}  # fmt: skip


def group(**more: object) -> Group:
    """Build the group."""
    return build_plan(TenantSpec.model_validate(document(**more)), revision=1, trunks=()).groups["g"]


def order(strategy: str, draw: int = 0, **known: Any) -> tuple[str, ...]:  # noqa: ANN401 — what State takes
    """Give the numbers of the members in the order in which they ring."""
    return tuple(member.number for member in in_turn(group(strategy=strategy), State(**known), TODAY, draw))


@pytest.mark.parametrize("strategy", ["", "Linear", "round robin", "in order", "hunt", 1])
def test_an_unknown_strategy_is_refused(strategy: object) -> None:
    """A word that is no strategy is a mistake, not a guess."""
    with pytest.raises(ValidationError, match="strategy"):
        TenantSpec.model_validate(document(strategy=strategy))


def test_the_former_word_for_linear_is_still_read() -> None:
    """A plan that was published with `in_order` rings as it did."""
    assert group(strategy="in_order").strategy is Strategy.LINEAR


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("draw", [0, 1, 23, 24, 10**40])
def test_every_member_has_one_place(strategy: Strategy, draw: int) -> None:
    """Whatever is drawn or remembered, each member rings, and once."""
    known: dict[str, Any] = {"draw": draw, "turns": {"acme/60": 10**9}}
    assert sorted(order(strategy, **known)) == sorted(MEMBERS)
    assert sorted(order(strategy, **known, served={"acme/11": Served(last=NOW)})) == sorted(MEMBERS)


def test_a_random_order_is_every_order_as_often() -> None:
    """Each of the possible orders comes once in as many draws as there are orders."""
    orders = Counter(order("random", draw=draw) for draw in range(factorial(len(MEMBERS))))
    assert set(orders.values()) == {1}


def test_round_robin_begins_one_further_each_time() -> None:
    """The first one of each call is the next of the list; the others follow it round."""
    assert [order("round_robin", turns={"acme/60": turn})[0] for turn in range(5)] == [*MEMBERS, "10"]
    assert order("round_robin", turns={"acme/60": 2}) == ("12", "13", "10", "11")


@pytest.mark.parametrize("strategy", ["round_robin", "least_recent", "fewest_calls"])
def test_who_remembers_nothing_begins_anywhere(strategy: str) -> None:
    """Without memory the draw says where to begin: not always with the same member."""
    assert [order(strategy, draw=draw)[0] for draw in range(4)] == list(MEMBERS)


@pytest.mark.parametrize(
    ("strategy", "served", "expected"),
    [
        ("least_recent", {"10": Served(last=NOW)}, "11 12 13 10"),
        ("least_recent", {"13": Served(last=NOW), "10": Served(last=NOW - timedelta(1))}, "11 12 10 13"),
        ("least_recent", {"11": Served(calls=99, day=TODAY)}, "10 11 12 13"),
        ("fewest_calls", {"10": Served(calls=1, day=TODAY)}, "11 12 13 10"),
        ("fewest_calls", {"10": Served(calls=1, day=TODAY), "11": Served(ringing=2)}, "12 13 10 11"),
        ("fewest_calls", {"10": Served(calls=9, day=TODAY - timedelta(1))}, "10 11 12 13"),
        ("fewest_calls", {"10": Served(last=NOW), "11": Served(last=NOW - timedelta(1))}, "12 13 11 10"),
    ],
)
def test_the_fair_orders(strategy: str, served: dict[str, Served], expected: str) -> None:
    """Who has waited longest, or has had the fewest calls of today, is first; equals as written."""
    known = {f"acme/{number}": one for number, one in served.items()}
    assert " ".join(order(strategy, served=known, draw=3)) == expected


@pytest.mark.parametrize("strategy", IN_TURN)
def test_no_phone_rings_twice(strategy: Strategy) -> None:
    """A member that stands twice in the list, or also in a group of it, rings in one round only."""
    changed = document(strategy=strategy, members=["10", "61", "10", "11"])
    changed["groups"]["inner"] = {"name": "I", "extension": "61", "members": ["11", "12"]}
    built = build_plan(TenantSpec.model_validate(changed), revision=1, trunks=()).groups["g"]
    phones = [phone for one in each_once(in_turn(built, State(), TODAY, 1)) for phone in one.endpoints]
    assert sorted(phones) == ["acme-p10", "acme-p11", "acme-p12"]


ALONE: list[dict[str, Any]] = [
    {"strategy": "linear"},
    {"busy_level": 2},
    {"members": ["10", {"extension": "11", "delay_s": 5}]},
    {"members": ["10", {"extension": "11", "timeout_s": 10}]},
    {"members": ["10", {"number": "+436641234567"}]},
]


@pytest.mark.parametrize("differs", ALONE)
def test_a_group_in_which_somebody_has_a_step_of_their_own_has_no_phones_that_ring_together(
    differs: dict[str, Any],
) -> None:
    """Whoever rings later, not as long, outside, counted or after others."""
    assert group(**differs).together is None


@pytest.mark.parametrize("own", [{"busy_level": 1}, {"forward": {"always": "extension 12"}}])
def test_a_member_who_differs_has_a_step_of_its_own(own: dict[str, Any]) -> None:
    """By a busy level of its own, or by a forward that the group obeys."""
    written = document(members_forward="obey")
    written["extensions"]["11"] |= own
    plan = build_plan(TenantSpec.model_validate(written), revision=1, trunks=())
    assert plan.groups["g"].together is None


def test_phones_that_ring_together_are_found_once() -> None:
    """Each with whose it is."""
    together = group().together
    assert together is not None
    assert together.phones == tuple(f"acme-p{number}" for number in MEMBERS)
    assert together.extensions == MEMBERS
