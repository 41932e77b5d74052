"""Derive `config/destinations` from libphonenumber and our corrections.

`python -m rating.destinations.derive`: run when the library has a new version. The product reads the table
and never the library.

Owns how the table comes to be. Refuses samples: the library's patterns are compiled exactly (`automaton`),
and below each prefix it is counted how many numbers are what. The rules, in the order in which they speak:

1. A prefix below which every number is the same is one row. Among ordinary kinds (fixed, mobile, ...)
   numbers that are not assigned do not disturb it; a special kind must be assigned to the last number,
   freephone above all: nothing is free by mistake.
2. A prefix below which the length decides is one row for what is heaviest and one for each other length.
3. Everything else is divided by its next digit. A gap in it inherits the heaviest ordinary kind around it,
   and a calling code as a whole is fixed, in its main country.
4. `overrides.csv`, each entry with its source, replaces everything below its prefix.
"""

import argparse
import csv
import importlib.metadata
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

from rating.destinations.automaton import Automaton, State
from rating.destinations.kind import NOWHERE, ORDINARY, Destination, Kind
from rating.destinations.table import ShortNumber

LONGEST_NATIONAL = 17  # digits behind the calling code that libphonenumber allows
FOLDER = Path("config/destinations")

_KINDS = (  # in the order in which libphonenumber asks
    ("premium_rate", Kind.PREMIUM),
    ("toll_free", Kind.FREEPHONE),
    ("shared_cost", Kind.SHARED_COST),
    ("voip", Kind.VOIP),
    ("personal_number", Kind.PERSONAL),
    ("pager", Kind.PAGER),
    ("uan", Kind.UAN),
    ("voicemail", Kind.MOBILE),  # mailboxes of mobile networks
)
_SHORT_KINDS = (
    ("emergency", Kind.EMERGENCY),
    ("premium_rate", Kind.PREMIUM),
    ("standard_rate", Kind.FIXED),
    ("toll_free", Kind.FREEPHONE),
)

Weights = Counter[tuple[int, Destination]]
"""(length, destination) → how many numbers of that length lead there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A correction by hand.

    Attributes:
        prefixes: with their calling code; everything below them is replaced. Of short numbers: as dialled.
        length: digits of the short numbers it is about; None: it is about numbers in E.164 form.
        source: who says so.
    """

    country: str
    kind: Kind
    length: int | None
    prefixes: tuple[str, ...]
    source: str


@dataclass(slots=True)
class Table:
    """What is derived, before it is written."""

    prefixes: dict[str, Destination] = field(default_factory=dict)
    lengths: dict[str, dict[int, Destination]] = field(default_factory=dict)
    short: list[ShortNumber] = field(default_factory=list)

    def cut(self, prefix: str) -> None:
        """Forget everything at and below a prefix."""
        for rows in (self.prefixes, self.lengths):
            for below in [known for known in rows if known.startswith(prefix)]:
                del rows[below]


class Plan:
    """One numbering plan: the patterns of all countries behind one calling code."""

    def __init__(self, code: str, regions: Mapping[str, PhoneMetadata]) -> None:
        self.code = code
        self.automaton = Automaton()
        self._regions = regions
        self._patterns: set[str] = set()
        self._weights: dict[tuple[State, int], Weights] = {}
        for metadata in regions.values():
            for name in ("general_desc", "fixed_line", "mobile", *(name for name, _ in _KINDS)):
                self._add(getattr(metadata, name))
            if metadata.leading_digits is not None:
                self.automaton.add("^" + metadata.leading_digits, metadata.leading_digits, prefix=True)

    def _add(self, description: phonenumbers.PhoneNumberDesc | None) -> None:
        pattern = description.national_number_pattern if description is not None else None
        if pattern is not None and pattern not in self._patterns:
            self._patterns.add(pattern)
            self.automaton.add(pattern, pattern)

    def destination(self, state: State, length: int) -> Destination | None:
        """Where the number just read leads, by the library's own order of questions."""
        accepted = self.automaton.accepted(state)
        for country, metadata in self._regions.items():
            kind = _kind(metadata, accepted, length)
            if metadata.leading_digits is not None:
                if "^" + metadata.leading_digits in accepted:
                    return Destination(country, kind) if kind is not None else None
            elif kind is not None:
                return Destination(country, kind)
        return None

    def weights(self, state: State, length: int) -> Weights:
        """How many numbers of each length lead where, of all that begin with the digits just read."""
        key = (state, length)
        found = self._weights.get(key)
        if found is None:
            found = self._weights[key] = Counter()
            own = self.destination(state, length)
            if own is not None:
                found[length, own] += 1
            for _, below in self.below(state, length):
                found.update(self.weights(below, length + 1))
        return found

    def below(self, state: State, length: int) -> Iterator[tuple[str, State]]:
        """Each next digit that some pattern still allows."""
        if length < LONGEST_NATIONAL:
            for digit in range(10):
                following = self.automaton.step(state, digit)
                if following:
                    yield str(digit), following


