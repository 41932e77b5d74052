"""Patterns of digits as one machine."""

import itertools
import re

import pytest

from rating.destinations.automaton import Automaton, PatternError

PATTERNS = (r"49[1-35]\d{2,3}", r"(?:0[2-4]|1)(?:5\d)?7", r"8(?:00|1[0-3])?", r"\d{3}")


@pytest.mark.parametrize("pattern", ["a", "1+", "1*", "^1", "(1)", "(?:1", "1)", "?", "1{2,}", "[a-c]", "."])
def test_other_languages_are_refused(pattern: str) -> None:
    """A pattern that uses more than we know is an error, never a wrong table."""
    with pytest.raises(PatternError):
        Automaton().add("x", pattern)


def test_it_accepts_what_the_patterns_match() -> None:
    """On every number of up to five digits the machine and `re` agree, pattern by pattern."""
    machine = Automaton()
    for pattern in PATTERNS:
        machine.add(pattern, pattern)
    for length in range(6):
        for digits in itertools.product("012345789", repeat=length):
            state = machine.start
            for digit in digits:
                state = machine.step(state, int(digit))
            number = "".join(digits)
            assert machine.accepted(state) == {p for p in PATTERNS if re.fullmatch(p, number)}, number


def test_a_prefix_accepts_all_that_begins_with_it() -> None:
    """Leading digits hold for whatever follows."""
    machine = Automaton()
    machine.add("x", "7[67]", prefix=True)
    state = machine.start
    for digit, accepted in zip((7, 6, 1, 9), (False, True, True, True), strict=True):
        state = machine.step(state, digit)
        assert bool(machine.accepted(state)) is accepted
