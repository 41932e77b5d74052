"""One credit: what a contract takes and is paid, and what calls take, in the balance of its account.

Owns both ways between a contract on credit and the balance that the rater keeps. What the contract moves
(top-ups, orders, debits on the first, what goes back) is entered in the balance, in the transaction of the
fact by which it is known, or on its day (`pbxcore.debiting`). What the balance has seen beside (payments,
calls) is told to the contract as a fact (`ledger`) before anything is judged by its credit. So both come to
one sum.

Refuses to book anything: the rater alone does. A contract without an account has a credit of its own.
Whoever stores anything here has the turn of the door.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import takewhile
from pathlib import Path
from typing import Any

from dialplan.finding import Finding
from pbxcore import contract_checks, contract_log, entitling
from pbxcore.contract_log import Log
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.wanting import LAST_MINUTE
from rating import money
from rating.contract.answer import missing
from rating.contract.billing import BESIDE, Movement
from rating.contract.calendar import DAY
from rating.contract.document import ContractSpec, minute_of
from rating.contract.edition import Shelf, shelf
from rating.contract.history import History
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
Key = tuple[str, str]
"""Day and kind of a movement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the balance of an account has seen beside its contract.

    Attributes:
        paid_before_micro: paid in until the credit was over.
        paid_micro: paid in since; all of it, if the credit goes on.
        calls_micro: what rated calls have cost.
        held_micro: what calls under way may cost yet.
    """

    paid_before_micro: int
    paid_micro: int
    calls_micro: int
    held_micro: int


async def aware(connection: Connection, log: Log, offers: Shelf, *, held: bool = False) -> Log:
    """Give a contract that knows what its account's balance has seen; nothing is stored.

    Args:
        connection: to the database.
        log: the contract as it is stored.
        offers: every catalogue.
        held: what calls under way have set aside counts as spent: nobody else may have it.
    """
    events = await untold(connection, await of_balance(connection, log), offers, held=held)
    return replace(log, spec=contract_log.with_events(log.spec, log, events)) if events else log


async def of_balance(connection: Connection, log: Log) -> Log:
    """Give a contract without its account where that is invoiced: such a one has a credit of its own.

    None becomes one any more (`pays-otherwise`); those of before must be able to end.
    """
    if await entitling.payment(connection, log.spec.account) == "prepaid":
        return log
    return replace(log, spec=log.spec.model_copy(update={"account": None}))


async def untold(
    connection: Connection, log: Log, offers: Shelf, *, held: bool = False
) -> tuple[Mapping[str, Any], ...]:
    """Write what the balance has seen and the contract does not know yet as events; none: it knows all.

    Today, behind what is known of today already. Where the credit is over, calls and what was paid by then
    are of its last day, so that what goes back is what is left: what was told later is written back to it.
    """
    account = log.spec.account
    if account is None:
        return ()
    now = datetime.now(await entitling.zone(connection, account))
    past = tell(log.spec, offers, now.date())
    if not any(state.prepaid for state in past.states):
        return ()
    last = _last(past)
    over = None if last is None else datetime.combine(last + DAY, time.min, now.tzinfo)
    seen = await _balance(connection, account, log.spec.contract, over)
    calls_micro = seen.calls_micro + (seen.held_micro if held else 0)
    found, since = [], (seen.paid_micro, calls_micro)
    if last is not None:
        found.append(
            _ledger(last, LAST_MINUTE, (seen.paid_before_micro, calls_micro), _told(past, until=last))
        )
        since = seen.paid_micro, 0
    if past.states[-1].prepaid:
        found.append(_ledger(now.date(), _minute(log, now), since, _told(past, since=last)))
    return tuple(event for event in found if event is not None)


async def beforehand(
    connection: Connection,
    spec: ContractSpec,
    document: Mapping[str, Any],
    offers: Shelf,
    *,
    held: bool = False,
) -> tuple[Mapping[str, Any], ...]:
    """Write what a contract must know before new events of a document are judged by its credit.

    What was paid counts for each of these events of today, whatever their minutes: a document often has none.
    What calls took stays at its minute: it undoes nothing that is agreed (`overdrawn` looks at what is new).
    Before events dated back nothing is told: an end dated back may be the day on which it must be.
    """
    log = await _log(connection, spec)
    day = (await entitling.today(connection, log)).isoformat()
    new = [event for event in contract_log.new_events(log, document) if event.keys() & JUDGED]
    if all(str(one["on"]) < day for one in new):
        return ()
    minutes = [str(one.get("at", "00:00")) for one in new if str(one["on"]) == day]
    found: list[Mapping[str, Any]] = []
    for event in await untold(connection, await of_balance(connection, log), offers, held=held):
        first = min([*minutes, event["at"]]) if event["on"] == day else event["at"]
        found += [event] if first == event["at"] else _apart(event, first)
    return tuple(found)


def _apart(event: Mapping[str, Any], first: str) -> list[Mapping[str, Any]]:
    """Tell what was paid at an earlier minute than what calls took."""
    return [
        {**event, "at": at, "ledger": {key: event["ledger"][key]}}
        for key, at in (("paid", first), ("calls", event["at"]))
        if key in event["ledger"]
    ]


async def knowing(
    connection: Connection,
    spec: ContractSpec,
    document: Mapping[str, Any],
    offers: Shelf,
    *,
    held: bool = False,
) -> Log:
    """Give the contract to which new events of a document come: `beforehand` is told; nothing is stored."""
    log = await _log(connection, spec)
    told = await beforehand(connection, spec, document, offers, held=held)
    return replace(log, spec=contract_log.with_events(log.spec, log, told))


async def _log(connection: Connection, spec: ContractSpec) -> Log:
    """Give a contract as it is stored; of a new one what stands above its events."""
    stored = await contract_log.read(connection, spec.contract)
    return stored or Log(spec=spec.model_copy(update={"events": ()}), entries=())


async def learn(connection: Connection, contract: str, *, author: str) -> None:
    """Tell a contract what its account's balance has seen."""
    log = await contract_log.read(connection, contract)
    assert log is not None, "it was found in this turn"
    log = await of_balance(connection, log)
    events = await untold(connection, log, shelf(await contract_log.catalogues(connection)))
    for number, event in enumerate(events, start=len(log.entries) + 1):
        await contract_log.append(connection, contract, number, event, author=author)


