"""A whole machine without its PostgreSQL: phones, calls and mailboxes go on, changes are refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pbxcore import database, phones
from pbxcore.machine import asterisk
from pbxcore.machine.services import environment
from pbxcore.practice import sipp, tone
from pbxcore.status import status
from tests.acceptance.conftest import until_heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Pbx

RATED_LIMIT_S = 60.0
ROUNDS = 3  # calls of each direction, a dozen seconds of an outage
BRUNO, OUTSIDE = "+493055500111", "06641110050"
VOICE = 440  # Hz, what a phone of the second stack says
FOUR_SECONDS = 4 * 16_000  # bytes of 8 kHz, 16 bit; less is no message
Runs = list[sipp.Run]

pytestmark = pytest.mark.timeout(400)


def _pid(pbx: Pbx, name: str) -> int:
    """Give the process of a name, 0 while there is none."""
    processes = json.loads(pbx.settings.machine_file.read_text())["processes"]
    return int(processes[name][0]) if name in processes else 0


def _answers(pbx: Pbx) -> bool:
    async def asked() -> bool:
        with contextlib.suppress(*database.AWAY):
            connection = await database.connect(database.url_of(pbx.settings), application="test")
            await connection.close()
            return True
        return False

    return asyncio.run(asked())


@contextlib.contextmanager
def _outage(pbx: Pbx) -> Iterator[None]:
    """Kill PostgreSQL; it cannot start again until the block is left."""
    data, away = pbx.settings.state / "postgres", pbx.settings.state / "postgres.away"
    pbx.until(lambda: bool(_processes(pbx)))  # it may just have come back
    processes = _processes(pbx)
    data.rename(away)
    try:
        for one in processes:
            with contextlib.suppress(ProcessLookupError):  # a child ends by itself
                os.kill(one, signal.SIGKILL)
        pbx.until(lambda: not _answers(pbx))
        yield
    finally:
        away.rename(data)
        pbx.until(lambda: _answers(pbx))


def _processes(pbx: Pbx) -> list[int]:
    """Give the server's process and its children; nothing while there is none."""
    pid = _pid(pbx, "postgres")
    with contextlib.suppress(FileNotFoundError):
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    return []


@pytest.fixture
def cut_off(whole: Pbx) -> Iterator[Pbx]:
    """Give the machine without PostgreSQL."""
    with _outage(whole):
        yield whole


