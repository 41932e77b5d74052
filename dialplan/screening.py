"""Callers who are not put through like others: block lists, anonymous callers, numbers that lead elsewhere.

Owns which rule speaks, and in which order. Refuses to carry it out (`dialplan.route`).
"""

from collections.abc import Container
from dataclasses import dataclass

from dialplan.call import Caller
from dialplan.callers import ANONYMOUS, INSIDE, fitting
from dialplan.plan import Extension, Number, Plan, Screen
from dialplan.target import Kind, Target

_REFUSED = Target(Kind.REJECT)


@dataclass(frozen=True, slots=True)
class Screened:
    """A rule about callers that fits: where the call goes, the rule, and what it says."""

    to: Target
    rule: str
    text: str


def pattern_of(patterns: Container[str], caller: Caller, tenant: str) -> str | None:
    """Give the pattern that fits a caller best who calls somebody in a tenant; None: none does."""
    if caller.tenant == tenant:
        return INSIDE if INSIDE in patterns else None
    if caller.hidden or not caller.number:
        return ANONYMOUS if ANONYMOUS in patterns else None
    return fitting(patterns, caller.number)


def at_tenant(plan: Plan, number: Number, caller: Caller) -> Screened | None:
    """Give the rule that speaks when a caller comes in by a number; None: the call goes where all go.

    The tenant's block list comes first; what a number says of anonymous callers before what the tenant says.
    """
    blocked = _blocked(plan.screen, caller, plan.tenant, "")
    if blocked:
        return blocked
    pattern = pattern_of(number.callers, caller, plan.tenant) if number.callers else None
    if pattern:
        to = number.callers[pattern]
        return Screened(to, f"numbers.{number.key}.callers.{pattern}", f"callers {pattern}: {to}")
    return _anonymous(plan.screen, caller, plan.tenant, "")


def at_extension(plan: Plan, extension: Extension, caller: Caller) -> Screened | None:
    """Give the rule that speaks when a caller reaches an extension; None: the extension takes the call."""
    path = f"extensions.{extension.number}."
    screen = extension.screen
    return _blocked(screen, caller, plan.tenant, path) or _anonymous(screen, caller, plan.tenant, path)


def _blocked(screen: Screen, caller: Caller, tenant: str, path: str) -> Screened | None:
    pattern = pattern_of(screen.blocked, caller, tenant) if screen.blocked else None
    return Screened(_REFUSED, f"{path}blocked", f"takes no calls of {pattern}") if pattern else None


def _anonymous(screen: Screen, caller: Caller, tenant: str, path: str) -> Screened | None:
    to = screen.anonymous
    if to is None or pattern_of((ANONYMOUS,), caller, tenant) is None:
        return None
    return Screened(to, f"{path}anonymous", f"a caller without number: {to}")
