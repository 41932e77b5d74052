"""Allowances that roll over, as the close of their month keeps them."""

from pbxcore.database.script import run

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
