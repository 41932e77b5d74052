"""Connections with limits: nothing waits for ever, on either side.

A server that is gone is noticed by keep-alives; one that hangs, by `COMMAND_S`; a client of ours that hangs
in a transaction is cut off by the server, so that its row locks do not stop the others.
"""

from typing import TypeAlias

import asyncpg

from pbxcore.machine import postgres
from pbxcore.settings import Settings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_S = 5
COMMAND_S = 30  # the slowest statement of ours, a batch of some thousand legs, takes under a second
POOL_SIZE = 8  # the private server allows 60 in all

# Of another version of this program: what a statement names is not there.
UNLIKE: tuple[type[Exception], ...] = (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError)
# Ours, and not a mistake in a statement: the server is away, starting, stopping, full or cut us off.
AWAY: tuple[type[Exception], ...] = (
    OSError,  # TimeoutError included
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.TransactionRollbackError,
    asyncpg.PostgresSystemError,
)


def why_away(away: BaseException) -> str:
    """Say why a database does not answer; what the system says where there is none tells nobody anything."""
    if isinstance(away, FileNotFoundError):  # the private one's socket
        return "it does not run"
    if isinstance(away, ConnectionRefusedError):
        return "nobody listens there"
    return str(away) or type(away).__name__


_SERVER_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    # A client whose machine lost power is gone after 25 s, and its lock with it.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


def url_of(settings: Settings) -> str:
    """Return the URL of the database of this machine: the one that is named, else the private one."""
    return settings.database or postgres.url(
        postgres.Server(data=settings.state / "postgres", sockets=settings.run_dir)
    )


async def connect(url: str, *, application: str) -> Connection:
    """Open one connection.

    Raises:
        AWAY: the server cannot be reached now.
    """
    return await asyncpg.connect(
        url,
        timeout=CONNECT_S,
        command_timeout=COMMAND_S,
        server_settings={**_SERVER_SETTINGS, "application_name": application},
    )


def pool(url: str, *, application: str) -> "asyncpg.Pool[asyncpg.Record]":
    """Return a pool to be opened with `async with`; connections are made when they are first needed."""
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=POOL_SIZE,
        timeout=CONNECT_S,
        command_timeout=COMMAND_S,
        server_settings={**_SERVER_SETTINGS, "application_name": application},
    )
