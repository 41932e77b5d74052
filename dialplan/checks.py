"""What must be true of a tenant document so that no call gets lost (DESIGN, law 6 of the dialplan).

Owns the checks that need to see more than one value; each is one small function that gives findings, and is
registered where it stands. A later feature adds its checks here, or registers them from its own module.
Refuses the form of single values (`dialplan.spec`) and what needs two documents (`dialplan.compile`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from dialplan import build, numbers
from dialplan.decision import MAX_STEP_BYTES, MAX_STEPS
from dialplan.finding import Finding, Path
from dialplan.graph import closure, cycles
from dialplan.references import Place, Reference, references
from dialplan.rights import Rights, may_reach
from dialplan.spec import GroupSpec, TenantSpec
from dialplan.target import Kind, Target

MAX_RING_BYTES = MAX_STEP_BYTES - 100  # the rest of a step: timeout, jumps, caller
PHONE_BYTES = len("PJSIP/&")  # what a phone takes in a step besides its name


@dataclass(frozen=True)
class Subject:
    """A document under examination, and what the checks ask it again and again.

    Attributes:
        spec: the document.
        trunks: trunks of the machine.
        left_out: entries that had to be left out because their form is wrong, `("groups", "sales")`. They
            are not missing, and what only they lead to is not unreachable.
    """

    spec: TenantSpec
    trunks: tuple[str, ...]
    left_out: frozenset[Path] = field(default_factory=frozenset)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every rule that sends a call somewhere."""
        return tuple(references(self.spec))

    @cached_property
    def group_extensions(self) -> Mapping[str, str]:
        """Name of the group by its internal number."""
        return {group.extension: name for name, group in self.spec.groups.items() if group.extension}

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """The number of ours behind each number that calls may be made to."""
        stands_for = {one.stands_for: number for number, one in self.spec.numbers.items() if one.stands_for}
        return {**stands_for, **{number: number for number in self.spec.numbers}}

    @cached_property
    def mailboxes(self) -> frozenset[str]:
        """Every box of the tenant."""
        groups = (group.extension for group in self.spec.groups.values() if group.voicemail)
        personal = (number for number, one in self.spec.extensions.items() if one.voicemail)
        return frozenset([*personal, *(box for box in groups if box)])

    @cached_property
    def ways(self) -> Mapping[Place, tuple[Reference, ...]]:
        """The rules of each place that send a call on."""
        found: dict[Place, list[Reference]] = {}
        for reference in self.references:
            found.setdefault(reference.source, []).append(reference)
        return {place: tuple(rules) for place, rules in found.items()}

    def place(self, target: Target) -> Place | None:
        """Give the place within the document that a target leads to; None where the call ends or leaves."""
        if target.kind == Kind.NUMBER:
            number = self.aliases.get(target.name)
            return Place(Kind.NUMBER, number) if number else None
        if target.kind == Kind.EXTENSION and target.name in self.group_extensions:
            return Place(Kind.GROUP, self.group_extensions[target.name])
        return None if target.kind in {Kind.BUSY, Kind.VOICEMAIL} else Place(target.kind, target.name)

    @cached_property
    def places_after(self) -> Mapping[Place, tuple[Place, ...]]:
        """The places that each place sends calls to."""
        after = {place: (self.place(rule.target) for rule in rules) for place, rules in self.ways.items()}
        return {place: tuple(one for one in onward if one) for place, onward in after.items()}

    def onward(self, place: Place) -> tuple[Place, ...]:
        """Give the places that a place sends calls to."""
        return self.places_after.get(place, ())

    def names(self, kind: Kind) -> frozenset[str]:
        """Give all names of a kind, those left out included."""
        section = SECTIONS[kind]
        present = frozenset(getattr(self.spec, section))
        return present | {str(path[1]) for path in self.left_out if len(path) > 1 and path[0] == section}


SECTIONS: Mapping[Kind, str] = {
    Kind.EXTENSION: "extensions",
    Kind.GROUP: "groups",
    Kind.HOURS: "hours",
    Kind.ANNOUNCEMENT: "announcements",
}

