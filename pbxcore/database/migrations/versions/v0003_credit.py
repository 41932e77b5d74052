"""Prepaid: balances, their entries, and what calls have set aside."""

from pbxcore.database.script import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
