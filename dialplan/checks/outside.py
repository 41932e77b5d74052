"""Checks of what leaves and enters: numbers, what is shown, who may call how far, and help."""

from collections.abc import Iterator

from dialplan.build import rights
from dialplan.checks.register import check, check_whole
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path, closest
from dialplan.numbers import is_e164
from dialplan.references import Place
from dialplan.rights import UNLIMITED, Rights, ever_covers
from dialplan.spec import NumberSpec, TenantSpec
from dialplan.target import Kind


@check
def numbers_twice(subject: Subject) -> Iterator[Finding]:
    """A number leads to one place."""
    holders: dict[str, str] = {number: number for number in subject.numbers}
    for number, one in subject.numbers.items():
        stands_for = None if subject.stands_for_itself(one) else one.number.stands_for  # that is told once
        if stands_for and holders.setdefault(stands_for, number) != number:
            yield Finding(
                path=("numbers", one.key, "stands_for"),
                code="number-twice",
                message=f"{stands_for} already leads to {holders[stands_for]}",
                remedy="let one number stand for it",
            )


@check
def blocks(subject: Subject) -> Iterator[Finding]:
    """The numbers of a block are telephone numbers, and of one block."""
    sizes = {key: one.ddi for key, one in subject.spec.numbers.items() if one.ddi}
    for key, ddi in sizes.items():
        if not is_e164(key + "0" * ddi):
            yield Finding(
                path=("numbers", key, "ddi"),
                code="block-too-long",
                message=f"{ddi} digits behind {key} are no telephone number",
                remedy="write the block without the digits of its extensions",
            )
        inside = next((one for one in sizes if one != key and one.startswith(key)), None)
        if inside:
            yield Finding(
                path=("numbers", inside),
                code="block-in-block",
                message=f"{inside} begins inside the block {key}",
                remedy="let each number belong to one block",
            )


@check
def foreign_caller_ids(subject: Subject) -> Iterator[Finding]:
    """What is shown outside is ours, or its right of use is recorded."""
    numbers = [one.number for one in subject.numbers.values()]
    recorded = {one.stands_for: _may_be_shown(one) for one in numbers if one.stands_for}
    for path, caller_id in _caller_ids(subject.spec):
        if caller_id in subject.numbers or recorded.get(caller_id):
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
            else closest(caller_id, subject.aliases, "show a number that stands under numbers"),
        )


def _may_be_shown(number: NumberSpec) -> bool:
    """Tell whether the number that another stands for may be shown: by right of use, or as ours."""
    return bool(number.right_of_use or (number.porting and number.porting.confirmed))


@check
def foreign_numbers_of_rules(subject: Subject) -> Iterator[Finding]:
    """A rule about the number that was called names a number of the tenant."""
    if ("numbers",) in {known[:1] for known in subject.left_out}:
        return
    for name, extension in subject.spec.extensions.items():
        for index, rule in enumerate(extension.forward.rules):
            for at, number in enumerate(rule.numbers):
                if number not in subject.aliases:
                    yield Finding(
                        path=("extensions", name, "forward", "rules", index, "numbers", at),
                        code="foreign-number",
                        message=f"no call comes in by {number}: it is no number of this tenant",
                        remedy=closest(number, subject.aliases, "name a number that stands under numbers"),
                    )


@check
def forbidden_forwards(subject: Subject) -> Iterator[Finding]:
    """A rule sends calls outside only as far as its owner may call."""
    for reference in subject.references:
        target = reference.target
        outside = subject.knows_country and target.kind == Kind.NUMBER and target.name not in subject.aliases
        key, rights = _rights(subject, reference.source) if outside else ("", UNLIMITED)
        if not ever_covers(rights, target.name, subject.spec.country):
            yield Finding(
                path=reference.path,
                code="forbidden-forward",
                message=f"{reference.source} forwards to {target.name}, which its {key} covers at no hour",
                remedy=f"widen its {key}, or forward to somewhere it may call",
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
    if all(one.ordered for one in subject.spec.numbers.values()):
        yield Finding(
            path=("numbers",),
            code="no-callback-number",
            message="the tenant has no number yet: emergency calls would present none to call back",
            remedy="add at least one number, a temporary one will do",
        )


def _caller_ids(spec: TenantSpec) -> Iterator[tuple[Path, str]]:
    for number, extension in spec.extensions.items():
        if extension.caller_id:
            yield ("extensions", number, "caller_id"), extension.caller_id
        for index, caller_id in enumerate(extension.caller_ids):
            yield ("extensions", number, "caller_ids", index), caller_id
    for name, group in spec.groups.items():
        if group.caller_id:
            yield ("groups", name, "caller_id"), group.caller_id


def _rights(subject: Subject, source: Place) -> tuple[str, Rights]:
    """Give the key and the rights by which a place forwards."""
    spec, shared = subject.spec, subject.shared_rights
    if source.kind == Kind.EXTENSION:
        extension = spec.extensions[source.name]
        key = "may_forward" if extension.may_forward else "may_call"
        return key, rights(spec, extension.may_forward or extension.may_call, key, shared)
    if source.kind == Kind.GROUP:
        return "may_call", rights(spec, spec.groups[source.name].may_call, "may_call", shared)
    return "", UNLIMITED
