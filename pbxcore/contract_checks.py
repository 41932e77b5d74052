"""What must be true before a contract's facts are stored, and before a catalogue that contracts have is.

Owns these refusals at the door: what was agreed stays agreed. Refuses to store, and to judge what a
contract's own rules refuse: that is an answer in its history, no mistake of a document.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialplan.finding import Finding
from pbxcore import contract_log
from pbxcore.contract_log import Log
from pbxcore.database import Connection
from pbxcore.documents import Mistake
from rating.catalogue import CatalogueSpec
from rating.contract.document import ContractSpec, agreed_facts, check
from rating.contract.edition import Edition, Shelf, shelf
from rating.contract.ending import Ending, Step
from rating.contract.facts import Cancel, Fact, Holder, Move, Order, Sign, Withdraw
from rating.contract.state import State, VersionPart
from rating.contract.story import last_fact, tell
from rating.party import CustomerSpec

SOLD = ("offer", "bundles", "buy_outs", "currency")  # of a catalogue: what contracts are about
_BINDING: Mapping[type, str] = {
    Sign: "signing",
    Order: "order",
    Move: "move",
    Cancel: "notice",
    Withdraw: "withdrawal",
    Holder: "change of hands",
}
_BY_LETTER = (
    Cancel,
    Withdraw,
    Holder,
)  # unless quoted they count by their day: an earlier letter may turn up
LETTERS = frozenset({"cancel", "withdraw", "holder"})  # the same as events are written
LASTING = ("catalogue", "account", "holder", "region", "customer")  # of a head: what changes them is an event


async def mistakes(  # noqa: PLR0913 — a contract and its company
    connection: Connection,
    spec: ContractSpec,
    document: Mapping[str, Any],
    *,
    catalogues: Sequence[CatalogueSpec],
    accounts: Mapping[str, str],
    beside: Collection[ContractSpec] = (),
) -> tuple[Mistake, ...]:
    """Find what is wrong with a contract in the company of what is stored; `undone` is asked apart.

    Args:
        connection: to the database, while no other change can be stored.
        spec: what the document says.
        document: its values as they were written.
        catalogues: as they stand after the change.
        accounts: those among the contract's that there are, and how they pay.
        beside: contracts of the same change.
    """
    offers = shelf(catalogues)
    log = await contract_log.read(connection, spec.contract)
    found: list[Mistake] = [*check(spec, offers), *_head_changed(spec, log), *_by_hand(log, document)]
    if spec.account is not None:
        holders = {one.contract for one in beside if one.account == spec.account}
        holders |= {await contract_log.of_account(connection, spec.account) or spec.contract}
        found += _of_account(spec.account, sorted(holders - {spec.contract}), accounts)
        found += () if found else _rated_already(spec, log, document, offers)
        payment = accounts.get(spec.account, "")
        for catalogue in _newly_under(spec, log, document):
            found += pays_otherwise(spec.account, payment, catalogue, offers)
    return tuple(found)


async def rewritten(connection: Connection, spec: CatalogueSpec) -> tuple[Finding, ...]:
    """Find that a version of a catalogue, new or changed in place, would change what was agreed.

    Args:
        connection: to the database, while no other change can be stored.
        spec: the version as it shall be.
    """
    stored = {(one.catalogue, one.valid_from): one for one in await contract_log.catalogues(connection)}
    key = spec.catalogue, spec.valid_from
    old = stored.get(key)
    changed = [name for name in SOLD if _sold(old, name) != _sold(spec, name)]
    if not changed:
        return ()
    before, after = shelf(list(stored.values())), shelf(list({**stored, key: spec}.values()))
    for name in await contract_log.under(connection, *key):
        log = await contract_log.read(connection, name)
        assert log is not None, "it was found in this turn"
        if _rewrites(log.spec, f"{spec.catalogue}@{spec.valid_from}", before, after):
            return (_rewriting(name, spec, None if old is None else changed[0]),)
    return ()


def _sold(spec: CatalogueSpec | None, name: str) -> str:
    """Write what a catalogue sells in its order: of two options the later one is the higher."""
    return "" if spec is None else spec.model_dump_json(include={name})


def _rewrites(spec: ContractSpec, version: str, before: Shelf, after: Shelf) -> bool:
    """Tell whether a contract uses a version, or would stand otherwise with it."""
    versions = _versions(spec, before)
    if version in versions or check(spec, after):
        return True
    return _versions(spec, after) != versions or _agreed(spec, after) != _agreed(spec, before)


def _rewriting(contract: str, spec: CatalogueSpec, changed: str | None) -> Finding:
    version = f"{spec.catalogue} of {spec.valid_from}"
    message = f"contract {contract} was agreed by {version}, whose {changed} would change"
    remedy = "leave it as it was, and write a new version with another, later valid_from"
    if changed is None:
        message = f"{version} would change what was agreed in contract {contract} before it was known"
        remedy = "give it a later valid_from"
    return Finding(path=(changed or "valid_from",), code="rewrites-contract", message=message, remedy=remedy)


def _versions(spec: ContractSpec, offers: Shelf) -> set[str]:
    """Name every version of a catalogue that a contract has had since it was signed, or is to have."""
    past = tell(spec, offers, last_fact(spec, offers))
    signed = [state for state in past.states if state.signed is not None]
    return {edition.name for state in signed for edition in _editions(state)}


def _editions(state: State) -> Iterator[Edition]:
    yield state.edition
    yield from (one.edition for one in state.periods)
    yield from (part.edition for part in state.pending if isinstance(part, VersionPart))
    if state.moves_to is not None:
        yield state.moves_to.edition


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


def _newly_under(spec: ContractSpec, log: Log | None, document: Mapping[str, Any]) -> list[str]:
    """Name the catalogues under which a contract comes by a document; what it is under already stays."""
    moves = {
        event["move"]["catalogue"] for event in contract_log.new_events(log, document) if "move" in event
    }
    return sorted(moves | ({spec.catalogue} if log is None else set()))


def pays_otherwise(account: str, payment: str, catalogue: str, offers: Shelf) -> Iterator[Finding]:
    """Find that a contract would be on credit and its calls invoiced: they would never use that credit up."""
    on_credit = any(one.offer.billing.prepaid is not None for one in offers.get(catalogue, ()))
    if on_credit and payment == "postpaid":
        yield Finding(
            path=("account",),
            code="pays-otherwise",
            message=f"{catalogue} is paid from a credit, and account {account} is invoiced",
            remedy="write `payment: prepaid` in the account's document, or name an account that is",
        )


def _by_hand(log: Log | None, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what the machine alone may tell of a balance, and somebody has written."""
    new = contract_log.new_events(log, document)
    for number, event in enumerate(document.get("events") or ()):
        if "ledger" in event and any(event is one for one in new):
            yield Finding(
                path=("events", number, "ledger"),
                code="told-by-the-ledger",
                message="what a balance has seen is told by the machine itself",
                remedy="take it out; what somebody pays is `top_up`",
            )


