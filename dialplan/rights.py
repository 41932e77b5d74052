"""How far an extension may call and forward.

Owns the rights and what they cover. Refuses credit and limits, which no document knows.
"""

from enum import StrEnum

from dialplan import numbers


class Rights(StrEnum):
    """How far an extension may call and forward; numbers of tenants count like any other."""

    ANYWHERE = "anywhere"
    COUNTRY = "country"
    INSIDE = "inside"


def may_reach(rights: Rights, number: str, country: str) -> bool:
    """Tell whether rights cover an E.164 number outside; `country` is the tenant's own."""
    if rights is Rights.COUNTRY:
        return numbers.country_of(number) == country
    return rights is Rights.ANYWHERE
