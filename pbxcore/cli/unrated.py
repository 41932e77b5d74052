"""What to do about legs that could not be rated, by the reason for which they wait.

Owns the words. Refuses to look for any (`rating.store.quarantine`) and to release one (`pbxcore.cli.rated`).
"""

from collections.abc import Iterable

from rating.rated import Quarantine
from rating.store.quarantine import Lying

REMEDIES = {
    Quarantine.NO_PAYER: "say who pays when you release it: --payer TENANT/EXTENSION",
    Quarantine.UNKNOWN_ACCOUNT: "apply the tenant and its account",
    Quarantine.UNKNOWN_DESTINATION: "add the number's prefix to config/destinations",
    Quarantine.NO_PRICE: "add a row to the catalogue of its account, and apply it",
    Quarantine.INDETERMINATE: "say when it ended: --ended 2026-11-22T10:15:30Z (else: its last sign of life)",
    Quarantine.IMPOSSIBLE: "say when it really ended: --ended 2026-11-22T10:15:30Z",
}


def counted(found: Iterable[Lying]) -> str:
    """Say `3 legs: 2 no-price, 1 no-payer`."""
    reasons = ", ".join(f"{one.legs} {one.reason}" for one in found)
    legs = sum(one.legs for one in found)
    return f"{legs} {'leg' if legs == 1 else 'legs'}: {reasons}"


def remedies(found: Iterable[Lying]) -> list[str]:
    """Say for each reason what helps, and how a leg is let go then."""
    said = [f"{one.reason}: {REMEDIES[one.reason]}" for one in found]
    return (
        [*said, "`pbxcore quarantine list` names each; then `pbxcore quarantine release KEY`, or `--reason`"]
        if said
        else []
    )
