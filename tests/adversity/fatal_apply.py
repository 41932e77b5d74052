"""`pbxcore apply` with a step at which something is killed; a program of `test_apply_killed.py`.

A step is whatever an apply does beyond its own memory: a statement to PostgreSQL or SQLite, a file opened for
writing, flushed, renamed or removed, a question to a process of ours. Python's own profiler sees each one
coming, so the product holds nothing of this, and a step that is added tomorrow is killed at, too.

Each line of standard input is an order, JSON; each is carried out in a fork and answered by one line.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import asyncpg  # noqa: F401 — imported before the forks
import uvloop  # noqa: F401 — as above

from pbxcore.cli import app

SQLITE = {"execute", "executemany", "executescript"}
FILES = {"fsync", "replace", "rename", "unlink", "mkdir"}


@dataclass
class Steps:
    """The steps seen so far, and what happens before one of them."""

    before: int
    happens: Callable[[], None]
    seen: list[str] = field(default_factory=list)
    known: set[FrameType] = field(default_factory=set)

    def watch(self, frame: FrameType, event: str, called: Any) -> None:  # noqa: ANN401 — a profiler's argument
        """Take what the interpreter does next."""
        step = _in_python(frame, self.known) if event == "call" else ""
        if event == "c_call":
            step = _in_c(frame, called)
        if step:
            self.seen.append(step)
            if len(self.seen) == self.before:
                self.happens()


def _in_python(frame: FrameType, known: set[FrameType]) -> str:
    """Name a step that is a function in Python, when it begins; a coroutine that goes on is none."""
    code, module = frame.f_code, frame.f_globals.get("__name__")
    if module == "asyncpg.connection" and code.co_name in {"execute", "_execute"}:
        local = frame.f_locals
        if frame in known or (code.co_name == "execute" and local.get("args")):
            return ""
        known.add(frame)
        lines = [line for line in str(local["query"]).splitlines() if not line.startswith("--")]
        return f"postgres {' '.join(lines)[:60]}"
    if module == "pbxcore.publication" and code.co_name == "ask" and frame not in known:
        known.add(frame)
        return f"ask {frame.f_locals['socket'].stem}"
    return ""


def _in_c(frame: FrameType, called: Any) -> str:  # noqa: ANN401 — as above
    name, owner = getattr(called, "__name__", ""), getattr(called, "__self__", None)
    if name in SQLITE and type(owner).__module__ == "sqlite3":
        return f"sqlite {name} in {frame.f_code.co_name}"
    if name in FILES and getattr(owner, "__name__", "") == "posix":
        return f"file {name} in {' of '.join(_ours(frame)[:2])}"
    return ""


def _ours(frame: FrameType | None) -> list[str]:
    """Name the functions of our own that lead to a frame, the last one first."""
    names = []
    while frame:
        if str(frame.f_globals.get("__name__")).startswith("pbxcore."):
            names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def carry_out(order: dict[str, Any]) -> None:
    """Run the command; the process does not come back."""
    os.dup2(os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.dup2(1, 2)
    steps = Steps(order["before"], lambda: _kill(order["kills"] or [os.getpid()]))
    sys.setprofile(steps.watch)
    code = 0
    try:
        app(order["command"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    sys.setprofile(None)
    sys.stdout.flush()
    if order["steps"]:
        Path(order["steps"]).write_text(json.dumps(steps.seen))
    os._exit(code)


def main() -> None:
    """Fork for each order and tell how it ended: exit code, or minus the signal."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            carry_out(order)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
