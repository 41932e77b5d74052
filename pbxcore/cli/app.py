"""The root of the command line and what every command shares: output, errors and exit codes.

Exit codes: 0 done · 1 the answer is no (findings, refused change) · 2 the command line was wrong ·
3 something that is needed does not answer (database, Asterisk, service).
"""

import os
import sys
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_group

from pbxcore.cli.commands import COMMANDS
from pbxcore.cli.terminal import Terminal
from pbxcore.cli.usage import in_words

if TYPE_CHECKING:
    from typer import _click


class Commands(TyperGroup):
    """All commands, listed by what `COMMANDS` says of them; one that is used is loaded with its module.

    So a command, its completion and the list of all do not wait for the modules of the others.
    """

    def __init__(self, *, commands: "dict[str, _click.Command]", **attributes: Any) -> None:  # noqa: ANN401 — typer's
        listed = {
            name: TyperCommand(name, help=one.help, rich_help_panel=one.panel)
            for name, one in COMMANDS.items()
        }
        super().__init__(commands={**listed, **commands}, **attributes)

    def resolve_command(
        self, ctx: "_click.Context", args: list[str]
    ) -> "tuple[str | None, _click.Command | None, list[str]]":
        """Find the command that a command line, or its completion, names."""
        if named := COMMANDS.get(args[0]):
            import_module(f"pbxcore.cli.{named.module}")
            self.commands[args[0]] = get_group(app).commands[args[0]]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="pbxcore",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Decide and price every call of a hosted PBX on Asterisk, and explain both."""


out = Terminal()
err = Terminal(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]


class Exit(IntEnum):
    """What scripts can rely on."""

    DONE = 0
    NO = 1
    USAGE = 2
    UNAVAILABLE = 3


def main() -> None:
    """Run a command; what is wrong with command line or settings is told with its place and a remedy."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        if error.exit_code == Exit.USAGE and str(error):
            message, remedy = in_words(error)
            fail(message, remedy, Exit.USAGE)
        code = Exit(error.exit_code)
    except typer.Abort:
        code = Exit.NO
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        code = told
    sys.exit(int(code or Exit.DONE))


def _told(error: Exception) -> Exit | None:
    """Tell what is wrong with the settings or the database; None: the error is about something else."""
    from pbxcore import database  # noqa: PLC0415 — help and completion need neither settings nor a driver
    from pbxcore.cli.slips import slips  # noqa: PLC0415 — as above

    if isinstance(error, database.UNLIKE):
        message = f"the database is not that of this version of pbxcore: {error}"
        fail(message, "end `make run` and start it again: that brings it up to date", Exit.UNAVAILABLE)
        return Exit.UNAVAILABLE
    wrong = slips(error) if isinstance(error, ValueError) else ()
    for one in wrong:
        fail(one.message, one.remedy, Exit.USAGE)
    return Exit.USAGE if wrong else None


def fail(message: str, remedy: str, code: Exit) -> typer.Exit:
    """Print what went wrong and what to do about it, letter by letter; raise what this returns.

    Neither is markup: a document is quoted here with its [brackets].
    """
    err.print(Text.assemble(("✗", "bold red"), f" {message}\n  → {remedy}"), soft_wrap=True)
    if code is Exit.UNAVAILABLE and _is_elsewhere():
        hint = "  → or go to the folder of pbxcore first: there is no config/service.yaml here"
        err.print(hint, highlight=False, soft_wrap=True)
    return typer.Exit(int(code))


def _is_elsewhere() -> bool:
    """Tell whether the command looked for its machine in a folder that is none, and nobody named another."""
    named = {"PBXCORE_CONFIG", "PBXCORE_STATE"} & os.environ.keys()
    return not named and not Path("config/service.yaml").exists()
