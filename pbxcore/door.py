"""The one door for every change: read, check, store as a revision, put in force.

Owns the order of these steps. A change is one transaction: all its documents are stored or none; with any
mistake nothing is stored and everything in force stays. A document made from an older revision than the one
in force is refused, with what happened since (`pbxcore.base`). What is stored is published afterwards
(`pbxcore.publication`); a publication that was cut off is completed by itself (`pbxcore.completion`).
What contracts let tenants use stands in their revisions beside their documents (`pbxcore.entitling`); a
document that uses more is refused, with the change of the contract that would allow it (`pbxcore.offers`).

Whoever sends a change learns which of three became of it, whatever dies meanwhile: nothing is stored (the
error says so), all of it is stored (`Applied.pending` says what is still missing), or, if the database died
over the commit and does not come back in time, that nobody can know yet (`pbxcore.receipt.UnansweredError`).
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from dialplan.finding import Finding
from dialplan.spec import TenantSpec
from pbxcore import (
    allowing,
    claims,
    contract_checks,
    contract_log,
    crediting,
    database,
    departing,
    entitling,
    lasting,
    offers,
    paying,
    publication,
    speaking,
    turn,
    unbooked,
    unpriced,
)
from pbxcore.base import Bases, Stale, bases_of, key_of, refuse
from pbxcore.beside import Compared, Note, broken_by, judge
from pbxcore.callers import both_sides
from pbxcore.change import Change, told
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.documents import Examined, Located, Read, examine, in_order, locate
from pbxcore.entitling import Entries
from pbxcore.machine.running import unstarted_trunks
from pbxcore.offers import Offer
from pbxcore.payers import absent_tenants, limited_tenants, unknown_payers
from pbxcore.publication import Published
from pbxcore.receipt import Receipt, receipt_of, transaction
from pbxcore.settings import Settings
from rating.account import AccountSpec
from rating.book import check
from rating.catalogue import CatalogueSpec
from rating.contract.document import ContractSpec
from rating.contract.edition import shelf
from rating.destinations.load import load

SQL = named(Path(__file__).with_name("door.sql"))
Spec = TypeVar("Spec", bound=BaseModel)
ORDER = ("catalogue", "account", "contract", "tenant")  # each may refer to what stands before it
GOODBYE_S = 2.0  # a server that does not answer is left without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Outcome of a change: all of it is stored, or `findings` says why nothing is.

    Attributes:
        changes: one per document, in the order in which they were stored; empty with findings.
        findings: every mistake, with file and line.
        offers: changes of contracts that would allow what was refused; each can be ordered.
        stale: documents made from an older revision than the one in force; nothing is stored with any.
        published: which tenants were put in force, and what the processes said to it.
        notes: ported numbers that are given up; what accounts book otherwise than their contracts sell; which
            rules send calls to numbers without a price, unless it is pending.
        pending: why what is stored is not published yet; it follows by itself. Empty: it is published.
        in_force_ms: from the moment it was stored to the last acknowledgement.
    """

    changes: tuple[Change, ...] = ()
    findings: tuple[Located, ...] = ()
    offers: tuple[Offer, ...] = ()
    stale: tuple[Stale, ...] = ()
    published: tuple[Published, ...] = field(default=())
    notes: tuple[Note, ...] = ()
    pending: str = ""
    in_force_ms: float = 0.0


@dataclass
class RefusedError(Exception):
    """What shall be done before the documents of a change cannot be; nothing of the change may be stored."""

    finding: Finding


First: TypeAlias = Callable[[Connection], Awaitable[Change]]
"""What is done before the documents of a change, and with them or not at all; RefusedError: it cannot be."""


