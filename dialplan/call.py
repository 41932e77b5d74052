"""One call as the rules see it, and the decision about it while it is being made.

Owns what is true of the whole call (who calls, what diverted it) and the sheet on which the rules write.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dialplan.decision import Because, DiversionReason, Hunt, Reason, Reject, Why
from dialplan.entitlement import Feature, returns, withheld
from dialplan.facts import State
from dialplan.hours import local_time
from dialplan.keys import Keys
from dialplan.layout import Node
from dialplan.plan import Identity, Number, Owner, Plan
from dialplan.published import Published
from dialplan.quick import quick
from dialplan.switch import Switch, SwitchKind
from dialplan.target import Kind

MAX_DIVERSIONS = 5  # RFC 5806 leaves the limit to us; carriers cut at 5. The same for phones' 302s

# Causes of ITU-T Q.850, chosen so that Asterisk answers phones and carriers with the SIP code beside it.
CAUSES = {
    Reason.UNKNOWN_NUMBER: 1,  # 404
    Reason.UNKNOWN_ENDPOINT: 21,  # 403
    Reason.INVALID_NUMBER: 28,  # 484
    Reason.NOT_ALLOWED: 21,  # 403
    Reason.NOT_ALLOWED_NOW: 21,  # 403
    Reason.NO_TRUNK: 34,  # 503
    Reason.LOOP: 25,  # 603: nobody tries another way
    Reason.CLOSED: 20,  # 480
    Reason.BLIND: 34,  # 503
    Reason.BUSY: 17,  # 486
    Reason.BLOCKED: 21,  # 403
    Reason.NOT_ENTITLED: 21,  # 403
    Reason.NO_CREDIT: 21,  # 403
    Reason.NO_PRICE: 21,  # 403
    Reason.TOO_MANY_CALLS: 17,  # 486; where a leg may not leave it is 34, the called one is not busy
    Reason.CREDIT_UNKNOWN: 34,  # 503
    Reason.ACCOUNT_DAY: 21,  # 403
    Reason.ACCOUNT_MONTH: 21,  # 403
    Reason.EXTENSION_DAY: 21,  # 403
    Reason.EXTENSION_MONTH: 21,  # 403
    Reason.NOTHING_RINGS: 20,  # 480
}


_REJECTS = {reason: Reject(cause=cause, reason=reason) for reason, cause in CAUSES.items()}

PlaceKey = tuple[str, tuple[str, ...], tuple[str, ...], DiversionReason, Kind, str, str]
"""Tenant, what is known of the way there, kind and name, who pays where that matters; text keeps its hash."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls.

    Attributes:
        number: what a far end may see, E.164; empty: nothing known.
        hidden: the caller asked for CLIR, or sent no number.
        tenant: whose phone it is; empty for a caller from outside.
        endpoint: the phone, which is never rung by its own call.
        keys: what it may press during the call to transfer it; None: nothing.
        rewritten: its carrier writes the number in a way that no phone could call back.
    """

    number: str
    hidden: bool = False
    tenant: str = ""
    endpoint: str = ""
    keys: Keys | None = None
    rewritten: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is true of a call wherever it goes.

    Attributes:
        id: UniqueID of the asking channel; empty if nothing is drawn from it.
        diverted: numbers that have diverted it before it reached us, as they came and in E.164 form.
        diversions: how often it was diverted.
        diverters: those numbers that can be told to a carrier, E.164, the latest first.
        trail: phones of ours that sent it on by a 302, of all tenants; it is rung by none of them again.
    """

    published: Published
    state: State
    now: datetime
    caller: Caller
    id: str = ""
    diverted: frozenset[str] = frozenset()
    diversions: int = 0
    diverters: tuple[str, ...] = ()
    trail: tuple[str, ...] = ()

    @property
    def draw(self) -> int:
        """The number drawn for this question. Few ask for it, and drawing one takes a while."""
        return drawn(self.id) if self.state.draw is None else self.state.draw

    def was_at(self, endpoints: Iterable[str]) -> bool:
        """Tell whether one of these phones has sent the call on."""
        return bool(self.trail) and not frozenset(self.trail).isdisjoint(endpoints)

    def went_round(self, *numbers: str, more: int = 0) -> bool:
        """Tell whether one of these numbers has diverted the call or, with so many more, it was too often."""
        return self.diversions + more >= MAX_DIVERSIONS or not self.diverted.isdisjoint(numbers)


