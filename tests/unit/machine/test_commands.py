"""A command is listed before its module is loaded, and loads what it needs: neither may drift."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group_from_info
from typer.models import TyperInfo

from pbxcore.cli.app import app
from pbxcore.cli.commands import COMMANDS, Command

ROOT = Path(__file__).parents[3]
# Runs the program as its users do; then says what it has loaded.
LOADED = """
import sys
from pbxcore.cli import main
sys.argv[0] = "pbxcore"
try:
    main()
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""
DRIVERS = {"asyncpg", "numpy", "sqlalchemy"}
OURS = {"dialplan", "rating", "pbxcore.settings", "pbxcore.cli.phones"}
CONTRACT = "config/contracts/acme.yaml --add extension=1"
ACME = "-f config/tenants/acme.yaml --from acme-p10 --to 11"


def registered() -> dict[str, Command]:
    """Give what the modules of the folder say of their commands themselves."""
    for path in (ROOT / "pbxcore/cli").glob("[!_]*.py"):
        import_module(f"pbxcore.cli.{path.stem}")
    group = get_group_from_info(
        TyperInfo(app, cls=TyperGroup),
        pretty_exceptions_short=True,
        suggest_commands=True,
        rich_markup_mode="rich",
    )
    found = {}
    for name, one in group.commands.items():
        assert isinstance(one, TyperCommand | TyperGroup)
        assert not one.hidden
        assert not one.deprecated
        assert not one.short_help
        first = next(iter(one.commands.values())) if isinstance(one, TyperGroup) else one
        module = str(first.callback and first.callback.__module__).removeprefix("pbxcore.cli.")
        found[name] = Command(module, one.rich_help_panel, (one.help or "").partition("\n\n")[0])
    return found


def run(arguments: str, state: Path, **variables: str) -> tuple[str, set[str]]:
    """Run the program in a process of its own; give what it printed, and the modules it has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments.split()],
        cwd=ROOT,
        env=os.environ | {"PBXCORE_STATE": str(state)} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, set(done.stderr.splitlines()[-1].split())


def completed(words: str, at: int, state: Path) -> tuple[list[str], set[str]]:
    """Press the tabulator in bash; give what is offered, and the modules that were loaded for it."""
    asked = {"_PBXCORE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    printed, loaded = run("", state, **asked)
    return printed.split(), loaded


def test_commands_are_listed_as_their_modules_have_them() -> None:
    """Nothing is listed that is not there, nothing is there unlisted, and the list says the same of it."""
    assert registered() == COMMANDS


@pytest.mark.parametrize(
    ("arguments", "module", "unneeded"),
    [
        ("--help", "pbxcore.cli.app", DRIVERS | OURS),
        ("phones acme", "pbxcore.cli.phones", DRIVERS | {"rating", "prometheus_client", "pbxcore.door"}),
        ("numbers acme", "pbxcore.cli.numbers", DRIVERS | {"rating", "prometheus_client", "pbxcore.door"}),
        ("status", "pbxcore.cli.status", {"numpy", "sqlalchemy", "pbxcore.closing"}),
        (f"quote {CONTRACT}", "pbxcore.cli.order", {"numpy", "sqlalchemy", "pbxcore.closing"}),
        (f"decide {ACME}", "pbxcore.cli.decide", {"numpy", "sqlalchemy", "pbxcore.door", "pbxcore.closing"}),
    ],
)
def test_a_command_loads_no_other(tmp_path: Path, arguments: str, module: str, unneeded: set[str]) -> None:
    """What only other commands need is not waited for."""
    _, loaded = run(arguments, tmp_path)
    assert module in loaded
    assert unneeded & loaded == set()


@pytest.mark.parametrize(
    ("words", "at", "offered"),
    [
        ("pbxcore nothing", 1, []),
        ("pbxcore ra", 1, ["rated", "rate"]),
        ("pbxcore porting re", 2, ["reject", "revert"]),
        ("pbxcore phones --sh", 2, ["--show-passwords"]),
    ],
)
def test_completion_offers_what_there_is(tmp_path: Path, words: str, at: int, offered: list[str]) -> None:
    """Commands, those below them, and options: each by its name."""
    assert completed(words, at, tmp_path)[0] == offered


def test_completion_of_a_command_loads_none(tmp_path: Path) -> None:
    """Whoever looks for a command is offered all of them and waits for the module of none."""
    offered, loaded = completed("pbxcore ", 1, tmp_path)
    assert offered == list(COMMANDS)
    assert (DRIVERS | OURS) & loaded == set()
