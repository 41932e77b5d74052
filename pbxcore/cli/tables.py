"""Tables of the terminal, on which no name is cut: what is too long goes on in the next line.

Owns that, and instants as they stand in tables. Refuses to know what stands in any.
"""

from datetime import datetime
from typing import Any

from rich import table


class Table(table.Table):
    """A table as of rich, but that it never writes an ellipsis for the rest of a name."""

    def add_row(self, *cells: Any, **options: Any) -> None:  # noqa: ANN401 — whatever rich takes
        """Add a row; columns that nobody added are of this kind, too."""
        while len(self.columns) < len(cells):
            self.add_column()
        super().add_row(*cells, **options)

    def add_column(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 — whatever rich takes
        """Add a column whose words go on in the next line."""
        super().add_column(*arguments, **{"overflow": "fold", **options})


def shown(at: datetime, now: datetime | None = None, *, seconds: bool = True) -> str:
    """Write an instant by the clock of this machine, and which clock that is: `2026-11-27 01:38:14 CET`.

    Args:
        at: the instant.
        now: beside it today's day is left out, and of another one the year.
        seconds: whether they are written.
    """
    local, clock = at.astimezone(), "%H:%M:%S %Z" if seconds else "%H:%M %Z"
    if now is None:
        return local.strftime(f"%Y-%m-%d {clock}")
    return local.strftime(clock if local.date() == now.astimezone().date() else f"%m-%d {clock}")


def without_day(pool: str) -> str:
    """Name an allowance without the first day of its period, for little room: `dach/mobile`."""
    return pool.rpartition("/")[0] or pool
