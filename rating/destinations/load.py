"""Read the table of destinations from `config/destinations`.

Owns the form of its files. Refuses to ask anybody else: the product reads these files, never the library from
which they were derived.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from rating.destinations.kind import Destination, Kind
from rating.destinations.table import Destinations, ShortNumber, destinations


def load(folder: Path) -> Destinations:
    """Read prefixes.csv, lengths.csv and short.csv of a folder."""
    known: dict[Destination, Destination] = {}

    def destination(row: Mapping[str, str]) -> Destination:
        found = Destination(row["country"], Kind(row["kind"]))
        return known.setdefault(found, found)

    lengths: dict[str, dict[int, Destination]] = {}
    for row in _rows(folder / "lengths.csv"):
        lengths.setdefault(row["prefix"], {})[int(row["length"])] = destination(row)
    return destinations(
        {row["prefix"]: destination(row) for row in _rows(folder / "prefixes.csv")},
        lengths,
        (
            ShortNumber(row["country"], row["code"], row["prefix"], int(row["length"]), Kind(row["kind"]))
            for row in _rows(folder / "short.csv")
        ),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="ascii", newline="") as lines:
        return list(csv.DictReader(lines))
