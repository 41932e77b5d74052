"""How `pbxcore run` tells what it does: one line per step with the time it took, progress while it lasts.

Owns the look of these lines, with and without a terminal. Refuses to do any step.
"""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pbxcore.cli.terminal import put
from pbxcore.machine.supervise import Event


class Told:
    """One step while it is done."""

    def __init__(self, bar: Progress | None, task: TaskID | None, console: Console) -> None:
        self._bar = bar
        self._task = task
        self._console = console
        self._last = ""
        self.result = ""

    def progress(self, what: str, fraction: float) -> None:
        """Show how far it is; without a terminal, each new part once."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, detail=what, completed=fraction)
        elif what != self._last:
            self._console.print(f"    {escape(what)} …", highlight=False)
        self._last = what

    def note(self, what: str) -> None:
        """Keep what came out of it."""
        self.result = what


class ConsoleStory:
    """Tells on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Told]:
        """Begin a step; its line stands when it has ended."""
        began = time.monotonic()
        with self._bar(what) as told:
            try:
                yield told
            except BaseException:
                self._line("[red]✗[/]", what, told.result, began)
                raise
        self._line("[green]✓[/]", what, told.result, began)

    def event(self, event: Event) -> None:
        """Show what happened to a process."""
        put(self._console, f"[yellow]![/] {event.name} {escape(event.what)}")

    @contextlib.contextmanager
    def _bar(self, what: str) -> Iterator[Told]:
        if not self._console.is_terminal:
            yield Told(None, None, self._console)
            return
        columns = (
            TextColumn("[cyan]…[/] {task.description:<11}"),
            BarColumn(24),
            TextColumn("[dim]{task.fields[detail]}"),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            yield Told(bar, bar.add_task(what, total=1.0, detail=""), self._console)

    def _line(self, sign: str, what: str, result: str, began: float) -> None:
        took = time.monotonic() - began
        put(self._console, f"{sign} {what:<11} [dim]{took:5.1f} s[/]  {escape(result)}")
