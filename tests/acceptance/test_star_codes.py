"""Codes that users dial on a real Asterisk: what they switch holds for the next call, whoever decides it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pbxcore import switches
from pbxcore.practice import sipp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
BRUNO = "+493055500111"
MOBILE = "+496641110007"
SAID = "Diversion: <sip:+4933112345@x.y>;reason=user-busy;counter=3\n"
CONFIRM_MS = 6_000  # more than two words take; Asterisk hangs up after them


@pytest.fixture
def clear(pbx: Pbx) -> Iterator[Pbx]:
    """Give the PBX with both deciding processes alive; what a test switches is cleared after it."""
    for name in ("control", "standby"):
        if name not in pbx.running:
            pbx.serve(name)
    pbx.until(lambda: pbx.status("control").get("asterisk") == "up")
    yield pbx
    pbx.clear_switches("acme")
    pbx.forget_help()


def _final(said: tuple[sipp.SipMessage, ...]) -> int:
    return max(m.status for m in said if m.method == "INVITE" and m.status != 401)


async def _dial(pbx: Pbx, runs: Runs, device: str, number: str) -> int:
    """Dial from a phone and give the final status."""
    phone = pbx.phone(device)
    await phone.register()
    runs.append(run := await phone.call(number, talk_ms=CONFIRM_MS))
    return _final(await run.wait())


async def _call_in(pbx: Pbx, runs: Runs, number: str, headers: str = "") -> tuple[sipp.SipMessage, ...]:
    """Let the carrier bring a call."""
    runs.append(run := await pbx.carrier.call(number, port=pbx.port(), talk_ms=500, headers=headers))
    return await run.wait()


async def test_a_forward_by_star_code_is_paid_by_who_forwards(clear: Pbx, runs: Runs) -> None:
    """Baresip dials *72 and a mobile, the next call goes there, *73 takes it back; the far end sees why."""
    since = len(clear.decisions())
    async with clear.baresip("p11") as bruno:
        await bruno.register()
        await bruno.command("dial", switched := f"*720{MOBILE.removeprefix('+49')}")
        await bruno.until("CALL_ESTABLISHED")
        await bruno.until("CALL_CLOSED")  # Asterisk hangs up when it has said so
        asked = clear.decided(since=since, dialled=switched)
        assert clear.end_of(asked["call"])["outcome"] == "answered"
        assert [one["value"] for one in asked["decision"]["changes"]] == [f"number {MOBILE}"]
        await _call_in(clear, runs, BRUNO)
        asked = clear.decided(since=since, dialled=BRUNO)
        assert clear.end_of(asked["call"])["outcome"] == "answered"
        (leg,) = clear.trunk_legs(asked["linkedid"])
        assert (leg["payer"], leg["why"], leg["num"]) == ("acme/11", "forward", MOBILE)
    *_others, invite = (m for m in clear.far_end(MOBILE) if m.start.startswith("INVITE"))
    domain = invite.header("P-Asserted-Identity").split("@")[1].rstrip(">")
    assert invite.header("Diversion") == f"<sip:{BRUNO}@{domain}>;reason=unconditional;counter=1"
    assert invite.header("History-Info") == (
        f"<sip:{BRUNO}@{domain}>;index=1, <sip:{MOBILE}@{domain};cause=302>;index=1.1;mp=1"
    )
    assert await _dial(clear, runs, "p11", "*73") == 200
    async with clear.baresip("p11", answers=True) as bruno:
        await bruno.register()
        await _call_in(clear, runs, BRUNO)
        await bruno.until("CALL_ESTABLISHED")


async def test_codes_work_while_control_is_dead(clear: Pbx, runs: Runs) -> None:
    """The standby takes the code and obeys it; so does control as soon as it is back."""
    clear.stop("control", signal.SIGKILL)
    since = len(clear.decisions("standby"))
    assert await _dial(clear, runs, "p11", "#21#") == 200
    switched = f"*21*0{MOBILE.removeprefix('+49')}#"
    assert await _dial(clear, runs, "p11", switched) == 200
    assert clear.end_of(clear.decided("standby", since=since, dialled=switched)["call"])["by"] == "standby"
    await _call_in(clear, runs, BRUNO)
    asked = clear.decided("standby", since=since, dialled=BRUNO)
    clear.end_of(asked["call"])
    (leg,) = clear.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["num"]) == ("acme/11", MOBILE)
    clear.serve("control")
    clear.until(lambda: clear.status("control").get("asterisk") == "up")
    since = len(clear.decisions())
    await _call_in(clear, runs, BRUNO)
    because = clear.decided(since=since, dialled=BRUNO)["decision"]["because"]
    assert because[1]["rule"] == "switches.11.forward-always"


async def test_who_logs_out_of_groups_leaves_no_global_variable(clear: Pbx, runs: Runs) -> None:
    """Each call walks all of these: after the first one to log out there are no more, whoever does."""
    known = []
    for device, code in (("p10", "*50"), ("p10", "*5060"), ("p11", "*50"), ("p11", "*5060")):
        assert await _dial(clear, runs, device, code) == 200
        known.append(re.findall(r"^ +([^=]+)=", clear.asterisk("dialplan show globals"), re.MULTILINE))
    assert "LEFT" in known[0]
    assert known == [known[0]] * len(known)


async def test_nobody_hears_a_confirmation_of_nothing(clear: Pbx, runs: Runs) -> None:
    """Neither process can keep the change: the code's call fails as ours, and nothing is switched."""
    assert await _dial(clear, runs, "p11", "*79") == 200
    before = len(clear.legs())
    with contextlib.closing(sqlite3.connect(clear.settings.switches_db, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert await _dial(clear, runs, "p11", "*78") >= 500
    await asyncio.to_thread(clear.until, lambda: bool(clear.ends_since(before)))
    assert clear.ends_since(before) == ["outcome=ours|by=constant|version=|reason=no-decision"]
    assert list(switches.read(clear.settings.switches_db).of("acme", datetime.now(UTC))) == []


async def test_a_302_obeys_what_is_switched(clear: Pbx, runs: Runs) -> None:
    """Sent on by a phone to a forwarded extension, that one pays; to an undisturbed one, the call is busy."""
    bruno, server = clear.phone("p11"), clear.server[0]
    await bruno.register()
    headers = f"Contact: <sip:13@{server}>\n"
    scenario = sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=headers)
    runs.append(await bruno.take(scenario, calls=0))
    assert await _dial(clear, runs, "p13", f"*720{MOBILE.removeprefix('+49')}") == 200
    since = len(clear.decisions())
    await _call_in(clear, runs, BRUNO)
    asked = clear.decided(since=since, origin="forward", dialled="13")
    await asyncio.to_thread(clear.until, lambda: bool(clear.trunk_legs(asked["linkedid"])))
    (leg,) = clear.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["num"]) == ("acme/13", MOBILE)
    assert await _dial(clear, runs, "p13", "*73") == 200
    assert await _dial(clear, runs, "p13", "*78") == 200
    since = len(clear.decisions())
    await _call_in(clear, runs, BRUNO)
    steps = clear.decided(since=since, origin="forward", dialled="13")["decision"]["steps"]
    assert (steps[0]["do"], steps[0]["reason"]) == ("reject", "busy")


