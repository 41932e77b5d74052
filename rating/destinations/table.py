"""The table number prefix → country and kind, asked for every call.

Owns look-up. Refuses files (`load`), and to guess: a number that begins with no known prefix has no
destination.

The problem: prefixes nest (+39 Italy, +39 06698 Vatican), the longest counts, and about one number in fifty
needs its length too (+353 1850 is shared-cost with ten digits and a part of Dublin with eight). Read as text,
the numbers that begin with a prefix are one interval; so nested prefixes become a sorted list of disjoint
intervals, and a look-up is one binary search, whatever the length of the number, and nothing is padded.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from rating.destinations.kind import Destination, Kind

_AFTER_DIGITS = ":"  # the character behind "9": `prefix + ":"` is where the interval of a prefix ends
LONGEST_NUMBER = 32  # E.164 allows 15 digits; what is longer than this is no number at all

Lengths = Mapping[int, Destination]
_Answer = tuple[Destination | None, Lengths | None]


class ShortNumber(NamedTuple):
    """All numbers of `length` digits that begin with `prefix`, dialled inside `country`.

    Attributes:
        code: the country's calling code; short numbers are known behind it too (+49 118180).
    """

    country: str
    code: str
    prefix: str
    length: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Short:
    """Short numbers of one country."""

    code: str
    longest: int
    kinds: Mapping[tuple[int, str], Kind]

    def look_up(self, number: str) -> Kind | None:
        """Kind of a number as dialled or behind the calling code."""
        if len(number) > self.longest:
            return None
        if number.startswith("+"):
            if not number.startswith(self.code):
                return None
            number = number[len(self.code) :]
        length = len(number)
        for end in range(length, 0, -1):
            kind = self.kinds.get((length, number[:end]))
            if kind is not None:
                return kind
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """The table in memory; `destinations` builds it from rows, `load.load` from files."""

    bounds: tuple[str, ...]
    answers: tuple[_Answer, ...]
    short: Mapping[str, _Short]
    countries: frozenset[str]

    def beginnings(self) -> Iterator[tuple[str, Destination]]:
        """Give beginnings of numbers with `+`, and where they lead: a few to several places, by length.

        Each leads where it is said to, as it is given: where the length decides, it is a whole number.
        """
        for bound, (answer, lengths) in zip(self.bounds, self.answers, strict=True):
            if bound.endswith(_AFTER_DIGITS):  # what holds again behind a prefix is given where it begins
                continue
            for where in dict.fromkeys((answer, *(lengths or {}).values())):
                if where is None:
                    continue
                beginning = self._beginning(bound, lengths or {}, where)
                if beginning is not None:
                    yield beginning, where

    def _beginning(self, prefix: str, lengths: Lengths, where: Destination) -> str | None:
        """Find what begins with a prefix and leads somewhere; None if longer prefixes leave nothing."""
        filled = (f"+{prefix:{digit}<{length}}" for length in lengths for digit in "0123456789")
        return next((one for one in (f"+{prefix}", *filled) if self.look_up(one) == where), None)

    def look_up(self, number: str, home: str = "") -> Destination | None:
        """Where a number leads, or None when no numbering plan knows it.

        Args:
            number: E.164 with `+`, or a short number as dialled (`112`, `118180`).
            home: country of the caller; short numbers are those of this country.
        """
        short = self.short.get(home)
        if short is not None:
            kind = short.look_up(number)
            if kind is not None:
                return Destination(home, kind)
        if number[:1] != "+":
            return None
        digits = number[1:]
        if not (digits.isascii() and digits.isdigit()) or len(digits) > LONGEST_NUMBER:
            return None
        answer, lengths = self.answers[bisect_right(self.bounds, digits) - 1]
        if lengths is not None:
            return lengths.get(len(digits), answer)
        return answer


def destinations(
    prefixes: Mapping[str, Destination],
    lengths: Mapping[str, Lengths],
    short: Iterable[ShortNumber] = (),
) -> Destinations:
    """Build the table.

    Args:
        prefixes: calling code and further digits → where numbers that begin so lead; the longest counts.
        lengths: prefix → all digits of the number → where numbers of just that length lead.
        short: short numbers of each country.
    """
    bounds, answers = _intervals(prefixes, lengths)
    return Destinations(
        bounds=bounds,
        answers=answers,
        short=_short_by_country(short),
        countries=frozenset(answer.country for answer in prefixes.values()),
    )


def _intervals(
    prefixes: Mapping[str, Destination], lengths: Mapping[str, Lengths]
) -> tuple[tuple[str, ...], tuple[_Answer, ...]]:
    """Turn nested prefixes into disjoint intervals: where each begins, and what holds from there."""
    found: dict[str, _Answer] = {"": (None, None)}
    open_prefixes: list[tuple[str, _Answer]] = [("", (None, None))]
    for prefix in sorted(prefixes.keys() | lengths.keys()):
        _close(open_prefixes, found, prefix)
        destination = prefixes.get(prefix, open_prefixes[-1][1][0])
        answer = (destination, lengths.get(prefix))
        found[prefix] = answer
        open_prefixes.append((prefix, answer))
    _close(open_prefixes, found, _AFTER_DIGITS)
    bounds = sorted(found)
    return tuple(bounds), tuple(found[bound] for bound in bounds)


def _close(open_prefixes: list[tuple[str, _Answer]], found: dict[str, _Answer], prefix: str) -> None:
    """Close what `prefix` is not part of: behind it, what surrounds it holds again."""
    while not prefix.startswith(open_prefixes[-1][0]):
        closed, _ = open_prefixes.pop()
        found[closed + _AFTER_DIGITS] = open_prefixes[-1][1]


def _short_by_country(rows: Iterable[ShortNumber]) -> Mapping[str, _Short]:
    kinds: dict[tuple[str, str], dict[tuple[int, str], Kind]] = {}
    for row in rows:
        kinds.setdefault((row.country, "+" + row.code), {})[row.length, row.prefix] = row.kind
    return MappingProxyType(
        {
            country: _Short(code, len(code) + max(length for length, _ in known), known)
            for (country, code), known in kinds.items()
        }
    )
