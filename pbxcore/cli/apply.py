"""`pbxcore apply`: put documents in force through the door, and say what came of it."""

import asyncio
import contextlib
import getpass
import json
import signal
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.text import Text

from pbxcore import database, door, watch
from pbxcore.base import BaseError, Bases, Stale, key_of
from pbxcore.callers import Consequences, Sides
from pbxcore.change import Change
from pbxcore.cli import calls
from pbxcore.cli.app import AsJson, Exit, app, err, fail, out
from pbxcore.cli.findings import as_json as as_plain
from pbxcore.cli.findings import show, show_notes
from pbxcore.cli.quotes import show_quote
from pbxcore.cli.tables import Table, shown
from pbxcore.door import Applied, First
from pbxcore.machine.running import settings_of_running
from pbxcore.offers import Offer
from pbxcore.ordering import with_order
from pbxcore.publication import Published
from pbxcore.receipt import UnansweredError
from pbxcore.revisions import Entry
from pbxcore.settings import Settings
from pbxcore.turn import BusyError
from rating.contract.report import of_quote as report_of_quote

MOST_CALLS = 10  # of each side of a refused change; the screen is for both


@app.command(rich_help_panel="Changing")
def apply(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders that are searched for *.yaml.")],
    author: Annotated[str, typer.Option(help="Who changes it; stands in the revision.")] = "",
    base: Annotated[
        list[str],
        typer.Option(help="Revision the document was made from: 7, or of several acme=7, account/acme=3."),
    ] = [],  # noqa: B006 — Typer makes a new list of it
    watched: Annotated[
        bool, typer.Option("--watch", help="Go on: put in force what is saved in this folder, until Ctrl-C.")
    ] = False,
    order: Annotated[
        str | None, typer.Option(help="Id of an offer: order it, bindingly, and apply what it allows.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check documents and put all of them in force, or none.

    Calls in progress go on as they were decided; the next call is decided by the new documents. With any
    mistake nothing changes, and every mistake is listed with its line.

    A document made from an older revision than the one in force is refused, and both changes are shown.
    It names its base in a comment, # base: 7, as export writes it, or --base does. Without a base it
    replaces whatever is in force.

    A tenant that would have or use more than its contract lets it is refused, with the smallest change of the
    contract that allows it: what it costs, from when, and its id. With --order that is ordered, exactly as it
    was offered, and the documents are applied: both or neither.

    With --watch what is saved together is one change. A file with mistakes is reported and changes nothing;
    a document that others changed since the folder did is refused until the file is exported anew.
    """
    settings, author = settings_of_running(), author or getpass.getuser()
    if watched:
        if order is not None:
            raise fail("--watch orders nothing", "apply the file with --order", Exit.USAGE)
        _watch(settings, paths, author, as_json=as_json)
    else:
        first = with_order(order, author=author) if order is not None else None
        report(settings, paths, author, base=_bases(base), first=first, as_json=as_json)


def _watch(settings: Settings, paths: list[Path], author: str, *, as_json: bool) -> None:
    """Tell what becomes of each save; JSON is one object a line."""
    if len(paths) != 1 or not paths[0].is_dir():
        raise fail("--watch takes one folder", "name the folder with the documents", Exit.USAGE)
    if not as_json:
        out.print(f"[dim]watching {escape(str(paths[0]))}; Ctrl-C ends it[/]", highlight=False)

    def tell(what: Applied | Exception) -> None:
        if isinstance(what, Exception):
            reason = escape(str(what) or type(what).__name__)
            err.print(f"[yellow]nothing can be stored now ({reason}); it is tried again[/]", highlight=False)
        elif what.findings or what.stale or any(change.changed for change in what.changes):
            if as_json:
                print(json.dumps(plain(what), default=iso), flush=True)  # noqa: T201 — a line for scripts
            else:
                show_applied(what, as_json=False)

    async def until_told() -> None:
        watching = asyncio.ensure_future(watch.watch(settings, paths[0], author=author, tell=tell))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    asyncio.run(until_told())


def report(
    settings: Settings,
    paths: list[Path],
    author: str,
    *,
    base: Bases = None,
    first: First | None = None,
    as_json: bool,
) -> None:
    """Send documents through the door and say what came of it; exit code 1 when nothing was changed."""
    try:
        applied = asyncio.run(door.apply(settings, paths, author=author, base=base, first=first))
    except BaseError as error:
        raise fail(str(error), "name it as in --base acme=7", Exit.USAGE) from error
    except BusyError as busy:
        raise fail(f"{busy}; nothing was changed", "send it again", Exit.UNAVAILABLE) from busy
    except UnansweredError as lost:
        raise fail(
            f"{lost}: all of the change is stored, and in force by itself when it is back, or nothing of it",
            "send it again when it is back: that changes nothing if it was stored",
            Exit.UNAVAILABLE,
        ) from lost
    except database.AWAY as away:
        raise fail(
            f"the database does not answer ({database.why_away(away)}); nothing was changed",
            "start the machine with `make run`, or name the database: PBXCORE_DATABASE=postgresql://…",
            Exit.UNAVAILABLE,
        ) from away
    show_applied(applied, as_json=as_json)
    if not applied.findings and not applied.stale and not applied.changes:
        raise fail("no documents were found", "name files, or a folder with *.yaml in it", Exit.NO)
    if applied.findings or applied.stale:
        raise typer.Exit(int(Exit.NO))


def show_applied(applied: Applied, *, as_json: bool) -> None:
    """Print what became of a change."""
    if as_json:
        out.print_json(json.dumps(plain(applied), default=iso))
    elif applied.findings or applied.stale:
        show(applied.findings)
        for stale in applied.stale:
            _show_stale(stale)
        for offer in applied.offers:
            _show_offer(offer)
        out.print("[bold red]✗ nothing was changed[/]")
    else:
        _show(applied)


def plain(applied: Applied) -> dict[str, object]:
    """Give what became of a change as a script reads it."""
    stale = [{**asdict(replace(one, callers=None)), "callers": _sides(one.callers)} for one in applied.stale]
    offers = [{"contract": one.contract, "quote": report_of_quote(one.quote)} for one in applied.offers]
    notes = [note.message for note in applied.notes]
    told = {"notes": notes, "findings": as_plain(applied.findings), "offers": offers, "stale": stale}
    return {**asdict(replace(applied, stale=(), offers=(), findings=(), notes=())), **told}


def _sides(sides: Sides | None) -> dict[str, object] | None:
    if sides is None:
        return None
    return {"theirs": calls.as_json(sides.theirs), "yours": calls.as_json(sides.yours)}


def _bases(given: list[str]) -> Bases:
    """Read `7`, or `acme=7` and `account/acme=3` as often as they come."""
    if not given:
        return None
    found: dict[str, int] = {}
    for one in given:
        name, _, number = one.rpartition("=")
        if not number.isdecimal() or (not name and len(given) > 1):
            raise fail(f"--base {one} is no revision", "write --base 7, or --base acme=7", Exit.USAGE)
        if not name:
            return int(number)
        found[name if "/" in name else key_of("tenant", name)] = int(number)
    return found


def iso(value: object) -> str:
    """Write what JSON has no form for."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _show_stale(stale: Stale) -> None:
    what = f"{stale.kind} [bold]{escape(stale.id)}[/]"
    if stale.base > stale.current:
        out.print(f"[red]✗[/] {what} has no revision {stale.base}; the newest is {stale.current}")
    else:
        out.print(f"[red]✗[/] {what} was made from revision {stale.base}; {stale.current} is in force")
    for entry in stale.newer:
        out.print(f"  {made(entry)}", highlight=False)
    sides = stale.callers
    if stale.newer:
        _show_side("changed since then", stale.theirs, sides.theirs if sides else None)
    yours = "changed by you" if stale.has_base else "changed by you, beside what is in force"
    _show_side(yours, stale.yours, sides.yours if sides else None)
    kind = "" if stale.kind == "tenant" else f" --kind {stale.kind}"
    remedy = f"`pbxcore export {escape(stale.id)}{kind}`, make your change there, apply that"
    out.print(f"  [green]→ {remedy}[/]\n", highlight=False)


def made(entry: Entry) -> str:
    """Say which revision somebody made, and when."""
    return f"revision {entry.revision} by [bold]{escape(entry.author)}[/] at {shown(entry.created_at)}"


def _show_offer(offer: Offer) -> None:
    """Show what would make a refused change possible, with the words that bind."""
    out.print(f"[bold]contract {escape(offer.contract)}[/] would allow it with this change", highlight=False)
    show_quote(offer.quote)


def _show_side(title: str, text: str, callers: Consequences | None) -> None:
    out.print(f"  [bold]{title}[/]")
    for line in text.splitlines() or ["nothing"]:
        style = {"+": "green", "-": "red"}.get(line[:1], "dim")
        out.print(Text("    " + line, style=style), soft_wrap=True)
    if callers is not None:
        out.print("  [bold]for callers[/]")
        calls.show(callers, most=MOST_CALLS)


def _show(applied: Applied) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("", "document", "revision", "in force at"):
        table.add_column(column)
    published = {one.tenant: one for one in applied.published}
    for change in applied.changes:
        there = published.get(change.id) if change.kind == "tenant" else None
        sign = "[green]✓[/]" if change.changed else "[dim]=[/]"
        where = _where(change.kind, there) if change.changed else "[dim]unchanged[/]"
        table.add_row(sign, f"{change.kind} [bold]{change.id}[/]", str(change.revision), where)
    out.print(table)
    for change in applied.changes:
        if change.replaces:
            _show_replaced(change, change.replaces)
    show_notes(applied.notes)
    if applied.pending:
        out.print(
            f"[yellow]stored, and in force by itself soon: {escape(applied.pending)}[/]", highlight=False
        )


def _show_replaced(change: Change, entry: Entry) -> None:
    """Say what a document changed, and whose revision it replaced: its author may not have known of that."""
    name = escape(change.id)
    out.print(f"{change.kind} {name}: {escape(change.what)}", highlight=False, soft_wrap=True)
    which = f"{entry.revision} (out of force)" if entry.removed else str(entry.revision)
    replaced = f"replaced revision {which} by {escape(entry.author)} of {shown(entry.created_at)}"
    if not change.unseen:
        out.print(f"  [dim]{replaced}[/]", highlight=False, soft_wrap=True)
        return
    out.print(f"[yellow]! it named no base: it {replaced}[/]", highlight=False, soft_wrap=True)
    out.print(f"  → {_back_to(entry)}", highlight=False, soft_wrap=True)


def _back_to(entry: Entry) -> str:
    if entry.removed:
        return f"`pbxcore remove {escape(entry.id)}` takes it out of force again"
    kind = "" if entry.kind == "tenant" else f" --kind {entry.kind}"
    return f"`pbxcore rollback {escape(entry.id)} --to {entry.revision}{kind}` brings that back"


def _where(kind: str, published: Published | None) -> str:
    if kind != "tenant":
        return "rater, with the next leg"
    if published is None:
        return "[yellow]not yet[/]"
    return ", ".join(
        one.process if one.done else f"[yellow]{one.process} {escape(one.detail)}: follows when it is back[/]"
        for one in published.acknowledged
    )
