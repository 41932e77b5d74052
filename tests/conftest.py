"""What every test may ask for: a real PostgreSQL, a tree with real Asterisk and real phones, free ports."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from pbxcore import speech
from pbxcore.machine import debian
from pbxcore.machine import postgres as postgresql
from tests import held

# On two shared cores the clock says nothing about the code. `make test` draws the same examples everywhere:
# what was green here is green in CI. `make check` draws a few new ones, `make explore` many.
_UNHURRIED = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("default", _UNHURRIED, derandomize=True)
hypothesis_settings.register_profile("short", _UNHURRIED, max_examples=15)
hypothesis_settings.register_profile("explore", _UNHURRIED, max_examples=1_000, print_blob=True)
hypothesis_settings.load_profile("default")

CHECKOUT = Path(__file__).parents[1]
_TEMPLATE = "template_pbxcore"
_NUMBERS = count(1)
_SERVERS: set[int] = set()  # PostgreSQL's process, for the whole session

_LONGEST_FIRST = (
    "test_apply_killed",
    "test_without_postgres",
    "adversity",
    "acceptance",
    "integration",
    "property",
)

# Workers of pytest-xdist load readline, which writes a screen's size here; consoles would take it for a wish.
os.environ.pop("COLUMNS", None)
os.environ.pop("LINES", None)

# Every process that a test starts, directly or not, carries this word in its environment.
_MARK = f"PBXCORE_TEST_SESSION={os.getpid()}"
os.environ["PBXCORE_TEST_SESSION"] = str(os.getpid())
_GONE_LIMIT_S = 30.0  # for what ends by itself once its starter was killed: PostgreSQL writes its data down


@pytest.fixture(scope="module", autouse=True)
def _no_process_outlives_its_module() -> Iterator[None]:
    """Wait until what the module's tests started is gone; name what stays."""
    yield
    deadline = time.monotonic() + _GONE_LIMIT_S
    while left := _processes():
        assert time.monotonic() < deadline, f"the tests of this module left processes behind: {left}"
        time.sleep(0.02)


def _processes() -> dict[int, str]:
    """Give the processes of this session with their words, without those that serve it to its end."""
    mark, ours = _MARK.encode(), {os.getpid(), *_SERVERS}
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        try:
            marked = pid not in ours and mark in (process / "environ").read_bytes().split(b"\0")
            if marked and int((process / "stat").read_text().rpartition(")")[2].split()[1]) not in _SERVERS:
                found[pid] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it is gone, or a thread of the kernel
    return found


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the rooms whose tests wait longest begin first, so that no worker is left with one at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    names = item.path.relative_to(CHECKOUT / "tests").with_suffix("").parts
    return min((_LONGEST_FIRST.index(name) for name in names if name in _LONGEST_FIRST), default=9)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Give an empty private folder whose path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="pbx", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Give a wait for something that happens elsewhere: at most a minute, then the test fails."""

    def wait(happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline, "it did not happen within a minute"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def debian_root() -> Path:
    """Give the tree with Asterisk, sipp and baresip; it is made (25 s) when it is not there."""
    root = Path(os.environ.get("PBXCORE_TEST_ROOT") or CHECKOUT / "var" / "asterisk-root")
    if not (root / "usr/sbin/asterisk").exists():
        debian.ensure(root)
    return root.absolute()


@pytest.fixture(scope="session")
def speech_root(debian_root: Path) -> Path:
    """Give the tree with the engine that speaks texts; it is made (7 s) when it is not there."""
    root = debian_root.with_name(speech.TREE)
    debian.ensure(root, packages=(speech.ENGINE,))
    return root


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgresql.Server]:
    """Give a private server for the session."""
    folder = Path(tempfile.mkdtemp(prefix="pbx", dir="/tmp"))
    with postgresql.running(postgresql.Server(folder / "data", folder), folder / "log") as server:
        _SERVERS.add(int((server.data / "postmaster.pid").read_text().splitlines()[0]))
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _template(postgres: postgresql.Server) -> str:
    """Migrate one database once; each test gets a copy."""
    from pbxcore.database import migrate  # noqa: PLC0415 — only tests with a database pay for alembic

    sql(postgres, f"CREATE DATABASE {_TEMPLATE}")
    with ThreadPoolExecutor(1) as pool:  # pytest's own loop stays as it is
        pool.submit(asyncio.run, migrate(postgresql.url(postgres, _TEMPLATE))).result()
    return _TEMPLATE


@pytest.fixture
def database(postgres: postgresql.Server, _template: str) -> Iterator[str]:
    """Give the URL of a fresh database with the schema of today."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    sql(postgres, f"CREATE DATABASE {name} TEMPLATE {_template}")
    yield postgresql.url(postgres, name)
    sql(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def sql(server: postgresql.Server, statement: str) -> None:
    """Run one statement outside a transaction."""
    psql = postgresql.binaries() / "psql"
    subprocess.run(
        [psql, "-qX", "-v", "ON_ERROR_STOP=1", "-d", postgresql.url(server, "postgres"), "-c", statement],
        check=True,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def free_ports() -> Iterator[Callable[[int], list[int]]]:
    """Give a function that names ports nobody else uses."""
    with ExitStack() as holds:
        yield lambda number: held.hold(number, holds)
