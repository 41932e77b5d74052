"""Whose turn it is: one change at the door at a time, one publication at a time, on however many machines.

Owns two locks of the database that live as long as a session, their limit, and the name of who holds one.
Refuses to break a lock: a session that is gone loses it, one that hangs in a transaction is cut off by the
server (`pbxcore.database`).
"""

import contextlib
from pathlib import Path

import asyncpg

from pbxcore.database import AWAY, Connection
from pbxcore.database.queries import named

SQL = named(Path(__file__).with_name("turn.sql"))
DOOR = "pbxcore door"
PUBLISHER = "pbxcore publisher"
WAIT_S = (
    20.0  # a turn takes milliseconds, that of a thousand new tenants some seconds; below the client's 30 s
)


class BusyError(Exception):
    """Somebody else has had the turn for too long; nothing was done.

    Attributes:
        code: stable word for answers.
    """

    code = "busy"


async def take(connection: Connection, name: str) -> None:
    """Wait for the turn; it ends with `give_back`, or with the connection.

    Raises:
        BusyError: somebody else keeps it; who, as far as the database knows.
        database.AWAY: the database cannot be reached.
    """
    try:
        await connection.execute(SQL["limit"], f"{round(WAIT_S * 1000)}ms")
        await connection.execute(SQL["take"], name)
    except asyncpg.LockNotAvailableError as late:
        holder = await connection.fetchrow(SQL["holder"], name)
        who = "somebody" if holder is None else f"{holder['who']}, connected for {holder['seconds']} s,"
        raise BusyError(f"{who} keeps the turn ({name}) for more than {WAIT_S:g} s") from late


async def give_back(connection: Connection, name: str) -> None:
    """End the turn; a connection that is gone has ended it already."""
    with contextlib.suppress(*AWAY):
        await connection.execute(SQL["give_back"], name)