async def apply(
    settings: Settings, paths: Sequence[Path], *, author: str, base: Bases = None, first: First | None = None
) -> Applied:
    """Check documents and, if nothing is wrong with any of them, put them all in force.

    Args:
        settings: of this machine.
        paths: files, or folders that are searched for `*.yaml`.
        author: who changes it; stands in the revision.
        base: the revisions that the documents were made from, beside what they say themselves.
        first: what is done before, in the same transaction: an order that makes the documents possible.

    Raises:
        BaseError: a base is given for a document that is not there.
        BusyError: another change does not come to its end; nothing is stored.
        UnansweredError: the database died over the commit; all is stored or nothing.
        database.AWAY: the database cannot be reached; nothing is stored.
    """
    trunks = tuple(trunk.name for trunk in settings.trunks)
    found = examine(
        paths,
        trunks=trunks,
        sounds=settings.sounds,
        at=datetime.now(UTC),
        unstarted=unstarted_trunks(settings),
    )
    if found.findings:  # told without the database, too: it may be down
        told, _ = await beside(settings, found)
        return Applied(findings=in_order([*found.findings, *told]))
    return await enter(settings, found.right, author=author, base=base, first=first)


async def beside(settings: Settings, found: Examined) -> tuple[tuple[Located, ...], tuple[Note, ...]]:
    """Find what is wrong with documents beside those in force, or beside each other; see `pbxcore.beside`."""
    return await judge(found, settings.config / "destinations", partial(compare, settings))


async def compare(settings: Settings, documents: Sequence[Read]) -> Compared:
    """Find what is wrong with documents beside those in force, and what is to be done, or is not known.

    Raises:
        database.AWAY: the database cannot be reached.
    """
    bases = bases_of({key(document): document.text for document in documents}, None)
    connection = await database.connect(database.url_of(settings), application="pbxcore check")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            findings = await _check_against_stored(settings, connection, documents, frozenset(bases))
            beyond, notes = await allowing.judge(connection, documents, datetime.now(UTC))
            findings += beyond
            if findings:
                return findings, notes
            notes += await departing.notes(connection, documents, _tenants(documents, bases))
            notes += await paying.to_do(connection, documents)
            return findings, notes + await unbooked.to_do(connection, documents)
    finally:
        connection.terminate()


async def enter(
    settings: Settings,
    documents: Sequence[Read],
    *,
    author: str,
    base: Bases = None,
    first: First | None = None,
) -> Applied:
    """Put documents that have been read in force, as `apply` does."""
    bases = bases_of({key(document): document.text for document in documents}, base)
    if unspoken := await asyncio.to_thread(speaking.speak, settings, documents):
        return Applied(findings=unspoken)
    connection = await connect(settings, author)
    try:
        applied = await _in_turn(settings, connection, documents, author=author, bases=bases, first=first)
        if applied.stale:
            await turn.give_back(connection, turn.DOOR)  # nobody waits for what comes now
            specs = {key(document): document.spec for document in documents}
            return Applied(stale=await _for_callers(settings, connection, applied.stale, specs))
        if applied.findings:
            return applied
        applied = await publish(settings, connection, applied)
        if applied.pending:  # whatever hinders it would hinder the notes, and who waits has waited enough
            return applied
        return replace(applied, notes=applied.notes + await _noted(settings, documents, connection))
    finally:
        with contextlib.suppress(*database.AWAY):
            await connection.close(timeout=GOODBYE_S)


async def _noted(settings: Settings, documents: Sequence[Read], connection: Connection) -> tuple[Note, ...]:
    """Note what has no price, when all is done: a database that goes now takes nothing but the notes."""
    with contextlib.suppress(*database.AWAY):
        return await unpriced.targets(settings, documents, datetime.now(UTC), connection)
    return ()


async def connect(settings: Settings, author: str) -> Connection:
    """Connect under a name that tells those who wait whom they wait for."""
    name = f"pbxcore apply by {author} (process {os.getpid()})"
    return await database.connect(database.url_of(settings), application=name)


