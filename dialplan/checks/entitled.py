"""Checks of entitlements: the timeline is one, and the document uses nothing that it will not get.

A feature that is withheld today and granted later may stand in a document: it waits. Extensions and devices
do not: no call is refused for them, so as many count as are granted today. What is granted today and withheld
later may stay, too: whoever ends it asks for the list with the instant of the end (`pbxcore check --at`).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dialplan.build import timeline
from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.entitlement import Feature, Timeline, from_now_on, instant
from dialplan.finding import Finding, Path
from dialplan.outline import TenantOutline
from dialplan.spec import TenantSpec


@check
def entitlements_in_order(subject: Subject) -> Iterator[Finding]:
    """Each entry of the timeline begins after the one before it."""
    zone = ZoneInfo(subject.spec.time_zone)
    instants = [instant(entry.since, zone) for entry in subject.spec.entitlements]
    for index in range(1, len(instants)):
        if instants[index] <= instants[index - 1]:
            yield Finding(
                path=("entitlements", index, "since"),
                code="entitlements-order",
                message=f"{subject.spec.entitlements[index].since} is not after the entry before",
                remedy="put the entries in the order in which they begin, each at a time of its own",
            )


@check
def uses_what_it_may(subject: Subject) -> Iterator[Finding]:
    """The document uses no feature that is withheld from now on."""
    for path, feature in ungranted(subject):
        yield Finding(
            path=path,
            code="not-entitled",
            message=f"the tenant is not entitled to {feature}",
            remedy=f"take it out, or order what includes {feature}",
        )


@check
def has_as_many_as_it_may(subject: Subject) -> Iterator[Finding]:
    """The document has no more extensions and devices than are granted now."""
    coming, spec = _coming(subject), subject.spec
    extensions: list[Path] = [("extensions", number) for number in spec.extensions]
    devices: list[Path] = [
        ("extensions", number, "devices", index)
        for number, extension in spec.extensions.items()
        for index in range(len(extension.devices))
    ]
    yield from _too_many("extensions", extensions, [(entry.since, entry.extensions) for entry in coming])
    yield from _too_many("devices", devices, [(entry.since, entry.devices) for entry in coming])


def ungranted(subject: Subject) -> Iterator[tuple[Path, Feature]]:
    """Give every place of a document that uses a feature which is withheld from now on."""
    coming = _coming(subject)
    granted = {feature for entry in coming for feature in entry.features}
    return ((path, feature) for path, feature in uses(subject.spec) if coming and feature not in granted)


def uses(spec: TenantSpec | TenantOutline) -> Iterator[tuple[Path, Feature]]:
    """Give every place of a document that uses a feature."""
    yield from ((("groups", name), Feature.GROUPS) for name in spec.groups)
    yield from ((("hours", name), Feature.HOURS) for name in spec.hours)
    yield from ((("announcements", name), Feature.ANNOUNCEMENTS) for name in spec.announcements)
    for section, owners in (("extensions", spec.extensions), ("groups", spec.groups)):
        for name, owner in owners.items():
            if owner.voicemail:
                yield (section, name, "voicemail"), Feature.VOICEMAIL


def _too_many(
    what: str, paths: Sequence[Path], limits: Sequence[tuple[datetime, int | None]]
) -> Iterator[Finding]:
    """Compare with what is granted now; what begins later is told, with its instant."""
    most = limits[0][1] if limits else None
    if most is None or len(paths) <= most:
        return
    later = next((since for since, limit in limits[1:] if limit is None or limit >= len(paths)), None)
    until = f" until {later:%Y-%m-%d %H:%M} UTC" if later is not None else ""
    yield Finding(
        path=paths[most],
        code=f"too-many-{what}" if later is None else f"{what}-not-yet",
        message=f"the tenant has {len(paths)} {what} and is entitled to {most}{until}",
        remedy=f"take out {len(paths) - most}" + (", or order more" if later is None else " until then"),
    )


def _coming(subject: Subject) -> Timeline:
    """Give the entitlements of the instant that was asked for and later; none where nobody asked."""
    return from_now_on(timeline(subject.spec), subject.at) if subject.at else ()
