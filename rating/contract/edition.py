"""A dated version of a catalogue as contracts see it: its offer, with the bundles among the products.

Owns which version is in force on a day, and what a unit costs in one. Refuses quantities and customers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rating import money
from rating.catalogue import BundleSpec, CatalogueSpec
from rating.offer import BundleTermsSpec, OfferSpec, ProductSpec, Texts
from rating.offer_checks import holds
from rating.periods import month_start


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edition:
    """A version that sells something; a shelf has each once, so it is compared by identity.

    Attributes:
        catalogue: its id.
        title: its name for people.
        version: its first day.
        currency: of every amount.
        offer: what it sells; a bundle's size is the product `<bundle>-<size>`.
        buy_outs: price a month by name.
        bundles: product → the bundle and the size that it is.
    """

    catalogue: str
    title: str
    version: date
    currency: str
    offer: OfferSpec
    buy_outs: Mapping[str, int]
    bundles: Mapping[str, tuple[str, str]]

    @property
    def name(self) -> str:
        """Catalogue and version, `acme@2026-01-01`."""
        return f"{self.catalogue}@{self.version}"


Shelf = Mapping[str, tuple[Edition, ...]]
"""Catalogue → its versions, the earliest first."""


def shelf(catalogues: Sequence[CatalogueSpec]) -> Shelf:
    """Lay out every version that sells something."""
    found: dict[str, tuple[Edition, ...]] = {}
    for spec in sorted(catalogues, key=lambda one: one.valid_from):
        if spec.offer is not None:
            found[spec.catalogue] = (*found.get(spec.catalogue, ()), _edition(spec, spec.offer))
    return found


def in_force(editions: Sequence[Edition], day: date) -> Edition | None:
    """Give the version of a day."""
    begun = [edition for edition in editions if edition.version <= day]
    return begun[-1] if begun else None


def unit_price(
    edition: Edition, product: ProductSpec, choices: Mapping[str, str], quantity: int
) -> int | None:
    """What a unit costs a month, in micro-units; None where it is not sold with these choices.

    Args:
        edition: version in force.
        product: of its offer.
        choices: the contract's.
        quantity: of all units together, for tiers.
    """
    if not holds(product.when, choices):
        return None
    if product.tiers:
        return next(
            tier.price_per_month for tier in reversed(product.tiers) if tier.least <= max(quantity, 1)
        )
    if product.prices:
        return next((row.price_per_month for row in product.prices if holds(row.when, choices)), None)
    if product.buy_out is not None:
        return edition.buy_outs[product.buy_out]
    return product.price_per_month or 0


def charged_from(edition: Edition, product: ProductSpec, first: date) -> date:
    """Give the first day that is charged of a unit with which a contract begins.

    It is the first of the month where the contract's first month is charged in full, or the product's own one
    always is: minutes of a bundle are granted for the whole month, too.
    """
    own = product.more is not None and product.more.charged == "full-month"
    return month_start(first) if own or edition.offer.billing.first_month == "full-month" else first


def _edition(spec: CatalogueSpec, offer: OfferSpec) -> Edition:
    sizes = {f"{name}-{size}": (name, size) for name, bundle in spec.bundles.items() for size in bundle.sizes}
    bundles = {
        product: _bundled(name, spec.bundles[name], size, offer.bundles)
        for product, (name, size) in sizes.items()
        if offer.bundles is not None
    }
    return Edition(
        catalogue=spec.catalogue,
        title=spec.name,
        version=spec.valid_from,
        currency=spec.currency,
        offer=offer.model_copy(update={"products": {**offer.products, **bundles}}),
        buy_outs={name: one.price_per_month for name, one in spec.buy_outs.items()},
        bundles=sizes,
    )


def _bundled(name: str, bundle: BundleSpec, size: str, terms: BundleTermsSpec) -> ProductSpec:
    """Make a product of a size of a bundle; a contract has one size of a bundle at a time."""
    words = f"{bundle.name} {size}"
    return ProductSpec(
        name=Texts(de=words, en=words, it=words, nl=words),
        price_per_month=money.text(bundle.sizes[size].price_per_month),
        maximum=1,
        group=name,
        more=terms.begin,
        less=terms.end,
    )