async def publish(settings: Settings, connection: Connection, applied: Applied) -> Applied:
    """Publish what is stored; whatever hinders that, it is stored, and the machine itself completes it."""
    changed = [change.id for change in applied.changes if change.changed and change.kind == "tenant"]
    stored = time.monotonic()
    try:
        await turn.give_back(connection, turn.DOOR)  # in every other case it goes with the connection
        published = await publication.catch_up(settings, connection, asked_for=changed)
    except publication.PUT_OFF as error:
        return replace(applied, pending=str(error) or type(error).__name__)
    return replace(applied, published=published, in_force_ms=1_000 * (time.monotonic() - stored))


async def _in_turn(  # noqa: PLR0913 — a change and its company
    settings: Settings,
    connection: Connection,
    documents: Sequence[Read],
    *,
    author: str,
    bases: Mapping[str, int],
    first: First | None,
) -> Applied:
    """Check and store while no other change can: what was true in the check still is.

    The turn is taken before the transaction begins: so the instants of revisions and numbers, which are
    those of the transaction, have the order of the turns.
    """
    await turn.take(connection, turn.DOOR)
    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()
    async with transaction(settings, connection) as commit:
        stale = await _stale(connection, documents, bases)
        if stale:
            return Applied(stale=stale)
        findings = await _check_against_stored(settings, connection, documents, frozenset(bases))
        if findings:
            return Applied(findings=findings)
        notes = await departing.notes(connection, documents, _tenants(documents, bases))
        try:
            async with connection.transaction():  # a savepoint: all of it, or what refuses it
                ordered = (await first(connection),) if first else ()
                stored = await _store(connection, documents, author, ordered)
                changes = (*ordered, *await told(connection, stored, author=author, bases=bases))
        except offers.NotEntitledError as error:
            stands = first is None and all(one.kind in {"tenant", "account"} for one in documents)
            offered = await error.offers(connection, author) if stands else ()
            return Applied(findings=offers.findings(documents, error, offered), offers=offered)
        except (RefusedError, entitling.UndoneError) as error:
            return Applied(findings=_whole(documents, error))
        notes += await unbooked.to_do(connection, documents)
        commit.receipt = await _receipt(connection, changes, author)
    return Applied(changes=changes, notes=notes)


async def _receipt(connection: Connection, changes: Iterable[Change], author: str) -> Receipt | None:
    """Give what this change is known by if its commit is not answered; None if it stores nothing."""
    new = next((change for change in changes if change.changed), None)
    if new is None:
        return None
    return await receipt_of(connection, kind=new.kind, name=new.id, revision=new.revision, author=author)


async def _stale(
    connection: Connection, documents: Sequence[Read], bases: Mapping[str, int]
) -> tuple[Stale, ...]:
    """Find documents made from another revision than the one in force, and that say something else."""
    found = []
    for document in documents:
        base = bases.get(key(document))
        if base is None or document.kind == "contract":  # a log: what others added meanwhile is no conflict
            continue
        revision, same = await _compare(connection, document)
        if revision != base and not same and not await _same(connection, document, base, revision):
            found.append(
                await refuse(
                    connection,
                    kind=document.kind,
                    name=id_of(document),
                    file=document.file,
                    text=document.text,
                    base=base,
                )
            )
    return tuple(found)


async def _for_callers(
    settings: Settings, connection: Connection, refused: Iterable[Stale], specs: Mapping[str, BaseModel]
) -> tuple[Stale, ...]:
    """Add what both sides of each refused tenant mean for callers."""
    now = datetime.now(UTC)
    told = []
    for stale in refused:
        yours = specs[key_of(stale.kind, stale.id)]
        sides = None
        if isinstance(yours, TenantSpec):
            sides = await both_sides(
                settings, connection, yours, base=stale.base, current=stale.current, now=now
            )
        told.append(replace(stale, callers=sides))
    return tuple(told)


