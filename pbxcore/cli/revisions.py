"""`pbxcore history|export|rollback|diff`: the revisions of documents, and what a change means for callers."""

import asyncio
import getpass
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from dialplan.build import build_plan
from dialplan.finding import closest
from dialplan.plan import Plan
from dialplan.spec import TenantSpec
from pbxcore import database, documents, published, revisions
from pbxcore.base import with_base, without_base
from pbxcore.callers import consequences
from pbxcore.cli import calls, findings, kinds
from pbxcore.cli.app import AsJson, Exit, app, err, fail, out
from pbxcore.cli.apply import report
from pbxcore.cli.database import no_database
from pbxcore.cli.places import places
from pbxcore.cli.tables import Table, shown
from pbxcore.database import Connection
from pbxcore.documents import Read
from pbxcore.machine.running import settings_of_running, unstarted_trunks
from pbxcore.revisions import Entry, Revision
from pbxcore.settings import Settings

T = TypeVar("T")
KINDS = ("tenant", "account", "catalogue")
MOST_LISTED = 5  # documents that an error names
CONTRACT = "contract"  # has facts, and no revisions (ADR 14)
Kind = Annotated[str, typer.Option(help="tenant, account or catalogue.")]
Name = Annotated[str, typer.Argument(help="Its id: acme; a catalogue's with its date: NAME@2026-01-01.")]
Number = Annotated[int | None, typer.Option("--revision", "-r", min=1, help="Default: the newest.")]


@app.command(rich_help_panel="Changing")
def history(name: Name, as_json: AsJson = False) -> None:
    """Show who changed what in a document, and when; of a contract each fact: orders, notices, use."""

    async def looked(connection: Connection) -> tuple[Sequence[Entry], Sequence[str]]:
        found = await revisions.history(connection, name)
        return found, () if found else await revisions.names(connection)

    entries, known = ask(looked)
    if as_json:
        lines = [{"kind": e.kind, "id": e.id, "revision": e.revision, "author": e.author,
                  "at": e.created_at.isoformat(), "what": e.what} for e in entries]  # fmt: skip
        out.print_json(json.dumps(lines))
        return
    if not entries:
        dated = [f"`pbxcore history {one}`" for one in _dated(name, known)]
        remedy = " or ".join(dated) or closest(name, known, "`pbxcore apply` stores one")
        raise fail(f"no document is named {name}", remedy, Exit.NO)
    table = Table(box=None, pad_edge=False)
    for column in ("kind", "revision", "author", "at", "what"):
        table.add_column(column, no_wrap=column in {"kind", "at"})
    for entry in entries:
        words = (entry.kind, str(entry.revision), entry.author, shown(entry.created_at), entry.what)
        table.add_row(*map(escape, words))
    out.print(table)


@app.command(rich_help_panel="Changing")
def export(name: Name, kind: Kind = "tenant", number: Number = None) -> None:
    """Print a document as it was written, comments included.

    Its first line names its revision, `# base: 7`: `pbxcore apply` refuses it once another one is in force.
    A contract is a log of facts instead: `pbxcore contract show NAME`, `pbxcore history NAME`.
    """
    command = "export {}" + (f" --revision {number}" if number else "")
    stored = _stored(kind, name, number, command=command)
    sys.stdout.write(with_base(stored.source, stored.revision))


