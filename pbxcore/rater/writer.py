"""The writer: what a rater does while it has the turn. Each batch is one transaction, or nothing.

Owns what must be committed together (rated legs, balances, quarantine, open legs, position) and the memory of
it. Refuses to go on after a failure: whether a commit that was not answered has happened, only the database
knows. So whoever uses a writer throws it away with its connection, and the next one reads what is true.

Balances and closed months are read when an account is first met, and again when somebody has rated legs again
or closed a month: nobody else changes them. Nothing here grows with the number of legs.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pbxcore import metrics
from pbxcore.intake import memory
from pbxcore.intake.assemble import Assembly, assemble, expire
from pbxcore.intake.memory import Memory
from pbxcore.intake.record import BadLine
from pbxcore.intake.source import Batch, Position
from pbxcore.rater import opening
from pbxcore.rater.desk import MARGIN_S
from pbxcore.rater.prepaid import granted, is_bounded, pay, set_free, with_paid
from pbxcore.rater.pricing import Priced, price
from pbxcore.rater.purse import Purses
from rating.book import PoolKey
from rating.closing import Months
from rating.columns import Index
from rating.leg import Leg
from rating.periods import SECOND_US
from rating.store import credit, ledger, thresholds
from rating.store.credit import Entry
from rating.store.ledger import Connection, Turn
from rating.store.rows import KEY
from rating.thresholds import Reached, reached

MOST_BALANCES = 500_000  # about 100 MB; beyond that they are read again when needed
RELEASES = 500  # legs at once
LOOK_US = SECOND_US  # between looks at what is overdue: each goes through all calls under way
LONGEST_MEMORY_US = 31 * 86_400 * SECOND_US  # what limits count grows by the day


@dataclass(slots=True, kw_only=True)
class Writer:
    """The right to write, and what is known while it lasts.

    Attributes:
        source: name of the source whose records are written.
        index: the book in force, and what it answered so far.
        balances: seconds used of each pool of the accounts in `met`.
        first_open: of those accounts that have closed a month, the first that is not.
        rerating: the count under which these were read.
        purses: of accounts on credit or with limits; their pools stand there.
        told: thresholds of pools that are known to have been told.
        looked_us: when it was last looked for reservations that are overdue.
        forgot_us: when everything was last read anew.
    """

    connection: Connection
    turn: Turn
    source: str
    index: Index
    memory: Memory
    balances: dict[PoolKey, int] = field(default_factory=dict)
    first_open: dict[str, date] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    rerating: int = -1
    purses: Purses = field(default_factory=Purses)
    told: set[tuple[str, str, int]] = field(default_factory=set)
    looked_us: int = 0
    forgot_us: int = field(default_factory=lambda: time.time_ns() // 1_000)

    async def take_in(self, batch: Batch) -> Sequence[Leg]:
        """Store everything a batch says; return the legs that ended in it."""
        assembly = assemble(batch.records, self.memory.open, self.memory.last_us)
        await self._commit(assembly, batch.position, batch.file, (*batch.bad, *assembly.bad))
        metrics.spool_lines().inc(len(batch.records))
        return assembly.legs

    async def expire(self, longest_us: int) -> None:
        """End legs that are older than any call may be, when everything that is there has been read."""
        aged = expire(self.memory.open, time.time_ns() // 1_000, longest_us, self.memory.last_us)
        if aged.closed:
            await self._commit(aged, self.memory.position, "", ())

    async def give_back_overdue(self) -> None:
        """End reservations for answers that can no longer come, when all that is there has been read."""
        now_us = time.time_ns() // 1_000
        if now_us - self.looked_us < LOOK_US:
            return
        self.looked_us = now_us
        overdue = self.purses.overdue(now_us, MARGIN_S * SECOND_US)
        if overdue:
            await self._give_back(overdue, "overdue")

    async def book(self) -> None:
        """Book what was paid."""
        while await self._book_some():
            pass

    async def _book_some(self) -> bool:
        async with self.connection.transaction():
            await self._hold()
            entries = await credit.waiting(self.connection)
            booked = [self._booked(entry) for entry in entries]
            await credit.book(self.connection, booked)
        return bool(booked)

    def _booked(self, entry: Entry) -> Entry:
        purse = self.purses.of(entry.account)
        purse.balance_micro += entry.amount_micro
        return replace(entry, balance_micro=purse.balance_micro)

    async def _give_back(self, names: Sequence[str], why: str) -> None:
        """End reservations without a leg."""
        async with self.connection.transaction():
            await self._hold()
            await credit.release(self.connection, names)
        self._end(names, why)

    def _end(self, names: Iterable[str], why: str) -> None:
        for name in names:
            if self.purses.release(name):
                metrics.released_reservations().labels(why=why).inc()

    async def release(self) -> None:
        """Rate again what somebody released."""
        while await self._release_some():
            pass

    async def _release_some(self) -> bool:
        """Rate again `RELEASES` legs at most; False if none is left."""
        async with self.connection.transaction():
            last = await self._hold()
            legs = await ledger.released(self.connection, RELEASES)
            priced = await self._price(legs, last + 1)
            told = await self._write(priced, legs, last)
            await ledger.settle(self.connection, [str(row[KEY]) for row in priced.rows])
        self._remember(priced, told)
        return bool(legs)

    async def _commit(
        self, assembly: Assembly, position: Position | None, file: str, bad: Sequence[BadLine]
    ) -> None:
        if (
            not (assembly.legs or assembly.changed or assembly.closed or bad)
            and position == self.memory.position
        ):
            return
        with metrics.commit_seconds().time():
            async with self.connection.transaction():
                last = await self._hold()
                legs = await self._unknown(assembly.legs)
                priced = await self._price(legs, last + 1)
                told = await self._write(priced, legs, last)
                unanswered = self._unanswered(assembly)
                await credit.release(self.connection, unanswered)
                await memory.keep_bad_lines(self.connection, self.source, file, bad)
                await memory.save(self.connection, self.source, position, assembly)
        self.memory = Memory(position=position, open=assembly.open, last_us=assembly.last_us)
        self._remember(priced, told)
        self._end(unanswered, "unanswered")
        metrics.known_legs().inc(len(assembly.legs) - len(legs))
        metrics.open_legs().set(len(assembly.open))
        for line in bad:
            metrics.spool_bad_lines().labels(fault=line.fault.value).inc()

    async def _hold(self) -> int:
        """Begin to write; return the position of the newest row."""
        held = await ledger.hold(self.connection, self.turn)
        if held.rerating != self.rerating or time.time_ns() // 1_000 > self.forgot_us + LONGEST_MEMORY_US:
            self._forget()
            self.rerating = held.rerating
        return held.position

    def _forget(self) -> None:
        self.forgot_us = time.time_ns() // 1_000
        self.balances.clear()
        self.first_open.clear()
        self.met.clear()
        self.told.clear()
        self.purses.forget()

    async def _unknown(self, legs: Sequence[Leg]) -> Sequence[Leg]:
        """Leave out what has been rated or put aside before, so that it draws from no allowance again."""
        by_key = {leg.key: leg for leg in reversed(legs)}
        known = await ledger.known(self.connection, list(by_key))
        return [leg for leg in legs if leg.key not in known and by_key[leg.key] is leg]

    def _unanswered(self, assembly: Assembly) -> list[str]:
        """Find what channels that ended had set aside for answers that never came."""
        for leg in assembly.changed:
            if leg.answered_us is not None and leg.facts is not None and self.purses.find(leg.facts.credit):
                self.purses.bound.add(leg.facts.credit)
        return [name for call in assembly.left for name in self.purses.unanswered(call)]

    async def _price(self, legs: Sequence[Leg], position: int) -> Priced:
        """Price legs that nothing bounds, then those that credit or limits do."""
        book, payers = self.index.book, {leg.payer for leg in legs}
        accounts = {account.account: account for payer in payers if (account := book.account_of(payer))}
        if len(self.balances) > MOST_BALANCES:
            self._forget()
        if new := accounts.keys() - self.met:
            self.balances.update(await ledger.used(self.connection, new))
            self.first_open.update(await ledger.first_open(self.connection, new))
            self.met |= new
        months = Months(book, self.first_open)
        bounded = {name for name, account in accounts.items() if account.bounded}
        await opening.read(self.connection, self.purses, lambda: book, bounded)
        invoiced = [leg for leg in legs if not is_bounded(leg, book)] if bounded else legs
        invoiced = granted(invoiced, self.purses)
        priced = price(invoiced, self.index, self.balances, position, months)
        paid = pay((leg for leg in legs if is_bounded(leg, book)) if bounded else (), book, self.purses)
        paid.released += set_free(invoiced, priced, self.purses)
        return with_paid(priced, paid, position, months)

    async def _write(self, priced: Priced, legs: Iterable[Leg], last: int) -> Sequence[Reached]:
        """Write what came of legs; return the thresholds that were told."""
        told = self._reached(priced)
        await ledger.write_rated(self.connection, self.turn, last, priced.rows)
        await ledger.write_used(self.connection, priced.used)
        await thresholds.tell(self.connection, told, last + len(priced.rows))
        await credit.debit(self.connection, priced.entries)
        await credit.release(self.connection, priced.released)
        if priced.quarantined:
            by_key = {leg.key: leg for leg in legs}
            await ledger.write_quarantined(self.connection, priced.quarantined, by_key)
        return told

    def _reached(self, priced: Priced) -> list[Reached]:
        """Find thresholds that were reached, and may not have been told yet."""
        return [one for one in reached(self.index.book, priced.used) if one[:3] not in self.told]

    def _remember(self, priced: Priced, told: Iterable[Reached]) -> None:
        """Know what has been committed."""
        self.told.update(one[:3] for one in told)
        self.balances.update(priced.used)
        metrics.rated_legs().inc(len(priced.rows))
        metrics.released_reservations().labels(why="rated").inc(len(priced.released))
        for one in priced.quarantined:
            metrics.quarantined_legs().labels(reason=one.reason.value).inc()
