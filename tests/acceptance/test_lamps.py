"""Lamps of extensions and of mailboxes on a real Asterisk, as a phone that subscribes sees them."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore import phones, publication
from pbxcore.machine import asterisk
from pbxcore.practice import sipp

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Pbx

IDLE, RINGING, IN_USE = "<state>terminated</state>", "<state>early</state>", "<state>confirmed</state>"
THREE_SECONDS = 3 * 16_000  # bytes of 8 kHz, 16 bit
Runs = list[sipp.Run]


def _recorded(spool: Path) -> int:
    """Give the bytes of the longest recording so far."""
    return max((path.stat().st_size for path in spool.glob("*/*.wav")), default=0)


async def _sees(watcher: sipp.Run, text: str, after: float = 0.0) -> float:
    """Wait for a NOTIFY that says this, after an instant; give its own instant."""
    return (await watcher.until(method="NOTIFY", text=text, after=after)).at


def _is_followed(pbx: Pbx, endpoint: str) -> bool:
    return "Qualify frequency" in pbx.asterisk(f"pjsip show qualify aor {endpoint}")


@pytest.mark.row("X.2")
async def test_a_lamp_follows_a_phone(pbx: Pbx, runs: Runs) -> None:
    """Who watches an extension is told that it is idle, rings, talks and is idle again."""
    anna, bruno = pbx.phone("p10"), pbx.phone("p11")
    await anna.register()
    await bruno.register()
    runs.append(watcher := await pbx.phone("p13").subscribe("11"))
    idle = await _sees(watcher, IDLE)
    runs.append(await bruno.take(sipp.answering(ring_ms=300)))
    runs.append(caller := await anna.call("11", talk_ms=300))
    rings = await _sees(watcher, RINGING, idle)
    talks = await _sees(watcher, IN_USE, rings)
    await caller.wait()
    await _sees(watcher, IDLE, talks)


async def test_presence_shows_a_registered_phone_as_open(pbx: Pbx, runs: Runs) -> None:
    """A phone that asks for presence sees a registered extension as open, and on the phone while it talks."""
    anna, bruno = pbx.phone("p10"), pbx.phone("p11")
    await anna.register()
    await bruno.register()
    runs.append(watcher := await pbx.phone("p13").subscribe("11", event="presence"))
    ready = await _sees(watcher, "<basic>open</basic>")
    runs.append(await bruno.take(sipp.answering(ring_ms=100)))
    runs.append(caller := await anna.call("11", talk_ms=300))
    await _sees(watcher, "On the phone", ready)
    await caller.wait()


async def test_presence_follows_a_phone_that_was_added_later(pbx: Pbx, runs: Runs) -> None:
    """Who asks for presence sees a new extension close and open with its phone's registration."""
    changed = copy.deepcopy(pbx.tenant)
    changed["extensions"]["15"] = {"name": "Frieda", "devices": [{"device": "p15"}]}
    with pbx.in_force(changed):
        runs.append(watcher := await pbx.phone("p13").subscribe("15", event="presence"))
        closed = await _sees(watcher, "<basic>closed</basic>")
        frieda = pbx.phone("p15")
        await frieda.register()
        opened = await _sees(watcher, "<basic>open</basic>", closed)
        await frieda.register(expires_s=0)
        await _sees(watcher, "<basic>closed</basic>", opened)


async def test_presence_is_right_after_a_reload_of_sip(pbx: Pbx, runs: Runs) -> None:
    """When an operator's reload has made Asterisk forget whom it follows, it soon follows all again."""
    bruno = pbx.phone("p11")
    await bruno.register()
    pbx.until(lambda: _is_followed(pbx, "acme-p11"))
    pbx.stop("control")
    try:
        pbx.asterisk("module reload res_pjsip.so")
        assert not _is_followed(pbx, "acme-p11")
    finally:
        pbx.serve("control")
    pbx.until(lambda: _is_followed(pbx, "acme-p11"))
    runs.append(watcher := await pbx.phone("p13").subscribe("11", event="presence"))
    opened = await _sees(watcher, "<basic>open</basic>")
    await bruno.register(expires_s=0)
    await _sees(watcher, "<basic>closed</basic>", opened)


