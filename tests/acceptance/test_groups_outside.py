"""Ring groups on a real Asterisk that ring outside, or send calls there: who has the call, who pays."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from dialplan.plan import Plan, Strategy
from pbxcore.practice import sipp, tone
from tests.acceptance.conftest import CLOCKS_S, until_heard
from tests.acceptance.crew import (
    BUSY,
    CALLS,
    CREW,
    MOBILE,
    MOBILE_FIRST,
    OBEYS,
    OUTSIDE,
    PROMPT,
    WITH_21_FIRST,
    WITH_MOBILE,
    Runs,
    another_carrier,
    call_at_once,
    dial_code,
    ended_leg,
    forget,
    publish,
    sent,
    take,
    without_carrier,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.acceptance.conftest import Pbx


@pytest.fixture(autouse=True)
def _restored(pbx: Pbx) -> Iterator[None]:
    """Leave no call to the next test, and no forward that was switched."""
    yield
    pbx.hang_up()
    pbx.clear_switches("crew")


@pytest.mark.parametrize("pressed", ["", "2", "hangs up"])
async def test_a_mailbox_outside_never_takes_the_call(pbx: Pbx, crew: Plan, runs: Runs, pressed: str) -> None:
    """Who answers outside without pressing 1 has no call; the others ring on, and one of them takes it."""
    del crew
    mobile = sipp.answering(ring_ms=0, press=pressed.removesuffix("hangs up"), refer_after_ms=500,
                            talk_ms=700 if pressed == "hangs up" else sipp.LONG_MS)  # fmt: skip
    taken = await take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent"),
                                    "21": sipp.answering(ring_ms=2_500)})  # fmt: skip
    async with another_carrier(pbx, mobile):
        runs.append(caller := await pbx.carrier.call(OUTSIDE, port=pbx.port(), talk_ms=500))
        said = await caller.wait()
        leg = await ended_leg(pbx, OUTSIDE)
    answer = sipp.first(said, "INVITE", status=200).at
    assert answer > sipp.first(taken["21"].messages(), "INVITE", status=200).at
    assert (leg["payer"], leg["why"], leg["num"]) == ("crew/60", "forward", MOBILE)
    assert leg["seconds"] < 7.0, "nobody is asked for long after another phone has answered"


async def test_a_mailbox_outside_takes_none_of_120_calls(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Twenty callers at once for each strategy: it picks up for each of them, and nobody hears it."""
    del crew
    taken = await take(pbx, runs, dict.fromkeys(("20", "21"), BUSY))
    before = len(pbx.decisions())
    async with another_carrier(pbx, sipp.answering(ring_ms=0, talk_ms=500)) as mailbox:
        heard = [await call_at_once(pbx, number) for number in WITH_MOBILE.values()]
        picked_up = [m for m in mailbox.messages() if m.status == 200 and m.method == "INVITE"]
    assert len({m.header("Call-ID") for m in picked_up}) == CALLS * len(Strategy)
    finals = Counter(m.status for said in heard for m in said if m.method == "INVITE" and m.status >= 200)
    assert finals == {486: CALLS * len(Strategy)}
    for run in taken.values():
        assert sent(run, "INVITE") == CALLS * len(Strategy)
    ends = [pbx.end_of(one["call"])["outcome"] for one in pbx.decided_since(before, CALLS * len(Strategy))]
    assert ends == ["rejected"] * CALLS * len(Strategy)


@pytest.mark.parametrize(
    ("number", "to", "payer"),
    [(OUTSIDE, MOBILE, "crew/60"), (OBEYS, MOBILE, "crew/23"), (OBEYS, "60", "crew/60")],
)
async def test_who_presses_1_outside_has_the_call(
    pbx: Pbx, crew: Plan, runs: Runs, *, number: str, to: str, payer: str
) -> None:
    """The caller is answered at the key, not before; the phones stop; who sends it outside pays all of it."""
    del crew
    taken = await take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent")})
    await dial_code(pbx, runs, "p23", f"*72{to}")
    async with another_carrier(pbx, sipp.answering(ring_ms=0, press="1", refer_after_ms=1_000)) as carrier:
        runs.append(caller := await pbx.carrier.call(number, port=pbx.port(), talk_ms=1_000))
        said = await caller.wait()
        leg = await ended_leg(pbx, number)
        pressed = sipp.first(carrier.messages(), "INFO").at
        answered = sipp.first(carrier.messages(), "INVITE", status=200).at
        over = (await carrier.until(method="BYE")).at
    assert sipp.first(said, "INVITE", status=200).at > pressed
    await taken["20"].until(method="CANCEL")
    asked = pbx.decided(dialled=number)
    assert pbx.end_of(asked["call"])["outcome"] == "answered"
    assert (leg["payer"], leg["num"]) == (payer, MOBILE)
    assert leg["seconds"] == pytest.approx(over - answered, abs=CLOCKS_S)


