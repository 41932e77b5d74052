"""The writer: what a rater does while it has the turn. Each batch is one transaction, or nothing.

Owns what must be committed together (rated legs, balances, quarantine, open legs, position) and the memory of
it. Refuses to go on after a failure: whether a commit that was not answered has happened, only the database
knows. So whoever uses a writer throws it away with its connection, and the next one reads what is true.

Balances and closed months are read when an account is first met, and again when somebody has rated legs again
or closed a month: nobody else changes them. Nothing here grows with the number of legs.

The problem: half of a batch's time is Python's, half PostgreSQL's, one after the other. So a batch is worked
out (`plan`, in a thread: assembled, and rated by what the writer knows) while the one before is committed.
That holds if nothing else has happened meanwhile: what is known has an identity (`Known`), and another one
after whatever a plan could not foresee. Then the prices of the plan are dropped, and its legs are rated in
their transaction.
"""

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pbxcore import metrics
from pbxcore.aside import aside
from pbxcore.intake import memory
from pbxcore.intake.assemble import Assembly, assemble, expire
from pbxcore.intake.memory import Memory
from pbxcore.intake.record import BadLine
from pbxcore.intake.source import Batch, Position
from pbxcore.rater import opening
from pbxcore.rater.desk import MARGIN_S
from pbxcore.rater.prepaid import granted, is_bounded, pay, set_free, with_paid
from pbxcore.rater.pricing import Priced, price, rated_keys
from pbxcore.rater.purse import Purses
from rating.book import Account, Book, PoolKey
from rating.closing import Months
from rating.columns import Index
from rating.leg import Leg
from rating.periods import SECOND_US
from rating.store import credit, ledger, thresholds
from rating.store.credit import Entry
from rating.store.ledger import Connection, Turn
from rating.thresholds import Reached

MOST_BALANCES = 500_000  # about 100 MB; beyond that they are read again when needed
RELEASES = 500  # legs at once
LOOK_US = SECOND_US  # between looks at what is overdue: each goes through all calls under way
LONGEST_MEMORY_US = 31 * 86_400 * SECOND_US  # what limits count grows by the day


