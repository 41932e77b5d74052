"""Credit and spend limits: how long a call may last, and what has to be set aside for it, before it begins.

Owns the turn from prices into a longest duration: the least that is left of the credit and below each limit
pays for it. Refuses balances that change: what is left of money and of each allowance, what was spent, and
what other calls have set aside, are arguments. It asks the kernel for every price, so
that what is authorised and what is rated can never be two opinions.

The problem: two things are not known before the call. *When it is answered*: near an instant at which prices
change that moves seconds to another price. *How long it lasts*: a shorter call can cost more than a longer
one, because rounding seconds belong to the stretch of the last talk second, and that may be the dear one.
So what is set aside is the most that the call can cost, over every answer within the window and every
duration up to the limit. In nearly every question nothing changes within window and duration; then every
answer costs the same, the full duration costs most, and one price is asked for. Otherwise these are enough:

* answers: for each stretch of the window its first instant stands for all that end within it; those after
  which a change may come are tried second by second, because only whole seconds on either side of it count;
* durations: the full one, and for each change before it the one that ends there, because within a stretch a
  longer call never costs less.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from rating.book import Account, Book, PoolKey
from rating.destinations import Destination, Kind
from rating.leg import Leg
from rating.limits import WHOLE, Count, Limit, Span, counts, left
from rating.periods import FIRST_US, LAST_US, SECOND_US
from rating.rate import EMERGENCY, LONGEST_LEG_S, billable_seconds, cut, draw, lift
from rating.rated import Piece, Quarantined

NOTHING_SPENT: Mapping[Count, int] = {}


class Refusal(StrEnum):
    """Why a call may not begin."""

    NO_ACCOUNT = "no-account"  # nobody pays for the payer
    NO_PRICE = "no-price"  # nobody knows what it costs: it would wait in quarantine
    NO_CREDIT = "no-credit"  # not even its first second can be paid
    ACCOUNT_DAY = "account-day-limit"  # its first second would cost more than is left of a spend limit
    ACCOUNT_MONTH = "account-month-limit"
    EXTENSION_DAY = "extension-day-limit"
    EXTENSION_MONTH = "extension-month-limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A call that wants to begin.

    Attributes:
        payer: `<tenant>/<extension>` that will own the leg.
        number: called number, E.164; as dialled for emergency.
        first_us: earliest instant of its answer.
        last_us: latest one; the same where the answer is known. Minutes, not hours: near a change each of its
            seconds is tried.
        seconds: how long it wants to last at most.
        why: as on the leg.
    """

    payer: str
    number: str
    first_us: int
    last_us: int
    seconds: int
    why: str = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a call may do, and what is set aside for it.

    Attributes:
        limit_s: how long it may last, at most what it wanted.
        money_micro: the most it can cost.
        pools: the most it can draw from each allowance.
    """

    limit_s: int
    money_micro: int
    pools: Mapping[PoolKey, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What is set aside for one call, from before it rings until its leg is rated or cannot come any more.

    Attributes:
        id: stands on the leg (`rating.leg.Leg.credit`).
        call: channel that asked, `<systemname>-<epoch>.<sequence>`.
        account: whose balance.
        wish: the call; its `seconds` are those of the grant.
        grant: what it may do.
    """

    id: str
    call: str
    account: str
    wish: Wish
    grant: Grant


class _Worst(NamedTuple):
    """The most that a call of some duration can cost and draw."""

    money_micro: int
    pools: Mapping[PoolKey, int]


class _Bound(NamedTuple):
    """The least that is left for a call, and the word for it where that is not enough."""

    micro: int
    refusal: Refusal


def authorise(
    wish: Wish,
    book: Book,
    used: Mapping[PoolKey, int],
    money_micro: int | None,
    spent: Mapping[Count, int] = NOTHING_SPENT,
) -> Grant | Refusal:
    """Find the longest duration that allowances and money pay for together.

    Args:
        wish: the call.
        book: what is in force.
        used: seconds used of each pool of the account, those that other calls have set aside included.
        money_micro: what is left, without what other calls have set aside; below zero counts as nothing;
            None for an account that is invoiced.
        spent: of what limits of the account count, what calls have cost and others have set aside.

    Returns:
        The longest duration, up to the one that was wished for, or why it is not even a second.
    """
    account = book.account_of(wish.payer)
    if account is None:
        return Refusal.NO_ACCOUNT
    destination = book.destinations.look_up(wish.number, account.country)
    if wish.why == EMERGENCY or (destination is not None and destination.kind is Kind.EMERGENCY):
        return Grant(limit_s=min(wish.seconds, LONGEST_LEG_S), money_micro=0, pools={})
    if destination is None or not FIRST_US <= wish.first_us <= wish.last_us < LAST_US:
        return Refusal.NO_PRICE
    bound = _bound(wish, account, money_micro, spent)
    if bound is None:
        return Grant(limit_s=min(wish.seconds, LONGEST_LEG_S), money_micro=0, pools={})
    return _longest(_Call(wish, book, account, destination, used), bound)


