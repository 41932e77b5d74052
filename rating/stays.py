"""By whose prices an account is charged on a day: it may have moved from one catalogue to another.

Owns the days that an account stays with a catalogue, which versions are in force on them, and since when two
documents of one account disagree. Refuses what a version says (`rating.catalogue`, `rating.tariff`).

The problem: calls are rated again before their month is closed, by the documents of that day. An account that
has moved meanwhile must not have its earlier calls priced by the new catalogue: so a move has a day.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar


class Dated(Protocol):
    """A version of a catalogue, as a document or compiled."""

    @property
    def valid_from(self) -> date:
        """First day on which it is in force, where its catalogue is."""


Version = TypeVar("Version", bound=Dated)


@dataclass(frozen=True, slots=True)
class Stay:
    """From a day on, an account is charged by a catalogue."""

    first: date
    catalogue: str


@dataclass(frozen=True, slots=True)
class Turn(Generic[Version]):
    """From a day on, an account is charged by a version.

    Attributes:
        version: None: nothing of the catalogue is in force yet.
        stay: with its catalogue.
    """

    first: date
    version: Version | None
    stay: Stay


def stay_on(stays: Sequence[Stay], day: date) -> Stay:
    """Find by which catalogue an account is charged on a day; the first stay has no beginning."""
    return [stays[0], *(one for one in stays[1:] if one.first <= day)][-1]


def turns(stays: Sequence[Stay], versions: Mapping[str, Sequence[Version]]) -> tuple[Turn[Version], ...]:
    """Lay out the versions that an account is charged by, the earliest first.

    Args:
        stays: of the account, the earliest first.
        versions: of each catalogue.
    """
    behind = (*(one.first for one in stays[1:]), date.max)
    return tuple(
        turn
        for stay, end in zip(stays, behind, strict=True)
        for turn in _of_stay(stay, end, versions.get(stay.catalogue, ()))
    )


def in_force(laid_out: Sequence[Turn[Version]], day: date) -> Version | None:
    """Give the version of a day; None while nothing of the catalogue is in force yet."""
    begun = [turn.version for turn in laid_out if turn.first <= day]
    return begun[-1] if begun else None


def rewritten(before: Sequence[Stay], after: Sequence[Stay]) -> date | None:
    """Find since when another catalogue stands in a document than before, with no new move on that day."""
    for day in sorted({one.first for one in (*before, *after)}):
        if stay_on(before, day).catalogue != stay_on(after, day).catalogue:
            return None if _moves_on(after, day) and not _moves_on(before, day) else day
    return None


def _moves_on(stays: Sequence[Stay], day: date) -> bool:
    return any(one.first == day for one in stays[1:])


def _of_stay(stay: Stay, end: date, versions: Collection[Version]) -> Iterator[Turn[Version]]:
    own = sorted(versions, key=lambda one: one.valid_from)
    begun = [one for one in own if one.valid_from <= stay.first]
    yield Turn(stay.first, begun[-1] if begun else None, stay)
    yield from (Turn(one.valid_from, one, stay) for one in own if stay.first < one.valid_from < end)