@dataclass(slots=True, kw_only=True)
class Known:
    """What is known of accounts. Another object, if only by its identity, after what nobody foresaw.

    Attributes:
        balances: seconds used of each pool of the accounts in `met`.
        first_open: of those accounts that have closed a month, the first that is not.
    """

    balances: dict[PoolKey, int] = field(default_factory=dict)
    first_open: dict[str, date] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """The prices of a batch, as far as they can be known before its turn.

    Attributes:
        known: by which they hold.
        index: and of which book.
        accounts: that pay for it.
        priced: what nothing bounds.
    """

    known: Known
    index: Index
    accounts: Mapping[str, Account]
    priced: Priced


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a batch comes to.

    Attributes:
        position: behind it; None if nothing was read.
        file: identity of the file of `bad`, lines that are no record or fit no channel.
        foreseen: None where only the database knows enough.
    """

    assembly: Assembly
    position: Position | None = None
    file: str = ""
    bad: Sequence[BadLine] = ()
    foreseen: Foreseen | None = None


@dataclass(slots=True, kw_only=True)
class Writer:
    """The right to write, and what is known while it lasts.

    Attributes:
        source: name of the source whose records are written.
        index: the book in force, and what it answered so far.
        memory: where the source was left by the last commit.
        planned: where it will be when all that is planned is committed.
        known: by which legs are rated, with what is expected to be drawn.
        rerating: the count under which that was read.
        purses: of accounts on credit or with limits; their pools stand there.
        told: thresholds of pools that are known to have been told.
        looked_us: when it was last looked for reservations that are overdue.
        forgot_us: when everything was last read anew.
        handed_over: whether PostgreSQL has the rows of the batch whose turn it is, or it is over; then
            little is left for Python to do.
    """

    connection: Connection
    turn: Turn
    source: str
    index: Index
    memory: Memory
    planned: Memory = field(init=False)
    known: Known = field(default_factory=Known)
    rerating: int = -1
    purses: Purses = field(default_factory=Purses)
    told: set[tuple[str, str, int]] = field(default_factory=set)
    looked_us: int = 0
    forgot_us: int = field(default_factory=lambda: time.time_ns() // 1_000)

    handed_over: asyncio.Event = field(default_factory=asyncio.Event)

    _expected: Foreseen | None = None  # of the batch whose turn it is
    _rating: threading.Lock = field(default_factory=threading.Lock)  # an index answers one at a time

    def __post_init__(self) -> None:
        """Begin where the memory ends."""
        self.planned = self.memory

    def plan(self, batch: Batch) -> Plan:
        """Work a batch out, in any thread, when the one before is expected or committed."""
        assembly = assemble(batch.records, self.planned.open, self.planned.last_us)
        self.planned = Memory(position=batch.position, open=assembly.open, last_us=assembly.last_us)
        return self.plan_of(assembly, batch.position, batch.file, (*batch.bad, *assembly.bad))

    def plan_of(
        self,
        assembly: Assembly,
        position: Position | None = None,
        file: str = "",
        bad: Sequence[BadLine] = (),
    ) -> Plan:
        """Rate what was assembled, by what is known."""
        foreseen = self._foresee(assembly.legs)
        return Plan(assembly=assembly, position=position, file=file, bad=bad, foreseen=foreseen)

    def expect(self, plan: Plan) -> bool:
        """Take it for granted that a plan will be committed next, when none is under way.

        Returns:
            Whether the next batch may be planned before that is done.
        """
        self.handed_over.clear()
        found = plan.foreseen
        self._expected = found if found and found.known is self.known and found.index is self.index else None
        if self._expected is None:
            return False
        self.known.balances.update(self._expected.priced.used)
        return True

    def _foresee(self, legs: Sequence[Leg]) -> Foreseen | None:
        known, index = self.known, self.index
        accounts = _accounts(legs, index.book)
        if not accounts.keys() <= known.met:
            return None
        legs = _invoiced(legs, accounts, index.book)
        if any(leg.credit for leg in legs):  # something is set aside that only the loop may touch
            return None
        priced = self._rate(legs, index, known)
        return Foreseen(known=known, index=index, accounts=accounts, priced=priced)

    def _rate(self, legs: Sequence[Leg], index: Index, known: Known) -> Priced:
        with self._rating:
            return price(legs, index, known.balances, Months(index.book, known.first_open))

    async def expire(self, longest_us: int) -> None:
        """End legs that are older than any call may be, when everything that is there has been read."""
        aged = expire(self.memory.open, time.time_ns() // 1_000, longest_us, self.memory.last_us)
        if aged.closed:
            await self._commit(Plan(assembly=aged, position=self.memory.position))
            self.planned = self.memory

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
            priced = await self._price(legs)
            told = await self._write(priced, legs, last)
            await ledger.settle(self.connection, rated_keys(priced, legs))
        self._remember(priced, told)
        return bool(legs)

    async def commit(self, plan: Plan) -> Sequence[Leg]:
        """Store what is planned; return the legs that ended in it."""
        try:
            await self._commit(plan)
        finally:
            self.handed_over.set()
        return plan.assembly.legs

    async def _commit(self, plan: Plan) -> None:
        assembly, expected = plan.assembly, self._expected
        self._expected = None
        if (
            not (assembly.legs or assembly.changed or assembly.closed or plan.bad)
            and plan.position == self.memory.position
        ):
            return
        with metrics.commit_seconds().time():
            async with self.connection.transaction():
                last = await self._hold()
                legs = await self._unknown(assembly.legs)
                foreseen = self._still_holds(expected, assembly.legs, legs)
                priced = await self._price(legs, foreseen)
                told = await self._write(priced, legs, last)
                unanswered = self._unanswered(assembly)
                await credit.release(self.connection, unanswered)
                await memory.keep_bad_lines(self.connection, self.source, plan.file, plan.bad)
                await memory.save(self.connection, self.source, plan.position, assembly)
        self.memory = Memory(position=plan.position, open=assembly.open, last_us=assembly.last_us)
        self._remember(priced, told)
        self._end(unanswered, "unanswered")
        metrics.known_legs().inc(len(assembly.legs) - len(legs))
        metrics.open_legs().set(len(assembly.open))
        for line in plan.bad:
            metrics.spool_bad_lines().labels(fault=line.fault.value).inc()

    def _still_holds(
        self, expected: Foreseen | None, legs: Sequence[Leg], new: Sequence[Leg]
    ) -> Foreseen | None:
        """Return what was expected if it has come true; else forget the balances that were built on it."""
        if expected is None or expected.known is not self.known:
            return None
        if new is legs:
            return expected
        self._forget()  # some came again, and would have drawn
        return None

    async def _hold(self) -> int:
        """Begin to write; return the position of the newest row."""
        held = await ledger.hold(self.connection, self.turn)
        if held.rerating != self.rerating or time.time_ns() // 1_000 > self.forgot_us + LONGEST_MEMORY_US:
            self._forget()
            self.rerating = held.rerating
        return held.position

    def _forget(self) -> None:
        self.forgot_us = time.time_ns() // 1_000
        self.known = Known()  # not emptied: a thread may be reading it
        self.told.clear()
        self.purses.forget()

    async def _unknown(self, legs: Sequence[Leg]) -> Sequence[Leg]:
        """Leave out what has been rated or put aside before, so that it draws from no allowance again."""
        keys = [leg.key for leg in legs]
        known = await ledger.known(self.connection, keys)
        if not known and len(set(keys)) == len(keys):
            return legs
        by_key = {leg.key: leg for leg in reversed(legs)}
        return [leg for leg in legs if leg.key not in known and by_key[leg.key] is leg]

    def _unanswered(self, assembly: Assembly) -> list[str]:
        """Find what channels that ended had set aside for answers that never came."""
        for leg in assembly.changed:
            if leg.answered_us is not None and leg.facts is not None and self.purses.find(leg.facts.credit):
                self.purses.bound.add(leg.facts.credit)
        return [name for call in assembly.left for name in self.purses.unanswered(call)]

    async def _price(self, legs: Sequence[Leg], foreseen: Foreseen | None = None) -> Priced:
        """Price legs that nothing bounds, then those that credit or limits do."""
        book = self.index.book
        accounts = _accounts(legs, book) if foreseen is None else foreseen.accounts
        await self._meet(accounts)
        months = Months(book, self.known.first_open)
        bounded = {name for name, account in accounts.items() if account.bounded}
        if foreseen is None:
            invoiced = granted(_invoiced(legs, accounts, book), self.purses)
            priced = await aside(self._rate, invoiced, self.index, self.known)
            self.known = replace(self.known)  # who plans meanwhile did not foresee this
            freed = set_free(invoiced, priced, self.purses)
        else:
            priced, freed = foreseen.priced, []
        await opening.read(self.connection, self.purses, lambda: book, bounded)
        paid = pay((leg for leg in legs if is_bounded(leg, book)) if bounded else (), book, self.purses)
        paid.released += freed
        return with_paid(priced, paid, months)

    async def _meet(self, accounts: Iterable[str]) -> None:
        """Know what accounts have drawn, and which months they have closed."""
        if len(self.known.balances) > MOST_BALANCES:
            self._forget()
        if new := set(accounts) - self.known.met:
            self.known.balances.update(await ledger.used(self.connection, new))
            self.known.first_open.update(await ledger.first_open(self.connection, new))
            self.known.met |= new

    async def _write(self, priced: Priced, legs: Iterable[Leg], last: int) -> Sequence[Reached]:
        """Write what came of legs; return the thresholds that were told."""
        told = [one for one in priced.reached if one[:3] not in self.told]
        self.known.balances.update(priced.used)  # the next batch is planned by it; no commit, no next batch
        self.handed_over.set()  # who waits for it goes on when this one waits: the rows are on their way then
        await ledger.write_rated(self.connection, self.turn, last, priced.lines)
        await ledger.write_used(self.connection, priced.used)
        await thresholds.tell(self.connection, told, last + len(priced.lines))
        await credit.debit(self.connection, priced.entries)
        await credit.release(self.connection, priced.released)
        if priced.quarantined:
            by_key = {leg.key: leg for leg in legs}
            await ledger.write_quarantined(self.connection, priced.quarantined, by_key)
        return told

    def _remember(self, priced: Priced, told: Iterable[Reached]) -> None:
        """Know what has been committed, beyond the draws."""
        self.told.update(one[:3] for one in told)
        metrics.rated_legs().inc(len(priced.lines))
        metrics.released_reservations().labels(why="rated").inc(len(priced.released))
        for one in priced.quarantined:
            metrics.quarantined_legs().labels(reason=one.reason.value).inc()


def _accounts(legs: Iterable[Leg], book: Book) -> dict[str, Account]:
    """Return who pays for legs; many of them are of one tenant."""
    tenants = {leg.payer.partition("/")[0] for leg in legs}
    return {account.account: account for tenant in tenants if (account := book.account_of(tenant))}


def _invoiced(legs: Sequence[Leg], accounts: Mapping[str, Account], book: Book) -> Sequence[Leg]:
    """Leave out the legs that money may have ended."""
    if not any(account.bounded for account in accounts.values()):
        return legs
    return [leg for leg in legs if not is_bounded(leg, book)]
