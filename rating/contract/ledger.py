"""What a contract and the balance of its account must learn of each other, so that both come to one sum.

Owns both ways, as functions of a history and of what the balance has had: what the contract is told
(`facts.Ledger`), and what is entered in the balance. Refuses to read or write either (`pbxcore.crediting`).

The problem: two books of one credit. A row of the balance never changes, and a fact that is learned late
changes history. So never single movements are compared, but their sums: by day and kind what the contract
moved, before and since the end of the credit what it was told. What differs is told, or entered, beside.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile

from rating.contract.billing import BESIDE, Movement
from rating.contract.calendar import DAY
from rating.contract.document import ContractSpec
from rating.contract.edition import Shelf
from rating.contract.facts import LAST_MINUTE, Calls, Fact, Ledger
from rating.contract.history import History
from rating.contract.lacking import missing
from rating.contract.story import tell
from rating.contract.wish import Refusal

Key = tuple[date, str]
"""Day and kind of a movement."""
Instant = tuple[date, int]
"""Day, and minute of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the balance of an account has had, by whom it came.

    Attributes:
        paid: what was paid in beside the contract, by the day of the account's clock.
        calls_micro: what rated calls have cost.
        held_micro: what calls under way may cost yet.
        entered: what the contract entered, one amount an entry, by day and kind of what it moved.
    """

    paid: Mapping[date, int] = field(default_factory=dict)
    calls_micro: int = 0
    held_micro: int = 0
    entered: Mapping[Key, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """What the balance lacks of what its contract moved on a day.

    Attributes:
        number: of the entry among those of this day and kind, from 1.
        amount_micro: with a minus what is taken.
    """

    on: date
    what: str
    number: int
    amount_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What makes one sum of both: what the contract is told, and what the balance is given."""

    told: tuple[Fact, ...]
    missed: tuple[Missed, ...]


def due(spec: ContractSpec, offers: Shelf, balance: Balance, day: date, minute: int) -> Due:
    """Find what has fallen due until a day, with what the contract must know for that.

    What goes back at an end is what calls have left; so a credit that is over learns of late ones, too.
    """
    past = tell(spec, offers, day)
    told: tuple[Fact, ...] = ()
    if last_day(past) is not None or missed(past, balance):
        told = untold(past, balance, minute)
    if told:
        past = tell(spec, offers, day, told)
    return Due(told=told, missed=missed(past, balance))


def untold(past: History, balance: Balance, minute: int, *, held: bool = False) -> tuple[Fact, ...]:
    """Write what the balance has seen and the contract does not know yet as facts; none: it knows all.

    What was paid is of its own day, as far as that can be told yet: an order that is dated back finds it
    there. What calls took is of the day up to which the history was told, behind what is known of it. Where
    the credit is over, calls and what was paid by then are of its last day, so that what goes back is what is
    left: what was told later is written back to it.

    Args:
        past: the contract as it is known.
        balance: of its account.
        minute: of the day, now.
        held: what calls under way have set aside counts as spent: nobody else may have it.
    """
    if not any(state.prepaid for state in past.states):
        return ()
    last, state = last_day(past), past.states[-1]
    calls_micro = balance.calls_micro + (balance.held_micro if held else 0)
    found = []
    if last is not None:
        paid_micro = sum(micro for day, micro in balance.paid.items() if day <= last)
        found += _beyond(last, LAST_MINUTE, (paid_micro, calls_micro), _told(past, until=last))
        calls_micro = 0
    if state.prepaid:
        paid = {day: micro for day, micro in balance.paid.items() if last is None or day > last}
        told_paid_micro, told_calls_micro = _told(past, since=last)
        days = _by_day(past, paid, sum(paid.values()) - told_paid_micro)
        of_today_micro = days.pop(state.today)
        for day in sorted(days):
            found += _beyond(day, LAST_MINUTE, (days[day], 0), (0, 0))
        minute = _behind(past, state.today, minute)
        found += _beyond(state.today, minute, (of_today_micro, calls_micro), (0, told_calls_micro))
    return tuple(found)


def before(told: Sequence[Fact], judged: Collection[Instant], today: date) -> tuple[Fact, ...]:
    """Choose what a contract is told before deeds are judged by its credit, and at which minutes.

    Before deeds that are all dated back only payments until then are told, not what has happened since: an
    end dated back may be the day on which that must be.

    Args:
        told: what it does not know yet.
        judged: day and minute of each deed; at least one.
        today: by its account's clock.
    """
    newest = max(day for day, _ in judged)
    known = [fact for fact in told if newest >= today or fact.on <= newest]
    minutes = {fact.on: [minute for day, minute in judged if day == fact.on] for fact in known}
    return tuple(one for fact in known for one in _paid_first(fact, minutes[fact.on]))


def _paid_first(told: Fact, minutes: Collection[int]) -> tuple[Fact, ...]:
    """Tell what was paid at the first of some minutes of its day, and what calls took at its own.

    What was paid counts for whatever is judged on that day, whatever its minute: a document often has none.
    What calls took undoes nothing that is agreed (`overdrawn` looks at what is new).
    """
    deed, first = told.deed, min([*minutes, told.minute])
    assert isinstance(deed, Ledger), "nothing else is told"
    if first == told.minute:
        return (told,)
    apart = ((first, Ledger(paid_micro=deed.paid_micro)), (told.minute, Ledger(calls_micro=deed.calls_micro)))
    return tuple(Fact(on=told.on, minute=minute, deed=one) for minute, one in apart if one != Ledger())


