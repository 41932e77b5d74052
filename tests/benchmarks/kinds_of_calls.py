"""Kinds of calls that users make, each with a tenant that has what the kind needs.

Owns which kinds there are; `bench_decide` measures each and names the slowest. Every tenant here is one
that has everything: extensions with forwards, groups of each sort, hours with public holidays, rights by
number and hour, routes, limits, block lists, announcements in two languages, and users who switched
something.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from dialplan.carriers import Carriers
from dialplan.facts import Facts, Origin
from dialplan.presentation import From, Identity, Presentation
from dialplan.switch import NO_SWITCHES, Switch, Switches, SwitchKind

OFFICES = 20
EXTENSIONS = tuple(str(200 + n) for n in range(20))
TRUNKS = ("carrier", "second", "third")
CARRIERS = Carriers(
    capacity={"carrier": 100, "second": 30},
    presentation={"second": Presentation(From.NETWORK, Identity.PREFERRED)},
)
CARRIER = "trunk-carrier"
MOBILE = "+436641234567"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def name_of(number: int) -> str:
    """Name an office."""
    return f"office{number}"


def did(number: int, ending: int) -> str:
    """Give a number of an office."""
    return f"+4989{number:04}{ending:03}"


def document(number: int) -> dict[str, object]:
    """Write an office down."""
    ways = dict(enumerate(_WAYS))
    return {
        "version": 1, "tenant": name_of(number), "name": f"Office {number}", "country": "DE", "region": "BY",
        "area_code": "89", "time_zone": "Europe/Berlin", "language": "de", "account": name_of(number),
        "blocked": [f"+4930{one:03}*" for one in range(40)],
        "numbers": {did(number, ending): {"to": to, "callers": {f"{MOBILE}*": to, "+4940*": "extension 201"}}
                    for ending, to in ways.items()},
        "rights": {"work": {"blocked": ["+49900*", "+49137*"], "open": ["Mon-Fri 07:00-19:00"],
                            "holidays": "closed", "closed": "country"}},
        "extensions": {one: _extension(one) for one in EXTENSIONS},
        "groups": _groups(),
        "hours": {"office": {"open": ["Mon-Fri 08:00-18:00"], "holidays": "closed",
                             "exceptions": {"12-24": "closed", "12-31": "closed"},
                             "then": "group all", "closed": "voicemail 200"}},
        "announcements": {"welcome": {"recorded": {"de": "hallo", "en": "hello"}, "then": "hours office"},
                          "waiting": {"recorded": "wait"}},
        "transfer_keys": {"blind": "*1", "attended": "*2"},
        "trunks": list(TRUNKS),
        "routes": [*({"trunks": ["third"], "numbers": [f"+43{one}*" for one in range(1, 6)]},
                     {"trunks": ["second", "carrier"], "countries": ["CH", "AT", "IT"]},
                     {"trunks": ["third"], "costly": True})],
        "max_outbound": 20, "max_calls": 30,
    }  # fmt: skip


def _extension(one: str) -> dict[str, object]:
    forwards: dict[str, object] = {"busy": f"voicemail {one}", "no_answer": {"to": f"number {MOBILE}"}}
    if one == "219":
        forwards = {"always": f"number {MOBILE}"}
    if one == "218":
        forwards["rules"] = [{"callers": [f"+4930{n}*"], "always": "extension 200"} for n in range(10)]
    return {"name": f"Extension {one}", "devices": [f"p{one}", f"s{one}"], "voicemail": {},
            "forward": forwards, "may_call": {"to": "work", "allowed": ["+4930*"]}, "max_outbound": 2,
            "blocked": ["+4930900*"], "while_ringing": "announcement waiting"}  # fmt: skip


def _groups() -> dict[str, object]:
    ringing = {"name": "Ringing", "members": list(EXTENSIONS[:18]), "otherwise": "voicemail 200"}
    late = [{"extension": one, "delay_s": 5} for one in EXTENSIONS[4:8]]
    return {
        "all": ringing,
        "turns": ringing | {"strategy": "least_recent"},
        "later": ringing | {"members": [*EXTENSIONS[:4], *late, {"number": MOBILE}], "prefix": "Hotline"},
        "forwarding": ringing | {"members": list(EXTENSIONS), "members_forward": "obey", "busy_level": 2},
    }


_WAYS = ("announcement welcome", "group turns", "group later", "group forwarding", "extension 218",
         "extension 219", "hours office")  # fmt: skip


def switches() -> Switches:
    """Give what users of every second office switched: some are away, one forwards, one is out of a group."""
    return NO_SWITCHES.updated(one for number in range(1, OFFICES, 2) for one in _switched(name_of(number)))


def _switched(tenant: str) -> Iterator[Switch]:
    for kind, subject, value in (
        (SwitchKind.DO_NOT_DISTURB, "203", "on"),
        (SwitchKind.DO_NOT_DISTURB, "204", ""),
        (SwitchKind.LOGGED_OUT, "205", "on"),
        (SwitchKind.LOGGED_OUT, "206/all", "on"),
        (SwitchKind.FORWARD_ALWAYS, "207", f"number {MOBILE}"),
        (SwitchKind.FORWARD_NO_ANSWER, "208", "voicemail 208"),
    ):
        yield Switch(tenant=tenant, kind=kind, subject=subject, value=value, since=SINCE, by="bench")


def _dials(dialled: str, origin: Origin = Origin.PHONE, extension: str = "201") -> Callable[[int], Facts]:
    def question(number: int) -> Facts:
        tenant = number % OFFICES
        phone, call = f"{name_of(tenant)}-p{extension}", f"m-1.{number}"
        return Facts(call=call, linkedid=call, origin=origin, endpoint=phone, actor=phone,
                     dialled=dialled or did((tenant + 1) % OFFICES, 4))  # fmt: skip

    return question


def _comes(ending: int, caller: str = MOBILE, diversions: tuple[str, ...] = ()) -> Callable[[int], Facts]:
    def question(number: int) -> Facts:
        call = f"m-1.{number}"
        return Facts(call=call, linkedid=call, origin=Origin.TRUNK, endpoint=CARRIER, actor=CARRIER,
                     dialled=did(number % OFFICES, ending), caller=caller, diversions=diversions)  # fmt: skip

    return question


KINDS: Mapping[str, Callable[[int], Facts]] = {
    "announcement, hours, group": _comes(0),
    "hours, group": _comes(6),
    "group by turns": _comes(1),
    "group later and outside": _comes(2),
    "group that obeys forwards": _comes(3),
    "extension with rules": _comes(4),
    "forwarded at once": _comes(5),
    "diverted before": _comes(4, diversions=("+493022200100", "+493022200101")),
    "blocked": _comes(4, caller="+493000512345"),
    "without number": _comes(4, caller=""),
    "unknown number": _comes(999),
    "inside": _dials("202"),
    "own mailbox": _dials("*97"),
    "forward switched": _dials("*7200436641234567"),
    "logged out": _dials("*50"),
    "outside by a route": _dials("00436641234567"),
    "outside by list": _dials("030123456"),
    "not allowed": _dials("0900123456"),
    "to another tenant": _dials(""),
    "transfer": _dials("00436641234567", Origin.TRANSFER),
    "302": _dials("00436641234567", Origin.FORWARD),
    "emergency": _dials("112"),
}
