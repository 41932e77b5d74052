"""Closing a month of accounts, and rating again: what an operator asks for, by the documents in force.

Owns the order of questions: is the month over, what is open, what differs, what comes late. Refuses to rate
(`rating.closing`) and to write (`rating.store.closing`). Each account is a transaction of its own: one that
cannot be closed holds up no other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pbxcore.rater.pricing import rate_again
from rating.allowance import Allowance, Kept
from rating.book import Book
from rating.closing import UTC, Rerating, is_over, not_known, to_keep, unread
from rating.columns import Numbers
from rating.leg import Leg
from rating.periods import day_start_us, next_month
from rating.rated import Quarantined, RatedLeg
from rating.store import closing
from rating.store.closing import Bill, Closed, Obstacle, OpenLegs, Reread, Seal
from rating.store.ledger import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What rating again changes in an account.

    Attributes:
        legs: how many are open.
        changed: those that are charged or draw otherwise: as they stood, and as they should be.
        obstacle: why nothing is written.
        first: first open month in which something is billed; None: in none.
        unpriced: legs that have no price any more.
        not_known: why nobody can know what the catalogue grants, in words.
    """

    account: str
    legs: int = 0
    changed: Sequence[tuple[RatedLeg, RatedLeg]] = ()
    obstacle: Obstacle | None = None
    first: date | None = None
    unpriced: Sequence[Quarantined] = ()
    not_known: str = ""

    @property
    def differences_micro(self) -> Mapping[str, int]:
        """By how much the amount grows, by currency."""
        found: Counter[str] = Counter()
        for before, after in self.changed:
            found[after.currency] += after.amount_micro - before.amount_micro
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Legs that ended in a month that is closed, or before, and come to a later invoice.

    Attributes:
        in_spool: ended, and not taken in yet.
        in_quarantine: wait for a person.
    """

    in_spool: int
    in_quarantine: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """What came of closing a month, or would come of it.

    Attributes:
        bills: what the month comes to, by currency.
        kept: what rolls over from it.
        closed: by which close; None: the month is open.
    """

    month: date
    changes: Changes
    closed: Closed | None
    bills: Sequence[Bill]
    late: Late
    kept: Sequence[Kept] = ()

    @property
    def refused(self) -> bool:
        """Whether something stands in the way; that it is closed already does not."""
        return self.changes.obstacle not in {None, Obstacle.CLOSED}


class Closing:
    """Closes months on one connection, by one book.

    Args:
        connection: to the database of the stream.
        book: the documents in force.
    """

    def __init__(self, connection: Connection, book: Book) -> None:
        self._connection = connection
        self._book = book
        self._numbers = Numbers(book.destinations)

    async def close(self, account: str, month: date, *, now_us: int, by: str) -> Changes:
        """Close a month of an account once, having rated its open legs again.

        Args:
            account: its id.
            month: first day.
            now_us: now.
            by: who asks.
        """
        early = self._too_early(account, month, now_us)
        if early:
            return Changes(account=account, obstacle=early)
        seal = Seal(month=month, by=by, keep=self._keep)
        found = await closing.write(self._connection, account, self._rate, seal)
        return _changes(found, found.obstacle(month))

    async def preview(self, account: str, month: date, *, now_us: int, unread_legs: Iterable[Leg]) -> Close:
        """Tell what would come of closing a month of an account now; nothing is written.

        Args:
            account: its id.
            month: first day.
            now_us: now.
            unread_legs: of all accounts.
        """
        early = self._too_early(account, month, now_us)
        if early:
            return await self.bill(Changes(account=account, obstacle=early), month, unread_legs)
        seal = Seal(month=month, by="", keep=self._keep)
        found, bills = await closing.preview(self._connection, account, self._rate, seal)
        changes = _changes(found, found.obstacle(month))
        if changes.obstacle:
            return await self.bill(changes, month, unread_legs)
        return Close(
            month=month,
            changes=changes,
            closed=None,
            bills=bills,
            late=await self._late(account, month, unread_legs),
            kept=found.kept,
        )

    def _too_early(self, account: str, month: date, now_us: int) -> Obstacle | None:
        known = self._book.accounts.get(account)
        if known is None:
            return Obstacle.UNKNOWN_ACCOUNT
        return None if is_over(month, known.zone, now_us) else Obstacle.NOT_OVER

    async def rerate(self, account: str, *, confirm: bool) -> Changes:
        """Tell what rating the open legs of an account again changes; write it if that is confirmed."""
        known = self._book.accounts.get(account)
        if known is None:
            return Changes(account=account, obstacle=Obstacle.UNKNOWN_ACCOUNT)
        if lost := unread(self._book, known):
            return Changes(account=account, obstacle=Obstacle.NOT_KNOWN, not_known=lost)
        if confirm:
            found = await closing.write(self._connection, account, self._rate)
        else:
            found = await closing.read(self._connection, account, self._rate)
        return _changes(found, found.obstacle(None))

    async def bill(self, changes: Changes, month: date, unread_legs: Iterable[Leg]) -> Close:
        """Say what a month comes to, and what will be late for it.

        Args:
            changes: what came of closing it.
            month: first day.
            unread_legs: of all accounts.
        """
        return Close(
            month=month,
            changes=changes,
            closed=await closing.closed(self._connection, changes.account, month),
            bills=await closing.bill(self._connection, changes.account, month),
            late=await self._late(changes.account, month, unread_legs),
            kept=await closing.kept_by(self._connection, changes.account, month),
        )

    async def _late(self, account: str, month: date, unread_legs: Iterable[Leg]) -> Late:
        known = self._book.accounts.get(account)
        if known is None:
            return Late(in_spool=0, in_quarantine=0)
        behind_us = day_start_us(next_month(month), known.zone)
        in_spool = sum(leg.ended_us < behind_us and self._pays(leg.payer, account) for leg in unread_legs)
        waiting = await closing.waiting_before(self._connection, behind_us)
        in_quarantine = sum(legs for tenant, legs in waiting.items() if self._pays(tenant, account))
        return Late(in_spool=in_spool, in_quarantine=in_quarantine)

    def _pays(self, payer: str, account: str) -> bool:
        return self._book.payers.get(payer.partition("/")[0]) == account

    def _rate(self, legs: OpenLegs) -> Rerating:
        return rate_again(legs, self._knowing(legs), self._numbers)

    def _keep(self, legs: OpenLegs, month: date) -> tuple[Sequence[Allowance], str]:
        book = self._knowing(legs)
        return to_keep(book, legs.account, month), not_known(book, legs.account, month)

    def _knowing(self, legs: OpenLegs) -> Book:
        """Return the book with what was closed when the legs were read: somebody may have closed since."""
        return self._book.with_closes({legs.account: legs.closes})


async def accounts_of(connection: Connection, book: Book) -> Sequence[str]:
    """Return every account that has a document, or anything in the stream."""
    return sorted({*book.accounts, *await closing.billed_accounts(connection)})


async def nobodys(connection: Connection, book: Book, month: date) -> int:
    """Return how many legs of a month (in UTC) wait in quarantine and name no tenant that has an account."""
    waiting = await closing.waiting_before(connection, day_start_us(next_month(month), UTC))
    return sum(legs for tenant, legs in waiting.items() if tenant not in book.payers)


def _changes(found: Reread, obstacle: Obstacle | None) -> Changes:
    return Changes(
        account=found.legs.account,
        legs=len(found.legs),
        changed=[] if obstacle else [(one.leg, leg) for one, leg in found.rerating.changed],
        obstacle=obstacle,
        first=found.first,
        unpriced=found.rerating.unpriced,
        not_known=found.not_known,
    )
