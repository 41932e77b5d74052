"""Quotes and orders of contracts in the database: first what it would come to, then exactly that, once.

Owns both steps. An order takes the turn of the door, works out the same quote again, and adds one fact in one
transaction, or nothing; what tenants may use by it is stored with it, and published (`pbxcore.entitling`).
Refuses files (`pbxcore.contracts`) and to know what a change means
(`rating.contract`).
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from dialplan.finding import Finding, closest
from pbxcore import (
    contract_checks,
    contract_log,
    crediting,
    database,
    door,
    entitling,
    paying,
    revisions,
    turn,
    unbooked,
)
from pbxcore.change import Change
from pbxcore.contract_log import Entry, KeptQuote, Log
from pbxcore.database import Connection
from pbxcore.door import Applied
from pbxcore.receipt import receipt_of, transaction
from pbxcore.settings import Settings
from pbxcore.wanting import Wanted, WantedError, behind, deed_of, event_of, quoted, with_form
from rating.contract import report
from rating.contract.answer import Answer
from rating.contract.deeds import do
from rating.contract.document import ContractSpec
from rating.contract.edition import Shelf, shelf
from rating.contract.ending import Step
from rating.contract.facts import Fact
from rating.contract.quote import Quote, refused_by
from rating.contract.story import tell
from rating.contract.wish import Refusal


@dataclass
class OrderError(Exception):
    """What is asked for cannot be done at all; nothing was stored.

    Attributes:
        code: stable word for answers.
    """

    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Why a quote no longer holds: what was said, what would be said now, and what happened in between."""

    quoted: Mapping[str, Any]
    now: Mapping[str, Any]
    since: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What became of an order.

    Attributes:
        outcome: accepted, refused, or unchanged: this quote was ordered before.
        number: of the fact that says so; 0 with a refusal.
        answer: of the contract; None where nothing was asked of it.
        sides: where a quote no longer holds.
        applied: revisions of tenants that may use something else by it, and their publication.
        to_do: what is left to do for its account.
    """

    outcome: str
    number: int
    answer: Answer | None = None
    sides: Sides | None = None
    applied: Applied = field(default_factory=Applied)
    to_do: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A contract as it is in the database.

    Attributes:
        offers: every catalogue.
        today: by the clock of its account.
        to_do: for its account, and from which day on.
    """

    spec: ContractSpec
    offers: Shelf
    today: date
    to_do: tuple[Step, ...]


async def stored(settings: Settings, contract: str) -> Stored:
    """Give a contract as it is in the database, with what its account's balance has seen.

    Raises:
        OrderError: there is no such contract.
        database.AWAY: the database cannot be reached.
    """
    async with _connected(settings, "show") as connection:
        log, offers = await _read(connection, contract)
        log = await crediting.aware(connection, log, offers)
        today = await entitling.today(connection, log)
        to_do = await _to_do(connection, log, offers)
        return Stored(spec=log.spec, offers=offers, today=today, to_do=to_do)


async def _to_do(connection: Connection, log: Log, offers: Shelf) -> tuple[Step, ...]:
    step = await paying.stays_on_credit(connection, log, offers)
    return (*filter(None, [step]), *await unbooked.steps(connection, log, offers))


async def ask(
    settings: Settings, contract: str, wanted: Wanted, *, author: str, day: date | None = None
) -> Quote:
    """Make a quote, and keep it to be ordered, unless it is refused; its id names the kept row.

    So an order that is sent again finds what it ordered before, even if the same was quoted again meanwhile.
    The day is today by the clock of the contract's account, unless one is named.

    Raises:
        OrderError, WantedError, database.AWAY: nothing was kept.
    """
    async with _connected(settings, author) as connection, connection.transaction():
        log, offers = await _read(connection, contract)
        log = await crediting.aware(connection, log, offers, held=True)
        day = day or await entitling.today(connection, log)
        made = quoted(await entitling.judged(connection, log, offers, day), offers, wanted, day)
        if not made.refused:
            event = _event(day, behind(log.spec, day), event_of(made.deed, wanted, made.id))
            made = refused_by(made, await _in_the_way(connection, log, offers, event))
        if not made.refused and "move" in wanted:
            told = replace(log, spec=contract_log.with_events(log.spec, log, [event]))
            step = await paying.stays_on_credit(connection, told, offers)
            made = replace(made, dates=(*made.dates, *filter(None, [step])))
        if not made.refused:
            name = await contract_log.keep_quote(
                connection, log, id=made.id, wanted=wanted, said=report.of_quote(made), author=author
            )
            made = replace(made, id=name)
    return made


