"""Whether a change was stored whose commit nobody answered, because the database died over it.

Owns what a stored change is known by, and the wait for a database that comes back. Refuses to send the
change again: somebody else may have changed the same document since.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pbxcore import database, turn
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.settings import Settings

SQL = named(Path(__file__).with_name("door.sql"))
WAIT_S = 15.0  # a private server that was killed is back after two seconds
AGAIN_S = 0.2


class UnansweredError(Exception):
    """The database died while it committed a change: all of it is stored, or nothing.

    Sending the same again does no harm: what is stored already makes no revision.

    Attributes:
        code: stable word for answers.
    """

    code = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a change is known by: one of its revisions, and the instant that only its transaction has."""

    kind: str
    id: str
    revision: int
    author: str
    at: datetime


@dataclass(slots=True)
class Commit:
    """What is known of a transaction before it ends; without a receipt it stores nothing."""

    receipt: Receipt | None = None


@contextlib.asynccontextmanager
async def transaction(settings: Settings, connection: Connection) -> AsyncIterator[Commit]:
    """Store in one transaction; if the database dies over the commit, it is asked when it is back.

    Raises:
        UnansweredError: it is not back in time; all is stored or nothing.
        database.AWAY: nothing is stored.
    """
    commit = Commit()
    try:
        async with connection.transaction():
            yield commit
    except database.AWAY:
        if commit.receipt is None or not await is_stored(settings, commit.receipt):
            raise


async def receipt_of(connection: Connection, *, kind: str, name: str, revision: int, author: str) -> Receipt:
    """Give the receipt of the transaction under way, by a revision that it stores."""
    at = await connection.fetchval(SQL["instant"])
    return Receipt(kind=kind, id=name, revision=revision, author=author, at=at)


async def is_stored(settings: Settings, receipt: Receipt) -> bool:
    """Tell whether a change was stored, as soon as the database is back.

    Raises:
        UnansweredError: it is not back in time, or the session of the change has not ended there.
    """
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                with contextlib.suppress(*database.AWAY):
                    return await _ask(settings, receipt)
                await asyncio.sleep(AGAIN_S)
    except (TimeoutError, turn.BusyError) as late:
        raise UnansweredError(f"the database is not back after {WAIT_S:g} s") from late


async def _ask(settings: Settings, receipt: Receipt) -> bool:
    connection = await database.connect(database.url_of(settings), application="pbxcore apply, asking again")
    try:
        await turn.take(connection, turn.DOOR)  # the session of the change held it: now that has ended
        found = await connection.fetchval(
            SQL["stored"], receipt.kind, receipt.id, receipt.revision, receipt.at, receipt.author
        )
    finally:
        connection.terminate()  # a goodbye to a server that does not answer has no limit
    return bool(found)
