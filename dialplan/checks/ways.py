"""Checks of ways: every call ends somewhere, everything can be reached, and a decision has room for it."""

from collections.abc import Iterator

from dialplan import build
from dialplan.checks.register import check, check_whole
from dialplan.checks.subject import SECTIONS, Subject
from dialplan.decision import MAX_STEP_BYTES, MAX_STEPS
from dialplan.finding import Finding, Path
from dialplan.graph import closure, cycles
from dialplan.plan import Member
from dialplan.references import Place
from dialplan.spec import GroupSpec, TenantSpec
from dialplan.spelling import MIN_RING_S
from dialplan.target import Kind

MAX_RING_BYTES = MAX_STEP_BYTES - 250  # the rest of a step: timeout, jumps, caller, keys of two tenants
PHONE_BYTES = len("PJSIP/&")  # what a phone takes in a step besides its name


@check
def circles(subject: Subject) -> Iterator[Finding]:
    """No call is sent back to where it has been."""
    for circle in cycles(subject.ways, subject.onward):
        after = circle[1]
        path = next(rule.path for rule in subject.ways[circle[0]] if subject.place(rule.target) == after)
        yield Finding(
            path=path,
            code="cycle",
            message="calls would go round for ever: " + " → ".join(map(str, circle)),
            remedy="let one of them end in a mailbox, an announcement or a number outside",
        )


@check
def circles_of_groups(subject: Subject) -> Iterator[Finding]:
    """No group is its own member, not even through others."""
    groups = subject.spec.groups

    def inner(name: str) -> Iterator[str]:
        members = (str(member) for member in groups[name].members)
        return (subject.group_extensions[m] for m in members if m in subject.group_extensions)

    for circle in cycles(groups, inner):
        members = [str(member) for member in groups[circle[0]].members]
        index = next(i for i, m in enumerate(members) if subject.group_extensions.get(m) == circle[1])
        yield Finding(
            path=("groups", circle[0], "members", index),
            code="cycle-of-groups",
            message="groups contain each other: " + " → ".join(f"group {name}" for name in circle),
            remedy="take one of them out of the other",
        )


@check_whole
def dead_ends(subject: Subject) -> Iterator[Finding]:
    """Whoever can be called can be heard: by a phone, a mailbox or another way on."""
    for number, extension in subject.spec.extensions.items():
        forward = extension.forward
        onward = forward.always or forward.unreachable or forward.no_answer or extension.voicemail
        if not (extension.devices or onward):
            yield _dead_end(("extensions", number), f"extension {number}", "a device, a mailbox or a forward")
    for name, group in subject.spec.groups.items():
        if not build.members(subject.spec, group):
            yield _dead_end(("groups", name, "members"), f"group {name}", "a member that has a phone")


@check_whole
def unreachable(subject: Subject) -> Iterator[Finding]:
    """Everything that stands in the document can be reached by some call."""
    reached = closure(_entries(subject), subject.onward)
    heard = {one.while_ringing for one in subject.spec.extensions.values()}
    heard |= {one.while_ringing for one in subject.spec.groups.values()}
    for kind in (Kind.GROUP, Kind.HOURS, Kind.ANNOUNCEMENT):
        for name in getattr(subject.spec, SECTIONS[kind]):
            if Place(kind, name) not in reached and f"{kind} {name}" not in heard:
                yield Finding(
                    path=(SECTIONS[kind], name),
                    code="unreachable",
                    message=f"no call can reach {kind} {name}",
                    remedy=f"send a number to it (`to: {kind} {name}`), or take it out",
                )


@check_whole
def too_many_steps(subject: Subject) -> Iterator[Finding]:
    """The longest way through the document fits into one decision."""
    steps_of = {place: _steps(subject, place) for place in closure(_entries(subject), subject.onward)}
    for entry in _entries(subject):
        # One more counts the call, where tenant or trunk have a limit.
        steps = 1 + max(sum(steps_of[place] for place in way) for way in _ways_from(subject, entry))
        if steps > MAX_STEPS:
            yield Finding(
                path=_path(entry),
                code="too-many-steps",
                message=f"a call to {entry} could need {steps} steps, {MAX_STEPS} are possible",
                remedy="shorten the chain of forwards, or ring the members of groups together",
            )


@check_whole
def too_many_phones(subject: Subject) -> Iterator[Finding]:
    """The phones that ring together fit into one step."""
    for name, group in subject.spec.groups.items():
        members = build.members(subject.spec, group)
        rings = [frozenset(member.endpoints) for member in members]
        if group.strategy == "simultaneous":
            rings = [frozenset().union(*rings)]
        if any(sum(len(one) + PHONE_BYTES for one in ring) > MAX_RING_BYTES for ring in rings):
            yield Finding(
                path=("groups", name, "members"),
                code="too-many-phones",
                message=f"group {name} rings more phones at once than one step can name",
                remedy="ring one member after the other (`strategy: linear`), or divide the group",
            )