Check = Callable[[Subject], Iterator[Finding]]
CHECKS: list[Check] = []  # all of them, in the order in which they report
NEEDS_ALL: set[Check] = set()  # those that would be wrong about a document of which parts were left out


def check(function: Check) -> Check:
    """Register a check."""
    CHECKS.append(function)
    return function


def check_whole(function: Check) -> Check:
    """Register a check that is only right about a document without mistakes of form."""
    NEEDS_ALL.add(function)
    return check(function)


def check_tenant(
    spec: TenantSpec, *, trunks: tuple[str, ...], left_out: frozenset[Path] = frozenset()
) -> tuple[Finding, ...]:
    """Give everything that is wrong with a document, in no more than one pass over it per check."""
    subject = Subject(spec, trunks, left_out)
    wanted = [function for function in CHECKS if not (left_out and function in NEEDS_ALL)]
    return tuple(finding for function in wanted for finding in function(subject))


# --- names -----------------------------------------------------------------------------------------------


@check
def unknown_targets(subject: Subject) -> Iterator[Finding]:
    """A rule sends calls to something that exists."""
    for reference in subject.references:
        kind, name = reference.target.kind, reference.target.name
        if kind in SECTIONS and name not in _reachable_names(subject, kind):
            yield Finding(
                path=reference.path,
                code="unknown-target",
                message=f"there is no {kind} {name}",
                remedy=_closest(name, subject.names(kind), f"add it under {SECTIONS[kind]}"),
            )


@check
def missing_mailboxes(subject: Subject) -> Iterator[Finding]:
    """A rule sends calls to a mailbox that exists."""
    maybe = {
        str(path[1]) for path in subject.left_out if len(path) > 1 and path[0] in {"extensions", "groups"}
    }
    for reference in subject.references:
        box = reference.target.name
        if reference.target.kind == Kind.VOICEMAIL and box not in subject.mailboxes | maybe:
            yield Finding(
                path=reference.path,
                code="no-mailbox",
                message=f"there is no mailbox {box}",
                remedy=_closest(box, subject.mailboxes, f"add `voicemail: {{}}` to extension {box}"),
            )


@check
def missing_members(subject: Subject) -> Iterator[Finding]:
    """A group has only members that exist."""
    known = _reachable_names(subject, Kind.EXTENSION)
    for name, group in subject.spec.groups.items():
        for index, member in enumerate(group.members):
            if member not in known:
                yield Finding(
                    path=("groups", name, "members", index),
                    code="missing-member",
                    message=f"group {name} has member {member}, but there is no such extension",
                    remedy=_closest(member, known, f"add extension {member} or take it out of the group"),
                )


@check
def twice_rung(subject: Subject) -> Iterator[Finding]:
    """A phone belongs to one extension."""
    holders: dict[str, str] = {}
    for number, extension in subject.spec.extensions.items():
        for index, device in enumerate(extension.devices):
            holder = holders.setdefault(device.device, number)
            if holder != number or index != extension.devices.index(device):
                yield Finding(
                    path=("extensions", number, "devices", index),
                    code="device-twice",
                    message=f"phone {device.device} is already a phone of extension {holder}",
                    remedy="let each phone belong to one extension; ring several phones with a group",
                )


@check
def extension_names(subject: Subject) -> Iterator[Finding]:
    """No extension is called like something that is dialled for another reason."""
    for path, number in _internal_numbers(subject.spec):
        if number in numbers.emergency_numbers(subject.spec.country):
            yield _shadows(path, number, "extension-is-emergency", "the emergency number")
        elif numbers.is_harmonised_service(number):
            yield _shadows(path, number, "extension-is-service", "a service number of all Europe")
        elif not number.isdecimal():
            yield _shadows(path, number, "extension-is-code", "a feature code")


@check
def extensions_twice(subject: Subject) -> Iterator[Finding]:
    """An internal number belongs to one extension or group."""
    count = Counter(number for _, number in _internal_numbers(subject.spec))
    for name, group in subject.spec.groups.items():
        if group.extension and count[group.extension] > 1:
            yield Finding(
                path=("groups", name, "extension"),
                code="extension-twice",
                message=f"internal number {group.extension} is given more than once",
                remedy="give the group a number of its own",
            )


