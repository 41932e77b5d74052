"""A price list in force: the row with the longest prefix that speaks for a number on a day.

Owns which row speaks. Refuses prices of zones, and whether the list has a say at all (`rating.tariff`).

The problem: which rows are in force changes on few days, and is asked for every leg. So time is divided into
spans in which nothing changes; the table of a span is made when first asked for and shared by all accounts.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from rating.destinations.kind import Kind
from rating.destinations.table import LONGEST_NUMBER
from rating.price_list import PriceListSpec, Row, days_of, rows_of

Listed = tuple[Row | None, ...]
"""What the lists of a tariff say of a number, list by list; empty for a tariff without lists."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The rows of a list that are in force at the same time.

    Attributes:
        rows: prefix → row.
        longest: digits of the longest prefix.
    """

    rows: Mapping[str, Row]
    longest: int

    def find(self, digits: str) -> Row | None:
        """Find the row with the longest prefix of a number, digits without `+`."""
        for length in range(min(self.longest, len(digits)), 0, -1):
            row = self.rows.get(digits[:length])
            if row is not None:
                return row
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """A list with all its rows.

    Attributes:
        rows: in the order in which they begin; of two in force the later one speaks.
        days: on which something changes.
    """

    name: str
    file: str
    kinds: frozenset[Kind]
    tax_class: str
    rows: tuple[Row, ...]
    days: tuple[date, ...]
    _tables: dict[int, PriceTable] = field(default_factory=dict, compare=False, repr=False)

    def on(self, day: date) -> PriceTable:
        """Return the rows in force on a day; the same object for all days between two changes."""
        span = bisect_right(self.days, day)
        table = self._tables.get(span)
        if table is None:
            in_force = {row.prefix: row for row in self.rows if row.first <= day <= row.until}
            longest = max(map(len, in_force), default=0)
            table = self._tables.setdefault(
                span, PriceTable(in_force, longest)
            )  # two threads may ask at once
        return table


def price_list(spec: PriceListSpec, files: Mapping[str, str], tax_class: str) -> PriceList:
    """Compile a list that `rating.price_list.check` found nothing in.

    Args:
        spec: the list.
        files: of its catalogue.
        tax_class: of its catalogue, for a list that names none.
    """
    rows, _ = rows_of(files.get(spec.file, ""))
    return PriceList(
        name=spec.price_list,
        file=spec.file,
        kinds=frozenset(spec.kinds),
        tax_class=spec.tax_class or tax_class,
        rows=tuple(sorted(rows, key=_first)),
        days=days_of(rows),
    )


def find(tables: Iterable[PriceTable], number: str) -> Listed:
    """Find what each list says of a number; none of them knows what is not `+` and digits."""
    digits = number[1:]
    if number[:1] != "+" or not (digits.isascii() and digits.isdigit()) or len(digits) > LONGEST_NUMBER:
        return tuple(None for _ in tables)
    return tuple(table.find(digits) for table in tables)


def _first(row: Row) -> date:
    return row.first
