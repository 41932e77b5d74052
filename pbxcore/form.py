"""Mistakes of form, in words an operator understands, and what is left of a document without them.

Owns the translation of pydantic's errors into findings, for documents of any kind. Refuses everything a type
cannot see.
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dialplan.finding import Finding, Path

Spec = TypeVar("Spec", bound=BaseModel)

# What stands for keys that a document must have, so that it can be examined without them.
STAND_INS: Mapping[str, object] = {
    "version": 1,
    "name": "?",
    "account": "x",
    "catalogue": "x",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "valid_from": date(2000, 1, 1),
    "currency": "EUR",
    "rounding": "half-up",
    "first_increment_s": 60,
    "next_increment_s": 60,
}
MAX_ROUNDS = 20  # of leaving out what is malformed; a document is a few levels deep, so few are needed


def validate(
    model: type[Spec], values: Mapping[str, Any]
) -> tuple[Spec | None, frozenset[Path], tuple[Finding, ...]]:
    """Validate a document as far as it goes.

    Returns:
        The spec, without the malformed parts if there are some, or None if nothing is left; the paths of
        these parts, and of keys for which something else stands; and what is wrong with them.
    """
    rest, left_out = deepcopy(dict(values)), set[Path]()
    findings: tuple[Finding, ...] = ()
    for _ in range(MAX_ROUNDS):
        try:
            return model.model_validate(rest), frozenset(left_out), findings
        except ValidationError as wrong:
            errors = _first_causes(wrong.errors(include_url=False))
        found = [finding_of(model, path_in(values, error), _said(values, error)) for error in errors]
        findings = findings or tuple(each_slip_once(found))
        absent = {
            error["loc"][0] for error in errors if error["type"] == "missing" and len(error["loc"]) == 1
        }
        if absent and absent <= STAND_INS.keys():
            rest |= {str(key): STAND_INS[str(key)] for key in absent}
            left_out |= {(key,) for key in absent}
            errors = [error for error in errors if error["loc"][0] not in absent]
        parts = {_malformed(rest, error) for error in errors}
        if () in parts:
            break
        left_out |= {as_written(part, frozenset(left_out)) for part in parts}
        for part in sorted(parts, key=_last_first, reverse=True):
            _leave_out(rest, part)
    return None, frozenset(left_out), findings


def _first_causes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where one of its items is malformed: pydantic does not count it."""
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(_is_within(one, error) for one in errors if one is not error)
    ]


def _is_within(one: ErrorDetails, other: ErrorDetails) -> bool:
    """Tell whether an error stands in what another one is about, at whatever depth."""
    depth = len(other["loc"])
    return len(one["loc"]) > depth and one["loc"][:depth] == other["loc"]


