r"""Many patterns of digits as one machine.

The problem: libphonenumber says what a number is by a dozen regular expressions per country, one after
the other. We need the opposite, a list of prefixes, and it has to be exact: trying sample numbers misses
what the samples miss. So the patterns are compiled into one automaton, whose states can be counted.

Owns the patterns' little language: digits, `\d`, `[...]`, `(?:...)`, `|`, `?`, `{n}`, `{m,n}`. Refuses the
rest of what regular expressions can do; libphonenumber does not use it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

State = frozenset[int]
ANY = frozenset(range(10))

_TOKEN = re.compile(r"\\d|\[[0-9-]+\]|\(\?:|[)|?]|\{\d+(?:,\d+)?\}|\d")


class PatternError(ValueError):
    """A pattern uses something this module does not know."""


@dataclass(frozen=True, slots=True)
class _Digits:
    """One digit out of a set."""

    allowed: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Parts one after the other."""

    parts: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of several."""

    options: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A part, `least` to `most` times."""

    part: "_Node"
    least: int
    most: int


_Node = _Digits | _Sequence | _Choice | _Repeat


def _tokens(pattern: str) -> list[str]:
    tokens = _TOKEN.findall(pattern)
    if "".join(tokens) != pattern:
        raise PatternError(f"pattern {pattern!r} uses more than digits, classes, groups and counts")
    return tokens


def _digit_set(sign: str) -> frozenset[int]:
    if sign == r"\d":
        return ANY
    body = sign.strip("[]")
    digits: set[int] = set()
    for first, last in re.findall(r"(\d)(?:-(\d))?", body):
        digits.update(range(int(first), int(last or first) + 1))
    return frozenset(digits)


def _counts(sign: str) -> tuple[int, int]:
    if sign == "?":
        return 0, 1
    least, _, most = sign.strip("{}").partition(",")
    return int(least), int(most or least)


def _parse_choice(tokens: list[str]) -> _Node:
    """Parse up to the closing parenthesis or the end; `tokens` is consumed from its end."""
    options: list[_Node] = []
    parts: list[_Node] = []
    while tokens and tokens[-1] != ")":
        sign = tokens.pop()
        if sign == "|":
            options.append(_Sequence(tuple(parts)))
            parts = []
        elif sign == "(?:":
            parts.append(_parse_choice(tokens))
            if not tokens:
                raise PatternError("a group is not closed")
            tokens.pop()
        elif sign[0] in "?{":
            if not parts:
                raise PatternError("a count stands where nothing is to be repeated")
            parts.append(_Repeat(parts.pop(), *_counts(sign)))
        else:
            parts.append(_Digits(_digit_set(sign)))
    options.append(_Sequence(tuple(parts)))
    return options[0] if len(options) == 1 else _Choice(tuple(options))


def parse(pattern: str) -> _Node:
    """Parse one pattern.

    Raises:
        PatternError: it uses something beyond the little language.
    """
    tokens = _tokens(pattern)[::-1]
    node = _parse_choice(tokens)
    if tokens:
        raise PatternError(f"pattern {pattern!r} closes a group it did not open")
    return node


@dataclass(slots=True)
class Automaton:
    """All patterns of one numbering plan, read together, digit by digit.

    A state is a set of positions; a position below zero is an accepted pattern (`-1 - index`). The machine is
    deterministic by construction: `step` is a function.
    """

    _positions: list[tuple[frozenset[int], State]] = field(default_factory=list)
    _accepts: list[str] = field(default_factory=list)
    _steps: dict[tuple[State, int], State] = field(default_factory=dict)
    _start: set[int] = field(default_factory=set)

    def add(self, name: str, pattern: str, *, prefix: bool = False) -> None:
        """Add a pattern; with `prefix`, every number that begins with it is accepted too."""
        accept = -1 - len(self._accepts)
        self._accepts.append(name)
        end = frozenset({accept})
        if prefix:
            end |= {len(self._positions)}
            self._positions.append((ANY, end))
        self._start |= self._compile(parse(pattern), end)

    @property
    def start(self) -> State:
        """State before the first digit."""
        return frozenset(self._start)

    def step(self, state: State, digit: int) -> State:
        """State after one more digit; the empty set when no pattern can match any more."""
        key = (state, digit)
        found = self._steps.get(key)
        if found is None:
            found = self._steps[key] = self._union(
                follow
                for allowed, follow in map(self._positions.__getitem__, _live(state))
                if digit in allowed
            )
        return found

    def accepted(self, state: State) -> frozenset[str]:
        """Names of the patterns that match the digits read so far, as a whole."""
        return frozenset(self._accepts[-1 - position] for position in state if position < 0)

    def _compile(self, node: _Node, follow: State) -> State:
        """Positions where a match of `node` can begin if after it comes `follow`."""
        if isinstance(node, _Digits):
            self._positions.append((node.allowed, follow))
            return frozenset({len(self._positions) - 1})
        if isinstance(node, _Sequence):
            for part in reversed(node.parts):
                follow = self._compile(part, follow)
            return follow
        if isinstance(node, _Choice):
            return self._union(self._compile(option, follow) for option in node.options)
        end = follow
        for _ in range(node.most - node.least):
            follow = self._compile(node.part, follow) | end
        for _ in range(node.least):
            follow = self._compile(node.part, follow)
        return follow

    @staticmethod
    def _union(states: Iterable[State]) -> State:
        return frozenset().union(*states)


def _live(state: State) -> Iterable[int]:
    return (position for position in state if position >= 0)
