"""The words for what a number is.

Owns `Kind` and `Destination`. Refuses to say what a kind costs: that is the catalogue's.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a numbering plan says a number is for."""

    FIXED = "fixed"
    MOBILE = "mobile"
    FIXED_OR_MOBILE = "fixed_or_mobile"  # the plan does not tell (+1, +52, parts of +45)
    VOIP = "voip"  # nomadic numbers, not bound to a place
    UAN = "uan"  # universal access numbers: one number for a whole company
    PAGER = "pager"
    PREMIUM = "premium"
    SHARED_COST = "shared-cost"
    FREEPHONE = "freephone"  # a kind, not a price: from abroad it costs
    PERSONAL = "personal"
    SATELLITE = "satellite"
    INTERNATIONAL = "international"  # networks of no country (+882, +883, +888)
    EMERGENCY = "emergency"


ORDINARY = frozenset({Kind.FIXED, Kind.MOBILE, Kind.FIXED_OR_MOBILE, Kind.VOIP})
"""Kinds that a gap in a numbering plan may inherit from its surroundings."""

NOWHERE = "001"
"""Country of numbers that belong to no country (UN M49: the world)."""


class Destination(NamedTuple):
    """Where a number leads.

    Attributes:
        country: ISO 3166 code; `XK` Kosovo, `AC` Ascension, `TA` Tristan da Cunha, `001` no country.
        kind: what the number is for.
    """

    country: str
    kind: Kind