@quick
@dataclass(frozen=True, slots=True)
class Here:
    """Where a call is: in which tenant, and how it came here.

    Attributes:
        trail: numbers by which it came into tenants so far, the latest last.
        diverted: those of our numbers that sent it from one tenant to the next, the latest last.
        reason: why this tenant sends it on, while none of its phones has rung. Empty: no other tenant has
            sent it here, or a phone has rung, and what that came to is the reason.
    """

    plan: Plan
    trail: tuple[str, ...] = ()
    diverted: tuple[str, ...] = ()
    reason: DiversionReason = ""

    @property
    def entered_by(self) -> str:
        """The number of this tenant that was called, or nothing for a call from inside."""
        return self.trail[-1] if self.trail else ""

    def entering(self, plan: Plan, number: Number) -> "Here":
        """Go on into a tenant by one of its numbers."""
        return Here(plan, (*self.trail, number.today), self.diverted, self.reason)

    def diverted_by(self, number: str) -> "Here":
        """Go on to another tenant, sent by a number of this one."""
        return Here(self.plan, self.trail, (*self.diverted, number), "unconditional")

    def because(self, reason: DiversionReason) -> "Here":
        """Know better why a call goes on from here that another tenant has sent, and that rang no phone."""
        return Here(self.plan, self.trail, self.diverted, reason) if self.reason else self

    def having_rung(self) -> "Here":
        """Go on behind phones that have rung."""
        return Here(self.plan, self.trail, self.diverted) if self.reason else self


DIALLED = "dialled"  # what stands for a rule where a phone says where the call goes


@quick
@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a call on: the owner who pays if it leaves, the rule that says so, and why."""

    owner: Owner
    rule: str
    why: Why = Why.FORWARD

    @property
    def has_dialled(self) -> bool:
        """Whether a phone names where the call goes, and not a rule or switch of its tenant."""
        return self.rule == DIALLED


@dataclass(frozen=True, slots=True)
class Underway:
    """A ring group that this call may come to, and the step that rings its first member."""

    hunt: Hunt
    first: Node


@dataclass(slots=True)
class Sheet:
    """A decision being made: why so far, by which plans, places worked out, switches to be changed."""

    call: Call
    hunts: list[Underway] = field(default_factory=list)
    because: list[Because] = field(default_factory=list)
    versions: dict[str, None] = field(default_factory=dict)
    places: dict[PlaceKey, Node | None] = field(default_factory=dict)
    changes: list[Switch] = field(default_factory=list)

    def switched(self, tenant: str, kind: SwitchKind, subject: str) -> str:
        """Give what a switch says at the instant of the call; empty: nothing."""
        return self.call.state.switches.value(tenant, kind, subject, self.call.now)

    def note(self, rule: str, text: str) -> None:
        """Write down that a rule spoke."""
        self.because.append(Because(rule=rule, text=text))

    def enter(self, plan: Plan) -> None:
        """Write down that a plan takes part."""
        self.versions[plan.version] = None

    def withhold(self, plan: Plan, feature: Feature, rule: str) -> Node | None:
        """End the call here if the tenant may not use a feature now, and write down why."""
        if not plan.entitlements or not withheld(plan.entitlements, feature, now := self.call.now):
            return None
        again = returns(plan.entitlements, feature, now)
        until = f" before {local_time(again, plan.zone):%Y-%m-%d %H:%M}" if again else ""
        return self.reject(Reason.NOT_ENTITLED, rule, f"{plan.tenant} is not entitled to {feature}{until}")

    def reject(self, reason: Reason, rule: str, text: str) -> Node:
        """End the call here, and write down why."""
        self.note(rule, text)
        return rejection(reason)


def drawn(call: str) -> int:
    """Draw a number for a call from its UniqueID: as good as any, and the same whoever decides it again."""
    return int.from_bytes(hashlib.blake2b(call.encode(), digest_size=16).digest())


def rejection(reason: Reason) -> Node:
    """Make the step that ends a call for a reason."""
    return Node(_REJECTS[reason])


def shown(identity: Identity, plan: Plan, now: datetime) -> str:
    """Give the number a call of ours shows at an instant."""
    if identity.shown == identity.network:
        return identity.shown
    today = local_time(now, plan.zone).date()
    return identity.shown if today >= identity.shown_from else identity.network
