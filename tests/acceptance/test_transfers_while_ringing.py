"""Transfers on a real Asterisk while the target rings (REFER with Replaces): how both calls end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pbxcore.practice import sipp

if TYPE_CHECKING:
    from tests.acceptance.conftest import Pbx

BRUNO = "+493055500111"


@pytest.mark.parametrize("ended_by", ["target", "caller"])
async def test_who_was_answered_and_is_sent_to_a_ringing_phone_in_vain(
    pbx: Pbx, runs: list[sipp.Run], ended_by: str
) -> None:
    """The caller's call was answered, whoever ends it then; the one by which the target rang was not."""
    bruno, again = pbx.phone("p11"), pbx.phone("p11")
    await bruno.register()
    before = len(pbx.decisions())
    async with pbx.outsider("+4915112345678") as caller, pbx.baresip("p13") as doris:
        await doris.register()
        runs.append(taken := await bruno.take(sipp.answering(ring_ms=0)))
        await caller.call_in(BRUNO)
        await caller.until("CALL_ESTABLISHED")
        runs.append(asked := await again.call("13"))
        await asked.until(status=sipp.RINGING)
        await bruno.transfer(taken, asked, port=pbx.port())
        await (doris if ended_by == "target" else caller).command("hangup")
        await caller.until("CALL_CLOSED")
        ends = [
            await asyncio.to_thread(pbx.end_of, pbx.decided(dialled=dialled, since=before)["call"])
            for dialled in (BRUNO, "13")
        ]
    assert [(end["outcome"], end["reason"]) for end in ends] == [("answered", ""), ("abandoned", "")]
