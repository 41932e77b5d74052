"""`pbxcore numbers` and `pbxcore porting`: where each number stands in its life, and what moves it on."""

import asyncio
import getpass
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Literal

import typer
from rich.markup import escape

from dialplan import porting as life
from dialplan.finding import closest
from dialplan.hours import local_time
from dialplan.numbers import is_e164
from dialplan.plan import Number, Plan
from dialplan.porting import Stage
from pbxcore import database, porting, published
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.apply import iso, plain, show_applied
from pbxcore.cli.instants import read_instant
from pbxcore.cli.tables import Table
from pbxcore.door import Applied
from pbxcore.machine.running import settings_of_running
from pbxcore.porting import Standing
from pbxcore.receipt import UnansweredError
from pbxcore.settings import Settings
from pbxcore.turn import BusyError

portings = typer.Typer(help="Portings: plan, reject, confirm or take back.", no_args_is_help=True)
app.add_typer(portings, name="porting", rich_help_panel="Changing")

_NUMBER = typer.Argument(help="The number that is ported, or the temporary one that stands for it: +4930…")
_AT = typer.Option(help="Instant, 2026-12-01T06:00 by the tenant's clock, or with an offset like +01:00.")
_AUTHOR = typer.Option(help="Who says so; stands in the revision.")

DAYS = ("planned", "released")  # of a number, by the clock of its tenant

Ported = Annotated[str, _NUMBER]
Author = Annotated[str, _AUTHOR]


