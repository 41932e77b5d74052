"""Checks of names: what a rule names is there, and each name means one thing."""

from collections import Counter
from collections.abc import Iterator

from dialplan import numbers
from dialplan.checks.register import check
from dialplan.checks.subject import SECTIONS, Subject
from dialplan.finding import Finding, Path, closest
from dialplan.spec import TenantSpec
from dialplan.target import Kind


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
                remedy=closest(name, subject.names(kind), f"add it under {SECTIONS[kind]}"),
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
            group = box if box in subject.spec.groups else subject.group_extensions.get(box)
            yield (
                _of_group(subject, reference.path, box, group)
                if group
                else Finding(
                    path=reference.path,
                    code="no-mailbox",
                    message=f"there is no mailbox {box}",
                    remedy=closest(box, subject.mailboxes, f"add `voicemail: {{}}` to extension {box}"),
                )
            )


def _of_group(subject: Subject, path: Path, box: str, group: str) -> Finding:
    """Say that a mailbox would be a group's, where that is written, and that its number names it."""
    spec = subject.spec.groups[group]
    write = f"write `voicemail {spec.extension}`" if spec.extension else "write `voicemail` with that number"
    add = "" if spec.voicemail else f"add `voicemail: {{}}` to group {group}"
    if not spec.extension:
        add = f"give group {group} an `extension:`" + ("" if spec.voicemail else " and `voicemail: {}`")
    steps = (add, "" if box == spec.extension else write)
    return Finding(
        path=path,
        code="no-mailbox",
        message=f"there is no mailbox {box}: {box} is {'a group' if box == group else f'group {group}'}",
        remedy=", and ".join(filter(None, steps)),
    )


@check
def missing_members(subject: Subject) -> Iterator[Finding]:
    """A group has only members that exist."""
    known = _reachable_names(subject, Kind.EXTENSION)
    for name, group in subject.spec.groups.items():
        for index, member in enumerate(str(one) for one in group.members):
            if not member.startswith("+") and member not in known:
                yield Finding(
                    path=("groups", name, "members", index),
                    code="missing-member",
                    message=f"group {name} has member {member}, but there is no such extension",
                    remedy=closest(member, known, f"add extension {member} or take it out of the group"),
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
        if subject.knows_country and number in numbers.emergency_numbers(subject.spec.country):
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


def _shadows(path: Path, number: str, code: str, what: str) -> Finding:
    return Finding(
        path=path,
        code=code,
        message=f"{number} cannot be an internal number: it is {what}"
        if code != "extension-is-code"
        else f"{number} cannot be an internal number: * and # begin {what}",
        remedy="choose another internal number, of digits only",
    )
