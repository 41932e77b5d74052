"""A contract in the database: its head, its facts in the order in which they were learned, its quotes.

Owns reading and adding them. Refuses to change or remove any, and to judge (`rating.contract`). Whoever adds
has the turn of the door: between reading and adding nobody else does.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pbxcore.database import Connection
from pbxcore.database.queries import named
from rating.catalogue import CatalogueSpec
from rating.contract.document import ContractSpec, EventSpec

SQL = named(Path(__file__).with_name("contract_log.sql"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fact as it was stored.

    Attributes:
        number: in the order in which facts were learned, from 1.
        event: as a document writes it.
        quote: number of the quote that it orders; None: it orders none that is kept.
    """

    number: int
    event: Mapping[str, Any]
    quote: int | None
    author: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A contract as it is stored: the document that says all of it, and its facts one by one."""

    spec: ContractSpec
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptQuote:
    """A quote that may be ordered.

    Attributes:
        number: of all quotes.
        id: hash of what is agreed; another quote of the same has it, too.
        facts: how many the contract had when it was made.
        wanted: the change, as an event writes it.
        said: what whoever asked was shown.
    """

    number: int
    id: str
    facts: int
    wanted: Mapping[str, Any]
    said: Mapping[str, Any]


async def read(connection: Connection, contract: str) -> Log | None:
    """Give a contract; None if there is none of this id."""
    head = await connection.fetchval(SQL["head"], contract)
    if head is None:
        return None
    rows = await connection.fetch(SQL["facts"], contract)
    entries = tuple(Entry(**{**dict(row), "event": json.loads(row["event"])}) for row in rows)
    document = {**json.loads(head), "events": [one.event for one in entries]}
    return Log(spec=ContractSpec.model_validate(document), entries=entries)


async def catalogues(connection: Connection) -> tuple[CatalogueSpec, ...]:
    """Give every version of every catalogue, as it is in force."""
    rows = await connection.fetch(SQL["catalogues"])
    return tuple(CatalogueSpec.model_validate_json(row["document"]) for row in rows)


async def under(connection: Connection, catalogue: str, since: date) -> tuple[str, ...]:
    """Give the contracts that are, or move, under a catalogue and have a fact of this day or a later one."""
    return tuple(row["id"] for row in await connection.fetch(SQL["under"], catalogue, since))


async def of_account(connection: Connection, account: str) -> str | None:
    """Give the contract that an account is under."""
    found: str | None = await connection.fetchval(SQL["of_account"], account)
    return found


def new_events(log: Log | None, document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Give the events of a document that the log has not yet: the same one twice happened twice."""
    there = Counter(_said(event) for event in log.spec.events) if log is not None else Counter[str]()
    found = []
    for event in document.get("events") or ():
        said = _said(EventSpec.model_validate(event))
        if there[said]:
            there[said] -= 1
        else:
            found.append(event)
    return tuple(found)


def _said(event: EventSpec) -> str:
    """Write what an event says, however it was written."""
    return json.dumps(event.model_dump(mode="json"), sort_keys=True)


def with_events(spec: ContractSpec, log: Log | None, events: Iterable[Mapping[str, Any]]) -> ContractSpec:
    """Give a contract with everything that is stored of it and new events behind."""
    stored = log.spec.events if log is not None else ()
    more = tuple(EventSpec.model_validate(event) for event in events)
    return spec.model_copy(update={"events": (*stored, *more)})


async def enter(
    connection: Connection, document: Mapping[str, Any], author: str, told: Iterable[Mapping[str, Any]] = ()
) -> tuple[int, bool]:
    """Store the facts of a document that are new, behind what the machine itself tells before them.

    Returns:
        How many facts the contract has, and whether anything is new.
    """
    contract = str(document["contract"])
    log = await read(connection, contract)
    if log is None:
        head = {key: value for key, value in document.items() if key not in {"events", "until"}}
        account = document.get("account")
        await connection.execute(SQL["begin"], contract, account, json.dumps(head, default=str), author)
    number = len(log.entries) if log is not None else 0
    events = (*told, *new_events(log, document))
    for number, event in enumerate(events, start=number + 1):  # noqa: B020 — goes on counting
        await append(connection, contract, number, event, author=author)
    return number, log is None or bool(events)


async def append(  # noqa: PLR0913 — a row and its place
    connection: Connection,
    contract: str,
    number: int,
    event: Mapping[str, Any],
    *,
    author: str,
    quote: int | None = None,
) -> None:
    """Add one fact behind the others."""
    await connection.execute(SQL["append"], contract, number, json.dumps(event, default=str), quote, author)


async def keep_quote(  # noqa: PLR0913 — a row and its place
    connection: Connection,
    log: Log,
    *,
    id: str,  # noqa: A002 — the column's name
    wanted: Mapping[str, Any],
    said: Mapping[str, Any],
    author: str,
) -> str:
    """Keep a quote to be ordered, and give the name of its row, `<id>-<number>`.

    The same one of the same facts is there already and keeps its name; of more facts it is another one.
    """
    key = log.spec.contract, id, len(log.entries)
    values = json.dumps(wanted, default=str), json.dumps(said)
    await connection.execute(SQL["keep_quote"], *key, *values, author)
    name: str = await connection.fetchval(SQL["quote_name"], *key)
    return name


async def kept_quote(connection: Connection, contract: str, name: str) -> KeptQuote | None:
    """Give the quote of a name, `<id>-<number>`."""
    row = await connection.fetchrow(SQL["quote"], contract, name)
    if row is None:
        return None
    return KeptQuote(
        number=row["number"],
        id=row["id"],
        facts=row["facts"],
        wanted=json.loads(row["wanted"]),
        said=json.loads(row["said"]),
    )


async def contract_of(connection: Connection, name: str) -> str | None:
    """Give the contract that a quote, by its name, is about."""
    found: str | None = await connection.fetchval(SQL["quoted_for"], name)
    return found
