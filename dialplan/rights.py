"""How far an extension may call and forward, and at what hours.

Owns what rights cover, and the words for what they do not. Refuses credit: no document knows it.

Numbers that a document names speak before the hours, the hours before what is covered at all; of several
patterns that fit a number the longest counts. Rights may build on others: one's own lists come before theirs,
and the lists of all before the hours of any.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from dialplan import numbers
from dialplan.callers import fitting
from dialplan.decision import Reason
from dialplan.hours import Week, is_open


class Reach(StrEnum):
    """What rights cover; numbers of tenants count like any other."""

    ANYWHERE = "anywhere"
    COUNTRY = "country"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """How far somebody may call.

    Attributes:
        to: what is covered, or the rights that these build on.
        rule: path in the document.
        allowed: patterns of numbers that may be called whatever else is said (`dialplan.callers`).
        blocked: patterns of numbers that may not.
        week: hours in which `to` holds; None: always.
        closed: what is covered outside these hours.
    """

    to: "Reach | Rights" = Reach.ANYWHERE
    rule: str = ""
    allowed: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    week: Week | None = None
    closed: Reach = Reach.INSIDE


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why rights do not cover a number: the rule that says so, and its words without the subject."""

    reason: Reason
    rule: str
    text: str


UNLIMITED = Rights()


def refusal(rights: Rights, number: str, *, country: str, now: datetime, zone: tzinfo) -> Refusal | None:
    """Say why rights do not cover an E.164 number outside; None: they do.

    Args:
        rights: of whoever pays.
        number: called number.
        country: the tenant's own.
        now: the instant.
        zone: of the tenant's hours.
    """
    named = _named(rights, number)
    if named:
        return _blocked(*named)
    return _by_hours(rights, number, country=country, now=now, zone=zone)


def ever_covers(rights: Rights, number: str, country: str) -> bool:
    """Tell whether there is an hour at which rights cover a number."""
    named = _named(rights, number)
    if named:
        return _blocked(*named) is None
    return _ever_reaches(rights, number, country)


def layers(rights: Rights) -> Iterator[Rights]:
    """Give rights and all that they build on."""
    yield rights
    if isinstance(rights.to, Rights):
        yield from layers(rights.to)


def _named(rights: Rights, number: str) -> tuple[Rights, str] | None:
    """Give the first rights of all layers whose lists name a number, and the pattern; None: no list does."""
    for layer in layers(rights):
        pattern = fitting(layer.allowed | layer.blocked, number) if layer.allowed or layer.blocked else None
        if pattern:
            return layer, pattern
    return None


def _blocked(rights: Rights, pattern: str) -> Refusal | None:
    if pattern in rights.allowed:
        return None
    return Refusal(Reason.NOT_ALLOWED, rights.rule, f"may not call {pattern}")


def _by_hours(rights: Rights, number: str, *, country: str, now: datetime, zone: tzinfo) -> Refusal | None:
    """Say why rights do not cover a number that no list names; None: they do."""
    if rights.week and not is_open(rights.week, now, zone):
        return _closed(rights, number, country)
    if isinstance(rights.to, Rights):
        return _by_hours(rights.to, number, country=country, now=now, zone=zone)
    if _covers(rights.to, number, country):
        return None
    return Refusal(Reason.NOT_ALLOWED, rights.rule, f"may call {_WORDS[rights.to]} only")


def _ever_reaches(rights: Rights, number: str, country: str) -> bool:
    """Tell whether there is an hour at which rights cover a number that no list names."""
    if rights.week and _covers(rights.closed, number, country):
        return True
    if isinstance(rights.to, Rights):
        return _ever_reaches(rights.to, number, country)
    return _covers(rights.to, number, country)


def _closed(rights: Rights, number: str, country: str) -> Refusal | None:
    if _covers(rights.closed, number, country):
        return None
    reason = Reason.NOT_ALLOWED_NOW if _ever_reaches(rights, number, country) else Reason.NOT_ALLOWED
    return Refusal(reason, rights.rule, f"may call {_WORDS[rights.closed]} only at this hour")


def _covers(reach: Reach, number: str, country: str) -> bool:
    if reach is Reach.COUNTRY:
        return numbers.country_of(number) == country
    return reach is Reach.ANYWHERE


_WORDS = {Reach.ANYWHERE: "anywhere", Reach.COUNTRY: "its own country", Reach.INSIDE: "inside"}
