"""`pbxcore switches|switch`: what users switched by phone, and the same by hand."""

import getpass
import json
import sqlite3
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.facts import State
from dialplan.finding import closest
from dialplan.plan import Plan
from dialplan.published import Published
from dialplan.switch import CLEARED, NO_SWITCHES, Switch, Switches, SwitchKind
from dialplan.switchable import mistake
from pbxcore import published
from pbxcore import switches as kept
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.instants import read_instant
from pbxcore.cli.tables import Table, shown
from pbxcore.control.decision_log import switch_to_json
from pbxcore.machine.running import settings_of_running
from pbxcore.settings import Settings

switch = typer.Typer(help="Set or clear what users switch by phone.", no_args_is_help=True)
app.add_typer(switch, name="switch", rich_help_panel="Changing")

Tenant = Annotated[str, typer.Argument(help="Its id: acme.")]
Subject = Annotated[str, typer.Argument(help="What it belongs to: an extension.")]
Kind = Annotated[SwitchKind, typer.Argument(help="What is switched.")]
Until = Annotated[
    str,
    typer.Option(
        help="Instant, 2026-12-24T18:00 by the tenant's clock, or with its offset. Default: it stays."
    ),
]


@app.command("switches", rich_help_panel="Seeing")
def switches_(tenant: Tenant, as_json: AsJson = False) -> None:
    """Show what is switched now in a tenant: forwards, do-not-disturb; since when, by whom, until when."""
    settings = settings_of_running()
    _plan(settings, tenant)
    found = sorted(_read(settings).of(tenant, datetime.now(UTC)), key=lambda one: (one.subject, one.kind))
    if as_json:
        out.print_json(json.dumps([switch_to_json(one) for one in found]))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("subject", "switch", "value", "since", "by", "until"):
        table.add_column(column)
    for one in found:
        since, until = (shown(at) if at else "" for at in (one.since, one.until))
        table.add_row(escape(one.subject), one.kind, escape(one.value), since, escape(one.by), until)
    out.print(
        table if found else "[yellow]nothing is switched[/]\n  → `pbxcore switch set`, or a phone's *72"
    )


@switch.command("set")
def set_(
    tenant: Tenant,
    subject: Subject,
    kind: Kind,
    value: Annotated[str, typer.Argument(help='"number +436641234567", "extension 11", on or off.')],
    until: Until = "",
) -> None:
    """Switch something as its user could by phone; it is in force for the next call."""
    settings, now = settings_of_running(), datetime.now(UTC)
    plans, zone = _plans(settings), _plan(settings, tenant).zone
    one = Switch(
        tenant=tenant, kind=kind, subject=subject, value=value, since=now, by=_by(),
        until=read_instant(until, zone) if until else None,
    )  # fmt: skip
    found = mistake(plans, State(switches=_read(settings)), one, now)
    if found:
        raise fail(found.message, found.remedy, Exit.NO)
    _keep(settings, one)


@switch.command()
def clear(tenant: Tenant, subject: Subject, kind: Kind) -> None:
    """Take back what was switched; the document speaks again."""
    settings, now = settings_of_running(), datetime.now(UTC)
    _plan(settings, tenant)
    _keep(
        settings,
        Switch(tenant=tenant, kind=kind, subject=subject, value=CLEARED, since=now, by=_by()),
    )


def _by() -> str:
    return f"cli:{getpass.getuser()}"


def _keep(settings: Settings, one: Switch) -> None:
    try:
        kept.keep(settings.switches_db, (one,))
    except kept.UnkeptError as error:
        raise fail(str(error), "look at the disk of the state folder", Exit.UNAVAILABLE) from error
    out.print(f"[green]✓[/] {one.kind} of {escape(one.subject)}: {escape(one.value) or 'cleared'}")


def _read(settings: Settings) -> Switches:
    try:
        return kept.read(settings.switches_db) if settings.switches_db.exists() else NO_SWITCHES
    except sqlite3.Error as error:
        message = f"the switches cannot be read: {error}"
        raise fail(message, "look at the file in the state folder", Exit.UNAVAILABLE) from error


def _plan(settings: Settings, tenant: str) -> Plan:
    plans = _plans(settings).plans
    plan = plans.get(tenant)
    if plan is None:
        remedy = closest(tenant, plans, "list them: pbxcore tenants")
        raise fail(f"no tenant {tenant} is in force", remedy, Exit.NO)
    return plan


def _plans(settings: Settings) -> Published:
    try:
        return published.load(settings.published)
    except published.UnpublishedError as error:
        raise fail(str(error), "publish with `pbxcore apply`", Exit.NO) from error
