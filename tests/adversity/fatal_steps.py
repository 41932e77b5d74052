"""The steps of a process that a test may kill it at, or another one.

A step is whatever a process does beyond its own memory: a statement to PostgreSQL or SQLite, a file flushed,
renamed or removed, a question to a process of ours, an action of Asterisk's manager. Python's own profiler
sees each one coming, so the product holds nothing of this, and a step that is added tomorrow counts, too.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

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
    if frame not in known and module == "pbxcore.publication" and code.co_name == "ask":
        known.add(frame)
        return f"ask {frame.f_locals['socket'].stem}"
    if frame not in known and module == "pbxcore.control.ami" and code.co_name == "action":
        known.add(frame)
        return f"manager {frame.f_locals['name']}"
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


@dataclass
class OnReload:
    """Kills a deciding process at a step of its next reload, as an order says that lies in a file.

    The order counts for one reload: the process that comes after it lives.
    """

    order: Path
    steps: Steps | None = None
    reload: FrameType | None = None
    known: set[FrameType] = field(default_factory=set)

    def watch(self, frame: FrameType, event: str, called: Any) -> None:  # noqa: ANN401 — a profiler's argument
        """Take what the interpreter does next."""
        if event == "call" and frame.f_code.co_name == "_reload" and frame not in self.known:
            self.known.add(frame)
            if self.order.exists():
                self.steps = Steps(json.loads(self.order.read_text())["before"], _die)
                self.order.unlink()
                self.reload = frame
        if event == "return" and frame is self.reload and isinstance(called, dict):
            self.steps = None  # it has answered; until then it returned to the loop, with nothing or a future
        if self.steps:
            before = len(self.steps.seen)
            self.steps.watch(frame, event, called)
            if len(self.steps.seen) > before:
                self.order.with_suffix(".seen").write_text(json.dumps(self.steps.seen))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(order: Path) -> None:
    """Watch this process, in all its threads."""
    watch = OnReload(order).watch
    threading.setprofile(watch)
    sys.setprofile(watch)
