"""Generated stories of contracts, three years long, of every catalogue there is.

Owns who signs what and what happens then, at any instant: orders, notice, withdrawal, moves, changes of
hands, top-ups, calls. Refuses to know what follows (`tests.property.contract_oracle`).
"""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pbxcore import documents
from rating.catalogue import CatalogueSpec
from rating.contract import facts
from rating.contract.edition import Edition, Shelf, shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, History, history
from rating.contract.wish import Change
from rating.party import CustomerSpec

DAY = timedelta(days=1)
FIRST, UNTIL = date(2026, 1, 1), date(2029, 1, 1)
CONFIG = Path(__file__).parents[2] / "config"
SPECS = tuple(
    one.spec for one in documents.read([CONFIG / "catalogues"])[0] if isinstance(one.spec, CatalogueSpec)
)
SHELF: Shelf = shelf(SPECS)
NAMES = sorted(SHELF)


@cache
def changes(edition: Edition) -> st.SearchStrategy[Change]:
    """Give changes: more or less of a product, another option, and now and then several at once."""
    offer = edition.offer
    kept = [name for name, spec in offer.products.items() if spec.maximum is None and not spec.per]
    products, some = st.sampled_from(sorted(offer.products)), st.sampled_from(sorted(kept or offer.products))
    more = st.builds(lambda product, units: Change(add={product: units}), some, st.integers(1, 60))
    less = st.builds(lambda product, units: Change(remove={product: units}), some, st.integers(1, 2))
    any_more = st.builds(lambda product: Change(add={product: 1}), products)
    both = st.builds(lambda one, other: Change(add={one: 2}, remove={other: 1}), some, some)
    options = [(name, option) for name, choice in offer.choices.items() for option in choice.options]
    if not options:
        return weighed(more, more, less, any_more, any_more, both)
    choose = st.sampled_from(options).map(lambda chosen: Change(choose={chosen[0]: (chosen[1],)}))
    return weighed(more, less, any_more, both, choose, choose, choose)


@cache
def deeds(edition: Edition) -> st.SearchStrategy[facts.Deed]:
    """Give what happens while a contract runs: orders first of all."""
    resources = {one for product in edition.offer.products.values() for one in product.grants} | {"desks"}
    counts = st.dictionaries(st.sampled_from(sorted(resources)), st.integers(1, 3), min_size=1, max_size=2)
    order = st.builds(lambda change: facts.Order(change=change), changes(edition))
    calls = st.builds(lambda micro: facts.Calls(amount_micro=micro, what="calls"), st.integers(0, 30_000_000))
    use = st.builds(lambda used: facts.Use(counts=used), counts)
    create = st.builds(lambda wanted: facts.Create(counts=wanted, offer="offer"), counts)
    top_up = st.builds(lambda cents: facts.TopUp(amount_micro=cents * 10_000), st.integers(1, 90_000))
    ledger = st.builds(
        lambda paid, called: facts.Ledger(paid_micro=paid * 10_000, calls_micro=called),
        st.integers(0, 9_000),
        st.integers(0, 30_000_000),
    )
    return weighed(
        *[order] * 15, calls, use, create, top_up, ledger, hands(), st.just(facts.Order(quote="offer"))
    )


@cache
def hands() -> st.SearchStrategy[facts.Deed]:
    """Give changes of hands to new customers, now and then without their ticket."""
    kind, ticket = st.sampled_from(("private", "company")), st.sampled_from(("T-1", "T-2", ""))
    return st.builds(
        lambda to, by, who: facts.Holder(
            kind=to, ticket=by, opened_by="Ada", customer=CustomerSpec(name=who)
        ),
        kind,
        ticket,
        st.sampled_from("ABC"),
    )


@cache
def moves(name: str) -> st.SearchStrategy[facts.Deed]:
    """Give moves to a catalogue, mostly to far more than is in use, now and then without the form."""
    signed = st.sampled_from((True, True, True, False))
    return st.builds(
        lambda times, form: facts.Move(
            catalogue=name, change=_times(SHELF[name][0], times), signed_form=form
        ),
        st.sampled_from((1, 20, 20)),
        signed,
    )


def _times(edition: Edition, times: int) -> Change:
    """Give what a catalogue is signed with, and so often what it limits."""
    needed, products = first_change(edition), edition.offer.products
    units = {name: units * (times if products[name].grants else 1) for name, units in needed.add.items()}
    return replace(needed, add=units)


