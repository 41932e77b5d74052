"""The tenant document: what an operator writes, and nothing a call needs that is not in it.

Owns the keys, their types and the form of each single value. Refuses everything that needs two values to be
seen as wrong (`dialplan.checks`): a spec may still name a group that does not exist.

Strict: an unknown key, a number where text belongs, a text where a number belongs are mistakes, not guesses.
A mistake of form is a pydantic error whose context carries the remedy.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dialplan import callers, hours, numbers, target
from dialplan.entitlement import Feature

FORWARD_CASES = ("always", "busy", "no_answer", "unreachable")
MAX_BLOCKED = 1_000  # callers of one list
MAX_FORWARD_RULES = 20  # of one extension
RESERVED = frozenset({"trunk"})  # endpoints of carriers are called trunk-<name>
MIN_RING_S, MAX_RING_S = 5, 120
LEAP_YEAR = 2024  # has every day that any year has
MAX_BUSY_LEVEL = 20  # calls of one member; more lines has no phone
RING_S = 20  # until a rule takes over
MAX_ENTITLEMENTS = 100  # of one tenant: eight years of monthly changes; every call looks through them
YEARS = range(2000, 2100)  # of instants: others are a slip of the keyboard, and the ends of time break sums
MAX_SOUNDS = 100  # of one music: an evening of pieces; Asterisk reads the list at each hold
MAX_DDI = 3  # digits of a block: a thousand numbers are one entry
GRACE_DAYS = 30  # how long a temporary number works after the porting
LONG_RING_S = 60  # where no rule takes over: the caller decides when it is enough


def _mistake(code: str, message: str, remedy: str) -> PydanticCustomError:
    """Make an error whose braces are never mistaken for a template's."""
    return PydanticCustomError(code, "{message}", {"message": message, "remedy": remedy})


