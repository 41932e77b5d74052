"""Destinations that a tariff has no price for, found before anybody calls there.

Owns the question, of whole tables of numbers. Refuses tenants: who may call where, the caller knows. Pagers
and networks of no country are left out: next to no tariff prices them, and all tenants would be told so.
"""

from collections.abc import Mapping

from rating.book import Stretch
from rating.destinations import Destination, Destinations, Kind

LEFT_OUT = frozenset({Kind.EMERGENCY, Kind.PAGER, Kind.INTERNATIONAL})  # a call for help has no price


def unpriced(destinations: Destinations, stretch: Stretch) -> Mapping[Destination, tuple[str, ...]]:
    """Give destinations of which no number has a price, and how their numbers begin: `+3906`.

    What they cost hangs on tariff, home and hours, and on nothing else that an account has.
    """
    begins: dict[Destination, list[str]] = {}
    priced: set[Destination] = set()
    for beginning, where in destinations.beginnings():
        begins.setdefault(where, []).append(beginning)
        if where not in priced and has_price(stretch, beginning, where):
            priced.add(where)
    bare = {where for where in begins if where not in priced and where.kind not in LEFT_OUT}
    for table in stretch.tables if bare else ():  # a list may know a part that begins longer
        for prefix in table.rows:
            part = destinations.look_up(f"+{prefix}")
            if part in bare and has_price(stretch, f"+{prefix}", part):
                bare.discard(part)
    return {where: tuple(begins[where]) for where in begins if where in bare}


def of_number(destinations: Destinations, stretch: Stretch, number: str) -> Destination | None:
    """Give where a number leads if it has no price."""
    where = destinations.look_up(number, stretch.account.country)
    if where is None or where.kind in LEFT_OUT or has_price(stretch, number, where):
        return None
    return where


def has_price(stretch: Stretch, number: str, where: Destination) -> bool:
    """Tell whether a number, or all that begin with it, has a price."""
    return stretch.terms(where, stretch.listed(number)) is not None
