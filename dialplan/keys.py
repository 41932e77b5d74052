"""Keys that phones press during a call to send the other side elsewhere.

Owns what a decision says of them. Refuses to listen for them: Asterisk does, on the channels of phones alone
(`asterisk-conf/extensions.conf`), so that nobody outside can press them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a phone may press.

    Attributes:
        blind: to send the other side on at once; empty: nothing does.
        attended: to ask there first; empty: nothing does.
        tenant: whose phone it is, and whose music.
        music: key of the plan's `music` that the other side hears meanwhile; empty: the machine's.
    """

    blind: str
    attended: str
    tenant: str
    music: str

    def __str__(self) -> str:
        ways = {"blind": self.blind, "attended": self.attended}
        return ", ".join(f"{keys} {way}" for way, keys in ways.items() if keys)