async def _apply(pbx: Pbx, file: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pbxcore", "apply", str(file), env=environment(pbx.settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return int(process.returncode or 0), said.decode()


async def _answered(caller: sipp.Run) -> None:
    try:
        said = await caller.wait()
    finally:
        await caller.end()
    assert max(m.status for m in said if m.method == "INVITE" and m.status != 401) == 200


async def _calls_go_on(pbx: Pbx, runs: Runs) -> None:
    """Register again, and call: inside, outside, and from outside."""
    anna, bruno = pbx.phone("p10"), pbx.phone("p11")
    await bruno.register()
    runs.append(await bruno.take(sipp.answering(ring_ms=50), calls=0))
    for _ in range(ROUNDS):
        await anna.register()
        for number in ("11", OUTSIDE):
            await _answered(await anna.call(number, talk_ms=100))
        await _answered(await pbx.carrier.call(BRUNO, port=pbx.port(), talk_ms=100))
    await runs.pop().end()


def _recorded(folder: Path) -> int:
    """Give the bytes of the longest recording so far."""
    return max((path.stat().st_size for path in folder.glob("*.wav")), default=0)


async def _back(pbx: Pbx, name: str, before: int) -> None:
    """Wait until a process that was killed is there again, and Asterisk and control know each other."""
    await asyncio.to_thread(pbx.until, lambda: _pid(pbx, name) not in (0, before))
    await asyncio.to_thread(pbx.until, lambda: pbx.status("control").get("asterisk") == "up")


async def test_phones_and_calls_go_on(cut_off: Pbx, runs: Runs, tmp_path: Path) -> None:
    """Registrations old and new, calls of every direction, also after control and Asterisk were killed."""
    found = await status(cut_off.settings)
    assert (found.database, found.asterisk.alive) == (False, True)
    await cut_off.phone("p12").register()  # nobody has asked for it before
    await _calls_go_on(cut_off, runs)
    for name in ("control", "asterisk"):
        before = _pid(cut_off, name)
        os.kill(before, signal.SIGKILL)
        await _back(cut_off, name, before)
        await _calls_go_on(cut_off, runs)
    changed = tmp_path / "acme.yaml"
    text = (cut_off.settings.config / "tenants" / "acme.yaml").read_text()
    changed.write_text(text.replace("timeout_s: 12", "timeout_s: 15"))
    code, said = await _apply(cut_off, changed)
    assert code == 3
    assert "nothing was changed" in said


async def test_mailboxes_go_on(cut_off: Pbx, runs: Runs) -> None:
    """A message is left, its lamp lights, and its owner gives the PIN and hears it."""
    inbox = asterisk.home(cut_off.settings) / "spool" / "voicemail" / "acme" / "10" / "INBOX"
    anna = cut_off.phone("p10")
    await anna.register()
    runs.append(watcher := await anna.subscribe("acme-p10", event="message-summary"))
    async with cut_off.baresip("p12") as clara:
        await clara.register()
        await clara.command("dial", "*9910")
        await clara.until("CALL_ESTABLISHED")
        await clara.command("sndcode", "#")  # enough of the greeting
        recording = inbox.with_name("tmp")
        await asyncio.to_thread(cut_off.until, lambda: _recorded(recording) > FOUR_SECONDS)
        await clara.command("hangup")
        await asyncio.to_thread(cut_off.until, (inbox / "msg0000.txt").exists)
    await watcher.until(method="NOTIFY", text="Messages-Waiting: yes")
    cut_off.log_prompts()
    async with cut_off.baresip("p10") as listening:
        await listening.register()
        await listening.command("dial", "*97")
        await asyncio.to_thread(cut_off.prompted, "vm-password")
        for key in (*phones.pin_of(cut_off.settings, "10@acme"), "#"):
            await listening.command("sndcode", key)
        await asyncio.to_thread(cut_off.prompted, "vm-youhave")
        await listening.command("sndcode", "1")  # the first new message
        await until_heard(listening, VOICE, 2.0)
        await listening.command("hangup")
        await listening.until("CALL_CLOSED")
        assert tone.heard(listening.heard(), (VOICE,)) == (VOICE,)


async def test_afterwards_changes_and_money_go_on_by_themselves(
    whole: Pbx, runs: Runs, tmp_path: Path
) -> None:
    """PostgreSQL is back: a change is in force, and every call of the outage is rated once."""
    with contextlib.ExitStack() as outage:
        await asyncio.to_thread(outage.enter_context, _outage(whole))
        await _calls_go_on(whole, runs)
        await asyncio.to_thread(outage.close)
    changed = tmp_path / "acme.yaml"
    text = (whole.settings.config / "tenants" / "acme.yaml").read_text()
    changed.write_text(text.replace("timeout_s: 12", "timeout_s: 15"))
    code, said = await _apply(whole, changed)
    assert code == 0, said
    sent = [r for r in whole.legs() if r[7] == "TRUNK_LEG" and r[1] == "USER_DEFINED"]
    connection = await database.connect(database.url_of(whole.settings), application="test")

    async def rated() -> int:
        return int(await connection.fetchval("SELECT count(*) FROM rated_leg"))

    try:
        deadline = time.monotonic() + RATED_LIMIT_S
        while (legs := await rated()) < len(sent):
            assert time.monotonic() < deadline, f"{legs} of {len(sent)} legs are rated"
            await asyncio.sleep(0.05)
        assert legs == len(sent) >= ROUNDS
    finally:
        await connection.close()
