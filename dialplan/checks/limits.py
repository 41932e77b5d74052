"""Checks of limits, and of groups as members: each holds wherever its extension is rung."""

from collections.abc import Iterator

from dialplan import build
from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path
from dialplan.spec import ExtensionSpec


@check
def limits_without_effect(subject: Subject) -> Iterator[Finding]:
    """A part of the calls has no higher limit than all of them."""
    spec = subject.spec
    for key in ("max_inbound", "max_outbound"):
        yield from _beyond((key,), getattr(spec, key), "max_calls", spec.max_calls)
    lines = [(key, most) for key in ("max_outbound", "max_calls") if (most := getattr(spec, key))]
    key, most = min(lines, key=lambda one: one[1]) if lines else ("", None)
    for number, extension in spec.extensions.items():
        yield from _beyond(("extensions", number, "max_outbound"), extension.max_outbound, key, most)


@check
def levels_within_members(subject: Subject) -> Iterator[Finding]:
    """A group that is a member has no extension that is busy at a level of its own.

    Its phones ring and are counted as one member's: the level would hold for none of them alone.
    """
    spec = subject.spec
    for name, group in spec.groups.items():
        for index, member in enumerate(map(str, group.members)):
            inside = () if member in spec.extensions else build.extensions_of(spec, member)
            counted = [number for number in inside if spec.extensions[number].busy_level]
            if counted:
                yield Finding(
                    path=("groups", name, "members", index),
                    code="level-within-member",
                    message=f"member {member} rings as one: the busy_level of {counted[0]} cannot hold",
                    remedy=f"name the extensions of group {member} as members of {name}, one by one",
                )


@check
def ways_within_members(subject: Subject) -> Iterator[Finding]:
    """A group that is a member has nobody outside, nor, where forwards are obeyed, who forwards every call.

    It is phones that ring for a member: a number behind it would never ring, and a forward never count.
    """
    spec = subject.spec
    for name, group in spec.groups.items():
        direct = frozenset(map(str, group.members))
        for index, member in enumerate(map(str, group.members)):
            path = ("groups", name, "members", index)
            inside = () if member in spec.extensions else build.members_behind(spec, member)
            for number in (one for one in inside if one.startswith("+") and one not in direct):
                yield Finding(
                    path=path,
                    code="outside-within-member",
                    message=f"member {member} rings as one: its {number} outside would never ring",
                    remedy=f'add {{number: "{number}"}} to the members of {name}',
                )
            forwarding = [one for one in inside if one in spec.extensions and _forwards(spec.extensions[one])]
            if forwarding and group.members_forward == "obey":
                yield Finding(
                    path=path,
                    code="forward-within-member",
                    message=f"member {member} rings as one: {forwarding[0]}'s forward would not count",
                    remedy=f"name the extensions of group {member} as members of {name}, one by one",
                )


def _forwards(extension: ExtensionSpec) -> bool:
    return bool(extension.forward.always or any(rule.always for rule in extension.forward.rules))


def _beyond(path: Path, most: int | None, other: str, others: int | None) -> Iterator[Finding]:
    if most and others and most > others:
        yield Finding(
            path=path,
            code="limit-without-effect",
            message=f"{most} calls are never reached: the tenant's {other} is {others}",
            remedy=f"lower it to {others} or less, raise {other}, or leave it out",
        )
