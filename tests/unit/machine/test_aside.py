"""Work in a thread beside the loop: what comes of it, and that nobody leaves it behind."""

import asyncio
from threading import Event

import pytest

from pbxcore.aside import aside

LIMIT_S = 60


async def test_a_mistake_of_the_thread_is_the_callers() -> None:
    """What the work raises is raised where it was asked for; else its result comes back."""
    with pytest.raises(ZeroDivisionError):
        await aside(divmod, 1, 0)
    assert await aside(divmod, 7, 2) == (3, 1)


async def test_who_is_cancelled_leaves_when_the_work_has_ended() -> None:
    """Whoever begins anew afterwards meets no thread on what it takes up."""
    begun, may_end, left = Event(), Event(), []

    def work() -> None:
        begun.set()
        may_end.wait(LIMIT_S)
        left.append("thread")

    async def ask() -> None:
        try:
            await aside(work)
        finally:
            left.append("caller")

    asking = asyncio.create_task(ask())
    await asyncio.to_thread(begun.wait, LIMIT_S)
    asking.cancel()
    await asyncio.sleep(0)  # it hears of it
    assert not left
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert left == ["thread", "caller"]
