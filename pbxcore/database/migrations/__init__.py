"""The schema's history, forward only; each step is a Python file for alembic and an SQL file for people."""
