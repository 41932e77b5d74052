"""A year of calls, and what is wrong with documents: a named end, or a line that says why."""

import copy
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from hypothesis import given
from hypothesis import strategies as st

from dialplan import public_holidays
from dialplan.checks import check_tenant
from dialplan.decide import decide
from dialplan.decision import (
    END,
    Admit,
    Confirm,
    ListenToVoicemail,
    Next,
    Outside,
    PickUp,
    Play,
    Reason,
    Reject,
    Ring,
    Step,
    Voicemail,
)
from dialplan.facts import Facts, State
from dialplan.spec import TenantSpec
from pbxcore.documents import read_texts
from tests.property.drawn import (
    assert_bounded,
    instants,
    published,
    questions_of_one,
    sound_tenants,
    states,
)

# Of docs/outcomes.md; besides, a caller may give up at any step (abandoned), and Asterisk may fail (ours).
OUTCOMES = {"answered", "busy", "unanswered", "rejected", "carrier-failure"}


def special_instants(year: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Give instants at which a mistake would show: around each change of clocks and of each kind of day."""
    first = datetime(year, 1, 1, tzinfo=UTC)
    hours = [first + timedelta(hours=n) for n in range(366 * 24)]
    offsets = [at.astimezone(zone).utcoffset() for at in hours]
    changes = [
        at for at, before, after in zip(hours[1:], offsets, offsets[1:], strict=False) if before != after
    ]
    assert len(changes) == 2
    for at in changes:
        yield from (
            at + timedelta(minutes=30 * n, seconds=second) for n in range(-8, 9) for second in (-1, 0)
        )
    for day in range(0, 366, 5):  # a walk through all days of the week and all months
        yield from (first + timedelta(days=day, hours=hour) for hour in (0, 7, 11, 22))
    for holiday in public_holidays.in_year("DE", "", year):
        midnight = datetime.combine(holiday, time(), tzinfo=zone).astimezone(UTC)
        yield from (midnight + timedelta(hours=hour, seconds=-1) for hour in (0, 11, 24))


BERLIN = ZoneInfo("Europe/Berlin")
YEAR = tuple(special_instants(2026, BERLIN))
# Around both changes of clocks, the exceptions that are drawn, an ordinary Monday and a public holiday.
DAYS = [
    date(2026, *day) for day in ((3, 28), (3, 29), (3, 30), (10, 24), (10, 25), (10, 26), (12, 25), (6, 1))
]


def edges_of(spec: TenantSpec) -> Iterator[datetime]:
    """Give the last second before and the first one after each time that stands in a document's rules."""
    rules = spec.model_dump_json(include={"hours", "rights", "extensions", "groups"})
    for written in sorted(set(re.findall(r"\b[0-9]{2}:[0-9]{2}\b", rules))):
        for day in DAYS:
            for fold in (0, 1):
                local = datetime.combine(day, time.fromisoformat(written), tzinfo=BERLIN).replace(fold=fold)
                yield from (local.astimezone(UTC) + timedelta(seconds=second) for second in (-1, 0))


@given(sound_tenants(), questions_of_one, states)
def test_a_year_of_calls_ends_in_named_outcomes(spec: TenantSpec, facts: Facts, state: State) -> None:
    """A document that compiles decides a call at every instant of a year, in bounded steps to a named end."""
    assert check_tenant(spec, trunks=("carrier",)) == ()
    plans = published(spec)
    for decision in {decide(plans, facts, state, at) for at in {*YEAR, *edges_of(spec)}}:
        assert_bounded(decision)
        assert outcomes(decision.steps, 1) <= OUTCOMES


def outcomes(steps: tuple[Step, ...], number: int) -> frozenset[str]:  # noqa: PLR0911 — one for each kind
    """Give every outcome that a call can have from a step on, however phones and carriers answer."""
    match steps[number - 1]:
        case Ring(then=then, joined=joined):
            alone = frozenset[str]().union(*(outcomes(steps, one.step) for one in joined))
            assert alone <= {"answered", "busy", "unanswered", "carrier-failure"}, "who joins only rings"
            return _after(steps, then, unreachable="unanswered")
        case Outside(then=then):
            return _after(steps, then, unreachable="carrier-failure")
        case Play(then=following):
            return outcomes(steps, following) if following != END else frozenset({"unanswered"})
        case Admit(then=following):
            return outcomes(steps, following) | {"rejected"}
        case Reject(reason=reason):
            return frozenset({"busy" if reason is Reason.BUSY else "rejected"})
        case Voicemail() | ListenToVoicemail() | Confirm():
            return frozenset({"answered"})
        case PickUp():
            return frozenset({"answered", "rejected"})


def _after(steps: tuple[Step, ...], then: Next, *, unreachable: str) -> frozenset[str]:
    ends = {"busy": then.busy, "unanswered": then.no_answer, unreachable: then.unreachable}
    found = (outcomes(steps, jump) if jump != END else frozenset({how}) for how, jump in ends.items())
    return frozenset({"answered"}).union(*found)


junk = st.sampled_from([None, -1, 7, 3.5, True, "", "x", "10", "extension 99", [], ["10"], {}, {"a": 1}])


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Draw the text of a document in which up to two values were taken out or replaced by junk."""
    document = draw(sound_tenants()).model_dump(mode="json", exclude_defaults=True)
    for _ in range(draw(st.integers(0, 2))):
        holder: Any = document
        while True:
            key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
            if not isinstance(holder[key], dict | list) or not holder[key] or draw(st.booleans()):
                break
            holder = holder[key]
        if draw(st.booleans()):
            holder[key] = copy.deepcopy(draw(junk))  # the next round may spoil it in turn
        else:
            del holder[key]
        if not document:
            break
    return yaml.safe_dump(document, sort_keys=False)


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Find the line of what a path names, or of the nearest thing around it, by another reader than ours."""
    node = yaml.compose(text)
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == str(part)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            pairs = [(value, value) for value in node.value[part : part + 1]]
        else:
            break
        if not pairs:
            break
        key, node = pairs[0]
        line = key.start_mark.line + 1
    return line


@given(spoilt(), questions_of_one, states, instants)
def test_a_document_compiles_or_says_why_with_the_line(
    text: str, facts: Facts, state: State, now: datetime
) -> None:
    """Whatever was taken out or written over: a plan that decides, or findings with line and remedy."""
    documents, findings = read_texts([("a.yaml", text)])
    if findings:
        lines = len(text.splitlines())
        assert all(1 <= one.line <= max(1, lines) for one in findings)
        assert [one.line for one in findings] == [line_of(text, one.finding.path) for one in findings]
        assert all(one.finding.code and one.finding.message and one.finding.remedy for one in findings)
        return
    (document,) = documents
    assert isinstance(document.spec, TenantSpec)
    assert_bounded(decide(published(document.spec), facts, state, now))
