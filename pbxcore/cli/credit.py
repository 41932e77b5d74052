"""`pbxcore credit`: what an account has left of credit, limits and allowances, and paying something in."""

import getpass
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.finding import closest
from pbxcore import crediting, usage
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.revisions import ask
from pbxcore.cli.tables import Table
from pbxcore.database import Connection
from pbxcore.machine.running import settings_of_running
from pbxcore.rater.book import load_book
from pbxcore.revisions import names, revision
from pbxcore.usage import AllowanceUse, LimitUse, Usage
from rating import money
from rating.destinations.load import load
from rating.periods import month_start
from rating.store import credit as store
from rating.store.credit import Entry, Statement


@dataclass(frozen=True, slots=True)
class State:
    """How an account stands, and what it uses."""

    statement: Statement
    usage: Usage

    @property
    def has_balance(self) -> bool:
        """Whether there is a balance to speak of: an invoiced account may have one from before."""
        return self.usage.prepaid or bool(self.statement.balance_micro or self.statement.waiting_micro)


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
    """Show what an account has left and uses now, or pay something in.

    Of a prepaid account the balance: free is what the next call can spend. Of any account what calls of today
    and of this month have cost, how much of each spend limit and allowance is used, and what calls under way
    have set aside. A payment is booked by the rater, within a second while it runs.
    """
    if deed is Deed.ADD:
        _add(account, _parsed(amount), ref, as_json=as_json)
        return
    state = ask(lambda connection: _state(connection, account))
    if state is None:
        raise _unknown(account)
    if as_json:
        out.print_json(json.dumps(as_values(state)))
    else:
        _show(state)


def as_values(state: State) -> dict[str, object]:
    """Give what an account has left and uses as scripts read it; null: it is invoiced and has no balance."""
    statement, used = state.statement, state.usage
    free_micro = statement.balance_micro - statement.reserved_micro
    return {
        "account": used.account,
        "payment": "prepaid" if used.prepaid else "invoiced",
        "currency": used.currency,
        "balance": money.text(statement.balance_micro) if state.has_balance else None,
        "reserved": money.text(statement.reserved_micro),
        "available": money.text(free_micro) if used.prepaid else None,
        "calls": statement.calls,
        "waiting": money.text(statement.waiting_micro),
        "today": used.today.isoformat(),
        "spent_today": money.text(used.spent_today_micro),
        "spent_this_month": money.text(used.spent_month_micro),
        "limits": [_limit_as_values(one) for one in used.limits],
        "allowances": [_allowance_as_values(one) for one in used.allowances],
        "broken": used.broken,
    }


def _limit_as_values(one: LimitUse) -> dict[str, object]:
    return {
        "who": one.limit.who,
        "per": one.limit.span.value,
        "since": one.count.first.isoformat(),
        "most": money.text(one.limit.most_micro),
        "spent": money.text(one.spent_micro),
        "set_aside": money.text(one.set_aside_micro),
        "left": money.text(one.left_micro),
    }


def _allowance_as_values(one: AllowanceUse) -> dict[str, object]:
    return {
        "pool": one.pool,
        "granted_s": one.granted_s,
        "used_s": one.used_s,
        "set_aside_s": one.set_aside_s,
        "left_s": one.left_s,
        "until": one.until.isoformat(),
    }


def _parsed(amount: str) -> int:
    try:
        micro = money.meant(money.parse(amount))
    except ValueError as error:
        raise fail(str(error), "write it like 10.00", Exit.USAGE) from None
    if micro <= 0:
        raise fail(f"{amount} is nothing to pay in", "an amount is above zero", Exit.USAGE)
    return micro


def _add(account: str, micro: int, ref: str, *, as_json: bool) -> None:
    if not ref or ref.startswith(("leg ", crediting.MARK)):
        remedy = f"--ref INVOICE-7; `leg …` and `{crediting.MARK}…` are the machine's own"
        raise fail("a payment needs a reference of its own", remedy, Exit.USAGE)
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
        out.print(f"[green]✓[/] {money.text(micro)} to {escape(account)}, {escape(ref)}: {when}")


async def _state(connection: Connection, account: str) -> State | None:
    book = await load_book(connection, load(settings_of_running().config / "destinations"))
    known = book.accounts.get(account)
    if known is None:
        return None
    used = await usage.read(connection, book, known, time.time_ns() // 1_000)
    return State(await store.statement(connection, account), used)


async def _pay_in(connection: Connection, entry: Entry) -> Entry | None:
    stored = await revision(connection, "account", entry.account, None)
    if stored is None:
        return None
    if json.loads(stored.document).get("payment") != "prepaid":
        remedy = "its invoices are paid; credit is for accounts with `payment: prepaid`"
        raise fail(f"account {entry.account} is invoiced and has no credit", remedy, Exit.NO)
    return await store.add(connection, entry, getpass.getuser())


def _unknown(account: str) -> typer.Exit:
    known = ask(lambda connection: names(connection, "account"))
    otherwise = f"name one of: {', '.join(known)}" if known else "`pbxcore apply` stores one"
    return fail(f"there is no account {account}", closest(account, known, otherwise), Exit.NO)


def _show(state: State) -> None:
    used = state.usage
    paid = "is prepaid" if used.prepaid else "is invoiced"
    out.print(f"{escape(used.account)} {paid}, in {used.currency or 'no currency yet'}", highlight=False)
    sums = Table(box=None, show_header=False, pad_edge=False)
    sums.add_column()
    sums.add_column(justify="right")
    for words, micro in _sums(state):
        sums.add_row(words, money.text(micro))
    out.print(sums)
    if used.broken:
        out.print(f"[yellow]! {escape(used.broken)}: calls have no price[/]", highlight=False)
    if used.limits:
        out.print(_limits(used))
    if used.allowances:
        out.print(_allowances(used))


def _sums(state: State) -> Iterator[tuple[str, int]]:
    statement, used = state.statement, state.usage
    if state.has_balance:
        yield "balance", statement.balance_micro
    yield f"set aside by {statement.calls} calls", statement.reserved_micro
    if used.prepaid:
        yield "free", statement.balance_micro - statement.reserved_micro
    if statement.waiting_micro:
        yield "not booked yet", statement.waiting_micro
    yield f"calls of today, {used.today}", used.spent_today_micro
    yield f"calls of this month, {month_start(used.today):%Y-%m}", used.spent_month_micro


def _limits(used: Usage) -> Table:
    table = _columns("spend limit", "most", "spent", "set aside", "left")
    for one in used.limits:
        amounts = (one.limit.most_micro, one.spent_micro, one.set_aside_micro, one.left_micro)
        name = f"{one.limit.who or 'the account'} per {one.limit.span.value}"
        table.add_row(escape(name), *map(money.text, amounts))
    return table


def _allowances(used: Usage) -> Table:
    table = _columns("allowance", "seconds", "used", "set aside", "left", "until")
    for one in used.allowances:
        seconds = (one.granted_s, one.used_s, one.set_aside_s, one.left_s)
        table.add_row(escape(one.pool), *map(str, seconds), one.until.isoformat())
    return table


def _columns(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for one in others:
        table.add_column(one, justify="right", no_wrap=True)
    return table
