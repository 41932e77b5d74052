"""What purses begin with: what accounts have drawn from pools, and what their calls of this month have cost.

Owns when that is read from the database: of all accounts before the first question is taken; when an account
is new or was forgotten, before a leg of it is paid, and for its questions beside the answers of others. From
then on the writer keeps it. Desk and writer read on connections of their own; who comes second finds it. What
was forgotten while a query was under way is asked again: its answer may be old.
"""

import time
from collections.abc import Callable, Collection, Iterable

from pbxcore.rater.purse import Purses
from rating.book import Account, Book
from rating.store import ledger, spending
from rating.store.ledger import Connection

MOST_READS = 50  # a book changes by hand, and this reads within a second: more is a mistake of ours
MOST_AT_ONCE = 500  # accounts: a statement stays far below the patience of a connection


async def read_all(connection: Connection, purses: Purses, book: Book) -> None:
    """Read what is missing of every account whose calls money may end: no first question waits for a sum."""
    bounded = [name for name, account in book.accounts.items() if account.bounded]
    for first in range(0, len(bounded), MOST_AT_ONCE):
        drawn, spent = _missing(purses, book, bounded[first : first + MOST_AT_ONCE])
        await _read(connection, purses, drawn, spent)


async def read(
    connection: Connection,
    purses: Purses,
    book: Callable[[], Book],
    names: Collection[str],
) -> Book:
    """Read what is missing, until nothing is.

    Args:
        connection: to the database.
        purses: where it goes.
        book: gives the one in force.
        names: the accounts in question.

    Returns:
        The book by which nothing is missing; so it stays until the caller waits for something else.
    """
    for _ in range(MOST_READS):
        current = book()
        drawn, spent = _missing(purses, current, names)
        if not drawn and not spent:
            return current
        await _read(connection, purses, drawn, spent)
    raise RuntimeError(f"what accounts have drawn was forgotten {MOST_READS} times while it was read")


def is_known(purses: Purses, book: Book, name: str) -> bool:
    """Tell whether nothing is missing of an account."""
    drawn, spent = _missing(purses, book, (name,))
    return not drawn and not spent


def _missing(purses: Purses, book: Book, accounts: Collection[str]) -> tuple[list[str], list[Account]]:
    """Find accounts of which nobody knows what they have drawn, and those whose spending nobody knows."""
    drawn = [name for name in accounts if purses.of(name).used is None]
    spent = [one for name in accounts if (one := _limited(book, name)) and purses.of(name).spent is None]
    return drawn, spent


def _limited(book: Book, name: str) -> Account | None:
    account = book.accounts.get(name)
    return account if account is not None and account.limits else None


async def _read(
    connection: Connection, purses: Purses, drawn: Iterable[str], spent: Iterable[Account]
) -> None:
    forgotten = purses.forgotten
    used = await ledger.used(connection, drawn) if drawn else {}
    costs = await spending.spent(connection, spent, time.time_ns() // 1_000) if spent else {}
    if purses.forgotten != forgotten:
        return
    for name in drawn:
        purse = purses.of(name)
        if purse.used is None:  # nobody has read it meanwhile, and drawn from it
            purse.used = {pool: seconds for pool, seconds in used.items() if pool[0] == name}
    for account in spent:
        purse = purses.of(account.account)
        if purse.spent is None:
            purse.spent = dict(costs[account.account])
