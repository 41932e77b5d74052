"""How each single value of a tenant document is written: an id, a number, an instant, a name.

Owns the form of a value, its limit, and the remedy where it is missed. Refuses whatever takes two values or a
key to be seen as wrong: keys stand in `dialplan.spec`, what they mean together in `dialplan.checks`.

A mistake of form is a pydantic error whose context carries the remedy.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from dialplan import callers, hours, numbers, target
from dialplan.entitlement import Feature

MAX_BLOCKED = 1_000  # callers of one list
MAX_PATTERNS = 200  # called numbers of one list; more is a matter of prices
LONGEST_NUMBER = 16  # characters, `+` included (ITU-T E.164)
SHORT_NUMBER = 8  # characters: with fewer no number is of any country, or it is a short one's slip
REACHES = "anywhere, country or inside"
RESERVED = frozenset({"trunk"})  # endpoints of carriers are called trunk-<name>
MIN_RING_S, MAX_RING_S = 5, 120
LEAP_YEAR = 2024  # has every day that any year has
YEARS = range(2000, 2100)  # of instants: others are a slip of the keyboard, and the ends of time break sums


def mistake(code: str, message: str, remedy: str, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Make an error whose braces are never mistaken for a template's.

    Args:
        code: stable name of the kind of mistake.
        message: what is wrong.
        remedy: what to do about it.
        at: where, from the part that was judged on; empty: the part itself.
    """
    return PydanticCustomError(code, "{message}", {"message": message, "remedy": remedy, "at": at})


