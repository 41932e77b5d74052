"""`pbxcore remove`: take a tenant out of force, after a look at what ends."""

import asyncio
import getpass
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.finding import closest
from pbxcore import database, removal, revisions
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.apply import iso, plain, show_applied
from pbxcore.cli.database import no_database
from pbxcore.cli.revisions import ask
from pbxcore.cli.tables import shown
from pbxcore.database import Connection
from pbxcore.door import Applied
from pbxcore.machine.running import settings_of_running
from pbxcore.receipt import UnansweredError
from pbxcore.removal import Ending, RemovalError
from pbxcore.turn import BusyError

NAMED = 5  # numbers; of more their number


@app.command(rich_help_panel="Changing")
def remove(
    tenant: Annotated[str, typer.Argument(help="Its id: acme.")],
    confirm: Annotated[bool, typer.Option("--confirm", help="Do it; else it is only shown.")] = False,
    author: Annotated[str, typer.Option(help="Who does it; stands in the revision.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take a tenant out of force: show what ends, and with --confirm end it.

    Its phones cannot register any more, its numbers lead nowhere and are free for others. Calls in progress
    go on, and every leg is rated as ever. Account, contract, prices and history stay; messages in its
    mailboxes are kept for 30 days. `pbxcore rollback`, or `apply` with its document, puts it in force again.
    """
    there = _there(tenant)
    applied = _remove(there, author or getpass.getuser()) if confirm else None
    if as_json:
        became = plain(applied) if applied else {}
        out.print_json(json.dumps({**asdict(there), "done": applied is not None, **became}, default=iso))
        return
    _show(there, done=applied is not None)
    if applied is not None:
        show_applied(applied, as_json=False)


def _there(tenant: str) -> Ending:
    async def looked(connection: Connection) -> tuple[Ending | None, list[str]]:
        return await removal.ending(connection, tenant), list(await revisions.names(connection, "tenant"))

    there, known = ask(looked)
    if there is None:
        remedy = closest(tenant, known, "list them: pbxcore tenants")
        raise fail(f"there is no tenant {tenant}", remedy, Exit.NO)
    if there.removed:
        message = f"tenant {tenant} is out of force already, by {there.author} of {shown(there.since)}"
        raise fail(message, f"`{_back(there.tenant, there.revision - 1)}` puts it in force again", Exit.NO)
    return there


def _remove(there: Ending, author: str) -> Applied:
    try:
        return asyncio.run(removal.remove(settings_of_running(), there.tenant, author=author))
    except RemovalError as error:
        raise fail(f"{error}; nothing was changed", error.remedy, Exit.NO) from error
    except BusyError as busy:
        raise fail(f"{busy}; nothing was changed", "send it again", Exit.UNAVAILABLE) from busy
    except UnansweredError as lost:
        remedy = f"see `pbxcore history {there.tenant}` when it is back"
        raise fail(f"{lost}: it is out of force, or nothing was changed", remedy, Exit.UNAVAILABLE) from lost
    except database.AWAY as away:
        raise no_database(away) from away


def _show(there: Ending, *, done: bool) -> None:
    heading = "is out of force" if done else "would be out of force"
    out.print(f"[bold]{escape(there.name)}[/] ({there.tenant}@{there.revision}) {heading}", highlight=False)
    numbers = ", ".join(there.numbers[:NAMED]) or "none"
    more = f" and {len(there.numbers) - NAMED} more" if len(there.numbers) > NAMED else ""
    contract = f", and contract {there.contract}" if there.contract else ""
    for word, text in (
        ("ends", f"numbers {numbers}{more}: they lead nowhere, and are free for others"),
        ("ends", f"{there.phones} phones of {there.extensions} extensions: they cannot register any more"),
        ("kept", f"{there.mailboxes} mailboxes: their messages, for 30 days"),
        ("goes on", "calls in progress, as they were decided; every leg is rated"),
        ("stays", f"account {there.account}{contract}: prices, balance and history"),
    ):
        out.print(f"  {word:8} {text}", highlight=False, soft_wrap=True)
    if done:
        out.print(f"  → `{_back(there.tenant, there.revision)}` puts it in force again", highlight=False)
    else:
        out.print("nothing was changed; with --confirm it is done", highlight=False)


def _back(tenant: str, revision: int) -> str:
    return f"pbxcore rollback {tenant} --to {revision}"
