"""Where the command line prints: a terminal as wide as it is, or a pipe, a file, a log, which have no width.

Owns the width, and what becomes of a line that cannot be printed. Refuses to know what is printed.
"""

import contextlib
import os

from rich.console import Console, ConsoleDimensions

ROOMY = 100  # columns of a terminal; a narrower one leaves out what can be seen elsewhere
UNBROKEN = 10_000  # columns of what is read by programs: no row of ours is longer, so each stays one line
LINES = 25  # rich asks for a height, too; nothing of ours fills it


class Terminal(Console):
    """A console as of rich, but that it breaks no line in a pipe, unless COLUMNS says how wide that is."""

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines, asked at each print: a window may have been made narrower."""
        if self.is_terminal or "COLUMNS" in os.environ or self._width is not None:
            return super().size
        return ConsoleDimensions(UNBROKEN, LINES)

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        self._width, self._height = new

    @property
    def roomy(self) -> bool:
        """Tell whether all columns of a table find room side by side."""
        return self.width >= ROOMY


def put(console: Console, line: str) -> None:
    """Print a line, or lose it: on a full disk, in a pipe without reader, for a letter its encoding lacks."""
    with contextlib.suppress(SystemExit):  # of rich, when nobody reads: from then on it prints nothing
        try:
            console.print(line, highlight=False, soft_wrap=True)
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError), console.capture():
                pass  # takes the line from rich, which would print it again before the next one
