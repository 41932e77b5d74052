"""The call flow of a tenant as a document to hand to the customer: PDF, or SVG pages.

Owns what is said about each place, in the customer's language, and the pages around the diagrams. Refuses to
follow calls: `dialplan.flow` says what leads where, `dialplan.porting` where a number stands in its life.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from dialplan.build import build_plan
from dialplan.call import shown
from dialplan.flow import Box, Diagram, Steps, Way, diagrams, resolve, ways
from dialplan.hours import DAYS, local_time
from dialplan.numbers import calling_code
from dialplan.plan import Number, Plan
from dialplan.porting import Stage, stage
from dialplan.references import Place
from dialplan.spec import (
    ExtensionSpec,
    GroupSpec,
    HoursSpec,
    MemberSpec,
    RightsSpec,
    TenantSpec,
)
from dialplan.target import Kind, Target
from pbxcore.paper.layout import Card, Drawing, draw
from pbxcore.paper.typeset import Format, typeset
from pbxcore.paper.words import counted, dated, words, written_day

MEMBERS_SHOWN = 6  # in a box; the table of groups has them all
NUMBERS_SHOWN = 8

TO = "\u2013"  # en dash, between two days and two times

Row = tuple[str, ...]  # a line break within a cell is one on paper
Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """What every part of the document needs."""

    spec: TenantSpec
    plan: Plan  # of the document
    now: datetime  # the instant at which all that is said is true
    words: Words
    steps: Steps
    drawn_at: Mapping[Place, int]  # number of the diagram that shows a place with what follows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Titled:
    """A diagram and its heading."""

    title: str
    drawing: Drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that the pages say, as the template `flow.typ` reads it; tables are rows of its columns."""

    words: Words
    language: str
    name: str
    stand: str
    numbers: tuple[Row, ...]
    lines: str
    diagrams: tuple[Titled, ...]
    hours: tuple[Row, ...]
    groups: tuple[Row, ...]
    extensions: tuple[Row, ...]


def flow(
    spec: TenantSpec, *, now: datetime, language: str, stand: str, form: Format = "pdf"
) -> tuple[bytes, ...]:
    """Draw the call flow of a document that has no mistakes.

    Args:
        spec: the tenant.
        now: an instant with a time zone: where numbers stand in their lives, and which are shown, holds then.
        language: one of `pbxcore.paper.words.LANGUAGES`.
        stand: what the reader should know about its age, "revision 7 · 2026-11-26".
        form: `pdf` gives one file, `svg` one a page.

    Returns:
        The files. The same arguments give the same bytes.
    """
    return typeset("flow.typ", asdict(content(spec, now=now, language=language, stand=stand)), form)


def content(spec: TenantSpec, *, now: datetime, language: str, stand: str) -> Content:
    """Give all that the pages say of an instant."""
    said, found = words(language), diagrams(spec)
    plan = build_plan(spec, revision=0, trunks=())
    page = Page(spec, plan, now, said, ways(spec), _drawn_at(found))
    return Content(
        words=said,
        language=language,
        name=spec.name,
        stand=stand,
        numbers=tuple(_numbers(page)),
        lines=", ".join(_lines_at_once(page)),
        diagrams=tuple(_diagram(page, number, one) for number, one in enumerate(found, start=1)),
        hours=tuple(_hours(page, name, rule) for name, rule in spec.hours.items()),
        groups=tuple(_group(page, name, group) for name, group in spec.groups.items()),
        extensions=tuple(_extension(page, number, one) for number, one in spec.extensions.items()),
    )


def _drawn_at(found: tuple[Diagram, ...]) -> dict[Place, int]:
    return {box.place: number for number, one in enumerate(found, start=1)
            for box in _boxes(one.root) if not box.elsewhere}  # fmt: skip


def _boxes(box: Box) -> Iterator[Box]:
    yield box
    for following in box.then:
        yield from _boxes(following)


