"""Tables of the terminal, on which no name is cut: what is too long goes on in the next line.

Owns that, and instants as they stand in tables. Refuses to know what stands in any.
"""

from datetime import datetime
from typing import Any

from rich import table

ROOMY = 100  # columns of a terminal; a narrower one leaves out what can be seen elsewhere


class Table(table.Table):
    """A table as of rich, but that it never writes an ellipsis for the rest of a name."""

    def add_column(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 — whatever rich takes
        """Add a column whose words go on in the next line."""
        super().add_column(*arguments, **{"overflow": "fold", **options})


def shown(at: datetime, now: datetime | None = None) -> str:
    """Write an instant by the clock of this machine; beside `now` without the day if that is today."""
    local = at.astimezone()
    if now is None:
        return f"{local:%Y-%m-%d %H:%M:%S}"
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone().date() else f"{local:%m-%d %H:%M:%S}"
