"""What must be true of an offer beyond its shape: everything named exists, every price can be found.

Owns these findings. Refuses to judge whether an offer is a good one.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from itertools import product as combinations
from typing import Protocol

from rating.finding import Finding, Path, closest
from rating.offer import NONE, NoticeSpec, OfferSpec, ProductSpec, TermSpec, When

ROOT: Path = ("offer",)
MOST_COMBINATIONS = 1_000  # of options in one product's prices; nobody could read more


class Bundled(Protocol):
    """What is asked of a bundle of the catalogue."""

    @property
    def sizes(self) -> Mapping[str, object]:
        """Its sizes by name."""


def check(offer: OfferSpec, bundles: Mapping[str, Bundled], buy_outs: Collection[str]) -> tuple[Finding, ...]:
    """Find what the shape of an offer cannot show.

    Args:
        offer: the part of the document.
        bundles: of the same catalogue.
        buy_outs: of the same catalogue.
    """
    return (
        *_check_calendar(offer),
        *_check_terms(offer),
        *_check_choices(offer, bundles),
        *_check_products(offer, buy_outs),
        *_check_features(offer),
        *_check_billing(offer),
    )


def _check_calendar(offer: OfferSpec) -> Iterator[Finding]:
    from rating.contract import calendar  # noqa: PLC0415 — holidays of all the world, for who checks alone

    if not calendar.known(offer.calendar.country):
        yield _finding(
            (*ROOT, "calendar", "country"),
            "unknown-country",
            f"nobody here knows the holidays of {offer.calendar.country}",
            "write the two letters of a country as in ISO 3166: AT",
        )


def _check_terms(offer: OfferSpec) -> Iterator[Finding]:
    for path, term in _terms(offer):
        notices = [term.notice] if term.notice else []
        notices += [term.statute.notice] if term.statute else []
        for notice in notices:
            yield from _check_notice(notice, (*path, "notice"))
        if term.ends == "term-end" and (term.minimum_months is None or term.prolongation_months is None):
            yield _finding(
                (*path, "ends"),
                "no-term",
                "nothing says where a term ends",
                "write minimum_months and prolongation_months, or let it end at month-end",
            )
        if term.prolongation_months is not None and term.ends != "term-end":
            yield _finding(
                (*path, "prolongation_months"),
                "no-term",
                f"what ends at {term.ends} is not prolonged by months",
                "write `ends: term-end`, or remove it",
            )


def _terms(offer: OfferSpec) -> Iterator[tuple[Path, TermSpec]]:
    """Every way something ends, with its place."""
    yield (*ROOT, "terms"), offer.terms
    yield (*ROOT, "less"), offer.less
    for name, choice in offer.choices.items():
        yield (*ROOT, "choices", name, "down"), choice.down
    for name, product in offer.products.items():
        if product.less is not None:
            yield (*ROOT, "products", name, "less"), product.less
    if offer.bundles is not None:
        yield (*ROOT, "bundles", "end"), offer.bundles.end


def _check_notice(notice: NoticeSpec, path: Path) -> Iterator[Finding]:
    written = sorted(notice.model_dump(exclude_none=True))
    if len(written) != 1:
        yield _finding(
            path,
            "notice-unclear",
            "a notice is " + (" and ".join(written) if written else "nothing"),
            "write one of days, months, calendar_months, working_days",
        )


def _check_choices(offer: OfferSpec, bundles: Mapping[str, Bundled]) -> Iterator[Finding]:
    for name, choice in offer.choices.items():
        if choice.default is not None and choice.default not in choice.options:
            yield _unknown((*ROOT, "choices", name, "default"), "option", choice.default, choice.options)
        if choice.up.charged == "full-month":
            yield _finding(
                (*ROOT, "choices", name, "up", "charged"),
                "charged-twice",
                "the lower option has been charged for the days before",
                "write `charged: pro-rata`, or let it begin next-month",
            )
    for name, bundle in bundles.items():
        if name in offer.choices or name in offer.products:
            yield _finding(
                (*ROOT, "choices" if name in offer.choices else "products", name),
                "named-twice",
                f"{name} is a bundle already",
                "choose another name",
            )
        if NONE in bundle.sizes:
            yield _finding(
                ("bundles", name, "sizes", NONE),
                "reserved-name",
                f"`{NONE}` says that a bundle is not booked",
                "choose another name for the size",
            )
    for name in offer.products.keys() & offer.choices.keys():
        yield _finding(
            (*ROOT, "products", name), "named-twice", f"{name} is a choice already", "choose another name"
        )
    if bundles and offer.bundles is None:
        yield _finding(
            ROOT,
            "bundles-without-terms",
            "nothing says how the catalogue's bundles are booked and given up",
            "write offer.bundles with `begin` and `end`",
        )


def _check_products(offer: OfferSpec, buy_outs: Collection[str]) -> Iterator[Finding]:
    for name, product in offer.products.items():
        path = (*ROOT, "products", name)
        yield from _check_price(offer, product, path)
        yield from _check_when(offer, product.when, (*path, "when"))
        yield from _check_quantities(product, path)
        if product.buy_out is not None and product.buy_out not in buy_outs:
            yield _unknown((*path, "buy_out"), "buy-out", product.buy_out, buy_outs)
        if product.per is not None:
            yield from _check_per(offer, product.per, (*path, "per"))


def _check_per(offer: OfferSpec, per: str, path: Path) -> Iterator[Finding]:
    other = offer.products.get(per)
    if other is None:
        yield _unknown(path, "product", per, offer.products)
    elif other.per is not None or other.once_only:
        yield _finding(
            path,
            "no-quantity",
            f"{per} has no quantity of its own",
            "name a product that is ordered by number",
        )


def _check_price(offer: OfferSpec, product: ProductSpec, path: Path) -> Iterator[Finding]:
    written = [key for key in ("price_per_month", "tiers", "prices", "buy_out") if _says(product, key)]
    if len(written) > 1:
        yield _finding(
            (*path, written[1]),
            "price-twice",
            f"there is {written[0]} and {written[1]}",
            "keep one of them",
        )
    for number, row in enumerate(product.prices):
        yield from _check_when(offer, row.when, (*path, "prices", number, "when"))
    if product.prices and all(set(row.when) <= set(offer.choices) for row in product.prices):
        yield from _check_rows(offer, product, (*path, "prices"))
    steps = [tier.least for tier in product.tiers]
    if steps and (steps[0] != 1 or any(low >= high for low, high in pairwise(steps))):
        yield _finding(
            (*path, "tiers"),
            "tiers-unordered",
            "the tiers begin at " + ", ".join(map(str, steps)),
            "begin at 1 and rise",
        )


def _says(product: ProductSpec, key: str) -> bool:
    return getattr(product, key) not in (None, ())


def _check_rows(offer: OfferSpec, product: ProductSpec, path: Path) -> Iterator[Finding]:
    """Find combinations of options with two prices, or with none."""
    asked = sorted({choice for row in product.prices for choice in row.when})
    every = list(combinations(*(offer.choices[choice].options for choice in asked)))
    for options in every[:MOST_COMBINATIONS]:
        chosen = dict(zip(asked, options, strict=True))
        rows = [number for number, row in enumerate(product.prices) if holds(row.when, chosen)]
        said = ", ".join(f"{choice} {option}" for choice, option in chosen.items())
        if not rows:
            yield _finding(path, "price-missing", f"{said} has no price", "add a row for it")
        elif len(rows) > 1:
            yield _finding(
                (*path, rows[1]), "price-twice", f"{said} has two prices", "let one row hold at a time"
            )


def holds(when: When, chosen: Mapping[str, str]) -> bool:
    """Whether options are chosen."""
    return all(chosen.get(choice) == option for choice, option in when.items())


def _check_when(offer: OfferSpec, when: When, path: Path) -> Iterator[Finding]:
    for choice, option in when.items():
        if choice not in offer.choices:
            yield _unknown((*path, choice), "choice", choice, offer.choices)
        elif option not in offer.choices[choice].options:
            yield _unknown((*path, choice), "option", option, offer.choices[choice].options)


def _check_quantities(product: ProductSpec, path: Path) -> Iterator[Finding]:
    if product.maximum is not None and product.minimum > product.maximum:
        yield _finding(
            (*path, "minimum"),
            "impossible-quantity",
            f"at least {product.minimum} and at most {product.maximum}",
            "correct one of them",
        )
    if product.once_only and (product.minimum or product.included or product.less):
        yield _finding(
            path,
            "once-only",
            "it costs nothing a month and is never kept, so nothing of it can be included or given up",
            'write `price_per_month: "0.00"` if it is kept',
        )


def _check_features(offer: OfferSpec) -> Iterator[Finding]:
    for name, feature in offer.features.items():
        path = (*ROOT, "features", name)
        yield from _check_when(offer, feature.when, (*path, "when"))
        if feature.product is not None and feature.product not in offer.products:
            yield _unknown((*path, "product"), "product", feature.product, offer.products)
        if not feature.when and feature.product is None:
            yield _finding(
                path, "gate-open", f"everybody has {name}", "write `when` or `product`, or remove it"
            )


def _check_billing(offer: OfferSpec) -> Iterator[Finding]:
    if offer.billing.prepaid is not None and offer.billing.charged != "advance":
        yield _finding(
            (*ROOT, "billing", "charged"),
            "prepaid-in-arrears",
            "a credit is debited in advance",
            "write `charged: advance`",
        )


def _unknown(path: Path, what: str, name: str, known: Collection[str]) -> Finding:
    remedy = closest(name, known, "use one of " + ", ".join(known) if known else "there are none here")
    return _finding(path, f"unknown-{what}", f"there is no {what} {name}", remedy)


def _finding(path: Path, code: str, message: str, remedy: str) -> Finding:
    return Finding(path=path, code=code, message=message, remedy=remedy)