def _diagram(page: Page, number: int, diagram: Diagram) -> Titled:
    card = _card(page, diagram.root, None, shown_in=number)
    if diagram.numbers:
        numbers = [said for one in diagram.numbers for said in _reached_by(page, page.plan.numbers[one])]
        lines = _shortened(page, numbers, NUMBERS_SHOWN)
        card = Card(kind="entry", title=page.words["calls_to"], lines=lines, then=(card,))
    title = page.words["diagram"].format(number=number)
    return Titled(title=f"{title} · {_title(page, diagram.root.place)}", drawing=draw(card))


def _card(page: Page, box: Box, parent: Place | None, *, shown_in: int) -> Card:
    place = box.place
    way = _when(page, box.way, parent) if box.way else ""
    if box.elsewhere:
        there = page.drawn_at[place]
        see = (page.words["see"].format(number=there),) if there != shown_in else ()
        return Card(kind=place.kind, title=_title(page, place), lines=see, way=way, faint=True)
    return Card(
        kind=place.kind,
        title=_title(page, place),
        lines=tuple(_lines(page, place)),
        way=way,
        then=tuple(_card(page, following, place, shown_in=shown_in) for following in box.then),
    )


def _when(page: Page, way: Way, parent: Place | None) -> str:
    """Say under which condition a call takes a way; a rule without words of its own is named by its key."""
    announced = parent is not None and parent.kind == Kind.ANNOUNCEMENT
    key = "when.announced" if announced else f"when.{way.when}"
    when = page.words.get(key, way.when.rpartition(".")[2])
    if way.when.startswith("rules.") and parent is not None:
        when = _conditional(page, way.when, page.spec.extensions[parent.name])
    if not way.after_s:
        return when
    return page.words["when.after"].format(when=when, seconds=way.after_s)


def _conditional(page: Page, key: str, extension: ExtensionSpec) -> str:
    """Say what a rule for some calls wants: `rules.0.busy` is "when busy: +4930*"."""
    _, index, when = key.split(".")
    rule = extension.forward.rules[int(index)]
    callers = (page.words.get(f"when.{one}", one) for one in rule.callers)
    return f"{page.words[f'when.{when}']}: {', '.join((*callers, *map(_written, rule.numbers)))}"


def _title(page: Page, place: Place) -> str:
    """Name a place as its owner knows it."""
    return _TITLES[place.kind](page, place.name)


def _group_title(page: Page, name: str) -> str:
    group = page.spec.groups[name]
    return f"{page.words['group']} {group.name}" + (f" ({group.extension})" if group.extension else "")


def _owner(spec: TenantSpec, box: str) -> str:
    """Name whose mailbox it is."""
    if box in spec.extensions:
        return spec.extensions[box].name
    return next((group.name for group in spec.groups.values() if group.extension == box), box)


_TITLES: Mapping[str, Callable[[Page, str], str]] = {
    Kind.EXTENSION: lambda page, name: f"{page.spec.extensions[name].name} ({name})",
    Kind.GROUP: _group_title,
    Kind.VOICEMAIL: lambda page, name: page.words["voicemail"].format(name=_owner(page.spec, name)),
    Kind.HOURS: lambda page, name: f"{page.words['hours']} {name}",
    Kind.ANNOUNCEMENT: lambda page, name: page.words["announcement"].format(name=name),
    Kind.NUMBER: lambda page, name: _written(_today(page, name)),
    Kind.BUSY: lambda page, _name: page.words["busy"],
    Kind.REJECT: lambda page, _name: page.words["reject"],
}


def _lines(page: Page, place: Place) -> Iterator[str]:
    """Say what happens at a place."""
    spec, words = page.spec, page.words
    match place.kind:
        case Kind.EXTENSION:
            yield counted(words, "phone", len(spec.extensions[place.name].devices))
        case Kind.GROUP:
            group = spec.groups[place.name]
            yield f"{words['rings']} {words[f'strategy.{group.strategy}']}:"
            yield from _shortened(page, _members(page, group), MEMBERS_SHOWN)
        case Kind.HOURS:
            rule = spec.hours[place.name]
            yield from (_localised(line, words) for line in rule.open)
            if rule.holidays is not None:
                yield f"{words['holidays']} {_spans(page, rule.holidays)}"
            if rule.exceptions:
                yield counted(words, "exception", len(rule.exceptions))
        case Kind.NUMBER if place.name not in spec.numbers:
            yield words["outside"]


