"""The control process: decides calls and keeps Asterisk up to date.

Owns what only control has: the AMI link and what is done over it. Refuses to wait for Asterisk in a decision.
"""

import asyncio
import logging
from typing import Any

from dialplan.facts import State
from pbxcore import phones
from pbxcore.control.ami import AmiError, Link
from pbxcore.control.process import Process
from pbxcore.machine.asterisk import AMI_USER, ami_secret
from pbxcore.settings import Settings

EXPIRE_AT_ONCE = 50  # actions under way; far below the link's own limit

log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run control until cancelled."""
    process = Process(name="control", settings=settings, state=State(longest_call_s=settings.max_call_s))
    secret = await asyncio.to_thread(ami_secret, settings)

    async def catch_up(link: Link) -> None:
        await expire(settings, link)

    link = Link(host="127.0.0.1", port=settings.ports.ami, user=AMI_USER, secret=secret, on_ready=catch_up)

    async def after_reload() -> dict[str, Any]:
        return {"asterisk": await _expire_if_up(settings, link)}

    process.after_reload = after_reload
    process.also = lambda: {"asterisk": "up" if link.ready.is_set() else "down"}
    async with process.running(settings.ports.agi) as tasks:
        held = [tasks.create_task(link.run(), name="ami"), tasks.create_task(_drain(link), name="ami-events")]
        try:
            await asyncio.Event().wait()
        finally:
            for task in held:
                task.cancel()


async def expire(settings: Settings, link: Link) -> int:
    """Make Asterisk forget every phone that changed since it last confirmed; return how many.

    Raises:
        AmiError: it did not confirm; what is left is expired after the next login.
    """
    changed = await asyncio.to_thread(phones.to_expire, settings)
    for first in range(0, len(changed), EXPIRE_AT_ONCE):
        batch = changed[first : first + EXPIRE_AT_ONCE]
        # An Error answer says that the object is not cached, which is what we want.
        await asyncio.gather(*(
            link.action("SorceryMemoryCacheExpireObject",
                        {"Cache": f"res_pjsip/{change.kind}", "Object": change.id})
            for change in batch
        ))  # fmt: skip
        await asyncio.to_thread(phones.expired, settings, batch)
    return len(changed)


async def _expire_if_up(settings: Settings, link: Link) -> str:
    if not link.ready.is_set():
        return "down: the change is in force when it is back"
    try:
        await expire(settings, link)
    except AmiError as error:
        log.warning("Asterisk did not confirm a change of phones: %s", error)
        return f"late: {error}"
    return "done"


async def _drain(link: Link) -> None:
    """Take events off the link; live state is built from them later."""
    while True:
        await link.events.get()