def _shaped(pattern: str, code: str, what: str, remedy: str) -> AfterValidator:
    """Make a check that a text matches a pattern as a whole."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value):
            return value
        raise mistake(code, f"{value!r} is no {what}", remedy)

    return AfterValidator(check)


def _number(value: str) -> str:
    compact = "".join(value.split())
    if numbers.is_e164(compact):
        return compact
    raise mistake("no-number", f"{value!r} is no telephone number", _lacking(compact))


def _lacking(number: str) -> str:
    """Say what a number lacks: who wrote + and country code is not told to write them."""
    if not (number[:1] == "+" and number[1:].isdecimal() and numbers.calling_code(number)):
        return 'write it with + and country code, "+493022200100"'
    if len(number) > LONGEST_NUMBER:
        return f'it is too long: write at most {LONGEST_NUMBER - 1} digits, "+493022200100"'
    if len(number) < SHORT_NUMBER:
        return 'it is too short: write all its digits, "+493022200100"'
    return 'no number of that country is so: write all its digits as dialled from abroad, "+493022200100"'


def _target(value: str) -> str:
    parsed = target.parse(value)
    if parsed is None:
        forms = ", ".join(target.FORMS)
        raise mistake("no-target", f"{value!r} is no place to send a call to", f"write one of: {forms}")
    if parsed.kind == target.Kind.NUMBER:
        _number(parsed.name)
    return str(parsed)


def _caller(value: str) -> str:
    parsed = callers.parse(value)
    if parsed is None:
        raise mistake("no-caller", f"{value!r} is no caller", f"write one of: {', '.join(callers.FORMS)}")
    return parsed


def _caller_number(value: str) -> str:
    return _pattern(value, "no-caller", "number of callers")


def _called_number(value: str) -> str:
    return _pattern(value, "no-pattern", "number or beginning of numbers")


def _pattern(value: str, code: str, what: str) -> str:
    parsed = callers.parse_number(value)
    if parsed is None:
        raise mistake(code, f"{value!r} is no {what}", f"write one of: {', '.join(callers.NUMBERS)}")
    return parsed


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        remedy = "write a name of the IANA time zone database, Europe/Berlin"
        raise mistake("no-time-zone", f"{value!r} is no time zone", remedy) from unknown
    return value


def _country(value: str) -> str:
    if value in numbers.COUNTRIES:
        return value
    known = " ".join(numbers.COUNTRIES)
    remedy = f"write its two letters as in ISO 3166, one of: {known}"
    raise mistake("no-country", f"{value!r} is no country we know", remedy)


def _rule(value: str) -> str:
    if hours.parse_rule(value):
        return value
    raise mistake(
        "no-hours",
        f"{value!r} are no hours",
        'write "Mon-Fri 08:00-18:00" or "Sat,Sun 10:00-12:00 14:00-16:00"',
    )


def _span(value: str) -> str:
    if hours.parse_spans((value,)):
        return value
    raise mistake("no-hours", f"{value!r} are no hours", 'write "09:00-12:00"')


def _date(value: str) -> str:
    try:
        date.fromisoformat(value if hours.parse_yearly(value) is None else f"{LEAP_YEAR}-{value}")
    except ValueError as no_date:
        remedy = "write year, month, day: 2026-12-24; or for each year month and day: 12-24"
        raise mistake("no-date", f"{value!r} is no date", remedy) from no_date
    return value


def _instant(value: str) -> str:
    remedy = "write date and time of the tenant's clock, 2026-12-01T06:00, or with an offset, …T06:00+01:00"
    try:
        shown = datetime.fromisoformat(value)
    except ValueError as no_instant:
        raise mistake("no-instant", f"{value!r} is no instant", remedy) from no_instant
    if shown.year not in YEARS:
        raise mistake("no-instant", f"{value!r} is no instant of this century", remedy)
    return value


def _text_of_date(value: Any) -> Any:  # noqa: ANN401 — whatever stands in the document
    return value.isoformat() if isinstance(value, date) else value


def _wall_clock(value: str) -> str:
    remedy = "write what the clock on the tenant's wall shows, without a time zone: 2026-12-01T00:00"
    try:
        shown = datetime.fromisoformat(value)
    except ValueError as no_time:
        raise mistake("no-time", f"{value!r} is no time", remedy) from no_time
    if shown.tzinfo or shown.year not in YEARS:
        raise mistake("no-time", f"{value!r} is no time on a wall of this century", remedy)
    return shown.isoformat(timespec="minutes" if not shown.second else "seconds")


def _feature(value: str) -> str:
    if value in set(Feature):
        return value
    known = ", ".join(Feature)
    raise mistake("no-feature", f"{value!r} is no feature", f"write some of: {known}")


def _closed_is_empty(value: Any) -> Any:  # noqa: ANN401 — whatever stands in the document
    if isinstance(value, str) and value != "closed":
        remedy = 'write closed, or the spans of such a day as a list: ["10:00-12:00"]'
        raise mistake("no-hours", f"{value!r} are no hours of a day", remedy)
    return [] if value == "closed" else value


def _not_reserved(value: str) -> str:
    if value not in RESERVED:
        return value
    raise mistake("tenant-reserved", f"no tenant can be called {value!r}", "choose another id")


def _former_word(value: Any) -> Any:  # noqa: ANN401 — whatever stands in the document
    """Read `in_order`, as `linear` was called when plans were published that are in force today."""
    return "linear" if value == "in_order" else value


def _in_any_language(value: Any) -> Any:  # noqa: ANN401 — whatever stands in the document
    """Let a bare text stand for the same in every language."""
    return {"": value} if isinstance(value, str) else value


def short_form(key: str, form: type = str) -> Callable[[Any], Any]:
    """Let a text, or a value of another form, stand for a mapping of which only `key` is given.

    A number where a text belongs lacks its quotes: it is told for that, and not for being no mapping.
    """
    forms = (str, int) if form is str else form
    return lambda value: {key: value} if isinstance(value, forms) else value


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
Remark = Annotated[
    str,
    _shaped(r"(?=.*\S)[^\x00-\x1f\x7f]{1,200}", "no-remark", "remark", "use 1 to 200 characters on one line"),
]
AddressPart = Annotated[
    str,
    _shaped(
        r"(?=.*\S)[^\x00-\x1f\x7f\"<>|,;=$\\{}]{1,60}",
        "no-address-part",
        "part of an address",
        'use 1 to 60 characters without " < > | , ; = $ \\ { } and control characters',
    ),
]
AreaCode = Annotated[
    str, _shaped("[1-9][0-9]{0,5}", "no-area-code", "area code", 'write it without leading zero, "30"')
]
Language = Annotated[str, _shaped("[a-z]{2}", "no-language", "language", "write its ISO 639 code, de")]
LanguageOrAny = Annotated[
    str, _shaped("([a-z]{2})?", "no-language", "language", "write its ISO 639 code, de")
]
Text = Annotated[
    str,
    _shaped(
        r"[^\x00-\x1f\x7f<>]{1,1000}",
        "no-text",
        "text",
        "use 1 to 1000 characters, without < > and line breaks",
    ),
]
Heard = Annotated[
    str,
    _shaped(
        "(announcement|music) [a-z][a-z0-9_]{0,29}",
        "no-heard",
        "sound that callers can hear while it rings",
        "write `announcement welcome` or `music waiting`",
    ),
]
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
Recorded = Annotated[dict[LanguageOrAny, SoundFile], BeforeValidator(_in_any_language), Field(min_length=1)]
SpokenTexts = Annotated[dict[LanguageOrAny, Text], BeforeValidator(_in_any_language), Field(min_length=1)]
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
CalledNumbers = Annotated[
    tuple[Annotated[str, AfterValidator(_called_number)], ...], Field(strict=False, max_length=MAX_PATTERNS)
]
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
TransferKeys = Annotated[
    str,
    _shaped(
        "[*#][0-9*#]{1,3}", "no-keys", "sequence of keys", 'begin with * or #, two to four keys in all, "*1"'
    ),
]
SpansOfDay = Annotated[
    tuple[Annotated[str, AfterValidator(_span)], ...], Field(strict=False), BeforeValidator(_closed_is_empty)
]
TrunkName = Annotated[
    str, _shaped("[a-z0-9]{1,20}", "no-trunk-name", "name of a trunk", "use up to 20 of a-z and 0-9")
]
CountryCode = Annotated[str, AfterValidator(_country)]
TimeZone = Annotated[str, AfterValidator(_zone)]
SwitchCode = Annotated[str, _shaped("[0-9]{1,3}", "no-code", "code of a time rule", 'use 1 to 3 digits, "1"')]
WeeklyHours = Annotated[str, AfterValidator(_rule)]
DayOfYear = Annotated[str, AfterValidator(_date)]
WallClock = Annotated[str, BeforeValidator(_text_of_date), AfterValidator(_wall_clock)]
Reach = Literal["anywhere", "country", "inside"]
RightsText = Annotated[
    str,
    _shaped(
        "[a-z][a-z0-9_]{0,29}",
        "no-rights",
        "reach of calls",
        f"write {REACHES}, or a name under rights",
    ),
]
Strategies = Annotated[
    Literal["simultaneous", "linear", "round_robin", "random", "least_recent", "fewest_calls"],
    BeforeValidator(_former_word),
]
