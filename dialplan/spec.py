"""The tenant document: what an operator writes, and nothing a call needs that is not in it.

Owns the keys and what each is when it is not written; the form of each single value stands in
`dialplan.spelling`. Refuses everything that needs two values to be seen as wrong (`dialplan.checks`): a spec
may still name a group that does not exist.

Strict: an unknown key, a number where text belongs, a text where a number belongs are mistakes, not guesses.
"""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from dialplan.location import LocationSpec
from dialplan.spelling import (
    E164,
    MAX_RING_S,
    Account,
    AreaCode,
    Blocked,
    CalledNumbers,
    Callers,
    CountryCode,
    DayOfYear,
    DeviceId,
    ExtensionId,
    FeatureName,
    Heard,
    Instant,
    Label,
    Language,
    MailAddress,
    Name,
    Password,
    Pin,
    Prefix,
    Reach,
    Recorded,
    Region,
    Remark,
    RightsText,
    RingSeconds,
    RingTone,
    Sound,
    SoundFile,
    SpansOfDay,
    SpokenTexts,
    Strategies,
    SwitchCode,
    TargetText,
    TenantId,
    TimeZone,
    TransferKeys,
    TrunkName,
    WallClock,
    WeeklyHours,
    mistake,
    short_form,
)

FORWARD_CASES = ("always", "busy", "no_answer", "unreachable")
MAX_FORWARD_RULES = 20  # of one extension
MAX_ROUTES = 50  # of one tenant; each outside call looks through them
MAX_CALLS = 1_000  # of one tenant at once: a limit beyond is none
MAX_CALLER_IDS = 9  # of one extension: a digit says which
MAX_BUSY_LEVEL = 20  # calls of one member; more lines has no phone
RING_S = 20  # until a rule takes over
MAX_ENTITLEMENTS = 100  # of one tenant: eight years of monthly changes; every call looks through them
MAX_SOUNDS = 100  # of one music: an evening of pieces; Asterisk reads the list at each hold
MAX_DDI = 3  # digits of a block: a thousand numbers are one entry
GRACE_DAYS = 30  # how long a temporary number works after the porting
LONG_RING_S = 60  # where no rule takes over: the caller decides when it is enough

MaxCalls = Annotated[int, Field(ge=1, le=MAX_CALLS)]
BusyLevel = Annotated[int, Field(ge=1, le=MAX_BUSY_LEVEL)]


