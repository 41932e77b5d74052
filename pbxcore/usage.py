"""What an account uses now: what calls cost, how much of each spend limit and allowance that is, until when.

Owns the question, asked of one snapshot of the database. Refuses to count in a way of its own: sums are those
by which the rater answers calls (`rating.store.spending`, `pbxcore.rater.purse`), with what calls under way
have set aside.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from pbxcore.rater.purse import Purse
from rating.book import Account, Book, Pool, Stretch
from rating.destinations import Kind
from rating.limits import WHOLE, Count, Limit, Span, counts
from rating.periods import local_day, month_start
from rating.store import credit, ledger, spending
from rating.store.ledger import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """How much of a spend limit is used.

    Attributes:
        who: `<tenant>/<extension>`; empty for the account as a whole.
        count: the day or month that counts now.
        set_aside_micro: the most that calls under way may add.
    """

    limit: Limit
    count: Count
    spent_micro: int
    set_aside_micro: int

    @property
    def left_micro(self) -> int:
        """What the next call may spend of it."""
        return max(self.limit.most_micro - self.spent_micro - self.set_aside_micro, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceUse:
    """How much of an allowance is used.

    Attributes:
        pool: its identity, `dach/fixed/2026-11-01`.
        until: last day on which it may be drawn.
        set_aside_s: the most that calls under way may draw.
    """

    pool: str
    until: date
    granted_s: int
    used_s: int
    set_aside_s: int

    @property
    def left_s(self) -> int:
        """What the next call may draw of it."""
        return max(self.granted_s - self.used_s - self.set_aside_s, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an account uses now.

    Attributes:
        currency: of the tariff in force; empty before the first.
        today: by the clock of the account's zone.
        spent_today_micro: what calls that were answered today have cost.
        spent_month_micro: and those of the calendar month.
        allowances: in burn order; of each bundle fixed before mobile.
        broken: what is wrong with what is booked; nothing has a price then.
    """

    account: str
    prepaid: bool
    currency: str
    today: date
    spent_today_micro: int
    spent_month_micro: int
    limits: tuple[LimitUse, ...]
    allowances: tuple[AllowanceUse, ...]
    broken: str


async def read(connection: Connection, book: Book, account: Account, now_us: int) -> Usage:
    """Tell what an account uses at an instant."""
    name = account.account
    asked = _asked(account)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        spent = (await spending.spent(connection, [asked], now_us))[name]
        used = await ledger.used(connection, [name])
        held = await credit.reservations_of(connection, name)
    purse = Purse(used=used, spent=dict(spent))
    for one in held:
        found = counts(asked.limits, one.wish.payer, account.zone, one.wish.first_us, one.wish.last_us)
        purse.hold(one, tuple(count for _, count in found))
    stretch, today = book.stretch(account, now_us), local_day(now_us, account.zone)
    return Usage(
        account=name,
        prepaid=account.prepaid,
        currency=stretch.tariff.currency if stretch.tariff is not None else "",
        today=today,
        spent_today_micro=spent.get(Count(WHOLE, Span.DAY, today), 0),
        spent_month_micro=spent.get(Count(WHOLE, Span.MONTH, month_start(today)), 0),
        limits=tuple(_limits(account, purse, today)),
        allowances=tuple(_allowances(stretch, purse)),
        broken=stretch.broken,
    )


def _asked(account: Account) -> Account:
    """Return the account as if it were limited as a whole by day and by month: so both are counted."""
    whole = {span: Limit(WHOLE, span, 0) for span in Span}
    return replace(account, limits={**account.limits, WHOLE: tuple(whole.values())})


def _limits(account: Account, purse: Purse, today: date) -> Iterator[LimitUse]:
    for who, limits in account.limits.items():
        for limit in limits:
            count = Count(who, limit.span, today if limit.span is Span.DAY else month_start(today))
            yield LimitUse(
                limit=limit,
                count=count,
                spent_micro=(purse.spent or {}).get(count, 0),
                set_aside_micro=purse.held_counts.get(count, 0),
            )


def _allowances(stretch: Stretch, purse: Purse) -> Iterator[AllowanceUse]:
    for one in stretch.allowances:
        for kind in (Kind.FIXED, Kind.MOBILE):
            pool = one.pool(stretch.account.account, kind)
            if pool.granted_s:
                yield _use_of(pool, one.until, purse)


def _use_of(pool: Pool, until: date, purse: Purse) -> AllowanceUse:
    return AllowanceUse(
        pool=pool.key[1],
        until=until,
        granted_s=pool.granted_s,
        used_s=(purse.used or {}).get(pool.key, 0),
        set_aside_s=purse.held_pools.get(pool.key, 0),
    )
