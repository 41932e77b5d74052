"""Documents, questions and states drawn for the properties of decisions, and what bounds a decision."""

import contextlib
import copy
import dataclasses
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from dialplan.build import build_plan
from dialplan.call import CAUSES
from dialplan.checks import check_tenant
from dialplan.decision import (
    END,
    MAX_STEPS,
    Admit,
    Decision,
    Next,
    Outside,
    Play,
    Reject,
    Ring,
)
from dialplan.facts import Facts, Origin, Served, State
from dialplan.plan import Strategy
from dialplan.published import Published
from dialplan.spec import TenantSpec
from dialplan.switch import NO_SWITCHES, Switch, SwitchKind

Place = tuple[str, ...]

EXTENSIONS = ["10", "11", "12", "13"]
GROUPS = ["red", "blue"]
OUTSIDE = ["+436641234567", "+4989123456", "+499001234567", "+12025550123"]
NUMBERS = {
    "one": ["+493055500100", "+493055500101"],
    "two": ["+493055500200", "+493055500201"],
    "six": ["+493055500300", "+493055500301"],
}
EVERY_NUMBER = [number for numbers in NUMBERS.values() for number in numbers]

targets = st.one_of(
    st.sampled_from(EXTENSIONS).map("extension {}".format),
    st.sampled_from(EXTENSIONS).map("voicemail {}".format),
    st.sampled_from(GROUPS).map("group {}".format),
    st.sampled_from(OUTSIDE + EVERY_NUMBER).map("number {}".format),
    st.sampled_from(["hours office", "announcement closed", "busy", "reject"]),
)
maybe = st.one_of(st.none(), targets)
PATTERNS = ["+49*", "+4989123456", "+49900*", "+1*", "+4930555*"]
kinds_of_callers = st.sampled_from([*PATTERNS, "anonymous", "inside"])


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was not drawn."""
    return {key: value for key, value in values.items() if value is not None}


reaches = st.sampled_from(["anywhere", "country", "inside", "office"])
rights = st.one_of(
    reaches,
    st.fixed_dictionaries(
        {
            "to": reaches,
            "allowed": st.lists(st.sampled_from(PATTERNS), max_size=2),
            "blocked": st.lists(st.sampled_from(PATTERNS), max_size=2),
            "open": st.sampled_from([None, [], ["Mon-Fri 08:00-18:00"]]),
            "closed": st.sampled_from(["country", "inside"]),
        }
    ).map(without_none),
)

shared = st.fixed_dictionaries(
    {"office": st.sampled_from([{"open": ["Mon-Fri 08:00-18:00"], "closed": "country"}, "inside"])}
)


def extension(number: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw an extension with one phone, perhaps a mailbox, and any forwards."""
    cases = st.fixed_dictionaries(
        {"always": maybe, "busy": maybe, "no_answer": maybe, "unreachable": maybe}
    ).map(without_none)
    rules = st.builds(
        lambda callers, numbers, named: {"callers": callers, "numbers": numbers, **named},
        st.lists(kinds_of_callers, min_size=1, max_size=2),
        st.lists(st.sampled_from(EVERY_NUMBER), max_size=1),
        cases.filter(bool),
    )
    forwards = st.builds(lambda named, some: {**named, "rules": some}, cases, st.lists(rules, max_size=2))
    return st.fixed_dictionaries(
        {
            "name": st.just("X"),
            "devices": st.sampled_from([[f"p{number}"], [f"p{number}", f"w{number}"]]),
            "voicemail": st.sampled_from([None, {}]),
            "forward": forwards,
            "may_call": rights,
            "may_forward": st.one_of(st.none(), rights),
            "max_outbound": st.sampled_from([None, 1]),
            "busy_level": st.sampled_from([None, None, 1]),
            "while_ringing": heard,
            "hide_number": st.booleans(),
            "blocked": st.lists(st.sampled_from(PATTERNS), max_size=1),
            "anonymous": maybe,
        }
    ).map(without_none)


sounds: st.SearchStrategy[dict[str, Any]] = st.sampled_from([
    {"sound": "closed"}, {"recorded": "closed"}, {"recorded": {"it": "chiuso", "fr": "ferme"}},
    {"spoken": "Closed."}, {"spoken": {"": "Zu.", "en": "Closed."}},
])  # fmt: skip
heard: st.SearchStrategy[str | None] = st.sampled_from(
    [None, None, "announcement closed", "announcement none", "music none"]
)
group_members: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([*EXTENSIONS, "60", "61"]),
    st.fixed_dictionaries(
        {
            "extension": st.sampled_from(EXTENSIONS),
            "delay_s": st.integers(0, 20),
            "timeout_s": st.sampled_from([None, 5, 120]),
        }
    ),
    st.sampled_from(OUTSIDE + EVERY_NUMBER).map(lambda number: {"number": number}),
)


