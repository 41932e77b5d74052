"""Calls that a tenant may make and nobody prices: said before anybody makes one.

Owns what documents tell of that, those in force beside them. Refuses to forbid such calls: a phone that
cannot call is worse than a leg that waits in quarantine (`rating.store.quarantine`) until its price is known.
"""

import asyncio
import contextlib
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as File
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dialplan import callers, target
from dialplan.build import build_plan
from dialplan.finding import Path
from dialplan.numbers import example
from dialplan.plan import Plan
from dialplan.references import references
from dialplan.rights import Rights, ever_covers, layers
from dialplan.spec import TenantSpec
from pbxcore import claims, database
from pbxcore.attached import place
from pbxcore.beside import Note
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.documents import Read
from pbxcore.settings import Settings
from rating.account import AccountSpec
from rating.book import Stretch, bind
from rating.catalogue import CatalogueSpec
from rating.destinations import Destination, Destinations
from rating.destinations.kind import NOWHERE
from rating.destinations.load import load
from rating.periods import SECOND_US
from rating.unpriced import of_number, unpriced

SQL = named(File(__file__).with_name("unpriced.sql"))
NAMED = 4  # countries by name; of more their number
Spec = TypeVar("Spec", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Paid:
    """A tenant's document, and what its calls cost at an instant."""

    document: Read
    spec: TenantSpec
    stretch: Stretch


async def notes(settings: Settings, documents: Sequence[Read], at: datetime) -> tuple[Note, ...]:
    """Say of each tenant among documents what it may call, and where it sends calls, without a price.

    Nothing is said of one whose account or catalogue stands neither here nor in the database: others do.
    """
    if not any(isinstance(one.spec, TenantSpec) for one in documents):
        return ()
    connection: Connection | None = None
    with contextlib.suppress(*database.AWAY):  # then the documents speak alone
        connection = await database.connect(database.url_of(settings), application="pbxcore check")
    try:
        paid = await _paid(settings, documents, at, connection)
    finally:
        if connection is not None:
            connection.terminate()
    if paid is None:
        return ()
    destinations, tenants = paid
    gaps, ours = _Gaps(destinations), _ours(documents)
    found: list[Note] = []
    for one in tenants:
        found += _without_prices(one) or [*_notes(one, gaps), *_targets(one, destinations, ours)]
    return tuple(found)


async def targets(
    settings: Settings, documents: Sequence[Read], at: datetime, connection: Connection
) -> tuple[Note, ...]:
    """Say of tenants among documents which of their rules send calls to numbers without a price."""
    ours = _ours(documents)
    concerned = [
        one for one in documents if not isinstance(one.spec, TenantSpec) or any(_outside(one.spec, ours))
    ]
    paid = await _paid(settings, concerned, at, connection)
    if paid is None:
        return ()
    destinations, tenants = paid
    return tuple(
        note for one in tenants for note in _without_prices(one) or _targets(one, destinations, ours)
    )


async def _paid(
    settings: Settings, documents: Sequence[Read], at: datetime, connection: "Connection | None"
) -> tuple[Destinations, list[_Paid]] | None:
    """Give the tenants among documents whose prices are known; None: there is none."""
    tenants = [(one, one.spec) for one in documents if isinstance(one.spec, TenantSpec)]
    payers = sorted({spec.account for _, spec in tenants})
    accounts, catalogues = await _payers(documents, payers, connection) if tenants else ([], [])
    if not accounts or not catalogues:
        return None
    destinations = await asyncio.to_thread(load, settings.config / "destinations")
    book = bind(destinations, catalogues, accounts, {})
    found = []
    for document, spec in tenants:
        account = book.accounts.get(spec.account)
        if account is not None and all(stay.catalogue in book.tariffs for stay in account.stays):
            stretch = book.stretch(account, int(at.timestamp()) * SECOND_US)
            found.append(_Paid(document, spec, stretch))
    return destinations, found


@dataclass(frozen=True, slots=True)
class _Gaps:
    """What has no price, asked of each tariff once: a thousand tenants share a few."""

    destinations: Destinations
    known: dict[Hashable, Mapping[Destination, tuple[str, ...]]] = field(default_factory=dict)

    def of(self, stretch: Stretch) -> Mapping[Destination, tuple[str, ...]]:
        """Give destinations of which no number has a price, and how their numbers begin, as examples."""
        tables = tuple(map(id, stretch.tables))  # those of one tariff and day are the same ones
        name = stretch.tariff.name if stretch.tariff else ""
        key = (name, stretch.account.country, stretch.bands, tables)
        if key not in self.known:
            found = unpriced(self.destinations, stretch)
            self.known[key] = {where: tuple(map(example, begins)) for where, begins in found.items()}
        return self.known[key]


def _without_prices(one: _Paid) -> list[Note]:
    """Say that nothing has a price: the account has no prices that could be looked at one by one."""
    stretch = one.stretch
    if stretch.tariff is not None and not stretch.broken:
        return []
    why = stretch.broken or "none of its catalogues is in force yet"
    whose = f"account {stretch.account.account} has no prices for calls of {one.spec.tenant}"
    remedy = "correct its catalogue, or the day from which it holds (`valid_from`, `moves`)"
    return [Note(f"{whose}: {why}; they {_become(stretch)}", remedy)]


def _become(stretch: Stretch) -> str:
    """Say what becomes of calls without a price."""
    return "are refused (no-price)" if stretch.account.bounded else "go out and wait in quarantine"


def _notes(one: _Paid, gaps: _Gaps) -> list[Note]:
    """Say which destinations people of a tenant may call by themselves without a price."""
    found = _reached(build_plan(one.spec, revision=0, trunks=()), one.stretch, gaps)
    if not found:
        return []
    where = f"{one.spec.tenant} may call where {_tariff(one.stretch)} has no price: {_words(found)}"
    remedy = "add rows to the catalogue, or take them out of what the tenant may call (`may_call`, `rights`)"
    return [Note(f"{where}; such calls {_become(one.stretch)}", remedy)]


def _targets(one: _Paid, destinations: Destinations, ours: Collection[str]) -> list[Note]:
    """Say which rules of a tenant send calls to a number without a price, each with its line."""
    found: dict[Path, Note] = {}
    remedy = "add a row for it to the catalogue, or send the calls somewhere else"
    for path, number in _outside(one.spec, ours):
        where = of_number(destinations, one.stretch, number)
        if where is not None:
            file, line = place(one.document.file, one.document.tree, path)
            rule = f"{file}:{line}: {'.'.join(map(str, path))} sends calls to {number}"
            why = f"{_words([where])}, for which {_tariff(one.stretch)} has no price"
            found[path] = Note(f"{rule} ({why}); they {_become(one.stretch)}", remedy)
    return list(found.values())


def _tariff(stretch: Stretch) -> str:
    return stretch.tariff.name if stretch.tariff else ""


def _outside(spec: TenantSpec, ours: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Give the rules of a document that send calls to a number outside, and these numbers."""
    for rule in references(spec):
        if rule.target.kind == target.Kind.NUMBER and rule.target.name not in ours:
            yield rule.path, rule.target.name


def _ours(documents: Iterable[Read]) -> frozenset[str]:
    """Give the numbers of the tenants among documents: calls to these stay inside and cost nothing."""
    specs = (one.spec for one in documents)
    return frozenset(
        number for spec in specs if isinstance(spec, TenantSpec) for number in claims.numbers(spec)
    )


def _reached(plan: Plan, stretch: Stretch, gaps: _Gaps) -> frozenset[Destination]:
    """Give destinations without a price to which people of a tenant may call."""
    rights = _rights(plan)

    def reached(number: str) -> bool:
        return any(ever_covers(one, number, plan.country) for one in rights)

    bare = {where for where, numbers in gaps.of(stretch).items() if any(map(reached, numbers))}
    allowed = (
        of_number(gaps.destinations, stretch, number) for number in _allowed(rights) if reached(number)
    )
    return frozenset(bare | {where for where in allowed if where is not None})


def _rights(plan: Plan) -> list[Rights]:
    """Give all rights by which calls of a tenant leave, each once."""
    owners = [one.owner for one in plan.extensions.values()] + [one.owner for one in plan.groups.values()]
    return list(dict.fromkeys(one for owner in owners for one in (owner.may_call, owner.may_forward)))


def _allowed(rights: Iterable[Rights]) -> list[str]:
    """Give a number for each pattern that rights allow: it may begin longer than any row of the table."""
    patterns = {pattern for one in rights for layer in layers(one) for pattern in layer.allowed}
    return sorted(map(callers.example, patterns))


def _words(found: Iterable[Destination]) -> str:
    """Say `premium in AT, DE; mobile in 12 countries; satellite of no country`."""
    by_kind: dict[str, list[str]] = {}
    for one in sorted(found):
        by_kind.setdefault(one.kind.value, []).append(one.country)
    return "; ".join(f"{kind} {_countries(countries)}" for kind, countries in sorted(by_kind.items()))


def _countries(countries: Sequence[str]) -> str:
    """Say where a kind is; numbers of networks that span the world belong to no country."""
    real = [country for country in countries if country != NOWHERE]
    said = ["in " + (", ".join(real) if len(real) <= NAMED else f"{len(real)} countries")] if real else []
    return " and ".join([*said, "of no country"] if NOWHERE in countries else said)


async def _payers(
    documents: Sequence[Read], names: Sequence[str], connection: "Connection | None"
) -> tuple[list[AccountSpec], list[CatalogueSpec]]:
    """Give accounts and their catalogues, those of the documents before those in force."""
    accounts = {one.id: one.spec for one in documents if isinstance(one.spec, AccountSpec)}
    catalogues = {_key(one.spec): one.spec for one in documents if isinstance(one.spec, CatalogueSpec)}
    if connection is not None:
        accounts = _read(AccountSpec, await _rows(connection, "accounts", names)) | accounts
    paying = [accounts[name] for name in names if name in accounts]
    if connection is not None:
        wanted = sorted({catalogue for one in paying for catalogue in one.catalogues})
        catalogues = _read(CatalogueSpec, await _rows(connection, "catalogues", wanted)) | catalogues
    return paying, list(catalogues.values())


async def _rows(connection: Connection, query: str, names: Sequence[str]) -> list[Mapping[str, str]]:
    return [dict(row) for row in await connection.fetch(SQL[query], names)]


def _key(spec: CatalogueSpec) -> str:
    return f"{spec.catalogue}@{spec.valid_from}"


def _read(model: type[Spec], rows: Iterable[Mapping[str, str]]) -> dict[str, Spec]:
    """Read stored documents; one of another version of this program is passed over."""
    found = {}
    for row in rows:
        try:
            found[row["id"]] = model.model_validate_json(row["document"])
        except ValidationError:
            continue
    return found
