"""Debits that fall due while nobody asks: contracts on credit are looked at on each of their days.

Owns that look, as a task of `web`. Refuses to know what falls due (`pbxcore.crediting`) and to give up: what
was missed while the machine was down is entered when it is back, with its own day in its reference.
"""

import asyncio
import logging
from datetime import date
from pathlib import Path

from pbxcore import crediting, database, metrics, turn
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.settings import Settings

LOOK_S = 20.0  # a day begins at another instant in each zone, and a debit waits no longer than this for it
AUTHOR = "pbxcore debiting"
PUT_OFF: tuple[type[Exception], ...] = (*database.AWAY, turn.BusyError)
SQL = named(Path(__file__).with_name("crediting.sql"))

log = logging.getLogger(__name__)


async def keep_debited(settings: Settings) -> None:
    """Enter in balances what contracts take by themselves, until cancelled."""
    seen: dict[str, date] = {}
    told = ""
    while True:
        try:
            await look(settings, seen)
        except PUT_OFF as error:
            if str(error) != told:
                told = str(error)
                log.warning("what fell due of contracts cannot be entered now, it is tried again: %s", error)
        await asyncio.sleep(LOOK_S)


async def look(settings: Settings, seen: dict[str, date]) -> None:
    """Look once at each contract whose day is another one than when it was seen last.

    Args:
        settings: of this machine.
        seen: the day on which each contract was looked at; it is changed. One entry a contract.

    Raises:
        database.AWAY, BusyError: the rest waits for the next look.
    """
    connection = await database.connect(database.url_of(settings), application=AUTHOR)
    try:
        for row in await connection.fetch(SQL["on_credit"]):
            if seen.get(row["id"]) != row["today"]:
                await _see_to(connection, row["id"])
                seen[row["id"]] = row["today"]
    finally:
        connection.terminate()  # a goodbye to a server that does not answer has no limit


async def _see_to(connection: Connection, contract: str) -> None:
    """See to one contract in a turn of its own: a change at the door waits for no more than that."""
    await turn.take(connection, turn.DOOR)
    try:
        async with connection.transaction():
            done = await crediting.see_to(connection, contract, author=AUTHOR)
    except PUT_OFF:
        raise
    except Exception:  # of one contract, as one of another version: it holds up no other, and not `web`
        done = False
        log.exception("contract %s is not debited today", contract)
    finally:
        await turn.give_back(connection, turn.DOOR)
    if done:
        metrics.contracts_debited().inc()
