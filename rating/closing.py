"""Months of an account, and rating its open legs again in canonical order.

Owns in which month a leg is billed, the canonical order, what re-rating changes, and which allowances
a close settles. Refuses to know which months are closed (an argument), and to change a leg that was told:
what differs is a correction.

The problem: allowances are shared, so what a leg costs depends on which legs came before it, and legs come in
late and out of order. Before a month is closed, all open legs of the account are rated once more, together:
a leg over midnight draws from two months, so no month can be had alone. What closed legs drew stays drawn.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from rating.allowance import NO_CLOSES, Allowance, Kept
from rating.book import Account, Book, PoolKey, Stretch
from rating.catalogue import MOST_ROLL_OVER_MONTHS
from rating.correction import differs, steps
from rating.destinations import Kind
from rating.leg import Leg
from rating.periods import FIRST_US, LAST_US, day_start_us, local_day, month_away, month_start, next_month
from rating.rate import Rating, rate
from rating.rated import Quarantine, Quarantined, RatedLeg, Source

UTC = ZoneInfo("UTC")

Kernel = Callable[[Sequence[Leg], Book, Mapping[PoolKey, int]], Rating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A rated leg as it stands after all its corrections.

    Attributes:
        month: in which it is billed.
    """

    leg: RatedLeg
    month: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerating:
    """What came of rating legs again.

    Attributes:
        changed: legs as they stand and as they should be, in canonical order.
        used: seconds used of the pools that have given more or less than before.
        unpriced: legs that had a price and have none by the documents of today. Then nothing may be written:
            what the others cost depends on them.
    """

    changed: tuple[tuple[Standing, RatedLeg], ...]
    used: Mapping[PoolKey, int]
    unpriced: tuple[Quarantined, ...]


class Months:
    """In which month legs are billed: that of the hangup, or the first open one after a close.

    Args:
        book: knows the zones of accounts.
        first_open: account → its first month that is not closed; an account that is missing has closed none.
    """

    def __init__(self, book: Book, first_open: Mapping[str, date]) -> None:
        self._book = book
        self._first_open = first_open
        self._latest: dict[ZoneInfo, tuple[int, int, date]] = {}

    def of(self, account: str, ended_us: int) -> date:
        """Return the first day of the month in which a leg is billed."""
        known = self._book.accounts.get(account)
        zone = UTC if known is None else known.zone  # an emergency call that nobody is known to pay for
        begins_us, behind_us, month = self._latest.get(zone, (0, 0, date.min))
        if not begins_us <= ended_us < behind_us:
            ended_us = min(max(ended_us, FIRST_US), LAST_US - 1)  # an emergency call, whatever its clock said
            month = month_start(local_day(ended_us, zone))
            self._latest[zone] = day_start_us(month, zone), day_start_us(next_month(month), zone), month
        first = self._first_open.get(account)
        return month if first is None or first < month else first


def is_over(month: date, zone: ZoneInfo, now_us: int) -> bool:
    """Tell whether a month has ended by the clocks of a zone."""
    return now_us >= day_start_us(next_month(month), zone)


def canonical(one: Standing) -> tuple[date, int, str]:
    """Return the place of a leg in canonical order: its month, its hangup, its key.

    But for legs that came after the close of their month this is (hangup, key).
    """
    return one.month, one.leg.ended_us, one.leg.key


def rerate(
    legs: Iterable[Standing], book: Book, balances: Mapping[PoolKey, int], kernel: Kernel = rate
) -> Rerating:
    """Rate legs again in canonical order; the same legs in any order give the same.

    Args:
        legs: all open legs of some accounts, as they stand. Those of prepaid ones stay: debited is debited.
        book: what is in force. Who pays is not asked again: a leg stays with the account that has it.
        balances: seconds used of each pool, what these legs drew included.
        kernel: `rating.rate.rate`, or one that agrees with it.
    """
    ordered = sorted((one for one in legs if not _is_prepaid(one, book)), key=canonical)
    opening = {**balances, **_opening(ordered, balances)}
    rating = kernel(
        [_leg_of(one.leg) for one in ordered], bound(book, {one.leg.account for one in ordered}), opening
    )
    after = {leg.key: leg for leg in rating.rated}
    pairs = [(one, after[one.leg.key]) for one in ordered if one.leg.key in after]
    return outcome(pairs, rating.quarantined, {**opening, **rating.used}, balances)


def outcome(
    pairs: Iterable[tuple[Standing, RatedLeg]],
    quarantined: Iterable[Quarantined],
    used: Mapping[PoolKey, int],
    balances: Mapping[PoolKey, int],
) -> Rerating:
    """Say what rating again changes.

    Args:
        pairs: legs as they stand and as they were rated again, in canonical order; those that came out to the
            letter as they were may be left out.
        quarantined: legs that have no price any more.
        used: seconds used of each pool now.
        balances: and before.
    """
    changed = [(one, leg) for one, leg in pairs if differs(one.leg, leg) or one.leg.currency != leg.currency]
    unpriced = (*quarantined, *_other_currencies(changed))
    if unpriced:
        return Rerating(changed=(), used={}, unpriced=unpriced)
    return Rerating(
        changed=tuple((one, leg) for one, leg in changed if differs(one.leg, leg)),
        used={pool: used_s for pool, used_s in used.items() if used_s != balances.get(pool, 0)},
        unpriced=(),
    )


