"""The book of rating, from the documents in force.

Owns which revisions are in force, and that a book knows what was closed. Refuses to let one document that
cannot be read (of another version of this program) stop the others: its legs go to quarantine, and the log
says why. So do the legs that a version of a catalogue would price which cannot be read, not those before its
first day.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pbxcore.database.queries import named
from rating.account import AccountSpec
from rating.book import Book, bind
from rating.catalogue import CatalogueSpec
from rating.destinations import Destinations
from rating.store.closing import closes, keepers
from rating.store.ledger import Connection

CHANNEL = "revision"  # the database tells here that there is a new one

Spec = TypeVar("Spec", bound=BaseModel)

_log = logging.getLogger(__name__)
_SQL = named(Path(__file__).with_name("queries.sql"))


async def load_book(connection: Connection, destinations: Destinations) -> Book:
    """Read the documents in force and bind them, with what closed months have kept of allowances.

    A close keeps what these documents grant; so a book has to be read again when documents change, and not
    when a month is closed.
    """
    catalogues, unread = await _specs(connection, "catalogue", CatalogueSpec)
    accounts, _ = await _specs(connection, "account", AccountSpec)
    payers = {row["tenant"]: row["account"] for row in await connection.fetch(_SQL["payers"])}
    book = bind(destinations, catalogues, accounts, payers)
    book = replace(book, unread=_first_days(unread))
    rolling = [name for name, account in book.accounts.items() if book.rolls_over(account)]
    return book.with_closes(await closes(connection, sorted({*rolling, *await keepers(connection)})))


def _first_days(versions: Iterable[str]) -> Mapping[str, frozenset[date]]:
    """Return the first days of versions, `<catalogue>@<day>`, by catalogue."""
    found: dict[str, frozenset[date]] = {}
    for catalogue, _, day in (version.partition("@") for version in versions):
        first = date.fromisoformat(day) if day else date.min
        found[catalogue] = found.get(catalogue, frozenset()) | {first}
    return found


async def pays_otherwise(connection: Connection, book: Book, tenants: Iterable[str]) -> bool:
    """Tell whether another account pays for one of these tenants than the book says."""
    rows = await connection.fetch(_SQL["payers_of"], sorted(tenants))
    return any(book.payers.get(row["tenant"]) != row["account"] for row in rows)


async def _specs(connection: Connection, kind: str, model: type[Spec]) -> tuple[list[Spec], list[str]]:
    """Read the documents in force, and name those that cannot be read."""
    found, unread = [], []
    for row in await connection.fetch(_SQL["in_force"], kind):
        try:
            found.append(model.model_validate_json(row["document"]))
        except ValidationError as error:
            mistakes = error.errors(include_url=False, include_context=False, include_input=False)
            # The log wants the mistakes, not our stack.
            _log.error("%s %s@%s cannot be read: %s", kind, row["id"], row["revision"], mistakes)
            unread.append(row["id"])
    return found, unread
