"""One provider's commercial offer for calls: zones, prices, bundles.

Owns the document `config/catalogues/<name>.yaml`, one dated version each, and what must be true of it.
Refuses the account's time zone, customers, and what is in force when (`rating.book`).
"""

import re
from collections.abc import Collection, Iterator
from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)

from rating import money, price_list
from rating import offer as offers
from rating.destinations.kind import Kind
from rating.finding import Finding, closest
from rating.offer_checks import check as check_offer
from rating.price_list import FileName, PriceListSpec

HOME = "home"  # in a rate: inside the account's own country
ANY = "any"  # in a rate: wherever no other row speaks
REST = "rest"  # in a zone: every country that no other zone names
MOST_ROLL_OVER_MONTHS = 12  # nobody promises more; and each month is a pool that every call asks first
MOST_MINUTES = 1_000_000_000  # of an allowance: 20,000 lines that talk all month; sums stay in 64 bits
ALWAYS_PRICED = frozenset({Kind.PREMIUM, Kind.SHARED_COST})  # no buy-out covers these: others' services
NOT_TOLD = {Kind.FIXED_OR_MOBILE: Kind.FIXED}  # where a numbering plan does not tell, it counts as fixed
RESERVED = frozenset({HOME, ANY, REST, "emergency"})


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write one like Europe/Berlin") from None
    return name


def _country_code(written: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}|001", written):
        raise ValueError("write the two letters of a country as in ISO 3166: AT; 001 is of no country")
    return written


def _form(written: object) -> str:
    return "word" if isinstance(written, str) else "list"


