"""`pbxcore run`, started as a user starts it: up, known to other commands, stopped, nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
START_LIMIT_S = 180
NAMES = {"postgres", "control", "standby", "rater", "web", "asterisk", "carrier-carrier"}
Start = Callable[..., "Started"]


class Started:
    """A `pbxcore run`, what it printed, and every process that came from it."""

    def __init__(self, folder: Path, root: Path, **variables: str) -> None:
        self.state, self.ready, self.output = folder / "state", folder / "ready", folder / "output"
        self.state.mkdir(exist_ok=True)
        if not (self.state / "asterisk-root").exists():
            (self.state / "asterisk-root").symlink_to(root)
        self.mark = f"PBXCORE_TEST_MARK={folder}"
        places = ["--state", str(self.state), "--ready-file", str(self.ready)]
        command = [sys.executable, "-m", "pbxcore", "run", *places]
        environment = {**os.environ, "PBXCORE_TEST_MARK": str(folder), **variables}
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
            )

    def up(self) -> dict[str, Any]:
        """Wait until everything works; return what the ready file says."""
        deadline = time.monotonic() + START_LIMIT_S
        while not self.ready.exists():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)
        return dict(json.loads(self.ready.read_text()))

    def end(self, how: int) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(how)
        return self.process.wait(60)

    def said(self) -> str:
        """Return everything it printed."""
        return self.output.read_text()

    def left(self) -> list[str]:
        """Return the command lines of all processes that carry our mark: whatever came from it."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue  # it ended meanwhile, or is somebody else's
        return found


@pytest.fixture
def start(short_path: Path, debian_root: Path) -> Iterator[Start]:
    """Give a function that starts a machine in a named folder; all have ended when the test has."""
    machines: list[Started] = []

    def begin(name: str = "one", **variables: str) -> Started:
        folder = short_path / name
        folder.mkdir(exist_ok=True)
        machines.append(Started(folder, debian_root, **variables))
        return machines[-1]

    yield begin
    for machine in machines:
        if machine.process.poll() is None:
            machine.end(signal.SIGTERM)


def test_a_port_set_on_purpose_and_taken_is_one_line(
    start: Start, free_ports: Callable[[int], list[int]]
) -> None:
    """What and what to do about it, exit code 3, and nothing was started."""
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        machine = start(PBXCORE_PORTS__HTTP=str(port))
        assert machine.process.wait(60) == 3
    assert f"port {port} (http)" in machine.said()
    assert "PBXCORE_PORTS__HTTP" in machine.said()
    assert not (machine.state / "postgres").exists()
    assert machine.left() == []


def test_an_asterisk_that_is_not_there_is_one_line(start: Start) -> None:
    """Asked for the machine's own where there is none: the remedy names the setting."""
    machine = start(PBXCORE_ASTERISK="own", PATH="/usr/bin:/bin")
    if Path("/usr/sbin/asterisk").exists():
        machine.up()
        return
    assert machine.process.wait(60) == 3
    assert "PBXCORE_ASTERISK=auto" in machine.said()
    assert machine.left() == []


def test_documents_with_mistakes_do_not_start(start: Start, short_path: Path) -> None:
    """The first start applies all documents or none, and lists every mistake with its line."""
    (short_path / "config" / "tenants").mkdir(parents=True)
    (short_path / "config" / "tenants" / "bad.yaml").write_text("version: 1\ntenant: bad\nnumbres: {}\n")
    machine = start(PBXCORE_CONFIG=str(short_path / "config"))
    assert machine.process.wait(60) == 1
    assert re.search(r"^ *3 +✗ .*numbres", machine.said(), re.MULTILINE)
    assert "numbers" in machine.said(), "what was meant is suggested"
    assert machine.left() == []


def test_a_machine_lives_and_leaves_nothing(
    start: Start, until: Callable[[Callable[[], bool]], None]
) -> None:
    """Up with every process; the screen says who and where; other commands find it; Ctrl-C ends all of it."""
    machine = start()
    described = machine.up()
    assert set(described["processes"]) == NAMES
    until(lambda: "Ctrl-C" in machine.said())
    screen = machine.said()
    assert re.search(r"acme-p10 +[a-z0-9]{12,} +10 ", screen)
    assert "contract acme" in screen, "what is in config/contracts is stored at the first start, too"
    assert f"127.0.0.1:{described['ports']['sip']}" in screen
    assert f"http://127.0.0.1:{described['ports']['http']}" in screen
    again = start()
    assert again.process.wait(60) == 3
    assert f"process {machine.process.pid}" in again.said()
    assert machine.end(signal.SIGINT) == 0
    assert machine.left() == []
    assert not (machine.state / "run").exists()
    assert not (machine.state / "machine.json").exists()
    assert not machine.ready.exists()


def test_two_copies_run_side_by_side(start: Start) -> None:
    """Without a word of configuration: no port in common, and whoever moved says so."""
    first = start("one")
    ports = first.up()["ports"]
    second = start("two")
    others = second.up()["ports"]
    assert not set(ports.values()) & set(others.values())
    assert (
        "moved by" in first.said() + second.said()
    )  # the usual ports may be another's when the first starts
    assert second.end(signal.SIGTERM) == 0
    assert first.process.poll() is None
    assert first.end(signal.SIGTERM) == 0


def test_after_kill_nine_the_next_start_is_whole(
    start: Start, until: Callable[[Callable[[], bool]], None]
) -> None:
    """Nothing of a killed machine survives it, and the second start makes no server and no ports anew."""
    machine = start()
    ports = machine.up()["ports"]
    machine.process.kill()
    machine.process.wait()
    until(lambda: machine.left() == [])
    machine.ready.unlink()
    made = (machine.state / "postgres" / "PG_VERSION").stat().st_mtime_ns
    second = start()
    assert second.up()["ports"] == ports
    assert (machine.state / "postgres" / "PG_VERSION").stat().st_mtime_ns == made
    assert second.end(signal.SIGTERM) == 0
    assert second.left() == []


def test_a_killed_process_comes_back(start: Start, until: Callable[[Callable[[], bool]], None]) -> None:
    """Control killed or stopped, Asterisk killed: each is there again, and the screen says so."""
    machine = start()
    pids = {name: pid for name, (pid, _) in machine.up()["processes"].items()}
    os.kill(pids["control"], signal.SIGSTOP)
    os.kill(pids["asterisk"], signal.SIGKILL)
    until(lambda: "control works again" in machine.said() and "asterisk works again" in machine.said())
    assert "control gave no sign of life" in machine.said()
    assert machine.end(signal.SIGINT) == 0
    assert machine.left() == []
