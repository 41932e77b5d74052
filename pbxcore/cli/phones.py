"""`pbxcore phones`: what somebody who sets up a tenant's phones types into them, and which have registered.

Owns the words. Refuses to show a password unasked: screens are shared, and scripts write what they read into
logs.
"""

import json
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.finding import DialplanError, closest
from dialplan.plan import Phone, Plan
from pbxcore import published, registrations
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.tables import Table
from pbxcore.machine.running import asterisk_since, settings_of_running
from pbxcore.phones import password_of
from pbxcore.settings import Settings

OTHERS = 30  # columns for extension, name and address, in pieces
EVERYWHERE = "0.0.0.0"  # noqa: S104 — compared, not bound


@app.command(rich_help_panel="Seeing")
def phones(
    tenant: Annotated[str, typer.Argument(help="Its id: acme.")],
    show_passwords: Annotated[
        bool, typer.Option("--show-passwords", help="Show their passwords, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List a tenant's phones: extension, SIP user name, where to register, and whether it is registered.

    A password that no document names is made of the secret of this machine (`secret` in its state folder),
    and stays the same until that is another one.
    """
    settings = settings_of_running()
    plan = _plan(settings, tenant)
    registered = registrations.addresses(settings, tenant) if asterisk_since(settings) else None
    passwords = _passwords(settings, plan) if show_passwords else {}
    if as_json:
        server = f"{settings.bind}:{settings.ports.sip}"
        rows = [_json(one, server) | _where(one, registered) | _secret(one, passwords) for one in plan.phones]
        out.print_json(json.dumps(rows))
        return
    if not plan.phones:
        out.print(f"[yellow]{plan.tenant} has no phones[/]\n  → write `devices: [p10]` at an extension")
        return
    out.print(f"Register at {server_of(settings)}, UDP or TCP")
    table = Table(box=None, pad_edge=False)
    for column in ("SIP account", *(["password"] if passwords else ())):
        table.add_column(column, no_wrap=True)  # in pieces they could not be copied
    for column in ("extension", "", "registered"):
        table.add_column(column)
    if (needed := _least(plan, passwords)) > out.width:
        table.width = needed
    for one in plan.phones:
        password = [f"[green]{escape(passwords[one.endpoint])}[/]"] if passwords else []
        name = escape(one.name)
        table.add_row(one.endpoint, *password, one.extension, name, _word(_where(one, registered)))
    out.print(table, highlight=False, crop=False)
    if registered is None:
        out.print("[yellow]! who is registered cannot be read now[/]\n  → `pbxcore status` shows Asterisk")
    if not passwords:
        out.print("[dim]`--show-passwords` shows their passwords[/]")


def _least(plan: Plan, passwords: Mapping[str, str]) -> int:
    """Give the columns that a table needs in which no account and no password is cut."""
    account = max(len(one.endpoint) for one in plan.phones)
    return account + max(map(len, passwords.values()), default=0) + OTHERS


def server_of(settings: Settings) -> str:
    """Say where phones register."""
    if settings.bind == EVERYWHERE:
        return f"any address of this machine, port {settings.ports.sip}"
    return f"{settings.bind}:{settings.ports.sip}"


def _json(phone: Phone, server: str) -> dict[str, object]:
    return {
        "user": phone.endpoint,
        "extension": phone.extension,
        "name": phone.name,
        "server": server,
        "transports": ["udp", "tcp"],
    }


def _where(phone: Phone, registered: registrations.Addresses | None) -> dict[str, object]:
    """Say whether a phone is registered, and from where; None: not known."""
    if registered is None:
        return {"registered": None, "address": None}
    return {"registered": phone.endpoint in registered, "address": registered.get(phone.endpoint)}


def _word(where: dict[str, object]) -> str:
    if where["registered"] is None:
        return "[yellow]?[/]"
    return f"[green]✓[/] {where['address']}" if where["registered"] else "[yellow]no[/]"


def _secret(phone: Phone, passwords: dict[str, str]) -> dict[str, object]:
    return {"password": passwords[phone.endpoint]} if passwords else {}


def _passwords(settings: Settings, plan: Plan) -> dict[str, str]:
    try:
        return {one.endpoint: one.password or password_of(settings, one.endpoint) for one in plan.phones}
    except OSError as error:
        message = f"the secret that passwords are made of cannot be read: {error.strerror}"
        raise fail(message, f"ask as the owner of {settings.state}", Exit.UNAVAILABLE) from error


def _plan(settings: Settings, tenant: str) -> Plan:
    try:
        revisions = published.read_index(settings.published).revisions
        if tenant in revisions:
            return published.read(settings.published, tenant, revisions[tenant])
    except (published.UnpublishedError, DialplanError) as error:
        raise fail(str(error), "publish with `pbxcore apply`", Exit.NO) from error
    remedy = closest(tenant, revisions, "list them: pbxcore tenants")
    raise fail(f"no tenant {tenant} is in force", remedy, Exit.NO)
