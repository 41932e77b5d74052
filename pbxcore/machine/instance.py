"""One machine per state folder: who runs on it, with what, and that nothing of it stays behind.

Owns the lock, the folder of sockets and `<state>/machine.json`, from which other commands learn how to reach
the running machine. Refuses a second machine on the same state.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pbxcore.machine.errors import FolderError, RunningError
from pbxcore.publication import write_aside
from pbxcore.settings import Settings

LOCK = "run.lock"
LEFTOVER_LIMIT_S = 5.0  # what a killed machine's processes get to end by themselves


@dataclass(slots=True)
class Instance:
    """The running machine as other commands see it.

    Attributes:
        settings: with the ports and the database that are really used.
        asterisk: version and origin, for people.
        up: whether everything works.
        processes: name → process id.
    """

    settings: Settings
    asterisk: str = ""
    up: bool = False
    processes: Mapping[str, int] = field(default_factory=dict)

    def write(self) -> None:
        """Write it down, whole."""
        write_aside(self.settings.machine_file, json.dumps(self.as_json(), indent=1) + "\n")

    def as_json(self) -> dict[str, object]:
        """Return what stands in the file."""
        settings = self.settings
        return {
            "format": 1,
            "pid": os.getpid(),
            "up": self.up,
            "asterisk": self.asterisk,
            "bind": settings.bind,
            "ports": settings.ports.model_dump(),
            "database": settings.database,
            "trunks": [trunk.model_dump() for trunk in settings.trunks],
            "routes": [route.model_dump() for route in settings.routes],
            "state": str(settings.state),
            "processes": {name: [pid, _born(pid)] for name, pid in self.processes.items()},
        }


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the state folder and make the folder of sockets; remove what must not stay.

    Raises:
        FolderError: it cannot be made.
        RunningError: another machine holds it.
    """
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
    except OSError as unmade:
        raise FolderError(
            f"the state folder {settings.state} cannot be made: {unmade.strerror}",
            "name another one: PBXCORE_STATE=<folder>, or --state",
        ) from unmade
    with (settings.state / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            raise RunningError(
                f"pbxcore runs on {settings.state.absolute()} already (process {pid})",
                f"stop it with Ctrl-C or `kill {pid}`, or use another folder: PBXCORE_STATE=<folder>",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        end_leftovers(settings.machine_file)
        make_private(settings.run_dir)
        try:
            yield
        finally:
            settings.machine_file.unlink(missing_ok=True)
            shutil.rmtree(settings.run_dir, ignore_errors=True)
            lock.truncate(0)


def end_leftovers(machine_file: Path) -> None:
    """Wait for the processes of a machine that was killed; end those that stay.

    A process is known by its id and the instant it was born, so that nobody else's is ever touched.
    """
    try:
        processes = json.loads(machine_file.read_text())["processes"]
    except (FileNotFoundError, ValueError, KeyError):
        return
    deadline = time.monotonic() + LEFTOVER_LIMIT_S
    left = [pid for pid, born in processes.values() if born and _born(pid) == born]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [pid for pid, born in processes.values() if born and _born(pid) == born]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def make_private(folder: Path) -> None:
    """Make a folder that only this user may enter; refuse one that somebody else made in our place."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid():
        raise RunningError(f"{folder} belongs to somebody else", "choose a shorter PBXCORE_STATE=<folder>")
    folder.chmod(0o700)


def _born(pid: int) -> int:
    """Return when a process was born, in clock ticks since boot; 0 if there is none (or it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])
