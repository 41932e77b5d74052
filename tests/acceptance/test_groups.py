"""Ring groups on a real Asterisk: who rings, in which order, when twenty callers come at once."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import pytest

from dialplan.call import drawn
from dialplan.facts import State
from dialplan.hunt import in_turn
from dialplan.plan import Plan, Strategy
from pbxcore.practice import sipp
from tests.acceptance.crew import (
    BUSY,
    CALLS,
    LATE,
    MEMBERS,
    MOBILE,
    NUMBERS,
    OFFICE,
    Runs,
    begin_at_once,
    call_at_once,
    dial_code,
    forget,
    sent,
    start_control,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.acceptance.conftest import Pbx


@pytest.fixture(autouse=True)
def _restored(pbx: Pbx) -> Iterator[None]:
    """Leave no call to the next test, nobody who has logged out, and no office that is open."""
    yield
    pbx.hang_up()
    pbx.clear_switches("crew")
    pbx.asterisk("dialplan set global LEFT 0")
    pbx.asterisk("database deltree left")


def _rung(taken: dict[str, sipp.Run]) -> dict[str, list[str]]:
    """Give for each caller the extensions that were rung, in order of time."""
    invites = sorted(
        (message.at, re.findall(r"sip:(\+?\w+)@", message.header("From"))[0], number)
        for number, run in taken.items()
        for message in run.messages()
        if message.method == "INVITE" and not message.status
    )
    rung: dict[str, list[str]] = {}
    for _, caller, number in invites:
        rung.setdefault(caller, []).append(number)
    return rung


@pytest.mark.parametrize("strategy", Strategy)
async def test_twenty_callers_at_once(pbx: Pbx, crew: Plan, runs: Runs, strategy: Strategy) -> None:
    """Each caller's phones ring in the order the strategy promises, none of them twice."""
    await forget(pbx)
    before = len(pbx.decisions())
    taken = await take(pbx, runs, dict.fromkeys(MEMBERS, BUSY))
    await call_at_once(pbx, NUMBERS[strategy])
    rung = _rung(taken)
    assert len(rung) == CALLS
    assert {tuple(sorted(order)) for order in rung.values()} == {MEMBERS}
    _assert_promised(strategy, list(rung.values()))
    if strategy is Strategy.RANDOM:
        group = crew.groups[strategy]
        asked = {one["facts"]["caller"]: one["call"] for one in pbx.decided_since(before, CALLS)}
        for caller, order in rung.items():
            by_draw = in_turn(group, State(), date.min, drawn(asked[caller]))
            assert order == [member.number for member in by_draw]


