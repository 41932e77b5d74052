"""Ring groups on a real Asterisk: who rings, in which order, when twenty callers come at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from dialplan.build import build_plan
from dialplan.facts import State
from dialplan.hunt import in_turn
from dialplan.plan import Plan, Strategy
from dialplan.spec import TenantSpec
from pbxcore import phones, publication
from pbxcore.control.process import drawn
from pbxcore.practice import sipp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
BUSY = sipp.answering(ring_ms=0, start_at="refuse", code=486)
CALLS = 20
MEMBERS = tuple(str(number) for number in range(20, 30))
NUMBERS = {strategy: f"+4930555300{index:02}" for index, strategy in enumerate(Strategy, 10)}
CREW: dict[str, Any] = {
    "version": 1,
    "tenant": "crew",
    "name": "Crew",
    "account": "crew",
    "country": "DE",
    "area_code": "30",
    "time_zone": "Europe/Berlin",
    "numbers": {number: {"to": f"group {strategy}"} for strategy, number in NUMBERS.items()},
    "extensions": {number: {"name": number, "devices": [f"p{number}"]} for number in MEMBERS},
    "groups": {
        strategy: {"name": strategy, "strategy": strategy, "members": MEMBERS, "timeout_s": 5}
        for strategy in Strategy
    },
}


@pytest.fixture(scope="module")
def crew(pbx: Pbx) -> Plan:
    """Give the plan of a second tenant, in force: one group of ten extensions for each strategy."""
    return _publish(pbx, CREW)


def _publish(pbx: Pbx, document: dict[str, Any]) -> Plan:
    settings = pbx.settings
    index = json.loads((settings.published / "index.json").read_text())
    revision = index["tenants"].get("crew", 0) + 1
    plan = build_plan(TenantSpec.model_validate(document), revision=revision,
                      trunks=tuple(trunk.name for trunk in settings.trunks))  # fmt: skip
    publication.write_plan(settings.published, plan)
    phones.publish(settings, plan)
    index["tenants"]["crew"] = revision
    publication.write_aside(settings.published / "index.json", json.dumps(index))
    said = asyncio.run(publication.announce(settings.run_dir))
    assert all(one.done for one in said), said
    return plan


async def _take(pbx: Pbx, runs: Runs, answering: dict[str, str]) -> dict[str, sipp.Run]:
    """Register phones of the crew and let each take calls as its scenario says."""

    async def one(number: str, scenario: str) -> sipp.Run:
        phone = pbx.phone(f"p{number}", tenant="crew")
        await phone.register()
        run = await phone.take(scenario, calls=0)
        runs.append(run)
        return run

    started = await asyncio.gather(*(one(*phone) for phone in answering.items()))
    return dict(zip(answering, started, strict=True))


async def _call_at_once(pbx: Pbx, number: str) -> None:
    """Bring twenty calls, from +49151000001 to +49151000020, and wait until all have ended."""
    scenario = sipp.calling(number, user="+49151000[call_number]", talk_ms=100)
    carrier = pbx.carrier
    command = sipp.words(pbx.program, local=(carrier.address, pbx.port()), remote=pbx.server, calls=CALLS)
    run = await sipp.start((*command[:-1], "-r", "200", command[-1]), scenario)
    try:
        await run.wait()
    finally:
        await run.end()


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
    before = len(pbx.decisions())
    taken = await _take(pbx, runs, dict.fromkeys(MEMBERS, BUSY))
    await _call_at_once(pbx, NUMBERS[strategy])
    rung = _rung(taken)
    assert len(rung) == CALLS
    assert {tuple(sorted(order)) for order in rung.values()} == {MEMBERS}
    _assert_promised(strategy, list(rung.values()))
    if strategy is Strategy.RANDOM:
        group = crew.groups[strategy]
        asked = {one["facts"]["caller"]: one["call"] for one in pbx.decisions()[before:]}
        for caller, order in rung.items():
            by_draw = in_turn(group, State(draw=drawn(asked[caller])), date.min)
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
    taken = await _take(pbx, runs, dict.fromkeys(MEMBERS, answers))
    for _ in MEMBERS[1:]:
        await _call(pbx, NUMBERS[Strategy.LEAST_RECENT])
    pbx.stop("control")
    pbx.serve("control")
    await asyncio.to_thread(pbx.until, lambda: pbx.status("control").get("asterisk") == "up")
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
    taken = await _take(pbx, runs, dict.fromkeys(MEMBERS, BUSY))
    rung = [await _rung_by_a_call(pbx, taken)]
    for code in ("*50", "*51"):
        phone = pbx.phone("p23", tenant="crew")
        runs.append(asked := await phone.call(code, talk_ms=10_000))
        await asked.wait()  # the confirmation ends the call
        rung.append(await _rung_by_a_call(pbx, taken))
    assert rung == [list(MEMBERS), [number for number in MEMBERS if number != "23"], list(MEMBERS)]


async def _rung_by_a_call(pbx: Pbx, taken: dict[str, sipp.Run]) -> list[str]:
    begun = time.time()
    with contextlib.suppress(sipp.SippError):
        await _call(pbx, NUMBERS[Strategy.LINEAR])
    return [
        number
        for number, run in taken.items()
        if any(m.at > begun and m.method == "INVITE" for m in run.messages())
    ]
