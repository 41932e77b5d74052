"""`pbxcore close` and `pbxcore rerate`: the end of a month, and a tariff that was wrong."""

import getpass
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from dialplan.finding import closest
from pbxcore.cli.app import AsJson, Exit, app, err, fail, out
from pbxcore.cli.rated import database_connection, run
from pbxcore.cli.revisions import ask
from pbxcore.cli.tables import Table
from pbxcore.closing import Changes, Close, Closing, accounts_of, nobodys
from pbxcore.database import Connection
from pbxcore.intake.unread import unread
from pbxcore.machine.running import settings_of_running
from pbxcore.rater.book import load_book
from pbxcore.revisions import names
from rating import money
from rating.allowance import Kept
from rating.book import Book
from rating.destinations.load import load
from rating.rated import RatedLeg
from rating.store.closing import Obstacle

SHOWN = 20  # corrections of an account in a table; --json has all of them

_All = Annotated[bool, typer.Option("--all", help="Every account.")]
_Preview = Annotated[bool, typer.Option("--preview", help="Say what closing would do; write nothing.")]
_OBSTACLES: Mapping[Obstacle, tuple[str, str]] = {
    Obstacle.UNKNOWN_ACCOUNT: ("there is no document of this account", "pbxcore apply its document"),
    Obstacle.NOT_OVER: ("the month is not over in the account's time zone", "wait until it is"),
    Obstacle.EARLIER_OPEN: (
        "{first:%Y-%m}, a month before it, is open",
        "close that first: `pbxcore close {account} {first:%Y-%m}`",
    ),
    Obstacle.NOT_KNOWN: (
        "what its catalogue grants is not known, so nothing is rated again",
        "apply a mended catalogue, or use the version of pbxcore that reads it; the log names the mistake",
    ),
    Obstacle.UNPRICED: ("a leg has no price by the documents of today", "mend the catalogue"),
}


@app.command(rich_help_panel="Billing")
def close(
    words: Annotated[list[str], typer.Argument(metavar="[ACCOUNT]... MONTH", help="Like acme 2026-10.")],
    *,
    everybody: _All = False,
    preview: _Preview = False,
    as_json: AsJson = False,
) -> None:
    """Close a month: rate open legs again in canonical order, write what differs, let nothing in any more.

    Legs that come later go to the next invoice. A month is closed once; closing it again changes nothing.
    Each account is closed by itself; what could not be is named, with exit code 1.

    --preview shows the same figures before: corrections, sums, what rolls over, and what stands in the way.
    """
    *accounts, written = words
    month = _month(written)
    asked = _asked(accounts, everybody=everybody, example=f"pbxcore close acme {month:%Y-%m}")
    closes, of_nobody = run(_close(asked, month, preview=preview))
    if as_json:
        told = [_close_as_json(one) for one in closes]
        out.print_json(json.dumps({"preview": preview, "accounts": told, "of_nobody": of_nobody}))
    else:
        _show_closes(closes, of_nobody)
        if preview:
            _show_preview(closes)
    _end([one.changes for one in closes if one.refused])


