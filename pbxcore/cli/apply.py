"""`pbxcore apply`: put documents in force through the door, and say what came of it."""

import asyncio
import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pbxcore import database, door
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.findings import as_json as as_plain
from pbxcore.cli.findings import show
from pbxcore.door import Applied
from pbxcore.machine.running import settings_of_running
from pbxcore.publication import Published
from pbxcore.settings import Settings


@app.command(rich_help_panel="Changing")
def apply(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders that are searched for *.yaml.")],
    author: Annotated[str, typer.Option(help="Who changes it; stands in the revision.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check documents and put all of them in force, or none.

    Calls in progress go on as they were decided; the next call is decided by the new documents. With any
    mistake nothing changes, and every mistake is listed with its line.
    """
    report(settings_of_running(), paths, author or getpass.getuser(), as_json=as_json)


def report(settings: Settings, paths: list[Path], author: str, *, as_json: bool) -> None:
    """Send documents through the door and say what came of it; exit code 1 with mistakes."""
    try:
        applied = asyncio.run(door.apply(settings, paths, author=author))
    except database.AWAY as away:
        raise fail(
            f"the database does not answer ({away}); nothing was changed",
            "start the machine with `make run`, or name the database: PBXCORE_DATABASE=postgresql://…",
            Exit.UNAVAILABLE,
        ) from away
    if as_json:
        out.print_json(json.dumps({**asdict(applied), "findings": as_plain(applied.findings)}))
    elif applied.findings:
        show(applied.findings)
        out.print("[bold red]✗ nothing was changed[/]")
    else:
        _show(applied)
    if not applied.findings and not applied.changes:
        raise fail("no documents were found", "name files, or a folder with *.yaml in it", Exit.NO)
    if applied.findings:
        raise typer.Exit(int(Exit.NO))


def _show(applied: Applied) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("", "document", "revision", "in force at"):
        table.add_column(column)
    published = {one.tenant: one for one in applied.published}
    for change in applied.changes:
        there = published.get(change.id) if change.kind == "tenant" else None
        sign = "[green]✓[/]" if change.changed else "[dim]=[/]"
        where = _where(there) if change.changed else "[dim]unchanged[/]"
        table.add_row(sign, f"{change.kind} [bold]{change.id}[/]", str(change.revision), where)
    out.print(table)


def _where(published: Published | None) -> str:
    if published is None:
        return "rater, with the next leg"
    return ", ".join(
        one.process if one.done else f"[yellow]{one.process} {one.detail}: follows when it is back[/]"
        for one in published.acknowledged
    )
