"""Confirms planned portings by the first call that a trunk brings to the number itself.

Owns the way from such a call to the door. Refuses to hold up a call: the call is decided as ever, the
confirmation follows. What cannot be written down, because the database is away or somebody keeps the door, is
written down by the next such call, or by hand.
"""

import asyncio
import logging
from datetime import UTC, datetime

from prometheus_client import Counter

from dialplan.facts import Facts
from dialplan.porting import Confirmation, confirmation
from dialplan.published import Published
from pbxcore import database, porting, turn
from pbxcore.receipt import UnansweredError
from pbxcore.settings import Settings

WAITING = 100  # portings confirmed within the moment that one takes to be written down
AUTHOR = "first call"
LATER: tuple[type[Exception], ...] = (*database.AWAY, turn.BusyError, UnansweredError)

CONFIRMED = Counter("pbxcore_portings_confirmed_total", "Portings that a call to the number confirmed")
UNCONFIRMED = Counter(
    "pbxcore_portings_unconfirmed_total", "Calls that confirm a porting which could not be written down"
)

log = logging.getLogger(__name__)


class Confirmations:
    """What control has learnt from calls and not yet written down."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: asyncio.Queue[tuple[Confirmation, datetime]] = asyncio.Queue(WAITING)
        self._known: set[str] = set()  # numbers that wait, or are being written down
        self._lost: dict[str, str] = {}  # numbers that are ported though no document says so, and why not

    def notice(self, plans: Published, facts: Facts) -> None:
        """Learn from a question; never waits."""
        one = confirmation(plans, facts)
        if one is None or one.number in self._known:
            return
        try:
            self._waiting.put_nowait((one, datetime.now(UTC)))
        except asyncio.QueueFull:
            self._lose(one, f"{WAITING} other portings are being written down")
            return
        self._known.add(one.number)

    async def run(self) -> None:
        """Write down what calls confirm, one after the other, until cancelled."""
        while True:
            one, at = await self._waiting.get()
            try:
                await self._confirm(one, at)
            finally:
                self._known.discard(one.number)
                self._waiting.task_done()

    async def settled(self) -> None:
        """Wait until all that was learnt so far is written down or given up."""
        await self._waiting.join()

    async def _confirm(self, one: Confirmation, at: datetime) -> None:
        event = porting.Confirmed(at=at, by="call", reference=one.call)
        try:
            applied = await porting.note(self._settings, one.number, event, author=AUTHOR)
        except porting.PortingError as error:
            self._lose(one, str(error))
            return
        except LATER as away:
            self._lose(one, database.why_away(away) if isinstance(away, database.AWAY) else str(away))
            return
        if applied.findings or applied.stale:
            found = "; ".join(located.finding.message for located in applied.findings)
            self._lose(one, found or "others are changing its tenant all the time")
            return
        self._lost.pop(one.number, None)
        if not any(change.changed for change in applied.changes):
            return  # somebody else has written it down meanwhile
        CONFIRMED.inc()
        log.info("%s of tenant %s is ported: a trunk brought a call to it", one.number, one.tenant)

    def _lose(self, one: Confirmation, why: str) -> None:
        """Remember what could not be written down; of too many the oldest are forgotten."""
        UNCONFIRMED.inc()
        self._lost.pop(one.number, None)
        self._lost[one.number] = why
        if len(self._lost) > WAITING:
            del self._lost[next(iter(self._lost))]
        log.warning(
            "%s of tenant %s is ported, as call %s shows, and that cannot be written down: %s; the next call "
            "to it tries again, or `pbxcore porting confirm %s`",
            one.number, one.tenant, one.call, why, one.number,
        )  # fmt: skip

    def unconfirmed(self, plans: Published) -> list[dict[str, str]]:
        """Give numbers that calls have shown to be ported and whose plan does not say so, with the reason."""
        found = ((number, plans.plan_of_number(number), why) for number, why in self._lost.items())
        return [
            {"tenant": plan.tenant, "number": number, "why": why}
            for number, plan, why in found
            if plan and plan.numbers[number].planned_at
        ]
