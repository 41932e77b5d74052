"""Taking a tenant out of force, and saying before what ends with it.

Owns the change, which goes the way of every other: under the turn of the door, in one transaction with what
follows from it, and published then (`pbxcore.publication`). It is a revision with the document that there
was, so that an earlier one can be put in force again as ever. Refuses to touch what belongs to money:
account, contract and prices stay, calls in progress go on as they were decided, and all legs are rated.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dialplan.outline import TenantOutline
from pbxcore import contract_log, crediting, database, door, entitling, turn
from pbxcore.change import Change
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.door import Applied
from pbxcore.receipt import receipt_of, transaction
from pbxcore.settings import Settings

SQL = named(Path(__file__).with_name("removal.sql"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What ends when a tenant is taken out of force.

    Attributes:
        revision: its newest.
        removed: it is out of force already; by whom and since when say the next two.
        author: of that revision.
        since: of that revision.
        account: that pays for its calls; it stays.
        contract: that its account is under, or empty; it stays, and is told that nothing is used.
        numbers: that lead nowhere then, and may be given to others.
        extensions: how many.
        phones: how many cannot register then.
        mailboxes: how many.
    """

    tenant: str
    name: str
    revision: int
    removed: bool
    author: str
    since: datetime
    account: str
    contract: str
    numbers: tuple[str, ...]
    extensions: int
    phones: int
    mailboxes: int


class RemovalError(Exception):
    """It cannot be taken out of force.

    Attributes:
        remedy: what helps.
    """

    def __init__(self, message: str, remedy: str) -> None:
        """Say why, and what helps."""
        super().__init__(message)
        self.remedy = remedy


async def ending(connection: Connection, tenant: str) -> Ending | None:
    """Say what ends with a tenant; None where there never was one of this name."""
    row = await connection.fetchrow(SQL["newest"], tenant)
    if row is None:
        return None
    numbers = await connection.fetch(SQL["numbers"], tenant)
    return Ending(
        tenant=tenant,
        name=row["name"],
        revision=row["revision"],
        removed=row["removed"],
        author=row["author"],
        since=row["created_at"],
        account=row["account"],
        contract=await contract_log.of_account(connection, row["account"]) or "",
        numbers=tuple(str(one["number"]) for one in numbers),
        **_counts(row["document"]),
    )


def _counts(document: str) -> Mapping[str, Any]:
    """Count what a stored document has, as far as this version of the program can read it."""
    try:
        found = TenantOutline.model_validate_json(document)
    except ValidationError:
        found = TenantOutline()
    return {
        "extensions": len(found.extensions),
        "phones": sum(len(one.devices) for one in found.extensions.values()),
        "mailboxes": sum(one.voicemail is not None for one in found.extensions.values())
        + sum(one.voicemail is not None for one in found.groups.values()),
    }


async def remove(settings: Settings, tenant: str, *, author: str) -> Applied:
    """Take a tenant out of force; no change where it is not in force.

    Raises:
        RemovalError: what its contract was promised is in the way; nothing is stored.
        BusyError: another change does not come to its end; nothing is stored.
        UnansweredError: the database died over the commit; all is stored or nothing.
        database.AWAY: the database cannot be reached; nothing is stored.
    """
    connection = await door.connect(settings, author)
    try:
        changes = await _in_turn(settings, connection, tenant, author)
        if not changes:
            return Applied()
        return await door.publish(settings, connection, Applied(changes=changes))
    finally:
        with contextlib.suppress(*database.AWAY):
            await connection.close(timeout=door.GOODBYE_S)


async def _in_turn(
    settings: Settings, connection: Connection, tenant: str, author: str
) -> tuple[Change, ...]:
    await turn.take(connection, turn.DOOR)
    changes: tuple[Change, ...] = ()
    try:
        async with transaction(settings, connection) as commit:
            there = await ending(connection, tenant)
            if there is None or there.removed:
                return ()
            changes = await _store(connection, there, author)
            revision = there.revision + 1
            commit.receipt = await receipt_of(
                connection, kind="tenant", name=tenant, revision=revision, author=author
            )
    except entitling.UndoneError as error:
        raise RemovalError(error.finding.message, error.finding.remedy) from error
    return changes


async def _store(connection: Connection, there: Ending, author: str) -> tuple[Change, ...]:
    """Store that it is out of force, tell its contract, and give others what follows from that."""
    contracts = [there.contract] if there.contract else []
    for contract in contracts:
        await crediting.see_to(connection, contract, author=author)
    rest = await entitling.concerned(
        connection, {}, contracts=contracts, without=there.tenant, now=datetime.now(UTC)
    )
    settled = [(one, await entitling.settle(connection, one, author=author)) for one in rest]
    await connection.execute(SQL["remove"], there.tenant, there.revision, author)
    await door.let_go(connection, there.tenant, [])
    followed = [
        one
        for each, entries in settled
        for one in await entitling.follow(connection, each, entries, author=author)
    ]
    gone = Change(
        kind="tenant",
        id=there.tenant,
        revision=there.revision + 1,
        changed=True,
        file="",
        what="out of force",
    )
    return (gone, *map(door.following, followed))