def _kind(metadata: PhoneMetadata, accepted: frozenset[str], length: int) -> Kind | None:
    """Kind of a number in one country, None where it is not valid there."""

    def matches(description: phonenumbers.PhoneNumberDesc | None) -> bool:
        return (
            description is not None
            and description.national_number_pattern in accepted
            and (not description.possible_length or length in description.possible_length)
        )

    if not matches(metadata.general_desc):
        return None
    for name, kind in _KINDS:
        if matches(getattr(metadata, name)):
            return kind
    mobile = metadata.same_mobile_and_fixed_line_pattern or matches(metadata.mobile)
    if matches(metadata.fixed_line):
        return Kind.FIXED_OR_MOBILE if mobile else Kind.FIXED
    return Kind.MOBILE if matches(metadata.mobile) else None


def _heaviest(weights: Weights, kinds: frozenset[Kind]) -> Destination | None:
    """The destination of these kinds that fills most of the number space; ties go to the first by name."""
    shares: Counter[Destination] = Counter()
    for (length, destination), count in weights.items():
        if destination.kind in kinds:
            shares[destination] += count * 10 ** (LONGEST_NATIONAL - length)
    return min(shares, key=lambda destination: (-shares[destination], destination), default=None)


def _complete(weights: Weights, digits: int, lengths: set[int]) -> bool:
    """Whether every number of these lengths is assigned."""
    assigned: Counter[int] = Counter()
    for (length, _), count in weights.items():
        assigned[length] += count
    return all(assigned[length] == 10 ** (length - digits) for length in lengths)


def _one_row_each(weights: Weights, digits: int) -> bool:
    """Whether length alone tells the numbers below apart, and only ordinary kinds have gaps."""
    lengths = Counter(length for length, _ in weights)
    special = {length for length, destination in weights if destination.kind not in ORDINARY}
    return max(lengths.values()) == 1 and _complete(weights, digits, special)


def _base(weights: Weights, inherited: Destination) -> Destination:
    """What holds for numbers of no assigned length: ordinary before special, freephone only if all are."""
    if {destination.kind for _, destination in weights} == {Kind.FREEPHONE}:
        return next(destination for _, destination in weights)
    special = frozenset(Kind) - {Kind.FREEPHONE}
    return _heaviest(weights, ORDINARY) or _heaviest(weights, special) or inherited


def _walk(table: Table, plan: Plan, prefix: str, state: State, inherited: Destination) -> None:
    """Write the rows of a prefix and of everything below it."""
    digits = len(prefix) - len(plan.code)
    weights = plan.weights(state, digits)
    if not weights:
        return
    if digits and _one_row_each(weights, digits):
        base = _base(weights, inherited)
        _write(table, prefix, base, inherited)
        for (length, destination), _ in sorted(weights.items()):
            if destination != base:
                table.lengths.setdefault(prefix, {})[len(plan.code) + length] = destination
        return
    default = (_heaviest(weights, ORDINARY) or inherited) if digits else inherited
    _write(table, prefix, default, inherited if digits else None)
    own = plan.destination(state, digits)
    if own is not None and own != default:
        table.lengths.setdefault(prefix, {})[len(prefix)] = own
    for digit, below in plan.below(state, digits):
        _walk(table, plan, prefix + digit, below, default)


def _write(table: Table, prefix: str, destination: Destination, inherited: Destination | None) -> None:
    if destination != inherited:
        table.prefixes[prefix] = destination


def _derive_numbers(table: Table) -> None:
    for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        plan = Plan(str(code), {region: _metadata(code, region) for region in regions})
        root = Kind.INTERNATIONAL if regions[0] == NOWHERE else Kind.FIXED
        _walk(table, plan, str(code), plan.automaton.start, Destination(regions[0], root))


def _metadata(code: int, region: str) -> PhoneMetadata:
    if region == NOWHERE:
        metadata = PhoneMetadata.metadata_for_nongeo_region(code, None)
    else:
        metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None:
        raise LookupError(f"libphonenumber has no metadata for {region} behind +{code}")
    return metadata


def _derive_short(table: Table) -> None:
    for region in sorted(phonenumbers.SUPPORTED_SHORT_REGIONS):
        metadata = PhoneMetadata.short_metadata_for_region(region, None)
        code = str(phonenumbers.country_code_for_region(region))
        if metadata is not None:
            plan = ShortPlan(region, metadata)
            for prefix, length, kind in plan.rows("", plan.automaton.start):
                table.short.append(ShortNumber(region, code, prefix, length, kind))


