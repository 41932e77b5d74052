"""One credit: what a contract takes and is paid, and what calls take, in the balance of its account.

Owns both ways between a contract on credit and the balance that the rater keeps. What the contract moves
(top-ups, orders, debits on the first, what goes back) is entered in the balance, in the transaction of the
fact by which it is known, or on its day (`pbxcore.debiting`). What the balance has seen beside (payments,
calls) is told to the contract as a fact (`ledger`) before anything is judged by its credit. So both come to
one sum.

Refuses to know what is told and entered (`rating.contract.ledger`): here both sides are read, and written.
Refuses to book anything: the rater alone does. A contract without an account has a credit of its own.
Whoever stores anything here has the turn of the door.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dialplan.finding import Finding
from pbxcore import contract_checks, contract_log, entitling
from pbxcore.contract_log import Log
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.documents import Read
from rating import money
from rating.account import AccountSpec
from rating.contract import ledger
from rating.contract.document import ContractSpec, EventSpec, minute_of
from rating.contract.edition import Shelf, shelf
from rating.contract.facts import Fact, Ledger
from rating.contract.ledger import Balance, Missed
from rating.contract.story import tell
from rating.contract.wish import Refusal
from rating.store import credit
from rating.store.credit import Entry

SQL = named(Path(__file__).with_name("crediting.sql"))
MARK = "contract/"
"""How the references of a contract's entries begin: `contract/acme/2026-05-01/debit/1`."""
BINDING = frozenset({"sign", "order", "move"})  # events that must make no debt
JUDGED = BINDING | {"cancel", "withdraw"}  # events that the credit may refuse
OURS = r"^contract/{}/\d{{4}}-\d\d-\d\d/[a-z-]+/\d+$"
"""What the references of one contract's entries are like; whatever else begins with `MARK` was paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """The account of a contract: its balance, and now by its clock."""

    name: str
    balance: Balance
    now: datetime

    @property
    def minute(self) -> int:
        """Of today."""
        return self.now.hour * 60 + self.now.minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Beforehand:
    """A contract before new events.

    Attributes:
        log: as it is stored.
        told: what it must know beside that before they are judged by its credit, as events.
    """

    log: Log
    told: tuple[Mapping[str, Any], ...] = ()

    @property
    def known(self) -> Log:
        """The contract that knows it."""
        return replace(self.log, spec=contract_log.with_events(self.log.spec, self.log, self.told))


async def aware(connection: Connection, log: Log, offers: Shelf, *, held: bool = False) -> Log:
    """Give a contract that knows what its account's balance has seen; nothing is stored.

    Args:
        connection: to the database.
        log: the contract as it is stored.
        offers: every catalogue.
        held: what calls under way have set aside counts as spent: nobody else may have it.
    """
    events = await untold(connection, log, offers, held=held)
    return replace(log, spec=contract_log.with_events(log.spec, log, events)) if events else log


async def untold(
    connection: Connection, log: Log, offers: Shelf, *, held: bool = False
) -> tuple[Mapping[str, Any], ...]:
    """Write what the balance has seen and the contract does not know yet as events; none: it knows all."""
    return tuple(map(_event, await _untold(connection, log, offers, held=held)))


async def _untold(connection: Connection, log: Log, offers: Shelf, *, held: bool = False) -> tuple[Fact, ...]:
    account = await _account(connection, log)
    if account is None:
        return ()
    past = tell(log.spec, offers, account.now.date())
    return ledger.untold(past, account.balance, account.minute, held=held)


async def beforehand(
    connection: Connection,
    spec: ContractSpec,
    document: Mapping[str, Any],
    offers: Shelf,
    *,
    held: bool = False,
) -> Beforehand:
    """Give the contract to which new events of a document come, and what it must know first; none is stored.

    Args:
        connection: to the database.
        spec: of the contract, as the document has it.
        document: as it was written.
        offers: every catalogue.
        held: what calls under way have set aside counts as spent: nobody else may have it.
    """
    log = await _log(connection, spec)
    judged = [event for event in contract_log.new_events(log, document) if event.keys() & JUDGED]
    if not judged:
        return Beforehand(log=log)
    new = [EventSpec.model_validate(event) for event in judged]
    told = await _untold(connection, log, offers, held=held)
    today = await entitling.today(connection, log)
    known = ledger.before(told, [(event.on, minute_of(event)) for event in new], today)
    return Beforehand(log=log, told=tuple(map(_event, known)))


async def _log(connection: Connection, spec: ContractSpec) -> Log:
    """Give a contract as it is stored; of a new one what stands above its events."""
    stored = await contract_log.read(connection, spec.contract)
    return stored or Log(spec=spec.model_copy(update={"events": ()}), entries=())


async def see_to(connection: Connection, contract: str, *, author: str) -> bool:
    """Tell a contract what it must know, and enter what it has moved until today; tell if it had."""
    log = await contract_log.read(connection, contract)
    assert log is not None, "contracts stay"
    account = await _account(connection, log)
    if account is None:
        return False
    offers = shelf(await contract_log.catalogues(connection))
    due = ledger.due(log.spec, offers, account.balance, account.now.date(), account.minute)
    for number, fact in enumerate(due.told, start=len(log.entries) + 1):
        await contract_log.append(connection, contract, number, _event(fact), author=author)
    for one in due.missed:
        entry = Entry(account.name, _reference(contract, one), one.amount_micro)
        await credit.add(connection, entry, author)
    return bool(due.missed)


async def let_go(connection: Connection, documents: Iterable[Read], *, author: str) -> None:
    """See to the contracts of accounts that are invoiced with a change: from then on they have no balance."""
    for document in documents:
        if isinstance(document.spec, AccountSpec) and document.spec.payment == "postpaid":
            contract = await contract_log.of_account(connection, document.spec.account)
            if contract is not None:
                await see_to(connection, contract, author=author)


async def overdrawn(
    connection: Connection, log: Log, offers: Shelf, events: Sequence[Mapping[str, Any]]
) -> tuple[Refusal, ...]:
    """Find what the credit lacks today for events of today, or dated back."""
    since = min(date.fromisoformat(str(event["on"])) for event in events)
    today = await entitling.today(connection, log)
    before = tell(log.spec, offers, today)
    if not ledger.told_since(before, since):
        return ()
    after = tell(contract_log.with_events(log.spec, log, events), offers, today)
    return ledger.overdrawn(before, after)


async def too_early(
    connection: Connection, log: Log, offers: Shelf, events: Sequence[Mapping[str, Any]]
) -> tuple[Refusal, ...]:
    """Find orders for a later day."""
    days = [date.fromisoformat(str(event["on"])) for event in events if event.keys() & BINDING]
    today = await entitling.today(connection, log)
    if all(day <= today for day in days) or not await _has_balance(connection, log):
        return ()
    return ledger.too_early(tell(log.spec, offers, today), days)


async def refused(
    connection: Connection, spec: ContractSpec, document: Mapping[str, Any], offers: Shelf
) -> tuple[Finding, ...]:
    """Find what new events of a document would undo, or what the credit lacks for, as they will be stored."""
    log = (await beforehand(connection, spec, document, offers)).known
    early = await too_early(connection, log, offers, contract_log.new_events(log, document))
    if early:
        return tuple(
            Finding(path=("events",), code=one.code, message=one.message, remedy=one.remedy) for one in early
        )
    undone = tuple(contract_checks.undone(spec, log, document, offers))
    return undone or await unpaid(connection, spec, document, offers)


async def unpaid(
    connection: Connection, spec: ContractSpec, document: Mapping[str, Any], offers: Shelf
) -> tuple[Finding, ...]:
    """Find orders of a document for which the credit does not suffice, as calls have or may have it."""
    new = contract_log.new_events(await _log(connection, spec), document)
    if not any(event.keys() & BINDING for event in new):
        return ()
    log = (await beforehand(connection, spec, document, offers, held=True)).known
    log = await aware(connection, log, offers, held=True)
    return tuple(
        Finding(
            path=("events",),
            code="overdrawn",
            message=f"calls have taken what these events would: {one.message}",
            remedy=one.remedy,
        )
        for one in await overdrawn(connection, log, offers, new)
    )


async def _has_balance(connection: Connection, log: Log) -> bool:
    """Tell whether a contract's credit is a balance that calls use.

    That of an account that is invoiced is not: such a contract has a credit of its own. None becomes one any
    more (`pays-otherwise`); those of before must be able to end.
    """
    return await entitling.payment(connection, log.spec.account) == "prepaid"


async def _account(connection: Connection, log: Log) -> _Account | None:
    """Read the account whose balance a contract's credit is; None: it has a credit of its own."""
    name = log.spec.account
    if name is None or not await _has_balance(connection, log):
        return None
    zone = await entitling.zone(connection, name)
    balance = await _balance(connection, name, log.spec.contract, zone.key)
    return _Account(name=name, balance=balance, now=datetime.now(zone))


