"""The kernel: legs in, rated legs out. It reads like the law (`LAWS.md`) and is the judge of faster ones.

Owns the order of questions, seconds, cuts and drawdown. Refuses everything that is no argument: clock, files,
database. Refuses duplicates no more than originals: that a key is rated once is the stream's business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rating import money
from rating.book import Account, Book, Pool, PoolKey, Terms
from rating.destinations import Destination, Kind
from rating.leg import Leg
from rating.periods import FIRST_US, LAST_US, SECOND_US, local_day
from rating.rated import Piece, Quarantine, Quarantined, RatedLeg, Source
from rating.stays import stay_on
from rating.tariff import Price

EMERGENCY = "emergency"
LONGEST_LEG_S = (
    24 * 3600
)  # no switch lets a call run longer; a longer leg is a mistake of a clock or a record


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What came of some legs.

    Attributes:
        rated: in the order of the legs.
        quarantined: in the order of the legs.
        used: seconds used so far of every pool that was drawn from; other pools are as before.
    """

    rated: tuple[RatedLeg, ...]
    quarantined: tuple[Quarantined, ...]
    used: Mapping[PoolKey, int]


class Segment(NamedTuple):
    """Billable seconds of a leg in one stretch: the tariff and the allowances are the same throughout.

    Attributes:
        start_us: instant at which the first of them begins.
        seconds: how many; in the last segment of a leg, the rounding seconds included.
        terms: what they cost.
    """

    start_us: int
    seconds: int
    terms: Terms


def rate(legs: Iterable[Leg], book: Book, balances: Mapping[PoolKey, int]) -> Rating:
    """Rate legs in the order given.

    Args:
        legs: one or a million.
        book: what is in force.
        balances: seconds used so far of each pool; a pool that is missing has not been used.
    """
    rated: list[RatedLeg] = []
    quarantined: list[Quarantined] = []
    used: dict[PoolKey, int] = {}
    for leg in legs:
        result = rate_leg(leg, book, balances, used)
        if isinstance(result, RatedLeg):
            rated.append(result)
        else:
            quarantined.append(result)
    return Rating(rated=tuple(rated), quarantined=tuple(quarantined), used=used)


def rate_leg(
    leg: Leg, book: Book, balances: Mapping[PoolKey, int], used: dict[PoolKey, int]
) -> RatedLeg | Quarantined:
    """Rate one leg; what it draws is noted in `used`, which speaks before `balances`."""
    account = book.account_of(leg.payer)
    if leg.why == EMERGENCY:
        return _emergency(leg, book, account)
    if account is None:
        return _broken(leg) or _no_account(leg, book)
    return _broken(leg) or _price(leg, book, account, balances, used)


def _price(
    leg: Leg, book: Book, account: Account, balances: Mapping[PoolKey, int], used: dict[PoolKey, int]
) -> RatedLeg | Quarantined:
    """Price a sound leg; nothing is drawn before it is certain that all of it has a price."""
    destination = book.destinations.look_up(leg.number, account.country)
    if destination is None:
        return _no_destination(leg, account)
    if destination.kind is Kind.EMERGENCY:
        return _emergency(leg, book, account)
    stretch = book.stretch(account, leg.answered_us)
    terms = stretch.terms(destination, stretch.listed(leg.number))
    if terms is None:
        return _no_price(leg, book, account, destination, leg.answered_us)
    billable_s = billable_seconds(leg, terms.price)
    segments = cut(leg, book, account, destination, billable_s)
    if isinstance(segments, Quarantined):
        return segments
    pieces: list[Piece] = []
    for segment in segments:
        draw(segment, balances, used, pieces)
    lift(terms.price, pieces)
    return _rated(leg, account, terms, billable_s, pieces)


