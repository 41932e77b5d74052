"""Every place of a tenant document that sends a call somewhere.

Owns the list of such places: a later feature that can send calls adds its own here, and all checks see it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dialplan.finding import Path
from dialplan.spec import FORWARD_CASES, ExtensionSpec, TenantSpec
from dialplan.target import Kind, Target, parse


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the way a call takes: a kind of object and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A rule at `path`, belonging to `source`, that sends calls to `target`."""

    source: Place
    path: Path
    target: Target


def references(spec: TenantSpec) -> Iterator[Reference]:
    """Give every rule of the document that sends a call somewhere."""
    for source, path, text in _written(spec):
        target = parse(text) if text else None
        if target:
            yield Reference(source, path, target)


def _written(spec: TenantSpec) -> Iterator[tuple[Place, Path, str | None]]:
    for number, did in spec.numbers.items():
        yield Place(Kind.NUMBER, number), ("numbers", number, "to"), did.to
        for pattern, to in did.callers.items():
            yield Place(Kind.NUMBER, number), ("numbers", number, "callers", pattern), to
        yield Place(Kind.NUMBER, number), ("anonymous",), spec.anonymous
    for number, extension in spec.extensions.items():
        yield from _of_extension(number, extension)
    for name, group in spec.groups.items():
        yield Place(Kind.GROUP, name), ("groups", name, "otherwise"), group.otherwise
        for index, member in enumerate(group.members):
            outside = f"number {member.number}" if member.number else None
            yield Place(Kind.GROUP, name), ("groups", name, "members", index, "number"), outside
    for name, rule in spec.hours.items():
        yield Place(Kind.HOURS, name), ("hours", name, "then"), rule.then
        yield Place(Kind.HOURS, name), ("hours", name, "closed"), rule.closed
        yield Place(Kind.HOURS, name), ("hours", name, "special"), rule.special
    for name, announcement in spec.announcements.items():
        yield Place(Kind.ANNOUNCEMENT, name), ("announcements", name, "then"), announcement.then


def _of_extension(number: str, extension: ExtensionSpec) -> Iterator[tuple[Place, Path, str | None]]:
    place, path, forward = Place(Kind.EXTENSION, number), ("extensions", number, "forward"), extension.forward
    yield place, (*path, "always"), forward.always
    yield place, (*path, "busy"), forward.busy
    yield place, (*path, "no_answer", "to"), forward.no_answer.to if forward.no_answer else None
    yield place, (*path, "unreachable"), forward.unreachable
    for index, rule in enumerate(forward.rules):
        for when in FORWARD_CASES:
            yield place, (*path, "rules", index, when), getattr(rule, when)
    yield place, ("extensions", number, "anonymous"), extension.anonymous
