"""What must be true of a contract's document before its facts are stored.

Owns these refusals at the door. Refuses to store, and to judge what a contract's own rules refuse: that is an
answer in its history, no mistake of a document.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dialplan.finding import Finding
from pbxcore import contract_log
from pbxcore.contract_log import Log
from pbxcore.database import Connection
from pbxcore.documents import Mistake
from rating.catalogue import CatalogueSpec
from rating.contract.document import ContractSpec, check
from rating.contract.edition import Shelf, shelf
from rating.contract.facts import Fact, Order, Sign
from rating.contract.story import last_fact, tell
from rating.party import CustomerSpec

LASTING = ("catalogue", "account", "holder", "region", "customer")  # of a head: what changes them is an event


async def mistakes(  # noqa: PLR0913 — a contract and its company
    connection: Connection,
    spec: ContractSpec,
    document: Mapping[str, Any],
    *,
    catalogues: Sequence[CatalogueSpec],
    accounts: Collection[str],
    beside: Collection[ContractSpec] = (),
) -> tuple[Mistake, ...]:
    """Find what is wrong with a contract in the company of what is stored.

    Args:
        connection: to the database, while no other change can be stored.
        spec: what the document says.
        document: its values as they were written.
        catalogues: as they stand after the change.
        accounts: those among the contract's that there are.
        beside: contracts of the same change.
    """
    offers = shelf(catalogues)
    log = await contract_log.read(connection, spec.contract)
    found: list[Mistake] = [*check(spec, offers), *_head_changed(spec, log)]
    if spec.account is not None:
        holders = {one.contract for one in beside if one.account == spec.account}
        holders |= {await contract_log.of_account(connection, spec.account) or spec.contract}
        found += _of_account(spec.account, sorted(holders - {spec.contract}), accounts)
    if not found and log is not None:
        found += _undone(spec, log, document, offers)
    return tuple(found)


def _head_changed(spec: ContractSpec, log: Log | None) -> Iterator[Finding]:
    for key in LASTING:
        stored, said = (getattr(one, key) if one is not None else None for one in (log and log.spec, spec))
        if log is not None and stored != said:
            sides = f"{key} {_shown(stored)}, not {_shown(said)}"
            yield Finding(
                path=(key,) if said else ("contract",),
                code="contract-fixed",
                message=f"contract {spec.contract} is stored with {sides}",
                remedy=f"write {key} as it was; what changes is an event (`holder`, `move`)",
            )


def _shown(value: object) -> str:
    """Write a value of a head on one line."""
    if isinstance(value, CustomerSpec):
        said = value.model_dump(mode="json", exclude_none=True)
        return ", ".join(f"{key} {text}" for key, text in said.items())
    return str(value or "none")


def _of_account(account: str, others: Collection[str], accounts: Collection[str]) -> Iterator[Finding]:
    if account not in accounts:
        yield Finding(
            path=("account",),
            code="unknown-account",
            message=f"there is no account {account!r}",
            remedy="apply the account's document first, or in the same go",
        )
    for other in others:
        yield Finding(
            path=("account",),
            code="account-taken",
            message=f"account {account} is under contract {other}",
            remedy="write the events to that contract, or name another account",
        )


def _undone(spec: ContractSpec, log: Log, document: Mapping[str, Any], offers: Shelf) -> Iterator[Finding]:
    """Find that a fact learned late would undo an order: what was agreed stays agreed."""
    after = contract_log.with_events(spec, log, contract_log.new_events(log, document))
    still = _agreed(after, offers)
    for fact in _agreed(log.spec, offers):
        if fact not in still:
            what = "signing" if isinstance(fact.deed, Sign) else "order"
            yield Finding(
                path=("events",),
                code="undoes-order",
                message=f"with these events the {what} of {fact.on} would be refused, which is binding",
                remedy="correct their days, or agree on the change with the customer first",
            )


def _agreed(spec: ContractSpec, offers: Shelf) -> list[Fact]:
    past = tell(spec, offers, last_fact(spec, offers))
    accepted = (one.fact for one in past.answers if one.outcome == "accepted")
    return [fact for fact in accepted if isinstance(fact.deed, Sign | Order)]