async def order(  # noqa: PLR0913 — whose, what, when and by whom
    settings: Settings,
    contract: str,
    quote: str,
    *,
    author: str,
    day: date | None = None,
    signed_form: str | None = None,
) -> Ordered:
    """Order a quote bindingly, today by the clock of the contract's account; the same one changes nothing.

    Raises:
        OrderError, WantedError: it is no order; nothing is stored.
        BusyError: another change does not come to its end; nothing is stored.
        UnansweredError: the database died over the commit.
        database.AWAY: the database cannot be reached; nothing is stored.
    """
    async with _connected(settings, author) as connection:
        await turn.take(connection, turn.DOOR)
        done, changes = None, tuple[Change, ...]()
        async with transaction(settings, connection) as commit:
            done = await _in_turn(connection, contract, quote, day=day, author=author, form=signed_form)
            if done.outcome == "accepted":
                changes = await _followed(connection, contract, author)
                done = replace(done, to_do=await _to_do(connection, *await _read(connection, contract)))
                commit.receipt = await receipt_of(
                    connection, kind="contract", name=contract, revision=done.number, author=author
                )
        assert done is not None, "it was worked out, or an error left"
        if not changes:
            return done
        return replace(done, applied=await door.publish(settings, connection, Applied(changes=changes)))


async def _followed(connection: Connection, contract: str, author: str) -> tuple[Change, ...]:
    """Store what the tenants of a contract may use from now on."""
    try:
        await crediting.see_to(connection, contract, author=author)
        found = await entitling.bring(connection, contract, author=author, now=datetime.now(UTC))
    except entitling.UndoneError as error:
        raise OrderError(error.finding.code, error.finding.message, error.finding.remedy) from error
    return tuple(map(door.following, found))


def with_order(quote: str, *, author: str) -> door.First:
    """Make of a quote's order what the door does before documents that it makes possible."""

    async def first(connection: Connection) -> Change:
        contract = await contract_log.contract_of(connection, quote)
        if contract is None:
            raise door.RefusedError(
                _finding("unknown-quote", f"there is no quote {quote}", "name the one that was offered")
            )
        try:
            done = await _in_turn(connection, contract, quote, day=None, author=author, form=None)
        except WantedError as error:
            raise door.RefusedError(_finding("not-ordered", error.message, error.remedy)) from error
        if done.answer is not None and done.outcome == "refused":
            refusal = done.answer.refusals[0]
            raise door.RefusedError(_finding(refusal.code, refusal.message, refusal.remedy))
        changed = done.outcome == "accepted"
        return Change(kind="contract", id=contract, revision=done.number, changed=changed, file="")

    return first


def _finding(code: str, message: str, remedy: str) -> Finding:
    return Finding(path=(), code=code, message=message, remedy=remedy)


