"""What a contract is on a day: who holds it, what runs, what is pending, what is owed.

Owns the shape of a state and what can be read from one. Refuses to change any (`rating.contract.history`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from rating.contract.calendar import DAY, Calendar
from rating.contract.edition import Edition
from rating.contract.ending import Ending, Step
from rating.contract.line import Line
from rating.contract.wish import Agreed, Selection
from rating.offer import FeatureSpec, OfferSpec
from rating.offer_checks import holds
from rating.party import CustomerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Units of a product that began together.

    Attributes:
        first: first day.
        charged_from: first day that is charged; before `first` where a month is charged in full.
        last: last day; None while nothing ends it.
        charged_until: last day that is charged.
        void: withdrawn: it is not charged at all.
    """

    product: str
    quantity: int
    first: date
    charged_from: date
    last: date | None = None
    charged_until: date | None = None
    void: bool = False

    def runs(self, day: date) -> bool:
        """Whether it is there on a day."""
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From a day on, what the contract has chosen and by which version it is priced.

    Attributes:
        last: last day of the contract, where it has ended; another one may be signed long after it.
    """

    first: date
    edition: Edition
    choices: Mapping[str, str]
    last: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPart:
    """More or less of a product, from a day on.

    Attributes:
        quantity: units that come, or with a minus, go.
        begins: first day on which it is so.
        charged_from: first day on which more is charged.
        usable: first day on which more may be used.
        steps: why it begins then.
    """

    product: str
    quantity: int
    begins: date
    charged_from: date
    usable: date
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicePart:
    """Another option of a choice, from a day on."""

    choice: str
    before: str
    option: str
    begins: date
    usable: date
    up: bool
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPart:
    """Another version of the catalogue, from a day on.

    Attributes:
        along: choices that it was ordered with: it begins with the first of them that does; empty: by itself.
    """

    edition: Edition
    begins: date
    steps: tuple[Step, ...] = ()
    along: tuple[str, ...] = ()


Part = ProductPart | ChoicePart | VersionPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the tenant may do on a day.

    Attributes:
        features: functions that not every contract has.
        limits: how many extensions, devices … it may have.
        administers: what its own administrators may change.
    """

    features: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    administers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A contract at the end of what is known.

    Attributes:
        edition: version of the catalogue; before the contract begins, the one that is offered.
        customer: who holds it, for paper; None: nobody said.
        region: whose holidays count beside the country's.
        today: internal events are done up to the end of this day.
        signed: day of signing; None before.
        first: first day of the contract.
        ending: how it ends, once notice was given.
        notice: day on which that was received.
        ended: all of it is over.
        moves_to: catalogue and quantities of what follows it.
        lots: everything that runs or ran.
        periods: by their first day.
        pending: what is ordered and has not begun.
        in_use: how many extensions, devices … the tenant has.
        features_in_use: functions that it uses.
        once: units of one-off services so far.
        balance_micro: credit, with a prepaid offer.
        calls: what calls of a month cost beyond allowances, by month and version, until it is invoiced.
        due: lines that wait for the next invoice.
        charged: lines of recurring products charged so far, by month.
        charged_once: lines of one-off services charged so far.
        quotes: that can be ordered, by label.
    """

    edition: Edition
    holder: str
    region: str
    today: date
    signed: date | None = None
    first: date | None = None
    ending: Ending | None = None
    notice: date | None = None
    ended: bool = False
    moves_to: Selection | None = None
    lots: tuple[Lot, ...] = ()
    periods: tuple[Period, ...] = ()
    pending: tuple[Part, ...] = ()
    in_use: Mapping[str, int] = field(default_factory=dict)
    features_in_use: frozenset[str] = frozenset()
    once: Mapping[str, int] = field(default_factory=dict)
    balance_micro: int = 0
    calls: Mapping[tuple[date, Edition], int] = field(default_factory=dict)
    due: tuple[Line, ...] = ()
    charged: Mapping[date, tuple[Line, ...]] = field(default_factory=dict)
    charged_once: tuple[Line, ...] = ()
    quotes: Mapping[str, Agreed] = field(default_factory=dict)
    customer: CustomerSpec | None = None

    @property
    def prepaid(self) -> bool:
        """Whether it is paid from a credit."""
        return self.edition.offer.billing.prepaid is not None

    @property
    def calendar(self) -> Calendar:
        """Working days of this customer."""
        spec = self.edition.offer.calendar
        return Calendar(country=spec.country, region=self.region, week=spec.week)

    @property
    def last(self) -> date | None:
        """Last day, once notice was given."""
        return self.ending.last if self.ending is not None else None


def active(state: State) -> bool:
    """Whether something can be ordered for it."""
    return state.signed is not None and not state.ended


def moves_to_credit(state: State) -> bool:
    """Whether what follows the contract is paid from a credit: it has one sum with the one before."""
    return state.moves_to is not None and state.moves_to.edition.offer.billing.prepaid is not None


def period(state: State, day: date) -> Period | None:
    """What holds on a day."""
    begun = (one for one in reversed(state.periods) if one.first <= day)
    return next(begun, state.periods[0] if state.periods else None)


def spans(state: State) -> Iterator[tuple[Period, date | None]]:
    """Give each period with its last day; None where nothing ends it."""
    for place, one in enumerate(state.periods):
        coming = state.periods[place + 1 : place + 2]
        last = coming[0].first - DAY if coming else state.last
        yield one, one.last if one.last is not None else last


def choices(state: State, day: date) -> Mapping[str, str]:
    """Option of every choice on a day."""
    found = period(state, day)
    return found.choices if found is not None else {}


def quantities(state: State, products: Iterable[str], day: date) -> dict[str, int]:
    """Units of each product that run and are sold on a day; what is `per` another one has as many as that.

    All lots are gone through once for all products: a contract of years has many.
    """
    there, chosen = _running(state, day), choices(state, day)
    return {name: _there(state.edition.offer, name, there, chosen) for name in products}


def _running(state: State, day: date) -> dict[str, int]:
    units: dict[str, int] = {}
    for lot in state.lots:
        if lot.runs(day):
            units[lot.product] = units.get(lot.product, 0) + lot.quantity
    return units


def _there(offer: OfferSpec, product: str, running: Mapping[str, int], chosen: Mapping[str, str]) -> int:
    spec = offer.products.get(product)
    if spec is not None and not holds(spec.when, chosen):
        return 0  # not sold with these options: it costs nothing, so it is not there
    if spec is None or spec.per is None:
        return running.get(product, 0)
    return _there(offer, spec.per, running, chosen)


def kept(state: State, product: str) -> int:
    """Units of a product that run on, once everything pending has happened."""
    running = sum(lot.quantity for lot in state.lots if lot.product == product and lot.last is None)
    return running + sum(
        part.quantity for part in state.pending if isinstance(part, ProductPart) and part.product == product
    )


def usable_choices(state: State, day: date) -> Mapping[str, str]:
    """Options whose grants hold on a day: a higher one that was ordered may be usable before it begins."""
    early = {
        part.choice: part.option
        for part in state.pending
        if isinstance(part, ChoicePart) and part.usable <= day < part.begins
    }
    return {**choices(state, day), **early}


def rights(state: State, day: date) -> Rights:
    """What the tenant may do on a day."""
    found = period(state, day)
    if found is None or state.ended or not active(state) or (state.first is not None and day < state.first):
        return Rights()
    chosen = usable_choices(state, day)
    offer = found.edition.offer
    limits: dict[str, int] = {}
    administers: set[str] = set()
    for choice, option in chosen.items():
        spec = offer.choices[choice].options[option]
        administers |= set(spec.administers)
        _add(limits, spec.grants, 1)
    there, early = quantities(state, offer.products, day), _early(state, day)
    for name, product in offer.products.items():
        _add(limits, product.grants, there[name] + early.get(name, 0))
    features = [name for name, feature in offer.features.items() if _open(feature, chosen, there)]
    return Rights(
        features=tuple(sorted(features)),
        limits=dict(sorted(limits.items())),
        administers=tuple(sorted(administers)),
    )


def limited(offer: OfferSpec) -> frozenset[str]:
    """Name what an offer says a number of; of anything else a tenant may have as many as it likes."""
    options = (option for choice in offer.choices.values() for option in choice.options.values())
    granting = (*(one.grants for one in options), *(one.grants for one in offer.products.values()))
    return frozenset(name for grants in granting for name in grants)


def _early(state: State, day: date) -> dict[str, int]:
    """Units of products that are pending and may be used already."""
    early: dict[str, int] = {}
    for part in state.pending:
        if isinstance(part, ProductPart) and part.quantity > 0 and part.usable <= day < part.begins:
            early[part.product] = early.get(part.product, 0) + part.quantity
    return early


def _open(feature: FeatureSpec, chosen: Mapping[str, str], there: Mapping[str, int]) -> bool:
    return holds(feature.when, chosen) and (feature.product is None or there[feature.product] > 0)


def _add(limits: dict[str, int], grants: Mapping[str, int], times: int) -> None:
    for resource, number in grants.items():
        limits[resource] = limits.get(resource, 0) + number * times
