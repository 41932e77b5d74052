"""Catalogues in the order of their keys: of two options of a choice the later one is the higher."""

from typing import TYPE_CHECKING

from alembic import op

from pbxcore.database.script import run

if TYPE_CHECKING:
    import asyncpg

revision = "0009"
down_revision = "0008"

CATALOGUES = "SELECT id, revision, source FROM revision WHERE kind = 'catalogue' AND spelled IS NULL"
SPELL = "UPDATE revision SET spelled = $3 WHERE kind = 'catalogue' AND id = $1 AND revision = $2"


def upgrade() -> None:
    """Run the script beside this file, then read what is stored once more, as it was written."""
    run(__file__)
    op.get_bind().connection.dbapi_connection.run_async(spell)  # type: ignore[union-attr]  # asyncpg's adapter


async def spell(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Fill in what can be read; of anything else the order stays as it was."""
    from pbxcore import documents, door  # noqa: PLC0415 — the database is below both

    for row in await connection.fetch(CATALOGUES):
        read, _ = documents.read_texts([(row["id"], row["source"])])
        for one in read:
            await connection.execute(SPELL, row["id"], row["revision"], door.body(one))
