"""Months that are closed, and corrections of rated legs."""

from pbxcore.database.script import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
