"""Every document that was ever in force, by number. Owns reading them; the door alone adds one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dialplan.spec import TenantSpec
from pbxcore.database.queries import named
from rating.store.ledger import Connection

SQL = named(Path(__file__).with_name("revisions.sql"))
LONGEST_HISTORY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a history: who changed what, and when.

    Attributes:
        revision: of a contract the number of a fact.
        what: that fact says, and of which day; empty for documents with revisions.
    """

    kind: str
    id: str
    revision: int
    author: str
    created_at: datetime
    what: str = ""


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
    """Give the newest revision that says what a document, JSON, says; None if there is none."""
    found = await connection.fetchval(SQL["same"], kind, name, document)
    return None if found is None else int(found)


async def tenant_of_number(connection: Connection, number: str) -> str | None:
    """Give the tenant that a number leads to now; None if it is nobody's."""
    found = await connection.fetchval(SQL["tenant_of_number"], number)
    return None if found is None else str(found)


async def names(connection: Connection, kind: str = "") -> Sequence[str]:
    """Give the names of all documents of a kind, or of any."""
    return [str(row["id"]) for row in await connection.fetch(SQL["names"], kind)]


async def history(connection: Connection, name: str, *, limit: int = LONGEST_HISTORY) -> Sequence[Entry]:
    """Give the history of every document of this name, the newest revision first."""
    return [Entry(**dict(row)) for row in await connection.fetch(SQL["history"], name, limit)]


async def made_by_others(
    connection: Connection, documents: Iterable[tuple[str, str]], author: str
) -> Mapping[tuple[str, str], Entry]:
    """Give the newest revisions of documents, by kind and id, that somebody else made."""
    rows = [await connection.fetchrow(SQL["newest_entry"], kind, name) for kind, name in documents]
    found = [Entry(**dict(row)) for row in rows if row and row["author"] != author]
    return {(one.kind, one.id): one for one in found}


async def revision(
    connection: Connection, kind: str, name: str, number: int | None = None
) -> Revision | None:
    """Give a revision by its number, or the newest; None if there is none."""
    if number is None:
        row = await connection.fetchrow(SQL["newest"], kind, name)
    else:
        row = await connection.fetchrow(SQL["one"], kind, name, number)
    return Revision(**dict(row)) if row else None