async def _check_against_stored(
    settings: Settings, connection: Connection, documents: Sequence[Read], based: Collection[str]
) -> tuple[Located, ...]:
    """Find what is wrong with the documents in the company of those already in force.

    Args:
        settings: of this machine.
        connection: to the database, while no other change can be stored.
        documents: what shall be in force.
        based: keys of those that were made from the revision in force: what they leave out, they mean to.
    """
    whole = [document for document in documents if not document.gaps]  # a gap would look like a wish
    return (
        *await _check_contracts(connection, whole),
        *await _check_agreed(connection, whole),
        *await _check_lasting(connection, whole, based),
        *await _check_tenants(connection, documents),
        *await _check_prices(settings, connection, documents),
        *await _check_limited(connection, documents),
    )


async def _check_lasting(
    connection: Connection, documents: Sequence[Read], based: Collection[str]
) -> list[Located]:
    found: list[Located] = []
    for document in documents:
        if isinstance(document.spec, AccountSpec):
            found += locate(document, await paying.changed(connection, document.spec))
        elif isinstance(document.spec, TenantSpec) and key(document) not in based:
            found += locate(document, await lasting.portings_forgotten(connection, document.spec))
    return [*found, *await departing.refusals(connection, documents, _tenants(documents, based))]


def _tenants(documents: Iterable[Read], based: Collection[str]) -> frozenset[str]:
    """Give the ids of the tenants whose documents name their base."""
    return frozenset(one.id for one in documents if one.kind == "tenant" and key(one) in based)


async def _check_contracts(connection: Connection, documents: Sequence[Read]) -> list[Located]:
    """Judge contracts beside what is stored of them, and the catalogues as they will stand."""
    contracts = [
        (document, document.spec) for document in documents if isinstance(document.spec, ContractSpec)
    ]
    if not contracts:
        return []
    new = {(document.kind, id_of(document)): document for document in documents}
    catalogues = await _standing(connection, "catalogue", CatalogueSpec, new)
    accounts = await _payments(connection, documents, [spec.account or "" for _, spec in contracts])
    found: list[Located] = []
    for document, spec in contracts:
        told = await contract_checks.mistakes(
            connection,
            spec,
            document.tree.value,
            catalogues=catalogues,
            accounts=accounts,
            beside=[one for _, one in contracts],
        )
        told = told or await crediting.refused(connection, spec, document.tree.value, shelf(catalogues))
        found += locate(document, told)
    return found


async def _check_agreed(connection: Connection, documents: Sequence[Read]) -> list[Located]:
    """Judge catalogues beside what stored contracts were agreed by."""
    found: list[Located] = []
    for document in documents:
        if isinstance(document.spec, CatalogueSpec):
            found += locate(document, await contract_checks.rewritten(connection, document.spec))
    return found


async def _accounts(connection: Connection, documents: Sequence[Read], wanted: Iterable[str]) -> set[str]:
    """Give those of these accounts that there are after the change, and all that are new with it."""
    rows = await connection.fetch(SQL["known"], "account", sorted(set(wanted)))
    return {str(row["id"]) for row in rows} | {one.id for one in documents if one.kind == "account"}


async def _payments(
    connection: Connection, documents: Sequence[Read], wanted: Iterable[str]
) -> Mapping[str, str]:
    """Give those of these accounts that there are after the change, and how they pay."""
    rows = await connection.fetch(SQL["payments"], sorted(set(wanted)))
    new = {one.spec.account: one.spec.payment for one in documents if isinstance(one.spec, AccountSpec)}
    return {str(row["id"]): str(row["payment"]) for row in rows} | new


async def _check_tenants(connection: Connection, documents: Sequence[Read]) -> list[Located]:
    tenants = [(document, document.spec) for document in documents if isinstance(document.spec, TenantSpec)]
    accounts = await _accounts(connection, documents, [spec.account for _, spec in tenants])
    numbers = {number for _, spec in tenants for number in claims.numbers(spec)}
    holders = await connection.fetch(SQL["holders"], sorted(numbers), [spec.tenant for _, spec in tenants])
    holder = {str(row["number"]): str(row["tenant"]) for row in holders}
    found: list[Located] = []
    for document, spec in tenants:
        found += locate(document, claims.taken(spec, holder))
        if spec.account not in accounts:
            found += locate(document, [claims.unknown_account(spec.account)])
    return found


