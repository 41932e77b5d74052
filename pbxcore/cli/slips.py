"""What is wrong with the settings of a machine, each with its line in config/service.yaml or its variable.

Owns the way from errors of pydantic to these places. Refuses to know what is right
(`pbxcore.settings` does).
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from pbxcore import form
from pbxcore.settings import Settings, UnreadableError, settings_file, written
from pbxcore.yamltree import Tree

PREFIX = "PBXCORE_"


class Slip(NamedTuple):
    """One mistake: what is wrong, with its place, and what to do about it."""

    message: str
    remedy: str


def slips(wrong: ValueError) -> tuple[Slip, ...]:
    """Say what is wrong with the settings; nothing if the error is about something else."""
    file = settings_file()
    match wrong:
        case ValidationError() if wrong.title == Settings.__name__:
            return tuple(dict.fromkeys(_settings(written(file), wrong.errors(include_url=False))))
        case UnreadableError():
            return tuple(
                Slip(f"{file}, line {line}: {one.message}", one.remedy) for line, one in wrong.findings
            )
        case SettingsError():  # of a variable; it names the key between quotes
            key = str(wrong).split('"')[1]
            return (Slip(f"{PREFIX}{key.upper()} is no JSON", "write lists and mappings as JSON, [{…}]"),)
        case _:
            return ()


def _settings(tree: Tree, errors: Sequence[ErrorDetails]) -> Iterator[Slip]:
    """Name the variable if one says it, which speaks before the file; else the line."""
    places = {}
    for error in errors:
        location = (*error["loc"], *error.get("ctx", {}).get("at", ()))
        variable = _variable(location)
        path = location if variable else form.path_in(tree.value, error)
        place = variable or f"{settings_file()}, line {tree.line(path)}"
        places[form.finding_of(Settings, path, error)] = place
    for one in form.each_slip_once(tuple(places)):
        yield Slip(f"{places[one]}: {one.message}", one.remedy)


def _variable(location: Sequence[str | int]) -> str:
    """Give the variable from which the value at a place came; empty: it came from none."""
    there = {name.upper() for name in os.environ}
    for end in range(len(location), 0, -1):
        name = f"{PREFIX}{'__'.join(map(str, location[:end]))}".upper()
        if name in there:
            return name
    return ""
