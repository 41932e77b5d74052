"""The desk: answers calls that want to begin, or to go on, on credit or below spend limits.

Many answers share one commit.

Owns the queue, its limits, and the order: first what is set aside is committed, then the call hears yes. A
killed rater has promised nothing that its successor does not know. Refuses to write anything else than
reservations; balances are the writer's (`pbxcore.rater.writer`), which shares the purses with it.

The problem: a commit takes a millisecond or more, and thousands may ask within a second. While one commit is
under way questions gather; all that have gathered are worked out one after the other, each seeing what the
one before has set aside, and are committed by one statement.

What an account has drawn and spent may have to be read first (`pbxcore.rater.opening`), which takes a while
where there are many legs. So its questions are put off until that is read on a connection beside: nobody else
waits for it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from pbxcore import metrics
from pbxcore.rater import opening
from pbxcore.rater.purse import Purses
from rating.book import Book
from rating.credit import Grant, Refusal, Reservation, Wish, authorise
from rating.periods import SECOND_US
from rating.store import credit
from rating.store.ledger import Connection, Turn

MOST_WAITING = 2_000  # more than a machine asks while a commit hangs for its longest patience
MOST_AT_ONCE = 200  # a batch takes 10 ms or so to work out: who comes next should not wait longer
PATIENCE_S = 0.1  # unless the settings say otherwise: by then who asks has taken no answer for a no
MARGIN_S = 60  # so long before its end a call is extended, and after its window an unanswered one has ended
LONGEST_WINDOW_S = 24_000  # MAX_STEPS of dialplan.decision, each as long as an announcement may take
BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that wants to begin.

    Attributes:
        id: of the reservation, chosen by who asks; new for each question.
        call: channel that asks.
        answer_within_s: how long until it may be answered at the latest.
    """

    id: str
    call: str
    payer: str
    number: str
    why: str
    answer_within_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What it may do.

    Attributes:
        limit_s: how long it may last; 0: not at all.
        refused: why not; empty where it may.
    """

    limit_s: int = 0
    refused: str = ""


Hear = Callable[[Answer], None]


@dataclass(slots=True)
class _Waiting:
    asked: Asked
    hear: Hear
    since: float


@dataclass(slots=True, kw_only=True)
class Desk:
    """Sets money aside as long as its writer has the turn.

    Attributes:
        connection: its own: what a call waits for does not queue behind a batch of legs.
        reading: another one, for sums.
        book: in force; whoever reads a new one puts it here.
        longest_s: no call may last longer.
        slice_s: set aside at once, so that many calls can share a balance; a call goes on by `extend`.
        patience_s: whoever has waited so long waits no more.
    """

    connection: Connection
    reading: Connection
    turn: Turn
    book: Book
    purses: Purses
    longest_s: int
    slice_s: int
    patience_s: float = PATIENCE_S
    _queue: asyncio.Queue[_Waiting] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    _turns: asyncio.Lock = field(default_factory=asyncio.Lock)  # one statement at a time on a connection
    _wanted: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    _put_off: dict[str, list[_Waiting]] = field(default_factory=dict)  # by account in `_wanted`

    def ask(self, asked: Asked, hear: Hear) -> None:
        """Take a question; it is answered at once, or when it is committed, or never: then it is a no."""
        self._queue_up(_Waiting(asked, hear, time.monotonic()))

    def _queue_up(self, waiting: _Waiting) -> None:
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            _refuse(waiting)

    async def run(self) -> None:
        """Answer until cancelled.

        Raises:
            AWAY: the database is; nothing more can be set aside.
            TurnLostError: another writer has the turn.
        """
        while True:
            first = await self._queue.get()
            rest = [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), MOST_AT_ONCE - 1))]
            async with self._turns:
                await self._answer([first, *rest])

    async def read(self) -> None:
        """Read what accounts have drawn and spent whose questions were put off, one by one, until cancelled.

        Raises:
            AWAY: the database is.
        """
        while True:
            name = await self._wanted.get()
            await opening.read(self.reading, self.purses, lambda: self.book, (name,))
            for waiting in self._put_off.pop(name):
                self._queue_up(waiting)

    async def extend(self, some: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Let calls go on whose time is nearly over, as far as there is credit.

        Where sums are missing they are read meanwhile, and the call is extended when it is asked for again.

        Args:
            some: reservation and instant of the answer.

        Returns:
            The new limit in seconds of each that may go on.
        """
        longer = []
        async with self._turns:
            for name, answered_us in some:
                held = self.purses.find(name)  # its leg may have been rated since
                if held is None or not self._is_known(held.account):
                    continue
                if (one := self._longer(held, answered_us)) is not None:
                    self.purses.hold(one, self.book)
                    longer.append(one)
            if longer:
                await credit.set_aside_more(self.connection, self.turn, longer)
        metrics.authorisations().labels(end="extended").inc(len(longer))
        return {one.id: one.grant.limit_s for one in longer}

    async def _answer(self, waiting: Sequence[_Waiting]) -> None:
        book, now_us = self.book, time.time_ns() // 1_000
        fresh = [one for one in waiting if self._is_awaited(one)]
        ready = [one for one in fresh if self._is_ready(one, book)]
        # Near an instant at which prices change each takes 10 ms: those behind may have given up meanwhile.
        answers = [(one, self._work_out(one.asked, now_us, book)) for one in ready if self._is_awaited(one)]
        kept = [result for _, result in answers if isinstance(result, Reservation)]
        if kept:
            await self._set_aside(kept)
        for waiter, result in answers:
            waiter.hear(_said(result))
        _count(answers, len(waiting) - len(fresh) + len(ready) - len(answers))

    def _is_awaited(self, waiting: _Waiting) -> bool:
        """Tell whether somebody waits for the answer still."""
        return time.monotonic() - waiting.since < self.patience_s

    def _is_ready(self, waiting: _Waiting, book: Book) -> bool:
        """Tell whether a question can be answered now; if not, put it off until sums are read."""
        account = book.account_of(waiting.asked.payer)
        if account is None or not account.bounds(waiting.asked.payer) or self._is_known(account.account):
            return True
        some = self._put_off.get(account.account)
        if some is None or len(some) >= MOST_AT_ONCE:
            _refuse(waiting)
        else:
            some.append(waiting)
        return False

    def _is_known(self, account: str) -> bool:
        """Tell whether an account's sums are known; if not, have them read."""
        if opening.is_known(self.purses, self.book, account):
            return True
        if account not in self._put_off and not self._wanted.full():
            self._put_off[account] = []
            self._wanted.put_nowait(account)
        return False

    async def _set_aside(self, kept: Sequence[Reservation]) -> None:
        await credit.set_aside(self.connection, self.turn, kept)
        # Who asked may have given up: then its call has ended, and the writer found nothing to delete yet.
        gone = [one.id for one in kept if self.purses.find(one.id) is None]
        await credit.release(self.connection, gone)

    def _work_out(self, asked: Asked, now_us: int, book: Book) -> Reservation | Grant | Refusal:
        """Set aside what a call can cost, in memory; a grant alone is that of an account that is invoiced."""
        wish = Wish(
            payer=asked.payer,
            number=asked.number,
            why=asked.why,
            first_us=now_us,
            last_us=now_us + min(asked.answer_within_s, LONGEST_WINDOW_S) * SECOND_US,
            seconds=min(self.slice_s, self.longest_s),
        )
        account = book.account_of(asked.payer)
        if account is None:
            return Refusal.NO_ACCOUNT
        if not account.bounds(asked.payer):
            return Grant(limit_s=self.longest_s, money_micro=0, pools={})
        purse = self.purses.of(account.account)
        free_micro = purse.free_micro() if account.prepaid else None
        grant = authorise(wish, book, purse.sight(), free_micro, purse.spending())
        if isinstance(grant, Refusal):
            return grant
        kept = Reservation(
            id=asked.id,
            call=asked.call,
            account=account.account,
            wish=replace(wish, seconds=grant.limit_s),
            grant=grant,
        )
        self.purses.hold(kept, book)
        return kept

    def _longer(self, reservation: Reservation, answered_us: int) -> Reservation | None:
        """Work out a later end of a call that has been answered; None if there is none."""
        before_s = reservation.grant.limit_s
        wish = replace(
            reservation.wish,
            first_us=answered_us,
            last_us=answered_us,
            seconds=min(before_s + self.slice_s, self.longest_s),
        )
        purse, account = self.purses.of(reservation.account), self.book.accounts.get(reservation.account)
        free_micro = None if account is not None and not account.prepaid else purse.free_micro(reservation)
        sight, spending = purse.sight(reservation), purse.spending(reservation)
        grant = authorise(wish, self.book, sight, free_micro, spending)
        if isinstance(grant, Refusal) or grant.limit_s <= before_s:
            return None
        return replace(reservation, wish=replace(wish, seconds=grant.limit_s), grant=grant)


def _count(answers: Sequence[tuple[_Waiting, object]], late: int) -> None:
    ends = Counter(result.value if isinstance(result, Refusal) else "granted" for _, result in answers)
    ends["late"] = late
    for end, number in ends.items():
        metrics.authorisations().labels(end=end).inc(number)


def _refuse(waiting: _Waiting) -> None:
    """Say at once that too many wait."""
    metrics.authorisations().labels(end=BUSY).inc()
    waiting.hear(Answer(refused=BUSY))


def _said(result: Reservation | Grant | Refusal) -> Answer:
    match result:
        case Refusal():
            return Answer(refused=result.value)
        case Grant():
            return Answer(limit_s=result.limit_s)
        case Reservation():
            return Answer(limit_s=result.grant.limit_s)
