"""What a contract lets tenants use, as their plans say it; what tenants have, as their contract counts it.

Owns the bridge between two vocabularies: catalogues gate what they like, plans know what acts on calls.
Refuses to put anything in force (`pbxcore.entitling` does, at the door).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dialplan.checks.entitled import uses
from dialplan.entitlement import ALL_FEATURES
from dialplan.outline import TenantOutline
from dialplan.spec import MAX_ENTITLEMENTS, TenantSpec
from rating.contract.edition import Shelf
from rating.contract.history import History, running
from rating.contract.state import Rights, State, limited, rights
from rating.offer import OfferSpec

COUNTED = ("extensions", "devices")  # what a tenant's document has a number of
GATED = frozenset(
    feature.value for feature in ALL_FEATURES
)  # what acts on calls and a catalogue may withhold

EVER = "2000-01-01"  # before any contract, by the clock of each tenant: that may be behind its account's
UNRESTRICTED = {"features": sorted(GATED)}


def entitlements(past: History) -> list[dict[str, Any]]:
    """Write what a contract lets a tenant use, and from when on, as a tenant's document has it.

    What no catalogue gates is included while a contract runs; once it has ended, nothing is. Before the first
    contract begins its account is as it was without one, not restricted: an entry says that, because a
    timeline withholds everything before its first.

    Returns:
        Entries in order, each different from the one before; of very many the newest. None where nobody has
        signed: there is nothing yet that could withhold anything.
    """
    if all(state.signed is None for state in past.states):
        return []
    found: list[dict[str, Any]] = []
    begun = False
    for day, state in {one.today: one for one in past.states}.items():  # the last one of each day
        edition = running(state, day)
        begun = begun or edition is not None or state.ended
        offer = edition.offer if edition is not None else None
        entry = _entry(rights(state, day), offer) if begun else UNRESTRICTED
        if not found or found[-1] != {**entry, "since": found[-1]["since"]}:
            found.append({"since": day.isoformat() if begun else EVER, **entry})
    return found[-MAX_ENTITLEMENTS:]


def _entry(may: Rights, offer: OfferSpec | None) -> dict[str, Any]:
    if offer is None:
        return {"features": [], **dict.fromkeys(COUNTED, 0)}
    closed = set(offer.features) - set(may.features)
    counts = {one: may.limits[one] for one in COUNTED if one in may.limits}
    return {"features": sorted(GATED - closed), **counts}


def counts(specs: Iterable[TenantSpec | TenantOutline]) -> dict[str, int]:
    """Count what tenants have together and contracts limit."""
    extensions = [one for spec in specs for one in spec.extensions.values()]
    return {"extensions": len(extensions), "devices": sum(len(one.devices) for one in extensions)}


def features(specs: Iterable[TenantSpec | TenantOutline]) -> frozenset[str]:
    """Name what tenants use of all that a catalogue may withhold from calls."""
    return frozenset(feature.value for spec in specs for _, feature in uses(spec))


def use(state: State, has: Mapping[str, int], used: frozenset[str], offers: Shelf) -> dict[str, Any] | None:
    """Write what tenants have and use as an event of their contract; None where it knows that already.

    Only what some offer limits, and of functions what its own includes by now, or does not gate while another
    does, is said: a move to that one may not take it away unseen. A function that no plan knows is told by
    people, and stays.
    """
    sold = [edition.offer for editions in offers.values() for edition in editions]
    said: dict[str, Any] = {}
    names = frozenset(name for offer in sold for name in limited(offer))
    gated = frozenset(name for offer in sold for name in offer.features) - state.edition.offer.features.keys()
    counted = {name: has[name] for name in COUNTED if name in names}
    if counted != {name: state.in_use.get(name, 0) for name in counted}:
        said["counts"] = counted
    using = (state.features_in_use - GATED) | (used & (gated | set(rights(state, state.today).features)))
    if using != state.features_in_use:
        said["features"] = sorted(using)
    return said or None
