"""Patterns of callers: which are ones, and which of several fits."""

import pytest

from dialplan.callers import example, fitting, parse, parse_number
from dialplan.numbers import is_e164


@pytest.mark.parametrize(
    "text", ["", "*", "+*", "+0*", "0900*", "+49", "+4930*1", "+49x*", "Anonymous", "+" + "1" * 17]
)
def test_what_is_no_pattern(text: str) -> None:
    """No national forms, no star alone, no star in the middle, no other words."""
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [("+49 30 12345", "+493012345"), ("+49900*", "+49900*"), ("+49 900 *", "+49900*"), ("+1*", "+1*")],
)
def test_a_pattern_is_read_in_any_spacing(text: str, read: str) -> None:
    """A number, or the beginning of one."""
    assert parse_number(text) == read
    assert fitting({read}, example(read)) == read


def test_words_are_patterns_of_callers_but_not_of_numbers() -> None:
    """Who hides cannot stand on a block list."""
    assert [parse(word) for word in ("anonymous", "inside")] == ["anonymous", "inside"]
    assert [parse_number(word) for word in ("anonymous", "inside")] == [None, None]


@pytest.mark.parametrize(
    ("number", "pattern"),
    [("+4930123456", "+4930123456"), ("+49301234567", "+493012*"), ("+493099", "+4930*"), ("+4940", "+49*"),
     ("+43", None), ("", None), ("+", None)],
)  # fmt: skip
def test_the_longest_that_fits(number: str, pattern: str | None) -> None:
    """The whole number first, then the longest beginning."""
    assert fitting({"+49*", "+4930*", "+493012*", "+4930123456"}, number) == pattern


@pytest.mark.parametrize("pattern", ["+4930*", "+49*", "+43664*", "+1*", "+493012345678*"])
def test_an_example_is_a_number(pattern: str) -> None:
    """What is tried for a beginning could be somebody's number."""
    assert is_e164(example(pattern))
