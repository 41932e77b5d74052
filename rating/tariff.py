"""One version of a catalogue, ready to be asked: what a minute to a destination costs, what a bundle covers.

Owns the meaning of rows, zones and `counts_as`. Refuses accounts and instants.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from zoneinfo import ZoneInfo

from rating import money
from rating.bands import Timetable, Window
from rating.catalogue import (
    ALWAYS_PRICED,
    ANY,
    HOME,
    NOT_TOLD,
    REST,
    WEEKDAYS,
    BandSpec,
    BundleSpec,
    CatalogueSpec,
    RateSpec,
    SizeSpec,
    TopUpSpec,
    WindowSpec,
)
from rating.destinations.kind import Destination, Kind
from rating.price_list import Row
from rating.price_table import Listed, PriceList, PriceTable, price_list

ALWAYS = ""  # stands for a band in the rows that have none
_WHOLE_WORLD = 1_000  # breadth of a bundle that covers the rest of the world: more than there are countries


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What calls of one zone and kind cost.

    A minimum in seconds is nothing else than a longer first increment, and is one here.

    Attributes:
        zone: zone, `home`, `any`, or the name of a price list.
        kind: what the destination counted as.
        minimum_micro: what a call costs at least if a second of it is charged, connection fee included.
        rounding: where a fraction of a micro-unit goes.
        tax_class: by which billing taxes the call; empty where the catalogue names none.
        rule: where the price stands, `autphone@2026-01-01 overflow DE/mobile`.
    """

    zone: str
    kind: Kind
    price_per_minute_micro: int
    connection_micro: int
    first_increment_s: int
    next_increment_s: int
    minimum_micro: int
    rounding: money.Rounding
    tax_class: str
    rule: str

    @property
    def absurd(self) -> bool:
        """Whether somebody must have mistyped it: a call could cost more than a ledger can hold."""
        return max(self.price_per_minute_micro, self.connection_micro, self.minimum_micro) > money.MOST_MICRO


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle covers and grants.

    Attributes:
        zones: zones it covers.
        breadth: how many countries those are; the narrowest bundle burns first.
        seconds: (size, fixed or mobile) → seconds for a calendar month.
        top_ups: (top-up, fixed or mobile) → seconds for the rest of the month.
        prorated: a first month that is no whole one grants the seconds of its days.
        roll_over_months: so long after their own month its seconds may be drawn.
    """

    bundle: str
    zones: frozenset[str]
    breadth: int
    seconds: Mapping[tuple[str, Kind], int]
    top_ups: Mapping[tuple[str, Kind], int]
    prorated: bool
    roll_over_months: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """One dated version of a catalogue.

    Attributes:
        name: `autphone@2026-01-01`.
        amounts: `net` or `gross`: whether they contain VAT.
        zones: country → zone.
        rest: zone of every other country; empty: they have none.
        prices: (zone, kind, band) → price; the band is empty for what holds always.
        buy_outs: kinds that each covers inside the account's country.
        timetable: when bands are in force; None: there are none.
        price_lists: the first one that knows a number speaks.
        increments: first and next, of rows of lists that name none.
        rounding: of rows of lists.
    """

    name: str
    catalogue: str
    valid_from: date
    currency: str
    amounts: str
    zones: Mapping[str, str]
    rest: str
    prices: Mapping[tuple[str, Kind, str], Price]
    counts_as: Mapping[Kind, Kind]
    bundles: Mapping[str, Bundle]
    buy_outs: Mapping[str, frozenset[Kind]] = field(default_factory=dict)
    timetable: Timetable | None = None
    price_lists: tuple[PriceList, ...] = ()
    increments: tuple[int, int] = (1, 1)
    rounding: money.Rounding = money.Rounding.UP

    def zone(self, country: str) -> str:
        """Zone of a country, empty for none."""
        return self.zones.get(country, self.rest)

    def tables(self, day: date) -> tuple[PriceTable, ...]:
        """Rows of the price lists in force on a day, list by list."""
        return tuple(one.on(day) for one in self.price_lists)

    def price(
        self, destination: Destination, home: str, bands: tuple[str, ...] = (), listed: Listed = ()
    ) -> Price | None:
        """Price of a destination for an account at home in `home`; None where there is no row for it.

        A row for `home` speaks before the price lists, every other row after them.

        Args:
            destination: country and kind.
            home: country of the account.
            bands: those in force, the first one speaks first; a row of another zone or kind has no say.
            listed: what the price lists say of the number (`rating.price_table.find`).
        """
        by_zone = self._by_zone(destination, home, bands)
        if not any(listed) or (by_zone is not None and by_zone.zone == HOME):
            return by_zone
        kinds = (by_zone.kind,) if by_zone is not None else tuple(self._counting(destination.kind))
        for one, row in zip(self.price_lists, listed, strict=True):
            kind = next((kind for kind in kinds if kind in one.kinds), None)
            if row is not None and kind is not None:
                return self._of_row(one, row, kind)
        return by_zone

    def _by_zone(self, destination: Destination, home: str, bands: tuple[str, ...]) -> Price | None:
        zone = self.zone(destination.country)
        order = (HOME, zone, ANY) if destination.country == home else (zone, ANY)
        for kind in self._counting(destination.kind):
            for row in order:
                for band in (*bands, ALWAYS):
                    price = self.prices.get((row, kind, band))
                    if price is not None:
                        return price
        return None

    def _counting(self, kind: Kind) -> Iterator[Kind]:
        """Yield a kind and what it counts as."""
        following: Kind | None = kind
        for _ in Kind:  # a chain of counts_as is no longer than there are kinds
            if following is None:
                return
            yield following
            following = self.counts_as.get(following)

    def _of_row(self, of: PriceList, row: Row, kind: Kind) -> Price:
        return Price(
            zone=of.name,
            kind=kind,
            price_per_minute_micro=row.price_per_minute_micro,
            connection_micro=row.connection_micro,
            first_increment_s=row.first_increment_s or self.increments[0],
            next_increment_s=row.next_increment_s or self.increments[1],
            minimum_micro=0,
            rounding=self.rounding,
            tax_class=of.tax_class,
            rule=f"{self.name} list {of.name} +{row.prefix} {row.name} ({of.file}:{row.line})",
        )

    def bought_out(self, price: Price, destination: Destination, home: str, buy_out: str) -> Price | None:
        """Price under a buy-out: nothing, connection included; None where it does not reach."""
        covers = destination.country == home and destination.kind not in ALWAYS_PRICED
        if not covers or price.kind not in self.buy_outs[buy_out]:
            return None
        rule = f"{self.name} buy-out {buy_out}"
        return replace(price, price_per_minute_micro=0, connection_micro=0, minimum_micro=0, rule=rule)

    def covering(self, destination: Destination, kind: Kind) -> tuple[Bundle, ...]:
        """Bundles that cover a destination that counts as `kind`, narrowest first."""
        if kind not in {Kind.FIXED, Kind.MOBILE}:
            return ()
        zone = self.zone(destination.country)
        covering = (bundle for bundle in self.bundles.values() if zone in bundle.zones)
        return tuple(sorted(covering, key=lambda bundle: (bundle.breadth, bundle.bundle)))


def tariff(spec: CatalogueSpec) -> Tariff:
    """Compile one version of a catalogue that `rating.catalogue.check` found nothing in."""
    name = f"{spec.catalogue}@{spec.valid_from.isoformat()}"
    return Tariff(
        name=name,
        catalogue=spec.catalogue,
        valid_from=spec.valid_from,
        currency=spec.currency,
        amounts=spec.amounts,
        zones={
            country: zone_id
            for zone_id, zone in spec.zones.items()
            if zone.countries != REST
            for country in zone.countries
        },
        rest=next((zone_id for zone_id, zone in spec.zones.items() if zone.countries == REST), ""),
        prices={(rate.zone, rate.kind, rate.band or ALWAYS): _price(rate, spec, name) for rate in spec.rates},
        counts_as={**NOT_TOLD, **spec.counts_as},
        bundles={bundle_id: _bundle(bundle_id, bundle, spec) for bundle_id, bundle in spec.bundles.items()},
        buy_outs={buy_out_id: frozenset(one.kinds) for buy_out_id, one in spec.buy_outs.items()},
        timetable=_timetable(spec),
        price_lists=tuple(price_list(one, spec.files, _tax_class(spec)) for one in spec.price_lists),
        increments=(spec.first_increment_s, spec.next_increment_s),
        rounding=spec.rounding,
    )


def _tax_class(spec: CatalogueSpec) -> str:
    """Class of rows that name none; empty if the catalogue knows none."""
    return next(iter(spec.tax_classes), "")


def _price(rate: RateSpec, spec: CatalogueSpec, name: str) -> Price:
    first_s = rate.first_increment_s or spec.first_increment_s
    next_s = rate.next_increment_s or spec.next_increment_s
    beyond_s = max((rate.minimum_s or 0) - first_s, 0)
    return Price(
        zone=rate.zone,
        kind=rate.kind,
        price_per_minute_micro=rate.per_minute_micro,
        connection_micro=rate.connection_fee,
        first_increment_s=first_s + beyond_s + -beyond_s % next_s,
        next_increment_s=next_s,
        minimum_micro=rate.minimum_charge,
        rounding=rate.rounding or spec.rounding,
        tax_class=rate.tax_class or _tax_class(spec),
        rule=f"{name} overflow {rate.zone}/{rate.kind}" + (f" {rate.band}" if rate.band else ""),
    )


def _timetable(spec: CatalogueSpec) -> Timetable | None:
    if not spec.bands or spec.time_zone is None:
        return None
    return Timetable(
        zone=ZoneInfo(spec.time_zone),
        order=tuple(band.band for band in spec.bands),
        windows=tuple(_window(band, window) for band in spec.bands for window in band.windows),
    )


def _window(band: BandSpec, window: WindowSpec) -> Window:
    begins, ends = (int(text[:2]) * 60 + int(text[3:]) for text in (window.begins, window.ends))
    return Window(
        band=band.band,
        weekdays=frozenset(WEEKDAYS.index(day) for day in window.days),
        first=band.first,
        until=band.until,
        begins_min=begins,
        ends_min=ends if ends > begins else ends + 24 * 60,
    )


def _bundle(bundle_id: str, bundle: BundleSpec, spec: CatalogueSpec) -> Bundle:
    countries = [
        spec.zones[zone].countries for zone in dict.fromkeys(bundle.zones)
    ]  # stored, one may be twice
    return Bundle(
        bundle=bundle_id,
        zones=frozenset(bundle.zones),
        breadth=sum(_WHOLE_WORLD if named == REST else len(named) for named in countries),
        seconds=_seconds(bundle.sizes),
        top_ups=_seconds(bundle.top_ups),
        prorated=bundle.first_month == "pro-rata",
        roll_over_months=bundle.roll_over_months,
    )


def _seconds(grants: Mapping[str, SizeSpec] | Mapping[str, TopUpSpec]) -> Mapping[tuple[str, Kind], int]:
    seconds: dict[tuple[str, Kind], int] = {}
    for name, grant in grants.items():
        seconds[name, Kind.FIXED] = grant.fixed_minutes * money.SECONDS_PER_MINUTE
        seconds[name, Kind.MOBILE] = grant.mobile_minutes * money.SECONDS_PER_MINUTE
    return seconds