def _rated_already(
    spec: ContractSpec, log: Log | None, document: Mapping[str, Any], offers: Shelf
) -> Iterator[Finding]:
    """Find calls that somebody has written, and that the rater takes from the same credit."""
    new = contract_log.new_events(log, document)
    written = [
        (number, one.on)
        for number, (one, event) in enumerate(zip(spec.events, document.get("events") or (), strict=True))
        if one.calls is not None and any(event is other for other in new)
    ]
    after = contract_log.with_events(spec, log, new)
    for number, day in written:
        if tell(after, offers, day).states[-1].prepaid:
            yield Finding(
                path=("events", number, "calls"),
                code="rated-already",
                message=f"calls of account {spec.account} are taken from its credit as they are rated",
                remedy="take it out; `calls` is for contracts without an account",
            )


def undone(spec: ContractSpec, log: Log, document: Mapping[str, Any], offers: Shelf) -> Iterator[Finding]:
    """Find that a fact learned late would undo an order, or make another one of it."""
    new = contract_log.new_events(log, document)
    after = contract_log.with_events(spec, log, new)
    letters = [event for event in new if event.keys() & LETTERS]
    yield from _undone(log.spec, after, offers)
    if len(letters) < len(new):  # a letter gives way to an earlier letter, and to nothing else
        yield from _undone(contract_log.with_events(spec, log, letters), after, offers, letters=True)


def _undone(
    before: ContractSpec, after: ContractSpec, offers: Shelf, *, letters: bool = False
) -> Iterator[Finding]:
    """Compare what was agreed, or letters that counted, before and after."""
    still = _agreed(after, offers, letters=letters)
    kept = [one.fact for one in still]
    for one in _agreed(before, offers, letters=letters):
        if one not in still:
            what = _BINDING[type(one.fact.deed)]
            becomes = "come to something else" if one.fact in kept else "be refused"
            yield Finding(
                path=("events",),
                code="undoes-order",
                message=f"with these events the {what} of {one.fact.on} would {becomes}; it is binding",
                remedy="correct their days, or agree on the change with the customer first",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agreed:
    """What was agreed: days, the end, and the quote, whose id is the hash of all of it."""

    fact: Fact
    quote: str
    dates: tuple[Step, ...]
    ending: Ending | None


def _agreed(spec: ContractSpec, offers: Shelf, *, letters: bool = False) -> list[_Agreed]:
    past = tell(spec, offers, last_fact(spec, offers))
    quoted = agreed_facts(spec, offers)
    return [
        _Agreed(
            fact=one.fact,
            quote=one.quote.id if one.quote is not None else "",
            dates=one.dates,
            ending=one.ending,
        )
        for one in past.answers
        if one.outcome == "accepted"
        if (_is_letter(one.fact, quoted) if letters else _is_binding(one.fact, quoted))
    ]


def _is_letter(fact: Fact, quoted: Collection[Fact]) -> bool:
    return isinstance(fact.deed, _BY_LETTER) and fact not in quoted


def _is_binding(fact: Fact, quoted: Collection[Fact]) -> bool:
    return type(fact.deed) in _BINDING and not _is_letter(fact, quoted)
