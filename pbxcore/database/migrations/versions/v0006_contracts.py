"""Contracts: a log of dated facts each, and the quotes that can be ordered."""

from pbxcore.database.script import run

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
