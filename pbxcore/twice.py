"""Keys of a mapping that are written differently and mean the same: `+494315550111` and `+49 431 5550111`.

Owns finding them, in documents of any kind, before a spec is made of the document: in the spec the later one
would silently take the place of the first. Refuses to judge a key by its form (`pbxcore.form`), and documents
that are in force already: those are read without this.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from dialplan.finding import Finding, Path


class Twice(NamedTuple):
    """A key, and the one before it in the same mapping that means the same."""

    path: Path
    first: Path

    def finding(self, line: int) -> Finding:
        """Say it, as the reader of YAML says it of a key that is written twice in one spelling."""
        message = f"{self.path[-1]} is given a second time; the first, {self.first[-1]}, is in line {line}"
        return Finding(path=self.path, code="key-twice", message=message, remedy="leave one of the two")


def keys_twice(model: type[BaseModel], values: Mapping[str, Any]) -> tuple[Twice, ...]:
    """Give the keys of a document of this model that mean what another key of their mapping means."""
    return tuple(_in(model, values, ()))


def without(values: Any, gone: frozenset[Path], path: Path = ()) -> Any:  # noqa: ANN401 — as YAML has it
    """Give a document without these keys; what stands in it is not changed."""
    if not gone or not isinstance(values, dict):
        return values
    return {
        key: without(one, gone, (*path, key))
        if any(at[: len(path) + 1] == (*path, key) for at in gone)
        else one
        for key, one in values.items()
        if (*path, key) not in gone
    }


def _in(expected: Any, value: Any, path: Path) -> Iterator[Twice]:  # noqa: ANN401 — any annotation, any value
    """Walk what is written along what is expected there."""
    origin, parts = get_origin(expected), get_args(expected)
    if isinstance(expected, type) and issubclass(expected, BaseModel):
        if isinstance(value, dict):
            yield from _of_model(expected, value, path)
    elif origin is dict:
        if isinstance(value, dict):
            yield from _of_mapping(parts[0], parts[1], value, path)
    elif origin in {tuple, list}:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _in(parts[0], item, (*path, index))
    else:  # one of several types, a type with its validators, or a plain value that has no parts
        for part in parts:
            yield from _in(part, value, path)


def _of_model(model: type[BaseModel], value: Mapping[str, Any], path: Path) -> Iterator[Twice]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in value:
            yield from _in(field.annotation, value[key], (*path, key))


def _of_mapping(key_type: Any, of: Any, value: Mapping[str, Any], path: Path) -> Iterator[Twice]:  # noqa: ANN401 — as above
    first: dict[Any, str] = {}
    for key, one in value.items():
        known = first.setdefault(_meant(key_type, key), key)
        if known != key:
            yield Twice((*path, key), (*path, known))
        else:
            yield from _in(of, one, (*path, key))


def _meant(key_type: Any, key: str) -> Any:  # noqa: ANN401 — whatever a key is read as
    """Give what a key is read as; a malformed one stands for itself, and is told for its form."""
    try:
        return _reader(key_type).validate_python(key)
    except ValidationError:
        return key


@cache
def _reader(key_type: Any) -> TypeAdapter[Any]:  # noqa: ANN401 — any annotation
    return TypeAdapter(key_type)
