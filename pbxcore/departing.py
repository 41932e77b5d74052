"""Numbers that were ported to us and that a change no longer knows.

Problem: whoever takes out the entry of the temporary number takes the customer's own out of service, too, for
it is known by that entry alone. Owns finding them beside what is stored, the refusal of a document that names
no base, and the note of one that does: what it leaves out, it means to. Refuses to judge numbers of the
tenant's own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dialplan.block import numbers_of
from dialplan.finding import Finding
from dialplan.spec import NumberSpec, TenantSpec
from pbxcore import claims
from pbxcore.attached import place
from pbxcore.beside import Note
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.documents import Located, Read, locate

SQL = named(Path(__file__).with_name("lasting.sql"))
NUMBERS = ("numbers",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departing:
    """An entry by which ported numbers are known, and that a document leaves out.

    Attributes:
        document: that leaves it out.
        key: the entry, by its temporary number.
        entry: what stands there, as it is stored.
        number: the first of the numbers that nobody would have.
        more: how many of them there are besides: a block's.
    """

    document: Read
    key: str
    entry: NumberSpec
    number: str
    more: int

    @property
    def _message(self) -> str:
        """Say what becomes of calls."""
        confirmed = self.entry.porting.confirmed if self.entry.porting else ""
        who = f"{self.number} and {self.more} more were" if self.more else f"{self.number} was"
        known = f"ported on {confirmed} and known by the entry {self.key} alone, which is left out"
        return f"{who} {known}: calls to {'them' if self.more else 'it'} end with unknown-number"

    @property
    def _keeping(self) -> str:
        """Say what to write, for whoever means to keep it."""
        changed = "without stands_for, right_of_use and porting"
        return f'to keep it, rename that entry to "{self.entry.stands_for}" {changed}'

    def refusal(self) -> Located:
        """Say it of a document that may have been written before the porting."""
        giving_up = f"to give it up, take it out of what `pbxcore export {self.document.id}` writes"
        finding = Finding(
            path=NUMBERS,
            code="porting-forgotten",
            message=self._message,
            remedy=f"{self._keeping}; {giving_up}",
        )
        return locate(self.document, [finding])[0]

    def note(self) -> Note:
        """Say it of a document that means what it leaves out."""
        file, line = place(self.document.file, self.document.tree, NUMBERS)
        return Note(
            f"{file}:{line}: numbers: {self._message}", f"{self._keeping}; to give it up, leave it so"
        )


async def refusals(
    connection: Connection, documents: Sequence[Read], based: Collection[str]
) -> tuple[Located, ...]:
    """Refuse to lose numbers by documents without a base.

    Args:
        connection: to the database.
        documents: of the change.
        based: ids of the tenants whose documents name their base.
    """
    asked = {one.id for one in documents} - set(based)
    return tuple(one.refusal() for one in await _departing(connection, documents, asked))


async def notes(
    connection: Connection, documents: Sequence[Read], based: Collection[str]
) -> tuple[Note, ...]:
    """Say which numbers a change gives up; to be asked before it is stored, and after `refusals`.

    That has judged the documents without a base: those with one are left, and nobody is asked about twice.
    """
    return tuple(one.note() for one in await _departing(connection, documents, based))


async def _departing(
    connection: Connection, documents: Sequence[Read], asked: Collection[str]
) -> list[Departing]:
    """Find them in the tenants asked about; one that goes to another tenant of the change is not lost."""
    whole = (one for one in documents if isinstance(one.spec, TenantSpec) and not one.gaps)
    tenants = {one.id: one for one in whole if one.id in asked}
    rows = await connection.fetch(SQL["ported"], sorted(tenants)) if tenants else ()
    if not rows:
        return []
    specs = (one.spec for one in documents)
    kept = {number for spec in specs if isinstance(spec, TenantSpec) for number in claims.numbers(spec)}
    return [one for row in rows for one in _left_out(tenants[str(row["id"])], dict(row), kept)]


def _left_out(document: Read, row: Mapping[str, str], kept: Collection[str]) -> Iterator[Departing]:
    try:
        stored = TenantSpec.model_validate_json(row["document"])
    except ValidationError:  # of another version of this program: it says nothing
        return
    lost: dict[str, list[str]] = {}
    for one in numbers_of(stored).values():
        number = one.number.stands_for
        confirmed = one.number.porting and one.number.porting.confirmed
        if number and confirmed and number not in kept:
            lost.setdefault(one.key, []).append(number)
    for key, (first, *others) in lost.items():
        yield Departing(document=document, key=key, entry=stored.numbers[key], number=first, more=len(others))