def missed(past: History, balance: Balance) -> tuple[Missed, ...]:
    """Find what a balance lacks of what its contract has moved by itself.

    A fact that is learned late may change what was moved on a day: then the difference is entered.
    """
    moved = Counter[Key]()
    for one in past.entries:
        if isinstance(one, Movement) and one.what not in BESIDE:
            moved[one.on, one.what] += one.amount_micro
    moved.subtract({key: sum(amounts) for key, amounts in balance.entered.items()})
    return tuple(
        Missed(on=on, what=what, number=len(balance.entered.get((on, what), ())) + 1, amount_micro=micro)
        for (on, what), micro in sorted(moved.items())
        if micro
    )


def told_since(past: History, day: date) -> bool:
    """Tell whether a contract was told on a day, or since, what its balance has seen."""
    return any(isinstance(one.fact.deed, Ledger) and one.fact.on >= day for one in past.answers)


def overdrawn(before: History, after: History) -> tuple[Refusal, ...]:
    """Find what a credit lacks today for what is new, if it is dated back: calls have had it since then.

    Debits on the first may make a debt; what is ordered may not.
    """
    taken_micro = _ordered(before) - _ordered(after)
    lacking_micro = min(taken_micro, -after.states[-1].balance_micro)
    return (missing(lacking_micro),) if lacking_micro > 0 else ()


def too_early(past: History, days: Collection[date]) -> tuple[Refusal, ...]:
    """Find orders for a later day: calls may have had the money by then, and would undo what was agreed."""
    later = [day for day in days if day > past.states[-1].today]
    if not later or not past.states[-1].prepaid:
        return ()
    message = f"by {max(later)} calls may have had the money: a credit pays on the day of the order"
    return (Refusal("too-early", message, "order it on its day"),)


def last_day(past: History) -> date | None:
    """Give the last day of a credit that ended, or was left for invoices; None: it goes on, or never was."""
    state = past.states[-1]
    if state.prepaid:
        return state.last if state.ended else None
    invoiced = tuple(takewhile(lambda one: not one.prepaid, reversed(past.states)))
    return invoiced[-1].today - DAY if len(invoiced) < len(past.states) else None


def invoiced_from(past: History) -> date | None:
    """Give the first day on which a contract is invoiced that was on credit; None: it never leaves it."""
    last = last_day(past)
    return None if last is None or past.states[-1].prepaid else last + DAY


def on_credit(past: History, day: date) -> bool:
    """Tell whether a contract is paid from a credit on a day or will be, if it is signed (again)."""
    return past.on(day).prepaid or any(one.prepaid for one in past.states if one.today > day)


def _told(past: History, *, since: date | None = None, until: date | None = None) -> tuple[int, int]:
    """Sum what a contract knows that was paid, and that calls took, behind a day or up to one."""
    known = [
        one
        for one in past.entries
        if isinstance(one, Movement) and one.what in BESIDE
        if (since is None or one.on > since) and (until is None or one.on <= until)
    ]
    paid_micro = sum(one.amount_micro for one in known if one.what == "paid")
    return paid_micro, paid_micro - sum(one.amount_micro for one in known)


def _by_day(past: History, paid: Mapping[date, int], untold_micro: int) -> Counter[date]:
    """Spread what was paid and not told over the days of the newest payments; the rest is of today.

    What was told covers the oldest ones: it was told in the order of time.
    """
    today = past.states[-1].today
    found, left_micro = Counter({today: untold_micro}), untold_micro
    for day in sorted(paid, reverse=True):
        part_micro = max(0, min(paid[day], left_micro))
        left_micro -= part_micro
        if part_micro and _may_be_told(past, day):
            found[today] -= part_micro
            found[day] += part_micro
    return found


def _may_be_told(past: History, day: date) -> bool:
    """Tell whether more money on a day leaves every answer as it is: what was refused stays refused."""
    state = past.on(day)
    answered = (one for one in past.answers if one.fact.on >= day)
    return (
        day < past.states[-1].today
        and state.prepaid
        and state.edition.version <= day
        and not any(one.outcome == "refused" or isinstance(one.fact.deed, Calls) for one in answered)
    )


def _beyond(day: date, minute: int, seen: tuple[int, int], told: tuple[int, int]) -> list[Fact]:
    """Write as a fact what was paid and what calls took beyond what was told."""
    paid_micro, calls_micro = (one - other for one, other in zip(seen, told, strict=True))
    deed = Ledger(paid_micro=paid_micro, calls_micro=calls_micro)
    return [Fact(on=day, minute=minute, deed=deed)] if deed != Ledger() else []


def _behind(past: History, day: date, minute: int) -> int:
    """Give the minute at which something is told: behind all that is known of its day."""
    known = (one.fact.minute + 1 for one in past.answers if one.fact.on == day)
    return min(max(minute, *known, 0), LAST_MINUTE)


def _ordered(past: History) -> int:
    """Sum what was taken with orders, with a minus."""
    return sum(one.amount_micro for one in past.entries if isinstance(one, Movement) and one.what == "order")
