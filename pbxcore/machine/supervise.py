"""Processes that are started, watched, restarted and ended together, and never outlive their supervisor.

Owns their lives: order of start and end, restarts, heartbeats, logs. Refuses to know what they do.

* A child dies with its supervisor, whatever kills that: the kernel signals it when its parent dies.
* A child that ends by itself is started again, at once if it had lived for a while, else after a pause that
  doubles up to 5 s. No attempt is the last: a telephone system that gives up is worse than one that tries.
* A child that has to show a heartbeat and does not is killed and started again.
* To start is not to be silent: a child that starts may stand still for as long as a start may take, and take
  longer while it beats. Its silence counts from its first beat after it is ready.
* One that cannot be started in the first place ends the whole start, with the end of its log.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pbxcore.machine.errors import MachineError
from pbxcore.machine.heartbeat import FD_VARIABLE, Pulse

STEADY_S = 10.0  # having lived so long, it is started again at once
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
CHECK_S = 0.05
SETTLED_S = 0.1  # what cannot start ends sooner
LONGEST_START_S = 300.0  # control reads a thousand plans in 6 s; in 43 s where twelve others want the core
WE_SLEPT_S = 0.5
LOG_LIMIT_BYTES = 20_000_000  # then it is put aside once: a log takes twice this, and a look's lines
LOG_LOOK_S = 60.0

Ready = Callable[[int], Awaitable[bool]]
"""Told the process id, answers whether that process does its work."""


class ChildError(MachineError):
    """A process that the machine needs does not start."""

    code = "child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process and what is expected of it.

    Attributes:
        name: for people, and of its log file.
        command: program and arguments.
        log: file that its output is appended to.
        more_logs: files that it appends to itself, and that are kept as small.
        environment: variables besides ours.
        folder: where it runs; ours if none is named.
        ready: whether it does its work; without it, being alive after 0.1 s is enough.
        ready_limit_s: how long that may take; where there is a heartbeat, the longest silence meanwhile.
        start_limit_s: how long it may take where there is a heartbeat, however much alive it seems.
        heartbeat_s: longest silence before it is killed, 0 for no heartbeat.
        stop_signal: what ends it in good order.
        stop_limit_s: how long that may take before it is killed.
        orphan_signal: what it gets when the supervisor dies without a word; 0 if its command cares for that.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    more_logs: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    ready: Ready | None = None
    ready_limit_s: float = 30.0
    start_limit_s: float = LONGEST_START_S
    heartbeat_s: float = 0.0
    stop_signal: int = signal.SIGTERM
    stop_limit_s: float = 10.0
    orphan_signal: int = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a child, for the screen and the log."""

    name: str
    what: str


Told = Callable[[Event], None]


class Crew:
    """The processes of one machine. Started one after the other, ended in the opposite order."""

    def __init__(self, group: asyncio.TaskGroup, told: Told) -> None:
        self._group = group
        self._told = told
        self._lives: list[_Life] = []
        self._logs: asyncio.Task[None] | None = None

    async def start(self, child: Child) -> None:
        """Start a child and wait until it does its work; from then on it is kept alive.

        Raises:
            ChildError: it does not start; its remedy is the end of its log.
        """
        life = _Life(child, self._told)
        self._lives.append(life)
        if self._logs is None:
            self._logs = self._group.create_task(self._keep_logs_small(), name="keep logs small")
        await life.begin()
        life.task = self._group.create_task(life.keep(), name=f"keep {child.name}")

    async def start_together(self, children: Sequence[Child]) -> None:
        """Start several at once and wait for all.

        Raises:
            ChildError: one does not start; the first of them.
        """
        tasks = [asyncio.create_task(self.start(child), name=f"start {child.name}") for child in children]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def pids(self) -> dict[str, int]:
        """Return name → process id of those that run."""
        return {life.child.name: life.process.pid for life in self._lives if life.process is not None}

    async def end(self) -> None:
        """End all, the last started first, each within its limit. Safe to call more than once.

        None is brought back any more: what ends while others are ending is not started, and not told, again.
        """
        if self._logs is not None:
            self._logs.cancel()
        for life in self._lives:
            await life.leave()
        while self._lives:
            await self._lives[-1].end()
            self._lives.pop()

    async def _keep_logs_small(self) -> None:
        while True:
            await asyncio.sleep(LOG_LOOK_S)
            for child in [life.child for life in self._lives]:
                for log in (child.log, *child.more_logs):
                    await asyncio.to_thread(_put_aside, log)