async def _balance(connection: Connection, account: str, contract: str, zone: str) -> Balance:
    ours = OURS.format(contract)
    paid = await connection.fetch(SQL["paid"], account, ours, zone)
    calls = await connection.fetchrow(SQL["calls"], account)
    assert calls is not None, "sums of nothing are 0"
    entered = defaultdict[ledger.Key, list[int]](list)
    for row in await connection.fetch(SQL["entered"], account, ours):
        _, _, day, what, _ = row["reference"].split("/")
        entered[date.fromisoformat(day), what].append(row["amount_micro"])
    return Balance(paid={row["day"]: row["micro"] for row in paid}, entered=dict(entered), **dict(calls))


def _reference(contract: str, one: Missed) -> str:
    return f"{MARK}{contract}/{one.on}/{one.what}/{one.number}"


def _event(fact: Fact) -> Mapping[str, Any]:
    """Write what a contract is told as an event."""
    assert isinstance(fact.deed, Ledger), "nothing else is told"
    amounts = (("paid", fact.deed.paid_micro), ("calls", fact.deed.calls_micro))
    said = {key: money.text(micro) for key, micro in amounts if micro}
    at = f"{fact.minute // 60:02}:{fact.minute % 60:02}"
    return {"on": fact.on.isoformat(), "at": at, "ledger": said}
