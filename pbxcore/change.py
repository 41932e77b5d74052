"""What became of one document of a change, and whose revision it took the place of.

Owns how that is told. Refuses to store anything: the door does.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from pbxcore import revisions
from pbxcore.base import key_of
from pbxcore.database import Connection
from pbxcore.revisions import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one document.

    Attributes:
        kind: tenant, account, contract or catalogue.
        id: its immutable id.
        revision: the revision now in force; of a contract how many facts it has.
        changed: False: the document in force says the same already.
        file: where it was read.
        what: where it differs from the revision that was in force, `groups.sales`; empty where it does not.
        replaces: that revision; None: there was none, or nothing changed.
        unseen: somebody else made that one, and the document named no base: its author may not know of it.
    """

    kind: str
    id: str
    revision: int
    changed: bool
    file: str
    what: str = ""
    replaces: Entry | None = None
    unseen: bool = False


async def told(
    connection: Connection, changes: Iterable[Change], *, author: str, bases: Container[str]
) -> tuple[Change, ...]:
    """Say of changes that are stored what they replaced.

    Args:
        connection: to the database.
        changes: in their order.
        author: of all of them.
        bases: keys of the documents that named the revision they were made from.
    """
    return tuple([await _told(connection, one, author, bases) if one.changed else one for one in changes])


async def _told(connection: Connection, change: Change, author: str, bases: Container[str]) -> Change:
    newest, before = await revisions.newest_two(connection, change.kind, change.id)
    if newest is None or before is None or change.kind == "contract":  # a contract replaces nothing
        return change
    based = key_of(change.kind, change.id) in bases
    return replace(change, what=newest.what, replaces=before, unseen=before.author != author and not based)
