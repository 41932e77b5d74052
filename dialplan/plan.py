"""What a tenant's plan is: compiled, frozen, versioned, ready to be asked for each call.

Owns the shape in which a decision finds everything with one look-up. Refuses to be changed: another revision
is another plan (`dialplan.published` swaps it whole).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from dialplan.carriers import Route
from dialplan.entitlement import Timeline
from dialplan.hours import Week
from dialplan.keys import Keys
from dialplan.rights import UNLIMITED, Rights
from dialplan.spoken import Spoken
from dialplan.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the far end sees of a call of ours.

    Attributes:
        network: number of ours that can be called back today, E.164; empty where the tenant has none.
        shown: number that is shown, E.164; another than `network` where that one stands for it.
        shown_from: first day on which it may be shown; before, `network` is.
    """

    network: str = ""
    shown: str = ""
    shown_from: date = date.min


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many calls over trunks a tenant may have at once; 0: any number."""

    inbound: int = 0
    outbound: int = 0
    calls: int = 0


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who pays for a leg and what it shows: an extension, a group, or a rule that sends calls outside.

    Attributes:
        payer: `<tenant>/<extension>`, or `<tenant>/<rule>`.
        identity: what its calls show.
        may_call: how far it may call and transfer.
        may_forward: how far its calls may be forwarded.
        max_outbound: calls over trunks that it may pay for at once; 0: any number.
    """

    payer: str
    identity: Identity
    may_call: Rights = UNLIMITED
    may_forward: Rights = UNLIMITED
    max_outbound: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a caller hears while phones ring: an announcement of the plan, or its music."""

    announcement: str = ""
    music: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Callers who are not put through.

    Attributes:
        blocked: patterns of numbers that are refused (`dialplan.callers`).
        anonymous: where callers without a number go; None: where all go.
    """

    blocked: frozenset[str] = frozenset()
    anonymous: Target | None = None


NO_SCREEN = Screen()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRule:
    """Forwards for calls of some callers (patterns; empty: of all) that came by some numbers (empty: any)."""

    callers: frozenset[str]
    numbers: frozenset[str]
    targets: Mapping[str, Target]  # by case: always, busy, no_answer, unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwards:
    """Where calls to an extension go on; None where its mailbox takes them, or else the call ends.

    Attributes:
        unreachable: no phone of the extension is registered; None: as `no_answer`.
        rules: for some calls alone; the first that fits and names the case comes before all other.
    """

    rules: tuple[ForwardRule, ...] = ()

    always: Target | None = None
    busy: Target | None = None
    no_answer: Target | None = None
    unreachable: Target | None = None
    ring_s: int

    def names(self, when: str) -> bool:
        """Tell whether some calls, or all, are sent on in a case."""
        return bool(getattr(self, when)) or any(when in rule.targets for rule in self.rules)