class Document(BaseModel):
    """What all parts of a document share: frozen, strict, and no key is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PortingSpec(Document):
    """What is known of the porting of the number that another stands for. `pbxcore porting` writes it.

    Attributes:
        planned: when it is to happen. A plan is no fact: nothing changes then.
        rejected: why the old provider refused; there is no day until another is planned.
        confirmed: when it had happened, so no instant that is to come. From then on the number is ours.
        by: who confirmed it: the carrier's message, the first call that a trunk brought, or somebody by hand.
        reference: of the message, or of the call.
        message: reference of the carrier's message that came after the call which confirmed it.
        grace_days: how long the temporary number works after that.
    """

    planned: Instant | None = None
    rejected: Remark | None = None
    confirmed: Instant | None = None
    by: Literal["carrier", "call", "hand"] = "hand"
    reference: Remark | None = None
    message: Remark | None = None
    grace_days: Annotated[int, Field(ge=0, le=366)] = GRACE_DAYS


class NumberSpec(Document):
    """A number (DID) of the tenant.

    Attributes:
        to: where a call to it goes.
        ddi: it is a block: so many digits behind it ring the extension that has them; where none has, and
            with no digit or a 0 behind it, a call goes `to`. Fewer or more digits are nobody's number.
        ordered: it is not ours yet; calls that a trunk brings are taken, nothing is shown with it.
        callers: where it goes instead for some callers: by number or beginning of one (`"+4930*"`, the
            longest that fits counts), `anonymous`, or `inside` for the tenant's own phones.
        stands_for: the customer's own number, still at the old provider and forwarded there to this one.
            Calls to either are one call; outgoing calls may show it once its right of use is recorded.
        right_of_use: day on which the customer's right to `stands_for` was recorded.
        porting: how far the porting of `stands_for` is.
    """

    to: TargetText
    ddi: Annotated[int, Field(ge=1, le=MAX_DDI)] | None = None
    ordered: bool = False
    callers: dict[Callers, TargetText] = {}
    stands_for: E164 | None = None
    right_of_use: date | None = None
    porting: PortingSpec | None = None


class NoAnswerSpec(Document):
    """Where a call goes that nobody answers, and when. A bare target is short for `{to: target}`.

    Attributes:
        to: where it goes.
        after_s: how long the phones ring before.
    """

    to: TargetText
    after_s: RingSeconds = RING_S

    _short = model_validator(mode="before")(short_form("to"))


class ForwardRuleSpec(Document):
    """Forwards for some calls alone: all conditions that are given must hold.

    Attributes:
        callers: who calls, as in `callers` of a number.
        numbers: by which number of the tenant the call came in.
        always: as beside the rules.
        busy: as beside the rules.
        no_answer: as beside the rules, and as late.
        unreachable: as beside the rules.
    """

    callers: Annotated[tuple[Callers, ...], Field(strict=False)] = ()
    numbers: Annotated[tuple[E164, ...], Field(strict=False)] = ()
    always: TargetText | None = None
    busy: TargetText | None = None
    no_answer: TargetText | None = None
    unreachable: TargetText | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.callers or self.numbers):
            remedy = "name callers or numbers, or write the forward beside the rules"
            raise mistake("no-condition", "the rule holds for every call", remedy)
        if not any((self.always, self.busy, self.no_answer, self.unreachable)):
            raise mistake(
                "no-forward", "the rule forwards nothing", "name always, busy, no_answer or unreachable"
            )
        return self


class ForwardSpec(Document):
    """Personal forwards; each may lead inside or outside, and the extension pays for it.

    Attributes:
        rules: the first that fits a call and names the case speaks; otherwise what stands beside them.
        always: at once, no phone rings.
        busy: all phones are busy.
        no_answer: nobody answered in time.
        unreachable: no phone of the extension is registered. Default: as `no_answer`.
    """

    rules: Annotated[tuple[ForwardRuleSpec, ...], Field(strict=False, max_length=MAX_FORWARD_RULES)] = ()
    always: TargetText | None = None
    busy: TargetText | None = None
    no_answer: NoAnswerSpec | None = None
    unreachable: TargetText | None = None


class VoicemailSpec(Document):
    """A mailbox. It takes what no forward of its owner takes. Without `pin` one is derived and shown.

    Attributes:
        pin: asked for where it is listened to from another phone.
        mail: address that each message is mailed to.
        attach: with its recording.
        delete_after_mail: what was mailed is deleted from the box.
    """

    pin: Pin | None = None
    mail: MailAddress | None = None
    attach: bool = True
    delete_after_mail: bool = False


class DeviceSpec(Document):
    """A phone; a bare id is short for `{device: id}`.

    Attributes:
        device: its id; it registers as `<tenant>-<device>`.
        password: by which it does. Default: one is derived and shown.
        location: where it stands. Default: that of its extension.
    """

    device: DeviceId
    password: Password | None = None
    location: Name | None = None

    _short = model_validator(mode="before")(short_form("device"))


class RightsSpec(Document):
    """How far somebody may call; a bare word is short for `{to: word}`, and is written so.

    Attributes:
        to: `anywhere`, in the tenant's own `country`, `inside` only, or a name under `rights` on which these
            rights build.
        allowed: numbers, or beginnings of them (`"+4930*"`), that may be called, whatever else is said.
        blocked: those that may never be called. Of several that fit a number the longest counts.
        open: hours in which `to` holds, as in a time rule; without it always.
        holidays: as in a time rule.
        exceptions: as in a time rule.
        closed: what may be called outside these hours.
    """

    to: RightsText = "anywhere"
    allowed: CalledNumbers = ()
    blocked: CalledNumbers = ()
    open: Annotated[tuple[WeeklyHours, ...], Field(strict=False)] | None = None
    holidays: SpansOfDay | None = None
    exceptions: dict[DayOfYear, SpansOfDay] = {}
    closed: Reach = "inside"

    _short = model_validator(mode="before")(short_form("to"))

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> Any:  # noqa: ANN401 — a text, or a mapping
        return self.to if self == RightsSpec(to=self.to) else write(self)


class ExtensionSpec(Document):
    """An internal number and the phones it rings.

    Attributes:
        name: shown to whom it calls inside.
        caller_id: number shown outside: a number of the tenant, or one that such a number stands for.
            Default: that of the tenant's first number.
        caller_ids: numbers like `caller_id` of which a call may show one instead: `*591` before the called
            number shows the first, `*592` the second.
        location: where its phones stand. Default: the tenant's.
        hide_number: its calls show none, but to colleagues of the tenant, to the carrier and to emergency
            centres; `#31#` before a number shows it in one call, `*31#` hides it in one.
        on_hold: music that callers hear whom a phone of it puts on hold. Default: the tenant's.
        while_ringing: `announcement welcome` or `music waiting`: what callers hear, over and over, while its
            phones ring. Default: the ringing tone.
        may_call: how far its phones may call and transfer, and when.
        may_forward: how far its calls may be forwarded. Default: as `may_call`.
        max_outbound: calls over trunks that it pays for at once; emergency calls are not counted.
        busy_level: with so many calls, of whatever kind, it is busy, in groups too. Default: it rings.
        may_pick_up: whose ringing calls its phones may take, by `*8` and `**11`: of `anybody` in the tenant,
            of those who share its `groups`, or of `nobody`.
        blocked: callers from outside whose calls to it are refused.
        anonymous: where callers without a number go instead: a target, or `reject`.
    """

    name: Label
    devices: Annotated[tuple[DeviceSpec, ...], Field(strict=False)] = ()
    caller_id: E164 | None = None
    caller_ids: Annotated[tuple[E164, ...], Field(strict=False, max_length=MAX_CALLER_IDS)] = ()
    location: Name | None = None
    hide_number: bool = False
    voicemail: VoicemailSpec | None = None
    forward: ForwardSpec = ForwardSpec()
    on_hold: Name | None = None
    while_ringing: Heard | None = None
    may_call: RightsSpec = RightsSpec()
    may_forward: RightsSpec | None = None
    max_outbound: MaxCalls | None = None
    busy_level: BusyLevel | None = None
    may_pick_up: Literal["anybody", "groups", "nobody"] = "anybody"
    blocked: Blocked = ()
    anonymous: TargetText | None = None


class MemberSpec(Document):
    """A member of a ring group; a bare extension is short for `{extension: "10"}`.

    Attributes:
        extension: of the tenant, or of another group, whose phones then ring like a member's.
        number: outside, instead of an extension. The group pays; whoever answers has to press 1 to have the
            call, so that a mailbox never takes it.
        delay_s: how long after the others it begins to ring, where all ring together.
        timeout_s: how long it rings. Default: the group's.
    """

    extension: ExtensionId | None = None
    number: E164 | None = None
    delay_s: Annotated[int, Field(ge=0, le=MAX_RING_S)] = 0
    timeout_s: RingSeconds | None = None

    _short = model_validator(mode="before")(short_form("extension"))

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.extension is None) == (self.number is None):
            remedy = 'write "10", {extension: "10", delay_s: 5}, or {number: "+436641234567"}'
            raise mistake("no-member", "a member is either an extension or a number", remedy)
        return self

    def __str__(self) -> str:
        return self.extension or self.number or ""


class GroupSpec(Document):
    """A ring group: the members' phones ring, their personal forwards do not apply unless it says so.

    Attributes:
        name: what people read.
        extension: internal number of the group; it also pays for what `otherwise` sends outside.
        strategy: `simultaneous`, or one member after the other, each for `timeout_s`: in the order written
            (`linear`), beginning with the one after the last call's (`round_robin`), in any order (`random`),
            the one first that has waited longest for a call (`least_recent`) or that has answered the fewest
            today (`fewest_calls`).
        members: extensions of the tenant, extensions of other groups, and numbers outside.
        members_forward: `obey`: a member who forwards every call is rung where the call would go, another
            extension, all that a group rings together (the first in turn, if one rings after another), or a
            number outside, which the member pays. Who forwards elsewhere is left out.
        busy_level: a member who has so many calls, of whatever kind, counts as busy and is not rung;
            with a level of its own, by the lower of the two.
        ring_tone: name of the ring tone that phones are asked for (header Alert-Info).
        prefix: what phones show before the caller's name.
        while_ringing: what callers hear instead of the ringing tone, as for an extension.
        timeout_s: how long it rings, or each member where they ring one after the other.
        caller_id: number that is shown where it sends calls outside.
        otherwise: where a call goes that no member answers.
    """

    name: Label
    extension: ExtensionId | None = None
    strategy: Strategies = "simultaneous"
    members: Annotated[tuple[MemberSpec, ...], Field(strict=False, min_length=1)]
    members_forward: Literal["ignore", "obey"] = "ignore"
    busy_level: BusyLevel | None = None
    ring_tone: RingTone | None = None
    prefix: Prefix | None = None
    while_ringing: Heard | None = None
    timeout_s: RingSeconds = RING_S
    otherwise: TargetText | None = None
    caller_id: E164 | None = None
    voicemail: VoicemailSpec | None = None
    may_call: RightsSpec = RightsSpec()


class HoursSwitchSpec(Document):
    """Who may overrule a time rule by phone (`*81` day, `*82` night, `*83` special, `*80` as the clock says).

    Attributes:
        code: dialled after the feature code; each rule has its own.
        by: extensions whose phones may.
    """

    code: SwitchCode
    by: Annotated[tuple[ExtensionId, ...], Field(strict=False, min_length=1)]


class HoursSpec(Document):
    """Opening hours in the tenant's time zone.

    Attributes:
        open: lines like `Mon-Fri 08:00-12:00 13:00-17:00`; a span that ends before it begins passes midnight.
        holidays: on public holidays of the tenant's country and region, `closed` or the spans of such a day,
            instead of the week's. Without it a holiday is a day like others.
        exceptions: by date, or by `month-day` for each year, `closed` or the spans of that day, instead of
            the week's and the holiday's.
        then: where a call goes while open.
        closed: where it goes otherwise; without it the call is refused as closed.
        special: where it goes while somebody has switched the rule to it.
        switch: who may overrule the rule by phone.
    """

    open: Annotated[tuple[WeeklyHours, ...], Field(strict=False)]
    holidays: SpansOfDay | None = None
    exceptions: dict[DayOfYear, SpansOfDay] = {}
    then: TargetText
    closed: TargetText | None = None
    special: TargetText | None = None
    switch: HoursSwitchSpec | None = None


class AnnouncementSpec(Document):
    """A sound that is played before the call goes on, or ends; in the caller's language where there is one.

    Attributes:
        sound: a recording of the machine, `vm-goodbye`, which has it in several languages.
        recorded: a sound of the tenant (`pbxcore sounds`), or one for each language.
        spoken: a text that an engine speaks when the document is put in force, or one for each language.
        then: where the call goes after it.
    """

    sound: Sound | None = None
    recorded: Recorded | None = None
    spoken: SpokenTexts | None = None
    then: TargetText | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(one is not None for one in (self.sound, self.recorded, self.spoken)) != 1:
            remedy = "name either sound: vm-goodbye, recorded: welcome, or spoken: Welcome."
            raise mistake("no-sound", "an announcement is one sound", remedy)
        return self


class MusicSpec(Document):
    """What is heard on hold; a list of sounds is short for `{sounds: […]}`.

    Attributes:
        sounds: sounds of the tenant (`pbxcore sounds`), played one after the other, over and over.
        order: `listed`, or `random`.
    """

    sounds: Annotated[tuple[SoundFile, ...], Field(strict=False, min_length=1, max_length=MAX_SOUNDS)]
    order: Literal["listed", "random"] = "listed"

    _short = model_validator(mode="before")(short_form("sounds", list))


class TransferKeysSpec(Document):
    """Keys that a phone of the tenant presses during a call to send the other side elsewhere.

    Then the number is dialled. For phones that have no transfer of their own, or whose users want none.

    Attributes:
        blind: at once.
        attended: after talking to the number that was dialled: `*2` connects, or hanging up; `*1` goes back.
    """

    blind: TransferKeys | None = None
    attended: TransferKeys | None = None

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        both = sorted(keys for keys in (self.blind, self.attended) if keys)
        if not both:
            raise mistake("no-keys", "no keys are named", "name blind, attended, or both")
        if len(both) > 1 and both[1].startswith(both[0]):
            remedy = 'let neither begin with the other, "*1" and "*2"'
            raise mistake("keys-alike", f"who presses {both[1]} has pressed {both[0]} already", remedy)
        return self


class RouteSpec(Document):
    """Trunks for some called numbers, in the order to try; all conditions that are given must hold.

    Attributes:
        trunks: by name.
        numbers: numbers or beginnings of them, `"+4315*"`.
        countries: European countries.
        costly: `true`: numbers whose price nobody can guess, premium and shared-cost; `false`: all others.
    """

    trunks: Annotated[tuple[TrunkName, ...], Field(strict=False, min_length=1)]
    numbers: CalledNumbers = ()
    countries: Annotated[tuple[CountryCode, ...], Field(strict=False)] = ()
    costly: bool | None = None


class StandbySpec(Document):
    """What may be called while nobody can be asked for credit.

    Attributes:
        countries: their ordinary numbers may be called, for an hour at most. Default: the tenant's own
            country. Numbers that the document itself names, in a forward or elsewhere, may always be reached;
            a forward that somebody has switched to any other is passed over meanwhile, as if it was not set.
    """

    countries: Annotated[tuple[CountryCode, ...], Field(strict=False)]


class EntitlementSpec(Document):
    """What the tenant's contract includes from an instant on, until the next entry begins.

    Attributes:
        since: what the clock on the tenant's wall shows, `2026-12-01T00:00`, or a day that it begins with.
        features: functions that may be used; without it all of them.
        extensions: how many; without it any number.
        devices: how many phones; without it any number.
    """

    since: WallClock
    features: Annotated[tuple[FeatureName, ...], Field(strict=False)] | None = None
    extensions: Annotated[int, Field(ge=0)] | None = None
    devices: Annotated[int, Field(ge=0)] | None = None


class TenantSpec(Document):
    """One tenant: one PBX.

    Attributes:
        version: of this form of the document.
        tenant: its id, which never changes.
        name: what people read.
        country: whose emergency numbers, short numbers and holidays are its own.
        region: of the country, for its holidays.
        area_code: of calls without one.
        time_zone: whose clock its hours follow.
        language: that its callers hear unless theirs is known.
        account: that pays for its calls.
        locations: where its phones stand, by name.
        location: where those stand that say nothing else.
        entitlements: without any, everything may be used. Written by the contract, not by the tenant.
        on_hold: music that callers hear whom a phone of the tenant puts on hold. Default: the machine's.
        blocked: callers from outside whose calls to any number are refused.
        anonymous: where callers without a number go, unless the number they call says otherwise.
        rights: rights that extensions and groups share, by name.
        transfer_keys: what phones may press in a call to transfer it. Default: nothing.
        trunks: those by which its calls leave, in the order to try. Default: the machine's. Emergency calls
            may leave by any.
        routes: trunks for some called numbers; the first that fits counts, before those of the machine.
        max_inbound: calls that trunks bring at once.
        max_outbound: calls that leave over trunks at once; emergency calls are not counted.
        max_calls: both together; a call that comes in and is sent outside is two.
    """

    version: Literal[1]
    tenant: TenantId
    name: Label
    country: CountryCode
    region: Region | None = None
    area_code: AreaCode | None = None
    time_zone: TimeZone
    language: Language = "en"
    account: Account
    locations: dict[Name, LocationSpec] = {}
    location: Name | None = None
    standby: StandbySpec | None = None
    entitlements: Annotated[
        tuple[EntitlementSpec, ...], Field(strict=False, min_length=1, max_length=MAX_ENTITLEMENTS)
    ] = ()
    blocked: Blocked = ()
    anonymous: TargetText | None = None
    rights: dict[Name, RightsSpec] = {}
    trunks: Annotated[tuple[TrunkName, ...], Field(strict=False)] = ()
    routes: Annotated[tuple[RouteSpec, ...], Field(strict=False, max_length=MAX_ROUTES)] = ()
    max_inbound: MaxCalls | None = None
    max_outbound: MaxCalls | None = None
    max_calls: MaxCalls | None = None
    numbers: dict[E164, NumberSpec] = {}
    extensions: dict[ExtensionId, ExtensionSpec] = {}
    groups: dict[Name, GroupSpec] = {}
    hours: dict[Name, HoursSpec] = {}
    announcements: dict[Name, AnnouncementSpec] = {}
    music: dict[Name, MusicSpec] = {}
    on_hold: Name | None = None
    transfer_keys: TransferKeysSpec | None = None