def group(number: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a group of any members, other groups among them."""
    return st.fixed_dictionaries(
        {
            "name": st.just("G"),
            "extension": st.just(number),
            "members": st.lists(group_members, min_size=1, max_size=4),
            "members_forward": st.sampled_from(["ignore", "obey"]),
            "busy_level": st.sampled_from([None, 1, 20]),
            "while_ringing": heard,
            "prefix": st.sampled_from([None, "Grüße, (Äpfel) "]),
            "ring_tone": st.sampled_from([None, "sales"]),
            "strategy": st.sampled_from([str(strategy) for strategy in Strategy]),
            "otherwise": maybe,
        }
    ).map(without_none)


opening = {
    "open": st.sampled_from(
        [["Mon-Fri 08:00-18:00"], ["Sat 22:00-02:30", "Sun 02:00-03:00 23:00-01:00"], []]
    ),
    "holidays": st.sampled_from([None, "closed", ["10:00-12:00"]]),
    "exceptions": st.sampled_from(
        [{}, {"03-29": "closed", "10-25": ["01:30-02:30"], "2026-10-25": "closed"}]
    ),
}


def tenants(tenant: str) -> st.SearchStrategy[TenantSpec]:
    """Draw a document that is right in form and may be wrong in everything else."""
    first, second = NUMBERS[tenant]
    temporary = {"to": "busy", "stands_for": second, "right_of_use": datetime(2026, 1, 1, tzinfo=UTC).date()}
    return st.fixed_dictionaries(
        {
            "version": st.just(1),
            "tenant": st.just(tenant),
            "name": st.just("T"),
            "country": st.just("DE"),
            "area_code": st.just("30"),
            "time_zone": st.just("Europe/Berlin"),
            "account": st.just(tenant),
            "rights": shared,
            "max_inbound": st.sampled_from([None, 5]),
            "max_outbound": st.sampled_from([None, 3]),
            "max_calls": st.sampled_from([None, 6]),
            "blocked": st.lists(st.sampled_from(PATTERNS), max_size=1),
            "numbers": st.tuples(targets, st.dictionaries(kinds_of_callers, targets, max_size=2)).map(
                lambda drawn: {first: {**temporary, "to": drawn[0], "callers": drawn[1]}}
            ),
            "extensions": st.fixed_dictionaries({number: extension(number) for number in EXTENSIONS}),
            "groups": st.fixed_dictionaries({"red": group("60"), "blue": group("61")}),
            "hours": st.fixed_dictionaries(
                {**opening, "then": targets, "closed": maybe, "special": maybe}
            ).map(lambda rule: {"office": without_none(rule)}),
            "announcements": st.tuples(sounds, maybe).map(
                lambda drawn: {"closed": without_none({**drawn[0], "then": drawn[1]})}
            ),
        },
        optional={"transfer_keys": st.just({"blind": "*1", "attended": "*2"})},
    ).map(TenantSpec.model_validate)


# Places in an order in which each sends calls only to later ones: what is drawn from it has no circles.
ORDER = [
    "extension 10",
    "hours office",
    "group red",
    "extension 11",
    "announcement closed",
    "group blue",
    "extension 12",
    "extension 13",
]
ENDS = [
    "busy",
    "reject",
    *(f"voicemail {number}" for number in EXTENSIONS),
    *(f"number {number}" for number in OUTSIDE),
]


def later(place: str) -> st.SearchStrategy[str]:
    """Draw a target that cannot lead back to a place."""
    after = ORDER[ORDER.index(place) + 1 :]
    own = ["number +493055500102"] if "announcement closed" in after else []
    return st.sampled_from([*after, *after, *own, *ENDS])


def said_at(*named: str, **values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Place, Any]]:
    """Draw a place of a document, of any of the names in a section, and a value for it."""
    section, names = named[:1], named[1:]
    places = {key: [(*section, name, key) for name in names] or [(key,)] for key in values}
    drawn: list[st.SearchStrategy[tuple[Place, Any]]] = [
        st.tuples(st.sampled_from(places[key]), value) for key, value in values.items()
    ]
    return st.one_of(drawn)


many = st.integers(1, 20)
late = st.fixed_dictionaries(
    {
        "extension": st.sampled_from(EXTENSIONS),
        "delay_s": st.integers(0, 20),
        "timeout_s": st.integers(5, 120),
    }
)
# What may be said beside the ways of `sound_tenants`: where, and what. Some of it contradicts the rest.
beside: st.SearchStrategy[tuple[Place, Any]] = st.one_of(
    said_at(
        max_inbound=many, max_outbound=many, max_calls=many, region=st.sampled_from(["BE", "BY"]),
        transfer_keys=st.just({"blind": "*1", "attended": "*2"}), trunks=st.just(["carrier"]),
        routes=st.lists(
            st.fixed_dictionaries({"trunks": st.just(["carrier"]), "numbers": st.just(["+43*"])}), max_size=2
        ),
        standby=st.just({"countries": ["DE", "AT"]}), language=st.sampled_from(["de", "it"]),
        entitlements=st.just([{"since": "2026-01-01"}, {"since": "2026-10-25T02:30", "features": []}]),
    ),
    said_at(
        "extensions", *EXTENSIONS, may_call=rights, may_forward=rights, max_outbound=many, busy_level=many,
        while_ringing=heard, hide_number=st.booleans(), anonymous=st.sampled_from(["busy", "reject"]),
        blocked=st.lists(st.sampled_from(PATTERNS), max_size=2), caller_id=st.just("+493055500100"),
        devices=st.sampled_from([[], ["a", "b", "c"]]), voicemail=st.just({"mail": "a@example.com"}),
    ),
    said_at(
        "groups", "red", "blue", busy_level=many, prefix=st.just("Grüße, (Äpfel) "), may_call=rights,
        ring_tone=st.just("sales"), while_ringing=heard, voicemail=st.just({}), timeout_s=st.integers(5, 120),
        members=st.lists(late, min_size=1, max_size=4),
    ),
    said_at("hours", "office", **opening),
    said_at("numbers", "+493055500100", porting=st.sampled_from(
        [{"planned": "2026-03-29T02:30:00"}, {"confirmed": "2026-10-25T02:30:00", "grace_days": 1}]
    )),
)  # fmt: skip


def enriched(document: dict[str, Any], said: list[tuple[Place, Any]]) -> dict[str, Any]:
    """Say more in a document, as long as nothing becomes wrong with it."""
    for place, value in said:
        richer = copy.deepcopy(document)
        holder = richer
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = value
        with contextlib.suppress(ValidationError):
            if not check_tenant(TenantSpec.model_validate(richer), trunks=("carrier",)):
                document = richer
    return document


def nest(inner: dict[str, Any], outer: dict[str, Any], extensions: dict[str, dict[str, Any]]) -> None:
    """Make a group a member of another, as `check` wants it: what else is behind it would not count."""
    mobiles = [one for one in inner["members"] if isinstance(one, dict) and "number" in one]
    outer["members"] += [*mobiles, inner["extension"]]
    if any("always" in one["forward"] for one in extensions.values()):
        outer["members_forward"] = "ignore"


@st.composite
def sound_tenants(draw: st.DrawFn) -> TenantSpec:
    """Draw a document with nothing wrong in it, and with anything in it that documents can say."""

    def perhaps(place: str) -> str | None:
        return draw(st.one_of(st.none(), later(place)))

    extensions = {}
    for number in EXTENSIONS:
        place = f"extension {number}"
        forwards: dict[str, Any] = {
            "always": perhaps(place), "busy": perhaps(place), "no_answer": perhaps(place)
        }  # fmt: skip
        if draw(st.booleans()):
            del forwards["always"]
        elif number in {"10", "11"} and draw(st.booleans()):
            forwards["always"] = "group blue"  # what rings of it must ring for red, too, whose members obey
        if number == "12":  # one such: each case counts as a step, and a decision has only so many
            forwards["unreachable"] = perhaps(place)
            forwards["rules"] = [{"callers": [draw(kinds_of_callers)], "busy": draw(later(place))}]
        extensions[number] = {
            "name": "X",
            "devices": [f"p{number}"],
            "voicemail": {},
            "forward": without_none(forwards),
        }
    extensions["13"]["while_ringing"] = "announcement none"
    timed = st.sampled_from(EXTENSIONS).map(lambda number: {"extension": number, "timeout_s": 7})
    outside = st.sampled_from(OUTSIDE).map(lambda number: {"number": number})
    members = st.lists(st.one_of(st.sampled_from(EXTENSIONS), timed, outside), min_size=1, max_size=4)
    apart = st.lists(st.one_of(timed, outside), min_size=1, max_size=4)  # each with a step of its own
    strategies = st.sampled_from([str(strategy) for strategy in Strategy])
    together = st.one_of(st.just(str(Strategy.SIMULTANEOUS)), strategies)
    groups = {
        name: without_none(
            {
                "name": "G",
                "extension": number,
                "members": draw(drawn),
                "members_forward": draw(st.sampled_from(["ignore", "obey"])),
                "strategy": draw(together),
                "otherwise": perhaps(f"group {name}"),
            }
        )
        for name, number, drawn in (("red", "60", members), ("blue", "61", st.one_of(members, apart)))
    }
    if draw(st.booleans()):
        nest(groups["blue"], groups["red"], extensions)
    office = {
        **{key: draw(written) for key, written in opening.items()},
        "then": draw(later("hours office")),
        "closed": perhaps("hours office"),
        "special": perhaps("hours office"),
        "switch": {"code": "1", "by": ["10", "11"]},
    }
    announcement = {**draw(sounds), "then": perhaps("announcement closed")}
    document = {
        "version": 1,
        "tenant": "one",
        "name": "T",
        "country": "DE",
        "area_code": "30",
        "time_zone": "Europe/Berlin",
        "account": "one",
        "blocked": draw(st.lists(st.sampled_from(PATTERNS), max_size=1)),
        "anonymous": draw(st.one_of(st.none(), later("announcement closed"))),
        "numbers": {
            "+493055500100": {
                "to": "hours office",
                "stands_for": "+493055500101",
                "callers": draw(st.dictionaries(kinds_of_callers, st.sampled_from(ORDER), max_size=3)),
            },
            "+493055500102": {
                "to": "announcement closed",
                "callers": {"anonymous": draw(later("announcement closed"))},
            },
        },
        "extensions": extensions,
        "groups": groups,
        "hours": {"office": without_none(office)},
        "announcements": {
            "closed": without_none(announcement),
            "none": {"spoken": {"de": "Bitte warten.", "en": "One moment please."}},
        },
        "music": {"none": ["piece"]},
        "on_hold": "none",
        "rights": {"office": draw(st.sampled_from(["anywhere", {"to": "anywhere", "blocked": ["+49900*"]}]))},
    }
    return TenantSpec.model_validate(enriched(document, draw(st.lists(beside, max_size=20))))


instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 — made UTC at once
CLOCKS_CHANGE = (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC))
ALWAYS_KNOWN = datetime(2027, 1, 1, tzinfo=UTC)


SAID = ["", "on", "off", "day", "night", "special"]


def switches(tenants: list[str]) -> st.SearchStrategy[list[Switch]]:
    """Draw switches of tenants: of any extension, to anywhere or to nonsense, some of which run out."""
    return st.lists(
        st.builds(
            Switch,
            tenant=st.sampled_from(tenants),
            kind=st.sampled_from(SwitchKind),
            subject=st.sampled_from([*EXTENSIONS, *EXTENSIONS, "60", "99", "10/red", "11/blue", "office"]),
            value=st.one_of(targets, targets, st.sampled_from(SAID), st.text(max_size=20)),
            since=st.just(ALWAYS_KNOWN),
            by=st.just("x"),
            until=st.one_of(
                st.none(),
                st.sampled_from(CLOCKS_CHANGE),
                st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 — made UTC at once
            ),
        ),
        max_size=8,
    )


past = st.builds(
    Served,
    last=instants,
    day=instants.map(datetime.date),
    calls=st.integers(0, 50),
    ringing=st.integers(0, 5),
)
states = st.builds(
    State,
    blind=st.booleans(),
    longest_call_s=st.sampled_from([0, 600, 14_400]),
    switches=switches(list(NUMBERS)).map(NO_SWITCHES.updated),
    draw=st.none() | st.integers(0, 2**128),
    turns=st.dictionaries(st.sampled_from(["one/60", "one/61", "two/60"]), st.integers(0, 9)),
    served=st.dictionaries(st.sampled_from([f"one/{number}" for number in EXTENSIONS]), past),
)
without_switches = st.builds(State, blind=st.booleans(), longest_call_s=st.sampled_from([0, 600, 14_400]))
endpoints = st.sampled_from([f"{tenant}-p{number}" for tenant in NUMBERS for number in EXTENSIONS])
dialled = st.sampled_from(
    [
        *EXTENSIONS,
        "60",
        "61",
        *OUTSIDE,
        *EVERY_NUMBER,
        "*97",
        "*9810",
        "*9911",
        "*31#089123456",
        "#31#089123456",
        "*7211",
        "*72+436641234567",
        "*73",
        "*92*089123456#",
        "#61#",
        "*78",
        "*50",
        "*51*60",
        "*5061",
        "*811",
        "*82*1*4#",
        "*831",
        "*80",
        "112",
        "0",
        "99",
    ]
)
sent_by_phones = st.builds(
    Facts,
    call=st.just("c"),
    linkedid=st.just("c"),
    origin=st.sampled_from([Origin.PHONE, Origin.TRANSFER, Origin.FORWARD]),
    endpoint=st.one_of(endpoints, st.just("trunk-carrier")),
    actor=endpoints,
    dialled=dialled,
    caller=st.sampled_from(["", "10", "+4989123456"]),
    diversions=st.lists(st.sampled_from(OUTSIDE + EVERY_NUMBER), max_size=6).map(tuple),
)
brought_by_trunks = st.builds(
    Facts,
    helped=st.one_of(st.just(""), endpoints),
    call=st.just("c"),
    linkedid=st.just("c"),
    origin=st.just(Origin.TRUNK),
    endpoint=st.just("trunk-carrier"),
    actor=st.just("trunk-carrier"),
    dialled=st.sampled_from(EVERY_NUMBER),
    caller=st.sampled_from(["", "anonymous", "+4989123456", "089123456"]),
    diversions=st.lists(st.sampled_from(OUTSIDE + EVERY_NUMBER), max_size=6).map(tuple),
)
questions = st.one_of(sent_by_phones, brought_by_trunks)
phones_of_one = st.sampled_from([f"one-p{number}" for number in EXTENSIONS])
# Most of any questions are refused: they name who or what is not there. These reach what the tenant has.
questions_of_one = st.one_of(
    questions,
    st.builds(
        dataclasses.replace,
        sent_by_phones,
        origin=st.sampled_from([Origin.PHONE, Origin.TRANSFER]),
        endpoint=phones_of_one,
        actor=phones_of_one,
        dialled=st.one_of(st.sampled_from([*EXTENSIONS, "60", "61", "+493055500102"]), dialled),
        diversions=st.just(()),
    ),
    st.builds(
        dataclasses.replace,
        brought_by_trunks,
        dialled=st.sampled_from(["+493055500100", "+493055500101", "+493055500102"]),
        diversions=st.just(()),
    ),
)
anything = st.builds(
    Facts,
    call=st.text(),
    linkedid=st.text(),
    origin=st.sampled_from(Origin),
    endpoint=st.one_of(endpoints, st.text()),
    actor=st.one_of(endpoints, st.text()),
    dialled=st.one_of(dialled, st.text(), st.text(alphabet="+*#0123456789", max_size=80)),
    caller=st.one_of(st.text(), st.text(alphabet="+0123456789")),
    diversions=st.lists(st.text(), max_size=8).map(tuple),
)


def published(*specs: TenantSpec) -> Published:
    """Put documents in force without asking whether they are right."""
    return Published().with_plans(build_plan(spec, revision=1, trunks=("carrier",)) for spec in specs)


def dialled_inside(spec: TenantSpec) -> list[Facts]:
    """Give a call from outside to each number of a tenant, and from each phone to whatever has one inside."""
    phones = [f"{spec.tenant}-p{number}" for number in EXTENSIONS]
    inside = [*EXTENSIONS, *(group.extension or "" for group in spec.groups.values())]
    return [
        Facts(call="c", linkedid="c", origin=origin, endpoint=endpoint, actor=endpoint, dialled=number)
        for origin, endpoints, numbers in (
            (Origin.PHONE, phones, inside),
            (Origin.TRUNK, ["trunk-carrier"], list(spec.numbers)),
        )
        for endpoint in endpoints
        for number in numbers
    ]


def assert_bounded(decision: Decision) -> None:
    """Hold a decision to its shape: some steps, not too many, and every jump leads forward."""
    assert 1 <= len(decision.steps) <= MAX_STEPS
    assert decision.because
    for number, step in enumerate(decision.steps, 1):
        for jump in jumps(step):
            assert jump == END or number < jump <= len(decision.steps)
        if isinstance(step, Reject):
            assert step.cause == CAUSES[step.reason]
        if isinstance(step, Ring):
            assert step.endpoints or step.joined, "a step that rings nobody ends in no named outcome"


def jumps(step: object) -> tuple[int, ...]:
    """Give every jump of a step."""
    match step:
        case Ring(then=Next() as then, joined=joined):
            return then.busy, then.no_answer, then.unreachable, *(one.step for one in joined)
        case Outside(then=Next() as then):
            return then.busy, then.no_answer, then.unreachable
        case Play(then=then) | Admit(then=then):
            return (then,)
        case _:
            return ()
