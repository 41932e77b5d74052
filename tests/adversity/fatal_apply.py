"""`pbxcore apply` with a step at which something is killed; a program of `test_apply_killed.py`.

Each line of standard input is an order, JSON; each is carried out in a fork and answered by one line.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg  # noqa: F401 — imported before the forks
import uvloop  # noqa: F401 — as above

from pbxcore.cli import app
from tests.adversity.fatal_steps import Steps


def _kill(server: int, kills: Sequence[int]) -> None:
    """Kill processes, having stopped a server and the processes that serve its sessions just then."""
    if server:
        os.kill(server, signal.SIGSTOP)  # from here on it has no new ones
        for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGSTOP)
    for pid in kills:
        os.kill(pid, signal.SIGKILL)


def carry_out(order: dict[str, Any]) -> None:
    """Run the command; the process does not come back."""
    os.dup2(os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.dup2(1, 2)
    steps = Steps(order["before"], lambda: _kill(order["stops"], order["kills"] or [os.getpid()]))
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
