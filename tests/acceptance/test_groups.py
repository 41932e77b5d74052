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
from dialplan.call import drawn
from dialplan.facts import State
from dialplan.hunt import in_turn
from dialplan.plan import Plan, Strategy
from dialplan.spec import TenantSpec
from pbxcore import phones, publication
from pbxcore.practice import sipp, tone
from tests.acceptance.conftest import CLOCKS_S, until_heard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
BUSY = sipp.answering(ring_ms=0, start_at="refuse", code=486)
CALLS = 20
MEMBERS = tuple(str(number) for number in range(20, 30))
OBEYS, WITH_21_FIRST = "+493055530023", "+493055530024"
LATE, OUTSIDE, OFFICE, MOBILE = "+493055530020", "+493055530021", "+493055530022", "+436641110060"
PROMPT = 1000  # Hz, in place of what is spoken
NUMBERS = {strategy: f"+4930555300{index:02}" for index, strategy in enumerate(Strategy, 10)}
WITH_MOBILE = {strategy: f"+4930555301{index:02}" for index, strategy in enumerate(Strategy, 10)}
CREW: dict[str, Any] = {
    "version": 1,
    "tenant": "crew",
    "name": "Crew",
    "account": "crew",
    "country": "DE",
    "area_code": "30",
    "time_zone": "Europe/Berlin",
    "numbers": {number: {"to": f"group {strategy}"} for strategy, number in NUMBERS.items()}
    | {number: {"to": f"group mobile_{strategy}"} for strategy, number in WITH_MOBILE.items()}
    | {
        LATE: {"to": "group late"},
        OUTSIDE: {"to": "group mobile"},
        OFFICE: {"to": "hours office"},
        OBEYS: {"to": "group obeying"},
        WITH_21_FIRST: {"to": "group first"},
    },
    "hours": {
        "office": {
            "open": [],
            "then": "extension 21",
            "closed": "busy",
            "special": f"number {MOBILE}",
            "switch": {"code": "1", "by": ["20"]},
        }
    },
    "extensions": {number: {"name": number, "devices": [f"p{number}"]} for number in MEMBERS}
    | {"30": {"name": "30", "devices": ["p30"], "busy_level": 2}},
    "groups": {
        strategy: {"name": strategy, "strategy": strategy, "members": MEMBERS, "timeout_s": 15}
        for strategy in Strategy
    }
    | {
        f"mobile_{strategy}": {
            "name": strategy,
            "strategy": strategy,
            "members": ["20", {"number": MOBILE}, "21"],
            "timeout_s": 5,
            "otherwise": "busy",
        }
        for strategy in Strategy
    }
    | {
        "late": {
            "name": "Late",
            "members": ["20", {"extension": "21", "delay_s": 1, "timeout_s": 5}],
            "timeout_s": 8,
            "ring_tone": "sales",
            "prefix": "Verkauf:",
            "otherwise": "busy",
        },
        "first": {"name": "First", "strategy": "linear", "members": ["21", "20"], "timeout_s": 10},
        "obeying": {"name": "Obeying", "members": ["20", "23"], "members_forward": "obey", "timeout_s": 10},
        "free": {
            "name": "Free",
            "extension": "61",
            "strategy": "linear",
            "busy_level": 1,
            "members": ["20", "21"],
            "timeout_s": 5,
        },
        "mobile": {
            "name": "Mobile",
            "extension": "60",
            "members": ["20", {"number": MOBILE}, {"extension": "21", "delay_s": 2}],
            "timeout_s": 10,
            "otherwise": "busy",
        },
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


async def _forget(pbx: Pbx) -> None:
    """Begin without memory of the calls of other tests, whose members have answered more or less."""
    pbx.stop("control")
    pbx.settings.turns_file.unlink(missing_ok=True)
    await _start_control(pbx)


async def _start_control(pbx: Pbx) -> None:
    pbx.serve("control")
    await asyncio.to_thread(pbx.until, lambda: pbx.status("control").get("asterisk") == "up")


async def _begin_at_once(pbx: Pbx, number: str) -> sipp.Run:
    """Bring twenty calls, from +49151000001 to +49151000020."""
    scenario = sipp.calling(number, user="+49151000[call_number]", talk_ms=100)
    carrier = pbx.carrier
    command = sipp.words(pbx.program, local=(carrier.address, pbx.port()), remote=pbx.server, calls=CALLS)
    return await sipp.start((*command[:-1], "-r", "200", command[-1]), scenario)


async def _call_at_once(pbx: Pbx, number: str) -> tuple[sipp.SipMessage, ...]:
    """Bring twenty calls and wait until all have ended; give what the callers heard."""
    run = await _begin_at_once(pbx, number)
    try:
        return await run.wait()
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
    await _forget(pbx)
    before = len(pbx.decisions())
    taken = await _take(pbx, runs, dict.fromkeys(MEMBERS, BUSY))
    await _call_at_once(pbx, NUMBERS[strategy])
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
    taken = await _take(pbx, runs, dict.fromkeys(MEMBERS, answers))
    for _ in MEMBERS[1:]:
        await _call(pbx, NUMBERS[Strategy.LEAST_RECENT])
    pbx.stop("control")
    await _start_control(pbx)
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
        await _dial(pbx, runs, "p23", code)
        rung.append(await _rung_by_a_call(pbx, taken))
    assert rung == [list(MEMBERS), [number for number in MEMBERS if number != "23"], list(MEMBERS)]


async def test_who_logs_out_stops_ringing_at_once(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Twenty calls ring four of ten: one is silent before it has heard so, the others ring on."""
    del crew
    silent = sipp.answering(ring_ms=60_000, start_at="silent")
    taken = await _take(pbx, runs, dict.fromkeys(MEMBERS[::3], silent))
    # Two hundred phones that ring at once would take more ports for sound than a test has.
    await asyncio.gather(*(_unregister(pbx, number) for number in set(MEMBERS) - set(taken)))
    runs.append(callers := await _begin_at_once(pbx, NUMBERS[Strategy.SIMULTANEOUS]))
    await asyncio.to_thread(pbx.until, lambda: all(_sent(run, "INVITE") == CALLS for run in taken.values()))
    said = await _dial(pbx, runs, "p23", "*50")
    stopped = [m.at for m in taken["23"].messages() if m.method == "CANCEL" and not m.status]
    confirmed = next(m.at for m in said if m.method == "BYE")
    assert (len(stopped), max(stopped) < confirmed) == (CALLS, True)
    assert [number for number, run in taken.items() if _sent(run, "CANCEL")] == ["23"]
    assert {m.status for m in callers.messages() if m.method == "INVITE"} <= {0, 100, 180}
    await asyncio.gather(*(_dial(pbx, runs, f"p{number}", "*50") for number in taken))
    assert {m.status for m in await callers.wait() if m.status >= 300} == {480}, "nobody is left to ring"
    await asyncio.gather(*(_dial(pbx, runs, f"p{number}", "*51") for number in taken))


async def test_who_logs_out_is_left_out_of_a_call_under_way(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """The first member's phone rings when a later one logs out: the call goes on past that one's phone."""
    del crew
    taken = await _take(pbx, runs, dict.fromkeys(MEMBERS[1:], BUSY))
    async with pbx.baresip("p20", tenant="crew") as first:
        await first.register()
        runs.append(caller := await pbx.carrier.call(NUMBERS[Strategy.LINEAR], port=pbx.port()))
        await first.until("CALL_INCOMING")
        await _dial(pbx, runs, "p23", "*50")
        await first.command("hangup")
        with contextlib.suppress(sipp.SippError):
            await caller.wait()
    assert [number for number, run in taken.items() if _sent(run, "INVITE")] == [*MEMBERS[1:3], *MEMBERS[4:]]
    await _dial(pbx, runs, "p23", "*51")


async def _unregister(pbx: Pbx, number: str) -> None:
    phone = pbx.phone(f"p{number}", tenant="crew")
    await phone.register()  # instead of the phone of an earlier test
    await phone.register(expires_s=0)


def _sent(run: sipp.Run, method: str) -> int:
    """Count the requests of a method that a phone was sent, repeated ones once."""
    calls = {m.header("Call-ID") for m in run.messages() if m.method == method and not m.status}
    return len(calls)


async def _rung_by_a_call(pbx: Pbx, taken: dict[str, sipp.Run]) -> list[str]:
    begun = time.time()
    with contextlib.suppress(sipp.SippError):
        await _call(pbx, NUMBERS[Strategy.LINEAR])
    return [
        number
        for number, run in taken.items()
        if any(m.at > begun and m.method == "INVITE" for m in run.messages())
    ]


async def test_who_is_back_rings_though_the_clock_was_set_back(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """It left when the clock was an hour ahead, and came back: what stands of that silences nobody."""
    del crew
    await _take(pbx, runs, {"20": sipp.answering(ring_ms=100), "21": BUSY})
    for kept in ("dialplan set global LEFT", "database put left crew-p20/"):
        pbx.asterisk(f"{kept} {int(time.time()) + 3_600}")
    await _dial(pbx, runs, "p20", "*51")
    runs.append(caller := await pbx.carrier.call(LATE, port=pbx.port(), talk_ms=300))
    said = await caller.wait()
    pbx.asterisk("dialplan set global LEFT 0")
    pbx.asterisk("database deltree left")
    assert max(m.status for m in said if m.method == "INVITE") == 200


async def test_a_member_rings_later_and_not_as_long(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Each phone rings once, without a break, from its own beginning to its own end, with tone and prefix."""
    del crew
    silent = sipp.answering(ring_ms=60_000, start_at="silent")
    taken = await _take(pbx, runs, {"20": silent, "21": silent})
    await _call(pbx, LATE)
    at = {
        (number, message.method): message.at
        for number, run in taken.items()
        for message in run.messages()
        if not message.status and message.method in {"INVITE", "CANCEL"}
    }
    first = at["20", "INVITE"]
    assert [moment - first for moment in at.values()] == pytest.approx([0, 8, 1, 6], abs=0.9)
    for run in taken.values():
        (invite,) = [m for m in run.messages() if m.method == "INVITE" and not m.status]
        assert invite.header("Alert-Info") == "<http://127.0.0.1>;info=sales"
        assert invite.header("From").startswith('"Verkauf: +4915112345678" <sip:+4915112345678@')
    assert pbx.end_of(pbx.decided(dialled=LATE)["call"])["outcome"] == "rejected"


async def test_a_member_who_rings_later_answers(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """The others stop, both sides talk without a channel between them, and the call has one end."""
    del crew
    taken = await _take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent")})
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
    taken = await _take(pbx, runs, {"21": sipp.answering(ring_ms=0)})
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
    taken = await _take(pbx, runs, dict.fromkeys(("20", "21"), talks))
    caller = pbx.phone("p22", tenant="crew")
    await caller.register()
    runs.append(first := await caller.call("61", talk_ms=4_000))
    await first.until(status=200)
    second = pbx.phone("p23", tenant="crew")
    await second.register()
    for number, before in (("21", first), ("20", None)):
        begun = time.time()
        runs.append(call := await second.call("61", talk_ms=100))
        await call.wait()
        rung = [
            n
            for n, run in taken.items()
            if any(m.at > begun and m.method == "INVITE" for m in run.messages())
        ]
        assert rung == [number]
        if before:
            await before.wait()


async def test_who_is_busy_with_two_calls_takes_the_second(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """With one call up the phone rings; with two the third caller hears busy at once, and no phone rings."""
    del crew
    taken = await _take(pbx, runs, {"30": sipp.answering(ring_ms=0, talk_ms=sipp.LONG_MS)})
    for device, status in (("p22", 200), ("p23", 200), ("p24", 486)):
        phone = pbx.phone(device, tenant="crew")
        await phone.register()
        runs.append(caller := await phone.call("30", talk_ms=sipp.LONG_MS))
        await caller.until(status=status)
    assert _sent(taken["30"], "INVITE") == 2
    pbx.asterisk("channel request hangup all")


@pytest.mark.parametrize("pressed", ["", "2", "hangs up"])
async def test_a_mailbox_outside_never_takes_the_call(pbx: Pbx, crew: Plan, runs: Runs, pressed: str) -> None:
    """Who answers outside without pressing 1 has no call; the others ring on, and one of them takes it."""
    del crew
    mobile = sipp.answering(ring_ms=0, press=pressed.removesuffix("hangs up"), refer_after_ms=500,
                            talk_ms=700 if pressed == "hangs up" else sipp.LONG_MS)  # fmt: skip
    taken = await _take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent"),
                                    "21": sipp.answering(ring_ms=2_500)})  # fmt: skip
    async with _carrier(pbx, mobile):
        runs.append(caller := await pbx.carrier.call(OUTSIDE, port=pbx.port(), talk_ms=500))
        said = await caller.wait()
        leg = await _ended_leg(pbx, OUTSIDE)
    answer = next(m.at for m in said if m.status == 200 and m.method == "INVITE")
    picked_up = next(m.at for m in taken["21"].messages() if m.status == 200 and m.method == "INVITE")
    assert abs(answer - picked_up) < CLOCKS_S
    assert (leg["payer"], leg["why"], leg["num"]) == ("crew/60", "forward", MOBILE)
    assert leg["seconds"] < 7.0, "nobody is asked for long after another phone has answered"


async def test_a_mailbox_outside_takes_none_of_120_calls(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """Twenty callers at once for each strategy: it picks up for each of them, and nobody hears it."""
    del crew
    taken = await _take(pbx, runs, dict.fromkeys(("20", "21"), BUSY))
    before = len(pbx.decisions())
    async with _carrier(pbx, sipp.answering(ring_ms=0, talk_ms=500)) as mailbox:
        heard = [await _call_at_once(pbx, number) for number in WITH_MOBILE.values()]
        picked_up = [m for m in mailbox.messages() if m.status == 200 and m.method == "INVITE"]
    assert len({m.header("Call-ID") for m in picked_up}) == CALLS * len(Strategy)
    finals = Counter(m.status for said in heard for m in said if m.method == "INVITE" and m.status >= 200)
    assert finals == {486: CALLS * len(Strategy)}
    for run in taken.values():
        assert _sent(run, "INVITE") == CALLS * len(Strategy)
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
    taken = await _take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent")})
    await _dial(pbx, runs, "p23", f"*72{to}")
    async with _carrier(pbx, sipp.answering(ring_ms=0, press="1", refer_after_ms=1_000)) as carrier:
        runs.append(caller := await pbx.carrier.call(number, port=pbx.port(), talk_ms=1_000))
        said = await caller.wait()
        leg = await _ended_leg(pbx, number)
        pressed = next(m.at for m in carrier.messages() if m.method == "INFO" and m.sent)
        answered = next(m.at for m in carrier.messages() if m.status == 200 and m.method == "INVITE")
        over = next(m.at for m in carrier.messages() if m.method == "BYE")
    answer = next(m.at for m in said if m.status == 200 and m.method == "INVITE")
    assert 0 < answer - pressed < CLOCKS_S
    await taken["20"].until(method="CANCEL")
    asked = pbx.decided(dialled=number)
    assert pbx.end_of(asked["call"])["outcome"] == "answered"
    await _dial(pbx, runs, "p23", "*73")
    assert (leg["payer"], leg["num"]) == (payer, MOBILE)
    assert leg["seconds"] == pytest.approx(over - answered, abs=CLOCKS_S)


async def test_a_302_where_forwards_are_ignored_leads_nowhere(pbx: Pbx, crew: Plan, runs: Runs) -> None:
    """A member whose phone answers with a 302 is as one that is busy: the next one rings, no mobile does."""
    del crew
    before = len(pbx.far_end(MOBILE))
    await _take(pbx, runs, {"20": sipp.answering(ring_ms=1_000), "21": _deflecting(pbx)})
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
    await _take(pbx, runs, {"20": sipp.answering(ring_ms=3_000), "23": _deflecting(pbx)})
    mobile = sipp.answering(ring_ms=0, press=pressed, refer_after_ms=500, talk_ms=sipp.LONG_MS)
    async with _carrier(pbx, mobile) as carrier:
        runs.append(caller := await pbx.carrier.call(OBEYS, port=pbx.port(), talk_ms=500))
        said = await caller.wait()
        leg = await _ended_leg(pbx, OBEYS)
        invite = next(m for m in carrier.messages() if m.start.startswith("INVITE"))
        answered_outside = next(m.at for m in carrier.messages() if m.status == 200 and m.method == "INVITE")
    answer = next(m.at for m in said if m.status == 200 and m.method == "INVITE")
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
    await asyncio.to_thread(_publish, pbx, {**CREW, "language": "de"})
    taken = await _take(pbx, runs, {"20": sipp.answering(ring_ms=60_000, start_at="silent")})
    async with _without_carrier(pbx), pbx.outsider(MOBILE, called=True) as mobile:
        await mobile.be_called()
        runs.append(caller := await pbx.carrier.call(OUTSIDE, port=pbx.port(), talk_ms=1_000))
        await until_heard(mobile, PROMPT, 1.0)
        await mobile.command("sndcode", "1")
        await caller.until(status=200)
        await taken["20"].until(method="CANCEL")
        await caller.wait()
        await mobile.until("CALL_CLOSED")
    await asyncio.to_thread(_publish, pbx, CREW)


async def _dial(pbx: Pbx, runs: Runs, device: str, code: str) -> tuple[sipp.SipMessage, ...]:
    """Let a phone dial a code; the confirmation ends the call. Give what was said."""
    phone = pbx.phone(device, tenant="crew")
    runs.append(asked := await phone.call(code, talk_ms=10_000))
    said = await asked.wait()
    assert 200 in [message.status for message in said if message.method == "INVITE"]
    return said


async def _ended_leg(pbx: Pbx, number: str) -> dict[str, Any]:
    """Wait until the one trunk leg of the last call to a number has ended, and give it."""
    linkedid = pbx.decided(dialled=number)["linkedid"]

    def ended() -> bool:
        records = pbx.legs(linkedid)
        legs = [record[3] for record in records if record[7] == "TRUNK_LEG"]
        return bool(legs) and any(r[1] == "HANGUP" and r[3] == legs[0] for r in records)

    await asyncio.to_thread(pbx.until, ended)
    (leg,) = pbx.trunk_legs(linkedid)
    return leg


@contextlib.asynccontextmanager
async def _carrier(pbx: Pbx, scenario: str) -> AsyncIterator[sipp.Run]:
    """Let the carrier answer as a scenario says, instead of the one that takes every call."""
    carrier = pbx.carrier
    command = sipp.words(pbx.program, local=(carrier.address, carrier.port), media=carrier.media, calls=0)
    async with _without_carrier(pbx):
        run = await sipp.start(command, scenario)
        try:
            yield run
        finally:
            await run.end()


@contextlib.asynccontextmanager
async def _without_carrier(pbx: Pbx) -> AsyncIterator[None]:
    """Make room at the carrier's port for somebody else."""
    pbx.stop("carrier")
    try:
        yield
    finally:
        carrier = pbx.carrier
        local = (carrier.address, carrier.port)
        pbx.start("carrier", sipp.words(pbx.program, local=local, media=carrier.media, calls=0), TERM="dumb")
