"""Checks of limits: each one can be reached, for another that is lower stands before it."""

from collections.abc import Iterator

from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path


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


def _beyond(path: Path, most: int | None, other: str, others: int | None) -> Iterator[Finding]:
    if most and others and most > others:
        yield Finding(
            path=path,
            code="limit-without-effect",
            message=f"{most} calls are never reached: the tenant's {other} is {others}",
            remedy=f"lower it to {others} or less, raise {other}, or leave it out",
        )
