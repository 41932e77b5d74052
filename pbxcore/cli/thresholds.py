"""`pbxcore thresholds`: allowances of which much is used."""

import sys
from collections.abc import Sequence
from datetime import UTC
from typing import Annotated

import typer

from pbxcore.cli.app import AsJson, app, out
from pbxcore.cli.rated import database_connection, run
from pbxcore.cli.tables import Table
from rating.store import thresholds as events
from rating.store.thresholds import Event
from rating.wire import dump

_SINCE = typer.Option(min=0, help="Begin after this position of the events; 0 is their start.")


@app.command(rich_help_panel="Explaining")
def thresholds(since: Annotated[int, _SINCE] = 0, as_json: AsJson = False) -> None:
    """Show the allowances that were used to 80 and to 100 percent, each once, in the order of `position`.

    At most a thousand events; go on with the position of the last one. With --json one object a line.
    """
    found = run(_since(since))
    for event in found if as_json else ():
        sys.stdout.write(dump(events.event_to_json(event)) + "\n")
    if not as_json:
        out.print(_table_of(found) if found else "[dim]no threshold was reached[/]")


async def _since(position: int) -> Sequence[Event]:
    async with database_connection() as connection:
        return await events.since(connection, position)


def _table_of(found: Sequence[Event]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("no", "at (UTC)", "account", "allowance", "percent", "used", "granted"):
        table.add_column(column)
    for one in found:
        at = one.raised_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        amounts = (f"{one.percent} %", f"{one.used_s} s", f"{one.granted_s} s")
        table.add_row(str(one.position), at, one.account, one.pool, *amounts)
    return table