def weighed(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give one of some strategies, each as often as it is named; `one_of` would count it once."""
    return st.sampled_from(range(len(strategies))).flatmap(lambda place: strategies[place])


def first_change(edition: Edition) -> Change:
    """Give what every catalogue can be signed with; where there are tiers, close to the next one."""
    offer = edition.offer
    needed = {
        name: 1 if spec.maximum else spec.tiers[1].least - 2 if spec.tiers else 3
        for name, spec in offer.products.items()
        if spec.per is None and spec.group is None
    }
    chosen = {name: (next(iter(choice.options)),) for name, choice in offer.choices.items()}
    return Change(add=needed, choose=chosen)


def days(first: date, last: date) -> st.SearchStrategy[date]:
    """Give any days, and more often those on which a notice is just in time for a month's end, or late."""
    near = st.builds(
        lambda day, before: min(last, max(first, day.replace(day=month_days(day)) - before * DAY)),
        st.dates(first, last),
        st.sampled_from((0, 1, 29, 30, 31)),
    )
    return st.one_of(st.dates(first, last), near)


def signings(edition: Edition, signed: date) -> st.SearchStrategy[facts.Sign]:
    """Give signings of a contract that begins at once, or weeks later, with a bundle or without."""
    begins = st.one_of(st.none(), st.dates(signed, signed + 60 * DAY))
    needed = first_change(edition)
    bundles = st.sampled_from([{}, *({name: 1} for name in sorted(edition.bundles))])
    return st.builds(
        lambda first, bundle: facts.Sign(
            change=replace(needed, add={**needed.add, **bundle}), begins=first, signed_form=True
        ),
        begins,
        bundles if edition.offer.bundles is not None else st.just({}),
    )


@st.composite
def losing(draw: st.DrawFn, name: str) -> Shelf:
    """Lay out every catalogue, and of one a version of any day that sells an option or product less."""
    (first,) = (spec for spec in SPECS if spec.catalogue == name)
    values = first.model_dump(mode="json")
    products, choices = values["offer"]["products"], values["offer"]["choices"]
    needed = {one["per"] for one in products.values()}
    needed |= {one["product"] for one in values["offer"]["features"].values()}
    kinds = [("", one) for one in sorted(products.keys() - needed) if len(products) > 1]
    kinds += [(name, one) for name, choice in choices.items() for one in choice["options"]] * 3
    choice, gone = draw(st.sampled_from([kind for kind in kinds if kind[1] not in _defaults(choices)]))
    if choice:
        del choices[choice]["options"][gone]
        for product in products.values():
            product["prices"] = [row for row in product["prices"] if row["when"].get(choice) != gone]
    else:
        del products[gone]
    values["valid_from"] = draw(st.dates(date(2026, 2, 1), date(2027, 6, 30))).isoformat()
    return shelf([*SPECS, CatalogueSpec.model_validate(values)])


@st.composite
def repriced(draw: st.DrawFn, name: str) -> Shelf:
    """Lay out every catalogue, and of one some later versions in which everything by the month costs more."""
    (first,) = (spec for spec in SPECS if spec.catalogue == name)
    days = draw(st.lists(st.dates(date(2026, 2, 1), date(2027, 12, 31)), min_size=1, max_size=2, unique=True))
    return shelf([*SPECS, *(_dearer(first, day, draw(st.integers(1, 500))) for day in days)])


def _dearer(first: CatalogueSpec, day: date, cents: int) -> CatalogueSpec:
    """Give a version of a day in which each price of a month, of a tier or of an option too, is higher."""
    values = first.model_dump(mode="json")
    products = values["offer"]["products"].values()
    sizes = [size for bundle in values["bundles"].values() for size in bundle["sizes"].values()]
    rows = [row for one in products for row in (*one["tiers"], *one["prices"])]
    for priced in (*products, *rows, *sizes, *values["buy_outs"].values()):
        if priced["price_per_month"] is not None:
            priced["price_per_month"] = str(Decimal(priced["price_per_month"]) + Decimal(cents) / 100)
    return CatalogueSpec.model_validate({**values, "valid_from": day.isoformat()})


def wide(edition: Edition) -> st.SearchStrategy[facts.Deed]:
    """Give orders of a product and an option at once, or with the newest version."""
    offer = edition.offer
    options = [(name, option) for name, choice in offer.choices.items() for option in choice.options]
    choose = st.sampled_from([{}, *({name: (option,)} for name, option in options)])
    more = st.sampled_from([{}, *({name: 1} for name, spec in offer.products.items() if not spec.per)])
    return st.builds(
        lambda add, chosen, newest: facts.Order(change=Change(add=add, choose=chosen, newest=newest)),
        more,
        choose,
        st.booleans(),
    )


def _defaults(choices: dict[str, Any]) -> set[str]:
    return {choice["default"] for choice in choices.values()}


@dataclass(frozen=True)
class Story:
    """A customer, what happens, and what is sold meanwhile."""

    customer: Customer
    facts: tuple[Fact, ...]
    offers: Shelf = field(default_factory=lambda: SHELF)

    @cached_property
    def past(self) -> History:
        """Everything that follows."""
        return history(self.facts, self.offers, self.customer, UNTIL)


@st.composite
def stories(draw: st.DrawFn, name: str = "") -> Story:
    """Give stories of three years, of one catalogue or of any."""
    catalogue = name or draw(st.sampled_from(NAMES))
    edition = SHELF[catalogue][0]
    signed = draw(st.dates(FIRST, date(2026, 12, 31)))
    holder = draw(st.sampled_from(edition.offer.holders))
    begun = [
        Fact(on=signed, deed=facts.TopUp(amount_micro=draw(st.integers(0, 3000)) * 1_000_000)),
        Fact(on=signed, minute=1, deed=draw(signings(edition, signed))),
    ]
    during = days(signed, UNTIL - 40 * DAY)
    minutes = st.integers(2, 1439)
    others = [one for one in NAMES if one != catalogue]
    there = SHELF[draw(st.sampled_from(others))][0]
    happened = st.builds(Fact, on=during, minute=minutes, deed=weighed(*[deeds(edition)] * 3, deeds(there)))
    events = draw(st.lists(happened, min_size=3, max_size=16))
    events += draw(st.one_of(st.just([]), squeezes(edition, during)))
    withdraws = ["withdraw"] * 4 if edition.offer.withdrawal is not None else []
    ends = draw(st.sampled_from(("cancel", "move", "move", "stays", *withdraws)))
    if ends == "cancel":
        events += draw(notices(during, minutes))
    elif ends == "withdraw":
        events.append(Fact(on=draw(st.dates(signed, signed + 20 * DAY)), minute=1439, deed=facts.Withdraw()))
    elif ends == "move":
        leaves = moves(there.catalogue)
        events += draw(
            st.lists(st.builds(Fact, on=during, minute=minutes, deed=leaves), min_size=1, max_size=2)
        )
        events += draw(st.one_of(st.just([]), notices(during, minutes)))
    return Story(Customer(catalogue=catalogue, holder=holder), (*begun, *events))


@st.composite
def squeezes(draw: st.DrawFn, edition: Edition, during: st.SearchStrategy[date]) -> list[Fact]:
    """Give up a unit and use all of them all the same: what was ordered is held back on its day."""
    change, offer = first_change(edition), edition.offer
    granting = [name for name in change.add if offer.products[name].grants] or list(change.add)
    product, day = draw(st.sampled_from(granting)), draw(during)
    used = dict.fromkeys(offer.products[product].grants, change.add[product])
    less = facts.Order(change=Change(remove={product: 1}))
    return [Fact(on=day, minute=1, deed=less), Fact(on=day, minute=1439, deed=facts.Use(counts=used))]


@st.composite
def notices(draw: st.DrawFn, during: st.SearchStrategy[date], minutes: st.SearchStrategy[int]) -> list[Fact]:
    """Give a notice, and perhaps the day on which it was processed."""
    received = draw(during)
    later = st.builds(Fact, on=st.dates(received, received + 6 * DAY), deed=st.just(facts.Processed()))
    notice = Fact(on=received, minute=draw(minutes), deed=facts.Cancel())
    return [notice, *draw(st.lists(later, max_size=1))]


def month_days(day: date) -> int:
    """Count the days of a month."""
    return ((day.replace(day=1) + 32 * DAY).replace(day=1) - day.replace(day=1)).days
