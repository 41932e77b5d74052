"""What the rater has not taken in yet: legs that ended, but stand in the spool only.

Owns that look ahead. Refuses to store or move anything: the rater will come to the same lines.
"""

from collections.abc import Sequence
from pathlib import Path

from pbxcore.intake import memory
from pbxcore.intake.assemble import assemble
from pbxcore.intake.spool import Spool
from rating.leg import Leg
from rating.store import ledger
from rating.store.ledger import Connection

MOST_BATCHES = 50  # 100 MB, about 200,000 legs: a rater that is further behind must be mended first


async def unread(connection: Connection, folder: Path) -> Sequence[Leg]:
    """Return the legs that ended in the spool and are neither in the stream nor in quarantine.

    Waits a second where there is nothing to read, as the rater does.
    """
    spool = Spool(folder)
    try:
        left = await memory.load(connection, spool.name)
        spool.seek(left.position)
        legs: list[Leg] = []
        underway, last_us = left.open, left.last_us
        for _ in range(MOST_BATCHES):
            batch = await spool.read()
            assembly = assemble(batch.records, underway, last_us)
            underway, last_us = assembly.open, assembly.last_us
            legs += assembly.legs
            if batch.at_end:
                break
    finally:
        spool.close()
    known = await ledger.known(connection, [leg.key for leg in legs])
    return [leg for leg in legs if leg.key not in known]
