"""The tax class of rated legs."""

from pbxcore.database.script import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