@check
def members_without_time(subject: Subject) -> Iterator[Finding]:
    """A member's delay is waited for, and leaves it time to ring."""
    for name, group in subject.spec.groups.items():
        for index, member in enumerate(group.members):
            path = ("groups", name, "members", index, "delay_s")
            if member.delay_s and group.strategy != "simultaneous":
                yield Finding(
                    path=path,
                    code="delay-without-effect",
                    message=f"members of group {name} ring one after the other: nobody waits for {member}",
                    remedy="take delay_s out, or let all ring together (`strategy: simultaneous`)",
                )
            elif member.delay_s > group.timeout_s - MIN_RING_S and member.delay_s:
                yield Finding(
                    path=path,
                    code="delay-without-effect",
                    message=f"member {member} of group {name} would begin when the group stops",
                    remedy=f"let it begin {MIN_RING_S} s before the group's timeout_s at least",
                )


def _entries(subject: Subject) -> list[Place]:
    """Give the places where a call can begin: what can be dialled, from inside and outside."""
    return [
        *(Place(Kind.NUMBER, number) for number in subject.spec.numbers),
        *(Place(Kind.EXTENSION, number) for number in subject.spec.extensions),
        *(Place(Kind.GROUP, name) for name in subject.group_extensions.values()),
    ]


def _ways_from(subject: Subject, entry: Place) -> Iterator[set[Place]]:
    """Give what a call to an entry can pass; from a number for each of its ways, as a call takes but one."""
    if entry.kind != Kind.NUMBER:
        yield closure([entry], subject.onward)
        return
    yield {entry}
    for place in subject.onward(entry):
        yield closure([place], subject.onward) | {entry}


def _path(place: Place) -> Path:
    return ("numbers" if place.kind == Kind.NUMBER else SECTIONS[Kind(place.kind)], place.name)


def _steps(subject: Subject, place: Place) -> int:
    """Count the steps a place can add: its own, and those in which its rules end a call or let it out."""
    ends = {rule.target for rule in subject.ways.get(place, ()) if subject.place(rule.target) is None}
    if place.kind == Kind.NUMBER:
        return 1  # of all its ways, a call takes one
    return len(ends) + _own_steps(subject, place)


def _own_steps(subject: Subject, place: Place) -> int:
    if place.kind == Kind.GROUP and place.name in subject.spec.groups:
        group = subject.spec.groups[place.name]
        steps = sum(1 for one in _apart(subject.spec, group) if not one.is_outside)
        return steps + 1 + (1 if group.voicemail else 0) + _steps_elsewhere(subject, place)
    if place.kind == Kind.EXTENSION:
        return 2  # its phones, and its mailbox
    return 1


def _apart(spec: TenantSpec, group: GroupSpec) -> Iterator[Member]:
    """Give the members that ring with a step of their own; one outside is also a way, and counted as one."""
    alone = group.strategy != "simultaneous" or group.members_forward == "obey" or group.busy_level
    busy = {number for number, one in spec.extensions.items() if one.busy_level}
    for one in build.members(spec, group):
        if alone or one.is_outside or one.delay_s or one.timeout_s or one.number in busy:
            yield one


def _steps_elsewhere(subject: Subject, group: Place) -> int:
    """Count what joins the steps of members that are reached elsewhere; each rings once at most."""

    def at_once(place: Place) -> Iterator[Place]:
        rules = subject.ways.get(place, ())
        if place.kind == Kind.EXTENSION:
            rules = tuple(rule for rule in rules if rule.path[-1] in {"always", "anonymous"})
        if place.name in subject.spec.groups and place.kind == Kind.GROUP:
            rules = tuple(rule for rule in rules if "members" in rule.path)
            yield from _obeyed(subject.spec.groups[place.name])
        if place.kind != Kind.ANNOUNCEMENT:
            yield from (onward for rule in rules if (onward := subject.place(rule.target)))

    reached = closure(at_once(group), at_once) - {group}
    names = {place.name for place in reached if place.kind == Kind.GROUP}
    groups = (one for name, one in subject.spec.groups.items() if name in names)
    together = (one for one in groups if one.strategy == "simultaneous")
    return sum(1 for one in together for _ in _apart(subject.spec, one))


def _obeyed(group: GroupSpec) -> Iterator[Place]:
    """Give the members whose forwards a group obeys."""
    if group.members_forward == "obey":
        yield from (Place(Kind.EXTENSION, str(one)) for one in group.members)


def _dead_end(path: Path, who: str, what: str) -> Finding:
    return Finding(
        path=path,
        code="dead-end",
        message=f"a call to {who} ends without ringing or recording anything",
        remedy=f"give it {what}",
    )