@app.command(rich_help_panel="Explaining")
def numbers(
    tenant: Annotated[str | None, typer.Argument(help="Its id; default: all tenants.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every number in force: where it leads and where it stands in its life."""
    there, now = published.load(Settings().published), datetime.now(UTC)
    plans = [plan for plan in there.plans.values() if tenant in {None, plan.tenant}]
    if tenant and not plans:
        remedy = closest(tenant, there.plans, "`pbxcore tenants` lists them")
        raise fail(f"no tenant {tenant} is in force here", remedy, Exit.NO)
    rows = [
        _row(plan, entry, now)
        for plan in sorted(plans, key=lambda one: one.tenant)
        for entry in _entries(plan)
    ]
    if as_json:
        out.print_json(json.dumps(rows))
        return
    out.print(listed(rows, roomy=out.roomy))


def listed(rows: Sequence[Mapping[str, str | None]], *, roomy: bool) -> Table:
    """Give numbers as a table; where there is little room a number's days stand below its state."""
    columns = ["tenant", "number", "state", "stands_for", *(DAYS if roomy else ()), "to"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.replace("_", " "), no_wrap=column in {"tenant", "number", "stands_for"})
    for row in rows:
        below = () if roomy else (f"{day}\n{row[day]}" for day in DAYS if row[day])
        state = "\n".join([row["state"] or "", *below])
        table.add_row(*(escape({**row, "state": state}[column] or "") for column in columns))
    return table


def _entries(plan: Plan) -> list[Number]:
    """Give each number, and of a block the one that is its entry."""
    return [entry for number, entry in plan.numbers.items() if number == entry.key]


def _row(plan: Plan, entry: Number, now: datetime) -> dict[str, str | None]:
    return {
        "tenant": plan.tenant,
        "number": entry.number,
        "state": life.stage(entry, now).value,
        "stands_for": entry.stands_for or None,
        "planned": _clock(entry.planned_at, plan.zone),
        "released": _clock(entry.released_at, plan.zone),
        "to": str(entry.to),
    }


def _clock(at: datetime | None, zone: tzinfo) -> str | None:
    return local_time(at, zone).isoformat(timespec="minutes") if at else None


@portings.command()
def plan(number: Ported, at: Annotated[str, _AT], author: Author = "", as_json: AsJson = False) -> None:
    """Plan a porting, or postpone it. A plan is no fact: nothing changes for callers on that day."""
    _note(number, porting.Planned(at=read_instant(at, None)), author, as_json=as_json)


@portings.command()
def reject(
    number: Ported,
    reason: Annotated[str, typer.Option(help="What the old provider says.")],
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Note that the old provider refused. Calls go on as they do; another day can be planned."""
    _note(number, porting.Rejected(reason=_said(reason, "--reason")), author, as_json=as_json)


@portings.command()
def confirm(
    number: Ported,
    at: Annotated[str, _AT] = "",
    by: Annotated[Literal["carrier", "hand"], typer.Option(help="The carrier's message, or you.")] = "hand",
    reference: Annotated[str, typer.Option(help="Of the carrier's message.")] = "",
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Note that a porting has happened: the number is shown and called back from now on.

    The first call that a trunk brings to the number confirms a planned porting by itself. The reference of
    the carrier's message is added to that, as to what was confirmed by hand.
    """
    instant = read_instant(at, None) if at else None
    said = _said(reference, "--reference") if reference else ""
    _note(number, porting.Confirmed(at=instant, by=by, reference=said), author, as_json=as_json)


@portings.command()
def revert(number: Ported, author: Author = "", as_json: AsJson = False) -> None:
    """Take a confirmation back: the number lives at the old provider still.

    A day that is planned stays, so that the next call to the number confirms again; where such a call had
    confirmed, it goes, and a new one is to be planned.
    """
    _note(number, porting.Reverted(), author, as_json=as_json)


def _note(number: str, event: porting.Event, author: str, *, as_json: bool) -> None:
    compact = "".join(number.split())
    if not is_e164(compact):
        raise fail(f"{number!r} is no telephone number", "write it like +493022200100", Exit.USAGE)
    settings = settings_of_running()
    try:
        applied, stands = asyncio.run(_noted(settings, compact, event, author or getpass.getuser()))
    except porting.PortingError as error:
        raise fail(str(error), error.remedy, Exit.NO) from error
    except BusyError as busy:
        raise fail(
            f"nothing was changed: {busy}", "try again; if it stays, end who keeps it", Exit.UNAVAILABLE
        ) from busy
    except UnansweredError as lost:
        text = f"nobody can know yet whether it is written down: {lost}"
        raise fail(text, "the same again does no harm", Exit.UNAVAILABLE) from lost
    except database.AWAY as away:
        text = f"the database does not answer ({away}); nothing was changed"
        raise fail(text, "start the machine with `make run`", Exit.UNAVAILABLE) from away
    if as_json:
        there = _plain(stands) if stands else None
        out.print_json(json.dumps({**plain(applied), "porting": there}, default=iso))
    else:
        show_applied(applied, as_json=False)
        for line in told(stands, datetime.now(UTC)) if stands else ():
            out.print(line, highlight=False)
    if applied.findings or applied.stale:
        raise typer.Exit(int(Exit.NO))


async def _noted(
    settings: Settings, number: str, event: porting.Event, author: str
) -> tuple[Applied, Standing | None]:
    """Write an event down and tell where the number stands; None: the database went away after that."""
    applied = await porting.note(settings, number, event, author=author)
    with suppress(*database.AWAY):
        return applied, await porting.standing(settings, number, datetime.now(UTC))
    return applied, None


def _said(text: str, option: str) -> str:
    """Read what somebody said; it is one line."""
    said = text.strip()
    if not said or not said.isprintable():
        remedy = f"write behind {option} what was said, on one line"
        raise fail(f"{option} is empty, or more than one line", remedy, Exit.USAGE)
    return said


def told(one: Standing, now: datetime) -> Iterator[str]:
    """Say where a porting stands: since when, what comes next, and what may be a mistake."""
    number, temporary = f"[bold]{escape(one.number)}[/]", escape(one.temporary)
    last, revert = _clock(one.released, one.zone), f"`pbxcore porting revert {escape(one.number)}`"
    if one.confirmed:
        since = _clock(one.confirmed, one.zone)
        yield f"{number} is ported as of {since}, confirmed {escape(porting.by_whom(one.known))}"
    match one.stage:
        case Stage.RELEASED:
            yield f"[yellow]! {temporary} is released since {last}: its calls end with unknown-number[/]"
            yield f"  → if that day is wrong: {revert}"
        case Stage.PORTED:
            yield f"  {temporary} works until {last}"
        case Stage.PORTING:
            yield f"{number} is to be ported at {_clock(one.planned, one.zone)}"
            yield "  the first call that a trunk brings to it confirms that, or `pbxcore porting confirm`"
            if one.planned and one.planned <= now:
                yield "[yellow]! that instant is past[/]\n  → confirm the porting, or plan another day"
        case Stage.TEMPORARY | Stage.ORDERED | Stage.OWN:
            why = f"; it was rejected: {escape(one.known.rejected)}" if one.known.rejected else ""
            yield f"{number} is not ported and no day is planned{why}"
            yield f"  {temporary} stands for it; no call confirms a porting that is not planned"


def _plain(one: Standing) -> dict[str, str | None]:
    known = one.known
    return {
        "tenant": one.tenant,
        "number": one.number,
        "temporary": one.temporary,
        "state": one.stage.value,
        "planned": _clock(one.planned, one.zone),
        "rejected": known.rejected,
        "confirmed": _clock(one.confirmed, one.zone),
        "by": known.by if known.confirmed else None,
        "reference": known.reference,
        "message": known.message,
        "released": _clock(one.released, one.zone),
    }
