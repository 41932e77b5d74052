"""What is left of extensions, groups and time rules that are gone: switches, to be cleared with them.

Owns the note of the tenants for which that is still to be done, `<state>/published/leavings.json`: it is
there before their plans are in force and goes when it is done, after who decides has taken those plans. So
neither a crash in between nor a file of switches that cannot be read lets whoever gets the number next
inherit a forward. Refuses to say what is left of whom (`pbxcore.switches`), and to hold a change up.
"""

import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dialplan.finding import DialplanError
from dialplan.plan import Plan
from pbxcore import switches
from pbxcore.published import UnpublishedError, read, read_index
from pbxcore.settings import Settings

NOT_NOW: tuple[type[Exception], ...] = (OSError, sqlite3.Error, UnpublishedError, DialplanError)

log = logging.getLogger(__name__)


def of(settings: Settings, plans: Sequence[Plan]) -> frozenset[str]:
    """Name tenants whose switches have to be cleared once these plans are in force; nearly always none."""
    try:
        left = switches.left(settings.switches_db, plans, datetime.now(UTC))
    except (OSError, sqlite3.Error):  # nobody knows, so it is to be done for all of them
        return _noted(settings) | {plan.tenant for plan in plans}
    return _noted(settings) | {one.tenant for one in left}


def is_owed(settings: Settings) -> bool:
    """Tell whether something is to be cleared."""
    return file_of(settings).exists()


def clear(settings: Settings) -> None:
    """Clear what is left, by the plans in force.

    Raises:
        NOT_NOW: it is to be done again.
    """
    if not is_owed(settings):
        return
    there = read_index(settings.published).revisions
    plans = [read(settings.published, one, there[one]) for one in sorted(_noted(settings)) if one in there]
    switches.forget(settings.switches_db, plans, datetime.now(UTC))
    file_of(settings).unlink()


@contextlib.contextmanager
def later() -> Iterator[None]:
    """Say why clearing what is left has to wait, and go on (`pbxcore.completion` comes back to it)."""
    try:
        yield
    except NOT_NOW as error:
        log.warning("what is switched of what is gone is cleared later: %s", error)


def file_of(settings: Settings) -> Path:
    """Name the file of the note."""
    return settings.published / "leavings.json"


def _noted(settings: Settings) -> frozenset[str]:
    try:
        return frozenset(map(str, json.loads(file_of(settings).read_text(encoding="utf-8"))))
    except (OSError, ValueError):  # nothing is owed, or the note is none: no reason to hold a change up
        return frozenset()
