"""Patterns of callers, as an operator writes them: `+4930*`, `+493012345`, `anonymous`, `inside`.

Owns their grammar, and which of several fits a caller: the whole number first, then the longest beginning.
Refuses to say what happens to the call.
"""

import re
from collections.abc import Container
from functools import lru_cache

ANONYMOUS = "anonymous"  # shows no number
INSIDE = "inside"  # a phone of the same tenant; no other pattern fits it

NUMBERS = ("+493012345", "+49900*")
FORMS = (*NUMBERS, ANONYMOUS, INSIDE)

_PATTERN = re.compile(r"\+[1-9][0-9]{0,14}\*|\+[1-9][0-9]{6,14}", re.ASCII)


def parse_number(text: str) -> str | None:
    """Read a number or the beginning of one, in any spacing; None where the text is neither."""
    compact = "".join(text.split())
    return compact if _PATTERN.fullmatch(compact) else None


def parse(text: str) -> str | None:
    """Read any pattern; None where the text is none."""
    return text if text in {ANONYMOUS, INSIDE} else parse_number(text)


def example(pattern: str) -> str:
    """Give a number that a pattern fits, one that nobody has; empty for a caller without number."""
    if pattern in {ANONYMOUS, INSIDE}:
        return ""
    beginning = pattern.removesuffix("*")
    return beginning if beginning == pattern else (beginning + _PADDING)[: max(len(beginning), _ORDINARY)]


_PADDING, _ORDINARY = "5550123456789", 13  # characters of an example, `+` included


def fitting(patterns: Container[str], number: str) -> str | None:
    """Give the pattern of numbers that fits an E.164 number best; None: none does."""
    return next((one for one in _fitting(number) if one in patterns), None)


@lru_cache(maxsize=64)  # one call asks for the same few numbers, once for each list
def _fitting(number: str) -> tuple[str, ...]:
    """Give all patterns of numbers that fit a number, the best first."""
    return (number, *(f"{number[:end]}*" for end in range(len(number), 1, -1)))
