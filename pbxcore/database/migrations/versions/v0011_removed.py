"""Tenants that are out of force."""

from pbxcore.database.script import run

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
