"""The process: reach the database, get the turn, write; whatever happens, begin again.

Owns waiting and its limits. PostgreSQL may be away as long as it likes: records wait in the spool. Another
rater may have the turn: this one stands by and takes over within `TURN_S` of its end. A mistake in the
program ends the process; its supervisor and the log show it.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvloop

from pbxcore import metrics
from pbxcore.aside import aside, switch_soon
from pbxcore.database import AWAY, connect, url_of
from pbxcore.intake import memory
from pbxcore.intake.source import Batch, LegSource
from pbxcore.intake.spool import Spool
from pbxcore.machine.collector import settle
from pbxcore.machine.running import settings_of_running
from pbxcore.rater import book, credit_line, opening
from pbxcore.rater.ahead import Ahead
from pbxcore.rater.desk import MARGIN_S, Desk
from pbxcore.rater.writer import Plan, Writer
from pbxcore.settings import Settings
from rating.columns import Index, Numbers
from rating.destinations import Destinations
from rating.destinations.load import load as load_destinations
from rating.periods import SECOND_US
from rating.store import credit, ledger, quarantine
from rating.store.ledger import Connection, Turn, TurnLostError

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = (
    2.0  # between attempts to reach the database; after an outage all raters come back in this time
)
TURN_S = 0.5  # between looks whether the turn is free
RINGING_S = 3_600  # a leg's age counts from its last record, which may be its start

_LOST: tuple[type[Exception], ...] = (*AWAY, TurnLostError)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Notes:
    """What the database told us to look at.

    Attributes:
        book: documents by which legs are priced.
        tenants: those that changed; no more than there are.
    """

    book: bool = True
    tenants: set[str] = field(default_factory=set)
    releases: bool = True
    payments: bool = True

    def new_revision(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        kind, name, _ = str(payload).split(" ")
        if kind == "tenant":
            self.tenants.add(name)
        else:
            self.book = True

    def new_release(self, *_: object) -> None:
        self.releases = True

    def new_payment(self, *_: object) -> None:
        self.payments = True


async def serve(settings: Settings) -> None:
    """Rate until cancelled."""
    metrics.start(settings, "rater")
    switch_soon()
    destinations = load_destinations(settings.config / "destinations")
    spool = Spool(settings.spool)
    wait_s = FIRST_WAIT_S
    try:
        while True:
            began = time.monotonic()
            try:
                await _session(settings, spool, destinations)
            except* _LOST as lost:
                metrics.database_losses().inc()
                _log.warning("the database is away (%s)", "; ".join(map(repr, lost.exceptions)))
            finally:
                metrics.writing().set(0)
            held = time.monotonic() - began > LONGEST_WAIT_S
            wait_s = FIRST_WAIT_S if held else min(wait_s * 2, LONGEST_WAIT_S)
            await asyncio.sleep(wait_s)
    finally:
        spool.close()


async def _session(settings: Settings, source: LegSource, destinations: Destinations) -> None:
    """Write as long as the connection and the turn last."""
    name = f"pbxcore rater {os.getpid()}"
    connection = await connect(url_of(settings), application=name)
    try:
        notes = _Notes()
        await connection.add_listener(book.CHANNEL, notes.new_revision)
        await connection.add_listener(quarantine.CHANNEL, notes.new_release)
        await connection.add_listener(credit.CHANNEL, notes.new_payment)
        turn = await _turn(connection)
        held = await ledger.hold(connection, turn)  # before the rest: what changes later has another count
        left = await memory.load(connection, source.name)
        source.seek(left.position)
        writer = Writer(
            connection=connection,
            turn=turn,
            source=source.name,
            index=await _index(connection, destinations),
            memory=left,
            rerating=held.rerating,
        )
        url = url_of(settings)
        async with _connected(url, f"{name} credit") as beside, _connected(url, f"{name} sums") as reading:
            desk = await _desk(settings, (beside, reading), writer)
            metrics.writing().set(1)
            _log.info("writing as epoch %s from %s", turn.epoch, left.position)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(desk.run(), name="desk")
                tasks.create_task(desk.read(), name="sums")
                tasks.create_task(_write(settings, source, Ahead(writer, tasks), desk, notes), name="writer")
    finally:
        connection.terminate()  # a server that does not answer must not hold us


@contextlib.asynccontextmanager
async def _connected(url: str, application: str) -> AsyncIterator[Connection]:
    """Give a connection for a while."""
    connection = await connect(url, application=application)
    try:
        yield connection
    finally:
        connection.terminate()


async def _desk(settings: Settings, connections: tuple[Connection, Connection], writer: Writer) -> Desk:
    """Read what every account has left and has spent, when nobody else sets anything aside any more."""
    connection, reading = connections
    await credit.begin(connection, writer.turn)
    purses = writer.purses
    for account, balance_micro in (await credit.balances(connection)).items():
        purses.of(account).balance_micro = balance_micro
    for reservation in await credit.reservations(connection):
        purses.hold(reservation, writer.index.book)
    purses.bound |= {name for name in await credit.bound(connection) if purses.find(name)}
    await opening.read_all(connection, purses, writer.index.book)
    return Desk(
        connection=connection,
        reading=reading,
        turn=writer.turn,
        book=writer.index.book,
        purses=purses,
        longest_s=settings.max_call_s,
        slice_s=settings.credit_slice_s,
        patience_s=settings.credit_deadline_ms / 1_000,
    )


async def _write(settings: Settings, source: LegSource, ahead: Ahead, desk: Desk, notes: _Notes) -> None:
    """Write what comes, and answer who asks for credit, until something is lost.

    While there is more to read, a batch is committed beside the reading and rating of the next one.
    """
    path, writer = credit_line.path_of(settings.run_dir), ahead.writer
    async with credit_line.listen(path, desk, lambda: _extend(writer, desk)):
        while True:
            batch = await source.read()
            plan = await aside(writer.plan, batch)
            await ahead.rest()
            await _see_to(notes, writer, desk)
            step = _step(settings, source, writer, batch, plan)
            await ahead.go(plan, step, at_end=batch.at_end)


async def _extend(writer: Writer, desk: Desk) -> list[dict[str, Any]]:
    """Let calls go on whose time is nearly over; return all that go on longer than their records say."""
    now_us = time.time_ns() // 1_000
    running = [
        (leg, leg.answered_us, leg.facts)
        for leg in writer.memory.open.values()
        if leg.answered_us is not None and leg.facts is not None and leg.facts.credit
    ]
    await desk.extend(
        (facts.credit, answered_us)
        for _, answered_us, facts in running
        if (held := writer.purses.find(facts.credit))
        and answered_us + (held.grant.limit_s - MARGIN_S) * SECOND_US < now_us
    )
    return [
        {"channel": leg.key, "ends_us": answered_us + held.grant.limit_s * SECOND_US}
        for leg, answered_us, facts in running
        if (held := writer.purses.find(facts.credit)) and held.grant.limit_s > facts.limit_s
    ]


async def _turn(connection: Connection) -> Turn:
    """Wait for the turn, as long as another rater has it."""
    while (turn := await ledger.take_turn(connection)) is None:
        metrics.heartbeat().labels(process="rater").set_to_current_time()
        await asyncio.sleep(TURN_S)
    return turn


async def _see_to(notes: _Notes, writer: Writer, desk: Desk) -> None:
    if notes.tenants:  # all accounts are not read again for each changed call flow
        tenants, notes.tenants = notes.tenants, set()
        notes.book |= await book.pays_otherwise(writer.connection, writer.index.book, tenants)
    if notes.book:
        notes.book = False
        last = writer.index
        writer.index = await _index(writer.connection, last.book.destinations, last.numbers)
        writer.purses.turn_to(writer.index.book, desk.book)
        desk.book = writer.index.book
    if notes.releases:
        notes.releases = False
        await writer.release()
    if notes.payments:
        notes.payments = False
        await writer.book()


async def _index(connection: Connection, destinations: Destinations, numbers: Numbers | None = None) -> Index:
    """Read the book in force. What is known about numbers belongs to the destinations, and stays."""
    index = Index(await book.load_book(connection, destinations), numbers)
    settle()
    return index


async def _step(settings: Settings, source: LegSource, writer: Writer, batch: Batch, plan: Plan) -> None:
    legs = await writer.commit(plan)
    metrics.spool_lines().inc(len(batch.records))
    if batch.position:
        await aside(source.done, batch.position)  # it may be read meanwhile
    if batch.at_end and legs:
        metrics.rating_delay_seconds().observe(max(0.0, time.time() - legs[-1].ended_us / 1_000_000))
    if batch.at_end:
        await writer.give_back_overdue()
    if batch.at_end and not batch.records:
        await _idle(settings, writer)


async def _idle(settings: Settings, writer: Writer) -> None:
    if writer.connection.is_closed():
        raise ConnectionResetError("the server closed the connection")
    await writer.expire((settings.max_call_s + RINGING_S) * 1_000_000)
    metrics.heartbeat().labels(process="rater").set_to_current_time()
    if settings.spool.is_dir():
        metrics.spool_free_bytes().set(shutil.disk_usage(settings.spool).free)


def main() -> None:
    """Run the rater alone, with the settings of this machine."""
    uvloop.run(serve(settings_of_running()))
