"""Everything rating knows: destinations, every version of every catalogue, accounts, who pays for whom.

Owns what is in force for an account at an instant. Refuses balances: how much of an allowance is used is an
argument of rating. The same documents make the same book.

The problem: what is in force changes at a handful of instants a month (a month ends, a tariff or a bundle
begins; with bands, a few a day) and is asked for every leg. So an account's time is divided into stretches in
which nothing changes, each worked out once, and each remembers what it answered for a destination.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rating import account as account_document
from rating import catalogue as catalogue_document
from rating.account import AccountSpec, BookingSpec, BuyOutBookingSpec, MoveSpec, TopUpBookingSpec
from rating.allowance import NO_CLOSES, Allowance, Closes, Grants, Pool, PoolKey, holds
from rating.catalogue import CatalogueSpec
from rating.destinations import Destination, Destinations, Kind
from rating.finding import Finding
from rating.limits import WHOLE, Limits
from rating.periods import day_start_us, local_day, month_start, next_month
from rating.price_table import Listed, PriceTable, find
from rating.stays import Stay, Turn, in_force, stay_on, turns
from rating.tariff import Price, Tariff
from rating.tariff import tariff as compiled

__all__ = ["Account", "Allowance", "Book", "Pool", "PoolKey", "Stretch", "Terms", "bind", "check"]

MAX_GRANTS = 500_000  # pools whose size is remembered
MAX_STRETCHES = 512  # per account: forty years of months; what is worked out can be worked out again


class Terms(NamedTuple):
    """What a destination costs in a stretch: the allowances in burn order, and the price beyond them."""

    country: str
    kind: str
    tariff: Tariff
    price: Price
    pools: tuple[Pool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account, ready to be asked.

    Attributes:
        limits: who of it may spend how much; empty: nobody is limited.
    """

    account: str
    catalogue: str
    country: str
    zone: ZoneInfo
    bookings: tuple[BookingSpec, ...]
    buy_outs: tuple[BuyOutBookingSpec, ...] = ()
    top_ups: tuple[TopUpBookingSpec, ...] = ()
    prepaid: bool = False
    limits: Limits = field(default_factory=dict, hash=False)
    moves: tuple[MoveSpec, ...] = ()

    @property
    def stays(self) -> tuple[Stay, ...]:
        """By which catalogue it is charged, and from when on."""
        return account_document.stays(self.catalogue, self.moves)

    @property
    def bounded(self) -> bool:
        """Whether money may end its calls: what is left of a credit, or below a limit."""
        return self.prepaid or bool(self.limits)

    def bounds(self, payer: str) -> bool:
        """Whether money may end the calls of one of its payers."""
        return self.prepaid or WHOLE in self.limits or payer in self.limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time of one account in which no price and no allowance begins or ends.

    Attributes:
        start_us: first instant.
        end_us: first instant after it.
        tariff: version in force; None before the first.
        allowances: in burn order.
        bands: of the tariff, in force throughout; the first one speaks first.
        buy_out: that the account has booked; empty for none.
        tables: of the tariff's price lists, in force throughout.
        broken: what is wrong with the account here, in words; nothing has a price then. The checks of
            documents forbid it, but a catalogue may have lost a bundle since.
    """

    start_us: int
    end_us: int
    account: Account
    tariff: Tariff | None
    allowances: tuple[Allowance, ...]
    bands: tuple[str, ...] = ()
    buy_out: str = ""
    tables: tuple[PriceTable, ...] = ()
    broken: str = ""
    _terms: dict[Destination | tuple[Destination, Listed], Terms | None] = field(
        default_factory=dict, compare=False, repr=False
    )

    def listed(self, number: str) -> Listed:
        """What the price lists say of a number here."""
        return find(self.tables, number) if self.tables else ()

    def terms(self, destination: Destination, listed: Listed) -> Terms | None:
        """What a destination costs here; None where the tariff has no price for it.

        Args:
            destination: country and kind.
            listed: what `listed` says of the number.
        """
        question = (destination, listed) if listed else destination  # nearly always the quick one
        try:
            return self._terms[question]
        except KeyError:
            found = self._terms[question] = self._find_terms(destination, listed)
            return found

    def _find_terms(self, destination: Destination, listed: Listed) -> Terms | None:
        if self.tariff is None or self.broken:
            return None
        price = self.tariff.price(destination, self.account.country, self.bands, listed)
        if price is None or price.absurd:
            return None
        if self.buy_out:
            free = self.tariff.bought_out(price, destination, self.account.country, self.buy_out)
            if free is not None:
                return Terms(destination.country, destination.kind.value, self.tariff, free, ())
        covering = (
            allowance
            for allowance in self.allowances
            if allowance.booking.bundle
            in {bundle.bundle for bundle in allowance.granted_by.covering(destination, price.kind)}
        )
        pools = tuple(allowance.pool(self.account.account, price.kind) for allowance in covering)
        return Terms(destination.country, destination.kind.value, self.tariff, price, pools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Everything rating knows. Build it with `bind`. Two threads may ask it at once.

    Attributes:
        destinations: number → country and kind.
        tariffs: catalogue → its versions.
        accounts: id → account.
        payers: tenant → account.
        closes: account → what its closed months have settled; one that is missing has closed none.
        unread: catalogue → first days of versions that cannot be read: nobody knows what they say.
    """

    destinations: Destinations
    tariffs: Mapping[str, tuple[Tariff, ...]]
    accounts: Mapping[str, Account]
    payers: Mapping[str, str]
    closes: Mapping[str, Closes] = field(default_factory=dict)
    unread: Mapping[str, frozenset[date]] = field(default_factory=dict)
    # Never changed in place: a thread that asks meanwhile finds all of it or what was there before.
    _stretches: dict[str, tuple[Stretch, ...]] = field(default_factory=dict, compare=False, repr=False)
    _granted_s: dict[PoolKey, int] = field(default_factory=dict, compare=False, repr=False)

    def account_of(self, payer: str) -> Account | None:
        """Account that is charged for `<tenant>/<extension>`."""
        return self.accounts.get(self.payers.get(payer.partition("/")[0], ""))

    def stretch(self, account: Account, instant_us: int) -> Stretch:
        """What is in force for an account at an instant."""
        known = self._stretches.get(account.account, ())
        if known and known[-1].start_us <= instant_us < known[-1].end_us:
            return known[-1]  # the latest one, nearly always
        position = bisect_right(known, instant_us, key=_start)
        if position and instant_us < known[position - 1].end_us:
            return known[position - 1]
        found = self._find_stretch(account, instant_us)
        kept = len(known) < MAX_STRETCHES
        self._stretches[account.account] = (*known[:position], found, *known[position:]) if kept else (found,)
        return found

    def granted_s(self, pool: PoolKey) -> int:
        """Seconds that a pool holds for its period; 0 where these documents grant none."""
        found = self._granted_s.get(pool)
        if found is None:
            if len(self._granted_s) >= MAX_GRANTS:
                self._granted_s.clear()
            found = self._granted_s[pool] = self._find_granted_s(pool)
        return found

    def rolls_over(self, account: Account) -> bool:
        """Tell whether an allowance of an account may ever be drawn after its own month."""
        return self._grants(account).roll_over

    def with_closes(self, closes: Mapping[str, Closes]) -> "Book":
        """Return a book of the same documents that knows what was closed."""
        return replace(self, closes=closes, _stretches={}, _granted_s={})

    def _grants(self, account: Account) -> Grants:
        return Grants(
            bookings=account.bookings,
            top_ups=account.top_ups,
            turns=turns(account.stays, self.tariffs),
            closes=self.closes.get(account.account, NO_CLOSES),
            tariff_named=self._tariff_named,
        )

    def _tariff_named(self, name: str) -> Tariff | None:
        versions = self.tariffs.get(name.partition("@")[0], ())
        return next((one for one in versions if one.name == name), None)

    def _find_granted_s(self, pool: PoolKey) -> int:
        account = self.accounts.get(pool[0])
        if account is None:
            return 0
        _, kind, first = pool[1].split("/")
        begins = date.fromisoformat(first)
        behind = next_month(begins)
        # A bundle may begin in mid-month, or its tariff: it is there at one of these.
        days = {begins, behind - timedelta(days=1), *(one.first for one in account.bookings)}
        for day in sorted(day for day in days if begins <= day < behind):
            stretch = self.stretch(account, day_start_us(day, account.zone))
            for allowance in stretch.allowances:
                found = allowance.pool(account.account, Kind(kind))
                if found.key == pool:
                    return found.granted_s
        return 0

    def _find_stretch(self, account: Account, instant_us: int) -> Stretch:
        today = local_day(instant_us, account.zone)
        laid_out = turns(account.stays, self.tariffs)
        days = _days_of_change(today, laid_out, (*account.bookings, *account.buy_outs))
        days |= {one.first for one in account.top_ups if month_start(one.first) == month_start(today)}
        kept = self.closes.get(account.account, NO_CLOSES).kept  # whatever documents say of these by now
        begun = (max(one.period, one.booked_from) for one in kept)
        days |= {day for day in begun if month_start(day) == month_start(today)}
        catalogue = stay_on(account.stays, today).catalogue
        lost = self.unread.get(catalogue, frozenset())
        days |= {day for day in lost if month_start(day) == month_start(today)}
        first = max(day for day in days if day <= today)
        behind = min(day for day in days if day > today)
        start_us, end_us = day_start_us(first, account.zone), day_start_us(behind, account.zone)
        tariff = in_force(laid_out, first)
        bands: tuple[str, ...] = ()
        if tariff is not None and tariff.timetable is not None:
            span = tariff.timetable.at(instant_us, first)
            start_us, end_us, bands = max(start_us, span.start_us), min(end_us, span.end_us), span.bands
        allowances, broken = self._grants(account).on(first)
        buy_out = _bought_out(account, first)
        if buy_out and tariff is not None and buy_out not in tariff.buy_outs:
            broken = broken or f"{tariff.name} has no buy-out {buy_out}"
        newest = max((day for day in lost if day <= first), default=None)
        if newest is not None and (tariff is None or tariff.valid_from < newest):
            broken = f"{catalogue}@{newest.isoformat()} cannot be read"
        return Stretch(
            start_us=start_us,
            end_us=end_us,
            account=account,
            tariff=tariff,
            allowances=allowances,
            bands=bands,
            buy_out=buy_out,
            tables=tariff.tables(first) if tariff is not None else (),
            broken=broken,
        )


