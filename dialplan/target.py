"""Where a rule may send a call, as an operator writes it: `group sales`, `number +436641234567`, `busy`.

Owns the grammar of targets. Refuses to say whether the place exists (`dialplan.checks`) or what happens there
(`dialplan.route`).
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """Every kind of place a call can be sent to."""

    EXTENSION = "extension"
    GROUP = "group"
    VOICEMAIL = "voicemail"
    HOURS = "hours"
    ANNOUNCEMENT = "announcement"
    NUMBER = "number"
    BUSY = "busy"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Target:
    """One place: its kind, and its name or number (empty for `busy` and `reject`)."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return self.kind + " " + self.name if self.name else str(self.kind)


_KINDS = frozenset(kind.value for kind in Kind)
_NAMELESS = frozenset({Kind.BUSY.value, Kind.REJECT.value})

FORMS = (
    "extension 10",
    "group sales",
    "voicemail 10",
    "hours office",
    "announcement closed",
    "number +436641234567",
    "busy",
    "reject",
)


@lru_cache(maxsize=4_096)  # documents name the same few places again and again
def parse(text: str) -> Target | None:
    """Read a target; None where the text is none."""
    kind, _, name = text.strip().partition(" ")
    if kind not in _KINDS or (kind in _NAMELESS) == bool(name.strip()):
        return None
    return Target(Kind(kind), _compact(name) if kind == Kind.NUMBER else name.strip())


def _compact(number: str) -> str:
    """Let people write `number +43 664 1234567`."""
    return "".join(number.split())
