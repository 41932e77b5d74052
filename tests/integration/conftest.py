"""What tests of changes share: a machine on which nothing runs, and its command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.settings import Settings, Trunk

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
