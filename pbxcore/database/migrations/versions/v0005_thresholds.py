"""Thresholds of allowances that were reached."""

from pbxcore.database.script import run

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
