"""Whether amounts of rated legs contain VAT."""

from pbxcore.database.script import run

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
