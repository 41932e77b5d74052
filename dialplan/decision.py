"""What happens to a call: a complete, finite list of steps that Asterisk executes alone.

Owns the vocabulary of the answer. Refuses to know how a step is written on the wire
(`pbxcore.control.wire`) or executed (`asterisk-conf/extensions.conf`).

A step that rings somebody names the step that follows for each way it can fail. A jump goes only forward,
so a decision is bounded by its length, whatever happens to the call. A call that is answered ends with its
step. Index `END` (0) ends the call; the first step is number 1.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from dialplan.keys import Keys
from dialplan.quick import quick
from dialplan.switch import Switch

END = 0
MAX_STEPS = 40  # channel variables of one decision; a plan that needs more does not compile
TRUNK = "trunk"  # category of the groups that count the calls of trunks, one group for each
MAX_STEP_BYTES = 1_900  # an AGI line is cut near 2,047 bytes


class Why(StrEnum):
    """Why a leg left through a trunk; stands on the leg and in the rated leg."""

    CALL = "call"
    FORWARD = "forward"
    TRANSFER = "transfer"
    EMERGENCY = "emergency"


DiversionReason = Literal["", "unconditional", "user-busy", "unavailable"]
"""Why a call was sent on that rang no phone: `diversion-reason` of RFC 5806; empty: nobody has said."""


class Reason(StrEnum):
    """Why a call is refused. Each value has its text in `docs/outcomes.md`."""

    UNKNOWN_NUMBER = "unknown-number"  # nobody has this number or extension
    UNKNOWN_ENDPOINT = "unknown-endpoint"  # the asking device belongs to no published tenant
    INVALID_NUMBER = "invalid-number"  # cannot be brought into E.164 form
    NOT_ALLOWED = "not-allowed"  # the caller's rights do not cover it
    NOT_ALLOWED_NOW = "not-allowed-now"  # they cover it at other hours
    NO_TRUNK = "no-trunk"  # no trunk is configured for it
    LOOP = "loop"  # the call has been here before
    CLOSED = "closed"  # a closed rule without a destination
    BLIND = "blind"  # the standby may not spend money on this destination
    BUSY = "busy"  # the plan says busy
    BLOCKED = "blocked"  # the callee takes no calls of this caller
    NOT_ENTITLED = "not-entitled"  # the tenant's contract does not include what the plan would do
    NO_CREDIT = "no-credit"  # a prepaid account has not enough left for its first second
    NO_PRICE = "no-price"  # nobody knows what it would cost a prepaid account
    TOO_MANY_CALLS = "too-many-calls"  # the tenant or the extension has as many as it may
    CREDIT_UNKNOWN = "credit-unknown"  # nobody can be asked what a prepaid account has left
    ACCOUNT_DAY = "account-day-limit"  # the account has spent all that it may today
    ACCOUNT_MONTH = "account-month-limit"  # the account has spent all that it may this month
    EXTENSION_DAY = "extension-day-limit"  # the extension that pays has spent all that it may today
    EXTENSION_MONTH = "extension-month-limit"  # the extension that pays has spent all that it may this month
    NOTHING_RINGS = "nothing-rings"  # there is no call that this phone could take from another


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Number of the step that follows, by the way a ringing step ended; `END` ends the call."""

    busy: int = END
    no_answer: int = END
    unreachable: int = END


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """One that rings beside others with a step of its own, for it rings later, not as long, or outside.

    Attributes:
        step: number of that step, a `Ring` or an `Outside`; its jumps lead nowhere.
        delay_s: how long after the others it begins.
    """

    step: int
    delay_s: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Ring endpoints of our own at once; the first to answer has the call.

    Attributes:
        joined: who rings beside them with steps of their own.
        busy_level: with so many calls of these endpoints together the step ends as busy at once; 0: it rings.
        tone: name of the ring tone that phones are asked for (Alert-Info); empty: their own choice.
        prefix: text that phones show before the caller's name; empty: none.
        heard: `<what>@<tenant>` that the caller hears instead of the ringing tone; empty: that tone.
        calling_keys: what the caller's phone may press to transfer who answers; None: nothing.
        called_keys: what the phone that answers may press to transfer the caller; None: nothing.
        caller: number to show to the phones, E.164, or `anonymous`; empty: as it came. Set for a call from
            another tenant, whose extension says nothing here.
        group: ring group whose call it is, `<tenant>/<name>`; empty: none. Members who log out of it stop
            ringing. No caller notices it, so it makes no step another.
    """

    endpoints: tuple[str, ...]
    timeout_s: int
    group: str = field(default="", compare=False)
    caller: str = ""
    joined: tuple[Joined, ...] = ()
    busy_level: int = 0
    tone: str = ""
    prefix: str = ""
    heard: str = ""
    calling_keys: Keys | None = None
    called_keys: Keys | None = None
    then: Next = Next()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A group in which Asterisk counts a channel as long as it lives, and how many it may hold.

    Attributes:
        most: channels, this one included; 0: it is counted and never refused.
        group: whose calls: a tenant, `<tenant>/<extension>`, a trunk.
        category: which of its calls (`TRUNK`, or one of `dialplan.limit`); a channel is in one group of each.
    """

    most: int
    group: str
    category: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Count the asking channel, or end the call as one too many."""

    limits: tuple[Limit, ...]
    then: int = END


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Leave through the first trunk that takes the call.

    Attributes:
        trunks: names of trunks in the order to try.
        number: called number, E.164.
        presented: number the called party sees (user-provided), E.164; empty: none.
        network: number of ours that can be called back and that the carrier knows (network-provided), E.164.
        hidden: the caller asked for CLIR; presented and network numbers travel, marked private.
        diverting: our number that diverts the call here, E.164; empty for a call of one's own.
        diverted: numbers that had diverted it before, as far as they are known, E.164, the latest first.
        diversions: how often it has been diverted, this time included.
        diversion_reason: why, as RFC 5806 names it; empty: what the step before came to, if any, tells it.
        payer: `<tenant>/<extension>` that owns the leg.
        why: call, forward, transfer.
        timeout_s: how long to let it ring.
        limit_s: longest duration after the answer; 0 for none.
        confirm: language in which whoever answers is asked to press 1, and has the call only then: a mailbox
            never does. Empty: who answers has the call.
        calling_keys: what the caller's phone may press to transfer who answers; None: nothing.
        limits: in which the leg is counted before it leaves. Those of a trunk (`TRUNK`) hold for the leg that
            leaves by it, and beyond one the next trunk is tried; beyond any other none is, and the call goes
            on as if nobody could be reached.
        credit: what is set aside for the leg; its end can be moved. Empty: no credit or limit ends it.
    """

    trunks: tuple[str, ...]
    number: str
    presented: str
    network: str
    payer: str
    why: Why
    timeout_s: int
    hidden: bool = False
    diverting: str = ""
    diverted: tuple[str, ...] = ()
    diversions: int = 0
    diversion_reason: DiversionReason = ""
    limit_s: int = 0
    confirm: str = ""
    credit: str = ""
    calling_keys: Keys | None = None
    limits: tuple[Limit, ...] = ()
    then: Next = Next()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail:
    """Take a message. Ends the call.

    Attributes:
        mailbox: `<box>@<tenant>`.
        language: in which its caller is spoken to, its tenant's; empty: as it was.
        busy: greet with "busy" instead of "unavailable".
    """

    mailbox: str
    language: str = ""
    busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenToVoicemail:
    """Let the caller hear a mailbox after its PIN. Ends the call."""

    mailbox: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Play a sound before answer (early media where the caller's side hears it), then go on.

    Attributes:
        language: in which the machine's recordings are played from here on; empty: as it was.
    """

    sound: str
    language: str = ""
    then: int = END


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """End the call with a cause of ITU-T Q.850 and a reason. Ends the call."""

    cause: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Answer and tell the caller by sounds, one after the other, that it is done. Ends the call.

    Attributes:
        silent: endpoints that ring no more for `groups`, from before the first sound on, in calls that were
            decided earlier too; none: nobody logs out.
        groups: names as in `Ring.group`; empty: all.
    """

    sounds: tuple[str, ...]
    silent: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PickUp:
    """Take the call that rings at one of these endpoints; where none does, refuse. Ends the call."""

    endpoints: tuple[str, ...]


Step = Ring | Admit | Outside | Voicemail | ListenToVoicemail | Play | Reject | Confirm | PickUp


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """One line of the explanation: which rule of which document spoke, and what it said.

    Attributes:
        rule: path in the tenant document, `extensions.10.forward.no_answer`.
        text: what it did, in one English sentence without a full stop.
    """

    rule: str
    text: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """What a process that remembers whose turn it is learns from a decision.

    Attributes:
        group: payer of the ring group, `<tenant>/<group>`.
        strategy: how its members take turns.
        next_turn: whose turn it is after this call, counted from 0 in the order of the document.
        first: payers of the member that rings first.
        rings_s: how long the group rings if nobody answers.
        at_once: the call comes to this group first, whatever happens; otherwise it may never get there.
    """

    group: str
    strategy: str
    next_turn: int
    first: tuple[str, ...]
    rings_s: int
    at_once: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The complete answer to one question.

    Attributes:
        version: the plan that decided, `<tenant>@<revision>`; several, joined by `+`, for a call between
            tenants; `-` where no plan was asked.
        steps: at least one, at most `MAX_STEPS`.
        because: the explanation, in the order in which the rules spoke.
        changes: switches that have to be kept before the answer is sent: its steps say that they are.
        hunts: the ring groups it may come to whose members take turns.
    """

    version: str
    steps: tuple[Step, ...]
    because: tuple[Because, ...]
    changes: tuple[Switch, ...] = ()
    hunts: tuple[Hunt, ...] = ()
