"""Alembic's entry: run what is missing, in one transaction, on the connection that `migrate` brings."""

from alembic import context
from sqlalchemy import Connection, text

# Any fixed number: two processes that migrate at once take turns.
_TURN = 0x70627863

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN})"))
    context.run_migrations()
