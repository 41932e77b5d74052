"""Calls while what decides is dead, stalled, babbling or probed: each is decided or ends as ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.practice import sipp
from tests.acceptance.carriers import carrier_that_refuses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
Explained = Callable[[], Awaitable[str]]
SETS = "SET VARIABLE ARRAY(PBX_S1,PBX_N,PBX_VERSION,PBX_OK)"


@pytest.fixture
def alive(pbx: Pbx) -> Pbx:
    """Give the PBX with both deciding processes alive, and no call of an earlier test under way."""
    for name in ("control", "standby"):
        if name not in pbx.running:
            pbx.serve(name)
    pbx.until(lambda: pbx.status("control").get("asterisk") == "up")
    pbx.until(lambda: "0 active channels" in pbx.asterisk("core show channels count"))
    return pbx


@pytest.fixture
def explained(alive: Pbx, monkeypatch: pytest.MonkeyPatch) -> Explained:
    """Give what `pbxcore explain` says of the last call."""
    monkeypatch.setenv("PBXCORE_STATE", str(alive.settings.state))
    monkeypatch.setenv("PBXCORE_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("COLUMNS", "200")

    def explain() -> str:
        for name in set(alive.running) & {"control", "standby"}:
            alive.decisions(name)  # all of them are written
        linkedid = next(record[4] for record in reversed(alive.legs()) if record[7] == "CALL_END")
        done = CliRunner().invoke(app, ["explain", linkedid])
        assert done.exit_code == 0, done.output
        return done.output

    return partial(asyncio.to_thread, explain)


async def _call(pbx: Pbx, runs: Runs, number: str, talk_ms: int = 200) -> int:
    """Call from p10 and give the final status, once the call's end is recorded."""
    anna = pbx.phone("p10")
    await anna.register()
    before = len(pbx.legs())
    runs.append(caller := await anna.call(number, talk_ms=talk_ms))
    said = await caller.wait()
    await asyncio.to_thread(pbx.until, lambda: bool(pbx.ends_since(before)))
    return max(m.status for m in said if m.method == "INVITE" and m.status != 401)


def _ends(pbx: Pbx) -> list[str]:
    return [record[8] for record in pbx.legs() if record[7] == "CALL_END"]


def _last_end(pbx: Pbx) -> dict[str, str]:
    return dict(word.split("=", 1) for word in _ends(pbx)[-1].split("|"))


async def test_standby_decides_when_control_is_dead(alive: Pbx, runs: Runs) -> None:
    """A call under way goes on when control is killed; the next one is decided by the standby."""
    anna, bruno = alive.phone("p10"), alive.phone("p11")
    await anna.register()
    await bruno.register()
    runs.append(callee := await bruno.take(sipp.answering(ring_ms=0)))
    runs.append(caller := await anna.call("11", talk_ms=1_500))
    await caller.until(status=200)
    alive.stop("control", signal.SIGKILL)
    again = alive.phone("p12")
    await again.register()
    runs.append(other := await again.take(sipp.answering(ring_ms=0)))
    runs.append(second := await alive.carrier.call("+493055500101", port=alive.port(), talk_ms=200))
    await second.wait()
    assert alive.decided("standby", dialled="+493055500101")
    await caller.wait()
    await callee.wait()
    await other.end()


async def test_standby_decides_after_a_stall(alive: Pbx, runs: Runs) -> None:
    """Control is stopped in mid-air; when its supervisor kills it, the waiting call goes to the standby."""
    control = alive.running["control"].pid
    os.kill(control, signal.SIGSTOP)
    calling = asyncio.create_task(_call(alive, runs, "06641110050"))
    await asyncio.sleep(0.5)  # the question waits
    assert not calling.done()
    alive.stop("control", signal.SIGKILL)
    assert await calling == 200
    assert _last_end(alive)["by"] == "standby"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "garbage\n\n",
        f'{SETS} "reject(17,busy),1,x"\n',
        f'{SETS} "reject(17,busy),1,x,',
        f'{SETS} "reject(17,busy),1,x,{{nonce:.8}}',
        f'{SETS} "reject(17,busy),1,x,00000000-0000"\n',
        f'{SETS} "reject(17,busy),1,{"x" * 20_000},{{nonce}}"\n',
    ],
    ids=["closes", "garbage", "no-nonce", "cut", "cut-in-nonce", "wrong-nonce", "too-long"],
)
async def test_half_an_answer_is_no_answer(alive: Pbx, runs: Runs, answer: str) -> None:
    """Whatever an answerer says short of the complete decision with our nonce, the standby decides."""
    if "control" in alive.running:
        alive.stop("control")

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonce = ""
        while (line := (await reader.readline()).decode()) not in ("\n", ""):
            if line.startswith("agi_arg_1: "):
                nonce = line.split("|")[1]
        writer.write(answer.format(nonce=nonce).encode())
        await writer.drain()
        if answer.endswith("\n"):
            await asyncio.wait_for(reader.readline(), 5)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", alive.settings.ports.agi)
    async with server:
        assert await _call(alive, runs, "06641110060") == 200
    assert _last_end(alive)["by"] == "standby"


