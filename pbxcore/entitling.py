"""What contracts let tenants use, put into the revisions of all tenants that they concern.

Owns the way from a contract's facts to its tenants' entitlements, in the transaction of whatever changed
either: an order, a contract's document, a tenant's. So a contract and the plans of its tenants are stored
together or not at all; publication follows, and completes by itself (`pbxcore.completion`). What tenants have
and use goes the other way, as a fact of their contract (`use`): by that it judges what is given up.
Refuses to judge a document (`pbxcore.offers`). A tenant whose account is under no signed contract is not
restricted here: its document says what it may use, and a document that says nothing may use everything.

Whoever is here has the turn of the door.
"""

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from dialplan.finding import Finding
from dialplan.outline import TenantOutline
from dialplan.spec import TenantSpec
from pbxcore import contract_log
from pbxcore.contract_checks import undone
from pbxcore.contract_log import Log
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.entitlements import GATED, counts, entitlements, features, use
from rating.contract.change import in_use_too_much
from rating.contract.deeds import do
from rating.contract.document import ContractSpec, facts_of, minute_of
from rating.contract.edition import Shelf, shelf
from rating.contract.facts import LAST_MINUTE
from rating.contract.state import State
from rating.contract.story import tell, tell_all
from rating.contract.wish import Refusal