def to_keep(book: Book, account: str, month: date) -> tuple[Allowance, ...]:
    """Return the allowances that a close settles: of months that it closes, those that roll over.

    Args:
        book: what is in force, and what was closed before.
        account: whose month.
        month: that is closed, and with it the open ones before, in which nothing is billed.
    """
    known = book.accounts.get(account)
    if known is None or not book.rolls_over(known):
        return ()
    found: dict[tuple[str, date], Allowance] = {}
    for stretch in _month_ends(book, known, month):
        found |= {(one.name, one.period): one for one in stretch.allowances if one.rolls_over}
    return tuple(one for one in found.values() if one.kept is None)


def not_known(book: Book, account: str, month: date) -> str:
    """Say why nobody can know what the close of a month has to keep, in words; empty where it is known."""
    known = book.accounts.get(account)
    if known is None:
        return ""
    broken = (stretch.broken for stretch in _month_ends(book, known, month))
    return unread(book, known) or next(filter(None, broken), "")


def unread(book: Book, known: Account) -> str:
    """Say in words that an account's catalogue cannot be read, or a version of it; empty where it can."""
    for stay in known.stays:
        if stay.catalogue in book.unread or stay.catalogue not in book.tariffs:
            return f"catalogue {stay.catalogue} is not there, or has a version that cannot be read"
    return ""


def _month_ends(book: Book, known: Account, month: date) -> Iterator[Stretch]:
    """Yield what is in force at the end of each month that a close of one closes."""
    opened = book.closes.get(known.account, NO_CLOSES).opened
    first = max(opened, month_away(month, -MOST_ROLL_OVER_MONTHS))
    while first <= month:  # thirteen turns at most: what began before has lapsed
        first = next_month(first)
        yield book.stretch(known, day_start_us(first, known.zone) - 1)


def kept(one: Allowance, account: str, used: Mapping[PoolKey, int]) -> Kept:
    """Return what a close keeps of an allowance.

    Args:
        one: that rolls over.
        account: whose.
        used: seconds drawn from its pools by legs of closed months alone.
    """
    pools = {kind: one.pool(account, kind) for kind in (Kind.FIXED, Kind.MOBILE)}
    left = {kind: max(pool.granted_s - used.get(pool.key, 0), 0) for kind, pool in pools.items()}
    return Kept(
        bundle=one.booking.bundle,
        top_up=one.top_up,
        period=one.period,
        size=one.booking.size,
        booked_from=one.booking.first,
        tariff=one.granted_by.name,
        until=one.until,
        fixed_s=pools[Kind.FIXED].granted_s,
        mobile_s=pools[Kind.MOBILE].granted_s,
        fixed_left_s=left[Kind.FIXED],
        mobile_left_s=left[Kind.MOBILE],
    )


def bound(book: Book, accounts: Iterable[str]) -> Book:
    """Return a book in which accounts stand for their own payers: who pays is not asked again."""
    return replace(book, payers={account: account for account in accounts})


def corrections(rerating: Rerating) -> tuple[RatedLeg, ...]:
    """Return what re-rating changes as corrections, in canonical order of their legs."""
    return tuple(row for one, leg in rerating.changed for row in steps(one.leg, leg))


def _is_prepaid(one: Standing, book: Book) -> bool:
    account = book.accounts.get(one.leg.account)
    return account is not None and account.prepaid


def _opening(legs: Iterable[Standing], balances: Mapping[PoolKey, int]) -> dict[PoolKey, int]:
    """Return what pools had given without these legs, for every pool they drew from."""
    drawn: Counter[PoolKey] = Counter()
    for one in legs:
        for piece in one.leg.pieces:
            if piece.source is Source.ALLOWANCE:
                drawn[one.leg.account, piece.pool] += piece.seconds
    opening = {pool: balances.get(pool, 0) - seconds for pool, seconds in drawn.items()}
    assert all(seconds >= 0 for seconds in opening.values()), "legs drew more than their pools have given"
    return opening


def _leg_of(rated: RatedLeg) -> Leg:
    """Return the leg as the kernel takes it; its account stands for its payer."""
    return Leg(
        key=rated.key,
        linkedid=rated.linkedid,
        trunk="",
        payer=rated.account,
        why=rated.why,
        number=rated.number,
        answered_us=rated.answered_us,
        ended_us=rated.ended_us,
        limit_s=rated.limit_s,
    )


def _other_currencies(pairs: Iterable[tuple[Standing, RatedLeg]]) -> Iterable[Quarantined]:
    """Find legs whose account has moved to a catalogue in another currency since."""
    for one, leg in pairs:
        if leg.currency == one.leg.currency:
            continue
        if one.leg.amount_micro or differs(one.leg, leg):  # what costs nothing has no currency
            yield Quarantined(
                key=leg.key,
                reason=Quarantine.NO_PRICE,
                detail=f"it was charged in {one.leg.currency}, {leg.tariff} is in {leg.currency}",
            )