async def _in_turn(  # noqa: PLR0913 — whose, what, when and by whom
    connection: Connection, contract: str, name: str, *, day: date | None, author: str, form: str | None
) -> Ordered:
    log, offers = await _read(connection, contract)
    kept = await contract_log.kept_quote(connection, contract, name)
    if kept is None:
        raise OrderError(
            "unknown-quote",
            f"contract {contract} has no quote {name}",
            f"make it first: `pbxcore quote {contract} --add …`, and order the id that it shows",
        )
    before = next((entry for entry in log.entries if entry.quote == kept.number), None)
    if before is not None:
        return Ordered(outcome="unchanged", number=before.number)
    day = day or await entitling.today(connection, log)
    told = await crediting.untold(connection, log, offers)
    minute = behind(contract_log.with_events(log.spec, log, told), day)
    wanted = with_form(kept.wanted, form)
    known = await crediting.aware(connection, log, offers, held=True)
    state = tell(await entitling.judged(connection, known, offers, day), offers, day).states[-1]
    deed, key = deed_of(state, log.spec, offers, wanted, kept.id)
    _, answer, _ = do(state, Fact(on=day, minute=minute, deed=deed), offers)
    if answer.outcome != "accepted":
        return Ordered(outcome="refused", number=0, answer=answer, sides=_sides(log, kept, answer))
    event = _event(day, minute, event_of(key, wanted, name))
    lost = await _in_the_way(connection, known, offers, event)
    if lost:
        answer = replace(answer, outcome="refused", refusals=lost)
        return Ordered(outcome="refused", number=0, answer=answer)
    number = len(log.entries) + len(told) + 1
    for place, one in enumerate(told, start=len(log.entries) + 1):
        await contract_log.append(connection, contract, place, one, author=author)
    await contract_log.append(connection, contract, number, event, author=author, quote=kept.number)
    return Ordered(outcome="accepted", number=number, answer=answer)


def _event(day: date, minute: int, deed: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"on": day.isoformat(), "at": f"{minute // 60:02}:{minute % 60:02}", **deed}


async def _in_the_way(
    connection: Connection, log: Log, offers: Shelf, event: Mapping[str, Any]
) -> tuple[Refusal, ...]:
    """Find what the contract's own rules cannot know: how its account pays, and what has happened since."""
    if "move" in event and log.spec.account is not None:
        payment = await entitling.payment(connection, log.spec.account)
        catalogue = event["move"]["catalogue"]
        found = contract_checks.pays_otherwise(log.spec.account, payment, catalogue, offers)
        if refusals := tuple(Refusal(one.code, one.message, one.remedy) for one in found):
            return refusals
    early = await crediting.too_early(connection, log, offers, [event])
    return early or await _too_late(connection, log, offers, event)


async def _too_late(
    connection: Connection, log: Log, offers: Shelf, event: Mapping[str, Any]
) -> tuple[Refusal, ...]:
    """Find what an event dated back would have taken away by now, or what the credit lacks for it today.

    Who gives notice has a right to what that takes away.
    """
    if (
        event["on"] >= (await entitling.today(connection, log)).isoformat()
        or not event.keys() & crediting.BINDING
    ):
        return ()
    lost = await entitling.taken_away(connection, log, offers, event)
    return lost or await crediting.overdrawn(connection, log, offers, [event])


def _sides(log: Log, kept: KeptQuote, answer: Answer) -> Sides | None:
    if answer.quote is None:
        return None
    since = tuple(entry for entry in log.entries if entry.number > kept.facts)
    return Sides(quoted=kept.said, now=report.of_quote(answer.quote), since=since)


async def _read(connection: Connection, contract: str) -> tuple[Log, Shelf]:
    log = await contract_log.read(connection, contract)
    if log is None:
        known = await revisions.names(connection, "contract")
        otherwise = "`pbxcore apply FILE` stores one; a document is named by its path, ./acme.yaml"
        raise OrderError(
            "unknown-contract",
            f"there is no contract {contract!r} in the database",
            closest(contract, known, otherwise),
        )
    return log, shelf(await contract_log.catalogues(connection))


@asynccontextmanager
async def _connected(settings: Settings, author: str) -> AsyncIterator[Connection]:
    connection = await door.connect(settings, author)
    try:
        yield connection
    finally:
        with contextlib.suppress(*database.AWAY):
            await connection.close(timeout=door.GOODBYE_S)