async def test_after_a_302_the_far_end_sees_who_calls(clear: Pbx, runs: Runs) -> None:
    """Not the phone that sent it on: that diverted it, once, behind what the carrier said of others."""
    bruno, server = clear.phone("p11"), clear.server[0]
    await bruno.register()
    headers = f"Contact: <sip:{MOBILE}@{server}>\n"
    scenario = sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=headers)
    runs.append(await bruno.take(scenario, calls=0))
    seen = []
    for caller, said in (("+4940123456", ""), ("anonymous", ""), ("+4940123456", SAID)):
        before = len(clear.far_end(MOBILE))
        call = await clear.carrier.call(BRUNO, port=clear.port(), caller=caller, talk_ms=500, headers=said)
        runs.append(call)
        await call.wait()
        invite = sipp.first(clear.far_end(MOBILE)[before:], "INVITE")
        diversions = [line for line in invite.text.splitlines() if line.startswith("Diversion")]
        counts = [int(line.rpartition("=")[2]) for line in diversions]
        seen.append((invite.header("From").partition("sip:")[2].partition("@")[0], counts))
    assert seen == [("+4940123456", [1]), ("anonymous", [1]), ("+4940123456", [1, 3])]
    since = len(clear.decisions())
    await _call_in(clear, runs, BRUNO, SAID.replace("counter=3", "counter=5"))
    assert clear.decided(since=since, dialled=BRUNO)["decision"]["steps"][0]["reason"] == "loop"


