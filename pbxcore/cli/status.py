"""`pbxcore tenants|status`: what is in force, and whether everything goes by it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import typer
from rich.markup import escape

from pbxcore import revisions, status
from pbxcore.cli.app import AsJson, Exit, app, out
from pbxcore.cli.revisions import ask
from pbxcore.cli.tables import Table, shown
from pbxcore.cli.unrated import counted, remedies
from pbxcore.machine.running import settings_of_running
from pbxcore.revisions import Tenant
from pbxcore.status import Asterisk, Mail, Process, Status
from rating.store.quarantine import Lying

NAMED = 3  # tenants that lag, by name; the others by their number


@app.command(rich_help_panel="Seeing")
def tenants(as_json: AsJson = False) -> None:
    """List every tenant: its revision in force, since when and by whom, its numbers and extensions."""
    found = ask(revisions.tenants)
    if as_json:
        plain = [{**asdict(one), "since": one.since.isoformat()} for one in found]
        out.print_json(json.dumps(plain))
        return
    empty = "[yellow]no tenants[/]\n  → `pbxcore apply config` stores the example"
    out.print(listed(found, by=out.roomy) if found else empty)


def listed(found: Sequence[Tenant], *, by: bool) -> Table:
    """Give tenants as a table; without by whom they were changed its names fit a terminal of 80 columns."""
    table = Table(box=None, pad_edge=False)
    for column in ("tenant", "name", "revision", "since"):
        table.add_column(column, no_wrap=column not in {"name", "revision"})
    for column in ("by",) if by else ():
        table.add_column(column)
    table.add_column("numbers", justify="right")
    table.add_column("extensions", justify="right")
    for one in found:
        author = (escape(one.author),) if by else ()
        since = shown(one.since, seconds=False) if by else f"{one.since.astimezone():%Y-%m-%d}"
        counts = (str(len(one.numbers)), str(one.extensions))
        table.add_row(one.id, escape(one.name), str(one.revision), since, *author, *counts)
    return table


@app.command("status", rich_help_panel="Seeing")
def status_(as_json: AsJson = False) -> None:
    """Show which processes answer, what each has in force and how far it lags, and what waits.

    That is phones and trunks of Asterisk, mail, and legs that could not be rated, with what helps them.

    Exit code 0: everything answers. 3: something that is needed does not.
    """
    found = asyncio.run(status.status(settings_of_running()))
    if as_json:
        out.print_json(json.dumps({"complete": found.complete, **asdict(found)}, default=_iso))
    else:
        _show(found)
        if not found.database and not any(process.alive for process in found.processes):
            out.print("nothing runs on this state folder\n  → `make run`, or `pbxcore run`, starts it")
    if not found.complete:
        raise typer.Exit(int(Exit.UNAVAILABLE))


def _show(found: Status) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("", "", "in force", "lag"):
        table.add_column(column)
    unpublished = f"[yellow]not published: {_names(found.unpublished)}[/]" if found.unpublished else ""
    stored = escape(found.detail) or _tenants(found.tenants)
    table.add_row(_sign(ok=found.database), "database", stored, unpublished)
    for process in found.processes:
        table.add_row(_sign(ok=process.alive), process.name, *_force(process))
    table.add_row(*_asterisk(found.asterisk))
    for trunk in found.trunks:
        sign = "[yellow]?[/]" if trunk.reachable is None else _sign(ok=trunk.reachable)
        table.add_row(sign, f"trunk {trunk.name}", escape(trunk.detail), "")
    web = any(process.name == "web" and process.alive for process in found.processes)
    table.add_row(*_mail(found.mail, sent=web))
    table.add_row(*_quarantine(found.quarantine))
    for one in found.unconfirmed:
        told = f"{one['number']} of {one['tenant']} is ported, which is not written down: {one['why']}"
        table.add_row("[yellow]![/]", "porting", f"[yellow]{escape(told)}[/]", "")
    out.print(table, highlight=False)
    for one in found.unconfirmed:
        out.print(
            f"  → the next call to it tries again, or `pbxcore porting confirm {one['number']}`",
            highlight=False,
        )
    for remedy in remedies(found.quarantine or ()):
        out.print(f"  → {remedy}", highlight=False)


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _quarantine(lying: Sequence[Lying] | None) -> tuple[str, str, str, str]:
    if lying is None:
        return "[yellow]?[/]", "quarantine", "unknown: the database does not answer", ""
    if not lying:
        return _sign(ok=True), "quarantine", "every leg is rated", "none"
    since = shown(min(one.oldest for one in lying))
    return "[yellow]![/]", "quarantine", f"[yellow]{counted(lying)}[/]", f"[yellow]since {since}[/]"


def _asterisk(one: Asterisk) -> tuple[str, str, str, str]:
    """Say how it and its phones are; while it is down, nothing of what only it knows."""
    parts = [] if one.alive else ["link down"]
    parts.append("? phones" if one.published is None else f"{one.published} phone{_s(one.published)}")
    if one.registered is not None:
        parts.append(f"{one.registered} registered")
    elif one.alive:
        parts.append("registrations unknown")
    late = "all acknowledged" if one.alive else ""
    if one.unexpired:
        late = f"[yellow]{one.unexpired} change{_s(one.unexpired)} not acknowledged[/]"
    if one.published is None:
        late = "[yellow]the tables of phones cannot be read[/]"
    return _sign(ok=one.alive), "Asterisk", ", ".join(parts), late


def _mail(mail: Mail | None, *, sent: bool) -> tuple[str, str, str, str]:
    """Say how mail goes; web hands it over, so without that nobody does."""
    if mail is None:
        return _sign(ok=False), "mail", "its files cannot be read", ""
    counts = ((mail.waiting, "waiting"), (mail.failed, "failed"))
    late = ", ".join(f"[yellow]{count} {word}[/]" for count, word in counts if count) or "none"
    want = f"{mail.boxes} mailbox{'' if mail.boxes == 1 else 'es'}"
    if mail.server:
        unsent = "" if sent else "; nobody sends it: web does not run"
        sign = _sign(ok=sent and not mail.failed)
        return sign, "mail", f"{want}, to {escape(mail.server)}{unsent}", late
    if not mail.boxes:
        return _sign(ok=True) if sent else "[yellow]?[/]", "mail", "no mailbox wants any", late
    none = "wants mail and gets none" if mail.boxes == 1 else "want mail and get none"
    nowhere = f"{want} {none}: no `smtp` in config/service.yaml"
    return "[yellow]![/]", "mail", f"[yellow]{nowhere}[/]", late


def _force(process: Process) -> tuple[str, str]:
    if process.in_force is None:
        return escape(process.detail), ""
    lag = f"[yellow]{_names(process.behind)}, {process.lag_s} s[/]" if process.behind else "none"
    return f"{_tenants(process.in_force)}, {process.detail}", lag


def _tenants(count: int) -> str:
    return f"{count} tenant{_s(count)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _names(tenants: tuple[str, ...]) -> str:
    more = len(tenants) - NAMED
    return ", ".join(tenants[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _sign(*, ok: bool) -> str:
    return "[green]✓[/]" if ok else "[red]✗[/]"