async def test_who_answers_outside_for_a_group_is_counted(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """The number that rings first has answered one call: control hears of it, as of a phone of the group."""
    del crew
    await forget(pbx, but=["crew/20"])
    async with another_carrier(pbx, sipp.answering(ring_ms=0, press="1", refer_after_ms=1_000)):
        runs.append(caller := await pbx.carrier.call(MOBILE_FIRST, port=pbx.port(), talk_ms=500))
        await caller.wait()
        assert pbx.end_of(pbx.decided(dialled=MOBILE_FIRST)["call"])["outcome"] == "answered"
    counted = {"crew/20": 1, f"crew/{MOBILE}": 1}
    await asyncio.to_thread(pbx.until, lambda: _served(pbx) == counted, seen=lambda: _served(pbx))


def _served(pbx: Pbx) -> dict[str, int]:
    """Give how many calls each has answered, as control has written it down, which it does now and then."""
    if not pbx.settings.turns_file.exists():
        return {}
    served = json.loads(pbx.settings.turns_file.read_text())["served"]
    return {payer: one["calls"] for payer, one in served.items()}


async def test_a_302_where_forwards_are_ignored_leads_nowhere(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """A member whose phone answers with a 302 is as one that is busy: the next one rings, no mobile does."""
    del crew
    before = len(pbx.far_end(MOBILE))
    await take(pbx, runs, {"20": sipp.answering(ring_ms=1_000), "21": _deflecting(pbx)})
    runs.append(caller := await pbx.carrier.call(WITH_21_FIRST, port=pbx.port(), talk_ms=500))
    said = await caller.wait()
    assert max(m.status for m in said if m.method == "INVITE") == 200
    asked = pbx.decided(group="crew/first")
    assert asked["decision"]["steps"] == [{"do": "reject", "cause": 21, "reason": "not-allowed"}]
    assert len(pbx.far_end(MOBILE)) == before


@pytest.mark.parametrize("pressed", ["", "1"])
async def test_a_302_where_forwards_are_obeyed_asks_for_a_key(
    pbx: Pbx, crew: Plan, runs: Runs, pressed: str
) -> None:
    """Who answers outside without pressing 1 has no call, and another phone takes it; with it, he has it."""
    del crew
    await take(pbx, runs, {"20": sipp.answering(ring_ms=3_000), "23": _deflecting(pbx)})
    mobile = sipp.answering(ring_ms=0, press=pressed, refer_after_ms=500, talk_ms=sipp.LONG_MS)
    async with another_carrier(pbx, mobile) as carrier:
        runs.append(caller := await pbx.carrier.call(OBEYS, port=pbx.port(), talk_ms=500))
        said = await caller.wait()
        leg = await ended_leg(pbx, OBEYS)
        invite = sipp.first(carrier.messages(), "INVITE")
        answered_outside = sipp.first(carrier.messages(), "INVITE", status=200).at
    answer = sipp.first(said, "INVITE", status=200).at
    assert (leg["payer"], leg["why"], leg["num"]) == ("crew/23", "forward", MOBILE)
    assert answer - answered_outside > (0.4 if pressed else 1.5)
    assert "sip:+4915112345678@" in invite.header("From")


def _deflecting(pbx: Pbx) -> str:
    """Answer every call with a 302 to the mobile."""
    contact = f"Contact: <sip:{MOBILE}@{pbx.server[0]}>\n"
    return sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=contact)


async def test_who_is_called_outside_is_asked_in_the_tenants_language(
    pbx: Pbx, crew: Plan, runs: Runs
) -> None:
    """A mobile of the second stack hears the German words, presses 1 and talks; the phones stop."""
    del crew
    tone.write(pbx.settings.prompts / "de" / "followme" / "options.wav", PROMPT)
    taken = await take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent")})
    async with _german(pbx), without_carrier(pbx), pbx.outsider(MOBILE, called=True) as mobile:
        await mobile.be_called()
        runs.append(caller := await pbx.carrier.call(OUTSIDE, port=pbx.port(), talk_ms=1_000))
        await until_heard(mobile, PROMPT, 1.0)
        await mobile.command("sndcode", "1")
        await caller.until(status=200)
        await taken["20"].until(method="CANCEL")
        await caller.wait()
        await mobile.until("CALL_CLOSED")


@contextlib.asynccontextmanager
async def _german(pbx: Pbx) -> AsyncIterator[None]:
    """Let the tenant speak German inside the block."""
    await asyncio.to_thread(publish, pbx, {**CREW, "language": "de"})
    try:
        yield
    finally:
        await asyncio.to_thread(publish, pbx, CREW)
