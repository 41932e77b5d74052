"""Picking up calls that ring at other phones, on a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from pbxcore.calls import find
from pbxcore.cli import happened
from pbxcore.practice import sipp
from tests.acceptance.conftest import until_heard
from tests.acceptance.crew import LATE, take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dialplan.plan import Plan
    from pbxcore.practice.baresip import Baresip
    from tests.acceptance.conftest import Pbx

    Runs = list[sipp.Run]

BRUNO = "+493055500111"
RINGING = sipp.answering(ring_ms=60_000, start_at="silent")


@contextlib.asynccontextmanager
async def rung(pbx: Pbx, runs: Runs) -> AsyncIterator[tuple[Baresip, sipp.Run]]:
    """Let somebody outside call Bruno, whose phone rings; give the caller and that phone."""
    bruno = pbx.phone("p11")
    await bruno.register()
    runs.append(phone := await bruno.take(RINGING))
    async with pbx.outsider("+4915112345678", tone_hz=440) as caller:
        await caller.call_in(BRUNO)
        await phone.until(method="INVITE")
        yield caller, phone


@pytest.mark.parametrize(("device", "code"), [("p13", "**11"), ("p10", "*8")])
async def test_a_call_is_picked_up(pbx: Pbx, runs: Runs, device: str, code: str) -> None:
    """Both hear each other, the phone that rang is told that another has the call, and both calls end."""
    before = len(pbx.decisions())
    async with rung(pbx, runs) as (caller, phone), pbx.baresip(device, tone_hz=700) as taker:
        await taker.register()
        await taker.command("dial", code)
        await taker.until("CALL_ESTABLISHED")
        await until_heard(taker, 440, 1)
        await until_heard(caller, 700, 1)
        cancel = await phone.until(method="CANCEL")
        await caller.command("hangup")
        await taker.until("CALL_CLOSED")
    assert 'cause=200;text="Call completed elsewhere"' in cancel.header("Reason")
    called, asked = (pbx.decided(dialled=one, since=before)["call"] for one in (BRUNO, code))
    ends = [await asyncio.to_thread(pbx.end_of, call) for call in (called, asked)]
    assert [(end["outcome"], end["by"]) for end in ends] == [("answered", "control")] * 2
    known = find(pbx.settings, asked)
    assert known
    assert {called, asked} <= set(known.linkedids)
    told = [str(line) for _, line in happened.story(known)]
    assert f"the outcome for acme-{device}: answered, decided by control" in told


async def test_who_picks_up_pays_for_what_it_does_then(pbx: Pbx, runs: Runs) -> None:
    """The call sent on outside is the taker's transfer, not of the extension that was called."""
    before = len(pbx.decisions())
    async with rung(pbx, runs) as (caller, _):
        taker = pbx.phone("p13")
        await taker.register()
        runs.append(call := await taker.call("**11", talk_ms=30_000))
        await caller.until("CALL_ESTABLISHED")
        await taker.send_on(call, "06641110047", port=pbx.port())
        asked = await asyncio.to_thread(pbx.decided, dialled="06641110047", since=before)
        await caller.command("hangup")
        await caller.until("CALL_CLOSED")
    facts = asked["facts"]
    assert (facts["origin"], facts["actor"], facts["endpoint"]) == ("transfer", "acme-p13", "trunk-carrier")
    (leg,) = await asyncio.to_thread(pbx.trunk_legs, asked["linkedid"])
    assert (leg["payer"], leg["why"], leg["num"]) == ("acme/13", "transfer", "+496641110047")


async def test_nothing_rings(pbx: Pbx, runs: Runs) -> None:
    """Who would take a call where none rings hears that nobody is there, and the outcome says why."""
    taker = pbx.phone("p13")
    await taker.register()
    before = len(pbx.decisions())
    runs.append(call := await taker.call("**11"))
    assert (await call.until(status=480)).start == "SIP/2.0 480 Temporarily Unavailable"
    end = await asyncio.to_thread(pbx.end_of, pbx.decided(dialled="**11", since=before)["call"])
    assert (end["outcome"], end["reason"]) == ("rejected", "nothing-rings")


async def test_a_call_of_a_group_is_picked_up_from_a_member_with_a_step_of_its_own(
    pbx: Pbx, crew: Plan, runs: Runs
) -> None:
    """A Local channel stands between the caller and that phone; all others of the group stop ringing, too."""
    del crew
    taken = await take(pbx, runs, {"20": RINGING, "21": RINGING})
    before = len(pbx.decisions())
    async with pbx.baresip("p22", tenant="crew", tone_hz=700) as taker:
        await taker.register()
        async with pbx.outsider("+4915112345678", tone_hz=440) as caller:
            await caller.call_in(LATE)
            await taken["21"].until(method="INVITE")
            await taker.command("dial", "**21")
            await until_heard(taker, 440, 1)
            await until_heard(caller, 700, 1)
            for phone in taken.values():
                await phone.until(method="CANCEL")
            await taker.command("hangup")
            await caller.until("CALL_CLOSED")
    called, asked = (pbx.decided(dialled=one, since=before)["call"] for one in (LATE, "**21"))
    ends = [await asyncio.to_thread(pbx.end_of, call) for call in (called, asked)]
    assert [end["outcome"] for end in ends] == ["answered", "answered"]