def talk_seconds(leg: Leg) -> int:
    """Exact duration, rounded up to whole seconds."""
    return -((leg.answered_us - leg.ended_us) // SECOND_US)


def billable_seconds(leg: Leg, price: Price) -> int:
    """Seconds that are charged: the duration in increments, never more than was authorised."""
    seconds = talk_seconds(leg)
    if seconds > price.first_increment_s:
        beyond = seconds - price.first_increment_s
        seconds += -beyond % price.next_increment_s
    elif seconds:
        seconds = price.first_increment_s
    return min(seconds, leg.limit_s) if leg.limit_s else seconds


def cut(
    leg: Leg, book: Book, account: Account, destination: Destination, billable_s: int
) -> list[Segment] | Quarantined:
    """Cut a leg where its price may change.

    A second belongs to the segment in which it begins. Rounding seconds take no time: the last has them.
    """
    talk_s = min(talk_seconds(leg), billable_s)
    segments: list[Segment] = []
    done_s = 0
    while done_s < talk_s:  # each turn takes at least one second, and no leg has more than LONGEST_LEG_S
        start_us = leg.answered_us + done_s * SECOND_US
        stretch = book.stretch(account, start_us)
        terms = stretch.terms(destination, stretch.listed(leg.number))
        if terms is None:
            return _no_price(leg, book, account, destination, start_us)
        here_s = -((start_us - stretch.end_us) // SECOND_US)
        seconds = here_s if done_s + here_s < talk_s else billable_s - done_s
        segments.append(Segment(start_us, seconds, terms))
        done_s += here_s
    return segments


def draw(
    segment: Segment, balances: Mapping[PoolKey, int], used: dict[PoolKey, int], pieces: list[Piece]
) -> None:
    """Draw a segment from its allowances in burn order; what they do not hold is overflow."""
    start_us, seconds, terms = segment
    for pool in terms.pools:
        before_used_s = used.get(pool.key, -1)
        if before_used_s < 0:
            before_used_s = balances.get(pool.key, 0)
        left_s = pool.granted_s - before_used_s
        if left_s <= 0:
            continue
        taken_s = min(left_s, seconds)
        used[pool.key] = before_used_s + taken_s
        pieces.append(_from_allowance(start_us, taken_s, pool, left_s))
        seconds -= taken_s
        start_us += taken_s * SECOND_US
        if not seconds:
            return
    pieces.append(_overflow(start_us, seconds, terms))


def lift(price: Price, pieces: list[Piece]) -> None:
    """Add what is missing to the least a call costs, if a second of it is charged.

    Args:
        price: in force at the answer.
        pieces: all of a leg.
    """
    if not price.minimum_micro or all(piece.source is Source.ALLOWANCE for piece in pieces):
        return
    missing_micro = price.minimum_micro - price.connection_micro - sum(piece.amount_micro for piece in pieces)
    if missing_micro > 0:
        pieces.append(
            Piece(
                start_us=pieces[-1].start_us + pieces[-1].seconds * SECOND_US,
                seconds=0,
                source=Source.MINIMUM,
                pool="",
                before_s=0,
                after_s=0,
                price_per_minute_micro=0,
                amount_micro=missing_micro,
                rule=price.rule,
            )
        )


def _from_allowance(start_us: int, seconds: int, pool: Pool, left_s: int) -> Piece:
    return Piece(
        start_us=start_us,
        seconds=seconds,
        source=Source.ALLOWANCE,
        pool=pool.key[1],
        before_s=left_s,
        after_s=left_s - seconds,
        price_per_minute_micro=0,
        amount_micro=0,
        rule=pool.rule,
    )


def _overflow(start_us: int, seconds: int, terms: Terms) -> Piece:
    price_micro = terms.price.price_per_minute_micro
    return Piece(
        start_us=start_us,
        seconds=seconds,
        source=Source.OVERFLOW,
        pool="",
        before_s=0,
        after_s=0,
        price_per_minute_micro=price_micro,
        amount_micro=money.for_seconds(price_micro, seconds, terms.price.rounding),
        rule=terms.price.rule,
    )


def _rated(
    leg: Leg,
    account: Account,
    terms: Terms,
    billable_s: int,
    pieces: list[Piece],
) -> RatedLeg:
    amount_micro = terms.price.connection_micro
    for piece in pieces:
        amount_micro += piece.amount_micro
    return RatedLeg(
        key=leg.key,
        linkedid=leg.linkedid,
        account=account.account,
        payer=leg.payer,
        why=leg.why,
        number=leg.number,
        tariff=terms.tariff.name,
        country=terms.country,
        kind=terms.kind,
        zone=terms.price.zone,
        answered_us=leg.answered_us,
        ended_us=leg.ended_us,
        duration_us=leg.ended_us - leg.answered_us,
        billable_s=billable_s,
        connection_micro=terms.price.connection_micro,
        amount_micro=amount_micro,
        currency=terms.tariff.currency,
        limit_s=leg.limit_s,
        tax_class=terms.price.tax_class,
        prices=terms.tariff.amounts,
        pieces=tuple(pieces),
    )


def _emergency(leg: Leg, book: Book, account: Account | None) -> RatedLeg:
    """An emergency call: never priced and never held up, whatever else is wrong with the record."""
    timely = FIRST_US <= leg.answered_us < LAST_US
    in_force = book.stretch(account, leg.answered_us).tariff if account is not None and timely else None
    return RatedLeg(
        key=leg.key,
        linkedid=leg.linkedid,
        account=account.account if account is not None else "",
        payer=leg.payer,
        why=leg.why,
        number=leg.number,
        tariff=in_force.name if in_force is not None else "",
        country=account.country if account is not None else "",
        kind=Kind.EMERGENCY.value,
        zone=EMERGENCY,
        answered_us=leg.answered_us,
        ended_us=leg.ended_us,
        duration_us=max(leg.ended_us - leg.answered_us, 0),
        billable_s=0,
        connection_micro=0,
        amount_micro=0,
        currency=in_force.currency if in_force is not None else "",
        limit_s=leg.limit_s,
        pieces=(),
    )


def _broken(leg: Leg) -> Quarantined | None:
    """What is wrong with a record before anybody asks for its price."""
    if leg.indeterminate:
        return Quarantined(
            key=leg.key,
            reason=Quarantine.INDETERMINATE,
            detail="no hangup was recorded; the end is the last sign of life, set it and release the leg",
        )
    duration_us = leg.ended_us - leg.answered_us
    if duration_us < 0:
        detail = f"it ends {-duration_us} microseconds before its answer: a clock was set back"
    elif duration_us > LONGEST_LEG_S * SECOND_US:
        detail = (
            f"it lasts {duration_us // SECOND_US} s, more than {LONGEST_LEG_S} s, the longest a call can be"
        )
    elif not FIRST_US <= leg.answered_us < LAST_US:
        detail = "it was answered before 2000 or after 2099: a clock was not set"
    elif leg.limit_s < 0:
        detail = f"its limit is {leg.limit_s} s"
    else:
        return None
    return Quarantined(key=leg.key, reason=Quarantine.IMPOSSIBLE, detail=detail)


def _no_account(leg: Leg, book: Book) -> Quarantined:
    if not leg.payer:
        return Quarantined(
            key=leg.key,
            reason=Quarantine.NO_PAYER,
            detail=f"no record names who pays for the call to {leg.number}: it left past the decision",
        )
    tenant = leg.payer.partition("/")[0]
    account = book.payers.get(tenant)
    detail = (
        f"tenant {tenant} is paid for by account {account}, which does not exist"
        if account is not None
        else f"no account pays for tenant {tenant}"
    )
    return Quarantined(key=leg.key, reason=Quarantine.UNKNOWN_ACCOUNT, detail=detail)


def _no_destination(leg: Leg, account: Account) -> Quarantined:
    detail = f"no numbering plan knows {leg.number or 'an empty number'}"
    if not leg.number.startswith("+"):
        detail += f", and it is no short number of {account.country}"
    return Quarantined(key=leg.key, reason=Quarantine.UNKNOWN_DESTINATION, detail=detail)


def _no_price(leg: Leg, book: Book, account: Account, destination: Destination, at_us: int) -> Quarantined:
    stretch = book.stretch(account, at_us)
    in_force = stretch.tariff
    if stretch.broken:
        detail = f"{stretch.broken}, and account {account.account} needs it"
    elif in_force is None:
        catalogue = stay_on(account.stays, local_day(at_us, account.zone)).catalogue
        detail = f"no version of catalogue {catalogue} is in force yet"
    else:
        zone = in_force.zone(destination.country) or "no zone"
        price = in_force.price(destination, account.country, stretch.bands, stretch.listed(leg.number))
        has = "no price" if price is None else "a price beyond what anybody means"
        detail = f"{in_force.name} has {has} for {destination.country}, {destination.kind} ({zone})"
    return Quarantined(key=leg.key, reason=Quarantine.NO_PRICE, detail=f"{leg.number}: {detail}")
