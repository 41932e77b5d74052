"""A contract as people write it: who the customer is, and what happened on which day.

Owns the document `contract` and the way from it to facts. Refuses to know what follows from them
(`rating.contract.history`).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rating import money
from rating.contract import calendar, facts
from rating.contract.edition import Edition, Shelf
from rating.contract.facts import Fact
from rating.contract.wish import Change
from rating.finding import Finding, closest
from rating.offer import Amount, Name
from rating.party import CustomerSpec

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)  # what lies outside is a slip of the keyboard
MOST_EVENTS = 10_000  # in one document: one a day for more than twenty years

Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
Minute = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Units = dict[Name, PositiveInt | dict[Name, PositiveInt]]
"""Product → units, or units of each option of a choice apart."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ChangeSpec(_Part):
    """What is wanted.

    Attributes:
        add: units of products.
        remove: units of products.
        choose: choice → option.
        version: by the version of the catalogue that was signed, or the one in force today.
    """

    add: Units = Field(default_factory=dict)
    remove: dict[Name, PositiveInt] = Field(default_factory=dict)
    choose: dict[Name, Name | tuple[Name, ...]] = Field(default_factory=dict)
    version: Literal["signed", "newest"] = "signed"


class SignSpec(_Part):
    """What is signed.

    Attributes:
        add: units of products.
        choose: choice → option.
        begins: first day; none: at once.
        signed_form: file with the signed copy of the order form.
        old_contract_ends: last day at the provider from whom numbers are ported.
        agreed: id of the quote that was signed, for the record: it was compared when the contract was signed.
    """

    add: Units = Field(default_factory=dict)
    choose: dict[Name, Name | tuple[Name, ...]] = Field(default_factory=dict)
    begins: Day | None = None
    signed_form: str | None = None
    old_contract_ends: Day | None = None
    agreed: Name | None = None


class QuoteSpec(ChangeSpec):
    """A change of which a quote is wanted, under a label.

    Attributes:
        label: by which a later order of this document names the quote.
    """

    label: Name


class OrderSpec(ChangeSpec):
    """A binding order: of a change, or of a quote by its label or id, or of both.

    Attributes:
        quote: must be what would be quoted on this day.
        agreed: id of the quote that was ordered, for the record: it was compared when the order was given.
        signed_form: file with the signed copy of the order form.
    """

    quote: Name | None = None
    agreed: Name | None = None
    signed_form: str | None = None


