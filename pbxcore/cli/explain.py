"""`pbxcore explain`: why a leg costs what it costs, and why its call went where it went."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape

from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.panels import decision, rated_leg
from pbxcore.cli.rated import database_connection, run, waiting_as_json
from pbxcore.control.decision_log import of_call
from pbxcore.machine.running import settings_of_running
from rating import money
from rating.correction import standing
from rating.store import quarantine, stream
from rating.store.quarantine import Waiting
from rating.store.stream import Entry, entry_to_json


@app.command(rich_help_panel="Explaining")
def explain(
    key: Annotated[
        str, typer.Argument(help="Key of the leg, from `pbxcore rated --json` or `quarantine list`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Explain a leg: what was decided for its call and why, and each piece of its price with its rule.

    A leg that waits in quarantine shows its reason instead of a price. Decisions are found as long as their
    log is kept on this machine.
    """
    entries, waiting = run(_find(key))
    if not entries and waiting is None:
        raise fail(f"no leg {key} is known", "list them: pbxcore rated, pbxcore quarantine list", Exit.NO)
    linkedid = entries[0].leg.linkedid if entries else waiting.leg.linkedid if waiting else ""
    decisions = of_call(settings_of_running().decisions, linkedid)
    if as_json:
        lines = [entry_to_json(entry) for entry in entries]
        rated, corrections = lines[0] if lines else None, lines[1:]
        kept = waiting_as_json(waiting) if waiting else None
        answer = {"rated": rated, "quarantine": kept, "decisions": decisions, "corrections": corrections}
        out.print_json(json.dumps(answer))
    else:
        _show(entries, waiting, decisions)


async def _find(key: str) -> tuple[Sequence[Entry], Waiting | None]:
    async with database_connection() as connection:
        return await stream.rated_of(connection, key), await quarantine.waiting_of(connection, key)


def _show(entries: Sequence[Entry], waiting: Waiting | None, decisions: list[dict[str, Any]]) -> None:
    for one in decisions:
        out.print(decision(one))
    if not decisions:
        out.print("[dim]no decision about this call is kept on this machine[/]")
    for entry in entries:
        out.print(rated_leg(asdict(entry.leg), correction=entry.correction))
        out.print(f"Position {entry.position}; account {entry.leg.account}; tariff {entry.leg.tariff}, "
                  f"zone {entry.leg.zone}; billed in {entry.month:%Y-%m}", highlight=False)  # fmt: skip
    if len(entries) > 1:
        leg = standing(entries[0].leg, [entry.leg for entry in entries[1:]])
        out.print(f"As it stands: {leg.billable_s} s, {money.text(leg.amount_micro)} {leg.currency}")
    if waiting:
        out.print(
            f"[yellow]in quarantine: {waiting.reason.value}[/] {escape(waiting.detail)}", highlight=False
        )
        out.print(f"  [green]→ pbxcore quarantine release {escape(waiting.leg.key)}[/]", highlight=False)
