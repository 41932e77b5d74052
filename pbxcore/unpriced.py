"""Calls that a tenant may make and nobody prices: said before anybody makes one.

Owns what documents tell of that, those in force beside them. Refuses to forbid such calls: a phone that
cannot call is worse than a leg that waits in quarantine (`rating.store.quarantine`) until its price is known.
"""

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dialplan import callers
from dialplan.build import build_plan
from dialplan.numbers import example
from dialplan.plan import Plan
from dialplan.rights import Rights, ever_covers, layers
from dialplan.spec import TenantSpec
from pbxcore import database
from pbxcore.beside import Note
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.documents import Read
from pbxcore.settings import Settings
from rating.account import AccountSpec
from rating.book import Stretch, bind
from rating.catalogue import CatalogueSpec
from rating.destinations import Destination, Destinations
from rating.destinations.load import load
from rating.periods import SECOND_US
from rating.unpriced import of_number, unpriced

SQL = named(Path(__file__).with_name("unpriced.sql"))
NAMED = 4  # countries by name; of more their number
Spec = TypeVar("Spec", bound=BaseModel)


async def notes(settings: Settings, documents: Sequence[Read], at: datetime) -> tuple[Note, ...]:
    """Say of each tenant among documents what it may call at an instant without a price.

    Nothing is said of one whose account or catalogue stands neither here nor in the database: others do.
    """
    tenants = [one.spec for one in documents if isinstance(one.spec, TenantSpec)]
    if not tenants:
        return ()
    accounts, catalogues = await _payers(settings, documents, sorted({one.account for one in tenants}))
    if not accounts or not catalogues:
        return ()
    destinations = await asyncio.to_thread(load, settings.config / "destinations")
    book = bind(destinations, catalogues, accounts, {})
    gaps = _Gaps(destinations)
    found = []
    for spec in tenants:
        account = book.accounts.get(spec.account)
        if account is not None and all(stay.catalogue in book.tariffs for stay in account.stays):
            stretch = book.stretch(account, int(at.timestamp()) * SECOND_US)
            found += _notes(build_plan(spec, revision=0, trunks=()), stretch, gaps)
    return tuple(found)


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


def _notes(plan: Plan, stretch: Stretch, gaps: _Gaps) -> list[Note]:
    account = stretch.account
    calls = "are refused (no-price)" if account.bounded else "go out and wait in quarantine"
    if stretch.tariff is None or stretch.broken:
        why = stretch.broken or "none of its catalogues is in force yet"
        message = f"account {account.account} has no prices for calls of {plan.tenant}: {why}; they {calls}"
        remedy = "correct its catalogue, or the day from which it holds (`valid_from`, `moves`)"
        return [Note(message, remedy)]
    found = _reached(plan, stretch, gaps)
    if not found:
        return []
    where = f"{plan.tenant} may call where {stretch.tariff.name} has no price: {_words(found)}"
    remedy = "add rows to the catalogue, or take them out of what the tenant may call (`may_call`, `rights`)"
    return [Note(f"{where}; such calls {calls}", remedy)]


def _reached(plan: Plan, stretch: Stretch, gaps: _Gaps) -> frozenset[Destination]:
    """Give destinations without a price to which calls of a tenant may go."""
    rights = _rights(plan)

    def reached(number: str) -> bool:
        return any(ever_covers(one, number, plan.country) for one in rights)

    bare = {where for where, numbers in gaps.of(stretch).items() if any(map(reached, numbers))}
    numbers = [*filter(reached, _allowed(rights)), *plan.named_numbers]
    named = (of_number(gaps.destinations, stretch, number) for number in numbers)
    return frozenset(bare | {where for where in named if where is not None})


def _rights(plan: Plan) -> list[Rights]:
    """Give all rights by which calls of a tenant leave, each once."""
    owners = [one.owner for one in plan.extensions.values()] + [one.owner for one in plan.groups.values()]
    return list(dict.fromkeys(one for owner in owners for one in (owner.may_call, owner.may_forward)))


def _allowed(rights: Iterable[Rights]) -> list[str]:
    """Give a number for each pattern that rights allow: it may begin longer than any row of the table."""
    patterns = {pattern for one in rights for layer in layers(one) for pattern in layer.allowed}
    return sorted(map(callers.example, patterns))


def _words(found: Iterable[Destination]) -> str:
    """Say `premium in AT, DE; mobile in 12 countries`."""
    by_kind: dict[str, list[str]] = {}
    for one in sorted(found):
        by_kind.setdefault(one.kind.value, []).append(one.country)
    return "; ".join(f"{kind} in {_countries(countries)}" for kind, countries in sorted(by_kind.items()))


def _countries(countries: Sequence[str]) -> str:
    return ", ".join(countries) if len(countries) <= NAMED else f"{len(countries)} countries"


async def _payers(
    settings: Settings, documents: Sequence[Read], names: Sequence[str]
) -> tuple[list[AccountSpec], list[CatalogueSpec]]:
    """Give accounts and their catalogues, those of the documents before those in force."""
    accounts = {one.id: one.spec for one in documents if isinstance(one.spec, AccountSpec)}
    catalogues = {_key(one.spec): one.spec for one in documents if isinstance(one.spec, CatalogueSpec)}
    try:
        connection = await database.connect(database.url_of(settings), application="pbxcore check")
    except database.AWAY:
        return [accounts[name] for name in names if name in accounts], list(catalogues.values())
    try:
        accounts = _read(AccountSpec, await _rows(connection, "accounts", names)) | accounts
        paying = [accounts[name] for name in names if name in accounts]
        wanted = sorted({catalogue for one in paying for catalogue in one.catalogues})
        catalogues = _read(CatalogueSpec, await _rows(connection, "catalogues", wanted)) | catalogues
    finally:
        connection.terminate()
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