async def test_who_called_for_help_is_called_back_past_do_not_disturb(clear: Pbx, runs: Runs) -> None:
    """For a while the phone rings for whoever calls the number that its emergency call showed."""
    since = len(clear.decisions())
    assert await _dial(clear, runs, "p11", "*78") == 200
    assert _final(await _call_in(clear, runs, BRUNO)) == 486
    assert await _dial(clear, runs, "p11", "112") == 200
    async with clear.baresip("p11", answers=True) as bruno:
        await bruno.register()
        run = await clear.carrier.call(f"00{BRUNO[1:]}", port=clear.port(), caller="anonymous", talk_ms=500)
        runs.append(run)
        assert _final(await run.wait()) == 200
        await bruno.until("CALL_ESTABLISHED")
    assert clear.decided(since=since, dialled=f"00{BRUNO[1:]}")["facts"]["helped"] == "acme-p11"
    clear.asterisk(f"database put help {BRUNO[1:]} 1000000000/acme-p11")
    assert _final(await _call_in(clear, runs, BRUNO)) == 486


@pytest.mark.parametrize(
    ("headers", "numbers", "count"),
    [
        ("Diversion: <sip:+49331@x.y>;reason=user-busy;counter=3, <sip:+49332@x.y>;reason=no-answer\n",
         ["+49331", "+49332"], 4),
        ('Diversion: <sip:+49331@x.y>;reason=user-busy\nDiversion: "X" <sip:+49332@x.y>\n',
         ["+49331", "+49332"], 2),
        ("History-Info: <sip:+49331@x.y?Reason=SIP%3Bcause%3D302>;index=1, <sip:+4930@x.y>;index=1.1\n",
         ["+49331"], 1),
        ("History-Info: <sip:+49331@x.y>;index=1\nHistory-Info: <sip:+4930@x.y;cause=302>;index=1.1;mp=1\n",
         ["+49331"], 1),
        ('Diversion: <sip:${SHELL(id)},PBX_OK=1")$@x.y>;reason="\\,|^~"\n', [], 1),
    ],
    ids=["one-header", "two-headers", "rfc4244", "rfc7044", "hostile"],
)  # fmt: skip
async def test_what_a_carrier_says_of_diversions_reaches_the_decision(
    clear: Pbx, runs: Runs, headers: str, numbers: list[str], count: int
) -> None:
    """All of both headers; what could break a line does not."""
    since = len(clear.decisions())
    await _call_in(clear, runs, "+493055500199", headers)
    facts = clear.decided(since=since, dialled="+493055500199")["facts"]
    assert (facts["diversions"][: len(numbers)], facts["diversion_count"]) == (numbers, count)


async def test_the_count_is_kept_through_the_trunk(clear: Pbx, runs: Runs) -> None:
    """Who diverted before goes out again behind us, with the count; the fifth diversion is the last."""
    switched = f"*720{MOBILE.removeprefix('+49')}"
    assert await _dial(clear, runs, "p11", switched) == 200
    before = len(clear.far_end(MOBILE))
    await _call_in(clear, runs, BRUNO, "Diversion: <sip:+4933112345@x.y>;reason=user-busy;counter=3\n")
    invite = sipp.first(clear.far_end(MOBILE)[before:], "INVITE")
    lines = [line for line in invite.text.splitlines() if line.startswith(("Diversion", "History-Info"))]
    domain = invite.header("P-Asserted-Identity").split("@")[1].rstrip(">")
    history = (
        f"<sip:+4933112345@{domain}>;index=1, <sip:{BRUNO}@{domain};cause=404>;index=1.1;mp=1, "
        f"<sip:{MOBILE}@{domain};cause=302>;index=1.1.1;mp=1.1"
    )
    assert lines == [
        f"Diversion: <sip:{BRUNO}@{domain}>;reason=unconditional;counter=1",
        f"Diversion: <sip:+4933112345@{domain}>;reason=unknown;counter=3",
        f"History-Info: {history}",
    ]
    since = len(clear.decisions())
    said = await _call_in(clear, runs, BRUNO, "Diversion: <sip:+4933112345@x.y>;counter=5\n")
    assert _final(said) == 603
    assert clear.decided(since=since, dialled=BRUNO)["decision"]["steps"][0]["reason"] == "loop"
