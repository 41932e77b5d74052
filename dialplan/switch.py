"""Switches: what users change by phone or command line, without a revision of the document.

Owns what can be switched, and which switch is in force at an instant. Refuses to know where switches are kept
(`pbxcore.switches`) and what they do to a call (`dialplan.forwarding`).

A switch that has run out is not removed: it is not in force at `now`, which is an argument. A switch without
a value is one that was cleared; the document speaks again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from types import MappingProxyType

from dialplan.shelves import Shelves

CLEARED = ""
ON = "on"
DAY, NIGHT, SPECIAL = "day", "night", "special"  # a time rule that is overruled
OFF = "off"  # overrules what the document says; CLEARED lets it speak again


class SwitchKind(StrEnum):
    """Everything that can be switched; `subject` and `value` of a switch depend on it."""

    FORWARD_ALWAYS = "forward-always"  # of an extension; a target, or off
    FORWARD_BUSY = "forward-busy"
    FORWARD_NO_ANSWER = "forward-no-answer"
    FORWARD_UNREACHABLE = "forward-unreachable"
    DO_NOT_DISTURB = "do-not-disturb"  # of an extension; on
    LOGGED_OUT = "logged-out"  # of an extension: on; of `extension/group`, before the former: on, or off
    HOURS = "hours"  # of a time rule; day, night or special


FORWARDS: Mapping[str, SwitchKind] = {
    "always": SwitchKind.FORWARD_ALWAYS,
    "busy": SwitchKind.FORWARD_BUSY,
    "no_answer": SwitchKind.FORWARD_NO_ANSWER,
    "unreachable": SwitchKind.FORWARD_UNREACHABLE,
}
"""The switch that overrules each personal forward, by the forward's key in the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One thing that was switched.

    Attributes:
        subject: what it belongs to within the tenant: an extension, `extension/group`, or a time rule.
        value: what it says; empty: cleared.
        since: when it was set, with a time zone.
        by: who set it: a phone's endpoint, or a user of the command line.
        until: from when on it says nothing any more, with a time zone; None: it stays.
    """

    tenant: str
    kind: SwitchKind
    subject: str
    value: str
    since: datetime
    by: str
    until: datetime | None = None

    @property
    def key(self) -> "Key":
        """What it is told apart by within the tenant."""
        return self.kind, self.subject

    def holds(self, now: datetime) -> bool:
        """Tell whether it is in force at an instant; one without zone is UTC."""
        if self.value == CLEARED or self.until is None:
            return self.value != CLEARED
        return (now if now.tzinfo else now.replace(tzinfo=UTC)) < self.until


def owner_of(subject: str) -> str:
    """Give whose a switch is: the extension of `extension/group`, else the subject itself."""
    return subject.partition("/")[0]


def from_text(text: str, now: datetime) -> Switch | None:
    """Read a switch as people write it for a trial, `acme/10 forward-always number +436641234567`.

    Returns:
        The switch, set at `now`; None where the text is none.
    """
    place, _, words = text.strip().partition(" ")
    kind, _, value = words.strip().partition(" ")
    tenant, _, subject = place.partition("/")
    if not (tenant and subject and value.strip()) or kind not in set(SwitchKind):
        return None
    return Switch(
        tenant=tenant, kind=SwitchKind(kind), subject=subject, value=value.strip(), since=now, by="trial"
    )


Key = tuple[SwitchKind, str]
OfTenant = Mapping[str, Mapping[Key, Switch]]  # by whose they are: an extension, or a time rule


@dataclass(frozen=True, slots=True)
class Switches:
    """All switches that are set. A change gives another `Switches`; whoever holds this one goes on with it.

    They stand by whose they are: most extensions have none, and one look says so.
    """

    tenants: Shelves[OfTenant] = field(default_factory=Shelves)

    def value(self, tenant: str, kind: SwitchKind, subject: str, now: datetime) -> str:
        """Give what a switch says at an instant; empty where it says nothing."""
        of_tenant = self.tenants.get(tenant)
        if not of_tenant:
            return CLEARED
        one = of_tenant.get(owner_of(subject), _NONE).get((kind, subject))
        return one.value if one and one.holds(now) else CLEARED

    def of_tenant(self, tenant: str) -> OfTenant:
        """Give what a tenant has switched; some of it may have run out."""
        return self.tenants.get(tenant) or {}

    def of(self, tenant: str, now: datetime) -> Iterator[Switch]:
        """Give a tenant's switches in force at an instant."""
        every = chain.from_iterable(kept.values() for kept in self.of_tenant(tenant).values())
        return (one for one in every if one.holds(now))

    def updated(self, changes: Iterable[Switch]) -> "Switches":
        """Give a copy with changes; of two to one thing the later in the row counts."""
        changed: dict[str, dict[str, Mapping[Key, Switch]]] = {}
        for one in changes:
            of_tenant = changed.setdefault(one.tenant, dict(self.of_tenant(one.tenant)))
            whose = owner_of(one.subject)
            kept = {key: other for key, other in of_tenant.pop(whose, _NONE).items() if key != one.key}
            if one.value != CLEARED:
                kept[one.key] = one
            if kept:
                of_tenant[whose] = kept
        return Switches(self.tenants.updated(changed)) if changed else self


_NONE: Mapping[Key, Switch] = MappingProxyType({})
NO_SWITCHES = Switches()