def _shaped(pattern: str, code: str, what: str, remedy: str) -> AfterValidator:
    """Make a check that a text matches a pattern as a whole."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value):
            return value
        raise _mistake(code, f"{value!r} is no {what}", remedy)

    return AfterValidator(check)


def _number(value: str) -> str:
    compact = "".join(value.split())
    if numbers.is_e164(compact):
        return compact
    raise _mistake(
        "no-number",
        f"{value!r} is no telephone number",
        'write it with + and country code, "+493022200100"',
    )


def _target(value: str) -> str:
    parsed = target.parse(value)
    if parsed is None:
        forms = ", ".join(target.FORMS)
        raise _mistake("no-target", f"{value!r} is no place to send a call to", f"write one of: {forms}")
    if parsed.kind == target.Kind.NUMBER:
        _number(parsed.name)
    return str(parsed)


def _caller(value: str) -> str:
    parsed = callers.parse(value)
    if parsed is None:
        raise _mistake("no-caller", f"{value!r} is no caller", f"write one of: {', '.join(callers.FORMS)}")
    return parsed


def _caller_number(value: str) -> str:
    parsed = callers.parse_number(value)
    if parsed is None:
        remedy = f"write one of: {', '.join(callers.NUMBERS)}"
        raise _mistake("no-caller", f"{value!r} is no number of callers", remedy)
    return parsed


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        remedy = "write a name of the IANA time zone database, Europe/Berlin"
        raise _mistake("no-time-zone", f"{value!r} is no time zone", remedy) from unknown
    return value


def _country(value: str) -> str:
    if value in numbers.COUNTRIES:
        return value
    known = " ".join(numbers.COUNTRIES)
    raise _mistake("no-country", f"{value!r} is no country we know", f"write one of: {known}")


def _rule(value: str) -> str:
    if hours.parse_rule(value):
        return value
    raise _mistake(
        "no-hours",
        f"{value!r} are no hours",
        'write "Mon-Fri 08:00-18:00" or "Sat,Sun 10:00-12:00 14:00-16:00"',
    )


def _span(value: str) -> str:
    if hours.parse_spans((value,)):
        return value
    raise _mistake("no-hours", f"{value!r} are no hours", 'write "09:00-12:00"')


def _date(value: str) -> str:
    try:
        date.fromisoformat(value if hours.parse_yearly(value) is None else f"{LEAP_YEAR}-{value}")
    except ValueError as no_date:
        remedy = "write year, month, day: 2026-12-24; or for each year month and day: 12-24"
        raise _mistake("no-date", f"{value!r} is no date", remedy) from no_date
    return value


def _instant(value: str) -> str:
    remedy = "write date and time of the tenant's clock, 2026-12-01T06:00, or with an offset, …T06:00+01:00"
    try:
        shown = datetime.fromisoformat(value)
    except ValueError as no_instant:
        raise _mistake("no-instant", f"{value!r} is no instant", remedy) from no_instant
    if shown.year not in YEARS:
        raise _mistake("no-instant", f"{value!r} is no instant of this century", remedy)
    return value


def _text_of_date(value: Any) -> Any:  # noqa: ANN401 — whatever stands in the document
    return value.isoformat() if isinstance(value, date) else value


def _wall_clock(value: str) -> str:
    remedy = "write what the clock on the tenant's wall shows, without a time zone: 2026-12-01T00:00"
    try:
        shown = datetime.fromisoformat(value)
    except ValueError as no_time:
        raise _mistake("no-time", f"{value!r} is no time", remedy) from no_time
    if shown.tzinfo or shown.year not in YEARS:
        raise _mistake("no-time", f"{value!r} is no time on a wall of this century", remedy)
    return shown.isoformat(timespec="minutes" if not shown.second else "seconds")


def _feature(value: str) -> str:
    if value in set(Feature):
        return value
    known = ", ".join(Feature)
    raise _mistake("no-feature", f"{value!r} is no feature", f"write some of: {known}")


def _closed_is_empty(value: Any) -> Any:  # noqa: ANN401 — whatever stands in the document
    return [] if value == "closed" else value


def _not_reserved(value: str) -> str:
    if value not in RESERVED:
        return value
    raise _mistake("tenant-reserved", f"no tenant can be called {value!r}", "choose another id")


def _former_word(value: Any) -> Any:  # noqa: ANN401 — whatever stands in the document
    """Read `in_order`, as `linear` was called when plans were published that are in force today."""
    return "linear" if value == "in_order" else value


def _short_form(key: str, form: type = str) -> Callable[[Any], Any]:
    """Let a text, or a value of another form, stand for a mapping of which only `key` is given."""
    return lambda value: {key: value} if isinstance(value, form) else value


TenantId = Annotated[
    str,
    _shaped(
        "[a-z][a-z0-9]{0,19}", "no-tenant-id", "tenant id", "use up to 20 of a-z and 0-9, a letter first"
    ),
    AfterValidator(_not_reserved),
]
DeviceId = Annotated[
    str, _shaped("[a-z0-9]{1,20}", "no-device-id", "device id", "use up to 20 of a-z and 0-9")
]
ExtensionId = Annotated[
    str, _shaped(r"[0-9*#]{1,8}", "no-extension", "extension", 'use up to 8 digits in quotes, "10"')
]
Name = Annotated[
    str,
    _shaped(
        "[a-z][a-z0-9_]{0,29}", "no-name", "name for a rule", "use up to 30 of a-z, 0-9 and _, a letter first"
    ),
]
Label = Annotated[
    str,
    _shaped(
        r"[^\x00-\x1f\x7f\"<>]{1,80}", "no-label", "name", 'use 1 to 80 characters without " < > and control'
    ),
]
AreaCode = Annotated[
    str, _shaped("[1-9][0-9]{0,5}", "no-area-code", "area code", 'write it without leading zero, "30"')
]
Language = Annotated[str, _shaped("[a-z]{2}", "no-language", "language", "write its ISO 639 code, de")]
Sound = Annotated[
    str,
    _shaped(
        "[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*){0,5}", "no-sound", "sound", "write a name like vm-goodbye"
    ),
]
SoundFile = Annotated[
    str,
    _shaped(
        "[a-z0-9][a-z0-9_-]{0,59}",
        "no-sound",
        "name of a sound of the tenant",
        "use up to 60 of a-z, 0-9, _ and -, without folder and .wav",
    ),
]
_WORD = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+"
_HOST = "([0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?[.])+[A-Za-z][0-9A-Za-z-]{0,61}[0-9A-Za-z]"
MailAddress = Annotated[
    str,
    _shaped(f"(?=.{{3,254}}$){_WORD}([.]{_WORD})*@{_HOST}", "no-mail", "mail address", "write a@example.com"),
]
Pin = Annotated[str, _shaped("[0-9]{4,10}", "no-pin", "PIN", 'use 4 to 10 digits in quotes, "4711"')]
Password = Annotated[
    str,
    _shaped(
        "[0-9A-Za-z_.+=@-]{12,64}", "weak-password", "password", "use 12 to 64 of 0-9 A-Z a-z _ . + = @ -"
    ),
]
Account = Annotated[str, _shaped("[a-z][a-z0-9-]{0,39}", "no-account", "account id", "use a-z, 0-9 and -")]
E164 = Annotated[str, AfterValidator(_number)]
Instant = Annotated[
    str,
    _shaped(
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?([+-][0-9]{2}:[0-9]{2}|Z)?",
        "no-instant", "instant", "write date and time of the tenant's clock, 2026-12-01T06:00",
    ),
    AfterValidator(_instant),
]  # fmt: skip
TargetText = Annotated[str, AfterValidator(_target)]
Callers = Annotated[str, AfterValidator(_caller)]
CallerNumbers = Annotated[str, AfterValidator(_caller_number)]
Blocked = Annotated[tuple[CallerNumbers, ...], Field(strict=False, max_length=MAX_BLOCKED)]
RingSeconds = Annotated[int, Field(ge=MIN_RING_S, le=MAX_RING_S)]
FeatureName = Annotated[str, AfterValidator(_feature)]
RingTone = Annotated[
    str, _shaped("[A-Za-z0-9-]{1,30}", "no-ring-tone", "ring tone", "use up to 30 of letters, digits and -")
]
Prefix = Annotated[
    str, _shaped(r"[^\x00-\x1f\x7f\"<>]{1,20}", "no-prefix", "prefix", 'use 1 to 20 characters without " < >')
]
Region = Annotated[
    str, _shaped("[A-Z0-9]{1,3}", "no-region", "region", 'write its ISO 3166-2 code without country, "BY"')
]
SpansOfDay = Annotated[
    tuple[Annotated[str, AfterValidator(_span)], ...], Field(strict=False), BeforeValidator(_closed_is_empty)
]
Rights = Literal["anywhere", "country", "inside"]
Strategies = Literal["simultaneous", "linear", "round_robin", "random", "least_recent", "fewest_calls"]


class Document(BaseModel):
    """What all parts of a document share: frozen, strict, and no key is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PortingSpec(Document):
    """What is known of the porting of the number that another stands for. `pbxcore porting` writes it.

    Attributes:
        planned: when it is to happen. A plan is no fact: nothing changes then.
        rejected: why the old provider refused; there is no day until another is planned.
        confirmed: when it had happened. From then on the number is ours.
        by: who confirmed it: the carrier's message, the first call that a trunk brought, or somebody by hand.
        reference: of the message, or of the call.
        grace_days: how long the temporary number works after that.
    """

    planned: Instant | None = None
    rejected: Label | None = None
    confirmed: Instant | None = None
    by: Literal["carrier", "call", "hand"] = "hand"
    reference: Label | None = None
    grace_days: Annotated[int, Field(ge=0, le=366)] = GRACE_DAYS