def _assert_promised(strategy: Strategy, orders: Sequence[Sequence[str]]) -> None:
    firsts = Counter(order[0] for order in orders)
    match strategy:
        case Strategy.LINEAR:
            assert {tuple(order) for order in orders} == {MEMBERS}
        case Strategy.ROUND_ROBIN:
            assert firsts == dict.fromkeys(MEMBERS, CALLS // len(MEMBERS))
            for order in orders:
                begin = MEMBERS.index(order[0])
                assert tuple(order) == (*MEMBERS[begin:], *MEMBERS[:begin])
        case Strategy.LEAST_RECENT | Strategy.FEWEST_CALLS:
            assert firsts == dict.fromkeys(MEMBERS, CALLS // len(MEMBERS))
        case Strategy.RANDOM:
            assert len({tuple(order) for order in orders}) > CALLS // 2


async def test_who_answered_is_remembered(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Whoever took a call is the last in turn for the next, also after control has been started anew."""
    del crew
    answers = sipp.answering(ring_ms=0, talk_ms=300)
    taken = await take(pbx, runs, dict.fromkeys(MEMBERS, answers))
    for _ in MEMBERS[1:]:
        await _call(pbx, NUMBERS[Strategy.LEAST_RECENT])
    pbx.stop("control")
    await start_control(pbx)
    await _call(pbx, NUMBERS[Strategy.LEAST_RECENT])
    rung = [number for number, run in taken.items() if any(m.method == "INVITE" for m in run.messages())]
    assert rung == list(MEMBERS)


async def _call(pbx: Pbx, number: str) -> None:
    run = await pbx.carrier.call(number, port=pbx.port(), talk_ms=100)
    try:
        await run.wait()
    finally:
        await run.end()


async def test_who_logs_out_is_not_rung_by_the_next_call(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """From the confirmation of the code on the phone is silent, and rings again after the other code."""
    del crew
    taken = await take(pbx, runs, dict.fromkeys(MEMBERS, BUSY))
    rung = [await _rung_by_a_call(pbx, taken)]
    for code in ("*50", "*51"):
        await dial_code(pbx, runs, "p23", code)
        rung.append(await _rung_by_a_call(pbx, taken))
    assert rung == [list(MEMBERS), [number for number in MEMBERS if number != "23"], list(MEMBERS)]


async def test_who_logs_out_stops_ringing_at_once(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Twenty calls ring four of ten: one is silent before it has heard so, the others ring on."""
    del crew
    silent = sipp.answering(ring_ms=60_000, start_at="silent")
    taken = await take(pbx, runs, dict.fromkeys(MEMBERS[::3], silent))
    # Two hundred phones that ring at once would take more ports for sound than a test has.
    await asyncio.gather(*(_unregister(pbx, number) for number in set(MEMBERS) - set(taken)))
    runs.append(callers := await begin_at_once(pbx, NUMBERS[Strategy.SIMULTANEOUS]))
    await asyncio.to_thread(pbx.until, lambda: all(sent(run, "INVITE") == CALLS for run in taken.values()))
    said = await dial_code(pbx, runs, "p23", "*50")
    stopped = [m.at for m in taken["23"].messages() if m.method == "CANCEL" and not m.status]
    confirmed = sipp.first(said, "BYE").at
    assert (len(stopped), max(stopped) < confirmed) == (CALLS, True)
    assert [number for number, run in taken.items() if sent(run, "CANCEL")] == ["23"]
    assert {m.status for m in callers.messages() if m.method == "INVITE"} <= {0, 100, 180}
    await asyncio.gather(*(dial_code(pbx, runs, f"p{number}", "*50") for number in taken))
    assert {m.status for m in await callers.wait() if m.status >= 300} == {480}, "nobody is left to ring"
    await asyncio.gather(*(dial_code(pbx, runs, f"p{number}", "*51") for number in taken))


async def test_who_logs_out_is_left_out_of_a_call_under_way(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """The first member's phone rings when a later one logs out: the call goes on past that one's phone."""
    del crew
    taken = await take(pbx, runs, dict.fromkeys(MEMBERS[1:], BUSY))
    async with pbx.baresip("p20", tenant="crew") as first:
        await first.register()
        runs.append(caller := await pbx.carrier.call(NUMBERS[Strategy.LINEAR], port=pbx.port()))
        await first.until("CALL_INCOMING")
        await dial_code(pbx, runs, "p23", "*50")
        await first.command("hangup")
        with contextlib.suppress(sipp.SippError):
            await caller.wait()
    assert [number for number, run in taken.items() if sent(run, "INVITE")] == [*MEMBERS[1:3], *MEMBERS[4:]]
    await dial_code(pbx, runs, "p23", "*51")


async def _unregister(pbx: Pbx, number: str) -> None:
    phone = pbx.phone(f"p{number}", tenant="crew")
    await phone.register()  # instead of the phone of an earlier test
    await phone.register(expires_s=0)


async def _rung_by_a_call(pbx: Pbx, taken: dict[str, sipp.Run]) -> list[str]:
    begun = time.time()
    with contextlib.suppress(sipp.SippError):
        await _call(pbx, NUMBERS[Strategy.LINEAR])
    return [number for number, run in taken.items() if _is_rung(run, begun)]


def _is_rung(phone: sipp.Run, begun: float) -> bool:
    return any(m.at > begun and m.method == "INVITE" for m in phone.messages())


async def test_who_is_back_rings_though_the_clock_was_set_back(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """It left when the clock was an hour ahead, and came back: what stands of that silences nobody."""
    del crew
    await take(pbx, runs, {"20": sipp.answering(ring_ms=100), "21": BUSY})
    for kept in ("dialplan set global LEFT", "database put left crew-p20/"):
        pbx.asterisk(f"{kept} {int(time.time()) + 3_600}")
    await dial_code(pbx, runs, "p20", "*51")
    runs.append(caller := await pbx.carrier.call(LATE, port=pbx.port(), talk_ms=300))
    said = await caller.wait()
    assert max(m.status for m in said if m.method == "INVITE") == 200


async def test_a_member_rings_later_and_not_as_long(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Each phone rings once, without a break, from its own beginning to its own end, with tone and prefix."""
    del crew
    silent = sipp.answering(ring_ms=60_000, start_at="silent")
    taken = await take(pbx, runs, {"20": silent, "21": silent})
    await _call(pbx, LATE)
    asked = pbx.decided(dialled=LATE)
    assert pbx.end_of(asked["call"])["outcome"] == "rejected"
    # By the clock of Asterisk alone: where that is stopped for a while all comes later, and nothing earlier.
    at = {
        (record[5].rpartition("-")[0], record[1]): float(record[2])
        for record in pbx.legs(asked["linkedid"])
        if record[1] in {"CHAN_START", "HANGUP"}
    }
    first, late = (
        [at[f"PJSIP/crew-p{number}", event] for event in ("CHAN_START", "HANGUP")] for number in taken
    )
    assert [late[0] - first[0] > 0.99, first[1] - first[0] > 10.99, late[1] - late[0] > 4.99] == [True] * 3
    assert late[1] < first[1], "it rings to its own end, not to that of the group"
    for run in taken.values():
        (invite,) = [m for m in run.messages() if m.method == "INVITE" and not m.status]
        assert invite.header("Alert-Info") == "<http://127.0.0.1>;info=sales"
        assert invite.header("From").startswith('"Verkauf: +4915112345678" <sip:+4915112345678@')


async def test_the_prefix_is_shown_of_a_caller_who_hides(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Phones learn which group is called, and neither the number nor the name that the carrier was told."""
    del crew
    (taken,) = (await take(pbx, runs, {"20": sipp.answering(ring_ms=0)})).values()
    headers = 'P-Asserted-Identity: "Max" <sip:+4915112345678@127.0.0.2>\nPrivacy: id\n'
    runs.append(caller := await pbx.carrier.call(LATE, port=pbx.port(), headers=headers, talk_ms=100))
    assert 200 in [m.status for m in await caller.wait() if m.method == "INVITE"]
    (invite,) = [m for m in taken.messages() if m.method == "INVITE" and not m.status]
    assert invite.header("From").startswith('"Verkauf: Anonymous" <sip:anonymous@')
    assert "15112345678" not in invite.text
    assert "Max" not in invite.text.replace("Max-Forwards", "")


async def test_a_member_who_rings_later_answers(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """The others stop, both sides talk without a channel between them, and the call has one end."""
    del crew
    taken = await take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent")})
    async with pbx.baresip("p21", tenant="crew", answers=True) as late:
        await late.register()
        runs.append(caller := await pbx.carrier.call(LATE, port=pbx.port(), talk_ms=1_500))
        await caller.until(status=200)
        await late.until("CALL_ESTABLISHED")
        await taken["20"].until(method="CANCEL")
        await asyncio.to_thread(pbx.until, lambda: "Local/" not in pbx.asterisk("core show channels concise"))
        await caller.wait()
    asked = pbx.decided(dialled=LATE)
    assert pbx.end_of(asked["call"])["outcome"] == "answered"
    assert [record[7] for record in pbx.legs(asked["linkedid"])].count("CALL_END") == 1


@pytest.mark.row("3.2")
@pytest.mark.row("X.2")
async def test_a_time_rule_is_overruled_by_phone(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """After a code is confirmed a closed office takes calls, or sends them on, until the next one."""
    del crew
    taken = await take(pbx, runs, {"21": sipp.answering(ring_ms=0)})
    ends, left = [], []
    async with pbx.baresip("p20", tenant="crew") as keeper:
        await keeper.register()
        for code in ("", "*81*1*2#", "*83*1*1#", "*801"):
            if code:
                keeper.events.clear()
                await keeper.command("dial", code)
                await keeper.until("CALL_ESTABLISHED")
                await keeper.until("CALL_CLOSED")
            before = len(pbx.decisions())
            await _call(pbx, OFFICE)
            (asked,) = (one for one in pbx.decided_since(before, 1) if one["facts"]["dialled"] == OFFICE)
            ends.append(pbx.end_of(asked["call"])["outcome"])
            left.append([leg["num"] for leg in pbx.trunk_legs(asked["linkedid"])])
    assert ends == ["rejected", "answered", "answered", "rejected"]
    assert left == [[], [], [MOBILE], []]
    assert len([m for m in taken["21"].messages() if m.method == "INVITE" and not m.status]) == 1


async def test_who_has_a_call_is_passed_over(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """While a member talks the group's next call goes to the next one at once, and comes back after."""
    del crew
    talks = sipp.answering(ring_ms=0, talk_ms=sipp.LONG_MS)
    taken = await take(pbx, runs, dict.fromkeys(("20", "21"), talks))
    second = pbx.phone("p23", tenant="crew")
    await second.register()
    rung = []
    async with pbx.baresip("p22", tenant="crew") as first:
        await first.register()
        await first.command("dial", "61")
        await first.until("CALL_ESTABLISHED")
        for _ in ("it talks", "it has talked"):
            begun = time.time()
            runs.append(call := await second.call("61", talk_ms=100))
            await call.wait()
            rung.append([number for number, run in taken.items() if _is_rung(run, begun)])
            await first.command("hangup")
            await asyncio.to_thread(pbx.hang_up)
    assert rung == [["21"], ["20"]]


async def test_who_is_busy_with_two_calls_takes_the_second(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """With one call up the phone rings; with two the third caller hears busy at once, and no phone rings."""
    del crew
    taken = await take(pbx, runs, {"30": sipp.answering(ring_ms=0, talk_ms=sipp.LONG_MS)})
    for device, status in (("p22", 200), ("p23", 200), ("p24", 486)):
        phone = pbx.phone(device, tenant="crew")
        await phone.register()
        runs.append(caller := await phone.call("30", talk_ms=sipp.LONG_MS))
        await caller.until(status=status)
    assert sent(taken["30"], "INVITE") == 2


async def test_a_call_that_rings_two_phones_is_one_call(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Two phones of one extension ring for a first caller and for a second; the third caller hears busy."""
    del crew
    silent = sipp.answering(ring_ms=0, start_at="silent")
    taken = await take(pbx, runs, {"31": silent, "32": silent})
    for device, status in (("p22", 180), ("p23", 180), ("p24", 486)):
        phone = pbx.phone(device, tenant="crew")
        await phone.register()
        runs.append(caller := await phone.call("31", talk_ms=sipp.LONG_MS))
        await caller.until(status=status)
    assert [sent(run, "INVITE") for run in taken.values()] == [2, 2]