logger = logging.getLogger(__name__)
SQL = named(Path(__file__).with_name("entitling.sql"))
Entries = Sequence[Mapping[str, Any]]
"""Entitlements as a tenant's document has them; none: it is not restricted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The newest revision of a tenant: its number, its document, what its contract gave it then.

    Of a document that this program cannot read `spec` is the outline; None where it has not even that.
    """

    revision: int
    spec: TenantSpec | TenantOutline | None
    entries: Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A contract, and the tenants of its account as they stand with a change.

    Attributes:
        log: of the contract.
        offers: every catalogue.
        now: by the clock of its account.
        tenants: of its account, those of the change as they shall be; outlines of those that cannot be read.
        stored: those of them that are there already.
        tenanted: a tenant belongs to its account, or did once: what it was told of them has to be true still.
    """

    log: Log
    offers: Shelf
    now: datetime
    tenants: Mapping[str, TenantSpec | TenantOutline]
    stored: Mapping[str, Stored]
    tenanted: bool

    @property
    def entries(self) -> Entries:
        """What it lets its tenants use, and from when on."""
        return entitlements(tell_all(self.log.spec, self.offers))

    @property
    def state(self) -> State:
        """The contract as it is today."""
        return tell(self.log.spec, self.offers, self.now.date()).states[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitled:
    """A tenant that has a new revision because its contract lets it use something else."""

    tenant: str
    revision: int


@dataclass
class UndoneError(Exception):
    """What tenants have from now on would undo an order that was accepted: nothing may be stored.

    Attributes:
        tenants: of the contract's account.
    """

    finding: Finding
    tenants: Collection[str]


class UncountedError(UndoneError):
    """What a stored tenant has cannot even be counted: nothing that its contract limits may be stored."""


async def concerned(
    connection: Connection,
    changed: Mapping[str, TenantSpec],
    *,
    contracts: Iterable[str] = (),
    without: str = "",
    now: datetime,
) -> tuple[Terms, ...]:
    """Give these contracts, and those of all accounts that changed tenants belong to or did until now.

    Args:
        connection: to the database; facts and catalogues of this change are stored there, tenants not yet.
        changed: tenants as they shall be.
        contracts: that have changed.
        without: a tenant that goes with this change; nobody has to be able to read it.
        now: with a time zone.

    Raises:
        UncountedError: a stored tenant of theirs cannot be read at all.
    """
    accounts = {spec.account for spec in changed.values()}
    rows = await connection.fetch(SQL["concerned"], list(contracts), sorted(accounts), sorted(changed))
    if not rows:
        return ()
    offers = shelf(await contract_log.catalogues(connection))
    return tuple([await _terms(connection, dict(row), offers, changed, now, without=without) for row in rows])


async def _terms(  # noqa: PLR0913 — a contract, and a change
    connection: Connection,
    row: Mapping[str, Any],
    offers: Shelf,
    changed: Mapping[str, TenantSpec],
    now: datetime,
    *,
    without: str = "",
) -> Terms:
    log = await contract_log.read(connection, row["id"])
    assert log is not None, "it was found in this turn"
    account = row["account"]
    stored = {one["id"]: _stored(dict(one)) for one in await connection.fetch(SQL["tenants"], account)}
    others = {name: one.spec for name, one in stored.items() if name not in {*changed, without}}
    uncounted = sorted(name for name, spec in others.items() if spec is None)
    if uncounted:
        raise UncountedError(_uncounted(uncounted[0], row["id"]), tuple(stored))
    tenants = {name: spec for name, spec in others.items() if spec is not None}
    return Terms(
        log=log,
        offers=offers,
        now=now.astimezone(await zone(connection, account)),
        tenants=tenants | {name: spec for name, spec in changed.items() if spec.account == account},
        stored=stored,
        tenanted=bool(stored) or await connection.fetchval(SQL["tenanted"], account),
    )


async def zone(connection: Connection, account: str | None) -> ZoneInfo:
    """Give the zone in which an account, and so its contract, counts days; UTC where there is none."""
    found = await connection.fetchval(SQL["zone"], account) if account else None
    return ZoneInfo(found or "UTC")


async def payment(connection: Connection, account: str | None) -> str:
    """Give how an account pays; "" where there is none."""
    return str(await connection.fetchval(SQL["payment"], account) or "") if account else ""


def _stored(row: Mapping[str, Any]) -> Stored:
    entries = json.loads(row["entitlements"] or "[]")
    return Stored(revision=row["revision"], spec=_spec(row), entries=entries)


def _spec(row: Mapping[str, Any]) -> TenantSpec | TenantOutline | None:
    """Read a stored document as far as this version of the program can: it holds nobody else back."""
    try:
        return TenantSpec.model_validate_json(row["document"])
    except ValidationError:
        logger.exception("revision %s of %s cannot be read; only counted", row["revision"], row["id"])
    try:
        return TenantOutline.model_validate_json(row["document"])
    except ValidationError:
        return None


def _uncounted(tenant: str, contract: str) -> Finding:
    return Finding(
        path=(),
        code="uncounted-tenant",
        message=f"what tenant {tenant} has cannot be counted for contract {contract}: this version of the "
        f"program cannot read its stored document",
        remedy=f"apply a document of {tenant} that `pbxcore check` finds right",
    )


async def settle(connection: Connection, terms: Terms, *, author: str) -> Entries:
    """Tell a contract what its tenants have and use from now on; give what it lets them use then.

    Raises:
        UndoneError: that would undo what was agreed.
    """
    event = _use(terms)
    if event is None:
        return terms.entries
    log = terms.log
    finding = next(undone(log.spec, log, {"events": [event]}, terms.offers), None)
    if finding is not None:
        raise UndoneError(finding, tuple(terms.tenants))
    await contract_log.append(connection, log.spec.contract, len(log.entries) + 1, event, author=author)
    told = contract_log.with_events(log.spec, log, [event])
    return entitlements(tell_all(told, terms.offers))


def _use(terms: Terms) -> Mapping[str, Any] | None:
    """Write what tenants have and use as an event; None where that is known, or more than is allowed.

    They have too much where a contract came after them, or has ended: then there is nothing to agree on.
    Of a contract that never had a tenant only its document can tell. In the last minute of a day nothing
    comes behind what is told of it already: what would not count is told on the next day.
    """
    if not terms.tenants and not terms.tenanted:
        return None
    spec, day, state = terms.log.spec, terms.now.date(), terms.state
    tenants = terms.tenants.values()
    said = use(state, counts(tenants), features(tenants), terms.offers)
    if said is None:
        return None
    minutes = [minute_of(event) for event in spec.events if event.on == day]
    minute = min(max(terms.now.hour * 60 + terms.now.minute, *(one + 1 for one in minutes), 0), LAST_MINUTE)
    when = {"on": day.isoformat(), "at": f"{minute // 60:02}:{minute % 60:02}"}
    apart = {key: {**when, "use": {key: value}} for key, value in said.items()}
    accepted = {key: said[key] for key, event in apart.items() if _accepted(terms, state, event)}
    event = {**when, "use": accepted}
    told = tell(contract_log.with_events(spec, terms.log, [event]), terms.offers, day).states[-1]
    counts_now = (told.in_use, told.features_in_use) != (state.in_use, state.features_in_use)
    return event if accepted and counts_now else None


def _accepted(terms: Terms, state: State, event: Mapping[str, Any]) -> bool:
    alone = ContractSpec.model_validate({**terms.log.spec.model_dump(exclude={"events"}), "events": [event]})
    (fact,) = facts_of(alone, terms.offers)
    _, answer, _ = do(state, fact, terms.offers)
    return answer.outcome == "accepted"


async def judged(connection: Connection, log: Log, offers: Shelf, day: date) -> ContractSpec:
    """Give a contract as orders of a day are judged: with what its tenants have now; nothing is stored.

    What they had before it was included is in use since then, and nobody has told.
    """
    whose = {"id": log.spec.contract, "account": log.spec.account}
    terms = await _terms(connection, whose, offers, {}, datetime.now(UTC))
    now = datetime.combine(max(day, terms.now.date()), terms.now.timetz())
    event = _use(replace(terms, now=now))
    return log.spec if event is None else contract_log.with_events(log.spec, log, [event])


async def today(connection: Connection, log: Log) -> date:
    """Give the day on which a contract is: that of its account's clock."""
    return datetime.now(await zone(connection, log.spec.account)).date()


