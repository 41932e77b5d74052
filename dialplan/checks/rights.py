"""Checks of rights: what they build on is there, lists agree, and special days differ from hours."""

from collections.abc import Iterator

from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path, closest
from dialplan.rights import Reach
from dialplan.spec import RightsSpec, TenantSpec
from dialplan.spelling import REACHES

_REACHES = frozenset(Reach)


@check
def unknown_rights(subject: Subject) -> Iterator[Finding]:
    """Rights that are named stand under `rights`."""
    known = subject.named("rights")
    for path, one in _written(subject.spec):
        if one.to not in _REACHES | known:
            yield Finding(
                path=path,
                code="unknown-rights",
                message=f"there are no rights {one.to}",
                remedy=closest(one.to, known | _REACHES, f"write {REACHES}, or add {one.to} under rights"),
            )


@check
def rights_on_rights(subject: Subject) -> Iterator[Finding]:
    """Rights under `rights` build on none that stand there, and are not called like a reach."""
    for name, one in subject.spec.rights.items():
        if name in _REACHES:
            yield Finding(
                path=("rights", name),
                code="rights-called-reach",
                message=f"{name} already means something where rights are named",
                remedy="choose another name",
            )
        elif one.to not in _REACHES and one.to in subject.spec.rights:
            yield Finding(
                path=("rights", name),
                code="rights-on-rights",
                message=f"rights {name} build on rights {one.to}",
                remedy=f"write {REACHES}; only an extension or a group builds on a name",
            )


@check
def contradicting_lists(subject: Subject) -> Iterator[Finding]:
    """No number is both allowed and blocked."""
    for path, one in _written(subject.spec):
        for index, pattern in enumerate(one.blocked):
            if pattern in one.allowed:
                yield Finding(
                    path=(*path, "blocked", index),
                    code="allowed-and-blocked",
                    message=f"{pattern} is allowed and blocked",
                    remedy="leave it in one of the two lists",
                )


@check
def special_days_of_no_hours(subject: Subject) -> Iterator[Finding]:
    """Holidays and exceptions of rights are exceptions from hours."""
    for path, one in _written(subject.spec):
        if one.open is None and (one.exceptions or one.holidays is not None):
            yield Finding(
                path=path,
                code="no-open",
                message="the rights name special days, but no hours from which these differ",
                remedy='add `open: ["Mon-Fri 08:00-18:00"]`, or take holidays and exceptions out',
            )


def _written(spec: TenantSpec) -> Iterator[tuple[Path, RightsSpec]]:
    """Give all rights of a document and where they stand."""
    for name, named in spec.rights.items():
        yield ("rights", name), named
    for number, extension in spec.extensions.items():
        yield ("extensions", number, "may_call"), extension.may_call
        if extension.may_forward:
            yield ("extensions", number, "may_forward"), extension.may_forward
    for name, group in spec.groups.items():
        yield ("groups", name, "may_call"), group.may_call
