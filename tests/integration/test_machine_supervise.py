"""The supervisor brings back what ends or falls silent, and takes everything with it when it goes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pbxcore.machine import supervise
from pbxcore.machine.supervise import FIRST_PAUSE_S, Child, ChildError, Crew, Event

SILENCE_S = 3.0  # a busy machine keeps a child from beating for a second
BEATING = (
    "import asyncio, os, sys\n"
    "from pbxcore.machine.heartbeat import beat\n"
    "async def main():\n"
    "    task = asyncio.create_task(beat())\n"
    "    while True:\n"
    "        await asyncio.sleep(0.05)\n"
    "        if os.path.exists(sys.argv[1]):\n"
    "            os.unlink(sys.argv[1]); import time; time.sleep(60)\n"
    "asyncio.run(main())\n"
)
# Beats once, is ready, and stands still in its start; then beats, unless it hangs.
STARTING = (
    "import asyncio, sys, time\n"
    "from pathlib import Path\n"
    "from pbxcore.machine.heartbeat import beat\n"
    "async def main():\n"
    "    task = asyncio.create_task(beat())\n"
    "    await asyncio.sleep(0)\n"
    "    Path(sys.argv[1]).touch()\n"
    "    time.sleep(float(sys.argv[2]))\n"
    "    Path(sys.argv[1]).with_suffix('.started').touch()\n"
    "    await asyncio.sleep(60)\n"
    "asyncio.run(main())\n"
)
TALKING = (
    "import itertools, sys, time\n"
    "file = open(sys.argv[1], 'a', buffering=1)\n"
    "for number in itertools.count():\n"
    "    for log in (sys.stdout, file):\n"
    "        print(f'{number:099}', file=log, flush=True)\n"
    "    time.sleep(0.001)\n"
)
STUBBORN = (
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', flush=True)\n"
    "time.sleep(60)\n"
)
PARENT = """
import asyncio, signal, sys
from pathlib import Path
from pbxcore.machine.supervise import Child, Crew

async def main():
    async with asyncio.TaskGroup() as group:
        crew = Crew(group, print)
        for name, orphan in (("gentle", signal.SIGTERM), ("hard", signal.SIGKILL)):
            log = Path(sys.argv[1]) / "log"
            await crew.start(Child(name=name, command=("sleep", "60"), log=log, orphan_signal=orphan))
        print(*crew.pids().values(), flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def child(tmp_path: Path, *command: str, **more: object) -> Child:
    """A child that logs into the test's folder."""
    return Child(name="dummy", command=command, log=tmp_path / "log" / "dummy.log", **more)  # type: ignore[arg-type]  # the test names them


async def soon(happened: Callable[[], bool], limit_s: float = 60.0) -> float:
    """Wait for something, at most so long; return how long it took."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < limit_s, "it did not happen"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether a process runs (one that only waits to be collected does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_one_that_cannot_start_ends_the_start_with_its_last_words(tmp_path: Path) -> None:
    """The error carries the code it ended with, its log's name, and the end of that."""
    with pytest.raises(ExceptionGroup) as group:
        async with asyncio.TaskGroup() as tasks:
            await Crew(tasks, print).start(child(tmp_path, "sh", "-c", "echo no such bread >&2; exit 3"))
    failure = group.value.exceptions[0]
    assert isinstance(failure, ChildError)
    assert "code 3" in failure.message
    assert "no such bread" in failure.remedy
    assert "dummy.log" in failure.remedy


async def test_one_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    """The limit is kept and the process is gone after it."""

    async def never(pid: int) -> bool:
        pids.append(pid)
        return False

    pids: list[int] = []
    with pytest.raises(ExceptionGroup) as group:
        async with asyncio.TaskGroup() as tasks:
            await Crew(tasks, print).start(child(tmp_path, "sleep", "60", ready=never, ready_limit_s=0.3))
    assert "not ready after 0.3 s" in str(group.value.exceptions[0])
    assert not alive(pids[0])


async def test_one_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """Twice killed, twice back, and each time it is told."""
    told: list[Event] = []
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, told.append)
        await crew.start(child(tmp_path, "sleep", "60"))
        for times in (1, 2):
            old = crew.pids()["dummy"]
            os.kill(old, signal.SIGKILL)
            await soon(lambda times=times: [event.what for event in told].count("works again") == times)  # type: ignore[misc]  # bound at once
            assert crew.pids()["dummy"] != old
        last = crew.pids()["dummy"]
        await crew.end()
    assert not alive(last)
    assert "SIGKILL" in told[0].what