Amount = offers.Amount
Name = offers.Name
CountryCode = Annotated[str, AfterValidator(_country_code)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
IncrementS = Annotated[int, Field(ge=1, le=3600)]
Minutes = Annotated[int, Field(ge=0, le=MOST_MINUTES)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ClockEnd = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ZoneSpec(_Part):
    """A set of destinations that one price or bundle covers.

    Attributes:
        name: what people read.
        countries: each in one zone alone; `rest`: every country that no other zone names.
    """

    name: str
    countries: Annotated[
        Annotated[tuple[CountryCode, ...], Tag("list")] | Annotated[Literal["rest"], Tag("word")],
        Discriminator(_form),  # one of the two is meant, and told what is wrong with it
    ]


class RateSpec(_Part):
    """What a minute costs beyond allowances.

    Attributes:
        zone: a zone of this catalogue, `home` or `any`; `home` speaks before the zone, `any` after it.
        kind: kind of the number called.
        band: when it speaks before the row without one; none: always.
        price_per_minute: decimal text; this or `price_per_second`. Net or gross, as `prices` says.
        price_per_second: sixty of them are a minute, to the micro-unit.
        connection_fee: charged once at the answer.
        first_increment_s: as the catalogue's, unless given.
        next_increment_s: as the catalogue's, unless given.
        minimum_s: seconds that are charged at least, before increments.
        minimum_charge: what a call costs at least if a second of it is charged, connection fee included.
        rounding: as the catalogue's, unless given.
        tax_class: as the catalogue's, unless given.
    """

    zone: Name
    kind: Kind
    band: Name | None = None
    price_per_minute: Amount | None = None
    price_per_second: Amount | None = None
    connection_fee: Amount = 0
    first_increment_s: IncrementS | None = None
    next_increment_s: IncrementS | None = None
    minimum_s: IncrementS | None = None
    minimum_charge: Amount = 0
    rounding: money.Rounding | None = None
    tax_class: Name | None = None

    @property
    def per_minute_micro(self) -> int:
        """Price of a minute, however it is written."""
        if self.price_per_minute is None:
            return (self.price_per_second or 0) * money.SECONDS_PER_MINUTE
        return self.price_per_minute


class SizeSpec(_Part):
    """A size of a bundle: its price and its minutes for a calendar month, fixed and mobile apart.

    Attributes:
        price_per_month: net or gross, as `prices` says.
        fixed_minutes: to fixed numbers.
        mobile_minutes: to mobile numbers.
    """

    price_per_month: Amount
    fixed_minutes: Minutes
    mobile_minutes: Minutes


class TopUpSpec(_Part):
    """More minutes for the rest of a calendar month, whenever they are bought.

    Attributes:
        price: once; net or gross, as `prices` says.
        fixed_minutes: to fixed numbers.
        mobile_minutes: to mobile numbers.
    """

    price: Amount
    fixed_minutes: Minutes = 0
    mobile_minutes: Minutes = 0


class BundleSpec(_Part):
    """A product that grants minutes to some zones.

    Attributes:
        name: what people read.
        zones: of this catalogue, in which its minutes can be spoken.
        first_month: booked in mid-month, it grants the whole month's minutes or those of its days.
        roll_over_months: what a month leaves over may be drawn in so many months after it; 0: it lapses.
        top_ups: what can be bought beside it, for the zones of the bundle.
    """

    name: str
    zones: tuple[Name, ...] = Field(min_length=1)
    sizes: dict[Name, SizeSpec] = Field(min_length=1)
    first_month: Literal["full", "pro-rata"] = "full"
    roll_over_months: Annotated[int, Field(ge=0, le=MOST_ROLL_OVER_MONTHS)] = 0
    top_ups: dict[Name, TopUpSpec] = Field(default_factory=dict)


class BuyOutSpec(_Part):
    """Calls inside the account's own country for a fixed amount a month; others' services are not in it.

    Attributes:
        name: what people read.
        price_per_month: net or gross, as `prices` says.
        kinds: what is bought out; a kind that counts as one of these is, too.
    """

    name: str
    price_per_month: Amount
    kinds: tuple[Kind, ...] = Field(default=(Kind.FIXED, Kind.MOBILE), min_length=1)


class WindowSpec(_Part):
    """A time of day on some weekdays, by the clock.

    Attributes:
        days: on which it begins.
        begins: time of day (`from` in the document).
        ends: time of day (`until`), not included; not after `from`: on the next day.
    """

    days: tuple[Weekday, ...] = Field(default=WEEKDAYS, min_length=1)
    begins: Clock = Field(default="00:00", alias="from")
    ends: ClockEnd = Field(default="24:00", alias="until")


class BandSpec(_Part):
    """Times at which rows of their own are in force.

    Attributes:
        band: its name, which rows of `rates` give.
        name: what people read.
        first: first day on which its windows begin (`from` in the document); none: since ever.
        until: last one, included; none: for good.
    """

    band: Name
    name: str
    first: date | None = Field(default=None, alias="from")
    until: date | None = None
    windows: tuple[WindowSpec, ...] = Field(default=(WindowSpec(),), min_length=1, max_length=32)


class CatalogueSpec(_Part):
    """One dated version of a catalogue.

    Attributes:
        version: of this form of the document.
        catalogue: its name; all dated versions have the same one.
        name: what people read.
        valid_from: first day on which it is in force, in each account's own time zone.
        currency: of all its amounts, ISO 4217.
        prices: whether its amounts contain VAT: as in the offer; without one `net`, unless given.
        rounding: where a fraction of a micro-unit goes.
        first_increment_s: so many seconds are charged at least.
        next_increment_s: the seconds after these are charged by so many at a time.
        counts_as: a kind without a row is priced, and covered by bundles, as another kind. Where a numbering
            plan does not tell mobile from fixed, it counts as fixed, unless a row or this says otherwise.
        time_zone: whose clock the bands follow; the account's own begins months and versions.
        bands: where two hold at once, the first one's row speaks.
        price_lists: prices by prefix; where two speak for a kind, the first one that knows the number.
        tax_classes: those that billing knows; the first one is that of every row that names none.
        files: their texts, by name. Who reads the document puts them in: so it is complete in itself.
        texts: what people read, by key.
        offer: what is sold besides minutes; none: nothing can be ordered from this version.
    """

    version: Literal[1]
    catalogue: Name
    name: str
    valid_from: date
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    prices: Literal["net", "gross"] | None = None
    rounding: money.Rounding
    first_increment_s: IncrementS
    next_increment_s: IncrementS
    zones: dict[Name, ZoneSpec] = Field(min_length=1)
    rates: tuple[RateSpec, ...] = Field(min_length=1)
    counts_as: dict[Kind, Kind] = Field(default_factory=dict)
    bundles: dict[Name, BundleSpec] = Field(default_factory=dict)
    buy_outs: dict[Name, BuyOutSpec] = Field(default_factory=dict)
    time_zone: TimeZone | None = None
    bands: tuple[BandSpec, ...] = Field(default=(), max_length=16)
    price_lists: tuple[PriceListSpec, ...] = Field(default=(), max_length=8)
    tax_classes: tuple[Name, ...] = Field(default=(), max_length=16)
    files: dict[FileName, str] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)
    offer: offers.OfferSpec | None = None

    @property
    def amounts(self) -> Literal["net", "gross"]:
        """Whether what is rated by it contains VAT."""
        return self.prices or (self.offer.prices if self.offer is not None else "net")


def check(spec: CatalogueSpec, countries: Collection[str]) -> tuple[Finding, ...]:
    """Find what the shape of the document cannot show.

    Args:
        spec: the document.
        countries: every country of the table of destinations.
    """
    return (
        *_check_zones(spec, countries),
        *_check_rates(spec),
        *_check_bands(spec),
        *_check_prices(spec),
        *_check_tax_classes(spec),
        *_check_vat(spec),
        *_check_counts_as(spec),
        *_check_always_priced(spec),
        *_check_bundles(spec),
        *_check_buy_outs(spec),
        *price_list.check(spec.price_lists, spec.files, spec.zones),
        *(check_offer(spec.offer, spec.bundles, spec.buy_outs) if spec.offer is not None else ()),
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
    seen: set[tuple[str, Kind, str | None]] = set()
    for number, rate in enumerate(spec.rates):
        path = ("rates", number)
        if rate.zone not in spec.zones and rate.zone not in {HOME, ANY}:
            yield _unknown_zone(spec, (*path, "zone"), rate.zone)
        if (rate.zone, rate.kind, rate.band) in seen:
            yield Finding(
                path=path,
                code="rate-twice",
                message=f"{rate.zone}/{rate.kind} has a price {_when(rate)}already",
                remedy="keep one of the rows",
            )
        seen.add((rate.zone, rate.kind, rate.band))
        if rate.kind is Kind.EMERGENCY:
            yield Finding(
                path=(*path, "kind"),
                code="emergency-priced",
                message="emergency calls are never priced",
                remedy="remove the row",
            )
        yield from _check_price(rate, path)


def _check_bands(spec: CatalogueSpec) -> Iterator[Finding]:
    names = [band.band for band in spec.bands]
    for number, rate in enumerate(spec.rates):
        if rate.band is not None and rate.band not in names:
            listed = "use one of " + ", ".join(names) if names else "write it under bands"
            yield Finding(
                path=("rates", number, "band"),
                code="unknown-band",
                message=f"there is no band {rate.band}",
                remedy=closest(rate.band, names, listed),
            )
    if names and spec.time_zone is None:
        yield Finding(
            path=("bands",),
            code="no-time-zone",
            message="nothing says by whose clock the bands begin and end",
            remedy="write time_zone, like Europe/Berlin",
        )
    for number, band in enumerate(spec.bands):
        if band.band in names[:number]:
            yield Finding(
                path=("bands", number, "band"),
                code="band-twice",
                message=f"there is a band {band.band} already",
                remedy="write all its windows in one place",
            )
        if band.first is not None and band.until is not None and band.until < band.first:
            yield Finding(
                path=("bands", number, "until"),
                code="ends-before-it-begins",
                message=f"{band.band} ends on {band.until}, before it begins on {band.first}",
                remedy="correct one of the days",
            )
        for place, window in enumerate(band.windows):
            if window.begins == window.ends:
                yield Finding(
                    path=("bands", number, "windows", place),
                    code="window-of-nothing",
                    message=f"a window from {window.begins} until {window.ends} is no time or a whole day",
                    remedy="for whole days leave both out",
                )


def _when(rate: RateSpec) -> str:
    return f"in {rate.band} " if rate.band is not None else ""


def _check_price(rate: RateSpec, path: tuple[str | int, ...]) -> Iterator[Finding]:
    written = [name for name in ("price_per_minute", "price_per_second") if getattr(rate, name) is not None]
    match written:
        case []:
            yield Finding(
                path=path,
                code="price-missing",
                message=f"{rate.zone}/{rate.kind} has no price",
                remedy="write price_per_minute or price_per_second",
            )
        case [_, second]:
            yield Finding(
                path=(*path, second),
                code="price-twice",
                message=f"{rate.zone}/{rate.kind} has a price per minute and one per second",
                remedy="keep one of them",
            )
        case [only] if not rate.per_minute_micro and not _may_be_free(rate):
            yield Finding(
                path=(*path, only),
                code="free-of-charge",
                message=f"calls to {rate.zone}/{rate.kind} would cost nothing",
                remedy="set a price; what is included belongs into a bundle",
            )
        case [only] if rate.per_minute_micro > money.MOST_MICRO:
            yield Finding(
                path=(*path, only),
                code="price-too-high",
                message=f"a minute to {rate.zone}/{rate.kind} would cost {money.text(rate.per_minute_micro)}",
                remedy=f"{money.text(money.MOST_MICRO)} is the most a minute can cost",
            )


def _may_be_free(rate: RateSpec) -> bool:
    """Freephone; at home everything but what others charge us for."""
    return rate.kind is Kind.FREEPHONE or (rate.zone == HOME and rate.kind not in ALWAYS_PRICED)


def _check_prices(spec: CatalogueSpec) -> Iterator[Finding]:
    priced = {(rate.zone, rate.kind) for rate in spec.rates if rate.band is None}
    for number, rate in enumerate(spec.rates):
        if (rate.zone, rate.kind) not in priced:
            yield Finding(
                path=("rates", number, "band"),
                code="band-without-base",
                message=f"{rate.zone}/{rate.kind} has a price {_when(rate)}and none at other times",
                remedy="add the same row without band",
            )
    listed = {kind for one in spec.price_lists for kind in one.kinds}
    for zone_id in spec.zones:
        for kind in (Kind.FIXED, Kind.MOBILE):
            if kind not in listed and not priced & {(zone_id, kind), (ANY, kind)}:
                yield Finding(
                    path=("zones", zone_id),
                    code="zone-without-price",
                    message=f"zone {zone_id} has no price for {kind}",
                    remedy=f"add a row for {zone_id} and {kind} to rates",
                )


def _check_tax_classes(spec: CatalogueSpec) -> Iterator[Finding]:
    named: list[tuple[tuple[str | int, ...], str | None]] = [
        *((("rates", number), rate.tax_class) for number, rate in enumerate(spec.rates)),
        *((("price_lists", number), one.tax_class) for number, one in enumerate(spec.price_lists)),
    ]
    for path, tax_class in named:
        if tax_class is not None and tax_class not in spec.tax_classes:
            known = ", ".join(spec.tax_classes)
            listed = f"use one of {known}" if known else "name it under tax_classes"
            yield Finding(
                path=(*path, "tax_class"),
                code="unknown-tax-class",
                message=f"there is no tax class {tax_class}",
                remedy=closest(tax_class, spec.tax_classes, listed),
            )
    for number, tax_class in enumerate(spec.tax_classes):
        if tax_class in spec.tax_classes[:number]:
            yield Finding(
                path=("tax_classes", number),
                code="tax-class-twice",
                message=f"{tax_class} is named twice",
                remedy="leave it once",
            )


def _check_vat(spec: CatalogueSpec) -> Iterator[Finding]:
    """One invoice, and one credit, pays for minutes and for the rest."""
    if spec.offer is not None and spec.amounts != spec.offer.prices:
        yield Finding(
            path=("prices",),
            code="prices-apart",
            message=f"prices are {spec.amounts} here and {spec.offer.prices} in the offer",
            remedy="write the same in both places, or leave it out here",
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


def _check_always_priced(spec: CatalogueSpec) -> Iterator[Finding]:
    """Nothing may come to cost nothing by what it counts as."""
    for kind, other in spec.counts_as.items():
        if other is Kind.FREEPHONE:
            yield Finding(
                path=("counts_as", kind.value),
                code="counts-as-freephone",
                message=f"{kind} calls would cost as little as freephone",
                remedy="let it count as fixed, or give it a price of its own",
            )
    for kind in sorted(ALWAYS_PRICED & spec.counts_as.keys()):
        for_nothing = _free_at_home(spec, kind)
        if for_nothing is not None:
            yield Finding(
                path=("counts_as", kind.value),
                code="counts-as-free",
                message=f"{kind} calls at home would cost nothing, as {for_nothing} calls do",
                remedy=f"add a row for any/{kind} with a price",
            )


def _free_at_home(spec: CatalogueSpec, kind: Kind) -> Kind | None:
    """Find what a kind counts as that costs nothing at home, if no row before it is certain to speak."""
    prices: dict[tuple[str, Kind], int] = {}
    for rate in spec.rates:  # of several bands, the cheapest
        known = prices.get((rate.zone, rate.kind), rate.per_minute_micro)
        prices[rate.zone, rate.kind] = min(known, rate.per_minute_micro)
    counts_as = {**NOT_TOLD, **spec.counts_as}
    following: Kind | None = kind
    for _ in Kind:  # a chain is no longer than there are kinds
        if following is None:
            return None
        if (HOME, following) in prices:
            return None if prices[HOME, following] else following
        if (ANY, following) in prices or all((zone, following) in prices for zone in spec.zones):
            return None
        following = counts_as.get(following)
    return None


def _check_bundles(spec: CatalogueSpec) -> Iterator[Finding]:
    for bundle_id, bundle in spec.bundles.items():
        for number, zone in enumerate(bundle.zones):
            if zone not in spec.zones:
                yield _unknown_zone(spec, ("bundles", bundle_id, "zones", number), zone)
            if zone in bundle.zones[:number]:
                yield Finding(
                    path=("bundles", bundle_id, "zones", number),
                    code="zone-twice",
                    message=f"{bundle_id} covers {zone} already",
                    remedy="leave it once: how many countries it covers decides which bundle burns first",
                )


def _check_buy_outs(spec: CatalogueSpec) -> Iterator[Finding]:
    for buy_out_id, buy_out in spec.buy_outs.items():
        for number, kind in enumerate(buy_out.kinds):
            if kind in ALWAYS_PRICED:
                yield Finding(
                    path=("buy_outs", buy_out_id, "kinds", number),
                    code="always-priced",
                    message=f"{kind} calls cannot be bought out",
                    remedy="remove the kind: what others charge us for a service is always passed on",
                )


def _unknown_zone(spec: CatalogueSpec, path: tuple[str | int, ...], zone: str) -> Finding:
    return Finding(
        path=path,
        code="unknown-zone",
        message=f"there is no zone {zone}",
        remedy=closest(zone, spec.zones, "use one of " + ", ".join(spec.zones)),
    )
