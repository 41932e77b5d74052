"""Legs of one reason that are released together: each comes to its turn, and nobody's word is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from pbxcore.database import Connection
from pbxcore.rater.writer import Writer
from rating.leg import Leg
from rating.rated import Quarantine, Quarantined
from rating.store import ledger, quarantine
from rating.store.quarantine import Correction
from tests.integration.ended_legs import LEGS, entries_of

UNKNOWN = Quarantine.UNKNOWN_ACCOUNT
PATIENT_S = 60


async def lay(connection: Connection, legs: Sequence[Leg]) -> None:
    """Put legs in quarantine because nobody knew who pays."""
    why = [Quarantined(key=leg.key, reason=UNKNOWN, detail="") for leg in legs]
    await ledger.write_quarantined(connection, why, {leg.key: leg for leg in legs})


async def rated_keys(connection: Connection) -> set[str]:
    """Return the keys of all that is rated."""
    return {entry.leg.key for entry in await entries_of(connection)}


async def test_what_lies_behind_legs_that_fail_again_is_reached(
    connection: Connection, writer: Writer
) -> None:
    """The oldest stay without a payer; the next request takes what lies behind, a later one them again."""
    await lay(connection, [replace(leg, payer="nobody/1") for leg in LEGS[:5]])
    await lay(connection, LEGS[5:10])
    rated = []
    for _ in range(3):
        assert await quarantine.release_all(connection, UNKNOWN, by="test", limit=5) == 5
        await writer.release()
        rated.append(await rated_keys(connection))
    behind = {leg.key for leg in LEGS[5:10]}
    assert rated == [set(), behind, behind]
    failed = await connection.fetchval("SELECT count(tried_at) FROM quarantined_leg WHERE settled_at IS NULL")
    assert failed == 5


async def test_a_correction_that_waits_for_the_rater_stays(connection: Connection, writer: Writer) -> None:
    """Somebody named who pays, the rater is away, somebody else releases all of that reason."""
    leg = replace(LEGS[0], payer="nobody/1")
    await lay(connection, [leg])
    await quarantine.release(connection, leg.key, by="anna", correction=Correction(payer="acme/10"))
    assert await quarantine.release_all(connection, UNKNOWN, by="bruno", limit=10) == 0
    await writer.release()
    assert [entry.leg.payer for entry in await entries_of(connection)] == ["acme/10"]


async def test_what_is_rated_meanwhile_is_not_counted(connection: Connection, writer: Writer) -> None:
    """A request that waits for the writer's transaction releases nothing that it settled."""
    await lay(connection, LEGS[:5])
    own, pid = writer.connection, connection.get_server_pid()
    async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as tasks, own.transaction():
        await ledger.settle(own, [leg.key for leg in LEGS[:5]])
        asked = tasks.create_task(quarantine.release_all(connection, UNKNOWN, by="test", limit=10))
        while not await own.fetchval("SELECT pg_backend_pid() = ANY (pg_blocking_pids($1))", pid):
            pass  # it is not there yet
    assert asked.result() == 0
    assert not await own.fetchval("SELECT count(release_at) FROM quarantined_leg")
