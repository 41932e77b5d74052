"""The revision that a change started from: whoever changes an older one than is in force is refused.

Owns how a document and a caller name that base, and what a refusal tells. Refuses to merge: which of two
changes is right is for people to say.

A document names its base in a comment before its first key, `# base: 7`, as `pbxcore export` writes it: no
part of what the document says, so it makes no difference between revisions. Base 0: there is none yet. A
document without a base replaces whatever is in force.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TypeAlias

from pbxcore.callers import Sides
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.revisions import LONGEST_HISTORY, Entry, revision

SQL = named(Path(__file__).with_name("revisions.sql"))
MARK = "\ufeff"  # what some editors put before a text
HEAD = re.compile(
    rf"{MARK}?(?:[ \t]*(?:#.*)?(?:\r?\n|\Z)|---[ \t]*\r?\n)*?"
    r"#[ \t]*base:[ \t]*(\d{1,9})[ \t]*(?:\r?\n|\Z)",
    re.IGNORECASE,
)
Bases: TypeAlias = int | Mapping[str, int] | None
"""The base of a change's one document, or bases by `kind/id`; None: what the documents themselves say."""


class BaseError(ValueError):
    """A base was given for a document that is not among those of the change.

    Attributes:
        code: stable word for answers.
    """

    code = "base-of-nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A document that is refused because it was made from an older revision than the one in force.

    Attributes:
        base: the revision it was made from.
        current: the revision in force, 0 for none.
        newer: who made the revisions after the base, the newest first.
        theirs: what they changed, a unified diff from the base; empty where that never was.
        yours: what the refused document changes, a unified diff from the base, or, where there is none, from
            what is in force.
        callers: what both mean for callers; None where a document decides no calls.
    """

    kind: str
    id: str
    file: str
    base: int
    current: int
    newer: tuple[Entry, ...]
    theirs: str
    yours: str
    callers: Sides | None = None

    @property
    def has_base(self) -> bool:
        """Whether there is a revision that both sides began with."""
        return 0 < self.base <= self.current


def key_of(kind: str, name: str) -> str:
    """Name a document among others: `tenant/acme`."""
    return f"{kind}/{name}"


def base_of(text: str) -> int | None:
    """Give the base that a document names; None if it names none."""
    found = HEAD.match(text)
    return int(found[1]) if found else None


def without_base(text: str) -> str:
    """Take the comment with the base out of a document."""
    found = HEAD.match(text)
    if not found:
        return text
    start = text.rfind("\n", 0, found.start(1)) + 1
    return text[:start].removeprefix(MARK) + text[found.end() :]


def with_base(text: str, number: int) -> str:
    """Write the base into a document, in the place of a former one."""
    return f"# base: {number}\n{without_base(text).removeprefix(MARK)}"


def bases_of(texts: Mapping[str, str], given: Bases) -> dict[str, int]:
    """Give the base of each document that has one: what it names itself or what was given, the newer.

    Args:
        texts: the documents of a change as they were written, by `kind/id`.
        given: what the caller says.

    Raises:
        BaseError: it was given for a document that is not there, or one number for several.
    """
    if isinstance(given, int):
        if len(texts) != 1:
            raise BaseError(f"one base for {len(texts)} documents")
        given = dict.fromkeys(texts, given)
    unknown = sorted(set(given or ()) - set(texts))
    if unknown:
        raise BaseError(f"a base for {unknown[0]}, which is not among the documents")
    own = {key: base_of(text) for key, text in texts.items()}
    said = {key: [one for one in (own[key], (given or {}).get(key)) if one is not None] for key in texts}
    return {key: max(bases) for key, bases in said.items() if bases}


async def refuse(  # noqa: PLR0913 — a document and its place
    connection: Connection, *, kind: str, name: str, file: str, text: str, base: int
) -> Stale:
    """Say of a document what has happened since its base, and what it changes itself."""
    began = await revision(connection, kind, name, base)
    current = await revision(connection, kind, name)
    newer = await connection.fetch(SQL["newer"], kind, name, base, LONGEST_HISTORY)
    before = began.source if began else ""
    from_here = began or current
    return Stale(
        kind=kind,
        id=name,
        file=file,
        base=base,
        current=current.revision if current else 0,
        newer=tuple(Entry(**dict(row)) for row in newer),
        theirs=_difference(before, current.source, base, "in force") if current and newer else "",
        yours=_difference(from_here.source, text, from_here.revision, "yours") if from_here else text,
    )


def _difference(before: str, after: str, base: int, name: str) -> str:
    lines: Iterable[str] = unified_diff(
        without_base(before).splitlines(), without_base(after).splitlines(),
        f"revision {base}", name, n=1, lineterm="",
    )  # fmt: skip
    return "\n".join(lines)
