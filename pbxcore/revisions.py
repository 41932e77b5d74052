"""Every document that was ever in force, by number. Owns reading them; the door alone adds one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dialplan.spec import TenantSpec
from pbxcore.database.queries import named
from rating.store.ledger import Connection

SQL = named(Path(__file__).with_name("revisions.sql"))
LONGEST_HISTORY = 1_000
NAMED_PATHS = 4  # of what a revision changed; `pbxcore export` shows all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a history: who changed what, and when.

    Attributes:
        revision: of a contract the number of a fact.
        what: that fact says, and of which day; of a document where it differs from the revision before.
        removed: with it a tenant was taken out of force; its document is the one that it had.
    """

    kind: str
    id: str
    revision: int
    author: str
    created_at: datetime
    what: str = ""
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision(Entry):
    """A document as it was stored.

    Attributes:
        source: as it was written, comments included.
        document: what it says, JSON.
        entitlements: what the contract of a tenant's account lets it use, JSON; None: what the document says.
    """

    source: str
    document: str
    entitlements: str | None

    @property
    def tenant(self) -> TenantSpec:
        """A tenant as it is in force with this revision.

        Raises:
            ValueError: this version of the program cannot read it.
        """
        given = {} if self.entitlements is None else {"entitlements": json.loads(self.entitlements)}
        return TenantSpec.model_validate_json(json.dumps({**json.loads(self.document), **given}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant as it is in force: its newest revision, who made it, and what it has.

    Attributes:
        account: pays for its calls.
        numbers: those that lead to it today, E.164.
        extensions: how many.
    """

    id: str
    name: str
    account: str
    revision: int
    since: datetime
    author: str
    numbers: tuple[str, ...]
    extensions: int


def entitled(spec: TenantSpec, stored: Revision | None) -> TenantSpec:
    """Give a document that is not in force with what its contract lets the tenant use today, and later."""
    if stored is None or stored.entitlements is None or spec.entitlements:
        return spec
    return spec.model_copy(update={"entitlements": stored.tenant.entitlements})


async def tenants(connection: Connection) -> Sequence[Tenant]:
    """Give every tenant, by id."""
    rows = await connection.fetch(SQL["tenants"])
    return [Tenant(**{**dict(row), "numbers": tuple(row["numbers"])}) for row in rows]


async def revision_of(connection: Connection, kind: str, name: str, document: str) -> int | None:
    """Give the newest revision that put in force what a document, JSON, says; None if there is none."""
    found = await connection.fetchval(SQL["same"], kind, name, document)
    return None if found is None else int(found)


async def tenant_of_number(connection: Connection, number: str) -> str | None:
    """Give the tenant that a number leads to now; None if it is nobody's."""
    found = await connection.fetchval(SQL["tenant_of_number"], number)
    return None if found is None else str(found)


async def names(connection: Connection, kind: str = "") -> Sequence[str]:
    """Give the names of all documents of a kind, or of any."""
    return [str(row["id"]) for row in await connection.fetch(SQL["names"], kind)]


async def history(
    connection: Connection, name: str, *, kind: str = "", limit: int = LONGEST_HISTORY
) -> Sequence[Entry]:
    """Give the history of every document of this name, or of its one kind, the newest revision first."""
    return [_entry(dict(row)) for row in await connection.fetch(SQL["history"], name, limit, kind)]


def _entry(row: Mapping[str, Any]) -> Entry:
    what = row["what"] or _difference(row)
    keys = ("kind", "id", "revision", "author", "created_at", "removed")
    return Entry(**{key: row[key] for key in keys}, what=what)


def _difference(row: Mapping[str, Any]) -> str:
    """Say in a few words where a revision differs from the one before."""
    if row["alone"]:  # of more than are shown the oldest has nothing to be compared with
        return "first revision" if row["revision"] == 1 else ""
    if row["removed"]:
        return "out of force"
    paths = row["paths"]
    more = f" and {len(paths) - NAMED_PATHS} more" if len(paths) > NAMED_PATHS else ""
    named = ", ".join(paths[:NAMED_PATHS]) + more
    if row["removed_before"]:
        return f"in force again: {named}" if named else "in force again"
    if paths and row["said_before"] is not None:
        return f"as revision {row['said_before']} again: {named}"
    if row["entitled"]:
        return "; ".join(filter(None, (named, "what its contract lets it use")))
    return named or "the order of what stands in it"


async def newest_two(connection: Connection, kind: str, name: str) -> tuple[Entry | None, Entry | None]:
    """Give the newest revision of a document, with what it changed, and the one before."""
    found = await history(connection, name, kind=kind, limit=2)
    newest, before = (*found, None, None)[:2]
    return newest, before


async def revision(
    connection: Connection, kind: str, name: str, number: int | None = None
) -> Revision | None:
    """Give a revision by its number, or the newest; None if there is none."""
    if number is None:
        row = await connection.fetchrow(SQL["newest"], kind, name)
    else:
        row = await connection.fetchrow(SQL["one"], kind, name, number)
    return Revision(**dict(row)) if row else None
