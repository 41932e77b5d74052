"""Legs of accounts whose calls money may end: each sees what other calls left, pays, gives back the rest.

Owns what a leg does to a purse: it is paid from the balance of a prepaid account, and counts below the limits
of any. Refuses to rate in batches: what one leg leaves, the next one sees.

What a leg was authorised for is what was set aside last: the record says only how long the first part was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pbxcore import metrics
from pbxcore.rater.pricing import Priced
from pbxcore.rater.purse import Purse, Purses
from rating.book import Account, Book, PoolKey
from rating.closing import Months
from rating.credit import Reservation
from rating.leg import Leg
from rating.limits import counts
from rating.rate import rate
from rating.rated import Quarantined, RatedLeg
from rating.store.credit import Entry
from rating.store.rows import line_of
from rating.thresholds import Reached, reached


@dataclass(slots=True)
class Paid:
    """What came of some legs.

    Attributes:
        used: seconds used of each pool that was drawn from.
        reached: thresholds that are at or below it.
        entries: debits, booked.
        released: reservations that are over.
    """

    rated: list[RatedLeg] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    used: dict[PoolKey, int] = field(default_factory=dict)
    reached: Sequence[Reached] = ()
    entries: list[Entry] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


def is_bounded(leg: Leg, book: Book) -> bool:
    """Tell whether money may have ended a leg."""
    account = book.account_of(leg.payer)
    return account is not None and account.bounded


def pay(legs: Iterable[Leg], book: Book, purses: Purses) -> Paid:
    """Rate legs of bounded accounts, one after the other, and take what they cost from their purses.

    Args:
        legs: in the order given.
        book: what is in force.
        purses: with what the accounts have drawn and spent; they are changed.
    """
    paid = Paid()
    for leg in legs:
        account = book.account_of(leg.payer)
        assert account is not None, "is_bounded said so"
        _pay(leg, account, book, purses, paid)
    paid.reached = reached(book, paid.used)
    return paid


def granted(legs: Sequence[Leg], purses: Purses) -> Sequence[Leg]:
    """Give legs that are invoiced by now the limit of what was set aside for them last."""
    if purses.nothing_held or not any(leg.credit for leg in legs):
        return legs
    return [_granted(leg, purses.find(leg.credit)) for leg in legs]


def _granted(leg: Leg, reservation: Reservation | None) -> Leg:
    return leg if reservation is None else replace(leg, limit_s=reservation.grant.limit_s)


def set_free(legs: Iterable[Leg], priced: Priced, purses: Purses) -> list[str]:
    """Give back what was set aside for legs that somebody else pays, or that are invoiced by now."""
    held = [leg for leg in legs if leg.credit]
    waiting = {one.key for one in priced.quarantined} if held else set()
    return [leg.credit for leg in held if leg.key not in waiting and purses.release(leg.credit)]


def with_paid(priced: Priced, paid: Paid, months: Months) -> Priced:
    """Put what was paid behind what is invoiced.

    Args:
        priced: what is invoiced.
        paid: what was paid.
        months: in which legs are billed.
    """
    if not paid.rated and not paid.quarantined and not paid.released:
        return priced
    lines = (line_of(leg, months.of(leg.account, leg.ended_us)) for leg in paid.rated)
    return Priced(
        lines=[*priced.lines, *lines],
        quarantined=[*priced.quarantined, *paid.quarantined],
        used={**priced.used, **paid.used},
        reached=(*priced.reached, *paid.reached),
        entries=paid.entries,
        released=paid.released,
    )


def _pay(leg: Leg, account: Account, book: Book, purses: Purses, paid: Paid) -> None:
    purse, reservation = purses.of(account.account), purses.find(leg.credit)
    leg = _granted(leg, reservation)
    sight = purse.sight(reservation)
    rating = rate((leg,), book, sight)
    if rating.quarantined:  # it may cost what was set aside yet, so that stays
        paid.quarantined += rating.quarantined
        if reservation is not None:
            purses.bound.add(reservation.id)
        return
    (rated,) = rating.rated
    paid.rated.append(rated)
    paid.used |= _draw(purse, sight, rating.used)
    if rated.amount_micro:
        _charge(rated, account, purse, paid)
    if account.prepaid or reservation is not None:  # an invoiced call leaves where nobody can be asked, too
        _tell_overspending(rated, reservation.grant.money_micro if reservation else 0)
    if purses.release(leg.credit):
        paid.released.append(leg.credit)


def _charge(rated: RatedLeg, account: Account, purse: Purse, paid: Paid) -> None:
    """Take what a leg costs from the balance, and from what is left below limits."""
    answered_us = rated.answered_us
    found = counts(account.limits, rated.payer, account.zone, answered_us, answered_us)
    purse.spend(tuple(count for _, count in found), rated.amount_micro)
    if account.prepaid:
        purse.balance_micro -= rated.amount_micro
        entry = Entry(account.account, f"leg {rated.key}", -rated.amount_micro, purse.balance_micro)
        paid.entries.append(entry)


def _draw(purse: Purse, sight: Mapping[PoolKey, int], after: Mapping[PoolKey, int]) -> dict[PoolKey, int]:
    """Note what a leg drew; what others have set aside is out of its sight and not used yet."""
    assert purse.used is not None, "the sight was made of it"
    drawn = {pool: used_s - sight.get(pool, 0) for pool, used_s in after.items()}
    totals = {pool: purse.used.get(pool, 0) + seconds for pool, seconds in drawn.items()}
    purse.used.update(totals)
    return totals


def _tell_overspending(rated: RatedLeg, set_aside_micro: int) -> None:
    """Count what should never be: a leg that went past the question, or a tariff that changed meanwhile."""
    if rated.amount_micro > set_aside_micro:
        metrics.overspent_legs().inc()
