"""`pbxcore check`: say everything that is wrong with documents before anybody applies them."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.spec import TenantSpec
from pbxcore import documents, door, unpriced
from pbxcore.beside import Note
from pbxcore.cli import findings
from pbxcore.cli.app import AsJson, Exit, app, out
from pbxcore.cli.instants import read_instant
from pbxcore.documents import Located, Read, in_order
from pbxcore.machine.running import settings_of_running, unstarted_trunks

_AT = typer.Option(
    help="What tenants are entitled to from this instant on, 2027-01-01T00:00+01:00. Default: now."
)


@app.command(rich_help_panel="Changing")
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders that are searched for *.yaml.")],
    *,
    at: Annotated[str, _AT] = "",
    as_json: AsJson = False,
) -> None:
    """Check tenants, accounts, contracts and catalogues; change nothing.

    Every mistake is listed with its line and what to do about it: wrong keys and values, members and targets
    that do not exist, calls that would go round for ever or end nowhere, two tenants with one number. Where
    the database answers, they are compared with the documents in force, too, and with what contracts let
    their tenants use; without it, what only those could tell is named. Of a contract that changes along
    with its tenants apply says whether it lets them.

    Exit code 0: nothing is wrong. 1: something is, or no document was found.
    """
    settings = settings_of_running()
    trunks = tuple(trunk.name for trunk in settings.trunks) or documents.SOME_TRUNK
    since = read_instant(at) if at else datetime.now(UTC)
    found = documents.examine(
        paths, trunks=trunks, sounds=settings.sounds, at=since, unstarted=unstarted_trunks(settings)
    )
    told, notes = asyncio.run(door.beside(settings, found))
    right, wrong = found.right, in_order([*found.findings, *told])
    broken = {located.file for located in told}
    right = tuple(one for one in right if not {one.file, *one.tree.beside.values()} & broken)
    notes += () if settings.smtp else tuple(_unmailed(right))
    notes += asyncio.run(unpriced.notes(settings, right, since))
    if as_json:
        out.print_json(json.dumps(_json(right, wrong) | {"notes": [note.message for note in notes]}))
    else:
        _show(right, wrong, paths)
        findings.show_notes(notes)
    if wrong or not right:
        raise typer.Exit(int(Exit.NO))


def _unmailed(right: tuple[Read, ...]) -> Iterator[Note]:
    """Name the tenants whose mailboxes want mail that this machine could hand to nobody."""
    for one in right:
        if isinstance(one.spec, TenantSpec):
            boxes = [owner.voicemail for owner in one.spec.extensions.values()]
            boxes += [owner.voicemail for owner in one.spec.groups.values()]
            wanted = sum(1 for box in boxes if box and box.mail)
            if wanted:
                number = _count(wanted, "mailbox", "es")
                message = f"{number} of {one.id} want mail; without a mail server none is sent"
                yield Note(message, "add `smtp` to config/service.yaml")


def _json(right: tuple[Read, ...], wrong: tuple[Located, ...]) -> dict[str, object]:
    named = [{"kind": one.kind, "id": one.id, "file": one.file} for one in right]
    return {"ok": not wrong, "documents": named, "findings": findings.as_json(wrong)}


def _show(right: tuple[Read, ...], wrong: tuple[Located, ...], paths: list[Path]) -> None:
    findings.show(wrong)
    for document in right:
        out.print(f"[green]✓[/] {document.kind} [bold]{document.id}[/]  [dim]{escape(document.file)}[/]")
    if wrong:
        files = len({located.file for located in wrong})
        out.print(f"[bold red]{_count(len(wrong), 'mistake')}[/] in {_count(files, 'file')}")
    elif not right:
        looked = escape(", ".join(map(str, paths)))
        remedy = "name files that are not empty, or a folder with *.yaml in it"
        out.print(f"[yellow]✗ no document in {looked}[/]\n  → {remedy}", highlight=False, soft_wrap=True)
    else:
        kinds = Counter(document.kind for document in right)
        out.print(
            ", ".join(_count(number, kind) for kind, number in sorted(kinds.items())) + ": nothing is wrong"
        )


def _count(number: int, noun: str, many: str = "s") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{many}"