class _Life:
    """One child over all its restarts."""

    def __init__(self, child: Child, told: Told) -> None:
        self.child = child
        self.process: asyncio.subprocess.Process | None = None
        self.task: asyncio.Task[None] | None = None
        self._told = told
        self._pulse: Pulse | None = None
        self._pause_s = 0.0
        self._born = 0.0

    async def begin(self) -> None:
        await self._spawn()
        problem = await self._until_ready()
        if problem:
            await self._kill()
            raise ChildError(f"{self.child.name} {problem}", _last_lines(self.child.log))

    async def keep(self) -> None:
        """Watch until cancelled; bring it back whenever it is gone."""
        problem = ""
        while True:
            why = problem or await self._until_gone()
            await self._kill()
            self._told(Event(self.child.name, f"{why}; starting it again"))
            await asyncio.sleep(self._next_pause())
            await self._spawn()
            problem = await self._until_ready()
            if not problem:
                self._told(Event(self.child.name, "works again"))

    def _next_pause(self) -> float:
        lived = time.monotonic() - self._born
        self._pause_s = (
            0.0 if lived > STEADY_S else min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        )
        return self._pause_s

    async def leave(self) -> None:
        """Watch it no more."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def end(self) -> None:
        await self.leave()
        process = self.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.child.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self.child.stop_limit_s)
        await self._kill()

    async def _spawn(self) -> None:
        child = self.child
        child.log.parent.mkdir(parents=True, exist_ok=True)
        self._pulse = Pulse() if child.heartbeat_s else None
        environment = {**os.environ, **child.environment}
        if self._pulse is not None:
            environment[FD_VARIABLE] = str(self._pulse.write)
        with child.log.open("ab") as log:
            try:
                self.process = await asyncio.create_subprocess_exec(
                    *_with_death_signal(child.orphan_signal),
                    *child.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    cwd=child.folder,
                    pass_fds=() if self._pulse is None else (self._pulse.write,),
                    start_new_session=True,  # Ctrl-C is ours to hear; we end the others in order
                )
            finally:
                if self._pulse is not None:
                    self._pulse.child_has_it()

    async def _until_ready(self) -> str:
        """Wait until the child works; return what went wrong, empty for nothing.

        A port answers as soon as it is open, whatever its process does next. So one with a heartbeat has to
        beat once more: from there on its silence counts, and nothing that it did before.
        """
        process = self._living()
        self._born = time.monotonic()
        ready_at: float | None = None
        while True:
            if process.returncode is not None:
                return f"ended at once ({_ended(process.returncode)})"
            if ready_at is None and self._has_settled() and await self._is_ready(process.pid):
                ready_at = time.monotonic()
            if ready_at is not None and (self._pulse is None or self._pulse.beat_since(ready_at)):
                return ""
            if problem := self._takes_too_long():
                return problem
            await asyncio.sleep(CHECK_S)

    def _has_settled(self) -> bool:
        if self._pulse is None:
            return time.monotonic() - self._born > SETTLED_S
        return self._pulse.beat_since(self._born)

    async def _is_ready(self, pid: int) -> bool:
        return self.child.ready is None or await self.child.ready(pid)

    def _takes_too_long(self) -> str:
        """Say by which limit a start has failed; empty while it has not."""
        child, age = self.child, time.monotonic() - self._born
        beats = self._pulse is not None and self._pulse.beat_since(self._born)
        silent = self._pulse.silent_for() if self._pulse is not None and beats else age
        if silent > child.ready_limit_s:
            return f"was not ready after {child.ready_limit_s:g} s"
        if age > child.start_limit_s:
            return f"was not ready after {child.start_limit_s:g} s"
        return ""

    async def _until_gone(self) -> str:
        """Wait until the child has ended or fallen silent; return which."""
        process = self._living()
        if self._pulse is None:
            return _ended(await process.wait())
        while process.returncode is None:
            before = time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), CHECK_S)
            # A supervisor that was stopped itself listens first, before it judges others.
            we_slept = time.monotonic() - before > WE_SLEPT_S
            if not we_slept and self._pulse.silent_for() > self.child.heartbeat_s:
                return f"gave no sign of life for {self.child.heartbeat_s:g} s"
        return _ended(process.returncode)

    async def _kill(self) -> None:
        """End what is left of the child and of anything it started."""
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    def _living(self) -> asyncio.subprocess.Process:
        assert self.process is not None, "spawned before"
        return self.process


def _with_death_signal(number: int) -> tuple[str, ...]:
    if not number:
        return ()
    return ("setpriv", "--pdeathsig", signal.Signals(number).name.removeprefix("SIG"), "--")


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _put_aside(log: Path) -> None:
    """Copy and empty a log that has become large; whoever has it open appends, and goes on in what is empty.

    A line that is written between the two is lost. A disk that is full, or a folder that may not be written,
    is no reason to end anything.
    """
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_LIMIT_BYTES:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def _last_lines(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2_000))
        lines = [line.strip(" |+-") for line in file.read().decode(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "nothing at all")
    return f"{log} ends with: {last}"
