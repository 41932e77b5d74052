"""Checks of the calendar: the holidays of the region are known."""

from collections.abc import Iterator

from dialplan import public_holidays
from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, closest


@check
def unknown_region(subject: Subject) -> Iterator[Finding]:
    """The holidays of the tenant's region are known."""
    country, region = subject.spec.country, subject.spec.region
    if region and not public_holidays.is_known(country, region):
        known = public_holidays.regions(country)
        choice = f"write one of: {' '.join(known)}" if known else "leave it out"
        yield Finding(
            path=("region",),
            code="unknown-region",
            message=f"no region {region} of {country} with holidays of its own is known",
            remedy=closest(region, known, choice),
        )
