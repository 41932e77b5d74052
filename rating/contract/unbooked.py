"""Where an account's document books otherwise than its contract sells: minutes unpaid, or not granted.

Owns the comparison, by months, and the words of what to write. Refuses to book: the account's document says
what is granted, and what no catalogue of the contract sells is nobody's business but the document's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from rating.account import AccountSpec
from rating.contract import bookings
from rating.contract.bookings import Booking
from rating.contract.calendar import DAY, month_end
from rating.contract.ending import Step
from rating.contract.state import State
from rating.periods import month_start, next_month


def steps(contract: str, state: State, account: AccountSpec, today: date) -> tuple[Step, ...]:
    """Say what is to be written into an account's document, so that it books what its contract sells.

    Args:
        contract: its id.
        state: of the contract when all has begun and ended that is known to.
        account: its document.
        today: by the clock of the account; what was before is past.
    """
    if not state.periods:
        return ()  # nobody has signed it, or what was signed has not begun: nothing is sold
    since = month_start(max(today, min(one.first for one in state.periods)))
    bundles = [
        Booking(name=one.bundle, size=one.size, first=one.first, until=one.until) for one in account.bundles
    ]
    bought = [Booking(name=one.buy_out, first=one.first, until=one.until) for one in account.buy_outs]
    compared = (
        ("bundle", bookings.bundles(state), bundles, _bundles_sold(state)),
        ("buy_out", bookings.buy_outs(state), bought, _buy_outs_sold(state)),
    )
    found = []
    for key, sold, booked, names in compared:
        for name in sorted(names):
            ours, theirs = _named(name, sold), _named(name, booked)
            month = differs_from(ours, theirs, since)
            if month is not None:
                words = f"from {month} on account {account.account} books {_listed(key, theirs, month)}, "
                words += f"contract {contract} sells {_listed(key, ours, month)}: "
                found.append(Step("booked", month, words + _remedy(key, ours, since)))
    return tuple(found)


def differs_from(sold: Sequence[Booking], booked: Sequence[Booking], since: date) -> date | None:
    """Give the first month in which one bundle, or buy-out, is booked otherwise than it is sold.

    What is granted in the month that runs stays granted, so of that only what is lacking counts. In the month
    in which a size follows another one either may be booked, as a document has one at a time.
    """
    changes = {month_start(one.first) for one in (*sold, *booked)}
    changes |= {next_month(one.until) for one in (*sold, *booked) if one.until is not None}
    for month in sorted({since, next_month(since), *(day for day in changes if day > since)}):
        due, there = _sizes(sold, month), _sizes(booked, month)
        if bool(due) == bool(there) and there <= due:
            continue
        if month > since or not there:
            return month
    return None


def in_turn(sold: Iterable[Booking]) -> tuple[Booking, ...]:
    """Lay out what was sold of a bundle as a document may have it: one size at a time, ends with a month."""
    found: list[Booking] = []
    for one in sorted(sold, key=lambda one: one.first):
        before = found[-1] if found else None
        if before is None or (before.until is not None and before.until < one.first):
            found.append(one)
        elif before.size == one.size:
            found[-1] = replace(one, first=before.first)
        else:
            ends = month_start(one.first) - DAY
            found[-1:] = [replace(before, until=ends), one] if ends >= before.first else [one]
    return tuple(found)


def _named(name: str, found: Iterable[Booking]) -> tuple[Booking, ...]:
    return tuple(one for one in found if one.name == name)


def _sizes(found: Iterable[Booking], month: date) -> set[str]:
    last = month_end(month)
    return {one.size for one in found if one.first <= last and (one.until is None or one.until >= month)}


def _bundles_sold(state: State) -> set[str]:
    return {
        name
        for one in state.periods
        for product, (name, _) in one.edition.bundles.items()
        if product in one.edition.offer.products
    }


def _buy_outs_sold(state: State) -> set[str]:
    products = (product for one in state.periods for product in one.edition.offer.products.values())
    return {product.buy_out for product in products if product.buy_out is not None}


def _listed(key: str, found: Iterable[Booking], since: date) -> str:
    """Write lines of a document; of what has ended before the month nothing is said."""
    lines = (_line(key, one) for one in in_turn(found) if one.until is None or one.until >= since)
    return " and ".join(lines) or f"no such {key.replace('_', '-')}"


def _line(key: str, one: Booking) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in _values(key, one)) + "}"


def _values(key: str, one: Booking) -> Iterator[tuple[str, object]]:
    yield key, one.name
    if one.size:
        yield "size", one.size
    yield "from", one.first
    if one.until is not None:
        yield "until", one.until


def _remedy(key: str, sold: Iterable[Booking], since: date) -> str:
    lines = " and ".join(f"`- {_line(key, one)}`" for one in in_turn(sold))
    if lines:
        return f"write {lines} below `{key}s:` in the account's document, in place of its own"
    return f"write `until: {month_end(since)}` there, or leave out what begins later"
