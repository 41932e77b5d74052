"""The machine's trunks as decisions see them: how many calls each carries.

Owns what is said of trunks once for all tenants. Refuses addresses and everything Asterisk alone must know
(`pbxcore.settings`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dialplan.decision import TRUNK, Limit


@dataclass(frozen=True, slots=True)
class Carriers:
    """What is known of trunks beside their names.

    Attributes:
        capacity: calls at once, in both directions together, by name; a trunk that is missing has no limit.
    """

    capacity: Mapping[str, int] = field(default_factory=dict)

    def limits(self, trunks: Iterable[str]) -> tuple[Limit, ...]:
        """Give the limits of a leg that leaves by one of some trunks."""
        known = ((trunk, self.capacity.get(trunk, 0)) for trunk in trunks) if self.capacity else ()
        return tuple(Limit(most=most, group=trunk, category=TRUNK) for trunk, most in known if most)

    def counted(self, trunk: str) -> tuple[Limit, ...]:
        """Give what counts a call that a trunk brings; whether there is room for it the carrier knows."""
        return (Limit(most=0, group=trunk, category=TRUNK),) if trunk in self.capacity else ()


NO_CARRIERS = Carriers()


def to_json(carriers: Carriers) -> dict[str, Any]:
    """Write what is known of trunks as plain values."""
    return {"capacity": dict(carriers.capacity)}


def from_json(written: Mapping[str, Any]) -> Carriers:
    """Read what `to_json` wrote; what is missing is not limited.

    Raises:
        ValueError, TypeError, AttributeError: it is something else.
    """
    capacity = written.get("capacity", {})
    return Carriers(capacity={str(trunk): int(most) for trunk, most in capacity.items()})
