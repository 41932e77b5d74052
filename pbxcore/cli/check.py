"""`pbxcore check`: say everything that is wrong with documents before anybody applies them."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pbxcore import documents
from pbxcore.cli import findings
from pbxcore.cli.app import AsJson, Exit, app, out
from pbxcore.documents import Located, Read
from pbxcore.settings import Settings


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders that are searched for *.yaml.")],
    as_json: AsJson = False,
) -> None:
    """Check tenants, accounts and catalogues; change nothing.

    Every mistake is listed with its line and what to do about it: wrong keys and values, members and targets
    that do not exist, calls that would go round for ever or end nowhere, two tenants with one number. What
    passes here can be applied, unless the documents in force object.

    Exit code 0: nothing is wrong. 1: something is.
    """
    trunks = tuple(trunk.name for trunk in Settings().trunks) or documents.SOME_TRUNK
    right, wrong = documents.read(paths, trunks=trunks)
    if as_json:
        out.print_json(json.dumps(_json(right, wrong)))
    else:
        _show(right, wrong)
    if wrong:
        raise typer.Exit(int(Exit.NO))


def _json(right: tuple[Read, ...], wrong: tuple[Located, ...]) -> dict[str, object]:
    named = [{"kind": one.kind, "id": one.id, "file": one.file} for one in right]
    return {"ok": not wrong, "documents": named, "findings": findings.as_json(wrong)}


def _show(right: tuple[Read, ...], wrong: tuple[Located, ...]) -> None:
    findings.show(wrong)
    for document in right:
        out.print(f"[green]✓[/] {document.kind} [bold]{document.id}[/]  [dim]{document.file}[/]")
    if wrong:
        files = len({located.file for located in wrong})
        out.print(f"[bold red]{_count(len(wrong), 'mistake')}[/] in {_count(files, 'file')}")
    elif not right:
        out.print("[yellow]no documents found[/]")
    else:
        kinds = Counter(document.kind for document in right)
        out.print(
            ", ".join(_count(number, kind) for kind, number in sorted(kinds.items())) + ": nothing is wrong"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