# --- numbers ---------------------------------------------------------------------------------------------


@check
def numbers_twice(subject: Subject) -> Iterator[Finding]:
    """A number leads to one place."""
    holders: dict[str, str] = {number: number for number in subject.spec.numbers}
    for number, one in subject.spec.numbers.items():
        if one.stands_for and holders.setdefault(one.stands_for, number) != number:
            yield Finding(
                path=("numbers", number, "stands_for"),
                code="number-twice",
                message=f"{one.stands_for} already leads to {holders[one.stands_for]}",
                remedy="let one number stand for it",
            )


@check
def foreign_caller_ids(subject: Subject) -> Iterator[Finding]:
    """What is shown outside is ours, or its right of use is recorded."""
    recorded = {one.stands_for: one.right_of_use for one in subject.spec.numbers.values() if one.stands_for}
    for path, caller_id in _caller_ids(subject.spec):
        if caller_id in subject.spec.numbers or recorded.get(caller_id):
            continue
        if ("numbers",) in {known[:1] for known in subject.left_out}:
            continue
        known = caller_id in recorded
        yield Finding(
            path=path,
            code="no-right-of-use" if known else "foreign-caller-id",
            message=f"{caller_id} may not be shown: "
            + ("no right of use is recorded" if known else "it is no number of this tenant"),
            remedy=f"record right_of_use at the number that stands for {caller_id}"
            if known
            else _closest(caller_id, subject.aliases, "show a number that stands under numbers"),
        )


@check
def forbidden_forwards(subject: Subject) -> Iterator[Finding]:
    """A rule sends calls outside only as far as its owner may call."""
    for reference in subject.references:
        target, rights = reference.target, _rights(subject.spec, reference.source)
        outside = target.kind == Kind.NUMBER and target.name not in subject.aliases
        if outside and not may_reach(rights, target.name, subject.spec.country):
            yield Finding(
                path=reference.path,
                code="forbidden-forward",
                message=f"{reference.source} may call {_covers(rights)} only and forwards to {target.name}",
                remedy="widen its may_call, or forward to somewhere it may call",
            )


@check_whole
def emergency_unreachable(subject: Subject) -> Iterator[Finding]:
    """Emergency calls leave, and present a number that can be called back."""
    if not subject.trunks:
        yield Finding(
            path=(),
            code="no-trunk",
            message="no trunk is configured: neither emergency nor other calls can leave",
            remedy="name a carrier under trunks in config/service.yaml",
        )
    if not subject.spec.numbers:
        yield Finding(
            path=("numbers",),
            code="no-callback-number",
            message="the tenant has no number: emergency calls would present none that can be called back",
            remedy="add at least one number, a temporary one will do",
        )


# --- ways ------------------------------------------------------------------------------------------------


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
        return (subject.group_extensions[m] for m in groups[name].members if m in subject.group_extensions)

    for circle in cycles(groups, inner):
        members = groups[circle[0]].members
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
        if not extension.devices and not extension.forward.always and not extension.voicemail:
            yield _dead_end(("extensions", number), f"extension {number}", "a device, a mailbox or a forward")
    for name, group in subject.spec.groups.items():
        if not any(build.rounds(subject.spec, group)):
            yield _dead_end(("groups", name, "members"), f"group {name}", "a member that has a phone")


@check_whole
def unreachable(subject: Subject) -> Iterator[Finding]:
    """Everything that stands in the document can be reached by some call."""
    reached = closure(_entries(subject), subject.onward)
    for kind in (Kind.GROUP, Kind.HOURS, Kind.ANNOUNCEMENT):
        for name in getattr(subject.spec, SECTIONS[kind]):
            if Place(kind, name) not in reached:
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
        steps = sum(steps_of[place] for place in closure([entry], subject.onward))
        if steps > MAX_STEPS:
            yield Finding(
                path=_path(entry),
                code="too-many-steps",
                message=f"a call to {entry} could need {steps} steps, {MAX_STEPS} are possible",
                remedy="shorten the chain of forwards, or ring members together instead of in order",
            )


