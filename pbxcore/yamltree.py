"""YAML as people write it, into plain values that know their lines.

Owns the notation: one pass over the parser's events, with limits on everything. Refuses what makes a document
mean something else than it seems to: keys given twice, anchors and aliases, tags. Keys are always text; plain
scalars are text unless they are null, true, false, a whole number, a decimal number (never a float) or a
date. So `NO` is Norway, `08:00` a time of day and `+4930…` a telephone number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import yaml

from dialplan.finding import Finding, Path

MAX_BYTES = 8_000_000  # a catalogue with a price list of 100,000 rows in it
MAX_DEPTH = 20
MAX_NODES = 100_000
MAX_FINDINGS = 100  # per file; who has more reads the first hundred first

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_FRACTION = re.compile(r"[0-9]{1,18}")  # behind a decimal comma
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Controls, and what YAML takes for the end of a line.
_NO_TEXT = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Tree:
    """One YAML document.

    Attributes:
        value: what it says.
        lines: the line of each path in it; the path of the whole is `()`.
        text: as it was written, comments included.
        beside: files beside it whose texts were put in, by name (`pbxcore.attached`).
        twice: keys that were given again; what stood there the second time is not in `value`.
    """

    value: Any
    lines: dict[Path, int]
    text: str
    beside: Mapping[str, str] = field(default_factory=dict)
    twice: frozenset[Path] = frozenset()

    def line(self, path: Path) -> int:
        """Give the line of a path, or of the nearest thing around it that stands in the document."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


@dataclass(slots=True)
class _Reader:
    """Where the reader is: the events to come, and what it has found so far."""

    events: Iterator[Any]
    lines: dict[Path, int] = field(default_factory=dict)
    twice: set[Path] = field(default_factory=set)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    nodes: int = 0


class _TooMuch(Exception):  # noqa: N818 — ends the reading of a file, never leaves this module
    """The document is larger or deeper than any document of ours."""