def each_slip_once(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Leave out that a key is missing where another one beside it is its misspelling.

    Of a value that may be of several types, leave out that it is none of the others.
    """
    meant = {(one.path[:-1], one.remedy) for one in findings if one.code == "unknown-key"}
    valued = {one.path for one in findings if one.code == "wrong-value"}
    for one in findings:
        misspelled = one.code == "missing-key" and (one.path[:-1], _guess(str(one.path[-1]))) in meant
        if not misspelled and not (one.code == "wrong-type" and one.path in valued):
            yield one


def as_written(path: Path, left_out: frozenset[Path]) -> Path:
    """Give the path in the whole document of what has this path after parts were left out of its lists."""
    written: Path = ()
    for step in path:
        if isinstance(step, int):
            gone = sorted(part[-1] for part in left_out if part[:-1] == written and isinstance(part[-1], int))
            for index in gone:
                step += index <= step  # noqa: PLW2901 — each item that went before moves it by one
        written = (*written, step)
    return written


def _last_first(path: Path) -> tuple[tuple[bool, str | int], ...]:
    """Order paths so that, from the end, the later items of a list come before the earlier ones."""
    return tuple((isinstance(step, int), step) for step in path)


def _malformed(values: Any, error: ErrorDetails) -> Path:  # noqa: ANN401 — a document before it is validated
    """Give the smallest part that must go for an error to go: where a key is missing, its owner."""
    path = path_in(values, error)
    return path[:-1] if error["type"] == "missing" else path


def _leave_out(values: Any, path: Path) -> None:  # noqa: ANN401 — a document before it is validated
    """Take a part out."""
    *above, last = path
    for step in above:
        if not _has(values, step):
            return  # went with a larger part
        values = values[step]
    if _has(values, last):
        del values[last]


def path_in(values: Any, error: ErrorDetails) -> Path:  # noqa: ANN401 — a document before it is validated
    """Give the path of an error within the document, without the steps that only pydantic knows."""
    location = (*error["loc"], *error.get("ctx", {}).get("at", ()))
    path: list[str | int] = []
    for index, step in enumerate(location):
        if _has(values, step):
            path.append(step)
            values = values[step]
        elif index == len(location) - 1 and error["type"] == "missing":
            path.append(step)
    return tuple(path)


def _has(values: Any, step: str | int) -> bool:  # noqa: ANN401 — a document before it is validated
    if isinstance(values, dict):
        return step in values
    return isinstance(values, list) and isinstance(step, int) and step < len(values)


def _said(values: Any, error: ErrorDetails) -> ErrorDetails:  # noqa: ANN401 — a document before it is validated
    """Put what was written in the place of what was made of it: an amount is read into micro-units first."""
    if error["type"] == "missing":
        return error
    for step in path_in(values, error):
        values = values[step]
    return {**error, "input": values}


def finding_of(model: type[BaseModel], path: Path, error: ErrorDetails) -> Finding:
    """Say an error of pydantic in words: what is wrong at a path of a document of this model."""
    code, message, remedy = _words(model, path, error)
    return Finding(path=path, code=code, message=message, remedy=remedy)


def _words(model: type[BaseModel], path: Path, error: ErrorDetails) -> tuple[str, str, str]:
    """Give code, message and remedy of an error."""
    context = error.get("ctx", {})
    if "remedy" in context:  # our own validators bring their words
        return error["type"], str(context["message"]), str(context["remedy"])
    key = _name(path)
    if error["type"] == "extra_forbidden":
        return "unknown-key", f"{key} is no key here", _did_you_mean(model, path)
    if error["type"] == "missing":
        return "missing-key", f"{key} is missing", f"add `{path[-1]}:`"
    if error["type"] in _SIZES and isinstance(error["input"], dict | list):
        return "wrong-value", f"{key} {_filled(len(error['input']))}", _wanted(error)
    code = "wrong-type" if error["type"].endswith("_type") else "wrong-value"
    return code, f"{key} is {_shown(error['input'])}", _wanted(error)


def _wanted(error: ErrorDetails) -> str:
    """Say what may stand there instead."""
    context = error.get("ctx", {})
    match error["type"]:
        case "string_pattern_mismatch" if context["pattern"] in PATTERNS:
            return PATTERNS[context["pattern"]]
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than" as bound:
            return _BOUNDS[bound].format(*context.values())
        case "too_short" | "too_long" | "string_too_short" | "string_too_long" as size:
            counted, limit, words = _SIZES[size]
            return _BOUNDS[words].format(_count(context[limit], *counted))
        case "literal_error" | "enum":
            expected = _EXPECTED.findall(context["expected"])
            match = get_close_matches(str(error["input"]), expected, n=1)
            return (
                f"did you mean {match[0]}? Otherwise {_plain(error['msg'])}"
                if match
                else _plain(error["msg"])
            )
    kind = error["type"].replace("_from_datetime", "").replace("_parsing", "_type")
    if kind == "date_type" and (month := _DAY.fullmatch(str(error["input"]))):
        return _within(int(month[1]), int(month[2]))
    return _TYPES.get(kind, _plain(error["msg"]))


def _within(year: int, month: int) -> str:
    """Say which days there are, where one is written that no calendar has."""
    if not (year and 1 <= month <= MONTHS):
        return "write a day that the calendar has: 2026-12-24"
    last = monthrange(year, month)[1]
    return f"write a day that the calendar has: {year:04}-{month:02} ends on {year:04}-{month:02}-{last}"


def _name(path: Path) -> str:
    if not path:
        return "the document"
    if isinstance(path[-1], int):  # counted from 0, as in the path that stands beside it
        return repr(".".join(map(str, path[-2:])))
    return repr(path[-1])


MONTHS = 12
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-[0-9]{2}")
_EXPECTED = re.compile("'([^']*)'")
_BOUNDS = {
    "greater_than_equal": "write {} or more",
    "less_than_equal": "write {} or less",
    "greater_than": "write more than {}",
    "less_than": "write less than {}",
}
_ENTRIES, _CHARACTERS = ("entry", "entries"), ("character", "characters")
_SIZES = {
    "too_short": (_ENTRIES, "min_length", "greater_than_equal"),
    "too_long": (_ENTRIES, "max_length", "less_than_equal"),
    "string_too_short": (_CHARACTERS, "min_length", "greater_than_equal"),
    "string_too_long": (_CHARACTERS, "max_length", "less_than_equal"),
}
"""What is counted where something is too short or too long, where its limit stands, and in which words."""
PATTERNS = {
    r"^[A-Z]{2}$": "write a country's two letters as in ISO 3166: DE",
    r"^[A-Z]{3}$": "write a currency's three letters as in ISO 4217: EUR",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": 'write a time of the day in quotes: "08:30"',
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$": 'write a time of the day in quotes: "18:00", at most "24:00"',
    r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$": "write a name of letters, digits and -, at most 32 of them",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.csv$": "name a file beside the document that ends in .csv",
    r"^[^\x00-\x1f\x7f]+$": "write a line of text",
    r"^[a-z0-9]{1,20}$": "write a name of small letters and digits, at most 20 of them",
    r"^[0-9A-Za-z.:-]{1,253}$": "write a host's name or address: sip.example.net",
    r"^[0-9A-Za-z.!#$%&'*+/=?^_`{|}~-]+@[0-9A-Za-z.-]+$": "write an address of mail: name@example.net",
}
"""What is meant by each pattern of a spec, in words; a test looks for those that have none."""
_TYPES = {
    "string_type": 'write text; a number that is a name stands in quotes, "10"',
    "int_type": "write a whole number without quotes",
    "bool_type": "write true or false",
    "date_type": "write year, month, day without quotes: 2026-12-24",
    "dict_type": "write keys with their values below it",
    "model_type": "write keys with their values below it",
    "model_attributes_type": "write keys with their values below it",
    "tuple_type": "write a list: [first, second]",
    "list_type": "write a list: [first, second]",
}


def _plain(message: str) -> str:
    """Turn pydantic's sentence into a remedy: `Input should be 1` → `it should be 1`."""
    return message.removeprefix("Value error, ").replace("Input should", "it should", 1)


def _shown(value: Any) -> str:  # noqa: ANN401 — whatever stands in the document
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "empty"
    kind = {str: "the text", bool: "the truth value", int: "the number"}.get(type(value), "the value")
    return f"{kind} {str(value)[:40]!r}"


def _filled(size: int) -> str:
    return f"has {_count(size, *_ENTRIES)}" if size else "is empty"


def _count(size: int, one: str, more: str) -> str:
    return f"{size} {one if size == 1 else more}"


def _did_you_mean(model: type[BaseModel], path: Path) -> str:
    known = sorted(_keys(model, path[:-1]))
    match = get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    return _guess(match[0]) if match else f"known here are {', '.join(known)}"


def _guess(key: str) -> str:
    return f"did you mean `{key}`?"


def _keys(model: type[BaseModel], path: Path) -> set[str]:
    """Give the keys that a document of this model knows at a path."""
    models = [model]
    for step in path:
        models = [below for one in models for below in _below(one, step)]
    return {field.alias or name for one in models for name, field in one.model_fields.items()}


def _below(model: type[BaseModel], step: str | int) -> Iterator[type[BaseModel]]:
    """Give the models that stand below a key; an entry of a mapping or list counts as its container."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    field = fields.get(str(step))
    yield from _models_in(field.annotation) if field else (model,)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 — any annotation
    """Find the models within `dict[str, Model]`, `tuple[Model, ...] | None` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