def _bound(
    wish: Wish, account: Account, money_micro: int | None, spent: Mapping[Count, int]
) -> _Bound | None:
    """Find the least that is left, of the credit or below a limit; the credit where both are the same."""
    found = [] if money_micro is None else [_Bound(max(money_micro, 0), Refusal.NO_CREDIT)]
    counted = counts(account.limits, wish.payer, account.zone, wish.first_us, wish.last_us)
    nearest = left(counted, spent)
    if nearest is not None:
        found.append(_Bound(max(nearest.micro, 0), reached(nearest.limit)))
    return min(found, key=_micro, default=None)


def _micro(bound: _Bound) -> int:
    return bound.micro


def reached(limit: Limit) -> Refusal:
    """Say in a word that a limit is reached."""
    if limit.who == WHOLE:
        return Refusal.ACCOUNT_DAY if limit.span is Span.DAY else Refusal.ACCOUNT_MONTH
    return Refusal.EXTENSION_DAY if limit.span is Span.DAY else Refusal.EXTENSION_MONTH


def _longest(call: "_Call", bound: _Bound) -> Grant | Refusal:
    """Halve between a duration that can be paid and one that cannot; the most a call costs grows with it."""
    money_micro, refusal = bound
    wanted_s = min(call.wish.seconds, LONGEST_LEG_S)
    whole = call.worst(wanted_s)
    if whole is not None and whole.money_micro <= money_micro:
        return Grant(limit_s=wanted_s, money_micro=whole.money_micro, pools=whole.pools)
    paid_s, unpaid_s, best = 0, wanted_s, None
    while unpaid_s - paid_s > 1:  # seventeen turns for a day
        middle_s = (paid_s + unpaid_s) // 2
        worst = call.worst(middle_s)
        if worst is not None and worst.money_micro <= money_micro:
            paid_s, best = middle_s, worst
        else:
            unpaid_s = middle_s
    if best is None:
        return Refusal.NO_PRICE if call.worst(1) is None else refusal
    return Grant(limit_s=paid_s, money_micro=best.money_micro, pools=best.pools)


@dataclass(slots=True)
class _Call:
    """A wish with all that its price depends on."""

    wish: Wish
    book: Book
    account: Account
    destination: Destination
    used: Mapping[PoolKey, int]

    def worst(self, limit_s: int) -> _Worst | None:
        """Find the most that it can cost and draw; None where a second of it may have no price."""
        money_micro, pools = 0, dict[PoolKey, int]()
        for answered_us in self._answers(limit_s):
            for talk_s in self._durations(answered_us, limit_s):
                priced = self._price(answered_us, talk_s, limit_s)
                if priced is None:
                    return None
                money_micro = max(money_micro, priced.money_micro)
                for pool, seconds in priced.pools.items():
                    pools[pool] = max(seconds, pools.get(pool, 0))
        return _Worst(money_micro, pools)

    def _answers(self, limit_s: int) -> Iterator[int]:
        """Yield answers of which one costs as much as any other."""
        start_us, last_us = self.wish.first_us, self.wish.last_us
        while start_us <= last_us:  # a turn for each stretch of the window
            end_us = self.book.stretch(self.account, start_us).end_us
            yield start_us
            far_s = max((end_us - start_us) // SECOND_US - limit_s, 0)  # so long a change does not come near
            yield from range(start_us + (far_s + 1) * SECOND_US, min(end_us, last_us + 1), SECOND_US)
            if start_us + far_s * SECOND_US < last_us < end_us:
                yield last_us
            start_us = end_us

    def _durations(self, answered_us: int, limit_s: int) -> Iterator[int]:
        """Yield durations of which one costs as much as any other."""
        end_us = self.book.stretch(self.account, answered_us).end_us
        while (seconds := -((answered_us - end_us) // SECOND_US)) < limit_s:  # a turn for each stretch
            yield seconds
            end_us = self.book.stretch(self.account, end_us).end_us
        yield limit_s

    def _price(self, answered_us: int, talk_s: int, limit_s: int) -> _Worst | None:
        """Ask the kernel, as if the call had been."""
        stretch = self.book.stretch(self.account, answered_us)
        terms = stretch.terms(self.destination, stretch.listed(self.wish.number))
        if terms is None:
            return None
        leg = Leg(
            key="",
            linkedid="",
            trunk="",
            payer=self.wish.payer,
            why=self.wish.why,
            number=self.wish.number,
            answered_us=answered_us,
            ended_us=answered_us + talk_s * SECOND_US,
            limit_s=limit_s,
        )
        segments = cut(leg, self.book, self.account, self.destination, billable_seconds(leg, terms.price))
        if isinstance(segments, Quarantined):
            return None
        drawn: dict[PoolKey, int] = {}
        pieces: list[Piece] = []
        for segment in segments:
            draw(segment, self.used, drawn, pieces)
        lift(terms.price, pieces)
        money_micro = terms.price.connection_micro + sum(piece.amount_micro for piece in pieces)
        return _Worst(money_micro, {pool: used_s - self.used.get(pool, 0) for pool, used_s in drawn.items()})
