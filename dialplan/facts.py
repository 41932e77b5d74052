"""The facts of a call when Asterisk asks, and the state that is no fact of the call.

Owns the vocabulary of the question. Refuses to interpret: numbers stand here as they came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from dialplan.quick import quick
from dialplan.switch import NO_SWITCHES, Switches

NEVER = datetime.min.replace(tzinfo=UTC)


class Origin(StrEnum):
    """How the asking channel came to ask."""

    PHONE = "phone"  # a device of a tenant dialled
    TRUNK = "trunk"  # a carrier brought the call
    TRANSFER = "transfer"  # a device of a tenant sent somebody elsewhere (REFER)
    FORWARD = "forward"  # a device of a tenant answered with a 302
    CONSULT = "consult"  # a device of a tenant asks somebody, by keys, before it sends its call there


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One question of Asterisk: who wants to go where, and who caused it.

    Attributes:
        call: UniqueID of the asking channel, `<systemname>-<epoch>.<sequence>`.
        linkedid: groups the legs of one call.
        origin: how the channel came to ask.
        endpoint: PJSIP endpoint of the asking channel, `<tenant>-<device>` or `trunk-<name>`; for FORWARD of
            the channel that the forwarding phone was rung for.
        actor: endpoint that caused the question and whose rights and account apply: the endpoint itself for
            PHONE, TRUNK and CONSULT, the transferer for TRANSFER, the forwarding device for FORWARD.
        dialled: what was dialled, untouched: an extension, a feature code, a national or an E.164 number.
        caller: the caller's number as presented, empty when anonymous.
        diversions: numbers that diverted the call before it reached us, the latest first.
        diversion_count: how often it was diverted by what a carrier says; more than the numbers if some hide.
        trail: endpoints of phones of ours that sent the call on by a 302, the latest, the actor, first.
        helped: endpoint of the phone that called for help a short while ago and showed the number that is
            called now; empty: none did.
        group: for FORWARD the ring group whose call rang the phone, as in `Ring.group`; empty: none.
    """

    call: str
    linkedid: str
    origin: Origin
    endpoint: str
    actor: str
    dialled: str
    caller: str = ""
    diversions: tuple[str, ...] = ()
    diversion_count: int = 0
    trail: tuple[str, ...] = ()
    helped: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an extension has done for callers, as far as is remembered.

    Attributes:
        last: when it last answered a call or was the first to ring for one.
        day: day of the tenant on which it answered `calls`.
        calls: calls that it answered on that day.
        ringing: calls of groups that rang it first, and that nobody has answered yet.
    """

    last: datetime = NEVER
    day: date = date.min
    calls: int = 0
    ringing: int = 0

    def calls_on(self, today: date) -> int:
        """Count what it has to do with today: answered, and about to be."""
        return self.ringing + (self.calls if self.day == today else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the deciding process knows besides the plan; all of it may be unknown.

    Attributes:
        blind: no rater can be asked (standby): `dialplan.blind` says what may be called.
        longest_call_s: longest duration of any outside call but an emergency call; 0 for none.
        switches: what users have switched, of all tenants.
        draw: a number drawn for this question, not negative, from a range that no list of members exhausts;
            None: each call draws its own (`dialplan.call.drawn`).
        turns: whose turn it is in a ring group, by its payer `<tenant>/<group>`.
        served: what each extension has done, by its payer `<tenant>/<extension>`.
    """

    blind: bool = False
    longest_call_s: int = 0
    switches: Switches = NO_SWITCHES
    draw: int | None = 0
    turns: Mapping[str, int] = field(default_factory=dict)
    served: Mapping[str, Served] = field(default_factory=dict)