def bind(
    destinations: Destinations,
    catalogues: Sequence[CatalogueSpec],
    accounts: Sequence[AccountSpec],
    payers: Mapping[str, str],
) -> Book:
    """Make a book of documents that `check` found nothing in.

    Args:
        destinations: the table.
        catalogues: every version of every catalogue.
        accounts: every account.
        payers: tenant → account.
    """
    tariffs: dict[str, tuple[Tariff, ...]] = {}
    for version in map(compiled, sorted(catalogues, key=lambda spec: spec.valid_from)):
        tariffs[version.catalogue] = (*tariffs.get(version.catalogue, ()), version)
    return Book(
        destinations=destinations,
        tariffs=tariffs,
        accounts={spec.account: _account(spec) for spec in accounts},
        payers=dict(payers),
    )


def check(
    destinations: Destinations, catalogues: Sequence[CatalogueSpec], accounts: Sequence[AccountSpec]
) -> tuple[tuple[Finding, ...], ...]:
    """Find everything that is wrong with the documents: findings of each catalogue, then of each account."""
    return (
        *(
            (*catalogue_document.check(spec, destinations.countries), *_check_versions(number, catalogues))
            for number, spec in enumerate(catalogues)
        ),
        *(
            (*account_document.check(spec, catalogues), *_check_account(number, accounts, destinations))
            for number, spec in enumerate(accounts)
        ),
    )


