"""Where the command line prints: a terminal as wide as it is, or a pipe, a file, a log, which have no width.

Owns the width. Refuses to know what is printed.
"""

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
