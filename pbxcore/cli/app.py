"""The root of the command line and what every command shares: output, errors and exit codes.

Exit codes: 0 done · 1 the answer is no (findings, refused change) · 2 the command line was wrong ·
3 something that is needed does not answer (database, Asterisk, service).
"""

import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from typer.exceptions import TyperException

from pbxcore import database
from pbxcore.cli.slips import slips
from pbxcore.cli.terminal import Terminal
from pbxcore.cli.usage import in_words

app = typer.Typer(
    name="pbxcore",
    help="Decide and price every call of a hosted PBX on Asterisk, and explain both.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
    except ValueError as error:
        wrong = slips(error)
        if not wrong:
            raise
        for one in wrong:
            fail(one.message, one.remedy, Exit.USAGE)
        code = Exit.USAGE
    except TyperException as error:
        if error.exit_code == Exit.USAGE and str(error):
            message, remedy = in_words(error)
            fail(message, remedy, Exit.USAGE)
        code = Exit(error.exit_code)
    except typer.Abort:
        code = Exit.NO
    except database.UNLIKE as lacking:
        message = f"the database is not that of this version of pbxcore: {lacking}"
        fail(message, "end `make run` and start it again: that brings it up to date", Exit.UNAVAILABLE)
        code = Exit.UNAVAILABLE
    sys.exit(int(code or Exit.DONE))


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
