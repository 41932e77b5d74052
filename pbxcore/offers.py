"""What a tenant's document uses beyond its contract, refused at the door with the change that would allow it.

Only what gets worse is refused: a contract may have come after what is there, or have ended before it.
Owns these findings, and the offer: a quote that is kept like any other, and ordered by its id, alone
(`pbxcore order`) or together with the document (`pbxcore apply --order`). Refuses to order anything.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dialplan.checks.entitled import has_as_many_as_it_may, ungranted, uses_what_it_may
from dialplan.checks.subject import Subject
from dialplan.finding import Finding
from dialplan.spec import EntitlementSpec, TenantSpec
from pbxcore import contract_log, crediting
from pbxcore.database import Connection
from pbxcore.documents import Located, Read, locate
from pbxcore.entitlements import COUNTED, counts, features
from pbxcore.entitling import Entries, Terms
from rating.contract import report
from rating.contract.line import amount_text
from rating.contract.offering import alone, need, smallest
from rating.contract.quote import Quote
from rating.contract.state import active

TOO_MANY = {one: f"too-many-{one}" for one in COUNTED}
NOT_YET = {one: f"{one}-not-yet" for one in COUNTED}  # it is ordered, and has not begun: nothing to offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The change of a contract that would allow what was refused.

    Attributes:
        contract: its id.
        quote: what it comes to; its id names the kept one, and is empty where a credit does not suffice.
    """

    contract: str
    quote: Quote

    @property
    def said(self) -> str:
        """Say in a sentence what it is, what it costs and from when."""
        made = self.quote
        parts = [f"{name} {option}" for name, (option, *_) in made.change.choose.items()]
        parts += [f"{units} more {name}" for name, units in made.change.add.items()]
        before, after = (amount_text(one) for one in (made.price_before_micro, made.price_after_micro))
        price = f"{after} instead of {before} {made.edition.currency} a month"
        return f"{' and '.join(parts)} ({price}, from {made.effective})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What tenants of a change use beyond their contract.

    Attributes:
        terms: of the contract.
        findings: each with its tenant.
        features: functions that it includes neither today nor later.
    """

    terms: Terms
    findings: tuple[tuple[str, Finding], ...]
    features: frozenset[str]


@dataclass
class NotEntitledError(Exception):
    """Tenants of a change use more than their contracts let them; nothing of it may be stored."""

    refused: tuple[Refused, ...]

    async def offers(self, connection: Connection, author: str) -> tuple[Offer, ...]:
        """Make and keep what would allow it; the contracts stand as they are stored."""
        made = [await _offered(connection, one, author) for one in self.refused]
        return tuple(offer for offer in made if offer is not None)


def admit(terms: Iterable[Terms], changed: Mapping[str, TenantSpec]) -> None:
    """Let the tenants of a change pass.

    Raises:
        NotEntitledError: some use more than their contracts let them, and more than is stored.
    """
    refused = tuple(one for each in terms if (one := _refused(each, changed)))
    if refused:
        raise NotEntitledError(refused)


def findings(
    documents: Sequence[Read], error: NotEntitledError, made: Collection[Offer]
) -> tuple[Located, ...]:
    """Give what was refused its lines, and the offers that would allow it."""
    tenants = {document.id: document for document in documents if document.kind == "tenant"}
    offers = {offer.contract: offer for offer in made}
    return tuple(
        located
        for one in error.refused
        for tenant, finding in one.findings
        for located in locate(tenants[tenant], [_remedied(finding, offers.get(one.terms.log.spec.contract))])
    )


def _refused(terms: Terms, changed: Mapping[str, TenantSpec]) -> Refused | None:
    """Judge the changed tenants of a contract by what it lets them use from now on."""
    entries = terms.entries
    if not entries:
        return None
    found: list[tuple[str, Finding]] = []
    closed: set[str] = set()
    kept = _kept(terms)
    for name in sorted(terms.tenants.keys() & changed.keys()):
        spec, stored = changed[name], terms.stored.get(name)
        before = stored.spec if stored is not None else None
        if spec == before:
            continue
        if spec.entitlements:
            found.append((name, _by_hand(terms)))
            continue
        others = counts(one for other, one in terms.tenants.items() if other != name)
        used = features([before] if before is not None else [])
        subject = _subject(spec, [_with(entry, used) for entry in entries], others, terms)
        judged = (*uses_what_it_may(subject), *has_as_many_as_it_may(subject))
        found += [(name, _by_contract(one, name, others, terms)) for one in judged if one.code not in kept]
        closed |= {feature.value for _, feature in ungranted(subject)}
    return Refused(terms=terms, findings=tuple(found), features=frozenset(closed)) if found else None


def _kept(terms: Terms) -> frozenset[str]:
    """Give the codes of what the account's tenants together have no more of than is stored."""
    before = counts(one.spec for one in terms.stored.values() if one.spec is not None)
    after = counts(terms.tenants.values())
    fewer = [one for one in COUNTED if after[one] <= before[one]]
    return frozenset(names[one] for names in (TOO_MANY, NOT_YET) for one in fewer)


