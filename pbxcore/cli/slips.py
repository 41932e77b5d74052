"""What is wrong with the settings of a machine, each with its line in config/service.yaml or its variable.

Owns the way from errors of pydantic to these places. Refuses to know what is right
(`pbxcore.settings` does).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from dialplan.finding import Finding
from pbxcore import form
from pbxcore.settings import BELOW, PREFIX, Settings, UnreadableError, settings_file, written
from pbxcore.yamltree import Tree


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
    found = dict(_located(tree, error) for error in errors)
    for one in form.each_slip_once(tuple(found)):
        variable = found[one]
        if not variable:
            yield Slip(f"{settings_file()}, line {tree.line(one.path)}: {one.message}", one.remedy)
        elif one.code == "unknown-key" and variable == _name(one.path):
            yield Slip(f"{variable} is no setting", _nearest(variable))
        elif one.code == "missing-key" and _name(one.path[:-1]) not in _there():
            remedy = f"set {_name(one.path)}, too, or write `{one.path[0]}` in {settings_file()}"
            yield Slip(f"{variable}: {one.message}", remedy)
        else:
            yield Slip(f"{variable}: {one.message}", one.remedy)


def _located(tree: Tree, error: ErrorDetails) -> tuple[Finding, str]:
    """Give an error in words, and the variable that it comes from; empty: it comes from the file."""
    location = (*error["loc"], *error.get("ctx", {}).get("at", ()))
    variable = _variable(location)
    if not variable and error["type"] == "missing" and location[0] not in tree.value:
        variable = _below(location[:-1])  # the file does not say that there is any such thing
    path = location if variable else form.path_in(tree.value, error)
    return form.finding_of(Settings, path, error), variable


def _variable(location: Sequence[str | int]) -> str:
    """Give the variable from which the value at a place came; empty: it came from none."""
    above = (_name(location[:end]) for end in range(len(location), 0, -1))
    return next((name for name in above if name in _there()), "")


def _below(location: Sequence[str | int]) -> str:
    """Give a variable that says something of the part at a place; empty: none does."""
    inside = f"{_name(location)}{BELOW}"
    return next((name for name in sorted(_there()) if name.startswith(inside)), "")


def _there() -> frozenset[str]:
    return frozenset(name.upper() for name in os.environ)


def _name(location: Sequence[str | int]) -> str:
    """Give the variable that sets the value at a place."""
    return f"{PREFIX}{BELOW.join(map(str, location))}".upper()


def _nearest(variable: str) -> str:
    """Say which setting an unknown variable was meant as."""
    match = get_close_matches(variable, _names(Settings.model_fields, ()), n=1, cutoff=0.7)
    return f"did you mean {match[0]}?" if match else "unset it; docs/settings.md lists the settings"


def _names(fields: Mapping[str, FieldInfo], above: tuple[str, ...]) -> Iterator[str]:
    """Give the variables of all settings, and of those inside others."""
    for key, field in fields.items():
        place = (*above, field.alias or key)
        yield _name(place)
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _names(part.model_fields, place)