@app.command(rich_help_panel="Changing")
def rollback(
    name: Name,
    number: Annotated[
        int,
        typer.Option("--to", min=1, help="Number of an earlier revision; `pbxcore history NAME` lists them."),
    ],
    kind: Kind = "tenant",
    author: Annotated[str, typer.Option(help="Who changes it; stands in the revision.")] = "",
    base: Annotated[
        int | None, typer.Option(min=1, help="The revision you looked at; refused if another is in force.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the document of an earlier revision in force again, as a new revision, through the door."""
    stored = _stored(kind, name, number, command=f"rollback {{}} --to {number}")
    if stored.removed:
        message = f"revision {number} took {name} out of force; there is no document of its own to go back to"
        before = f"put the one before it in force: `pbxcore rollback {name} --to {number - 1}`"
        raise fail(message, f"{before}; `pbxcore remove {name}` takes it out of force", Exit.NO)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}@{number}.yaml"
        file.write_text(without_base(stored.source))
        report(settings_of_running(), [file], author or getpass.getuser(), base=base, as_json=as_json)


@app.command(rich_help_panel="Changing")
def diff(
    file: Annotated[Path, typer.Argument(help="A tenant's document that is not in force yet.")],
    as_json: AsJson = False,
) -> None:
    """Show what a document would change for callers, call by call. Exit code 1 if anything."""
    settings = settings_of_running()
    there = published.load(settings.published)
    plans, now = _plans(file, settings), datetime.now(UTC)
    changed = [consequences(there, there.plans.get(plan.tenant), plan, now) for _, plan in plans]
    if as_json:
        out.print_json(json.dumps([one for tenant in changed for one in calls.as_json(tenant)]))
    else:
        for tenant, (document, plan) in zip(changed, plans, strict=True):
            calls.show(tenant, places=places(document, there.plans.get(plan.tenant), plan))
    if any(changed):
        raise typer.Exit(int(Exit.NO))


def _plans(file: Path, settings: Settings) -> list[tuple[Read, Plan]]:
    trunks = tuple(trunk.name for trunk in settings.trunks)
    right, wrong = documents.read(
        [file],
        trunks=trunks,
        sounds=settings.sounds,
        at=datetime.now(UTC),
        unstarted=unstarted_trunks(settings),
    )
    if wrong:
        findings.show(wrong)
        raise fail("a document with mistakes changes nothing", "mend them first", Exit.NO)
    specs = [(document, document.spec) for document in right if isinstance(document.spec, TenantSpec)]
    if not specs:
        raise kinds.wrong("tenant", file, right)
    return [(document, build_plan(_with_terms(spec), revision=0, trunks=trunks)) for document, spec in specs]


def _with_terms(spec: TenantSpec) -> TenantSpec:
    """Give a document with what its contract lets the tenant use, if the database says so."""
    try:
        stored = asyncio.run(_asked(lambda connection: revisions.revision(connection, "tenant", spec.tenant)))
    except database.AWAY:
        err.print("[yellow]the database is away: compared without what contracts let tenants use[/]")
        return spec
    return revisions.entitled(spec, stored)


def _stored(kind: str, name: str, number: int | None, *, command: str) -> Revision:
    """Give a revision.

    Args:
        kind: of document.
        name: its id.
        number: of the revision; None: the newest.
        command: that is run, `export {}`, to be told with another name or kind.
    """
    if kind == CONTRACT:
        remedy = f"`pbxcore contract show {name}` tells how it stands, `pbxcore history {name}` each fact"
        raise fail("a contract is a log of facts and has no revisions", remedy, Exit.USAGE)
    if kind not in KINDS:
        message = f"no kind of document with revisions is called {kind}"
        raise fail(message, closest(kind, KINDS, f"name one of: {', '.join(KINDS)}"), Exit.USAGE)

    async def looked(connection: Connection) -> tuple[Revision | None, Mapping[str, Sequence[str]]]:
        found = await revisions.revision(connection, kind, name, number)
        missed = () if found else (*KINDS, CONTRACT)
        return found, {one: await revisions.names(connection, one) for one in missed}

    found, known = ask(looked)
    if found is None and name in known[kind]:
        message = f"there is no revision {number} of {kind} {name}"
        raise fail(message, f"see `pbxcore history {name}`", Exit.NO)
    if found is None:
        there = "; ".join(_there(name, known, command))
        otherwise = closest(name, known[kind], _listed(kind, known[kind]))
        raise fail(f"there is no {kind} {name}", f"{name} is {there}" if there else otherwise, Exit.NO)
    return found


def _listed(kind: str, ids: Sequence[str]) -> str:
    """Say which documents of a kind there are; tenants have a command of their own."""
    if kind == KINDS[0]:
        return "list tenants: pbxcore tenants"
    more = f" and {len(ids) - MOST_LISTED} more" if len(ids) > MOST_LISTED else ""
    return f"there are {', '.join(ids[:MOST_LISTED])}{more}" if ids else "none was ever applied"


def _there(name: str, known: Mapping[str, Sequence[str]], command: str) -> Iterator[str]:
    """Say of which kinds a name is, each with the command for it."""
    for kind, ids in known.items():
        dated = _dated(name, ids)
        which = f"{kinds.article(kind)}{', named with its date' if dated else ''}"
        if kind == CONTRACT and name in ids:
            yield f"{which}: `pbxcore contract show {name}`"
        elif dated or name in ids:
            newest, *older = (*reversed(dated),) or (name,)
            chosen = "" if kind == KINDS[0] else f" --kind {kind}"
            also = f" (or {', '.join(older)})" if older else ""
            yield f"{which}: `pbxcore {command.format(newest)}{chosen}`{also}"


def _dated(name: str, known: Iterable[str]) -> list[str]:
    """Find the names with a date, those of a catalogue's versions, of one without."""
    return [one for one in known if one.startswith(f"{name}@")]


def ask(question: Callable[[Connection], Awaitable[T]]) -> T:
    """Ask the database one question."""
    try:
        return asyncio.run(_asked(question))
    except database.AWAY as away:
        raise no_database(away) from away


async def _asked(question: Callable[[Connection], Awaitable[T]]) -> T:
    connection = await database.connect(database.url_of(settings_of_running()), application="pbxcore cli")
    try:
        return await question(connection)
    finally:
        await connection.close()
