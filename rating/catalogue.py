"""One provider's commercial offer for calls: zones, prices, bundles.

Owns the document `config/catalogues/<name>.yaml`, one dated version each, and what must be true of it.
Refuses time zones (the account's), customers, and what is in force when (`rating.book`).
"""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
)

from rating import money
from rating.destinations.kind import Kind
from rating.finding import Finding

HOME = "home"  # in a rate: inside the account's own country
ANY = "any"  # in a rate: wherever no other row speaks
REST = "rest"  # in a zone: every country that no other zone names
RESERVED = frozenset({HOME, ANY, REST, "emergency"})

Amount = Annotated[
    NonNegativeInt,
    BeforeValidator(money.parse),
    PlainSerializer(money.text, return_type=str, when_used="json"),
]
"""Micro-units inside, decimal text in the document and in its stored revision."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")]
CountryCode = Annotated[str, Field(pattern=r"^([A-Z]{2}|001)$")]
IncrementS = Annotated[int, Field(ge=1, le=3600)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ZoneSpec(_Part):
    """A set of destinations that one price or bundle covers."""

    name: str
    countries: tuple[CountryCode, ...] | Literal["rest"]


class RateSpec(_Part):
    """What a minute costs beyond allowances.

    Attributes:
        zone: a zone of this catalogue, `home` or `any`; `home` speaks before the zone, `any` after it.
        kind: kind of the number called.
        price_per_minute: net, decimal text.
        connection_fee: charged once at the answer.
        first_increment_s: as the catalogue's, unless given.
        next_increment_s: as the catalogue's, unless given.
    """

    zone: Name
    kind: Kind
    price_per_minute: Amount
    connection_fee: Amount = 0
    first_increment_s: IncrementS | None = None
    next_increment_s: IncrementS | None = None


class SizeSpec(_Part):
    """A size of a bundle: its price and its minutes for a calendar month, fixed and mobile apart."""

    price_per_month: Amount
    fixed_minutes: NonNegativeInt
    mobile_minutes: NonNegativeInt


class BundleSpec(_Part):
    """A product that grants minutes to some zones."""

    name: str
    zones: tuple[Name, ...] = Field(min_length=1)
    sizes: dict[Name, SizeSpec] = Field(min_length=1)


class CatalogueSpec(_Part):
    """One dated version of a catalogue.

    Attributes:
        valid_from: first day on which it is in force, in each account's own time zone.
        rounding: where a fraction of a micro-unit goes.
        counts_as: a kind without a row is priced, and covered by bundles, as another kind. Where a numbering
            plan does not tell mobile from fixed, it counts as fixed, unless a row or this says otherwise.
        texts: what people read, by key.
    """

    version: Literal[1]
    catalogue: Name
    name: str
    valid_from: date
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    rounding: money.Rounding
    first_increment_s: PositiveInt
    next_increment_s: PositiveInt
    zones: dict[Name, ZoneSpec] = Field(min_length=1)
    rates: tuple[RateSpec, ...] = Field(min_length=1)
    counts_as: dict[Kind, Kind] = Field(default_factory=dict)
    bundles: dict[Name, BundleSpec] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)


def check(spec: CatalogueSpec, countries: Collection[str]) -> tuple[Finding, ...]:
    """Find what the shape of the document cannot show.

    Args:
        spec: the document.
        countries: every country of the table of destinations.
    """
    return (
        *_check_zones(spec, countries),
        *_check_rates(spec),
        *_check_prices(spec),
        *_check_counts_as(spec),
        *_check_bundles(spec),
    )


def _check_zones(spec: CatalogueSpec, countries: Collection[str]) -> Iterator[Finding]:
    owner: dict[str, str] = {}
    for zone_id, zone in spec.zones.items():
        path = ("zones", zone_id, "countries")
        if zone_id in RESERVED:
            yield Finding(
                path=("zones", zone_id),
                code="reserved-name",
                message=f"`{zone_id}` has a meaning of its own and cannot name a zone",
                remedy="choose another name",
            )
        for number, country in enumerate((REST,) if zone.countries == REST else zone.countries):
            if country in owner:
                yield Finding(
                    path=path if country == REST else (*path, number),
                    code="country-twice",
                    message=f"{country} is in zone {owner[country]} already",
                    remedy="leave it in one zone, so that a call has one price",
                )
            owner.setdefault(country, zone_id)
            if country != REST and country not in countries:
                yield Finding(
                    path=(*path, number),
                    code="unknown-country",
                    message=f"no number leads to {country}",
                    remedy="use a code of config/destinations/prefixes.csv",
                )


def _check_rates(spec: CatalogueSpec) -> Iterator[Finding]:
    seen: set[tuple[str, Kind]] = set()
    for number, rate in enumerate(spec.rates):
        path = ("rates", number)
        if rate.zone not in spec.zones and rate.zone not in {HOME, ANY}:
            yield _unknown_zone(spec, (*path, "zone"), rate.zone)
        if (rate.zone, rate.kind) in seen:
            yield Finding(
                path=path,
                code="rate-twice",
                message=f"{rate.zone}/{rate.kind} has a price already",
                remedy="keep one of the rows",
            )
        seen.add((rate.zone, rate.kind))
        if rate.kind is Kind.EMERGENCY:
            yield Finding(
                path=(*path, "kind"),
                code="emergency-priced",
                message="emergency calls are never priced",
                remedy="remove the row",
            )
        if rate.price_per_minute == 0 and rate.zone != HOME and rate.kind is not Kind.FREEPHONE:
            yield Finding(
                path=(*path, "price_per_minute"),
                code="free-of-charge",
                message=f"calls to {rate.zone}/{rate.kind} would cost nothing",
                remedy="set a price; what is included belongs into a bundle",
            )


def _check_prices(spec: CatalogueSpec) -> Iterator[Finding]:
    priced = {(rate.zone, rate.kind) for rate in spec.rates}
    for zone_id in spec.zones:
        for kind in (Kind.FIXED, Kind.MOBILE):
            if not priced & {(zone_id, kind), (ANY, kind)}:
                yield Finding(
                    path=("zones", zone_id),
                    code="zone-without-price",
                    message=f"zone {zone_id} has no price for {kind}",
                    remedy=f"add a row for {zone_id} and {kind} to rates",
                )


def _check_counts_as(spec: CatalogueSpec) -> Iterator[Finding]:
    for kind in spec.counts_as:
        visited: list[Kind] = []
        following: Kind | None = kind
        while following is not None and following not in visited:
            visited.append(following)
            following = spec.counts_as.get(following)
        if following == kind:
            yield Finding(
                path=("counts_as", kind.value),
                code="circular",
                message=" counts as ".join([*visited, kind]),
                remedy="let one of them have a price of its own",
            )


def _check_bundles(spec: CatalogueSpec) -> Iterator[Finding]:
    for bundle_id, bundle in spec.bundles.items():
        for number, zone in enumerate(bundle.zones):
            if zone not in spec.zones:
                yield _unknown_zone(spec, ("bundles", bundle_id, "zones", number), zone)


def _unknown_zone(spec: CatalogueSpec, path: tuple[str | int, ...], zone: str) -> Finding:
    return Finding(
        path=path,
        code="unknown-zone",
        message=f"there is no zone {zone}",
        remedy="use one of " + ", ".join(spec.zones),
    )