async def test_logs_stay_small_while_who_writes_them_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output and its own file are put aside and go on with the next line, and nobody is restarted."""
    monkeypatch.setattr(supervise, "LOG_LIMIT_BYTES", 10_000)
    monkeypatch.setattr(supervise, "LOG_LOOK_S", 0.01)
    own, told = tmp_path / "messages", list[Event]()
    talking = child(tmp_path, sys.executable, "-c", TALKING, str(own), more_logs=(own,))
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, told.append)
        await crew.start(talking)
        for log in (talking.log, own):
            aside = log.with_name(f"{log.name}.1")
            await soon(lambda aside=aside: aside.exists() and aside.stat().st_size > 10_000)  # type: ignore[misc]  # bound at once
            await soon(lambda log=log: 0 < log.stat().st_size < 10_000)  # type: ignore[misc]  # bound at once
            assert len(log.read_text().splitlines()[0]) == len(f"{0:099}"), "no hole where it was"
        await crew.end()
    assert told == []


async def test_one_that_ends_again_and_again_is_started_ever_more_slowly(tmp_path: Path) -> None:
    """Pauses double: before it ends for the fourth time there were three, which nothing makes shorter."""
    told: list[Event] = []
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, told.append)
        await crew.start(child(tmp_path, "sleep", "0.15"))
        took = await soon(lambda: sum("starting" in event.what for event in told) == 4)
        await crew.end()
    assert took > (1 + 2 + 4) * FIRST_PAUSE_S


async def test_a_stuck_event_loop_is_killed_within_the_limit(tmp_path: Path) -> None:
    """So long without heartbeat: killed and back again, well before twice as long."""
    told: list[Event] = []
    hang = tmp_path / "hang"
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, told.append)
        await crew.start(child(tmp_path, sys.executable, "-c", BEATING, str(hang), heartbeat_s=SILENCE_S))
        first = crew.pids()["dummy"]
        await asyncio.sleep(SILENCE_S + 0.5)
        assert crew.pids()["dummy"] == first, "killed though it beat"
        hang.touch()
        await soon(lambda: not hang.exists())
        took = await soon(lambda: not alive(first))
        await soon(lambda: bool(told) and told[-1].what == "works again")
        await crew.end()
    assert SILENCE_S - 0.3 < took < 2 * SILENCE_S
    assert "no sign of life" in told[0].what


def starting(tmp_path: Path, stands_still_s: float, **more: object) -> Child:
    """One that is ready before it has started: the file it leaves is there, as a port is open."""
    open_port = tmp_path / "port"

    async def ready(pid: int) -> bool:
        del pid
        return open_port.exists()

    command = (sys.executable, "-c", STARTING, str(open_port), str(stands_still_s))
    return child(tmp_path, *command, ready=ready, **more)


async def test_to_start_is_not_to_be_silent(tmp_path: Path) -> None:
    """One that stands still in its start for longer than it may be silent later is not killed for it."""
    told: list[Event] = []
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, told.append)
        await crew.start(starting(tmp_path, 2 * SILENCE_S, heartbeat_s=SILENCE_S))
        assert (tmp_path / "port.started").exists(), "it is said to work before it has started"
        await crew.end()
    assert told == []


@pytest.mark.parametrize(
    ("stands_still_s", "limits"),
    [(60, {"ready_limit_s": 0.5}), (0, {"ready_limit_s": 60.0, "start_limit_s": 0.5, "ready": None})],
)
async def test_one_that_hangs_in_its_start_is_ended(
    tmp_path: Path, stands_still_s: float, limits: dict[str, object]
) -> None:
    """However long a start may take: silence in it has a limit, and one that beats and gets nowhere, too."""

    async def never(pid: int) -> bool:
        pids.append(pid)
        return False

    pids: list[int] = []
    hanging = starting(tmp_path, stands_still_s, heartbeat_s=SILENCE_S)
    hanging = replace(hanging, **{key: value or never for key, value in limits.items()})  # type: ignore[arg-type]  # the test names them
    with pytest.raises(ExceptionGroup) as group:
        async with asyncio.TaskGroup() as tasks:
            await Crew(tasks, print).start(hanging)
    assert "not ready after 0.5 s" in str(group.value.exceptions[0])
    assert not any(map(alive, pids))


async def test_the_end_comes_in_the_opposite_order_and_within_its_limit(tmp_path: Path) -> None:
    """The last started goes first; one that ignores the request is killed."""
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, print)
        first = child(tmp_path, "sleep", "60")
        await crew.start(first)
        log = tmp_path / "log" / "dummy.log"
        await crew.start(child(tmp_path, sys.executable, "-u", "-c", STUBBORN, stop_limit_s=0.3))
        await soon(lambda: "up" in log.read_text())
        pids = list(crew._lives)
        began = time.monotonic()
        await crew.end()
        await crew.end()
    assert 0.3 <= time.monotonic() - began < 30, "it would sleep for sixty"
    assert all(life.process is None for life in pids)


async def test_what_ends_while_others_are_ended_is_not_started_again(tmp_path: Path) -> None:
    """One that dies while a later one takes its time to end is neither brought back nor told of."""
    told: list[Event] = []
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, told.append)
        await crew.start(child(tmp_path, "sleep", "60"))
        (first,) = crew.pids().values()
        # The second ends the first when it is told to end, and only then itself.
        kills = f"trap 'kill -9 {first}; sleep 1; exit' TERM; echo up; while :; do sleep 0.05; done"
        last = replace(child(tmp_path, "bash", "-c", kills), name="last", log=tmp_path / "last.log")
        await crew.start(last)
        await soon(lambda: "up" in last.log.read_text())
        await crew.end()
    assert told == []
    assert not alive(first)


def test_nothing_survives_a_supervisor_that_was_killed(
    tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    """Kill -9 of the supervisor ends every child without anybody's help."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not any(alive(pid) for pid in pids))
