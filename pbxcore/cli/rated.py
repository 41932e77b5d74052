"""`pbxcore rated` and `pbxcore quarantine`: what came of the legs."""

import asyncio
import contextlib
import getpass
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from pbxcore.cli.app import AsJson, Exit, app, err, fail, out
from pbxcore.cli.database import no_database
from pbxcore.cli.tables import Table, shown, without_day
from pbxcore.database import AWAY, Connection, connect, url_of
from pbxcore.machine.running import settings_of_running
from rating import money
from rating.periods import from_iso
from rating.rated import Piece, Quarantine, RatedLeg, Source
from rating.store import quarantine, stream
from rating.store.positions import LARGEST, BeyondNewestError
from rating.store.quarantine import Correction, Waiting
from rating.store.stream import Entry
from rating.wire import dump, leg_to_json

RECENT = 20  # legs of a table for which no position was named
MOST_RELEASED = 10_000  # legs of one request: some seconds of the rater's time
LISTED = 1_000  # a screen's worth many times over
RETRY_S = 2.0  # while the database is away

Result = TypeVar("Result")

waiting = typer.Typer(help="Legs that could not be rated: list them, release them.", no_args_is_help=True)
app.add_typer(waiting, name="quarantine")


@app.command(rich_help_panel="Explaining")
def rated(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with the legs to come; NDJSON.")
    ] = False,
    since: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST, help="Begin after this position of the stream; 0 is its start."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show rated legs: the newest as a table, or the stream as NDJSON.

    The stream is for billing: one JSON object a line, every rated leg once, in the order of `position`. Keep
    the position of the last line you stored and go on with it: pbxcore rated --follow --since POSITION
    """
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        if follow or as_json:
            asyncio.run(_print_lines(since or 0, follow=follow))
        else:
            _show(run(_recent(since)), since)


@waiting.command("list")
def list_waiting(as_json: AsJson = False) -> None:
    """List the legs that wait for a person, the oldest first, and why. With --json one object a line."""
    found = run(_waiting())
    for one in found if as_json else ():
        sys.stdout.write(dump(waiting_as_json(one)) + "\n")
    if not as_json:
        out.print(_table_of(found) if found else "[green]✓[/] nothing waits")


@waiting.command()
def release(
    key: Annotated[str, typer.Argument(help="Key of the leg, from `pbxcore quarantine list`.")] = "",
    reason: Annotated[
        Quarantine | None, typer.Option(help="Instead of one leg all that wait for this reason.")
    ] = None,
    payer: Annotated[str | None, typer.Option(help="Who pays instead: tenant/extension.")] = None,
    ended: Annotated[str | None, typer.Option(help="When it ended: 2026-11-22T10:15:30.000000Z.")] = None,
) -> None:
    """Rate a leg again, by the documents of today. What still cannot be rated comes back with its reason.

    A leg without a recorded end is rated to its last sign of life, unless you say when it ended. Each release
    stands for itself: what you do not name is as recorded, not as somebody named it before. Who has mended
    a price releases all that waited for it: pbxcore quarantine release --reason no-price
    """
    if reason is not None:
        _release_all(reason, alone=not (key or payer or ended))
        return
    if not key:
        raise fail("which leg?", "name its key, from pbxcore quarantine list, or a --reason", Exit.USAGE)
    try:
        correction = Correction(payer=payer, ended_us=None if ended is None else from_iso(ended))
    except ValueError as error:
        raise fail(f"--ended: {error}", "write it like 2026-11-22T10:15:30.000000Z", Exit.USAGE) from None
    if not run(_release(key, correction)):
        raise fail(f"no leg {key} waits", "list those that do: pbxcore quarantine list", Exit.NO)
    out.print(f"[green]✓[/] {escape(key)} is released; the rater takes it up within a second")


def _release_all(reason: Quarantine, *, alone: bool) -> None:
    if not alone:
        message = "--reason is about all that wait for it, as they were recorded"
        raise fail(message, "name one leg to say who pays, or when it ended", Exit.USAGE)
    legs = run(_release_of(reason))
    if not legs:
        raise fail(
            f"no leg waits for {reason} that is not released yet",
            "list those that do: pbxcore quarantine list",
            Exit.NO,
        )
    more = ", those that waited longest; more wait" if legs == MOST_RELEASED else ""
    out.print(
        f"[green]✓[/] {legs} {'leg is' if legs == 1 else 'legs are'} released{more}; the rater takes them up"
    )


async def _print_lines(since: int, *, follow: bool) -> None:
    """Write the stream; while the database is away, wait and go on where it was."""
    told = False
    while True:
        try:
            async with database_connection() as connection:
                told = False
                async for entry in stream.follow(connection, since) if follow else _all(connection, since):
                    sys.stdout.write(dump(stream.entry_to_json(entry)) + "\n")
                    sys.stdout.flush()
                    since = entry.position
                return
        except BeyondNewestError as beyond:
            raise _no_position(beyond) from beyond
        except AWAY as away:
            if isinstance(away, BrokenPipeError):
                raise
            if not follow:
                raise no_database(away) from away
            if not told:
                err.print(f"[yellow]the database is away ({type(away).__name__}); waiting[/]")
                told = True
        await asyncio.sleep(RETRY_S)


async def _all(connection: Connection, since: int) -> AsyncIterator[Entry]:
    while page := await stream.rated_since(connection, since):
        for entry in page:
            yield entry
        since = page[-1].position


async def _recent(since: int | None) -> Sequence[Entry]:
    async with database_connection() as connection:
        newest = await stream.position(connection)
        first = max(newest - RECENT, 0) if since is None else since
        return await stream.rated_since(connection, first)


async def _waiting() -> Sequence[Waiting]:
    async with database_connection() as connection:
        return await quarantine.waiting(connection, LISTED)


async def _release_of(reason: Quarantine) -> int:
    async with database_connection() as connection:
        return await quarantine.release_all(connection, reason, by=getpass.getuser(), limit=MOST_RELEASED)


async def _release(key: str, correction: Correction) -> bool:
    async with database_connection() as connection:
        return await quarantine.release(connection, key, by=getpass.getuser(), correction=correction)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Do something that needs the database; say so where it is away, or a position is not there."""
    try:
        return asyncio.run(work)
    except BeyondNewestError as beyond:
        raise _no_position(beyond) from beyond
    except AWAY as away:
        raise no_database(away) from away


