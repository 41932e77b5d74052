"""When legs of the quarantine were last rated again in vain."""

from pbxcore.database.script import run

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