def _members(page: Page, group: GroupSpec) -> list[str]:
    spec = page.spec
    names = {extension: one.name for extension, one in spec.extensions.items()}
    names |= {one.extension: one.name for one in spec.groups.values() if one.extension}
    return [_member(page, member, names.get(str(member), "")) for member in group.members]


def _member(page: Page, member: MemberSpec, name: str) -> str:
    """Say who is a member, from when and how long it rings, and whether it has to press 1 for the call."""
    after = page.words["member_after"].format(seconds=member.delay_s) if member.delay_s else ""
    lasts = page.words["member_for"].format(seconds=member.timeout_s) if member.timeout_s else ""
    who = _written(member.number) if member.number else str(member)
    confirms = page.words["member_confirms"] if _is_outside(page.spec, member) else ""
    return " ".join(word for word in (who, name, after, lasts, confirms) if word)


def _is_outside(spec: TenantSpec, member: MemberSpec) -> bool:
    """Tell whether a member is a number that is none of the tenant's own."""
    if not member.number:
        return False
    place = resolve(spec, Target(Kind.NUMBER, member.number))
    return place.kind == Kind.NUMBER and place.name not in spec.numbers


def _today(page: Page, number: str) -> str:
    """Give the number by which one of the tenant's is known today; any other as it is."""
    own = page.plan.numbers.get(number)
    return own.today if own else number


def _reached_by(page: Page, number: Number) -> Iterator[str]:
    """Say what callers dial: the number of today, and a temporary one as long as it still holds."""
    yield _written(number.today)
    if stage(number, page.now) is Stage.PORTED:
        yield page.words["until"].format(number=_written(number.number), day=_day(page, number))


def _day(page: Page, number: Number) -> str:
    """Say the day that matters to callers: of a planned porting, or the last of a temporary number."""
    last = number.released_at and number.released_at - timedelta.resolution
    instant = last or number.planned_at
    return dated(page.words, local_time(instant, page.plan.zone).date()) if instant else ""


def _written(number: str, ddi: int | None = None) -> str:
    """Write a number as people read it, its country code apart, a block with its digits: `+49 302220xx`."""
    code = calling_code(number)
    return (f"+{code} {number[len(code) + 1 :]}" if code else number) + "x" * (ddi or 0)


def _shortened(page: Page, texts: list[str], limit: int) -> tuple[str, ...]:
    if len(texts) <= limit:
        return tuple(texts)
    return (*texts[: limit - 1], page.words["and_more"].format(count=len(texts) - limit + 1))


def _localised(line: str, words: Words) -> str:
    """Write `Mon-Fri 08:00-18:00` with the days of a language."""
    days, _, spans = line.partition(" ")
    for day in DAYS:
        days = days.replace(day, words[day])
    return f"{days.replace('-', TO).replace(',', ', ')} {spans.replace('-', TO)}"


def _numbers(page: Page) -> Iterator[Row]:
    for key, did in page.spec.numbers.items():
        number = page.plan.numbers[key]
        state, rings = stage(number, page.now), resolve(page.spec, number.to)
        if state is Stage.OWN and rings.kind == Kind.EXTENSION and not did.ddi:
            continue  # stands beside its extension
        yield (
            _written(number.today, did.ddi),
            _stage(page, number, did.ddi),
            _onward(page, Place(Kind.NUMBER, key)),
        )


def _stage(page: Page, number: Number, ddi: int | None) -> str:
    """Say where a number stands in its life, with the other number and the day that matter to callers."""
    other = number.stands_for if number.today == number.number else number.number
    known = stage(number, page.now)
    overdue = known is Stage.PORTING and number.planned_at and number.planned_at <= page.now
    said = page.words["stage.overdue" if overdue else f"stage.{known}"]
    return said.format(number=_written(other, ddi), day=_day(page, number))


