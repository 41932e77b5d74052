"""`pbxcore explain`: what happened to a call, who decided it and why, and what each of its legs costs."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape

from pbxcore import calls, recent
from pbxcore.calls import Call
from pbxcore.cli import happened
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.database import no_database
from pbxcore.cli.panels import rated_leg
from pbxcore.cli.rated import database_connection, waiting_as_json
from pbxcore.cli.tables import Table, shown
from pbxcore.database import AWAY, why_away
from pbxcore.machine.running import asterisk_since, settings_of_running
from pbxcore.recent import Recent
from rating import money
from rating.correction import standing
from rating.store import quarantine, stream
from rating.store.quarantine import Waiting
from rating.store.stream import Entry, entry_to_json

MOST_LISTED = 20  # calls; a screen


@dataclass(frozen=True, slots=True)
class Priced:
    """What the database knows of a leg: its rating and corrections, or why it waits, or nothing yet."""

    key: str
    entries: Sequence[Entry] = ()
    waiting: Waiting | None = None

    @property
    def linkedid(self) -> str:
        """The call it belongs to."""
        return (
            self.entries[0].leg.linkedid
            if self.entries
            else self.waiting.leg.linkedid
            if self.waiting
            else ""
        )


@app.command(rich_help_panel="Explaining")
def explain(
    name: Annotated[
        str,
        typer.Argument(
            help="A call or a leg: from `pbxcore explain` alone, `rated --json`, `quarantine list`."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Explain a past call: what was decided, by whom and by which rule, what then happened, what it costs.

    Without a name the last calls are listed: when, from whom to whom, how they ended, and their names.
    Any name of the call will do: its linkedid, the UniqueID of a channel, the key of a leg. A leg that waits
    in quarantine shows its reason instead of a price. Without the database everything but prices is shown;
    records of Asterisk and decisions are found as long as they are kept on this machine.
    """
    settings = settings_of_running()
    if not name:
        _list(recent.last(settings, MOST_LISTED, asterisk_since(settings)), as_json=as_json)
        return
    call = calls.find(settings, name)
    priced, away = list[Priced](), ""
    try:
        priced = asyncio.run(_priced((name, *(call.legs if call else ()))))
    except AWAY as error:
        if call is None:
            raise no_database(error) from error
        away = f"the database does not answer ({why_away(error)}): no prices"
    if call is None and priced:
        call = calls.find(settings, priced[0].linkedid)
    if call is None and not priced:
        remedy = "list the last calls: pbxcore explain; legs: pbxcore rated, pbxcore quarantine list"
        raise fail(f"neither a call nor a leg {name} is known", remedy, Exit.NO)
    if as_json:
        out.print_json(json.dumps(_plain(call, priced, asterisk_since(settings), away)))
    else:
        if away:
            out.print(f"[yellow]{escape(away)}[/]", highlight=False)
        _show(call, priced, asterisk_since(settings))


def _list(found: Sequence[Recent], *, as_json: bool) -> None:
    """Print calls, the newest first, each with the name by which it is explained."""
    if as_json:
        out.print_json(json.dumps([{**asdict(one), "at": one.at.isoformat()} for one in found]))
        return
    if not found:
        raise fail("no call is recorded on this machine", "make one: pbxcore demo", Exit.NO)
    out.print(listed(found, datetime.now(UTC)), highlight=False)
    out.print(f"[dim]→ pbxcore explain {escape(found[0].linkedid)}[/]", highlight=False, soft_wrap=True)


def listed(found: Sequence[Recent], now: datetime) -> Table:
    """Give calls as a table; its names fit a terminal of 80 columns."""
    table = Table(box=None, pad_edge=False)
    for column in ("at", "from", "to", "outcome", "call"):
        table.add_column(column, no_wrap=column != "outcome")
    for one in found:
        words = (one.caller, one.dialled, one.outcome or one.unended, one.linkedid)
        table.add_row(shown(one.at, now), *map(escape, words))
    return table


async def _priced(keys: Sequence[str]) -> list[Priced]:
    async with database_connection() as connection:
        found = [
            Priced(key, await stream.rated_of(connection, key), await quarantine.waiting_of(connection, key))
            for key in dict.fromkeys(keys)
        ]
    return [one for one in found if one.entries or one.waiting]


def _plain(
    call: Call | None, priced: Sequence[Priced], since: datetime | None, unpriced: str
) -> dict[str, Any]:
    happenings = [{**asdict(one), "at": one.at.isoformat()} for one in call.happenings] if call else []
    return {
        "linkedids": list(call.linkedids) if call else [],
        "decisions": list(call.decisions) if call else [],
        "happenings": happenings,
        "unended": _unended(call, since) if call else "",
        "unlogged": [{"channel": one.channel, **one.words} for one in call.unlogged] if call else [],
        "legs": [_leg(one) for one in priced],
        "unpriced": unpriced,
    }


def _leg(one: Priced) -> dict[str, Any]:
    lines = [entry_to_json(entry) for entry in one.entries]
    return {
        "key": one.key,
        "rated": lines[0] if lines else None,
        "corrections": lines[1:],
        "quarantine": waiting_as_json(one.waiting) if one.waiting else None,
    }


def _show(call: Call | None, priced: Sequence[Priced], since: datetime | None) -> None:
    if call:
        story = list(happened.story(call))
        began = f"[dim], {shown(story[0][0])}[/]" if story else ""
        out.print(f"[bold]Call {escape(' + '.join(call.linkedids))}[/]{began}", highlight=False)
        for at, told in story:
            out.print(_line(at, told) if isinstance(told, str) else told, highlight=False)
        if goes_on := _unended(call, since):
            out.print(f"[yellow]{goes_on}[/]", highlight=False)
    for missing in happened.unlogged(call):
        out.print(f"[yellow]{escape(missing)}[/]", highlight=False)
    for one in priced:
        for line in _price(one):
            out.print(line, highlight=False)


def _unended(call: Call, since: datetime | None) -> str:
    """Say of a call whose outcome was not recorded whether it goes on; nothing where no records are kept."""
    if call.is_ended or not call.happenings:
        return ""
    return calls.unended(call.happenings[0].at, since, is_over=call.is_over)


def _line(at: datetime, words: str) -> Table:
    """Put what happened beside its instant; what is too long goes on below its own words."""
    line = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    line.add_column(no_wrap=True, style="dim")
    line.add_row(f"{at.astimezone():%H:%M:%S}.{at.microsecond // 1_000:03}", escape(words))
    return line


def _price(one: Priced) -> Iterator[RenderableType]:
    for entry in one.entries:
        yield rated_leg(asdict(entry.leg), correction=entry.correction)
        yield (f"Position {entry.position}; account {entry.leg.account}; tariff {entry.leg.tariff}, "
               f"zone {entry.leg.zone}; billed in {entry.month:%Y-%m}")  # fmt: skip
    if len(one.entries) > 1:
        leg = standing(one.entries[0].leg, [entry.leg for entry in one.entries[1:]])
        yield f"As it stands: {leg.billable_s} s, {money.text(leg.amount_micro)} {leg.currency}"
    if one.waiting:
        yield f"[yellow]in quarantine: {one.waiting.reason.value}[/] {escape(one.waiting.detail)}"
        yield f"  [green]→ pbxcore quarantine release {escape(one.key)}[/]"