async def test_nobody_decides_but_help_is_called(alive: Pbx, runs: Runs, explained: Explained) -> None:
    """With both dead an ordinary call ends as ours; an emergency call leaves with the number to call back."""
    for name in ("control", "standby"):
        if name in alive.running:
            alive.stop(name, signal.SIGKILL)
    assert await _call(alive, runs, "11") == 503
    assert _last_end(alive) == {
        "outcome": "ours", "by": "constant", "version": "", "reason": "no-decision"
    }  # fmt: skip
    said = await explained()
    assert "acme-p10 calls 11 as 10" in said
    assert "neither control nor the standby answers: nobody decides, and nothing is dialled" in said
    assert await _call(alive, runs, "112") == 200
    assert "acme-p10 calls 112, an emergency number: nobody is asked" in await explained()
    invite = [m for m in alive.far_end("112") if m.start.startswith("INVITE")][-1]
    assert invite.header("From").startswith("<sip:+493055500100@")
    end = _last_end(alive)
    assert (end["outcome"], end["by"]) == ("answered", "constant")
    record = [r[8] for r in alive.legs() if r[7] == "TRUNK_LEG"][-1]
    assert record == "payer=acme/10|why=emergency|num=112|limit=0|version=constant|trunk=carrier"


async def test_who_is_sent_on_when_nobody_decides(alive: Pbx, runs: Runs, explained: Explained) -> None:
    """An answered call that is transferred while both are dead ends as ours, not as one that was answered."""
    anna, bruno = alive.phone("p10"), alive.phone("p11")
    await anna.register()
    await bruno.register()
    before = len(alive.legs())
    runs.append(taken := await bruno.take(sipp.answering(ring_ms=0)))
    runs.append(caller := await anna.call("11", talk_ms=sipp.LONG_MS))
    await caller.until(status=200)
    for name in ("control", "standby"):
        alive.stop(name, signal.SIGKILL)
    await bruno.send_on(taken, "13", port=alive.port())
    await asyncio.to_thread(alive.until, lambda: bool(alive.ends_since(before)))
    assert _last_end(alive) == {
        "outcome": "ours", "by": "constant", "version": "", "reason": "no-decision"
    }  # fmt: skip
    assert "acme-p11 transfers acme-p10 to 13: neither control nor the standby answers" in await explained()


@pytest.mark.parametrize("dialled", ["*31%23112", "*31*112", "+49112", "0049112", "*31%23+49112"])
async def test_help_is_called_however_it_is_written(alive: Pbx, runs: Runs, dialled: str) -> None:
    """With both dead, a prefix that hides the number or names the country keeps nobody from help."""
    for name in ("control", "standby"):
        if name in alive.running:
            alive.stop(name, signal.SIGKILL)
    assert await _call(alive, runs, dialled) == 200
    invite = [m for m in alive.far_end("112") if m.start.startswith("INVITE")][-1]
    assert invite.header("From").startswith("<sip:+493055500100@")
    assert (_last_end(alive)["outcome"], _last_end(alive)["by"]) == ("answered", "constant")


async def test_a_phone_that_sends_calls_to_help(alive: Pbx, runs: Runs) -> None:
    """A 302 to 112 asks nobody; the number to call back is the phone's that sends the call there."""
    bruno = alive.phone("p11")
    await bruno.register()
    contact = f"Contact: <sip:112@{alive.server[0]}>\n"
    runs.append(await bruno.take(sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=contact)))
    before = len(alive.decisions())
    assert await _call(alive, runs, "11", talk_ms=300) == 200
    assert len(alive.decided_since(before, 1)) == 1
    invite = [m for m in alive.far_end("112") if m.start.startswith("INVITE")][-1]
    assert invite.header("From").startswith("<sip:+493055500111@")
    record = [r[8] for r in alive.legs() if r[7] == "TRUNK_LEG"][-1]
    assert record.startswith("payer=acme/11|why=emergency|num=112|")


