"""What is wrong with the settings of a machine, each with its line in config/service.yaml or its variable.

Owns the way from errors of pydantic and YAML to these places. Refuses to know what is right
(`pbxcore.settings` does).
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pbxcore import form
from pbxcore.documents import decoded
from pbxcore.settings import SETTINGS, Settings, settings_file
from pbxcore.yamltree import Tree, read_trees

EMPTY = Tree({}, {(): 1}, "")
PREFIX = "PBXCORE_"


class Slip(NamedTuple):
    """One mistake: what is wrong, with its place, and what to do about it."""

    message: str
    remedy: str


def slips(wrong: Exception) -> tuple[Slip, ...]:
    """Say what is wrong with the settings; nothing if the error is about something else."""
    if isinstance(wrong, ValidationError) and wrong.title == Settings.__name__:
        tree = _written(settings_file())
        return tuple(dict.fromkeys(_settings(tree, wrong.errors(include_url=False))))
    if isinstance(wrong, yaml.YAMLError):
        return tuple(_no_yaml(wrong))
    return ()


def _no_yaml(wrong: yaml.YAMLError) -> Iterator[Slip]:
    mark = getattr(wrong, "problem_mark", None)
    if mark is not None and Path(mark.name).name == SETTINGS:
        said = getattr(wrong, "problem", "") or "it cannot be read"
        yield Slip(
            f"{mark.name}, line {mark.line + 1}, is no YAML: {said}", "mend that line or the one before"
        )


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


def _written(file: Path) -> Tree:
    """Read the file once more, now with its lines."""
    text = decoded(str(file), file.read_bytes()) if file.is_file() else ""
    trees = read_trees(text)[0] if isinstance(text, str) else ()
    return trees[0] if trees and isinstance(trees[0].value, dict) else EMPTY
