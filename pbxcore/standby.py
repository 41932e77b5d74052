"""The standby: decides when control does not.

Owns a process that has nothing but the published plan files: no PostgreSQL, no AMI, no credit. Refuses to
spend money where the plan does not allow it blindly (`State.blind`).
"""

import asyncio

from dialplan.facts import State
from pbxcore.control.process import Process
from pbxcore.machine.collector import settle
from pbxcore.settings import Settings


async def serve(settings: Settings) -> None:
    """Run the standby until cancelled."""
    process = Process(
        name="standby", settings=settings, state=State(blind=True, longest_call_s=settings.max_call_s)
    )
    process.first = lambda _plans: settle()
    async with process.running(settings.ports.standby_agi):
        await asyncio.Event().wait()
