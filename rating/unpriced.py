"""Destinations that an account's documents have no price for, found before anybody calls there.

Owns the question. Refuses tenants: who may call where, the caller knows. Pagers and networks of no country
are left out: next to no tariff prices them, so they would be told of every tenant.
"""

from collections.abc import Callable, Iterable

from rating.book import Stretch
from rating.destinations import Destination, Destinations, Kind

LEFT_OUT = frozenset({Kind.EMERGENCY, Kind.PAGER, Kind.INTERNATIONAL})  # a call for help has no price


def unpriced(
    destinations: Destinations, stretch: Stretch, reached: Callable[[str], bool], named: Iterable[str] = ()
) -> frozenset[Destination]:
    """Give destinations of which no number that can be reached has a price.

    Args:
        destinations: the table.
        stretch: of the account.
        reached: tells of the beginning of numbers, `+4930`, whether calls go there.
        named: numbers that are called whatever else is.
    """
    home = stretch.account.country
    asked = [(one, where) for one, where in destinations.beginnings() if reached(one)]
    asked += [(one, where) for one in named if (where := destinations.look_up(one, home)) is not None]
    wanted = {where for _, where in asked if where.kind not in LEFT_OUT}
    priced = {where for one, where in asked if where in wanted and _has_price(stretch, one, where)}
    return frozenset(wanted - priced - _in_lists(destinations, stretch, wanted - priced))


def _has_price(stretch: Stretch, number: str, where: Destination) -> bool:
    return stretch.terms(where, stretch.listed(number)) is not None


def _in_lists(
    destinations: Destinations, stretch: Stretch, wanted: Iterable[Destination]
) -> frozenset[Destination]:
    """Give those of some destinations of which a price list knows a part."""
    looked_for = frozenset(wanted)
    prefixes = (f"+{prefix}" for table in stretch.tables for prefix in table.rows) if looked_for else ()
    places = ((one, destinations.look_up(one)) for one in prefixes)
    return frozenset(
        where
        for one, where in places
        if where is not None and where in looked_for and _has_price(stretch, one, where)
    )