@check_whole
def too_many_phones(subject: Subject) -> Iterator[Finding]:
    """The phones that ring together fit into one step."""
    for name, group in subject.spec.groups.items():
        if any(
            sum(len(one) + PHONE_BYTES for one in ring) > MAX_RING_BYTES
            for ring in build.rounds(subject.spec, group)
        ):
            yield Finding(
                path=("groups", name, "members"),
                code="too-many-phones",
                message=f"group {name} rings more phones at once than one step can name",
                remedy="ring them in order, or divide the group",
            )


# --- words for the checks --------------------------------------------------------------------------------


def _reachable_names(subject: Subject, kind: Kind) -> frozenset[str]:
    """Give the names of a kind; the number of a group is an extension too, even of one that was left out."""
    names = subject.names(kind)
    if kind != Kind.EXTENSION:
        return names
    return names | frozenset(subject.group_extensions)


def _internal_numbers(spec: TenantSpec) -> Iterator[tuple[Path, str]]:
    for number in spec.extensions:
        yield ("extensions", number), number
    for name, group in spec.groups.items():
        if group.extension:
            yield ("groups", name, "extension"), group.extension


def _caller_ids(spec: TenantSpec) -> Iterator[tuple[Path, str]]:
    for number, extension in spec.extensions.items():
        if extension.caller_id:
            yield ("extensions", number, "caller_id"), extension.caller_id
    for name, group in spec.groups.items():
        if group.caller_id:
            yield ("groups", name, "caller_id"), group.caller_id


def _rights(spec: TenantSpec, source: Place) -> Rights:
    owners: Mapping[str, Mapping[str, object]] = {Kind.EXTENSION: spec.extensions, Kind.GROUP: spec.groups}
    owner = owners.get(source.kind, {}).get(source.name)
    return Rights(getattr(owner, "may_call", Rights.ANYWHERE))


def _covers(rights: Rights) -> str:
    return "its own country" if rights == Rights.COUNTRY else "inside"


def _entries(subject: Subject) -> list[Place]:
    """Give the places where a call can begin: what can be dialled, from inside and outside."""
    return [
        *(Place(Kind.NUMBER, number) for number in subject.spec.numbers),
        *(Place(Kind.EXTENSION, number) for number in subject.spec.extensions),
        *(Place(Kind.GROUP, name) for name in subject.group_extensions.values()),
    ]


def _path(place: Place) -> Path:
    return ("numbers" if place.kind == Kind.NUMBER else SECTIONS[Kind(place.kind)], place.name)


def _steps(subject: Subject, place: Place) -> int:
    """Count the steps a place can add: its own, and those in which its rules end a call or let it out."""
    ends = {rule.target for rule in subject.ways.get(place, ()) if subject.place(rule.target) is None}
    return len(ends) + _own_steps(subject.spec, place)


def _own_steps(spec: TenantSpec, place: Place) -> int:
    if place.kind == Kind.GROUP and place.name in spec.groups:
        group: GroupSpec = spec.groups[place.name]
        return len(build.rounds(spec, group)) + (1 if group.voicemail else 0)
    if place.kind == Kind.EXTENSION:
        return 2  # its phones, and its mailbox
    return 1


def _dead_end(path: Path, who: str, what: str) -> Finding:
    return Finding(
        path=path,
        code="dead-end",
        message=f"a call to {who} ends without ringing or recording anything",
        remedy=f"give it {what}",
    )


def _shadows(path: Path, number: str, code: str, what: str) -> Finding:
    return Finding(
        path=path,
        code=code,
        message=f"{number} cannot be an internal number: it is {what}"
        if code != "extension-is-code"
        else f"{number} cannot be an internal number: * and # begin {what}",
        remedy="choose another internal number, of digits only",
    )


def _closest(name: str, known: Mapping[str, object] | frozenset[str], otherwise: str) -> str:
    match = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {match[0]}? Otherwise {otherwise}" if match else otherwise
