"""What tests share: a machine on which nothing runs, its command line, a rater and whoever closes a month."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.closing import Closing
from pbxcore.database import Connection
from pbxcore.rater.writer import Writer
from pbxcore.settings import Settings, Trunk
from tests.integration.ended_legs import a_connection, a_writer

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def settings(short_path: Path, request: pytest.FixtureRequest) -> Settings:
    """A machine whose database is fresh and on which nothing runs."""
    return Settings(
        state=short_path,
        config=CONFIG,
        database=request.getfixturevalue("database"),
        trunks=(Trunk(name="carrier", host="127.0.0.2"),),
    )


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Give the command line on this machine: exit code and output."""
    monkeypatch.setenv("PBXCORE_DATABASE", settings.database)
    monkeypatch.setenv("PBXCORE_STATE", str(settings.state))
    monkeypatch.setenv("PBXCORE_CONFIG", str(settings.config))
    monkeypatch.setenv("PBXCORE_PORTS", settings.ports.model_dump_json())
    monkeypatch.setenv("COLUMNS", "250")

    def call(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output

    return call


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """Give a connection to a database that knows the example tenant."""
    async with a_connection(database) as connection:
        yield connection


@pytest.fixture
async def writer(database: str, connection: Connection) -> AsyncIterator[Writer]:
    """Give a rater's writer, with a connection of its own."""
    async with a_writer(database, connection) as writer:
        yield writer


@pytest.fixture
async def closer(connection: Connection, writer: Writer) -> Closing:
    """Give somebody who closes, by the same documents."""
    return Closing(connection, writer.index.book)
