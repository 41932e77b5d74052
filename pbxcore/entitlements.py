"""From a contract's rights to the entitlements of a tenant's document.

Owns the bridge between two vocabularies: catalogues gate what they like, plans know what acts on calls.
Refuses to put anything in force: the tenant's document goes through the door like any other.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from dialplan.entitlement import ALL_FEATURES
from rating.contract.state import Rights
from rating.offer import OfferSpec

COUNTED = ("extensions", "devices")  # what a tenant's document has a number of


def entitlements(
    rights: Sequence[tuple[date, Rights]], offers: Mapping[date, OfferSpec | None]
) -> list[dict[str, Any]]:
    """Write a timeline of rights as a tenant's document has it.

    What no catalogue gates is included while a contract runs; once it has ended, nothing is.

    Args:
        rights: from which day on the tenant may do what.
        offers: for each of these days the offer under which the contract is; None while none runs.

    Returns:
        Entries in order, each different from the one before.
    """
    found: list[dict[str, Any]] = []
    for day, may in rights:
        entry = _entry(may, offers[day])
        if not found or found[-1] != {**entry, "since": found[-1]["since"]}:
            found.append({"since": day.isoformat(), **entry})
    return found


def _entry(may: Rights, offer: OfferSpec | None) -> dict[str, Any]:
    if offer is None:
        return {"features": [], **dict.fromkeys(COUNTED, 0)}
    closed = set(offer.features) - set(may.features)
    counts = {one: may.limits[one] for one in COUNTED if one in may.limits}
    return {
        "features": sorted(feature.value for feature in ALL_FEATURES if feature.value not in closed),
        **counts,
    }
