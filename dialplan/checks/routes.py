"""Checks of a tenant's trunks: those that it names are on the machine, and each route can be reached."""

from collections.abc import Iterator

from dialplan.checks.register import check, check_whole
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path, closest


@check
def unknown_trunks(subject: Subject) -> Iterator[Finding]:
    """A trunk that is named stands in the machine's settings."""
    if not subject.trunks:
        return  # said once for all
    known = ", ".join(subject.trunks)
    for path, name in _named(subject):
        if name in subject.unstarted:
            yield _unstarted(path, name)
        elif name not in subject.trunks:
            yield Finding(
                path=path,
                code="unknown-trunk",
                message=f"there is no trunk {name}",
                remedy=closest(name, subject.trunks, f"name one of {known}, or add it to service.yaml"),
            )


def _unstarted(path: Path, name: str) -> Finding:
    return Finding(
        path=path,
        code="unstarted-trunk",
        message=f"trunk {name} stands in service.yaml, but the running machine does not know it yet",
        remedy="start the machine again (Ctrl-C, `make run`), then apply",
    )


@check_whole
def routes_without_condition(subject: Subject) -> Iterator[Finding]:
    """A route is for some calls, so that those behind it can be reached."""
    for index, route in enumerate(subject.spec.routes):
        if not (route.numbers or route.countries or route.costly is not None):
            yield Finding(
                path=("routes", index),
                code="route-for-all",
                message="the route holds for every call, and no other behind it",
                remedy="name numbers, countries or costly; the order of all trunks stands under `trunks`",
            )


def _named(subject: Subject) -> Iterator[tuple[Path, str]]:
    for index, name in enumerate(subject.spec.trunks):
        yield ("trunks", index), name
    for at, route in enumerate(subject.spec.routes):
        for index, name in enumerate(route.trunks):
            yield ("routes", at, "trunks", index), name