def _onward(page: Page, place: Place) -> str:
    """Say in one line where calls go on from a place."""
    said = []
    for way in page.steps.get(place, ()):
        when = "" if place.kind == Kind.NUMBER and not way.when else f"{_when(page, way, place)}: "
        said.append(f"{when}{_title(page, way.to)}")
    return "\n".join(said)


def _hours(page: Page, name: str, rule: HoursSpec) -> Row:
    exceptions = [
        f"{written_day(page.words, day)}  {_spans(page, spans)}"
        for day, spans in sorted(rule.exceptions.items())
    ]
    if rule.holidays is not None:
        exceptions.insert(0, f"{page.words['holidays']}  {_spans(page, rule.holidays)}")
    return (
        name,
        "\n".join(_localised(line, page.words) for line in rule.open),
        "\n".join(exceptions),
        _onward(page, Place(Kind.HOURS, name)),
    )


def _spans(page: Page, spans: Sequence[str]) -> str:
    return " ".join(spans).replace("-", TO) or page.words["all_closed"]


def _group(page: Page, name: str, group: GroupSpec) -> Row:
    return (
        group.extension or "",
        group.name,
        page.words[f"strategy.{group.strategy}"],
        "\n".join(_members(page, group)),
        _onward(page, Place(Kind.GROUP, name)),
    )


def _extension(page: Page, number: str, extension: ExtensionSpec) -> Row:
    return (
        number,
        extension.name,
        str(len(extension.devices)),
        "\n".join(_direct(page, number)),
        _shown(page, number, extension),
        "\n".join([*_may_call(page, extension.may_call), *_at_once(page, extension)]),
        _onward(page, Place(Kind.EXTENSION, number)),
    )


def _direct(page: Page, extension: str) -> Iterator[str]:
    """Say which numbers ring an extension at once; of a block that is the one with its digits."""
    for name, number in page.plan.numbers.items():
        own = number.key + (extension if page.spec.numbers[number.key].ddi else "")
        if name == own and number.to == Target(Kind.EXTENSION, extension) and not number.ordered:
            yield from _reached_by(page, number)


def _shown(page: Page, number: str, extension: ExtensionSpec) -> str:
    """Say which number others see; nothing: the tenant's first."""
    if extension.hide_number:
        return page.words["hides"]
    identity = page.plan.extensions[number].owner.identity
    return _written(shown(identity, page.plan, page.now)) if extension.caller_id else ""


def _at_once(page: Page, extension: ExtensionSpec) -> Iterator[str]:
    """Say how many calls an extension has at once."""
    for key in ("max_outbound", "busy_level"):
        if most := getattr(extension, key):
            yield counted(page.words, key, most)


def _lines_at_once(page: Page) -> Iterator[str]:
    """Say how many calls outside the tenant has at once."""
    for key in ("max_inbound", "max_outbound", "max_calls"):
        if most := getattr(page.spec, key):
            yield counted(page.words, key, most)


def _may_call(page: Page, rights: RightsSpec) -> Iterator[str]:
    """Say how far an extension may call: its own rights, and those of the tenant on which they build."""
    said, named = page.words, page.spec.rights.get(rights.to)
    reach = list(_may_call(page, named)) if named else [said[f"reach.{rights.to}"]]
    if rights.open is None:
        yield from reach
    else:
        yield from (_localised(line, said) for line in rights.open)
        yield from reach
        yield f"{said['otherwise_calls']}: {said[f'reach.{rights.closed}']}"
    for key in ("allowed", "blocked"):
        patterns = [pattern.replace("*", "…") for pattern in getattr(rights, key)]
        if patterns:
            yield f"{said[f'calls_{key}']}: {', '.join(_shortened(page, patterns, NUMBERS_SHOWN))}"
