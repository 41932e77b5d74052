"""How an account pays beside its contract: both from one credit, or both by invoice.

Owns what is refused where the account would leave the credit and its contract would not, and what is to be
done where the contract leaves it. Refuses to change an account: who pays how is said by its document. That a
contract comes to an invoiced account is refused beside it (`contract_checks.pays_otherwise`).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

from dialplan.finding import Finding
from pbxcore import contract_log, entitling, lasting
from pbxcore.beside import Note
from pbxcore.contract_log import Log
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.documents import Read
from rating.account import AccountSpec
from rating.contract import ledger
from rating.contract.document import ContractSpec, check
from rating.contract.edition import Shelf, shelf
from rating.contract.ending import Step
from rating.contract.story import tell_all

SQL = named(Path(__file__).with_name("lasting.sql"))
DONE = "until it is done, `pbxcore contract show` says so, too"


async def changed(connection: Connection, spec: AccountSpec) -> tuple[Finding, ...]:
    """Find why an account may not pay in another way, or by another catalogue."""
    found = await lasting.payment_changed(connection, spec) or await _leaves_its_contract(connection, spec)
    return (*found, *await lasting.catalogue_changed(connection, spec))


async def _leaves_its_contract(connection: Connection, spec: AccountSpec) -> tuple[Finding, ...]:
    """Find that an account would be invoiced whose contract is on credit: calls would never use that up.

    By what is stored: what a contract still moves must be in the balance before its account has none.
    """
    if spec.payment != "postpaid" or await entitling.payment(connection, spec.account) != "prepaid":
        return ()
    name = await contract_log.of_account(connection, spec.account)
    log = await contract_log.read(connection, name) if name is not None else None
    if log is None:
        return ()
    past = tell_all(log.spec, shelf(await contract_log.catalogues(connection)))
    if not ledger.on_credit(past, await entitling.today(connection, log)):
        return ()
    return (_on_credit(spec.account, log.spec.contract, ledger.invoiced_from(past)),)


def _on_credit(account: str, contract: str, until: date | None) -> Finding:
    return Finding(
        path=("payment",),
        code="contract-on-credit",
        message=f"contract {contract} is paid from the credit of account {account}, which calls must use",
        remedy="leave `payment: prepaid`"
        + (f" until {until}: from then on the contract is invoiced, and the account may be" if until else ""),
    )


async def stays_on_credit(connection: Connection, log: Log, offers: Shelf) -> Step | None:
    """Find that a contract leaves the credit and its account does not: what is to be done, and when."""
    account = log.spec.account
    day = ledger.invoiced_from(tell_all(log.spec, offers))
    if account is None or day is None or await entitling.payment(connection, account) != "prepaid":
        return None
    has_legs = await connection.fetchval(SQL["has_legs"], account)
    return Step("account", day, _of_rated(account, day) if has_legs else _to_apply(account, day))


async def to_do(connection: Connection, documents: Iterable[Read]) -> tuple[Note, ...]:
    """Find what is to be done for accounts, as contracts will stand with their documents."""
    offers = shelf(await contract_log.catalogues(connection))
    found = []
    for document in documents:
        spec = document.spec
        if not isinstance(spec, ContractSpec) or document.gaps or check(spec, offers):
            continue  # what is wrong with it is told, and what follows from it not known
        stored = await contract_log.read(connection, spec.contract)
        log = stored or Log(spec=spec.model_copy(update={"events": ()}), entries=())
        new = contract_log.new_events(log, document.tree.value)
        told = replace(log, spec=contract_log.with_events(log.spec, log, new))
        found.append(await stays_on_credit(connection, told, offers))
    return tuple(Note(step.text, DONE) for step in found if step is not None)


def _to_apply(account: str, day: date) -> str:
    return (
        f"calls of account {account} need credit until its document says `payment: postpaid`: "
        f"apply that on {day}, not before"
    )


def _of_rated(account: str, day: date) -> str:
    return (
        f"calls of account {account} go on needing credit: it has rated calls and stays prepaid. For "
        f"invoiced ones give notice instead of moving, sign a contract with another account that is "
        f"`payment: postpaid`, and name it in the documents of its tenants on {day}"
    )
