"""What is wrong with documents beside others: those in force or, where these cannot be asked, each other.

Owns what can be said of documents that have other mistakes, too, for every way in (`check`, `apply`, the
watched folder, `rate`): each tells all of it at once. Refuses to read files, and to know what is in force:
that brings whoever asks.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from dialplan.finding import Finding
from dialplan.spec import TenantSpec
from pbxcore import database, documents
from pbxcore.documents import Examined, Located, Mistake, Read
from pbxcore.gaps import FROM_CATALOGUE
from pbxcore.payers import limited_tenants
from rating import account, catalogue
from rating.account import AccountSpec
from rating.catalogue import CatalogueSpec
from rating.contract import document as contracts
from rating.contract.document import ContractSpec
from rating.contract.edition import shelf
from rating.destinations.load import load


class Note(NamedTuple):
    """Something that keeps nobody from applying, and what to do about it."""

    message: str
    remedy: str


Compared: TypeAlias = tuple[tuple[Located, ...], tuple[Note, ...]]
"""What is wrong with documents; what is to be done beside them, or is not known of them."""
Compare: TypeAlias = Callable[[Sequence[Read]], Awaitable[Compared]]
"""Compares documents with all others there are."""


async def judge(
    found: Examined, destinations: Path, compare: Compare
) -> tuple[tuple[Located, ...], tuple[Note, ...]]:
    """Judge documents by others, as far as their own mistakes let that be known; say what stays unknown.

    One that cannot be made out might be what another one needs: then nothing is compared with what is in
    force. What hangs on the gaps of another one is not judged.

    Args:
        found: the documents, as they were read.
        destinations: folder of the tables of destinations.
        compare: asks all others; where it cannot (`database.AWAY`), each document is judged by these alone.
    """
    every = (*found.right, *found.marred)
    gaping = {(one.kind, one.id) for one in every if one.gaps}
    uncertain = {one.file for one in every if gaping & set(_named(one))}
    judged = [one for one in every if one.kind != "contract" or one.file not in uncertain]
    told, notes = await _compared(judged, destinations, compare, complete=found.complete)
    known = (one for one in told if one.file not in uncertain or one.finding.code not in FROM_CATALOGUE)
    return tuple(known), notes


async def _compared(
    judged: Sequence[Read], destinations: Path, compare: Compare, *, complete: bool
) -> tuple[tuple[Located, ...], tuple[Note, ...]]:
    if not complete or not judged:
        return tuple(_by_themselves(judged, destinations)), ()
    try:
        return await compare(judged)
    except database.AWAY:
        return tuple(_by_themselves(judged, destinations)), tuple(_unknown(judged))


def _unknown(right: Sequence[Read]) -> Iterator[Note]:
    """Say what documents name that stands in none of them."""
    there = {(one.kind, one.id) for one in right}
    named = ((one, named) for one in right for named in _named(one))
    for one, (kind, name) in named:
        if (kind, name) not in there:
            message = (
                f"{one.kind} {one.id} was not checked against its {kind} {name}, which is not among these"
            )
            yield Note(message, "name its file, too, or start the machine: what is in force is asked then")
    if tenants := [one.id for one in right if one.kind == "tenant"]:
        message = f"whether contracts let {', '.join(tenants)} have what they use, the database alone knows"
        yield Note(message, "start the machine: what is in force is asked then")


def _named(one: Read) -> Iterator[tuple[str, str]]:
    """Give the documents that another one names, unless what it names is malformed."""
    return (named for named in _names_of(one) if named[:1] not in one.gaps)


def _names_of(one: Read) -> Iterator[tuple[str, str]]:
    if isinstance(one.spec, TenantSpec):
        yield "account", one.spec.account
    if isinstance(one.spec, AccountSpec):
        yield from (("catalogue", name) for name in one.spec.catalogues)
        yield from (("tenant", tenant) for tenant in sorted(limited_tenants(one.spec)))
    if isinstance(one.spec, ContractSpec) and one.spec.catalogue:
        yield "catalogue", one.spec.catalogue


def _by_themselves(right: Sequence[Read], destinations: Path) -> Iterator[Located]:
    """Check catalogues against the destinations; accounts and contracts whose catalogue is there."""
    offered = [one.spec for one in right if isinstance(one.spec, CatalogueSpec)]
    named = {spec.catalogue for spec in offered}
    countries = load(destinations).countries if offered else frozenset()
    for one in right:
        if isinstance(one.spec, CatalogueSpec):
            yield from documents.locate(one, catalogue.check(one.spec, countries))
        if isinstance(one.spec, AccountSpec) and named.issuperset(one.spec.catalogues):
            yield from documents.locate(one, account.check(one.spec, offered))
        if isinstance(one.spec, ContractSpec) and one.spec.catalogue in named:
            yield from documents.locate(one, contracts.check(one.spec, shelf(offered)))


def broken_by(document: Read, payer: AccountSpec, findings: Iterable[Mistake]) -> tuple[Located, ...]:
    """Say of a catalogue what it would break in an account that is in force."""
    if not isinstance(document.spec, CatalogueSpec) or document.id not in payer.catalogues:
        return ()
    whose = f"account {payer.account}, which is in force: "
    told = (
        Finding(path=(), code=one.code, message=whose + one.message, remedy=one.remedy) for one in findings
    )
    return documents.locate(document, told)
