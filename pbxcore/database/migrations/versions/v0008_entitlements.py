"""What contracts let tenants use, beside their documents."""

from pbxcore.database.script import run

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the script beside this file."""
    run(__file__)
