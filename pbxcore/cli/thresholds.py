"""`pbxcore thresholds`: allowances of which much is used."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from pbxcore.cli.app import AsJson, app, out
from pbxcore.cli.rated import database_connection, run
from pbxcore.cli.tables import Table, shown, without_day
from rating.store import thresholds as events
from rating.store.positions import LARGEST
from rating.store.thresholds import Event
from rating.wire import dump

_SINCE = typer.Option(min=0, max=LARGEST, help="Begin after this position of the events; 0 is their start.")


@app.command(rich_help_panel="Explaining")
def thresholds(since: Annotated[int, _SINCE] = 0, as_json: AsJson = False) -> None:
    """Show the allowances that were used to 80 and to 100 percent, each once, in the order of `position`.

    At most a thousand events; go on with the position of the last one. With --json one object a line.
    """
    found = run(_since(since))
    for event in found if as_json else ():
        sys.stdout.write(dump(events.event_to_json(event)) + "\n")
    if not as_json:
        out.print(listed(found, roomy=out.roomy) if found else "[dim]no threshold was reached[/]")


async def _since(position: int) -> Sequence[Event]:
    async with database_connection() as connection:
        return await events.since(connection, position)


def listed(found: Sequence[Event], *, roomy: bool) -> Table:
    """Give events as a table; its instants and amounts fit a terminal of 80 columns."""
    table = Table(box=None, pad_edge=False)
    for column in ("no", "at", "account", "allowance"):
        table.add_column(column, no_wrap=column in {"no", "at"})
    for column in ("used", "of", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for one in found:
        pool = one.pool if roomy else without_day(one.pool)
        amounts = (f"{one.used_s} s", f"{one.granted_s} s", f"{one.percent} %")
        at = shown(one.raised_at, seconds=roomy)
        table.add_row(str(one.position), at, escape(one.account), escape(pool), *amounts)
    return table
