"""Batches that are committed while the next one is rated: as one after the other, whatever comes between."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import pytest

from pbxcore.aside import aside
from pbxcore.database import Connection
from pbxcore.intake.assemble import NOTHING_OPEN, assemble
from pbxcore.intake.lines import read as read_records
from pbxcore.practice.records import World, records
from pbxcore.rater import writer as rater_writer
from pbxcore.rater.ahead import Ahead
from pbxcore.rater.book import load_book
from pbxcore.rater.pricing import FEW
from pbxcore.rater.writer import Plan, Writer
from rating.book import Book
from rating.columns import Index
from rating.leg import Leg
from rating.periods import from_iso
from rating.rate import rate
from rating.rated import Quarantine, Quarantined, RatedLeg
from rating.store import ledger, quarantine, stream, thresholds
from rating.store.quarantine import Correction
from tests.integration.ended_legs import DESTINATIONS, a_connection, ended, put, shipped

# Three days around the end of a month: both pools of Acme are emptied in either month.
WORLD = World(first_us=from_iso("2026-02-27T11:00:00+00:00"), every_us=432_000_000)
LEGS = assemble(read_records("".join(records(600, WORLD)), 0)[0], NOTHING_OPEN).legs
CLOSE = "UPDATE stream SET rerating = rerating + 1"  # as who closes a month or rates legs again
Between = Callable[[], Awaitable[object]]


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """Give a connection to a database that knows the example tenant as it is shipped."""
    async with a_connection(database, shipped) as connection:
        yield connection


async def take_in(writer: Writer, legs: Sequence[Leg]) -> None:
    """Let legs end, and store them."""
    await all_ahead(writer, [legs])


async def nothing() -> None:
    """Happen between plan and commit: nothing."""


async def all_ahead(
    writer: Writer, batches: Iterable[Sequence[Leg]], between: Between = nothing
) -> list[bool]:
    """Let batches of legs end, each rated while the one before is committed; tell which were foreseen.

    Args:
        writer: of the rater.
        batches: of legs.
        between: happens between plan and commit of each.
    """
    foreseen = []
    async with asyncio.TaskGroup() as tasks:
        ahead = Ahead(writer, tasks)
        for batch in batches:
            plan = await aside(writer.plan_of, ended(batch))
            foreseen.append(plan.foreseen is not None)
            await ahead.rest()
            await between()
            await ahead.go(plan, writer.commit(plan), at_end=False)
    return foreseen


async def while_under_way(writer: Writer, first: Plan, then: Sequence[Leg]) -> Plan:
    """Plan legs in the midst of the commit of a plan that is expected; return their plan."""
    assert writer.expect(first)
    committing = asyncio.create_task(writer.commit(first))
    plan = await aside(writer.plan_of, ended(then))
    await committing
    return plan


async def rated_legs(connection: Connection) -> list[RatedLeg]:
    """Return the stream, and make sure that its positions have no gaps."""
    entries = await stream.rated_since(connection, 0, 10_000)
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    return [entry.leg for entry in entries]


async def is_as(connection: Connection, legs: Sequence[Leg], book: Book) -> None:
    """Make sure that stream, balances and thresholds are those of a plain run."""
    plain = rate(legs, book, {})
    assert await rated_legs(connection) == list(plain.rated)
    assert await ledger.used(connection, ["acme"]) == plain.used
    told = [(one.pool, one.percent) for one in await thresholds.since(connection, 0)]
    full = {pool for (_, pool), used_s in plain.used.items() if used_s >= book.granted_s(("acme", pool))}
    assert len(told) == len(set(told))
    assert {pool for pool, percent in told if percent == 100} == full


async def test_the_next_batch_is_planned_when_the_rows_are_on_their_way(
    connection: Connection, writer: Writer
) -> None:
    """Not before the questions of a commit are answered, nor after its end; one of nothing holds nobody."""
    async with asyncio.TaskGroup() as tasks:
        ahead = Ahead(writer, tasks)
        for batch, under_way in ((LEGS[:50], False), (LEGS[50:90], True), ((), False)):
            plan = await aside(writer.plan_of, ended(batch))
            await ahead.rest()
            async with asyncio.timeout(60):
                await ahead.go(plan, writer.commit(plan), at_end=False)
            assert writer.connection.is_in_transaction() is under_way
    assert await rated_legs(connection) == list(rate(LEGS[:90], writer.index.book, {}).rated)


@pytest.mark.parametrize("size", [7, FEW + 50], ids=["few", "columns"])
async def test_ahead_is_as_one_after_the_other(connection: Connection, writer: Writer, size: int) -> None:
    """Batches in either kernel, over the end of a month and of both pools: as a plain run of all legs."""
    batches = [LEGS[first : first + size] for first in range(0, len(LEGS), size)]
    foreseen = await all_ahead(writer, batches)
    assert foreseen == [False, *[True] * (len(batches) - 1)], "only an account that is new must be asked for"
    await is_as(connection, LEGS, writer.index.book)


async def test_legs_that_come_again_draw_nothing_ahead(connection: Connection, writer: Writer) -> None:
    """What a batch turns out to know draws no second time, and the batch behind it is not rated by that."""
    await take_in(writer, LEGS[:50])
    twice = [replace(leg) for leg in LEGS[50:55]]  # read twice, made twice
    again = await aside(writer.plan_of, ended([*LEGS[:60], *twice]))
    behind = await while_under_way(writer, again, LEGS[60:120])
    assert behind.foreseen is not None
    assert not writer.expect(behind), "it rests on draws that never were"
    await writer.commit(behind)
    await take_in(writer, LEGS[120:])
    await is_as(connection, LEGS, writer.index.book)


async def test_legs_rated_again_meanwhile_are_seen(connection: Connection, writer: Writer) -> None:
    """Somebody who closes changes balances between plan and commit: both plans are rated by what is true."""
    await take_in(writer, LEGS[:50])
    first = await aside(writer.plan_of, ended(LEGS[50:60]))
    await connection.execute("UPDATE pool_used SET used_s = used_s + 60")
    await connection.execute(CLOSE)
    behind = await while_under_way(writer, first, LEGS[60:70])
    writer.expect(behind)
    await writer.commit(behind)
    plain = rate(LEGS[:50], writer.index.book, {})
    moved = {pool: used_s + 60 for pool, used_s in plain.used.items()}
    rest = rate(LEGS[50:70], writer.index.book, moved)
    assert await rated_legs(connection) == [*plain.rated, *rest.rated]
    assert await ledger.used(connection, ["acme"]) == {**moved, **rest.used}


async def test_what_others_change_is_known_to_the_batch_behind(
    connection: Connection, writer: Writer
) -> None:
    """A commit that finds everything to be read anew hands its draws on to what is planned beside it."""
    await take_in(writer, LEGS[:50])
    happens = iter([CLOSE, "SELECT"])
    await all_ahead(writer, [LEGS[50:60], LEGS[60:120]], lambda: connection.execute(next(happens)))
    await is_as(connection, LEGS[:120], writer.index.book)


async def test_a_leg_that_came_before_is_known_to_the_batch_behind(
    connection: Connection, writer: Writer
) -> None:
    """A commit that leaves out what it knows already hands the draws of the others on."""
    await take_in(writer, LEGS[:50])
    await all_ahead(writer, [LEGS[49:60], LEGS[60:120]])
    await is_as(connection, LEGS[:120], writer.index.book)


async def test_balances_forgotten_for_their_number_are_read_with_what_is_under_way(
    connection: Connection, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that forgets balances because they are too many hands its draws on all the same."""
    await take_in(writer, LEGS[:50])
    monkeypatch.setattr(rater_writer, "MOST_BALANCES", 0)
    await all_ahead(writer, [LEGS[50:60], LEGS[60:120], LEGS[120:200]])
    await is_as(connection, LEGS[:200], writer.index.book)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_between_prices_are_those_of_a_plain_run(
    connection: Connection, writer: Writer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Batches of any size that overlap, closings, balances forgotten, in any order: all draw, each once."""
    rng = random.Random(seed)

    def batches() -> Iterator[Sequence[Leg]]:
        first = 0
        while first < len(LEGS):
            behind = first + rng.choice([1, 7, 40, FEW + 50])
            yield LEGS[max(0, first - rng.choice([0, 0, 3])) : behind]
            first = behind

    async def between() -> None:
        monkeypatch.setattr(rater_writer, "MOST_BALANCES", rng.choice([0, 500_000, 500_000]))
        if rng.random() < 1 / 3:
            await connection.execute(CLOSE)

    foreseen = await all_ahead(writer, batches(), between)
    assert set(foreseen) == {False, True}
    await is_as(connection, LEGS, writer.index.book)


async def test_a_new_book_counts_for_what_was_planned(connection: Connection, writer: Writer) -> None:
    """A price list that comes into force between plan and commit is the one that holds."""
    await take_in(writer, LEGS[:50])
    plan = await aside(writer.plan_of, ended(LEGS[50:]))
    account = shipped("accounts/acme.yaml")
    await put(connection, "account", "acme", {**account, "bundles": []})
    before = writer.index.book
    writer.index = Index(await load_book(connection, DESTINATIONS))
    assert not writer.expect(plan)
    await writer.commit(plan)
    first = rate(LEGS[:50], before, {})
    rest = rate(LEGS[50:], writer.index.book, first.used)
    assert await rated_legs(connection) == [*first.rated, *rest.rated]
    assert any(piece.pool for leg in first.rated for piece in leg.pieces)
    assert not any(piece.pool for leg in rest.rated for piece in leg.pieces)


async def test_a_leg_that_is_released_meanwhile_draws_first(connection: Connection, writer: Writer) -> None:
    """What is released between plan and commit draws before the plan, which is rated anew."""
    released = LEGS[50]
    why = Quarantined(key=released.key, reason=Quarantine.INDETERMINATE, detail="")
    await ledger.write_quarantined(connection, [why], {released.key: released})
    await take_in(writer, LEGS[:50])
    plan = await aside(writer.plan_of, ended(LEGS[51:]))
    await quarantine.release(connection, released.key, by="test", correction=Correction())
    await writer.release()
    assert not writer.expect(plan)
    await writer.commit(plan)
    await is_as(connection, LEGS, writer.index.book)


async def test_a_commit_that_fails_ends_the_session(connection: Connection, writer: Writer) -> None:
    """Nobody goes on behind a batch that was not stored: its turn is over, nothing of either is there."""
    await take_in(writer, LEGS[:50])
    await connection.execute("UPDATE stream SET epoch = epoch + 1")
    with pytest.raises(ExceptionGroup) as failed:
        await all_ahead(writer, [LEGS[50:60], LEGS[60:70], LEGS[70:80]])
    assert failed.group_contains(ledger.TurnLostError)
    assert len(await rated_legs(connection)) == 50
