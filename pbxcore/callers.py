"""What a tenant's change means for callers, beside the lines that it changes.

Owns the way from documents, stored or not, to the calls that go another way (`dialplan.difference`). Refuses
to say which of two changes is right.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from dialplan.build import build_plan
from dialplan.difference import Changed, Held, difference, held
from dialplan.finding import DialplanError
from dialplan.plan import Plan
from dialplan.published import Published
from dialplan.spec import TenantSpec
from pbxcore import published, revisions
from pbxcore.database import Connection
from pbxcore.revisions import Revision
from pbxcore.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """Calls that go another way, and extensions that put on hold to other music; false if there are none."""

    calls: tuple[Changed, ...]
    holds: tuple[Held, ...]

    def __bool__(self) -> bool:
        return bool(self.calls or self.holds)


NO_CONSEQUENCES = Consequences(calls=(), holds=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What each of two changes from one revision means for callers.

    Attributes:
        theirs: of the revisions that came after it; nothing where it never was.
        yours: of the one that is refused; where there is no such revision, beside what is in force.
    """

    theirs: Consequences
    yours: Consequences


def consequences(there: Published, before: Plan | None, after: Plan | None, now: datetime) -> Consequences:
    """Compare two plans of a tenant in the company of the plans in force.

    A number that both had may belong to another tenant today: then they are compared by themselves.
    """
    try:
        calls = difference(there, before, after, now)
    except DialplanError:
        calls = difference(Published(carriers=there.carriers), before, after, now)
    return Consequences(calls=calls, holds=held(before, after) if after else ())


async def both_sides(  # noqa: PLR0913 — a document, its two revisions and an instant
    settings: Settings, connection: Connection, yours: TenantSpec, *, base: int, current: int, now: datetime
) -> Sides | None:
    """Say what others changed for callers since a base, and what a refused document changes from it.

    Returns:
        None if this version of the program cannot read a stored revision.
    """
    trunks = tuple(trunk.name for trunk in settings.trunks)
    try:
        origin = await revisions.revision(connection, "tenant", yours.tenant, base)
        stored = await revisions.revision(connection, "tenant", yours.tenant, current)
        began, stands = _plan(origin, trunks), _plan(stored, trunks)
        # What a contract has changed since then is no change of the document, so it is not yours.
        refused = build_plan(revisions.entitled(yours, origin or stored), revision=0, trunks=trunks)
    except (ValueError, DialplanError):
        return None
    there = await asyncio.to_thread(published.load, settings.published)
    theirs = consequences(there, began, stands, now) if base < current else NO_CONSEQUENCES
    return Sides(theirs=theirs, yours=consequences(there, began or stands, refused, now))


def _plan(stored: Revision | None, trunks: tuple[str, ...]) -> Plan | None:
    """Build the plan of a stored revision; None where there is none."""
    return build_plan(stored.tenant, revision=stored.revision, trunks=trunks) if stored else None