def read_trees(text: str) -> tuple[tuple[Tree, ...], tuple[tuple[int, Finding], ...]]:
    """Read all documents of a text.

    Returns:
        The documents that could be read, and what is wrong with the text, each with its line.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        return (), ((1, _too_much(f"the file has more than {MAX_BYTES} bytes")),)
    reader, trees = _Reader(iter(())), []
    written, begin = text.splitlines(keepends=True), 0
    try:
        reader.events = iter(yaml.parse(text, Loader=_LOADER))
        for event in reader.events:
            if isinstance(event, yaml.DocumentStartEvent):
                reader.lines, reader.twice = {}, set()
                value = _value(reader, next(reader.events), ())
                end = next(reader.events).end_mark.line + 1
                text_of_it = "".join(written[begin:end])
                trees.append(Tree(value, reader.lines, text_of_it, twice=frozenset(reader.twice)))
                begin = end
    except _TooMuch as limit:
        reader.findings.append((1, _too_much(str(limit))))
    except yaml.YAMLError as broken:
        reader.findings.append(_syntax(broken, written))
    return tuple(trees), tuple(reader.findings)


def plain_text(text: str) -> bool:
    """Tell whether a text would be read as it is written: nothing in it that YAML forbids or changes."""
    return not _NO_TEXT.search(text)


def _value(reader: _Reader, event: Any, path: Path) -> Any:  # noqa: ANN401 — PyYAML's events have no types
    """Build the value that begins with an event."""
    line = event.start_mark.line + 1
    reader.lines.setdefault(path, line)
    reader.nodes += 1
    if reader.nodes > MAX_NODES or len(path) > MAX_DEPTH:
        raise _TooMuch(f"the file has more than {MAX_NODES} values, or goes deeper than {MAX_DEPTH} levels")
    if isinstance(event, yaml.AliasEvent):
        _note(reader, line, path, "alias", "an alias (*) stands here", "write the value out")
        return None
    if event.anchor or (event.tag and event.tag != "!"):
        _note(reader, line, path, "tag", "an anchor (&) or a tag (!) stands here", "leave it out")
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(reader, path)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(reader, path)
    return _scalar(event.value) if event.implicit[0] else event.value


def _mapping(reader: _Reader, path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    last = ""  # the key before this one
    before: Any = None  # the event of its value
    while not isinstance(event := next(reader.events), yaml.MappingEndEvent):
        key, line = _key(reader, event, path), event.start_mark.line + 1
        if key in values:
            first = reader.lines[*path, key]
            message = f"{key} is given a second time; the first is in line {first}"
            _note(reader, line, (*path, key), "key-twice", message, "leave one of the two")
            reader.twice.add((*path, key))
            _value(_Reader(reader.events, nodes=reader.nodes), next(reader.events), (*path, key))
            continue
        value = next(reader.events)
        if _is_decimal_comma(before, event, value):
            values[last] = _meant(reader, (*path, last), before.value, key)
            continue
        reader.lines[*path, key] = line
        values[key] = _value(reader, value, (*path, key))
        last, before = key, value
    return values


def _is_decimal_comma(before: Any, key: Any, value: Any) -> bool:  # noqa: ANN401 — PyYAML's events have no types
    """Tell whether a key is what stood behind a decimal comma: in braces `0,019` is a value and a key."""
    events = (before, key, value)
    if not all(isinstance(one, yaml.ScalarEvent) and one.implicit[0] for one in events):
        return False
    numbers = _INT.fullmatch(before.value) and _FRACTION.fullmatch(key.value)
    beside = key.start_mark.index == before.end_mark.index + 1
    # A key that somebody wrote has a colon, and its empty value stands behind that.
    return bool(numbers) and beside and not value.value and value.start_mark.index == key.end_mark.index


def _meant(reader: _Reader, path: Path, whole: str, fraction: str) -> Decimal:
    """Give the number that a decimal comma divided, and say so."""
    message, remedy = (
        f"{whole},{fraction} is two values here: a comma divides them",
        f"write `{whole}.{fraction}`",
    )
    line = reader.lines[path]
    _note(reader, line, path, "decimal-comma", message, f"{remedy}, if a decimal comma was meant")
    return Decimal(f"{whole}.{fraction}")


def _key(reader: _Reader, event: Any, path: Path) -> str:  # noqa: ANN401 — PyYAML's events have no types
    """Read a key; it is text, whatever it looks like."""
    if isinstance(event, yaml.ScalarEvent):
        return str(event.value)
    line = event.start_mark.line + 1
    _note(reader, line, path, "key-no-text", "a list or mapping stands where a key belongs", "write a name")
    _value(_Reader(reader.events, nodes=reader.nodes), event, path)
    return f"?{line}"


def _sequence(reader: _Reader, path: Path) -> list[Any]:
    values: list[Any] = []
    while not isinstance(event := next(reader.events), yaml.SequenceEndEvent):
        values.append(_value(reader, event, (*path, len(values))))
    return values


def _scalar(text: str) -> str | int | bool | Decimal | date | None:
    """Read a plain scalar; what is none of the few known forms is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text


def _note(  # noqa: PLR0913, PLR0917 — a finding and its line
    reader: _Reader, line: int, path: Path, code: str, message: str, remedy: str
) -> None:
    reader.findings.append((line, Finding(path=path, code=code, message=message, remedy=remedy)))


def _too_much(message: str) -> Finding:
    return Finding(path=(), code="too-much", message=message, remedy="divide it into several files")


def _syntax(broken: yaml.YAMLError, written: Sequence[str]) -> tuple[int, Finding]:
    mark = getattr(broken, "problem_mark", None)
    problem = getattr(broken, "problem", None) or str(broken)
    remedy = "look at this line and the one before: indentation, a colon, a quote or a bracket"
    line = mark.line + 1 if mark else 1
    here = written[line - 1] if line <= len(written) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        message, remedy = "this line is indented with a tab", "indent it with blanks, as the lines around it"
        return line, Finding(path=(), code="no-yaml", message=message, remedy=remedy)
    return line, Finding(path=(), code="no-yaml", message=f"this is no YAML: {problem}", remedy=remedy)
