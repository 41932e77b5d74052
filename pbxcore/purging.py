"""The machine's own look for messages of removed mailboxes that have been kept long enough (`pbxcore.attic`).

Owns that look, every hour, as a task of `web`. Refuses to look at mailboxes that are there.
"""

import asyncio
import logging
import sqlite3
import time

from pbxcore import phones
from pbxcore.settings import Settings

LOOK_EVERY_S = 3_600.0

log = logging.getLogger(__name__)


async def keep_purged(settings: Settings) -> None:
    """Remove what is old enough, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(phones.purge, settings, int(time.time()))
        except (sqlite3.Error, OSError) as error:
            log.warning("messages of removed mailboxes stay until the next hour: %s", error)
        await asyncio.sleep(LOOK_EVERY_S)
