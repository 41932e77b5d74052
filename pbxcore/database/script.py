"""Run the SQL file that stands beside a migration. Refuses anything that is not such a file."""

from pathlib import Path

from alembic import op


def run(migration: str) -> None:
    """Run `<migration>.sql`, all statements, in the transaction of the migration."""
    script = Path(migration).with_suffix(".sql").read_text()
    # asyncpg takes several statements at once only on its own interface, below SQLAlchemy's.
    op.get_bind().connection.dbapi_connection.run_async(  # type: ignore[union-attr]  # it is asyncpg's adapter
        lambda connection: connection.execute(script)
    )
