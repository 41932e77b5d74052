"""What can happen to a contract, as dated facts.

Owns their shapes and their order. Refuses to know what follows from them (`rating.contract.history`).

The order in which facts were learned says nothing: they count in the order of their instants, and at one
instant in the order of `DEEDS`, money first; of what was in use in one minute the most counts last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from rating.contract.wish import Change
from rating.party import CustomerSpec

LAST_MINUTE = 24 * 60 - 1  # of a day


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """Money is paid in."""

    amount_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was paid into the account's balance and what calls have taken from it, beside this contract.

    It has happened: nothing of it is refused or cut, as what `Calls` would cost is.
    """

    paid_micro: int = 0
    calls_micro: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A contract is signed.

    Attributes:
        change: units and options to begin with.
        begins: first day; None: at once.
        signed_form: the signed copy of the order form is there.
        old_contract_ends: last day at the provider from whom numbers are ported.
        quote: id of the quote that is signed, exactly; empty: signed without looking.
    """

    change: Change
    begins: date | None = None
    signed_form: bool = False
    old_contract_ends: date | None = None
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What the tenant has and uses from now on."""

    counts: Mapping[str, int] = field(default_factory=dict)
    features: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """The tenant wants to have more of something; if it may not, an offer is made under this label."""

    counts: Mapping[str, int]
    offer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Somebody wants to change a part of the system."""

    what: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A quote is asked for and kept under a label."""

    change: Change
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A change is ordered, bindingly.

    Attributes:
        change: what; None: that of the quote.
        quote: label or id of the quote that is ordered, exactly; empty: ordered without looking.
    """

    change: Change | None = None
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The contract changes hands.

    Attributes:
        kind: of the new holder.
        ticket: by which it was requested.
        opened_by: who opened that ticket.
        customer: who it is, for paper; None: nobody said.
        quote: id of the quote that was ordered, exactly; empty: ordered without looking.
    """

    kind: str
    ticket: str = ""
    opened_by: str = ""
    customer: CustomerSpec | None = None
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Notice is received.

    Attributes:
        quote: id of the quote that was ordered, exactly; empty: without looking.
    """

    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """The notice has been processed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The tenant goes to another catalogue as soon as this contract can end.

    Attributes:
        change: units and options to begin with there.
        signed_form: the signed copy of the order form is there.
        quote: id of the quote that was ordered, exactly; empty: ordered without looking.
    """

    catalogue: str
    change: Change
    signed_form: bool = False
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """The customer withdraws from the contract.

    Attributes:
        quote: id of the quote that was ordered, exactly; empty: without looking.
    """

    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls were made, for so much beyond all allowances."""

    amount_micro: int
    what: str


Deed = (
    TopUp
    | Ledger
    | Sign
    | Use
    | Create
    | Edit
    | Ask
    | Order
    | Holder
    | Cancel
    | Processed
    | Move
    | Withdraw
    | Calls
)
Parting = Holder | Cancel | Move | Withdraw
"""Deeds that end a contract or give it to somebody else; each can be quoted first."""
DEEDS = (TopUp, Ledger, Sign, Use, Create, Edit, Ask, Order, Holder, Cancel, Processed, Move, Withdraw, Calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened.

    Attributes:
        on: day, in the customer's time zone.
        minute: of the day.
        deed: what.
    """

    on: date
    minute: int = 0
    deed: Deed


def in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Order facts by when they happened, however they were learned."""
    return tuple(sorted(facts, key=_order))


def _order(fact: Fact) -> tuple[date, int, int, tuple[tuple[str, int], ...], str]:
    deed = fact.deed
    counted = tuple(sorted(deed.counts.items())) if isinstance(deed, Use) else ()
    return fact.on, fact.minute, DEEDS.index(type(deed)), counted, repr(deed)