async def taken_away(
    connection: Connection, log: Log, offers: Shelf, event: Mapping[str, Any]
) -> tuple[Refusal, ...]:
    """Find what tenants have and use today and would have lost already by an event that is dated back.

    It was judged by what they had on its own day.
    """
    whose = {"id": log.spec.contract, "account": log.spec.account}
    terms = await _terms(connection, whose, offers, {}, datetime.now(UTC))
    state, day, tenants = terms.state, terms.now.date(), terms.tenants.values()
    if tenants:
        using = (state.features_in_use - GATED) | features(tenants)
        state = replace(state, in_use={**state.in_use, **counts(tenants)}, features_in_use=using)
    told = contract_log.with_events(log.spec, log, [event])
    return in_use_too_much(state, tell(told, offers, day).states[-1], day, {})


async def follow(
    connection: Connection, terms: Terms, entries: Entries, *, besides: Collection[str] = (), author: str
) -> tuple[Entitled, ...]:
    """Store a revision of each tenant that may use something else than its newest one says.

    Args:
        connection: to the database.
        terms: of their contract.
        entries: what it lets them use.
        besides: tenants that the change itself stores.
        author: of the change.
    """
    found = []
    for name, stored in terms.stored.items():
        if name in terms.tenants and name not in besides and stored.entries != entries:
            written = json.dumps(entries) if entries else None
            await connection.execute(SQL["entitle"], name, stored.revision, author, written)
            found.append(Entitled(tenant=name, revision=stored.revision + 1))
    return tuple(found)


async def bring(connection: Connection, contract: str, *, author: str, now: datetime) -> tuple[Entitled, ...]:
    """Bring the tenants of a contract, whose facts have changed, to what it lets them use.

    Raises:
        UndoneError: what they have would undo what was agreed.
    """
    found: tuple[Entitled, ...] = ()
    for terms in await concerned(connection, {}, contracts=[contract], now=now):
        entries = await settle(connection, terms, author=author)
        found += await follow(connection, terms, entries, author=author)
    return found