class UseSpec(_Part):
    """What the tenant has (extensions, devices …) and which functions it uses, from now on.

    Attributes:
        counts: how many it has of each.
        features: functions that it uses; none named: as before.
    """

    counts: dict[Name, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    features: tuple[Name, ...] | None = None


class CreateSpec(_Part):
    """What the tenant wants to have more of; if it may not yet, an offer is made under this label.

    Attributes:
        counts: how many more of each.
        offer: label of the offer, by which an order names it.
    """

    counts: dict[Name, PositiveInt]
    offer: Name = "offer"


class EditSpec(_Part):
    """A part of the system that somebody wants to change.

    Attributes:
        what: the part, as `administers` of the catalogue's options names it.
        by: who wants it: the tenant's own people, or the provider's.
    """

    what: Name
    by: Literal["tenant", "staff"]


class PartingSpec(_Part):
    """Notice or withdrawal: nothing more to say, `{}`.

    Attributes:
        agreed: id of the quote that was ordered, for the record: it was compared when the order was given.
    """

    agreed: Name | None = None


class HolderSpec(PartingSpec):
    """Who holds the contract from now on, and who that is, for paper.

    Attributes:
        kind: what they are by law.
        ticket: number of the ticket by which it was requested.
        opened_by: who opened it.
        customer: who signs from now on, for paper.
    """

    kind: Literal["private", "company"]
    ticket: str = ""
    opened_by: str = ""
    customer: CustomerSpec | None = None


class MoveSpec(PartingSpec):
    """The catalogue to which the tenant goes, what it begins with there, and the signed copy of its form.

    Attributes:
        catalogue: its name.
        signed_form: file with the signed copy of the order form.
        add: units of products there.
        choose: choice → option there.
    """

    catalogue: Name
    signed_form: str | None = None
    add: Units = Field(default_factory=dict)
    choose: dict[Name, Name | tuple[Name, ...]] = Field(default_factory=dict)


class CallsSpec(_Part):
    """What calls cost beyond allowances.

    Attributes:
        amount: what they cost together.
        what: words for it on the invoice.
    """

    amount: Amount
    what: str = "calls"


Difference = Annotated[
    int, BeforeValidator(money.parse), PlainSerializer(money.text, return_type=str, when_used="json")
]


class LedgerSpec(_Part):
    """What the account's balance has seen beside this contract; the door writes it, nobody else.

    With a minus: written back to another day.

    Attributes:
        paid: what was paid in.
        calls: what calls took.
    """

    paid: Difference = 0
    calls: Difference = 0


class EmptySpec(_Part):
    """Nothing more to say: write `{}`."""


class EventSpec(_Part):
    """Something that happened: a day, perhaps a time, and one deed.

    Attributes:
        on: the day.
        at: the time, by the clock of the catalogue's calendar.
        top_up: what was paid in on the balance of the contract.
        cancel: notice was given; `{}`.
        processed: the notice has been processed; `{}`.
        withdraw: what was signed or ordered is withdrawn, while the law allows it; `{}`.
    """

    on: Day
    at: Minute = "00:00"
    top_up: Amount | None = None
    sign: SignSpec | None = None
    use: UseSpec | None = None
    create: CreateSpec | None = None
    edit: EditSpec | None = None
    quote: QuoteSpec | None = None
    order: OrderSpec | None = None
    holder: HolderSpec | None = None
    cancel: PartingSpec | None = None
    processed: EmptySpec | None = None
    move: MoveSpec | None = None
    withdraw: PartingSpec | None = None
    calls: CallsSpec | None = None
    ledger: LedgerSpec | None = None

    @model_validator(mode="after")
    def _one_deed(self) -> "EventSpec":
        done = [name for name in DEEDS if getattr(self, name) is not None]
        if len(done) != 1:
            raise PydanticCustomError(
                "one-deed",
                "{message}",
                {
                    "message": "an event with " + (" and ".join(done) if done else "no deed"),
                    "remedy": "write one of " + ", ".join(DEEDS),
                },
            )
        return self

    @property
    def told(self) -> bool:
        """Whether the machine itself has told it, and nobody agreed on anything by it."""
        return self.use is not None or self.ledger is not None


DEEDS = tuple(name for name in EventSpec.model_fields if name not in {"on", "at"})


def _none_yet(events: object) -> object:
    """Read `events:` with nothing behind it, to which `pbxcore order` writes the first one."""
    return () if events is None else events


class ContractSpec(_Part):
    """One customer's contract.

    Attributes:
        version: of this form of the document.
        contract: its id, which never changes.
        catalogue: under which it is signed.
        account: that pays for it; it is under one contract.
        customer: who signs, for paper.
        holder: what they are by law.
        region: of the country of the catalogue's calendar, whose holidays count, too: BY.
        until: how far a simulation looks, unless it is told.
        events: in any order; their days count.
    """

    version: Literal[1]
    contract: Name
    catalogue: Name
    account: Name | None = None
    customer: CustomerSpec | None = None
    holder: Literal["private", "company"] = "company"
    region: str = ""
    until: Day | None = None
    events: Annotated[tuple[EventSpec, ...], BeforeValidator(_none_yet), Field(max_length=MOST_EVENTS)] = ()


def check(spec: ContractSpec, shelf: Shelf) -> tuple[Finding, ...]:
    """Find what the shape of a contract cannot show: names that no catalogue has.

    Args:
        spec: the document.
        shelf: every version of every catalogue.
    """
    return tuple(_check(spec, shelf))


def deed_of(name: str, spec: BaseModel, shelf: Shelf, editions: Sequence[Edition]) -> facts.Deed:
    """Give the deed of an event's key; an unknown catalogue is refused by the contract."""
    return _MAKERS[name](spec, shelf, editions)


def facts_of(spec: ContractSpec, shelf: Shelf) -> tuple[Fact, ...]:
    """Give the facts of a contract in which `check` found nothing."""
    editions = shelf[spec.catalogue]
    return tuple(_fact(event, shelf, editions) for event in spec.events)


def agreed_facts(spec: ContractSpec, shelf: Shelf) -> tuple[Fact, ...]:
    """Give those of its facts of which a quote was agreed."""
    quoted = [getattr(_said(event)[1], "agreed", None) for event in spec.events]
    return tuple(fact for fact, quote in zip(facts_of(spec, shelf), quoted, strict=True) if quote)


def _check(spec: ContractSpec, shelf: Shelf) -> Iterator[Finding]:
    editions = shelf.get(spec.catalogue)
    if editions is None:
        yield _unknown(("catalogue",), "catalogue", spec.catalogue, shelf)
        return
    country = editions[0].offer.calendar.country
    if not calendar.known(country, spec.region):
        yield _unknown(("region",), "region", spec.region, calendar.regions(country))
    for number, event in enumerate(spec.events):
        path = ("events", number)
        if event.move is not None and event.move.catalogue not in shelf:
            yield _unknown((*path, "move", "catalogue"), "catalogue", event.move.catalogue, shelf)
        if event.on < editions[0].version:
            yield Finding(
                path=(*path, "on"),
                code="before-the-catalogue",
                message=f"{spec.catalogue} has no version before {editions[0].version}",
                remedy="correct the day, or write the earlier version",
            )


def _unknown(path: tuple[str | int, ...], what: str, name: str, known: Collection[str]) -> Finding:
    listed = "use one of " + ", ".join(known) if known else "write it first, or give it along"
    return Finding(
        path=path,
        code=f"unknown-{what}",
        message=f"there is no {what} {name!r}",
        remedy=closest(name, known, listed),
    )


def _fact(event: EventSpec, shelf: Shelf, editions: Sequence[Edition]) -> Fact:
    return Fact(on=event.on, minute=minute_of(event), deed=_deed(event, shelf, editions))


def _deed(event: EventSpec, shelf: Shelf, editions: Sequence[Edition]) -> facts.Deed:
    name, spec = _said(event)
    return deed_of(name, spec, shelf, editions)


def _said(event: EventSpec) -> tuple[str, Any]:
    """Give the key of an event's deed, and what stands under it."""
    return next((name, getattr(event, name)) for name in DEEDS if getattr(event, name) is not None)


def _sign(spec: SignSpec, _shelf: Shelf, editions: Sequence[Edition]) -> facts.Sign:
    return facts.Sign(
        change=change_of(spec, editions),
        begins=spec.begins,
        signed_form=spec.signed_form is not None,
        old_contract_ends=spec.old_contract_ends,
    )


def _order(spec: OrderSpec, _shelf: Shelf, editions: Sequence[Edition]) -> facts.Order:
    change = change_of(spec, editions)
    said = spec.add or spec.remove or spec.choose or change.newest
    return facts.Order(change=change if said else None, quote=spec.quote or "")


def _move(spec: MoveSpec, shelf: Shelf, _editions: Sequence[Edition]) -> facts.Move:
    change = change_of(spec, shelf[spec.catalogue]) if spec.catalogue in shelf else Change()
    return facts.Move(
        catalogue=spec.catalogue,
        change=change,
        signed_form=spec.signed_form is not None,
    )


def minute_of(event: EventSpec) -> int:
    """Give the minute of the day at which something happened."""
    hour, _, minute = event.at.partition(":")
    return int(hour) * 60 + int(minute)


def change_of(spec: ChangeSpec | SignSpec | MoveSpec, editions: Sequence[Edition]) -> Change:
    """Give a change as the core takes it: units of several options apart choose all these options."""
    chosen = {
        choice: (option,) if isinstance(option, str) else option for choice, option in spec.choose.items()
    }
    add = {}
    for product, units in spec.add.items():
        if isinstance(units, int):
            add[product] = units
            continue
        add[product] = sum(units.values())
        for choice in _choices_with(units, editions):
            chosen[choice] = (*chosen.get(choice, ()), *units)
    removed = spec.remove if isinstance(spec, ChangeSpec) else {}
    newest = isinstance(spec, ChangeSpec) and spec.version == "newest"
    return Change(add=add, remove=removed, choose=chosen, newest=newest)


def _choices_with(options: dict[str, int], editions: Sequence[Edition]) -> tuple[str, ...]:
    """Find the choice that has all these options; without one the names are told as unknown choices."""
    for name, choice in editions[-1].offer.choices.items():
        if set(options) <= set(choice.options):
            return (name,)
    return tuple(options)


_MAKERS: dict[str, Callable[[Any, Shelf, Sequence[Edition]], facts.Deed]] = {
    "top_up": lambda spec, _shelf, _editions: facts.TopUp(amount_micro=spec),
    "ledger": lambda spec, _shelf, _editions: facts.Ledger(paid_micro=spec.paid, calls_micro=spec.calls),
    "sign": _sign,
    "use": lambda spec, _shelf, _editions: facts.Use(counts=spec.counts, features=spec.features),
    "create": lambda spec, _shelf, _editions: facts.Create(counts=spec.counts, offer=spec.offer),
    "edit": lambda spec, _shelf, _editions: facts.Edit(what=spec.what, by=spec.by),
    "quote": lambda spec, _shelf, editions: facts.Ask(change=change_of(spec, editions), label=spec.label),
    "order": _order,
    "holder": lambda spec, _shelf, _editions: facts.Holder(
        kind=spec.kind, ticket=spec.ticket, opened_by=spec.opened_by, customer=spec.customer
    ),
    "cancel": lambda _spec, _shelf, _editions: facts.Cancel(),
    "processed": lambda _spec, _shelf, _editions: facts.Processed(),
    "move": _move,
    "withdraw": lambda _spec, _shelf, _editions: facts.Withdraw(),
    "calls": lambda spec, _shelf, _editions: facts.Calls(amount_micro=spec.amount, what=spec.what),
}
