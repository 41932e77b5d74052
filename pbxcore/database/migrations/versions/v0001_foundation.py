"""Documents and numbers, the rated stream, the intake."""

from pbxcore.database.script import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
