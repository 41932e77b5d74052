"""Whether somebody answers on this machine what calls on credit may cost: control asks the rater.

Owns the question, and how long a start waits for the answer. Refuses to mend anything.
"""

import asyncio
import time

from pbxcore import publication, published
from pbxcore.settings import Settings

ASK_LIMIT_S = 2.0
START_LIMIT_S = 60.0  # a rater reads what accounts with limits have spent before it answers
AGAIN_S = 0.1


def is_wanted(settings: Settings) -> bool:
    """Tell whether any tenant in force calls on credit, or within spend limits."""
    try:
        index = published.read_index(settings.published)
    except published.UnpublishedError:
        return False
    return bool(index.prepaid or index.limited)


async def until_up(settings: Settings, limit_s: float = START_LIMIT_S) -> bool:
    """Wait until control can ask the rater; tell whether it can, at the latest after the limit.

    It may be another machine's turn to rate: then nobody answers here, and other calls go on.
    """
    deadline = time.monotonic() + limit_s
    while not await is_up(settings):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(AGAIN_S)
    return True


async def is_up(settings: Settings) -> bool:
    """Ask control whether it can ask the rater."""
    try:
        said = await publication.ask(
            settings.run_dir / "control.sock", {"do": "status"}, timeout_s=ASK_LIMIT_S
        )
    except (OSError, ValueError):  # TimeoutError is an OSError
        return False
    return said.get("credit") == "up"
