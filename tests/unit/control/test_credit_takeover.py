"""The rater's socket when another rater takes over: who leaves late takes nothing away."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pbxcore.rater.credit_line import listen

if TYPE_CHECKING:
    from pbxcore.rater.desk import Desk

NOBODYS = cast("Desk", None)  # nobody asks for credit here


async def _second() -> list[dict[str, Any]]:
    return [{"channel": "second", "ends_us": 1}]


async def _first() -> list[dict[str, Any]]:
    return []


async def test_who_took_over_is_still_reached_when_the_one_before_is_gone(short_path: Path) -> None:
    """A rater that was stopped, and goes on when another has its turn, leaves the other's socket alone."""
    path = short_path / "credit.sock"
    async with AsyncExitStack() as before, AsyncExitStack() as after:
        await before.enter_async_context(listen(path, NOBODYS, _first))
        await after.enter_async_context(listen(path, NOBODYS, _second))
        await before.aclose()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"n": 1, "do": "extend"}\n')
        answer = json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
        assert answer == {"n": 1, "calls": await _second()}
    assert not path.exists()
