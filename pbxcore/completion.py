"""The machine's own look for what is stored and not in force, because whoever published it died.

Owns that look, every second, as a task of `web`: in the database for what nobody has begun to publish, and on
the disk for what somebody had laid down and not yet put in force, which needs no database. Refuses to store
anything and to give up.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterable

from dialplan.finding import DialplanError
from pbxcore import database, leavings, metrics, publication
from pbxcore.database import Connection
from pbxcore.published import UnpublishedError
from pbxcore.settings import Settings

LOOK_S = 1.0
CLEAR_AGAIN_S = 10.0  # what could not be cleared: each try asks all processes to take the plans once more,
LONGEST_AGAIN_S = 300.0  # so the next one waits twice as long, up to this
IN_VAIN_S = 60.0  # until the next look when one could not help: a document that this program cannot read

log = logging.getLogger(__name__)


class UnheardError(Exception):
    """Somebody may decide by the plans before still, so what is switched in them stays."""

    def __init__(self, unheard: Iterable[publication.Acknowledgement]) -> None:
        who = " and ".join(f"{one.process} ({one.detail})" for one in unheard)
        super().__init__(f"what is switched of what is gone stays until the plans are taken by {who}")


UNFINISHED: tuple[type[Exception], ...] = (
    OSError,
    sqlite3.Error,
    UnpublishedError,
    DialplanError,
    UnheardError,
)


async def keep_complete(settings: Settings) -> None:
    """Complete publications that were cut off, until cancelled; one look never waits for the other."""
    async with asyncio.TaskGroup() as looks:
        looks.create_task(_keep_finished(settings), name="completion-by-files")
        looks.create_task(_keep_equal(settings), name="completion-by-database")


async def _keep_finished(settings: Settings) -> None:
    told, clear_at, again_s = "", 0.0, CLEAR_AGAIN_S
    while True:
        clearing = time.monotonic() >= clear_at
        try:
            await _finish(settings, clearing=clearing)
        except UNFINISHED as error:
            if str(error) != told:
                told = str(error)
                log.warning("a publication that was cut off cannot be finished now: %s", error)
        else:
            told = "" if clearing else told  # all is done, so the same is news when it comes again
        if clearing and leavings.is_owed(settings):
            clear_at, again_s = time.monotonic() + again_s, min(2 * again_s, LONGEST_AGAIN_S)
        elif clearing:
            again_s = CLEAR_AGAIN_S
        await asyncio.sleep(LOOK_S)


async def _finish(settings: Settings, *, clearing: bool = True) -> None:
    """Put in force what lies ready, say so to those who decide, then clear what is left of what is gone.

    Raises:
        UNFINISHED: the rest is to be done again.
    """
    tenants = await asyncio.to_thread(publication.finish, settings)
    owed = clearing and leavings.is_owed(settings)  # by who died over it, perhaps before saying anything
    said = await publication.announce(settings.run_dir) if tenants or owed else ()
    for tenant in tenants:
        metrics.publications_completed().inc()
        log.info("completed: what was laid down for %s is in force", tenant)
    if owed:
        if unheard := publication.unheard(said):
            raise UnheardError(unheard)
        await asyncio.to_thread(publication.clear_leavings, settings)


async def _keep_equal(settings: Settings) -> None:
    told = ""
    while True:
        try:
            await _look_again_and_again(settings)
        except publication.PUT_OFF as error:
            if str(error) != told:
                told = str(error)
                log.warning("what is stored cannot be published now, it is tried again: %s", error)
        await asyncio.sleep(LOOK_S)


async def _look_again_and_again(settings: Settings) -> None:
    connection = await database.connect(database.url_of(settings), application="pbxcore completion")
    try:
        while True:
            helped = await publication.is_complete(settings, connection) or await _complete(
                settings, connection
            )
            await asyncio.sleep(LOOK_S if helped else IN_VAIN_S)
    finally:
        connection.terminate()  # a goodbye to a server that does not answer has no limit


async def _complete(settings: Settings, connection: Connection) -> bool:
    """Publish what is late; usually it was only under way, and there is nothing left to do."""
    for one in await publication.catch_up(settings, connection):
        metrics.publications_completed().inc()
        how = "out of force" if one.removed else "in force"
        log.info("completed: %s is %s in revision %d", one.tenant, how, one.revision)
    return await publication.is_complete(settings, connection)
