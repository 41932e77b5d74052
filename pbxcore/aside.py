"""Work beside the loop: a thread computes while the loop goes on to hear and to send.

Owns the hand-over: who is cancelled leaves only when the work has ended, so that nobody else meets what it
works on. Refuses to share: what a thread works on is the caller's to keep from others meanwhile.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

# Seconds until a thread that computes lets another one in. The loop asks some twenty times a batch: with
# Python's own 5 ms it would wait longer than PostgreSQL takes for all of it.
SWITCH_S = 0.0005

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def switch_soon() -> None:
    """Let the loop in soon: to be called once in a process whose threads compute for long."""
    sys.setswitchinterval(SWITCH_S)


async def aside(
    work: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Result:
    """Do something in a thread: parts of a second at most, for it cannot be interrupted."""
    task = asyncio.create_task(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(task)
    finally:
        if not task.done():
            await asyncio.wait([task])
