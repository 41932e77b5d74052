"""Frozen dataclasses that are made quickly are frozen dataclasses."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from rating.leg import Leg
from rating.quick import quick
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
