"""How findings look on a terminal and in JSON.

Owns the words around them. Refuses to find any (`pbxcore.documents`).
"""

from collections.abc import Iterable
from itertools import groupby

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from pbxcore.beside import Note
from pbxcore.cli.app import out
from pbxcore.cli.tables import Table
from pbxcore.documents import Located


def show(findings: Iterable[Located]) -> None:
    """Print findings by file: line, path, what is wrong, and what to do about it."""
    for file, found in groupby(findings, key=lambda located: located.file):
        out.print(Text(file, style="bold underline"))
        out.print(_table(found), "")


def show_notes(notes: Iterable[Note]) -> None:
    """Print what keeps nobody from applying, and what to do about it."""
    for note in notes:
        out.print(f"[yellow]! {escape(note.message)}[/]\n  → {escape(note.remedy)}", highlight=False)


def as_json(findings: Iterable[Located]) -> list[dict[str, object]]:
    """Give findings as scripts read them."""
    return [
        {
            "file": located.file,
            "line": located.line,
            "path": list(located.finding.path),
            "code": located.finding.code,
            "message": located.finding.message,
            "remedy": located.finding.remedy,
        }
        for located in findings
    ]


def _table(findings: Iterable[Located]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column()
    for located in findings:
        table.add_row(f" {located.line}", _words(located))
    return table


def _words(located: Located) -> RenderableType:
    finding = located.finding
    where = ".".join(map(str, finding.path))
    lines = Table.grid(padding=(0, 1, 0, 0))
    lines.add_row(
        Text("✗", "bold red"), Text.assemble(finding.message, ("  " + where if where else "", "dim"))
    )
    lines.add_row("", Text.assemble(("→ " + finding.remedy, "green"), (f"  [{finding.code}]", "dim")))
    return lines