class NumberSpec(Document):
    """A number (DID) of the tenant.

    Attributes:
        to: where a call to it goes.
        ddi: it is a block: so many digits behind it ring the extension that has them, all else goes `to`.
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
    """Where a call goes that nobody answers, and when. A bare target is short for `{to: target}`."""

    to: TargetText
    after_s: RingSeconds = RING_S

    _short = model_validator(mode="before")(_short_form("to"))


class ForwardRuleSpec(Document):
    """Forwards for some calls alone: all conditions that are given must hold.

    Attributes:
        callers: who calls, as in `callers` of a number.
        numbers: by which number of the tenant the call came in.
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
            raise _mistake("no-condition", "the rule holds for every call", remedy)
        if not any((self.always, self.busy, self.no_answer, self.unreachable)):
            raise _mistake(
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

    Each message is mailed, with its recording (`attach`), and then deleted from the box or not.
    """

    pin: Pin | None = None
    mail: MailAddress | None = None
    attach: bool = True
    delete_after_mail: bool = False


class DeviceSpec(Document):
    """A phone; a bare id is short for `{device: id}`. Without `password` one is derived and shown."""

    device: DeviceId
    password: Password | None = None

    _short = model_validator(mode="before")(_short_form("device"))


class ExtensionSpec(Document):
    """An internal number and the phones it rings.

    Attributes:
        caller_id: number shown outside: a number of the tenant, or one that such a number stands for.
            Default: that of the tenant's first number.
        on_hold: music that callers hear whom a phone of it puts on hold. Default: the tenant's.
        may_call: `anywhere`, in the tenant's own `country`, or `inside` only; holds for forwards too.
        blocked: callers from outside whose calls to it are refused.
        anonymous: where callers without a number go instead: a target, or `reject`.
    """

    name: Label
    devices: Annotated[tuple[DeviceSpec, ...], Field(strict=False)] = ()
    caller_id: E164 | None = None
    voicemail: VoicemailSpec | None = None
    forward: ForwardSpec = ForwardSpec()
    on_hold: Name | None = None
    may_call: Rights = "anywhere"
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

    _short = model_validator(mode="before")(_short_form("extension"))

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.extension is None) == (self.number is None):
            remedy = 'write "10", {extension: "10", delay_s: 5}, or {number: "+436641234567"}'
            raise _mistake("no-member", "a member is either an extension or a number", remedy)
        return self

    def __str__(self) -> str:
        return self.extension or self.number or ""


class GroupSpec(Document):
    """A ring group: the members' phones ring, their personal forwards do not apply unless it says so.

    Attributes:
        extension: internal number of the group; it also pays for what `otherwise` sends outside.
        strategy: `simultaneous`, or one member after the other, each for `timeout_s`: in the order written
            (`linear`), beginning with the one after the last call's (`round_robin`), in any order (`random`),
            the one first that has waited longest for a call (`least_recent`) or that has answered the fewest
            today (`fewest_calls`).
        members: extensions of the tenant, extensions of other groups, and numbers outside.
        members_forward: `obey`: a member who forwards every call is rung where the call would go, another
            extension or a number outside, which the member pays. Who forwards elsewhere is left out.
        busy_level: a member who has so many calls, of whatever kind, counts as busy and is not rung.
        ring_tone: name of the ring tone that phones are asked for (header Alert-Info).
        prefix: what phones show before the caller's name.
        otherwise: where a call goes that no member answers.
    """

    name: Label
    extension: ExtensionId | None = None
    strategy: Annotated[Strategies, BeforeValidator(_former_word)] = "simultaneous"
    members: Annotated[tuple[MemberSpec, ...], Field(strict=False, min_length=1)]
    members_forward: Literal["ignore", "obey"] = "ignore"
    busy_level: Annotated[int, Field(ge=1, le=MAX_BUSY_LEVEL)] | None = None
    ring_tone: RingTone | None = None
    prefix: Prefix | None = None
    timeout_s: RingSeconds = RING_S
    otherwise: TargetText | None = None
    caller_id: E164 | None = None
    voicemail: VoicemailSpec | None = None
    may_call: Rights = "anywhere"


class HoursSwitchSpec(Document):
    """Who may overrule a time rule by phone (`*81` day, `*82` night, `*83` special, `*80` as the clock says).

    Attributes:
        code: dialled after the feature code; each rule has its own.
        by: extensions whose phones may.
    """

    code: Annotated[str, _shaped("[0-9]{1,3}", "no-code", "code of a time rule", 'use 1 to 3 digits, "1"')]
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

    open: Annotated[tuple[Annotated[str, AfterValidator(_rule)], ...], Field(strict=False)]
    holidays: SpansOfDay | None = None
    exceptions: dict[Annotated[str, AfterValidator(_date)], SpansOfDay] = {}
    then: TargetText
    closed: TargetText | None = None
    special: TargetText | None = None
    switch: HoursSwitchSpec | None = None


class AnnouncementSpec(Document):
    """A sound that is played before the call goes on, or ends."""

    sound: Sound
    then: TargetText | None = None


class MusicSpec(Document):
    """What is heard on hold; a list of sounds is short for `{sounds: […]}`.

    Attributes:
        sounds: sounds of the tenant (`pbxcore sounds`), played one after the other, over and over.
        order: `listed`, or `random`.
    """

    sounds: Annotated[tuple[SoundFile, ...], Field(strict=False, min_length=1, max_length=MAX_SOUNDS)]
    order: Literal["listed", "random"] = "listed"

    _short = model_validator(mode="before")(_short_form("sounds", list))


class StandbySpec(Document):
    """What may be called while nobody can be asked for credit.

    Attributes:
        countries: their ordinary numbers may be called, for an hour at most. Default: the tenant's own
            country. Numbers that a forward names may always be reached.
    """

    countries: Annotated[tuple[Annotated[str, AfterValidator(_country)], ...], Field(strict=False)]


class EntitlementSpec(Document):
    """What the tenant's contract includes from an instant on, until the next entry begins.

    Attributes:
        since: what the clock on the tenant's wall shows, `2026-12-01T00:00`, or a day that it begins with.
        features: of `dialplan.entitlement.Feature`; without it all of them.
        extensions: how many; without it any number.
        devices: how many phones; without it any number.
    """

    since: Annotated[str, BeforeValidator(_text_of_date), AfterValidator(_wall_clock)]
    features: Annotated[tuple[FeatureName, ...], Field(strict=False)] | None = None
    extensions: Annotated[int, Field(ge=0)] | None = None
    devices: Annotated[int, Field(ge=0)] | None = None


class TenantSpec(Document):
    """One tenant: one PBX.

    Attributes:
        entitlements: without any, everything may be used. Written by the contract, not by the tenant.
        on_hold: music that callers hear whom a phone of the tenant puts on hold. Default: the machine's.
        blocked: callers from outside whose calls to any number are refused.
        anonymous: where callers without a number go, unless the number they call says otherwise.
    """

    version: Literal[1]
    tenant: TenantId
    name: Label
    country: Annotated[str, AfterValidator(_country)]
    region: Region | None = None
    area_code: AreaCode | None = None
    time_zone: Annotated[str, AfterValidator(_zone)]
    language: Language = "en"
    account: Account
    standby: StandbySpec | None = None
    entitlements: Annotated[
        tuple[EntitlementSpec, ...], Field(strict=False, min_length=1, max_length=MAX_ENTITLEMENTS)
    ] = ()
    blocked: Blocked = ()
    anonymous: TargetText | None = None
    numbers: dict[E164, NumberSpec] = {}
    extensions: dict[ExtensionId, ExtensionSpec] = {}
    groups: dict[Name, GroupSpec] = {}
    hours: dict[Name, HoursSpec] = {}
    announcements: dict[Name, AnnouncementSpec] = {}
    music: dict[Name, MusicSpec] = {}
    on_hold: Name | None = None