async def _check_prices(
    settings: Settings, connection: Connection, documents: Sequence[Read]
) -> list[Located]:
    """Judge catalogues and accounts as they will stand together: the stored ones first, then the new.

    A change of tenants and contracts alone touches neither, and does not wait for all accounts to be read.
    """
    if all(isinstance(document.spec, TenantSpec | ContractSpec) for document in documents):
        return []
    new = {(document.kind, id_of(document)): document for document in documents}
    catalogues = await _standing(connection, "catalogue", CatalogueSpec, new)
    accounts = await _standing(connection, "account", AccountSpec, new)
    destinations = await asyncio.to_thread(load, settings.config / "destinations")
    specs = (*catalogues, *accounts)
    found: list[Located] = []
    for spec, findings in zip(specs, check(destinations, catalogues, accounts), strict=True):
        own = next((document for document in documents if document.spec is spec), None)
        if own:
            found += locate(own, findings)
        elif isinstance(spec, AccountSpec):  # it was right until a catalogue of this change
            found += [one for document in documents for one in broken_by(document, spec, findings)]
    return found


async def _check_limited(connection: Connection, documents: Sequence[Read]) -> list[Located]:
    """Judge whom accounts limit by the tenants as they will stand; those of the change were read along."""
    accounts = [(document, document.spec) for document in documents if isinstance(document.spec, AccountSpec)]
    new = {one.spec.tenant: one.spec for one in documents if isinstance(one.spec, TenantSpec)}
    named = {tenant for _, spec in accounts for tenant in limited_tenants(spec)}
    rows = await connection.fetch(SQL["documents"], sorted(named - new.keys())) if named - new.keys() else ()
    stored, unread = {}, set[str]()
    for row in rows:
        try:
            stored[str(row["id"])] = TenantSpec.model_validate_json(row["document"])
        except ValidationError:  # of another version of this program; what it limits there stays as it is
            unread.add(str(row["id"]))
    found: list[Located] = []
    for document, spec in accounts:
        found += locate(document, tuple(absent_tenants(spec, {*new, *stored, *unread})))
        found += locate(document, await lasting.limits_unread(connection, spec, unread))
        found += locate(document, tuple(unknown_payers(spec, stored)))
    return found


async def _standing(
    connection: Connection, kind: str, model: type[Spec], new: Mapping[tuple[str, str], Read]
) -> list[Spec]:
    """Give the documents of a kind as they stand after the change."""
    rows = await connection.fetch(SQL["in_force"], kind)
    standing = [
        model.model_validate_json(row["document"]) for row in rows if (kind, str(row["id"])) not in new
    ]
    standing += [document.spec for document in new.values() if isinstance(document.spec, model)]
    return standing


async def _store(
    connection: Connection, documents: Sequence[Read], author: str, ordered: Iterable[Change]
) -> tuple[Change, ...]:
    """Store documents, and what follows from them for tenants: those of a change by its own contracts.

    Args:
        connection: to the database.
        documents: of the change.
        author: who changes it.
        ordered: contracts that it changed already; what their tenants may use is stored with it, too.

    Raises:
        NotEntitledError: tenants use more than their contracts let them.
    """
    await connection.execute(SQL["defer"])  # a number may move between two documents of one change
    in_order = sorted(documents, key=lambda document: (ORDER.index(document.kind), id_of(document)))
    tenants = {document.id: document.spec for document in documents if isinstance(document.spec, TenantSpec)}
    await crediting.let_go(connection, documents, author=author)
    before = [
        await _store_one(connection, document, author) for document in in_order if document.kind != "tenant"
    ]
    contracts = [*(one.id for one in documents if one.kind == "contract"), *(one.id for one in ordered)]
    for contract in contracts:
        await crediting.see_to(connection, contract, author=author)
    terms = await entitling.concerned(connection, tenants, contracts=contracts, now=datetime.now(UTC))
    offers.admit(terms, tenants)
    settled = [(one, await entitling.settle(connection, one, author=author)) for one in terms]
    entitled = {tenant: entries for one, entries in settled for tenant in one.tenants}
    changes = [
        await _store_one(connection, document, author, entitled.get(document.id, ()))
        for document in in_order
        if document.kind == "tenant"
    ]
    moved = [change.id for change in changes if change.changed]
    for tenant in moved:
        await let_go(connection, tenant, claims.numbers(tenants[tenant]))
    for tenant in moved:
        await connection.execute(SQL["begin_numbers"], tenant, claims.numbers(tenants[tenant]))
    followed = [
        one
        for each, entries in settled
        for one in await entitling.follow(connection, each, entries, besides=tenants.keys(), author=author)
    ]
    return (*before, *changes, *map(following, followed))