async def carry(connection: Connection, contract: str, *, author: str) -> bool:
    """Enter in the balance what a contract has moved until today; tell whether anything was lacking."""
    log = await contract_log.read(connection, contract)
    assert log is not None, "it was found in this turn"
    log = await of_balance(connection, log)
    lacking = await _lacking(connection, log, shelf(await contract_log.catalogues(connection)))
    for entry in lacking:
        await credit.add(connection, entry, author)
    return bool(lacking)


async def see_to(connection: Connection, contract: str, *, author: str) -> bool:
    """Carry what has fallen due by itself, with what the contract must know; tell if anything did.

    What goes back at an end is what calls have left; so a credit that is over learns of late ones, too.
    """
    log = await contract_log.read(connection, contract)
    assert log is not None, "contracts stay"
    offers = shelf(await contract_log.catalogues(connection))
    past = tell(log.spec, offers, await entitling.today(connection, log))
    if _last(past) is not None or await _lacking(connection, await of_balance(connection, log), offers):
        await learn(connection, contract, author=author)
    return await carry(connection, contract, author=author)


async def overdrawn(
    connection: Connection, log: Log, offers: Shelf, events: Sequence[Mapping[str, Any]]
) -> tuple[Refusal, ...]:
    """Find what the credit lacks today for events of today, or dated back: calls have had it since then.

    Debits on the first may make a debt; what is ordered may not.
    """
    since = min(str(event["on"]) for event in events)

    if not any(one.ledger is not None and one.on.isoformat() >= since for one in log.spec.events):
        return ()
    today = await entitling.today(connection, log)
    told = contract_log.with_events(log.spec, log, events)
    before, after = (tell(spec, offers, today) for spec in (log.spec, told))
    taken_micro = _ordered(before) - _ordered(after)
    lacking_micro = min(taken_micro, -after.states[-1].balance_micro)

    return (missing(lacking_micro),) if lacking_micro > 0 else ()