def _no_position(beyond: BeyondNewestError) -> typer.Exit:
    return fail(str(beyond), beyond.remedy, Exit.NO)


@contextlib.asynccontextmanager
async def database_connection() -> AsyncIterator[Connection]:
    """Give a connection to the database of the machine."""
    connection = await connect(url_of(settings_of_running()), application="pbxcore cli")
    try:
        yield connection
    finally:
        connection.terminate()  # it may wait for news; nothing of ours is under way


def _show(entries: Sequence[Entry], since: int | None) -> None:
    if not entries:
        out.print(f"[dim]no rated legs {f'after {since} ' if since else ''}yet[/]")
        return
    out.print(listed(entries, datetime.now(UTC), roomy=out.roomy))


def listed(entries: Sequence[Entry], now: datetime, *, roomy: bool) -> Table:
    """Give rated legs as a table; its numbers and amounts fit a terminal of 80 columns."""
    table = Table(box=None, pad_edge=False)
    table.add_column("no", justify="right", no_wrap=True)
    for column in ("ended", "payer", "number"):
        table.add_column(column, no_wrap=column != "payer")
    table.add_column("paid from")
    table.add_column("amount", justify="right", no_wrap=True)
    for entry in entries:
        leg = entry.leg
        ended = shown(datetime.fromtimestamp(leg.ended_us // 1_000_000, UTC), now)
        paid = (", " if roomy else "\n").join(_paid_from(leg, roomy=roomy))
        if entry.correction:
            paid = f"[yellow]corrects {entry.corrects}[/] {paid}"
        amount = f"{money.text(leg.amount_micro)} {leg.currency}"
        table.add_row(str(entry.position), ended, escape(leg.payer), escape(leg.number), paid, amount)
    return table


def _paid_from(leg: RatedLeg, *, roomy: bool) -> Iterator[str]:
    """Say what made up an amount: each piece, and the fee of the answer."""
    yield from (_paid(piece, roomy=roomy) for piece in leg.pieces)
    if leg.connection_micro:
        yield f"connection fee {money.text(leg.connection_micro)}" if roomy else "connection fee"


def _paid(piece: Piece, *, roomy: bool) -> str:
    """Say who paid a piece; in little room only from which bundle: `explain` has the rest."""
    if piece.source is Source.ALLOWANCE and not roomy:
        return f"{piece.seconds} s {escape(without_day(piece.pool))}"
    if piece.source is Source.ALLOWANCE:
        return f"{piece.seconds} s {escape(piece.pool)} [dim]({piece.after_s} left)[/]"
    if piece.source is Source.MINIMUM:
        return f"{money.text(piece.amount_micro)} to the least a call costs"
    return f"{piece.seconds} s overflow"


def _table_of(found: Sequence[Waiting]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("key", "since (UTC)", "reason", "payer", "number", "seconds", "detail"):
        table.add_column(column)
    for one in found:
        since = one.since.strftime("%Y-%m-%d %H:%M:%S")
        released = f" [dim](released by {one.released_by})[/]" if one.released_by else ""
        seconds = str((one.leg.ended_us - one.leg.answered_us) // 1_000_000)
        reason = f"[yellow]{one.reason}[/]{released}"
        table.add_row(one.leg.key, since, reason, one.leg.payer, one.leg.number, seconds, one.detail)
    return table


def waiting_as_json(one: Waiting) -> dict[str, object]:
    """Give a leg that waits as scripts read it."""
    return {
        "reason": one.reason.value,
        "detail": one.detail,
        "since": one.since.isoformat(),
        "released_by": one.released_by,
        "leg": leg_to_json(one.leg),
    }
