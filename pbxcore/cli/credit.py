"""`pbxcore credit`: what a prepaid account has left, and paying something in."""

import getpass
import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.revisions import ask
from pbxcore.database import Connection
from pbxcore.revisions import revision
from rating import money
from rating.store import credit as store
from rating.store.credit import Entry, Statement


class Deed(StrEnum):
    """What to do with a balance."""

    SHOW = "show"
    ADD = "add"


@app.command(rich_help_panel="Explaining")
def credit(
    account: Annotated[str, typer.Argument(help="Id of the account.")],
    deed: Annotated[Deed, typer.Argument(help="show, or add an amount.")] = Deed.SHOW,
    amount: Annotated[str, typer.Argument(help="What was paid: 10.00, in the account's currency.")] = "",
    ref: Annotated[str, typer.Option(help="What it was paid by; the same one again changes nothing.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what a prepaid account has left and what calls under way have set aside, or pay something in.

    Free is what the next call can spend. A payment is booked by the rater, within a second while it runs.
    """
    if deed is Deed.ADD:
        _add(account, _parsed(amount), ref, as_json=as_json)
        return
    statement = ask(lambda connection: _statement(connection, account))
    if statement is None:
        raise _unknown(account)
    if as_json:
        out.print_json(json.dumps(as_values(account, statement)))
    else:
        out.print(_table(statement))


def as_values(account: str, statement: Statement) -> dict[str, object]:
    """Give a statement as scripts read it."""
    return {
        "account": account,
        "balance": money.text(statement.balance_micro),
        "reserved": money.text(statement.reserved_micro),
        "available": money.text(statement.balance_micro - statement.reserved_micro),
        "calls": statement.calls,
        "waiting": money.text(statement.waiting_micro),
    }


def _parsed(amount: str) -> int:
    try:
        micro = money.parse(amount)
    except ValueError as error:
        raise fail(str(error), "write it like 10.00", Exit.USAGE) from None
    if micro <= 0:
        raise fail(f"{amount} is nothing to pay in", "an amount is above zero", Exit.USAGE)
    return micro


def _add(account: str, micro: int, ref: str, *, as_json: bool) -> None:
    if not ref or ref.startswith("leg "):
        raise fail(
            "a payment needs a reference of its own", "--ref INVOICE-7; `leg …` are debits", Exit.USAGE
        )
    wanted = Entry(account, ref, micro)
    entry = ask(lambda connection: _pay_in(connection, wanted))
    if entry is None:
        raise _unknown(account)
    if entry.amount_micro != micro:
        raise fail(
            f"{ref} has paid {money.text(entry.amount_micro)} to {account} before; nothing is changed",
            "another payment needs another reference",
            Exit.NO,
        )
    booked = entry.balance_micro is not None
    if as_json:
        out.print_json(
            json.dumps({"account": account, "ref": ref, "amount": money.text(micro), "booked": booked})
        )
    else:
        when = "was booked before" if booked else "is booked as soon as the rater sees it"
        out.print(f"[green]✓[/] {money.text(micro)} to {account}, {ref}: {when}")


async def _statement(connection: Connection, account: str) -> Statement | None:
    if await revision(connection, "account", account, None) is None:
        return None
    return await store.statement(connection, account)


async def _pay_in(connection: Connection, entry: Entry) -> Entry | None:
    if await revision(connection, "account", entry.account, None) is None:
        return None
    return await store.add(connection, entry, getpass.getuser())


def _unknown(account: str) -> typer.Exit:
    return fail(f"there is no account {account}", "`pbxcore apply` stores one", Exit.NO)


def _table(statement: Statement) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("balance", money.text(statement.balance_micro))
    table.add_row(f"set aside by {statement.calls} calls", money.text(statement.reserved_micro))
    table.add_row("free", money.text(statement.balance_micro - statement.reserved_micro))
    if statement.waiting_micro:
        table.add_row("paid, not booked yet", money.text(statement.waiting_micro))
    return table