def _by_contract(finding: Finding, tenant: str, others: Mapping[str, int], terms: Terms) -> Finding:
    """Let a finding name the tenant and the contract, and what the account's other tenants have of it."""
    counted = next((one for one in COUNTED if finding.code in {TOO_MANY[one], NOT_YET[one]}), None)
    beside = (
        f", beside {others[counted]} of its account's other tenants" if counted and others[counted] else ""
    )
    words = finding.message.replace("the tenant", f"tenant {tenant}", 1)
    return replace(finding, message=f"{words} by contract {terms.log.spec.contract}{beside}")


def _with(entry: Mapping[str, Any], used: Collection[str]) -> Mapping[str, Any]:
    """Give an entry that includes what was used already, too."""
    return {**entry, "features": sorted({*entry["features"], *used})}


def _subject(spec: TenantSpec, entries: Entries, others: Mapping[str, int], terms: Terms) -> Subject:
    """Give a document with what its contract lets it use, beside what the account's other tenants have."""
    left = [
        {**entry, **{one: max(0, entry[one] - others[one]) for one in COUNTED if one in entry}}
        for entry in entries
    ]
    given = tuple(EntitlementSpec.model_validate(one) for one in left)
    return Subject(spec.model_copy(update={"entitlements": given}), (), at=terms.now)


def _by_hand(terms: Terms) -> Finding:
    contract = terms.log.spec.contract
    return Finding(
        path=("entitlements",),
        code="contract-entitles",
        message=f"the tenant's account is under contract {contract}, which says what the tenant may use",
        remedy=f"take `entitlements` out; `pbxcore contract show {contract}` shows what it includes",
    )


async def _offered(connection: Connection, refusal: Refused, author: str) -> Offer | None:
    """Make the offer that would allow what was refused, and keep its quote; None where nothing does."""
    terms, codes = refusal.terms, {finding.code for _, finding in refusal.findings}
    terms = replace(terms, log=await crediting.aware(connection, terms.log, terms.offers, held=True))
    state, day = terms.state, terms.now.date()
    if not active(state) or "contract-entitles" in codes or codes <= set(NOT_YET.values()):
        return None
    has = counts(terms.tenants.values())
    wanted = {name: has[name] for name in COUNTED if TOO_MANY[name] in codes}
    found = smallest(state, need(state, wanted, refusal.features, day), terms.offers, day)
    if found is None:
        return None
    made = alone(found, state, terms.offers)
    if made.refused:
        return (
            Offer(contract=terms.log.spec.contract, quote=replace(made, id=""))
            if made.missing_micro
            else None
        )
    name = await contract_log.keep_quote(
        connection, terms.log, id=made.id, wanted=_wanted(made), said=report.of_quote(made), author=author
    )
    return Offer(contract=terms.log.spec.contract, quote=replace(made, id=name))


def _wanted(made: Quote) -> dict[str, Any]:
    """Write the change as an event does."""
    choose = {name: option for name, (option, *_) in made.change.choose.items()}
    said: dict[str, Any] = {"add": dict(made.change.add), "choose": choose}
    return {key: value for key, value in said.items() if value}


def _remedied(finding: Finding, offer: Offer | None) -> Finding:
    """Let a finding name the offer."""
    if offer is None:
        return finding
    lacking = amount_text(offer.quote.missing_micro)
    how = (
        f"`pbxcore apply … --order {offer.quote.id}` does both"
        if offer.quote.id
        else f"the credit lacks {lacking}"
    )
    return replace(finding, remedy=f"{finding.remedy}: {offer.said}; {how}")
