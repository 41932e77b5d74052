"""The private PostgreSQL starts, keeps what it was given, and leaves nothing behind."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from pbxcore.machine import postgres
from pbxcore.machine.errors import DatabaseError

STARTER = """
import sys, time
from pathlib import Path
from pbxcore.machine import postgres
folder = Path(sys.argv[1])
server = postgres.Server(folder / "data", folder)
postgres.prepare(server)
print(postgres.start(server, folder / "log").pid, flush=True)
time.sleep(60)
"""


async def test_what_is_stored_survives_a_restart(short_path: Path) -> None:
    """Stopping and starting again shows the same rows, and the second start makes nothing anew."""
    server = postgres.Server(short_path / "data", short_path)
    with postgres.running(server, short_path / "log"):
        connection = await asyncpg.connect(postgres.url(server))
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW listen_addresses") == ""
        await connection.close()
    assert not postgres.prepare(server)
    with postgres.running(server, short_path / "log"):
        connection = await asyncpg.connect(postgres.url(server))
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
    assert set(os.listdir(short_path)) == {"data", "log"}  # noqa: PTH208 — a set of names, no paths


def test_it_dies_with_its_starter(short_path: Path, until: Callable[[Callable[[], bool]], None]) -> None:
    """Kill -9 of the process that started it ends it cleanly: no process, no socket."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(short_path)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert (short_path / postgres.SOCKET_NAME).exists()
    starter.kill()
    starter.wait()
    starter.stdout.close()
    until(lambda: not Path(f"/proc/{pid}").exists() and not (short_path / postgres.SOCKET_NAME).exists())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to become somebody else")
async def test_root_without_namespaces_becomes_nobody(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a container forbids user namespaces, root's server runs as `nobody`, on the same data."""
    server = postgres.Server(short_path / "data", short_path)
    postgres.prepare(server)
    monkeypatch.setattr(postgres, "_namespaces_allowed", lambda: False)
    with postgres.running(server, short_path / "log"):
        connection = await asyncpg.connect(postgres.url(server))
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        assert os.stat(f"/proc/{pid}").st_uid == postgres.NOBODY  # noqa: PTH116 — /proc does not block
        await connection.close()


def test_a_server_that_does_not_start_says_where_to_read(short_path: Path) -> None:
    """A data folder of something else is named with its log, in less than the time limit."""
    server = postgres.Server(short_path / "data", short_path)
    postgres.prepare(server)
    (server.data / "PG_VERSION").write_text("12\n")
    began = time.monotonic()
    with pytest.raises(DatabaseError) as failure:
        postgres.start(server, short_path / "log")
    assert str(short_path / "log") in failure.value.remedy
    assert time.monotonic() - began < postgres.START_LIMIT_S


def test_a_socket_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """The kernel's limit of 107 bytes is told before anything starts."""
    with pytest.raises(DatabaseError, match="too long"):
        postgres.Server(tmp_path, tmp_path / ("x" * 100))
