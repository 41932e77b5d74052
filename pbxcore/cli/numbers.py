"""`pbxcore numbers`: where each number stands in its life, and how that is told."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.finding import closest
from dialplan.hours import local_time
from dialplan.plan import Number, Plan, Porting
from dialplan.porting import Stage, by_whom, stage
from pbxcore import published
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.tables import Table
from pbxcore.settings import Settings

DAYS = ("planned", "confirmed", "released")  # of a number, by the clock of its tenant

Row = Mapping[str, str | None]


@app.command(rich_help_panel="Explaining")
def numbers(
    tenant: Annotated[str | None, typer.Argument(help="Its id; default: all tenants.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every number in force: where it leads, where it stands in its life, and because of what."""
    there, now = published.load(Settings().published), datetime.now(UTC)
    plans = [plan for plan in there.plans.values() if tenant in {None, plan.tenant}]
    if tenant and not plans:
        remedy = closest(tenant, there.plans, "`pbxcore tenants` lists them")
        raise fail(f"no tenant {tenant} is in force here", remedy, Exit.NO)
    found = [(plan, entry) for plan in sorted(plans, key=lambda one: one.tenant) for entry in _entries(plan)]
    if as_json:
        out.print_json(json.dumps([row(plan, entry, now) for plan, entry in found]))
        return
    rows = [{**row(plan, entry, now), "because": _because(entry, now)} for plan, entry in found]
    out.print(listed(rows, roomy=out.roomy))


def listed(rows: Sequence[Row], *, roomy: bool) -> Table:
    """Give numbers as a table; where there is little room, days and reasons stand below the state."""
    columns = ["tenant", "number", "state", "stands_for", *((*DAYS, "because") if roomy else ()), "to"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column.replace("_", " "), no_wrap=column in {"tenant", "number", "stands_for", *DAYS}
        )
    for one in rows:
        below = () if roomy else (*(f"{day}\n{one[day]}" for day in DAYS if one[day]), one["because"])
        state = "\n".join(filter(None, [one["state"], *below]))
        table.add_row(*(escape({**one, "state": state}[column] or "") for column in columns))
    return table


def _entries(plan: Plan) -> list[Number]:
    """Give each number, and of a block the one that is its entry."""
    return [entry for number, entry in plan.numbers.items() if number == entry.key]


def row(plan: Plan, entry: Number, now: datetime) -> dict[str, str | None]:
    """Give a number as scripts read it; instants by its tenant's clock."""
    known = entry.porting or Porting()
    return {
        "tenant": plan.tenant,
        "number": entry.number,
        "state": stage(entry, now).value,
        "stands_for": entry.stands_for or None,
        "planned": _clock(entry.planned_at, plan.zone),
        "rejected": known.rejected or None,
        "confirmed": _clock(known.confirmed_at, plan.zone),
        "by": known.by or None,
        "reference": known.reference or None,
        "message": known.message or None,
        "released": _clock(entry.released_at, plan.zone),
        "to": str(entry.to),
    }


def _because(entry: Number, now: datetime) -> str:
    """Say what a number's state comes from, and what somebody has to see to."""
    if entry.porting:
        rejected = entry.porting.rejected
        return f"rejected: {rejected}" if rejected else by_whom(entry.porting)
    return (
        "! that is past, and nobody has confirmed it" if entry.planned_at and entry.planned_at <= now else ""
    )


def _clock(at: datetime | None, zone: tzinfo) -> str | None:
    return local_time(at, zone).isoformat(timespec="minutes") if at else None


def told(plan: Plan, entry: Number, now: datetime) -> Iterator[str]:
    """Say where a porting stands: since when, what comes next, and what may be a mistake."""
    number, temporary = f"[bold]{escape(entry.stands_for)}[/]", escape(entry.number)
    known, last = entry.porting or Porting(), _clock(entry.released_at, plan.zone)
    if known.confirmed_at:
        since = _clock(known.confirmed_at, plan.zone)
        yield f"{number} is ported as of {since}, confirmed {escape(by_whom(known))}"
    match stage(entry, now):
        case Stage.RELEASED:
            yield f"[yellow]! {temporary} is released since {last}: its calls end with unknown-number[/]"
            yield f"  → if that day is wrong: `pbxcore porting revert {escape(entry.stands_for)}`"
        case Stage.PORTED:
            yield f"  {temporary} works until {last}"
        case Stage.PORTING:
            yield f"{number} is to be ported at {_clock(entry.planned_at, plan.zone)}"
            yield "  the first call that a trunk brings to it confirms that, or `pbxcore porting confirm`"
            if entry.planned_at and entry.planned_at <= now:
                yield "[yellow]! that instant is past[/]\n  → confirm the porting, or plan another day"
        case Stage.TEMPORARY | Stage.ORDERED | Stage.OWN:
            why = f"; it was rejected: {escape(known.rejected)}" if known.rejected else ""
            yield f"{number} is not ported and no day is planned{why}"
            yield f"  {temporary} stands for it; no call confirms a porting that is not planned"
