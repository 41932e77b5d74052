"""What is wrong with a catalogue or an account: findings are values, given together, each with its remedy.

Owns the shape of a finding (the same as `dialplan.finding`) and the root of this package's errors. Refuses
files and lines: a path within the document is all it knows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake.

    Attributes:
        path: keys and indices from the root of the document, `("bundles", 0, "size")`.
        code: stable name of the kind of mistake, `unknown-zone`.
        message: what is wrong, one sentence without a full stop.
        remedy: what to do about it, one sentence without a full stop.
    """

    path: Path
    code: str
    message: str
    remedy: str


class RatingError(Exception):
    """Root of the errors of this package; `code` is stable."""

    code = "rating"


def closest(name: str, known: Iterable[str], otherwise: str) -> str:
    """Write a remedy that guesses which known name was meant (as `dialplan.finding`), and what else to do."""
    match = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {match[0]}? Otherwise {otherwise}" if match else otherwise
