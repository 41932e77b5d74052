"""Checks of where phones stand: each location that is named is there."""

from collections.abc import Iterator

from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path, closest
from dialplan.spec import TenantSpec


@check
def unknown_location(subject: Subject) -> Iterator[Finding]:
    """Who says where a phone stands names a location that exists: an emergency centre is told it."""
    known = subject.named("locations")
    for path, name in _named(subject.spec):
        if name not in known:
            yield Finding(
                path=path,
                code="unknown-location",
                message=f"there is no location {name}",
                remedy=closest(name, known, "add it under locations"),
            )


def _named(spec: TenantSpec) -> Iterator[tuple[Path, str]]:
    if spec.location:
        yield ("location",), spec.location
    for number, extension in spec.extensions.items():
        if extension.location:
            yield ("extensions", number, "location"), extension.location
        for index, device in enumerate(extension.devices):
            if device.location:
                yield ("extensions", number, "devices", index, "location"), device.location
