"""Instants as people write them on the command line.

Owns the reading of one, and its remedy. Whose clock is meant where no offset stands says the caller: a
tenant's, as in its document.
"""

from datetime import UTC, datetime, tzinfo

from pbxcore.cli.app import Exit, fail


def read_instant(text: str, zone: tzinfo | None = UTC) -> datetime:
    """Read an instant; without an offset it is what the clock of `zone` shows, with no zone it stays so."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as no_instant:
        message = f"{text!r} is no instant"
        raise fail(
            message, "write it like 2026-12-24T18:00 or 2026-12-24T18:00+01:00", Exit.USAGE
        ) from no_instant
    return found if found.tzinfo else found.replace(tzinfo=zone)
