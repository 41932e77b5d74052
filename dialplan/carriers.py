"""The machine's trunks as decisions see them: which calls they take, how many, and how they hear of callers.

Owns what is said of trunks once for all tenants, and which trunks a call tries in which order. Refuses
addresses and everything that Asterisk alone must know (`pbxcore.settings`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dialplan import numbers
from dialplan.callers import fitting
from dialplan.decision import TRUNK, Limit
from dialplan.notation import Form, Notation
from dialplan.presentation import From, Identity, Presentation


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Trunks for some called numbers, in the order to try; all conditions that are given must hold.

    Attributes:
        rule: path in the document, or in the settings.
        trunks: of a tenant's route those that the machine has; none: its calls leave by no other.
        numbers: patterns (`dialplan.callers`); none: any number.
        countries: of the table of `dialplan.numbers`; none: any.
        costly: whether it is a number whose price nobody can guess; None: either.
    """

    rule: str
    trunks: tuple[str, ...]
    numbers: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    costly: bool | None = None

    def fits(self, number: str) -> bool:
        """Tell whether it is for an E.164 number."""
        if self.numbers and fitting(self.numbers, number) is None:
            return False
        if self.countries and numbers.country_of(number) not in self.countries:
            return False
        return self.costly is None or self.costly == numbers.is_costly(number)


@dataclass(frozen=True, slots=True)
class Carriers:
    """What is known of trunks beside their names.

    Attributes:
        capacity: calls at once, in both directions together, by name; a trunk that is missing has no limit.
        routes: for calls of all tenants; the first that fits counts.
        presentation: what they are told of callers, by name, where it is not the usual.
        notations: how they write numbers, by name, where it is not E.164.
    """

    capacity: Mapping[str, int] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    presentation: Mapping[str, Presentation] = field(default_factory=dict)
    notations: Mapping[str, Notation] = field(default_factory=dict)

    def limits(self, trunks: Iterable[str]) -> tuple[Limit, ...]:
        """Give the limits of a leg that leaves by one of some trunks."""
        known = ((trunk, self.capacity.get(trunk, 0)) for trunk in trunks) if self.capacity else ()
        return tuple(Limit(most=most, group=trunk, category=TRUNK) for trunk, most in known if most)

    def counted(self, trunk: str) -> tuple[Limit, ...]:
        """Give what counts a call that a trunk brings; whether there is room for it the carrier knows."""
        return (Limit(most=0, group=trunk, category=TRUNK),) if trunk in self.capacity else ()


NO_CARRIERS = Carriers()


def chosen(
    number: str, *, own: Iterable[Route], usable: tuple[str, ...], carriers: Carriers
) -> tuple[tuple[str, ...], str]:
    """Choose the trunks of a call, in the order to try.

    Args:
        number: called number, E.164.
        own: the tenant's routes, which speak before those of the machine.
        usable: trunks of the tenant, in its order. A route of the machine names only some of these; if it
            names none, it is not for this tenant.
        carriers: what is known of the machine's trunks.

    Returns:
        The trunks, and the rule that chose them; no rule: all that the tenant uses. None where the machine
        has none of those that the rule names.
    """
    for route in own:
        if route.fits(number):
            return route.trunks, route.rule
    for route in carriers.routes:
        trunks = tuple(trunk for trunk in route.trunks if trunk in usable)
        if trunks and route.fits(number):
            return trunks, route.rule
    return usable, ""


def to_json(carriers: Carriers) -> dict[str, Any]:
    """Write what is known of trunks as plain values."""
    return {
        "capacity": dict(carriers.capacity),
        "routes": [
            {
                "rule": route.rule,
                "trunks": list(route.trunks),
                "numbers": sorted(route.numbers),
                "countries": sorted(route.countries),
                "costly": route.costly,
            }
            for route in carriers.routes
        ],
        "presentation": {trunk: [how.caller, how.identity] for trunk, how in carriers.presentation.items()},
        "notations": {trunk: [how.form, how.country] for trunk, how in carriers.notations.items()},
    }


def from_json(written: Mapping[str, Any]) -> Carriers:
    """Read what `to_json` wrote; what is missing is as usual.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is something else.
    """
    return Carriers(
        capacity={str(trunk): int(most) for trunk, most in written.get("capacity", {}).items()},
        routes=tuple(_route(one) for one in written.get("routes", ())),
        presentation={
            str(trunk): Presentation(From(caller), Identity(identity))
            for trunk, (caller, identity) in written.get("presentation", {}).items()
        },
        notations={
            str(trunk): Notation(Form(form), str(country))
            for trunk, (form, country) in written.get("notations", {}).items()
        },
    )


def _route(written: Mapping[str, Any]) -> Route:
    return Route(
        rule=str(written["rule"]),
        trunks=tuple(map(str, written["trunks"])),
        numbers=frozenset(map(str, written["numbers"])),
        countries=frozenset(map(str, written["countries"])),
        costly=None if written["costly"] is None else bool(written["costly"]),
    )
