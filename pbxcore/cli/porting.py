"""`pbxcore porting`: what moves a number on in its life."""

import asyncio
import getpass
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from dialplan.numbers import is_e164
from dialplan.plan import Number, Plan
from pbxcore import database, porting
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.apply import iso, plain, show_applied
from pbxcore.cli.instants import read_instant
from pbxcore.cli.numbers import row, told
from pbxcore.door import Applied
from pbxcore.machine.running import settings_of_running
from pbxcore.receipt import UnansweredError
from pbxcore.settings import Settings
from pbxcore.turn import BusyError

portings = typer.Typer(help="Portings: plan, reject, confirm or take back.", no_args_is_help=True)
app.add_typer(portings, name="porting", rich_help_panel="Changing")

_NUMBER = typer.Argument(help="The number that is ported, or the temporary one that stands for it: +4930…")
_AT = typer.Option(help="Instant, 2026-12-01T06:00 by the tenant's clock, or with an offset like +01:00.")
_AUTHOR = typer.Option(help="Who says so; stands in the revision.")

Ported = Annotated[str, _NUMBER]
Author = Annotated[str, _AUTHOR]


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
        there = row(*stands, datetime.now(UTC)) if stands else None
        out.print_json(json.dumps({**plain(applied), "porting": there}, default=iso))
    else:
        show_applied(applied, as_json=False)
        for line in told(*stands, datetime.now(UTC)) if stands else ():
            out.print(line, highlight=False)
    if applied.findings or applied.stale:
        raise typer.Exit(int(Exit.NO))


async def _noted(
    settings: Settings, number: str, event: porting.Event, author: str
) -> tuple[Applied, tuple[Plan, Number] | None]:
    """Write an event down and tell where the number stands; None: the database went away after that."""
    applied = await porting.note(settings, number, event, author=author)
    with suppress(*database.AWAY):
        return applied, await porting.standing(settings, number)
    return applied, None


def _said(text: str, option: str) -> str:
    """Read what somebody said; it is one line."""
    said = text.strip()
    if not said or not said.isprintable():
        remedy = f"write behind {option} what was said, on one line"
        raise fail(f"{option} is empty, or more than one line", remedy, Exit.USAGE)
    return said
