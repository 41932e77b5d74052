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
from pydantic import ValidationError
from rich.console import Console
from yaml import YAMLError

from pbxcore.settings import SETTINGS, Settings

app = typer.Typer(
    name="pbxcore",
    help="Decide and price every call of a hosted PBX on Asterisk, and explain both.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]


class Exit(IntEnum):
    """What scripts can rely on."""

    DONE = 0
    NO = 1
    USAGE = 2
    UNAVAILABLE = 3


def main() -> None:
    """Run a command; a setting that is wrong is one line, whichever command met it first."""
    try:
        app()
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        if mark is None or Path(mark.name).name != SETTINGS:
            raise
        said = getattr(error, "problem", "") or "it cannot be read"
        fail(
            f"{mark.name}, line {mark.line + 1}, is no YAML: {said}",
            "mend that line or the one before",
            Exit.USAGE,
        )
        sys.exit(int(Exit.USAGE))
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        for mistake in error.errors(include_url=False):
            place = "__".join(str(part) for part in mistake["loc"])
            said = mistake["msg"].removeprefix("Value error, ")
            if place:
                message = f"the setting {place.replace('__', '.')} is wrong: {said}"
                fail(message, f"mend it in config/service.yaml or in PBXCORE_{place.upper()}", Exit.USAGE)
            else:
                message = f"the settings contradict each other: {said}"
                fail(
                    message, "mend one of them in config/service.yaml or in its PBXCORE_ variable", Exit.USAGE
                )
        sys.exit(int(Exit.USAGE))


def fail(message: str, remedy: str, code: Exit) -> typer.Exit:
    """Print what went wrong and what to do about it; raise what this returns."""
    err.print(f"[bold red]✗[/] {message}\n  → {remedy}", highlight=False, soft_wrap=True)
    if code is Exit.UNAVAILABLE and _is_elsewhere():
        hint = "  → or go to the folder of pbxcore first: there is no config/service.yaml here"
        err.print(hint, highlight=False, soft_wrap=True)
    return typer.Exit(int(code))


def _is_elsewhere() -> bool:
    """Tell whether the command looked for its machine in a folder that is none, and nobody named another."""
    named = {"PBXCORE_CONFIG", "PBXCORE_STATE"} & os.environ.keys()
    return not named and not Path("config/service.yaml").exists()
