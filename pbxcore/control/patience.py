"""When to try again what was refused: twice as late each time, up to a limit.

Owns the pauses. Refuses to give anything up, and to know the time: it is an argument.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

FIRST_S = 2.0
LONGEST_S = 600.0  # what was mended by hand is in force that much later at most


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    length_s: float


@dataclass(slots=True)
class Patience:
    """What was refused and is left alone for now."""

    _pauses: dict[Hashable, _Pause] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many were refused and not accepted since."""
        return len(self._pauses)

    def may(self, what: Hashable, now: float) -> bool:
        """Tell whether it may be tried (again)."""
        pause = self._pauses.get(what)
        return pause is None or pause.until <= now

    def accepted(self, what: Hashable) -> None:
        """Forget that it was refused."""
        self._pauses.pop(what, None)

    def refused(self, what: Hashable, now: float) -> None:
        """Leave it alone, twice as long as the last time; forget what nobody has tried again for long."""
        self._pauses = {key: one for key, one in self._pauses.items() if now < one.until + LONGEST_S}
        last = self._pauses.get(what)
        length_s = min(2 * last.length_s, LONGEST_S) if last else FIRST_S
        self._pauses[what] = _Pause(now + length_s, length_s)
