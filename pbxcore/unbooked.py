"""What is left to write into the documents of accounts, so that they book what their contracts sell.

Owns where both are read, stored or about to be. Refuses to compare (`rating.contract.unbooked`) and to write:
what is granted is said by the account's document alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from pbxcore import contract_log, entitling
from pbxcore.beside import Note
from pbxcore.contract_log import Log
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.documents import Read
from rating.account import AccountSpec
from rating.catalogue import CatalogueSpec
from rating.contract import unbooked
from rating.contract.document import ContractSpec, check
from rating.contract.edition import Shelf, shelf
from rating.contract.ending import Step
from rating.contract.story import tell_all

SQL = named(Path(__file__).with_name("lasting.sql"))
DONE = "until it is done, `pbxcore contract show` says so, too"


async def steps(
    connection: Connection, log: Log, offers: Shelf, new: Mapping[str, AccountSpec] | None = None
) -> tuple[Step, ...]:
    """Say what the account of a contract has to book otherwise; nothing of none, or of one nobody can read.

    Args:
        connection: to the database.
        log: of the contract.
        offers: every catalogue.
        new: accounts as they will be, by their ids, in place of what is stored.
    """
    name = log.spec.account
    account = (new or {}).get(name or "") or await _stored(connection, name)
    if account is None:
        return ()
    state = tell_all(log.spec, offers).states[-1]
    return unbooked.steps(log.spec.contract, state, account, await entitling.today(connection, log))


async def to_do(connection: Connection, documents: Sequence[Read]) -> tuple[Note, ...]:
    """Say it of all contracts among documents, and of those of the accounts among them."""
    whole = [one for one in documents if not one.gaps]  # a gap would look like a wish
    if not any(isinstance(one.spec, AccountSpec | ContractSpec) for one in whole):
        return ()
    offers = shelf(await _catalogues(connection, whole))
    accounts = {one.spec.account: one.spec for one in whole if isinstance(one.spec, AccountSpec)}
    logs = {}
    for account in accounts:
        contract = await contract_log.of_account(connection, account)
        log = await contract_log.read(connection, contract) if contract is not None else None
        if log is not None:
            logs[log.spec.contract] = log
    for one in whole:
        if isinstance(one.spec, ContractSpec) and not check(one.spec, offers):
            stored = await contract_log.read(connection, one.spec.contract)
            log = stored or Log(spec=one.spec.model_copy(update={"events": ()}), entries=())
            new = contract_log.new_events(log, one.tree.value)
            logs[one.spec.contract] = replace(log, spec=contract_log.with_events(log.spec, log, new))
    found = [step for log in logs.values() for step in await steps(connection, log, offers, accounts)]
    return tuple(Note(step.text, DONE) for step in found)


async def _catalogues(connection: Connection, documents: Iterable[Read]) -> list[CatalogueSpec]:
    """Give the catalogues as they will stand with those among documents."""
    known = {(one.catalogue, one.valid_from): one for one in await contract_log.catalogues(connection)}
    new = (one.spec for one in documents if isinstance(one.spec, CatalogueSpec))
    known |= {(one.catalogue, one.valid_from): one for one in new}
    return list(known.values())


async def _stored(connection: Connection, account: str | None) -> AccountSpec | None:
    """Read an account as it is stored; one that this version of the program cannot read says nothing."""
    document = await connection.fetchval(SQL["newest"], "account", account) if account is not None else None
    try:
        return AccountSpec.model_validate_json(document) if document is not None else None
    except ValidationError:
        return None
