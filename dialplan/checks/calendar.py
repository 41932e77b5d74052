"""Checks of time rules: the holidays of the region are known, and who switches a rule by phone can."""

from collections.abc import Iterator

from dialplan import public_holidays
from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, closest
from dialplan.target import Kind


@check
def unknown_region(subject: Subject) -> Iterator[Finding]:
    """The holidays of the tenant's region are known."""
    country, region = subject.spec.country, subject.spec.region
    if region and subject.knows_country and not public_holidays.is_known(country, region):
        known = public_holidays.regions(country)
        choice = f"write one of: {' '.join(known)}" if known else "leave it out"
        yield Finding(
            path=("region",),
            code="unknown-region",
            message=f"no region {region} of {country} with holidays of its own is known",
            remedy=closest(region, known, choice),
        )


@check
def hours_codes_twice(subject: Subject) -> Iterator[Finding]:
    """A code names one time rule."""
    holders: dict[str, str] = {}
    for name, rule in subject.spec.hours.items():
        if rule.switch and holders.setdefault(rule.switch.code, name) != name:
            yield Finding(
                path=("hours", name, "switch", "code"),
                code="hours-code-twice",
                message=f"code {rule.switch.code} already names hours {holders[rule.switch.code]}",
                remedy="give each time rule a code of its own",
            )


@check
def unknown_switchers(subject: Subject) -> Iterator[Finding]:
    """Who may switch a time rule is an extension of the tenant."""
    known = subject.names(Kind.EXTENSION)
    for name, rule in subject.spec.hours.items():
        for index, extension in enumerate(rule.switch.by if rule.switch else ()):
            if extension not in known:
                yield Finding(
                    path=("hours", name, "switch", "by", index),
                    code="unknown-switcher",
                    message=f"extension {extension} may switch hours {name}, but there is none",
                    remedy=closest(extension, known, f"add extension {extension} or take it out"),
                )
