"""Thresholds of allowances on a real PostgreSQL: told once, with the legs that reached them."""

from collections.abc import Sequence

import asyncpg
import pytest

from pbxcore.closing import Closing
from pbxcore.database import Connection
from pbxcore.rater.pricing import FEW
from pbxcore.rater.writer import Writer
from rating.store import ledger, thresholds
from rating.store.thresholds import Event
from rating.thresholds import reached
from tests.integration.ended_legs import (
    FEBRUARY,
    LEGS,
    NOW_US,
    entries_of,
    shuffled,
    take_in,
)


def pools_of(events: Sequence[Event]) -> list[tuple[str, str, int]]:
    """What was told, without when."""
    return sorted((one.account, one.pool, one.percent) for one in events)


async def test_the_leg_that_reaches_a_threshold_tells_it_once(connection: Connection, writer: Writer) -> None:
    """Leg by leg, by a writer that remembers nothing: each event stands with the leg that crossed it."""
    for leg in LEGS:
        writer.told.clear()
        await take_in(writer, [leg])
    events, entries = await thresholds.since(connection, 0), await entries_of(connection)
    used = await ledger.used(connection, ["acme"])
    assert pools_of(events) == sorted(one[:3] for one in reached(writer.index.book, used))
    assert {one.percent for one in events} == {80, 100}
    assert [one.position for one in events] == list(range(1, len(events) + 1))
    for one in events:
        pieces = [piece for piece in entries[one.rated_position - 1].leg.pieces if piece.pool == one.pool]
        edge = one.granted_s * (100 - one.percent)
        assert pieces[-1].after_s * 100 <= edge < pieces[0].before_s * 100
        assert one.used_s == one.granted_s - pieces[-1].after_s
    assert await thresholds.since(connection, 1, 1) == events[1:2]


async def test_a_batch_tells_what_its_legs_reach_together(connection: Connection, writer: Writer) -> None:
    """By columns, in one transaction, the same events; the same legs again tell none."""
    await take_in(writer, LEGS)
    events = await thresholds.since(connection, 0)
    used = await ledger.used(connection, ["acme"])
    assert len(LEGS) > FEW
    assert pools_of(events) == sorted(one[:3] for one in reached(writer.index.book, used))
    assert {one.rated_position for one in events} == {len(await entries_of(connection))}
    await take_in(writer, LEGS)
    assert await thresholds.since(connection, 0) == events


async def test_a_leg_and_its_threshold_are_written_together_or_not_at_all(
    connection: Connection, writer: Writer
) -> None:
    """Where the event cannot be written, the leg is not rated either."""
    await connection.execute("ALTER TABLE threshold_event RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await take_in(writer, LEGS)
    assert await entries_of(connection) == []
    assert await ledger.used(connection, ["acme"]) == {}


async def test_corrections_tell_no_threshold(connection: Connection, writer: Writer, closer: Closing) -> None:
    """Neither again nor for the first time; a leg that comes after them tells what was not told."""
    await take_in(writer, shuffled(LEGS[:-20]))
    before = await thresholds.since(connection, 0)
    found = await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    assert found.changed
    assert await thresholds.since(connection, 0) == before
    await take_in(writer, LEGS[-20:])
    after = await thresholds.since(connection, 0)
    assert after[: len(before)] == before
    assert len(pools_of(after)) == len(set(pools_of(after)))