PicksUp = Literal["anybody", "groups", "nobody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An internal number: its phones, its mailbox (`10@acme`, or empty) and its forwards.

    Attributes:
        busy_level: calls with which it is busy; 0: however many it has, it rings.
        hides: its calls show no number outside, unless one says otherwise.
        shows: what one of its calls may show instead of its owner's identity; a digit says which, from 1 on.
        picks_up: whose ringing calls it may take: `anybody`, `groups` (who is in one with it) or `nobody`.
    """

    number: str
    name: str
    endpoints: tuple[str, ...]
    mailbox: str
    forwards: Forwards
    owner: Owner
    while_ringing: Heard | None = None
    keys: Keys | None = None
    screen: Screen = NO_SCREEN
    busy_level: int = 0
    hides: bool = False
    shows: tuple[Identity, ...] = ()
    picks_up: PicksUp = "anybody"


class Strategy(StrEnum):
    """Who of a ring group rings when; all but the first let one member ring after the other."""

    SIMULTANEOUS = "simultaneous"
    LINEAR = "linear"
    ROUND_ROBIN = "round_robin"
    RANDOM = "random"
    LEAST_RECENT = "least_recent"
    FEWEST_CALLS = "fewest_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a ring group: an extension, a number outside, or another group, whose phones ring as one's.

    Attributes:
        number: internal number, as the document names it, or E.164.
        endpoints: phones that ring; none for a number outside.
        payers: `<tenant>/<extension>` of those phones; `<tenant>/<number>` for a number outside.
        delay_s: how long after the others it begins to ring, where all ring together.
        timeout_s: how long it rings; 0: as long as the group says.
    """

    number: str
    endpoints: tuple[str, ...]
    payers: tuple[str, ...]
    delay_s: int = 0
    timeout_s: int = 0

    @property
    def is_outside(self) -> bool:
        """Whether it is a number, and no extension."""
        return self.number.startswith("+")

    @property
    def rings_with_all(self) -> bool:
        """Whether it rings at once and as long as its group, with phones of its own."""
        return bool(self.endpoints) and not (self.delay_s or self.timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Phones that one step rings for a group, as long as none of its members has switched anything.

    Attributes:
        phones: each once.
        extensions: whose they are.
    """

    phones: tuple[str, ...]
    extensions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A ring group.

    Attributes:
        members: in the order of the document; each has a phone.
        timeout_s: how long a member rings, or all together.
        obeys_forwards: a member's own forward of every call counts.
        busy_level: calls with which a member is busy, unless its own level is lower; 0: its own alone counts.
        ring_tone: that phones are asked for, or empty.
        prefix: before the caller's name, or empty.
        together: the phones of all members; None: one after the other rings, or one has a step of its own.
    """

    name: str
    extension: str
    strategy: Strategy
    members: tuple[Member, ...]
    timeout_s: int
    obeys_forwards: bool
    busy_level: int
    ring_tone: str
    prefix: str
    otherwise: Target | None
    mailbox: str
    owner: Owner
    while_ringing: Heard | None = None
    keys: Keys | None = None
    together: Together | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A time rule.

    Attributes:
        special: where calls go while it is switched to `special`.
        code: digits that name it after a feature code; empty: no phone may overrule it.
        switched_by: extensions whose phones may.
    """

    name: str
    week: Week
    then: Target
    closed: Target | None
    special: Target | None
    code: str
    switched_by: frozenset[str]
    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A sound, and where the call goes after it.

    Attributes:
        sounds: by language, as Asterisk finds it; under `""` one for any language.
        translated: it is a recording of the machine, which finds it in the language of the call.
        spoken: the texts that have to be spoken before the plan is in force.
    """

    name: str
    sounds: Mapping[str, str]
    translated: bool
    spoken: tuple[Spoken, ...]
    then: Target | None
    owner: Owner

    def repeated(self, language: str) -> str:
        """Name it as what is heard over and over; no music has a dot in its name."""
        return f"{self.name}.{language or 'any'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Porting:
    """What people want to know of a porting; no decision asks for it.

    Attributes:
        rejected: why the old provider refused, or empty.
        confirmed_at: as of when it was confirmed; None: it was not.
        by: who confirmed it: `carrier`, `call`, `hand`.
        reference: of the carrier's message, or of the call, or empty.
        message: reference of the carrier's message that came after the call, or empty.
    """

    rejected: str = ""
    confirmed_at: datetime | None = None
    by: str = ""
    reference: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number of the tenant.

    Attributes:
        key: its entry in the document; of a number in a block that is the block.
        number: as the trunk brings it; a temporary one where `stands_for` is another.
        stands_for: the customer's own number that leads here too, or empty.
        today: the one of both that can be called back and that diverts calls.
        ordered: it is not ours yet.
        planned_at: when `stands_for` is to be ported; None: no day is known, or it is done.
        released_at: when the temporary number ends; None: `stands_for` is not ported yet.
        porting: what else is known of that; None where nothing is.
        callers: where some callers are sent instead, by their pattern (`dialplan.callers`).
    """

    key: str
    number: str
    stands_for: str
    today: str
    ordered: bool = False
    planned_at: datetime | None = None
    released_at: datetime | None = None
    porting: Porting | None = None
    to: Target
    owner: Owner
    callers: Mapping[str, Target] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """What Asterisk must know of a device.

    Attributes:
        endpoint: `<tenant>-<device>`.
        extension: whose calls ring it.
        name: shown on other phones.
        callback: number that emergency calls present, E.164: it can be called back today.
        location: where it stands, for emergency centres (`dialplan.location`); empty: nobody has said.
        mailbox: `<box>@<tenant>` whose lamp it shows, or empty.
        music: key of the plan's `music` that is heard by whom it puts on hold; empty: the machine's.
        password: as the document says; empty: derived from the machine's secret.
    """

    endpoint: str
    extension: str
    name: str
    callback: str
    location: str
    mailbox: str
    music: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A mailbox; `pin` as the document says, empty: derived; `mail` empty: none is sent."""

    box: str
    name: str
    pin: str = field(repr=False)
    mail: str = ""
    attach: bool = True
    delete_after_mail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Music:
    """What is heard on hold: sounds of the tenant, by name, in this order or in a random one."""

    sounds: tuple[str, ...]
    random: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One revision of one tenant.

    Attributes:
        version: `<tenant>@<revision>`.
        trunks: names of trunks, in the order to try.
        emergency: emergency numbers of the tenant's country.
        standby_countries: may be called blindly.
        named_numbers: outside numbers that rules of the document name; may be reached blindly.
        numbers: the tenant's numbers, and those they stand for, by E.164.
        groups: by name. `group_extensions`: name by internal number.
        endpoints: extension by endpoint.
        mailboxes: by box.
        music: by name.
        entitlements: what it may use and since when; none: everything.
        document: the document it was made from, JSON.
        screen: callers who are not put through to any number.
        limits: how many calls it may have at once.
        own_trunks: by which its calls leave, in the order to try; None: all of `trunks`; empty: by none, for
            those that its document names are gone.
        routes: its own, which speak before those of the machine.
    """

    tenant: str
    revision: int
    version: str
    name: str
    account: str
    language: str
    country: str
    area_code: str
    zone: ZoneInfo
    trunks: tuple[str, ...]
    emergency: frozenset[str]
    standby_countries: frozenset[str]
    named_numbers: frozenset[str]
    numbers: Mapping[str, Number]
    extensions: Mapping[str, Extension]
    groups: Mapping[str, Group]
    group_extensions: Mapping[str, str]
    hours: Mapping[str, Hours]
    announcements: Mapping[str, Announcement]
    endpoints: Mapping[str, str]
    phones: tuple[Phone, ...]
    mailboxes: Mapping[str, Mailbox]
    music: Mapping[str, Music]
    entitlements: Timeline
    document: str = field(repr=False)
    screen: Screen = NO_SCREEN
    limits: Limits = NO_LIMITS
    own_trunks: tuple[str, ...] | None = None
    routes: tuple[Route, ...] = ()

    @property
    def usable_trunks(self) -> tuple[str, ...]:
        """The trunks by which its calls leave, in the order to try; emergency calls try all."""
        return self.trunks if self.own_trunks is None else self.own_trunks