@pytest.mark.parametrize("code", [480, 486, 404, 603])
async def test_help_is_called_through_every_trunk(
    alive: Pbx, runs: Runs, code: int, explained: Explained
) -> None:
    """Whatever the first carrier answers to an emergency call, the next one is tried."""
    with carrier_that_refuses(alive, code):
        assert await _call(alive, runs, "112") == 200
    assert f"112 is not taken by carrier: it says {code} " in await explained()
    end = _last_end(alive)
    assert (end["outcome"], end["by"]) == ("answered", "constant")
    assert [r[8].rpartition("=")[2] for r in alive.legs() if r[7] == "TRUNK_LEG"][-2:] == [
        "carrier",
        "backup",
    ]


async def test_help_that_nobody_gives_has_an_end(alive: Pbx, runs: Runs) -> None:
    """An emergency call that every carrier refuses ends with a name and a cause."""
    with carrier_that_refuses(alive, 486), carrier_that_refuses(alive, 503, name="backup"):
        assert await _call(alive, runs, "112") >= 500
    assert _last_end(alive)["outcome"] == "carrier-failure"


async def test_trunks_that_cannot_be_reached_are_no_unknown_number(alive: Pbx, runs: Runs) -> None:
    """Asterisk knows no way to a carrier that answers nothing: the caller hears congestion."""
    with _carrier_that_is_away(alive, "carrier"), _carrier_that_is_away(alive, "backup"):
        assert await _call(alive, runs, "06641110061") == 503
        assert _last_end(alive)["outcome"] == "carrier-failure"


async def test_what_each_trunk_made_of_a_call_is_explained(
    alive: Pbx, runs: Runs, explained: Explained
) -> None:
    """One that is away is told, and one that refuses with what it said; where all is well, nothing."""
    assert await _call(alive, runs, "06641110062") == 200
    assert not [word for word in ("not called", "not taken", "next") if word in await explained()]
    assert await _call(alive, runs, "06641110503") == 200  # the carrier has no line for it
    refused = "+496641110503 is not taken by carrier: it says 503 "
    assert "+496641110503 is called over backup" in (await explained()).partition(refused)[2]
    with _carrier_that_is_away(alive, "carrier"):
        assert await _call(alive, runs, "06641110063") == 200
    away = (
        "+496641110063 is not called over carrier, which is away (no answer to OPTIONS); backup is tried next"
    )
    assert "+496641110063 is called over backup" in (await explained()).partition(away)[2]


async def test_a_number_that_is_busy_or_not_answered_is_explained(
    alive: Pbx, runs: Runs, explained: Explained
) -> None:
    """What the carrier said of the called party, or how long that was rung in vain, is told of each."""
    group = {"extension": "60", "name": "Sales", "strategy": "linear", "timeout_s": 5, "otherwise": "busy",
             "members": [{"number": "+436641110999"}, {"number": "+436641110486"}]}  # fmt: skip
    numbers = {"+493055500100": {"to": "group sales"}}
    with alive.in_force({**alive.tenant, "groups": {"sales": group}, "numbers": numbers}):
        await _call(alive, runs, "60")
    said = await explained()
    assert "+436641110999 rings over carrier for 5.0 s, and nobody answers\n" in said
    assert "+436641110486 is not taken by carrier: it says 486 Busy Here (cause 17, busy)\n" in said
    assert await _call(alive, runs, "06641110486") == 486
    assert "it says 486 Busy Here (cause 17, busy)" in await explained()
    with carrier_that_refuses(alive, 480):
        assert await _call(alive, runs, "06641110070") == 480
    assert "it says 480 Temporarily Unavailable (cause 19, no answer)" in await explained()


@pytest.mark.parametrize(
    ("code", "said"), [(486, "486 Busy Here"), (480, "480 Temporarily Unavailable"), (603, "603 Decline")]
)
async def test_why_a_phone_did_not_take_a_call_is_explained(
    alive: Pbx, runs: Runs, explained: Explained, code: int, said: str
) -> None:
    """Busy, not reachable or declined: what the phone said."""
    bruno = alive.phone("p11")
    await bruno.register()
    runs.append(await bruno.take(sipp.answering(ring_ms=0, start_at="refuse", code=code)))
    await _call(alive, runs, "11")
    assert f"acme-p11 does not take the call: it says {said}, after " in await explained()


