"""The list of all checks.

Owns their order, and which of them a document with mistakes of form is spared.
"""

from collections.abc import Callable, Iterator

from dialplan.checks.subject import Subject
from dialplan.finding import Finding

Check = Callable[[Subject], Iterator[Finding]]
CHECKS: list[Check] = []  # all of them, in the order in which they report
NEEDS_ALL: set[Check] = set()  # those that would be wrong about a document of which parts were left out


def check(function: Check) -> Check:
    """Register a check."""
    CHECKS.append(function)
    return function


def check_whole(function: Check) -> Check:
    """Register a check that is only right about a document without mistakes of form."""
    NEEDS_ALL.add(function)
    return check(function)
