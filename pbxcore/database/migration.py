"""Bring a database to the schema of this version. Forward only, all steps in one transaction.

Every process of ours connects to the database and only a start migrates it: alembic and SQLAlchemy, a quarter
of what a process imports, come when they are needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pbxcore.database.connection import connect

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MIGRATIONS = Path(__file__).parent / "migrations"


class NewerSchemaError(Exception):
    """A database that a later version has brought further than this one knows.

    Attributes:
        remedy: what to do about it.
    """

    remedy = "start the version that used it last, or restore a backup from before"


async def migrate(url: str) -> None:
    """Run every migration that this database has not seen. Processes that do it at once take turns.

    Within a process one at a time: alembic keeps its context in a global.

    Raises:
        AWAY: the server cannot be reached now.
        NewerSchemaError: it is ahead of us; nothing is done to it.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 — as above
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 — as above

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(url, application="pbxcore migrate"),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: "Connection") -> None:
    from alembic import command  # noqa: PLC0415 — as above
    from alembic.config import Config  # noqa: PLC0415 — as above
    from alembic.util import CommandError  # noqa: PLC0415 — as above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as unknown:
        raise NewerSchemaError(f"the database was used by a newer pbxcore: {unknown}") from unknown