def _whole(documents: Sequence[Read], error: RefusedError | entitling.UndoneError) -> tuple[Located, ...]:
    """Locate what is wrong with a whole change at its first document."""
    return locate(documents[0], [replace(error.finding, path=())])


def following(one: entitling.Entitled) -> Change:
    """Say that a tenant has a new revision because of its contract."""
    return Change(kind="tenant", id=one.tenant, revision=one.revision, changed=True, file="")


async def _store_one(connection: Connection, document: Read, author: str, entries: Entries = ()) -> Change:
    name = id_of(document)
    if isinstance(document.spec, ContractSpec):
        written = document.tree.value
        catalogues = shelf(await contract_log.catalogues(connection))
        before = await crediting.beforehand(connection, document.spec, written, catalogues)
        facts, new = await contract_log.enter(connection, written, author, before.told)
        return Change(kind=document.kind, id=name, revision=facts, changed=new, file=document.file)
    revision, same = await _compare(connection, document, entries)
    if not same:
        revision += 1
        written = json.dumps(entries) if entries else None
        await connection.execute(
            SQL["store"], document.kind, name, revision, body(document), document.text, author, written
        )
    return Change(kind=document.kind, id=name, revision=revision, changed=not same, file=document.file)


async def _compare(
    connection: Connection, document: Read, entries: Entries | None = None
) -> tuple[int, bool]:
    """Give the revision in force, 0 for none, and whether it says the same as a document.

    Args:
        connection: to the database.
        document: that shall be in force.
        entries: what its contract lets the tenant use, if that counts, too.
    """
    row = await connection.fetchrow(SQL["latest"], document.kind, id_of(document))
    if row is None:
        return 0, False
    same = json.loads(row["document"]) == json.loads(body(document)) and not row["removed"]
    if row["spelled"] is not None:  # another order of its options is another catalogue
        same = same and json.dumps(json.loads(row["spelled"])) == json.dumps(json.loads(body(document)))
    if entries is not None:
        same = same and json.loads(row["entitlements"] or "[]") == list(entries)
    return int(row["revision"]), same


async def _same(connection: Connection, document: Read, base: int, revision: int) -> bool:
    """Tell whether two revisions of a document say the same: nobody but a contract changed it meanwhile."""
    found = await connection.fetchval(SQL["same_document"], document.kind, id_of(document), base, revision)
    return bool(found)


def body(document: Read) -> str:
    """Write a document as JSON: as it was written, dates and amounts are text."""
    return json.dumps(document.tree.value, default=str)


async def let_go(connection: Connection, tenant: str, kept: list[str]) -> None:
    """End what a tenant has of numbers, but for those that it keeps; others may have them from now on."""
    await connection.execute(SQL["forget_numbers"], tenant, kept)
    await connection.execute(SQL["end_numbers"], tenant, kept)


def id_of(document: Read) -> str:
    """Name what has revisions: each dated version of a catalogue is a document of its own."""
    if isinstance(document.spec, CatalogueSpec):
        return f"{document.id}@{document.spec.valid_from}"
    return document.id


def key(document: Read) -> str:
    """Name a document as its base does: `tenant/acme`, `catalogue/autphone@2026-01-01`."""
    return key_of(document.kind, id_of(document))
