"""Frozen dataclasses that are made quickly are frozen dataclasses."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from dialplan.decision import Next, Ring
from dialplan.quick import copier, quick
from rating.leg import Leg
from rating.rated import Piece, Source


def test_a_class_without_slots_is_refused() -> None:
    """Without slots there is nothing to set directly."""

    @dataclass(frozen=True)
    class Loose:
        x: int

    with pytest.raises(TypeError, match=r"Loose\.x"):
        quick(Loose)


def test_a_field_made_by_a_factory_is_refused() -> None:
    """Each instance would need its own value, which the quick constructor does not make."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Made:
        x: list[int] = field(default_factory=list)

    with pytest.raises(TypeError, match=r"Made\.x"):
        quick(Made)


@pytest.mark.parametrize("arguments", [{}, {"key": "a"}, {"colour": "red"}])
def test_fields_are_asked_for_as_before(arguments: dict[str, str]) -> None:
    """A field that is missing or unknown is an error."""
    with pytest.raises(TypeError, match="__init__"):
        Leg(**arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_it_is_frozen_and_a_value() -> None:
    """Nothing can be changed; equal fields are equal, hash alike, copy and pickle; defaults are there."""
    piece = Piece(
        start_us=1,
        seconds=60,
        source=Source.OVERFLOW,
        pool="",
        before_s=0,
        after_s=0,
        price_per_minute_micro=19_000,
        amount_micro=19_000,
        rule="x",
    )
    with pytest.raises(FrozenInstanceError):
        piece.seconds = 0  # type: ignore[misc]  # what must not work
    assert replace(piece, seconds=60) == piece == pickle.loads(pickle.dumps(piece))  # noqa: S301 — our own bytes
    assert hash(replace(piece)) == hash(piece)
    assert replace(piece, seconds=1) != piece
    leg = Leg(key="a", linkedid="", trunk="", payer="", why="", number="", answered_us=1, ended_us=2)
    assert (leg.limit_s, leg.version, leg.indeterminate) == (0, "", False)


def test_what_was_given_by_position_still_is() -> None:
    """A class without `kw_only` takes its fields in their order, the last ones may be left out."""

    @quick
    @dataclass(frozen=True, slots=True)
    class Place:
        row: int
        seat: int = 1
        shown: bool = field(default=False, kw_only=True)

    assert Place(2) == Place(2, 1, shown=False) == Place(row=2)
    with pytest.raises(TypeError, match="positional"):
        Place(2, 1, True)  # type: ignore[call-arg]  # wrong on purpose


def test_a_copy_differs_in_the_fields_that_are_given() -> None:
    """All others are as they were, and the one that was copied too."""
    ring = Ring(endpoints=("acme-a", "acme-b"), timeout_s=20, group="acme/all", prefix="Sales ")
    jumping = copier(Ring, "then", "timeout_s")
    copy = jumping(ring, Next(busy=2), 5)
    assert copy == replace(ring, then=Next(busy=2), timeout_s=5)
    assert (copy.group, ring.timeout_s, ring.then) == ("acme/all", 20, Next())
    with pytest.raises(FrozenInstanceError):
        copy.prefix = ""  # type: ignore[misc]  # what must not work


def test_a_copy_cannot_have_a_field_that_is_not_there() -> None:
    """A misspelt field is an error where the copier is made, not at the first call."""
    with pytest.raises(TypeError, match="Ring has no endpoint"):
        copier(Ring, "endpoint")
