"""`pbxcore check`: say everything that is wrong with documents before anybody applies them."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.markup import escape

from dialplan.spec import TenantSpec
from pbxcore import database, documents, door
from pbxcore.cli import findings
from pbxcore.cli.app import AsJson, Exit, app, out
from pbxcore.cli.instants import read_instant
from pbxcore.documents import Examined, Located, Read, in_order
from pbxcore.gaps import FROM_CATALOGUE
from pbxcore.machine.running import settings_of_running, unstarted_trunks
from pbxcore.payers import limited_tenants
from pbxcore.settings import Settings
from rating import account, catalogue
from rating.account import AccountSpec
from rating.catalogue import CatalogueSpec
from rating.contract import document as contracts
from rating.contract.document import ContractSpec
from rating.contract.edition import shelf
from rating.destinations.load import load

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
    the database answers, they are compared with the documents in force, too; without it, what only those
    could tell is named. Whether a tenant's contract lets it have what it uses, apply says.

    Exit code 0: nothing is wrong. 1: something is, or no document was found.
    """
    settings = settings_of_running()
    trunks = tuple(trunk.name for trunk in settings.trunks) or documents.SOME_TRUNK
    since = read_instant(at) if at else datetime.now(UTC)
    found = documents.examine(
        paths, trunks=trunks, sounds=settings.sounds, at=since, unstarted=unstarted_trunks(settings)
    )
    beside, notes = _check_beside(settings, found)
    right, wrong = found.right, in_order([*found.findings, *beside])
    broken = {located.file for located in beside}
    right = tuple(one for one in right if not {one.file, *one.tree.beside.values()} & broken)
    notes += () if settings.smtp else tuple(_unmailed(right))
    if as_json:
        out.print_json(json.dumps(_json(right, wrong) | {"notes": [note.message for note in notes]}))
    else:
        _show(right, wrong, paths)
        for note in notes:
            out.print(f"[yellow]! {escape(note.message)}[/]\n  → {note.remedy}", highlight=False)
    if wrong or not right:
        raise typer.Exit(int(Exit.NO))


class Note(NamedTuple):
    """Something that keeps nobody from applying, and what to do about it."""

    message: str
    remedy: str


def _check_beside(settings: Settings, found: Examined) -> tuple[tuple[Located, ...], tuple[Note, ...]]:
    """Check documents beside those in force; without a database beside each other, and say what that leaves.

    One that cannot be made out might be what another one needs: then nothing is compared with what is in
    force. What hangs on the gaps of another one is not judged.
    """
    every = (*found.right, *found.marred)
    gaping = {(one.kind, one.id) for one in every if one.gaps}
    uncertain = {one.file for one in every if gaping & set(_named(one))}
    judged = [one for one in every if one.kind != "contract" or one.file not in uncertain]
    told, notes = _compared(settings, judged, complete=found.complete)
    known = (one for one in told if one.file not in uncertain or one.finding.code not in FROM_CATALOGUE)
    return tuple(known), notes


def _compared(
    settings: Settings, judged: Sequence[Read], *, complete: bool
) -> tuple[tuple[Located, ...], tuple[Note, ...]]:
    alone = tuple(_check_prices(judged, settings.config / "destinations"))
    if not complete or not judged:
        return alone, ()
    try:
        told, to_do = asyncio.run(door.compare(settings, judged))
    except database.AWAY:
        return alone, tuple(_unknown(judged))
    remedy = "until it is done, `pbxcore contract show` says so, too"
    return told, tuple(Note(one.text, remedy) for one in to_do)


def _unknown(right: Sequence[Read]) -> Iterator[Note]:
    """Say what documents name that stands in none of them."""
    there = {(one.kind, one.id) for one in right}
    named = ((one, named) for one in right for named in _named(one))
    for one, (kind, name) in named:
        if (kind, name) not in there:
            message = (
                f"{one.kind} {one.id} was not checked against its {kind} {name}, which is not among these"
            )
            yield Note(message, "name its file, too, or start the machine: what is in force is asked then")


def _named(one: Read) -> Iterator[tuple[str, str]]:
    """Give the documents that another one names, unless what it names is malformed."""
    return (named for named in _names_of(one) if named[:1] not in one.gaps)


def _names_of(one: Read) -> Iterator[tuple[str, str]]:
    if isinstance(one.spec, TenantSpec):
        yield "account", one.spec.account
    if isinstance(one.spec, AccountSpec):
        yield from (("catalogue", name) for name in one.spec.catalogues)
        yield from (("tenant", tenant) for tenant in sorted(limited_tenants(one.spec)))
    if isinstance(one.spec, ContractSpec) and one.spec.catalogue:
        yield "catalogue", one.spec.catalogue


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


def _check_prices(right: Sequence[Read], destinations: Path) -> Iterator[Located]:
    """Check catalogues against the destinations; accounts and contracts whose catalogue is there."""
    offered = [one.spec for one in right if isinstance(one.spec, CatalogueSpec)]
    named = {spec.catalogue for spec in offered}
    countries = load(destinations).countries if offered else frozenset()
    for one in right:
        if isinstance(one.spec, CatalogueSpec):
            yield from documents.locate(one, catalogue.check(one.spec, countries))
        if isinstance(one.spec, AccountSpec) and named.issuperset(one.spec.catalogues):
            yield from documents.locate(one, account.check(one.spec, offered))
        if isinstance(one.spec, ContractSpec) and one.spec.catalogue in named:
            yield from documents.locate(one, contracts.check(one.spec, shelf(offered)))


def _json(right: tuple[Read, ...], wrong: tuple[Located, ...]) -> dict[str, object]:
    named = [{"kind": one.kind, "id": one.id, "file": one.file} for one in right]
    return {"ok": not wrong, "documents": named, "findings": findings.as_json(wrong)}


def _show(right: tuple[Read, ...], wrong: tuple[Located, ...], paths: list[Path]) -> None:
    findings.show(wrong)
    for document in right:
        out.print(f"[green]✓[/] {document.kind} [bold]{document.id}[/]  [dim]{document.file}[/]")
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
