"""What must be true of a tenant document so that no call gets lost: no dead end, circle or unknown place.

Owns the checks that need to see more than one value; each is one small function that gives findings, and is
registered where it stands, in the module of its subject. A later feature adds its checks to one of them, or a
module of its own to the imports here.
Refuses the form of single values (`dialplan.spec`) and what needs two documents (`dialplan.compile`).
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from dialplan.checks import (
    calendar,
    entitled,
    limits,
    locations,
    names,
    outside,
    porting,
    rights,
    routes,
    sounds,
    voicemail,
    ways,
)
from dialplan.checks.register import CHECKS, NEEDS_ALL
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path
from dialplan.spec import TenantSpec

SUBJECTS = (
    calendar,
    entitled,
    limits,
    locations,
    names,
    outside,
    porting,
    rights,
    routes,
    sounds,
    voicemail,
    ways,
)  # each registers its checks when it is imported


def check_tenant(  # noqa: PLR0913 — a document, and what this machine knows beside it
    spec: TenantSpec,
    *,
    trunks: tuple[str, ...],
    left_out: frozenset[Path] = frozenset(),
    present: Mapping[str, str] | None = None,
    voices: Collection[str] | None = None,
    at: datetime | None = None,
    unstarted: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Give everything that is wrong with a document, in no more than one pass over it per check.

    Args:
        spec: the document.
        trunks: names of the machine's trunks.
        left_out: entries that had to be left out because their form is wrong.
        present: the tenant's sounds on this machine, and what is wrong with each; None: nobody has looked.
        voices: languages in which this machine can speak a text; None: nobody has looked.
        at: the instant from which on it shall be in force; None: its entitlements are not asked.
        unstarted: trunks that stand in the settings and that the running machine does not know yet.
    """
    subject = Subject(spec, trunks, left_out, present, voices, at, unstarted)
    wanted = [function for function in CHECKS if not (left_out and function in NEEDS_ALL)]
    # Each once: what the tenant says of all its numbers is a rule of each of them.
    return tuple(dict.fromkeys(finding for function in wanted for finding in function(subject)))