async def test_phones_of_later_steps_that_did_not_ring_are_explained(
    alive: Pbx, runs: Runs, explained: Explained
) -> None:
    """After one that rang in vain and one that was busy, the one that is not registered is named."""
    group = {"extension": "60", "name": "Sales", "strategy": "linear", "timeout_s": 5, "otherwise": "busy",
             "members": ["11", "12", "13"]}  # fmt: skip
    answers = {"p11": sipp.answering(ring_ms=20_000), "p12": sipp.answering(ring_ms=0, start_at="refuse")}
    for name, answer in answers.items():
        phone = alive.phone(name)
        await phone.register()
        runs.append(await phone.take(answer))
    before = len(alive.legs())
    with alive.in_force({**alive.tenant, "groups": {"sales": group}, "numbers": {}}):
        await _call(alive, runs, "60")
    recorded = [r[8] for r in alive.legs()[before:] if r[7] == "PHONES_FAILED"]
    steps = [one.partition("|said=")[0] for one in recorded]
    assert steps == ["step=2|came=busy", "step=3|came=unreachable"]  # nothing of one that rang to the end
    said = await explained()
    assert "acme-p11 stops ringing after " in said
    assert "acme-p12 does not take the call: it says 486 Busy Here, after " in said, (recorded, said)
    assert "acme-p13 does not ring: it is not registered" in said.partition("acme-p12 rings")[2]


async def test_a_302_that_was_refused_is_explained(alive: Pbx, runs: Runs, explained: Explained) -> None:
    """The call's own end says nothing of it."""
    bruno = alive.phone("p11")
    await bruno.register()
    contact = f"Contact: <sip:99@{alive.server[0]}>\n"
    runs.append(await bruno.take(sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=contact)))
    await _call(alive, runs, "11")
    expected = "the outcome for the 302 of acme-p11 to 99: rejected (unknown-number), decided by control"
    assert expected in await explained()


async def test_a_trunk_is_explained_by_what_it_said_of_this_number(
    alive: Pbx, runs: Runs, explained: Explained
) -> None:
    """Numbers of a group that were busy before over the same trunk have said something else."""
    numbers = [f"+4366411{nth}0486" for nth in range(1, 9)] + ["+436641190404"]
    group = {"extension": "60", "name": "Sales", "strategy": "linear", "timeout_s": 5, "otherwise": "busy",
             "members": [{"number": number} for number in numbers]}  # fmt: skip
    numbers_of_ours = {"+493055500100": {"to": "group sales"}}
    with alive.in_force({**alive.tenant, "groups": {"sales": group}, "numbers": numbers_of_ours}):
        await _call(alive, runs, "60")
    said = await explained()
    assert said.count(" is not taken by carrier: it says 486 ") == len(numbers) - 1, said
    assert "+436641190404 is not taken by carrier: it says 404 " in said


@contextlib.contextmanager
def _carrier_that_is_away(pbx: Pbx, name: str) -> Iterator[None]:
    """Let a carrier say nothing for a while, and Asterisk know of it at once.

    It is stopped and not killed: when it goes on it still answers each OPTIONS that is under way. One that
    came to nothing would show it as away again, after it was seen to be there.
    """
    address = {"carrier": "127.0.0.2", "backup": "127.0.0.3"}[name]
    process = pbx.running[name].pid

    def is_seen(state: str) -> bool:
        pbx.asterisk(f"pjsip qualify trunk-{name}")
        return any(
            state in line for line in pbx.asterisk("pjsip show contacts").splitlines() if address in line
        )

    os.kill(process, signal.SIGSTOP)
    try:
        pbx.until(lambda: is_seen("Unavail"))
        yield
    finally:
        os.kill(process, signal.SIGCONT)
        pbx.until(lambda: is_seen("Avail"))


async def test_a_port_scan_changes_nothing(alive: Pbx, runs: Runs) -> None:
    """A thousand connections to AGI and AMI that close at once: calls and the manager link go on."""
    ports = alive.settings.ports
    for _ in range(1_000):
        for port in (ports.agi, ports.ami):
            with (
                contextlib.suppress(TimeoutError),
                socket.create_connection(("127.0.0.1", port), timeout=0.05),
            ):
                pass  # a scan does not wait for a queue that is full
    assert await _call(alive, runs, "06641110070") == 200
    assert _last_end(alive)["by"] == "control"
    assert (await asyncio.to_thread(alive.status, "control"))["asterisk"] == "up"
