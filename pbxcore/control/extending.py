"""Lets calls on credit go on: asks the rater which may, and moves their ends in Asterisk.

Owns when. Refuses to know money, and to repeat: an end that could not be moved is tried again with the next
round, from what the rater says then. If that never succeeds the call ends early, billed for what it was.
"""

import asyncio
import logging
import time
from collections.abc import Mapping

from pbxcore.control.ami import AmiError, Link
from pbxcore.control.credit import CreditLine
from pbxcore.control.ends import Ends

EVERY_S = 10.0  # the rater extends a call in its last minute, so there are some rounds to do it in
ANSWER_S = 2.0  # for all calls together
MOST_AT_ONCE = 50  # actions under way; far below the link's own limit

log = logging.getLogger(__name__)


async def extending(line: CreditLine, link: Link, ends: Ends) -> None:
    """Move ends until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        ends.moved = await extend(line, link, ends.moved)


async def extend(line: CreditLine, link: Link, moved: Mapping[str, int]) -> Mapping[str, int]:
    """Move the ends that are new; return all that stand in Asterisk now, in microseconds by channel."""
    answer = await line.ask({"do": "extend"}, deadline_s=ANSWER_S)
    if answer is None:
        return moved
    ends = {str(call["channel"]): int(call["ends_us"]) for call in answer.get("calls", ())}
    new = [(channel, ends_us) for channel, ends_us in ends.items() if moved.get(channel) != ends_us]
    done = {channel: ends_us for channel, ends_us in ends.items() if moved.get(channel) == ends_us}
    for first in range(0, len(new), MOST_AT_ONCE):
        batch = new[first : first + MOST_AT_ONCE]
        results = await asyncio.gather(*(_move(link, channel, ends_us) for channel, ends_us in batch))
        done.update(one for one, there in zip(batch, results, strict=True) if there)
    return done


async def _move(link: Link, channel: str, ends_us: int) -> bool:
    """Move one end; False if Asterisk did not say that it has."""
    left_ms = (ends_us - time.time_ns() // 1_000) // 1_000
    if left_ms <= 0:
        return False
    seconds = f"{left_ms // 1_000}.{left_ms % 1_000:03}"
    try:
        answer = await link.action("AbsoluteTimeout", {"Channel": channel, "Timeout": seconds})
    except AmiError as error:
        log.warning("the end of %s is not moved: %s", channel, error)
        return False
    if not answer.success:  # most often it has ended
        log.info("the end of %s is not moved: %s", channel, answer)
    return bool(answer.success)