class ShortPlan:
    """The short numbers of one country; gaps stay gaps."""

    def __init__(self, country: str, metadata: PhoneMetadata) -> None:
        self.country = country
        self.automaton = Automaton()
        self._lengths: dict[str, tuple[int, ...]] = {}
        self._numbers: dict[tuple[State, int], Counter[tuple[int, Kind]]] = {}
        for name, _ in _SHORT_KINDS:
            description = getattr(metadata, name)
            if description is not None and description.national_number_pattern is not None:
                self.automaton.add(name, description.national_number_pattern)
                self._lengths[name] = description.possible_length

    def kind(self, state: State, length: int) -> Kind | None:
        """Kind of the number just read."""
        accepted = self.automaton.accepted(state)
        return next(
            (kind for name, kind in _SHORT_KINDS if name in accepted and length in self._lengths[name]), None
        )

    def numbers(self, state: State, length: int) -> Counter[tuple[int, Kind]]:
        """How many numbers of each length and kind begin with the digits just read."""
        key = (state, length)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = Counter()
            own = self.kind(state, length)
            if own is not None:
                found[length, own] += 1
            for digit in range(10):
                below = self.automaton.step(state, digit)
                if below:
                    found.update(self.numbers(below, length + 1))
        return found

    def rows(self, prefix: str, state: State) -> Iterator[tuple[str, int, Kind]]:
        """Prefix, length and kind of every complete block; each number is in at most one."""
        yield from self._rows(prefix, state, frozenset())

    def _rows(self, prefix: str, state: State, done: frozenset[int]) -> Iterator[tuple[str, int, Kind]]:
        numbers = self.numbers(state, len(prefix))
        for (length, kind), count in sorted(numbers.items()):
            if prefix and length not in done and count == 10 ** (length - len(prefix)):
                yield prefix, length, kind
                done |= {length}
        if all(length in done for length, _ in numbers):
            return
        for digit in range(10):
            below = self.automaton.step(state, digit)
            if below:
                yield from self._rows(prefix + str(digit), below, done)


def _override(table: Table, overrides: Sequence[Override]) -> None:
    entries = [(prefix, entry) for entry in overrides for prefix in entry.prefixes]
    for prefix, entry in sorted(entries, key=lambda pair: (len(pair[0]), pair[0])):
        if entry.length is None:
            table.cut(prefix)
            table.prefixes[prefix] = Destination(entry.country, entry.kind)
        else:
            code = str(phonenumbers.country_code_for_region(entry.country))
            block = ShortNumber(entry.country, code, prefix, entry.length, entry.kind)
            table.short = [row for row in table.short if not _inside(row, block)]
            table.short.append(block)


def _inside(row: ShortNumber, block: ShortNumber) -> bool:
    return row.country == block.country and row.length == block.length and row.prefix.startswith(block.prefix)


def derive(overrides: Sequence[Override]) -> Table:
    """Derive the whole table."""
    table = Table()
    _derive_numbers(table)
    _derive_short(table)
    _override(table, overrides)
    return table


def read_overrides(folder: Path) -> tuple[Override, ...]:
    """Read `overrides.csv`; an entry without a source is refused."""
    lines = (folder / "overrides.csv").read_text(encoding="ascii").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return tuple(_read_override(row) for row in rows)


def _read_override(row: Mapping[str, str]) -> Override:
    if not row["source"] or not row["prefixes"]:
        raise ValueError(f"an override without prefixes or source: {dict(row)}")
    return Override(
        country=row["country"],
        kind=Kind(row["kind"]),
        length=int(row["length"]) if row["length"] else None,
        prefixes=tuple(row["prefixes"].split()),
        source=row["source"],
    )


def write(table: Table, folder: Path) -> None:
    """Write the three files, sorted, so that the same source gives the same bytes."""
    _write_csv(
        folder / "prefixes.csv",
        ("prefix", "country", "kind"),
        sorted((prefix, *destination) for prefix, destination in table.prefixes.items()),
    )
    _write_csv(
        folder / "lengths.csv",
        ("prefix", "length", "country", "kind"),
        sorted(
            (prefix, str(length), *destination)
            for prefix, by_length in table.lengths.items()
            for length, destination in by_length.items()
        ),
    )
    _write_csv(
        folder / "short.csv",
        ("country", "code", "prefix", "length", "kind"),
        sorted((row.country, row.code, row.prefix, str(row.length), row.kind) for row in table.short),
    )
    version = importlib.metadata.version("phonenumbers")
    (folder / "source.yaml").write_text(_SOURCE.format(version=version), encoding="utf-8")


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


_SOURCE = """\
# Written by `python -m rating.destinations.derive`. prefixes.csv, lengths.csv and short.csv are derived from
# libphonenumber's metadata and modified by overrides.csv.
source: libphonenumber metadata, through the Python package phonenumbers
package_version: "{version}"
licence: Apache-2.0, text in LICENSE.libphonenumber
copyright: Copyright © The Libphonenumber Authors
modified: true
"""


def main(arguments: list[str]) -> int:
    """Derive and write."""
    parser = argparse.ArgumentParser(description="Derive the table of destinations from libphonenumber.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="holds overrides.csv, gets the table")
    folder = parser.parse_args(arguments).folder
    table = derive(read_overrides(folder))
    write(table, folder)
    sys.stdout.write(
        f"{len(table.prefixes)} prefixes, {sum(map(len, table.lengths.values()))} rows by length, "
        f"{len(table.short)} short numbers in {folder}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
