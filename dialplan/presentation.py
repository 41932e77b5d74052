"""What a carrier is told of who calls: which number in From, which in a header beside it.

Owns the ways that trunks want it. Two numbers belong to a call that leaves: the one its caller shows
(user-provided) and one of ours that the carrier knows (network-provided). From carries one of them, the
header the other. A caller who hides is anonymous in From, and the header carries ours, marked private
(RFC 3323, RFC 3325). Refuses to write headers: the constant dialplan does ([leg] of extensions.conf), by the
name of the way.
"""

from dataclasses import dataclass
from enum import StrEnum

from dialplan.notation import E164, Notation


class From(StrEnum):
    """The number in From."""

    USER = "user"  # what the caller shows
    NETWORK = "network"  # ours; carriers without "CLIP no screening" take no other


class Identity(StrEnum):
    """The header beside it."""

    ASSERTED = "p-asserted-identity"
    PREFERRED = "p-preferred-identity"
    REMOTE_PARTY = "remote-party-id"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a trunk wants it."""

    caller: From = From.USER
    identity: Identity = Identity.ASSERTED


USUAL = Presentation()


def way_of(wanted: Presentation, notation: Notation = E164) -> str:
    """Name the extension of [leg] in extensions.conf that writes it; `s` for what most carriers want."""
    usual = (wanted, notation) == (USUAL, E164)
    return "s" if usual else f"{wanted.caller}_{_SHORT[wanted.identity]}"


def in_words(wanted: Presentation, *, presented: str, network: str, hidden: bool) -> str:
    """Say what a carrier is told of a call."""
    swapped = wanted.caller is From.NETWORK and presented and not hidden
    shown, beside = (network, presented) if swapped else (presented, network)
    seen = "anonymous" if hidden or not shown else shown
    if wanted.identity is Identity.NONE:
        return f"From {seen} alone"
    return f"From {seen}, {wanted.identity} {beside or 'none'}"


_SHORT = {
    Identity.ASSERTED: "pai",
    Identity.PREFERRED: "ppi",
    Identity.REMOTE_PARTY: "rpid",
    Identity.NONE: "none",
}