async def too_early(
    connection: Connection, log: Log, offers: Shelf, events: Sequence[Mapping[str, Any]]
) -> tuple[Refusal, ...]:
    """Find orders for a later day: calls may have had the money by then, and would undo what was agreed."""
    kept = await of_balance(connection, log)
    today = await entitling.today(connection, kept)
    later = [
        event["on"] for event in events if event.keys() & BINDING and str(event["on"]) > today.isoformat()
    ]
    if kept.spec.account is None or not later or not tell(log.spec, offers, today).states[-1].prepaid:
        return ()
    message = f"by {max(map(str, later))} calls may have had the money: a credit pays on the day of the order"
    return (Refusal("too-early", message, "order it on its day"),)


async def refused(
    connection: Connection, spec: ContractSpec, document: Mapping[str, Any], offers: Shelf
) -> tuple[Finding, ...]:
    """Find what new events of a document would undo, or what the credit lacks for, as they will be stored."""
    log = await knowing(connection, spec, document, offers)
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
    log = await knowing(connection, spec, document, offers, held=True)
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


async def _lacking(connection: Connection, log: Log, offers: Shelf) -> tuple[Entry, ...]:
    """Write the entries that an account's balance lacks of what its contract has moved until today.

    A fact that is learned late may change what was moved on a day: then the difference is entered.
    """
    account = log.spec.account
    if account is None:
        return ()
    today = await entitling.today(connection, log)
    entered, numbers = Counter[Key](), Counter[Key]()
    for row in await connection.fetch(SQL["carried"], account, OURS.format(log.spec.contract)):
        _, _, day, what, _ = row["reference"].split("/")
        entered[day, what] += row["amount_micro"]
        numbers[day, what] += 1
    lacking = _moved(log, offers, today)
    lacking.subtract(entered)
    return tuple(
        Entry(account, f"{MARK}{log.spec.contract}/{day}/{what}/{numbers[day, what] + 1}", micro)
        for (day, what), micro in sorted(lacking.items())
        if micro
    )


def _moved(log: Log, offers: Shelf, today: date) -> Counter[Key]:
    """Sum what a contract has moved by itself, by day and kind."""
    moved = Counter[Key]()
    for one in tell(log.spec, offers, today).entries:
        if isinstance(one, Movement) and one.what not in BESIDE:
            moved[one.on.isoformat(), one.what] += one.amount_micro
    return moved


def _ordered(past: History) -> int:
    """Sum what was taken with orders, with a minus."""
    return sum(one.amount_micro for one in past.entries if isinstance(one, Movement) and one.what == "order")


async def _balance(connection: Connection, account: str, contract: str, over: datetime | None) -> Balance:
    row = await connection.fetchrow(SQL["balance"], account, OURS.format(contract), over)
    assert row is not None, "sums of nothing are 0"
    return Balance(**dict(row))


def _last(past: History) -> date | None:
    """Give the last day of a credit that ended, or was left for invoices; None: it goes on, or never was."""
    state = past.states[-1]
    if state.prepaid:
        return state.last if state.ended else None
    invoiced = tuple(takewhile(lambda one: not one.prepaid, reversed(past.states)))
    return invoiced[-1].today - DAY if len(invoiced) < len(past.states) else None


def _told(past: History, *, since: date | None = None, until: date | None = None) -> tuple[int, int]:
    """Sum what a contract knows that was paid, and that calls took, behind a day or up to one."""
    known = [
        one
        for one in past.entries
        if isinstance(one, Movement) and one.what in BESIDE
        if (since is None or one.on > since) and (until is None or one.on <= until)
    ]
    paid_micro = sum(one.amount_micro for one in known if one.what == "paid")
    return paid_micro, paid_micro - sum(one.amount_micro for one in known)


def _ledger(day: date, minute: int, seen: tuple[int, int], told: tuple[int, int]) -> Mapping[str, Any] | None:
    """Write as an event what was paid and what calls took beyond what was told; None: nothing."""
    more = {key: one - other for key, one, other in zip(("paid", "calls"), seen, told, strict=True)}
    said = {key: money.text(micro) for key, micro in more.items() if micro}
    at = f"{minute // 60:02}:{minute % 60:02}"
    return {"on": day.isoformat(), "at": at, "ledger": said} if said else None


def _minute(log: Log, now: datetime) -> int:
    """Give the minute of today at which something is told: behind all that is known of today."""
    minutes = [minute_of(event) + 1 for event in log.spec.events if event.on == now.date()]
    return min(max(now.hour * 60 + now.minute, *minutes, 0), LAST_MINUTE)