def _bought_out(account: Account, day: date) -> str:
    """Name the buy-out of a day; one that runs to the end of its month ends with its catalogue before."""
    stay = stay_on(account.stays, day)
    holding = [one for one in account.buy_outs if holds(one, day)]
    own = (one for one in holding if stay_on(account.stays, max(one.first, month_start(day))) == stay)
    return next((one.buy_out for one in own), "")


def _start(stretch: Stretch) -> int:
    return stretch.start_us


def _account(spec: AccountSpec) -> Account:
    return Account(
        account=spec.account,
        catalogue=spec.catalogue,
        country=spec.country,
        zone=ZoneInfo(spec.time_zone),
        bookings=spec.bundles,
        buy_outs=spec.buy_outs,
        top_ups=spec.top_ups,
        prepaid=spec.payment == "prepaid",
        limits=spec.spend_limits.by_who() if spec.spend_limits is not None else {},
        moves=spec.moves,
    )


def _days_of_change(
    today: date, laid_out: Sequence[Turn[Tariff]], bookings: Sequence[BookingSpec | BuyOutBookingSpec]
) -> frozenset[date]:
    """Days on which something begins or has ended, from the first of this month to the first of the next."""
    days = {month_start(today), next_month(today)}
    days.update(turn.first for turn in laid_out)
    versions = [turn.version for turn in laid_out if turn.version is not None]
    days.update(day for version in versions for one in version.price_lists for day in one.days)
    days.update(booking.first for booking in bookings)
    days.update(booking.until + timedelta(days=1) for booking in bookings if booking.until is not None)
    return frozenset(day for day in days if month_start(today) <= day <= next_month(today))


def _check_versions(number: int, catalogues: Sequence[CatalogueSpec]) -> Iterable[Finding]:
    """Versions of one catalogue begin on different days and are in one currency."""
    spec = catalogues[number]
    earlier = [other for other in catalogues[:number] if other.catalogue == spec.catalogue]
    if any(other.valid_from == spec.valid_from for other in earlier):
        yield Finding(
            path=("valid_from",),
            code="version-twice",
            message=f"{spec.catalogue} has a version of {spec.valid_from} already",
            remedy="give each version its own first day",
        )
    if any(other.currency != spec.currency for other in earlier):
        yield Finding(
            path=("currency",),
            code="currency-changed",
            message=f"{spec.catalogue} has been in {earlier[0].currency} before",
            remedy="offer another currency as another catalogue",
        )


def _check_account(
    number: int, accounts: Sequence[AccountSpec], destinations: Destinations
) -> Iterable[Finding]:
    spec = accounts[number]
    if any(other.account == spec.account for other in accounts[:number]):
        yield Finding(
            path=("account",),
            code="account-twice",
            message=f"there is an account {spec.account} already",
            remedy="choose another id",
        )
    if spec.country not in destinations.countries:
        yield Finding(
            path=("country",),
            code="unknown-country",
            message=f"no number leads to {spec.country}",
            remedy="write the ISO 3166 code of a country, like DE",
        )
