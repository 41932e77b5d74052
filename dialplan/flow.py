"""The call flow of a tenant as diagrams: where a call to each number goes on, as the document says.

Owns which places a diagram shows and what leads from one to the next. Refuses words and shapes: a box names
a place and the key of its rule, people read them in their language (`pbxcore.paper`).

Problem: a document is a graph, and paper wants trees that fit a page. Solution: one tree for all numbers
that lead to the same place. Each place is drawn once; where it is met again, and where a tree would grow
deeper than a page is wide, a box refers to the diagram that shows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dialplan.block import entry_of
from dialplan.references import Place, references
from dialplan.spec import TenantSpec
from dialplan.target import Kind, Target

MAX_DEPTH = (
    4  # boxes side by side, beside that of the numbers: what a landscape page shows in type one can read
)
MAX_LEAVES = 10  # boxes one below the other

_RULES = frozenset({Kind.GROUP, Kind.HOURS, Kind.ANNOUNCEMENT})

Steps = dict[Place, tuple["Way", ...]]


@dataclass(frozen=True, slots=True)
class Way:
    """One way on from a place.

    Attributes:
        when: the document's key of the rule: `busy`, `no_answer`, `closed`; `voicemail` for a mailbox that
            takes both busy and no answer, as no rule does; `others` for a number's callers without a rule.
        after_s: seconds of ringing before it; 0 where nothing rings.
        to: where it leads; a number of the tenant's own and a group's extension are already followed.
    """

    when: str
    after_s: int
    to: Place


@dataclass(frozen=True, slots=True)
class Box:
    """A place in a diagram.

    Attributes:
        way: what led here; None for the first box.
        elsewhere: drawn by an earlier box or by a diagram of its own, with all that follows.
    """

    place: Place
    way: Way | None = None
    elsewhere: bool = False
    then: tuple["Box", ...] = ()


@dataclass(frozen=True, slots=True)
class Diagram:
    """One tree. `numbers` lead to its first box; a diagram that only continues another has none."""

    numbers: tuple[str, ...]
    root: Box


def diagrams(spec: TenantSpec) -> tuple[Diagram, ...]:
    """Draw the flow of a tenant whose document has no mistakes.

    First what numbers lead to, then each group, time rule and announcement that no diagram shows yet. An
    extension begins none: a list of extensions says as much.
    """
    steps = ways(spec)
    drawn, waiting = set[Place](), _entries(spec, steps)
    found: list[Diagram] = []
    while waiting:
        place = next(iter(waiting))
        numbers = waiting.pop(place)
        if place in drawn:
            continue
        later: list[Place] = []
        found.append(Diagram(numbers, _tree(place, steps, drawn, set(waiting), later)))
        waiting.update({place: waiting.get(place, ()) for place in later if place not in drawn})
        if not waiting:
            waiting = {place: () for place in steps if place.kind in _RULES and place not in drawn}
    return tuple(found)


def _entries(spec: TenantSpec, steps: Steps) -> dict[Place, tuple[str, ...]]:
    """Give the places that numbers lead to, with these numbers; without any, each rule is an entry."""
    found: dict[Place, tuple[str, ...]] = {}
    for number in spec.numbers:
        if spec.numbers[number].callers:
            found[Place(Kind.NUMBER, number)] = ()  # more than one way: a box of its own
            continue
        place = steps[Place(Kind.NUMBER, number)][0].to
        if place.kind != Kind.EXTENSION:
            found[place] = (*found.get(place, ()), number)
    return found or {place: () for place in steps if place.kind in _RULES}


def ways(spec: TenantSpec) -> Steps:
    """Give what leads on from each place of a document that has no mistakes."""
    found: dict[Place, tuple[Way, ...]] = {}
    for reference in references(spec):
        if reference.path == ("anonymous",):
            continue  # of all numbers: said once beside the diagrams, not at each of them
        if "members" in reference.path:
            continue  # stand in the group's own box
        when = _when(reference.path)
        if not when and reference.source.kind == Kind.NUMBER and spec.numbers[reference.source.name].callers:
            when = "others"
        way = Way(when, _after_s(spec, reference.source, when), resolve(spec, reference.target))
        found[reference.source] = (*found.get(reference.source, ()), way)
    for place, way in _mailboxes(spec):
        found[place] = (*found.get(place, ()), way)
    return found


def resolve(spec: TenantSpec, target: Target) -> Place:
    """Give the place a target means: a group by its extension, an own number by where it leads."""
    if target.kind == Kind.EXTENSION:
        groups = (name for name, group in spec.groups.items() if group.extension == target.name)
        return next((Place(Kind.GROUP, name) for name in groups), Place(Kind.EXTENSION, target.name))
    if target.kind == Kind.NUMBER:
        return _own_number(spec, target.name)
    return Place(target.kind, target.name)


def _own_number(spec: TenantSpec, number: str) -> Place:
    """Give the entry of a number of the tenant's own, or the extension that it rings in a block."""
    key, suffix = entry_of(spec, number) or (number, "")
    return Place(Kind.EXTENSION, suffix) if suffix in spec.extensions else Place(Kind.NUMBER, key)


def _when(path: tuple[str | int, ...]) -> str:
    """Give the key of a rule: of `extensions.10.forward.no_answer.to` it is `no_answer`."""
    keys = [str(key) for key in path[2:] if key not in {"forward", "to", "callers"}]
    return ".".join(keys)


def _after_s(spec: TenantSpec, place: Place, when: str) -> int:
    if place.kind == Kind.GROUP:
        return spec.groups[place.name].timeout_s
    if place.kind == Kind.EXTENSION and when == "no_answer":
        rule = spec.extensions[place.name].forward.no_answer
        return rule.after_s if rule else 0
    return 0


def _mailboxes(spec: TenantSpec) -> Iterator[tuple[Place, Way]]:
    """Give the ways that no rule states: a mailbox takes what no rule takes."""
    for number, extension in spec.extensions.items():
        forward = extension.forward
        free = [key for key in ("busy", "no_answer") if not getattr(forward, key)]
        if extension.voicemail and free and not forward.always:
            when = free[0] if len(free) == 1 else "voicemail"
            yield Place(Kind.EXTENSION, number), Way(when, 0, Place(Kind.VOICEMAIL, number))
    for name, group in spec.groups.items():
        if group.voicemail and group.extension and not group.otherwise:
            way = Way("otherwise", group.timeout_s, Place(Kind.VOICEMAIL, group.extension))
            yield Place(Kind.GROUP, name), way


def _tree(place: Place, steps: Steps, drawn: set[Place], own: set[Place], later: list[Place]) -> Box:
    """Grow a tree from a place. A circle cannot close: a place counts as drawn before what follows it.

    Args:
        place: the first box.
        steps: what leads on from each place.
        drawn: places that need not be drawn again; takes those of this tree.
        own: places that have diagrams of their own, because numbers lead to them.
        later: takes the places that did not fit.
    """
    leaves = 0

    def grow(place: Place, way: Way | None, depth: int) -> Box:
        nonlocal leaves
        following = steps.get(place, ())
        known = place in drawn or (place in own and depth > 1)
        full = depth == MAX_DEPTH or (depth > 1 and leaves >= MAX_LEAVES)
        if not following or known or full:
            leaves += 1
            if following and not known:
                later.append(place)
            return Box(place, way, elsewhere=bool(following))
        drawn.add(place)
        return Box(place, way, then=tuple(grow(way.to, way, depth + 1) for way in following))

    return grow(place, None, 1)