@app.command(rich_help_panel="Billing")
def rerate(
    accounts: Annotated[list[str] | None, typer.Argument(help="Accounts; or --all.")] = None,
    *,
    everybody: _All = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="Write it; without, nothing changes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rate the open legs again by the documents of today: what changes, by how much, for whom.

    For a tariff that was wrong: mend and apply the catalogue first. Legs of closed months and of prepaid
    accounts stay as they are. With --confirm what differs is written, as corrections; twice changes nothing.
    """
    changes = run(
        _rerate(_asked(accounts or [], everybody=everybody, example="pbxcore rerate acme"), confirm=confirm)
    )
    if as_json:
        answer = {"written": confirm, "accounts": [_changes_as_json(one) for one in changes]}
        out.print_json(json.dumps(answer))
    else:
        _show_changes(changes, confirm=confirm)
    _end([one for one in changes if one.obstacle])


def _month(written: str) -> date:
    try:
        return datetime.strptime(written, "%Y-%m").date()  # noqa: DTZ007 — a month, in each account's own zone
    except ValueError:
        raise fail(f"{written} is no month", "write it like 2026-10", Exit.USAGE) from None


Accounts = Callable[[Sequence[str]], Sequence[str]]


def _asked(accounts: Sequence[str], *, everybody: bool, example: str) -> Accounts:
    """Return which accounts are meant, of all there are."""
    if bool(accounts) == everybody:
        raise fail("name accounts, or say --all", example, Exit.USAGE)
    return lambda known: known if everybody else list(dict.fromkeys(accounts))


async def _close(accounts: Accounts, month: date, *, preview: bool) -> tuple[Sequence[Close], int]:
    settings = settings_of_running()
    async with database_connection() as connection:
        book = await _book(connection)
        closing = Closing(connection, book)
        now_us, by = time.time_ns() // 1_000, getpass.getuser()
        named = accounts(await accounts_of(connection, book))
        changes = [] if preview else [await closing.close(one, month, now_us=now_us, by=by) for one in named]
        legs = await unread(connection, settings.spool) if settings.spool.is_dir() else ()
        closes = [await closing.bill(one, month, legs) for one in changes]
        if preview:
            closes = [await closing.preview(one, month, now_us=now_us, unread_legs=legs) for one in named]
        return closes, await nobodys(connection, book, month)


async def _rerate(accounts: Accounts, *, confirm: bool) -> Sequence[Changes]:
    async with database_connection() as connection:
        book = await _book(connection)
        closing = Closing(connection, book)
        return [await closing.rerate(account, confirm=confirm) for account in accounts(sorted(book.accounts))]


async def _book(connection: Connection) -> Book:
    return await load_book(connection, load(settings_of_running().config / "destinations"))


def _end(refused: Sequence[Changes]) -> None:
    """Say what stands in the way of each account that was refused."""
    for one in refused:
        assert one.obstacle is not None
        what, remedy = (text.format(account=escape(one.account), first=one.first)
                        for text in _OBSTACLES[one.obstacle])  # fmt: skip
        if one.obstacle is Obstacle.UNKNOWN_ACCOUNT:
            remedy = closest(one.account, ask(lambda connection: names(connection, "account")), remedy)
        err.print(f"[bold red]✗[/] {escape(one.account)}: {what}", highlight=False, soft_wrap=True)
        if one.not_known:
            err.print(f"    {escape(one.not_known)}", highlight=False, soft_wrap=True)
        for leg in one.unpriced[:SHOWN] if one.obstacle is Obstacle.UNPRICED else ():
            err.print(f"    {escape(f'{leg.key}: {leg.detail}')}", highlight=False, soft_wrap=True)
        err.print(f"  → {remedy}", highlight=False, soft_wrap=True)
    if refused:
        raise typer.Exit(int(Exit.NO))


def _show_closes(closes: Sequence[Close], of_nobody: int) -> None:
    table = _table("account", "month", "legs", "seconds", "amount", "corrected", "by")
    for one in closes:
        if one.refused:
            continue
        for bill in one.bills or (None,):
            table.add_row(
                *(escape(one.changes.account), f"{one.month:%Y-%m}"),
                *((str(bill.legs), str(bill.billable_s)) if bill else ("0", "0")),
                f"{money.text(bill.amount_micro)} {bill.currency}" if bill else "",
                *(str(len(one.changes.changed)), _differences(one.changes)),
            )
    if table.row_count:
        out.print(table)
    for one in closes:
        for kept in one.kept:
            out.print(_stays(one.changes.account, kept), highlight=False)
    _show_late(closes, of_nobody)


def _stays(account: str, kept: Kept) -> str:
    """Say what rolls over from a month."""
    name = kept.bundle + (f"+{kept.top_up}" if kept.top_up else "")
    left = f"{kept.fixed_left_s} s fixed and {kept.mobile_left_s} s mobile"
    return f"{escape(account)}: {left} are left of {escape(name)}, until {kept.until}"


def _show_late(closes: Sequence[Close], of_nobody: int) -> None:
    for one in closes:
        account, late = escape(one.changes.account), one.late
        if one.closed and one.changes.obstacle is Obstacle.CLOSED:
            out.print(
                f"[dim]{account}: closed on {one.closed.at:%Y-%m-%d %H:%M} UTC by {escape(one.closed.by)}[/]"
            )
        if not one.refused and (late.in_spool or late.in_quarantine):
            come = "come" if one.closed else "would come"
            out.print(
                f"[yellow]![/] {account}: {late.in_spool} legs that were not taken in yet and "
                f"{late.in_quarantine} in quarantine {come} late, on the next invoice",
                highlight=False,
            )
    if of_nobody:
        out.print(
            f"[yellow]![/] {of_nobody} legs in quarantine belong to no account: pbxcore quarantine list"
        )


def _show_preview(closes: Sequence[Close]) -> None:
    """Show leg by leg what closing would correct."""
    for one in closes:
        if one.changes.changed:
            out.print(f"{escape(one.changes.account)}: these would be corrected", highlight=False)
            out.print(_legs_table(one.changes.changed))
    if any(not one.refused and one.closed is None for one in closes):
        out.print("nothing was written; without --preview this is done, with what has come until then")


def _show_changes(changes: Sequence[Changes], *, confirm: bool) -> None:
    for one in changes:
        if one.obstacle:
            continue
        sign = "[green]✓[/]" if confirm or not one.changed else "[yellow]![/]"
        corrected = f"{len(one.changed)} of {one.legs} open legs differ"
        out.print(f"{sign} {escape(one.account)}: {corrected} {_differences(one)}", highlight=False)
        if one.changed:
            out.print(_legs_table(one.changed))
    if not confirm and any(one.changed and not one.obstacle for one in changes):
        out.print("nothing was written; with --confirm these are written as corrections")


def _legs_table(changed: Sequence[tuple[RatedLeg, RatedLeg]]) -> Table:
    table = _table("leg", "payer", "number", "before", "after")
    for before, after in changed[:SHOWN]:
        table.add_row(
            *(escape(before.key), escape(before.payer), escape(before.number)),
            *(f"{money.text(leg.amount_micro)} {leg.currency} {leg.prices}" for leg in (before, after)),
        )
    if len(changed) > SHOWN:
        table.add_row(f"… {len(changed) - SHOWN} more: --json", "", "", "", "")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        right = column in {"legs", "seconds", "amount", "corrected", "by", "before", "after"}
        table.add_column(column, justify="right" if right else "left")
    return table


def _differences(changes: Changes) -> str:
    """Return by how much the amount grows: `+1.900000 EUR`."""
    return ", ".join(
        f"{'+' if micro > 0 else ''}{money.text(micro)} {currency}"
        for currency, micro in changes.differences_micro.items()
    )


def _close_as_json(one: Close) -> dict[str, Any]:
    return {
        **_changes_as_json(one.changes),
        "month": f"{one.month:%Y-%m}",
        "closed": one.closed is not None,
        "position": one.closed.position if one.closed else None,
        "bills": [
            {
                "currency": bill.currency,
                "legs": bill.legs,
                "billable_s": bill.billable_s,
                "amount": money.text(bill.amount_micro),
            }
            for bill in one.bills
        ],
        "kept": [
            {
                "bundle": kept.bundle,
                "top_up": kept.top_up,
                "period": kept.period.isoformat(),
                "until": kept.until.isoformat(),
                "fixed_s": kept.fixed_s,
                "fixed_left_s": kept.fixed_left_s,
                "mobile_s": kept.mobile_s,
                "mobile_left_s": kept.mobile_left_s,
            }
            for kept in one.kept
        ],
        "late": {"in_spool": one.late.in_spool, "in_quarantine": one.late.in_quarantine},
    }


def _changes_as_json(one: Changes) -> dict[str, Any]:
    return {
        "account": one.account,
        "obstacle": one.obstacle,
        "first_open": f"{one.first:%Y-%m}" if one.first else None,
        "not_known": one.not_known,
        "open_legs": one.legs,
        "differences": {currency: money.text(micro) for currency, micro in one.differences_micro.items()},
        "corrections": [
            {
                "key": before.key,
                "payer": before.payer,
                "number": before.number,
                "before": money.text(before.amount_micro),
                "after": money.text(after.amount_micro),
                "currency": after.currency,
            }
            for before, after in one.changed
        ],
        "unpriced": [{"key": leg.key, "detail": leg.detail} for leg in one.unpriced],
    }
