"""Makes Asterisk follow whether phones are registered: what an idle phone shows to who asks for `presence`.

Owns telling it, one phone after the other. Refuses to delay anything: calls, registrations and the lamps of
phones (`dialog`) need none of this.

Problem: Asterisk keeps a phone's state only if it has found the phone in a list of all phones, at its start
or when `pjsip reload qualify endpoint` asks for it. A list of 20,000 takes a minute at the start, and ten
seconds for each phone later, in which nobody registers. So the table of phones refuses to be listed
(`sorcery.conf`). What is listed is a second place, empty but for the milliseconds in which one phone stands
there and Asterisk is asked to look. Looked up by its name, a phone is found in its table first; one that has
just been removed would be found in the second place, which therefore names a password too.
"""

import asyncio
import contextlib
import json
import logging
import sqlite3
import time

from prometheus_client import Counter

from pbxcore import phones
from pbxcore.control.ami import AmiError, AmiRefusedError, Link
from pbxcore.control.patience import Patience
from pbxcore.settings import Settings

LISTED = "listed/endpoint"  # of Asterisk's own database; `sorcery.conf` names the first half
AT_ONCE = 4  # who changes a tenant waits behind them: some milliseconds
PAUSE_S = 0.04  # leaves Asterisk to its calls; 20,000 phones take a few minutes
AGAIN_S = 2.0  # what failed, and what another process left for us, waits so long
STARTED = (
    "CoreStartupDate",
    "CoreStartupTime",
    "CoreReloadDate",
    "CoreReloadTime",
)  # tell one start from another

FAILED = Counter("pbxcore_following_failures_total", "Phones that Asterisk could not be made to follow")

log = logging.getLogger(__name__)


async def follow(settings: Settings, link: Link, changed: asyncio.Event) -> None:
    """Make Asterisk follow every phone that it does not: all after its start, later those that are new."""
    last, patience = "", Patience()
    while True:
        await link.ready.wait()
        changed.clear()
        try:
            last = await _see_start(settings, link, last)
            while await _follow_some(settings, link, patience):
                pass
        except (AmiError, sqlite3.Error) as error:
            log.warning("some phones are not followed yet: %s", error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S):
                await changed.wait()


async def _see_start(settings: Settings, link: Link, last: str) -> str:
    """Notice another Asterisk than before, and clear away what a dead process of ours left in its list.

    After a reload, too, it follows nobody: it has read its list anew, which was empty.
    """
    core = await link.ask("CoreStatus")
    lacking = [name for name in STARTED if not core.get(name)]
    if lacking:
        raise AmiRefusedError(f"CoreStatus: the answer lacks {', '.join(lacking)}")
    started = " ".join(core[name] for name in STARTED)
    if started != last:
        family, _, _ = LISTED.partition("/")
        await link.action("DBDelTree", {"Family": family})  # an Error says that nothing was there
        await asyncio.to_thread(phones.follow_from, settings, started)
    return started


async def _follow_some(settings: Settings, link: Link, patience: Patience) -> bool:
    """Follow some of those that are due; tell whether there were any. What was refused holds up nobody."""
    now = time.monotonic()
    found = await asyncio.to_thread(phones.unfollowed, settings, AT_ONCE + len(patience))
    due = [endpoint for endpoint in found if patience.may(endpoint, now)][:AT_ONCE]
    if not due:
        return False
    answers = await asyncio.gather(*(_follow(link, endpoint) for endpoint in due))
    done = [endpoint for endpoint, is_done in zip(due, answers, strict=True) if is_done]
    await asyncio.to_thread(phones.followed, settings, done)
    for endpoint in done:
        patience.accepted(endpoint)
    for endpoint in set(due).difference(done):
        FAILED.inc()
        log.warning("Asterisk does not follow the registrations of %s", endpoint)
        patience.refused(endpoint, now)
    await asyncio.sleep(PAUSE_S)
    return True


async def _follow(link: Link, endpoint: str) -> bool:
    """List one phone, let Asterisk look, and take it off the list: actions are carried out in their order."""
    where = {"Family": LISTED, "Key": endpoint}
    listed = json.dumps({"aors": endpoint, "auth": endpoint})
    put, looked, _ = await asyncio.gather(
        link.action("DBPut", {**where, "Val": listed}),
        link.action("Command", {"Command": f"pjsip reload qualify endpoint {endpoint}"}),
        link.action("DBDel", where),
    )
    return bool(put.success and looked.success)
