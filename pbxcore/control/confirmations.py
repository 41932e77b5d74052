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

    def notice(self, plans: Published, facts: Facts) -> None:
        """Learn from a question; never waits."""
        one = confirmation(plans, facts)
        if one is None or one.number in self._known:
            return
        try:
            self._waiting.put_nowait((one, datetime.now(UTC)))
        except asyncio.QueueFull:
            UNCONFIRMED.inc()
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
            _unconfirmed(one, error)
            return
        except LATER as away:
            _unconfirmed(one, away)
            return
        if applied.findings or applied.stale:
            _unconfirmed(one, applied)
            return
        CONFIRMED.inc()
        log.info("%s of tenant %s is ported: a trunk brought a call to it", one.number, one.tenant)


def _unconfirmed(one: Confirmation, why: object) -> None:
    UNCONFIRMED.inc()
    log.warning("a call confirms the porting of %s, which is not written down: %s", one.number, why)