async def test_a_lamp_changes_with_the_plan(pbx: Pbx, runs: Runs) -> None:
    """A new phone lights the lamp that is watched already, a new extension has one, an old one's ends."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(watcher := await pbx.phone("p13").subscribe("11"))
    await _sees(watcher, IDLE)
    changed = copy.deepcopy(pbx.tenant)
    changed["extensions"]["11"]["devices"].append({"device": "p21"})
    changed["extensions"]["14"] = {"name": "Emil", "devices": [{"device": "p14"}]}
    with pbx.in_force(changed):
        added, emil = pbx.phone("p21"), pbx.phone("p14")
        for phone in (added, emil):
            await phone.register()
            runs.append(await phone.take(sipp.answering(ring_ms=300)))
        runs.append(second := await pbx.phone("p13").subscribe("14"))
        idle = await _sees(second, IDLE)
        runs.append(caller := await anna.call("11", talk_ms=300))
        await _sees(watcher, IN_USE)
        await caller.wait()
        runs.append(caller := await anna.call("14", talk_ms=300))
        rings = await _sees(second, RINGING, idle)
        await caller.wait()
    await _sees(second, "Subscription-State: terminated", rings)
    runs.append(late := await pbx.phone("p13").subscribe("14"))
    await late.until(status=404)


async def test_lamps_outlive_a_reload(pbx: Pbx, runs: Runs) -> None:
    """With nothing but the files, an extension is found with the phones it has now, and no other number."""
    pbx.asterisk("dialplan reload")  # what was told over the manager link is gone
    shown = pbx.asterisk("dialplan show lamps-acme")
    assert "'_1[0123]' =>" in shown
    assert "'13' =>" not in shown
    anna, doris = pbx.phone("p10"), pbx.phone("p13")
    await anna.register()
    await doris.register()
    runs.append(watcher := await pbx.phone("p11").subscribe("13"))
    idle = await _sees(watcher, IDLE)
    runs.append(await doris.take(sipp.answering(ring_ms=100)))
    runs.append(caller := await anna.call("13", talk_ms=300))
    await _sees(watcher, IN_USE, idle)
    await caller.wait()
    runs.append(nothing := await pbx.phone("p11").subscribe("19"))
    await nothing.until(status=404)


async def test_another_tenants_extension_shows_nothing(pbx: Pbx, runs: Runs) -> None:
    """A phone finds no lamp of another tenant, and one with the same number is its own tenant's."""
    other = {**pbx.tenant, "tenant": "beta", "numbers": {},
             "extensions": {"11": {"name": "Bea", "devices": ["p1"]},
                            "20": {"name": "Ben", "devices": ["p2"]}},
             "groups": {}}  # fmt: skip
    plan = build_plan(TenantSpec.model_validate(other), revision=1, trunks=())
    publication.write_plan(pbx.settings.published, plan)
    phones.publish(pbx.settings, plan)
    index = json.loads((pbx.settings.published / "index.json").read_text())
    index["tenants"]["beta"] = 1
    publication.write_aside(pbx.settings.published / "index.json", json.dumps(index))
    assert pbx.reload()["asterisk"] == "done"
    bea, ben = pbx.phone("p1", tenant="beta"), pbx.phone("p2", tenant="beta")
    await bea.register()
    await ben.register()
    runs.append(own := await bea.subscribe("20"))
    await _sees(own, IDLE)
    runs.append(stranger := await pbx.phone("p13").subscribe("20"))
    await stranger.until(status=404)
    anna, bruno = pbx.phone("p10"), pbx.phone("p11")
    await anna.register()
    await bruno.register()
    runs.append(theirs := await ben.subscribe("11"))
    await _sees(theirs, IDLE)
    runs.append(ours := await pbx.phone("p13").subscribe("11"))
    idle = await _sees(ours, IDLE)
    runs.append(await bruno.take(sipp.answering(ring_ms=100)))
    runs.append(caller := await anna.call("11", talk_ms=300))
    over = await _sees(ours, IDLE, await _sees(ours, IN_USE, idle))
    await caller.wait()
    called, calling = pbx.phone("p1", tenant="beta"), pbx.phone("p2", tenant="beta")
    await called.register()
    runs.append(await called.take(sipp.answering(ring_ms=100)))
    runs.append(caller := await calling.call("11", talk_ms=300))
    await _sees(theirs, IDLE, await _sees(theirs, IN_USE, over))
    await caller.wait()
    for watcher, until, since in ((theirs, over, 0.0), (ours, math.inf, over)):
        lit = [m.at for m in watcher.messages() if RINGING in m.text or IN_USE in m.text]
        assert not [at for at in lit if since < at < until], "a call of the other tenant"


async def _sent(run: sipp.Run, method: str, times: int) -> None:
    """Wait until a phone has sent a request so often."""
    at = 0.0
    for _ in range(times):
        at = (await run.until(method=method, after=at)).at


async def test_a_phone_subscribes_while_asterisk_is_slow(pbx: Pbx, runs: Runs) -> None:
    """Each copy that it has sent meanwhile is challenged by itself; none of the answers ends its watch."""
    anna = pbx.phone("p10")
    await anna.register()
    asterisk_pid = pbx.running["asterisk"].pid
    os.kill(asterisk_pid, signal.SIGSTOP)
    try:
        runs.append(watcher := await anna.subscribe("acme-p10", event="message-summary"))
        await _sent(watcher, "SUBSCRIBE", 3)
    finally:
        os.kill(asterisk_pid, signal.SIGCONT)
    await _sees(watcher, "Messages-Waiting: no")
    assert "BYE" not in [message.method for message in watcher.messages()]


async def test_a_message_lights_the_lamp_of_its_mailbox(pbx: Pbx, runs: Runs) -> None:
    """The message lamp goes on when a caller has left a message, and off when the message is gone."""
    anna = pbx.phone("p10")
    await anna.register()
    await anna.register(expires_s=0)  # nobody rings: the mailbox answers at once
    runs.append(watcher := await anna.subscribe("acme-p10", event="message-summary"))
    dark = await _sees(watcher, "Messages-Waiting: no")
    async with pbx.baresip("p11") as bruno:
        await bruno.register()
        await bruno.command("dial", "10")  # none of its phones is registered
        await bruno.until("CALL_ESTABLISHED")
        spool = asterisk.home(pbx.settings) / "spool" / "voicemail" / "acme" / "10"
        await asyncio.to_thread(pbx.until, lambda: _recorded(spool) > THREE_SECONDS)
        await bruno.command("hangup")
        lit = await _sees(watcher, "Messages-Waiting: yes", dark)
    message = re.findall(r"^msg_id=(\S+)", (spool / "INBOX" / "msg0000.txt").read_text(), re.MULTILINE)[0]
    pbx.asterisk(f"voicemail remove 10 acme INBOX {message}")
    await _sees(watcher, "Messages-Waiting: no", lit)
