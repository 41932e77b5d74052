"""Closing on generated legs: whatever the order of arrival, a closed month is a clean run's, and stays."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from hypothesis import given
from hypothesis import strategies as st

from rating.account import AccountSpec
from rating.allowance import NO_CLOSES, Closes
from rating.book import Book, PoolKey, bind
from rating.catalogue import CatalogueSpec
from rating.closing import Kernel, Months, Standing, bound, canonical, corrections, kept, rerate, to_keep
from rating.columns import Index, Numbers, Told, legs_of, rate_columns, rerate_columns
from rating.columns.arrays import ints
from rating.correction import differs, standing
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import day_start_us, from_iso, next_month
from rating.rate import Rating, rate
from rating.rated import RatedLeg, Source
from rating.store.rows import COLUMNS, row_of

CONFIG = Path(__file__).parents[2] / "config"
DESTINATIONS = load(CONFIG / "destinations")
AUTPHONE = CatalogueSpec.model_validate(
    yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
)
TABLE = Numbers(DESTINATIONS)
NUMBERS = ("+493012345678", "+4915112345678", "+4312345678", "+436641234567", "+12125551234", "112")
BERLIN = ZoneInfo("Europe/Berlin")
EDGES_US = tuple(from_iso(f"2026-{day}T23:00:00+00:00") for day in ("09-30", "10-31", "11-30"))
OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (10, 11, 12))
NUMBER_OF_LEGS = 14
PIECES = COLUMNS.index("pieces")


def by_columns(legs: Sequence[Leg], book: Book, balances: dict[PoolKey, int]) -> Rating:
    """Rate by the other kernel."""
    return rate_columns(legs_of(legs), Index(book, TABLE), balances).rating()


KERNELS: tuple[Kernel, ...] = (rate, by_columns)  # type: ignore[assignment]  # a dict is a mapping


@st.composite
def books(draw: st.DrawFn, prices: int = 1) -> Book:
    """An account with small bundles, so that a few legs empty them; `prices` times the price of a minute."""
    bundles = {}
    minutes = draw(st.integers(0, 3))
    for name, bundle in AUTPHONE.bundles.items():
        size = bundle.sizes["S"].model_copy(update={"fixed_minutes": minutes, "mobile_minutes": minutes})
        months = draw(st.integers(0, 2))
        bundles[name] = bundle.model_copy(update={"sizes": {"S": size}, "roll_over_months": months})
    fee, least = draw(st.sampled_from((0, 90_000))), draw(st.sampled_from((0, 500_000)))
    rates = tuple(
        row.model_copy(
            update={
                "price_per_minute": row.per_minute_micro * prices,
                "connection_fee": fee,
                "minimum_charge": least,
            }
        )
        for row in AUTPHONE.rates
    )
    tariff = AUTPHONE.model_copy(
        update={
            "bundles": bundles,
            "rates": rates,
            "first_increment_s": draw(st.sampled_from((1, 60))),
            "prices": draw(st.sampled_from(("net", "gross"))),
        }
    )
    booked = draw(st.sets(st.sampled_from(("de", "dach", "export")), min_size=1))
    values: dict[str, Any] = {
        "version": 1,
        "account": "acme",
        "name": "Acme",
        "catalogue": "autphone",
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "bundles": [{"bundle": one, "size": "S", "from": "2026-01-01"} for one in sorted(booked)],
    }
    return bind(DESTINATIONS, [tariff], [AccountSpec.model_validate(values)], {"acme": "acme"})


@st.composite
def leg_lists(draw: st.DrawFn) -> list[Leg]:
    """Some legs around the ends of three months, many of which end in the same instant."""
    legs = []
    for number in range(draw(st.integers(1, NUMBER_OF_LEGS))):
        ended_us = draw(st.sampled_from(EDGES_US)) + draw(st.integers(-4, 4)) * 60_000_000
        legs.append(
            Leg(
                key=f"pbx-1.{number}",
                linkedid="pbx-1.0",
                trunk="carrier",
                payer="acme/10",
                why="call",
                number=draw(st.sampled_from(NUMBERS)),
                answered_us=ended_us - draw(st.integers(0, 300_000_000)),
                ended_us=ended_us,
                limit_s=draw(st.sampled_from((0, 0, 45, 120))),
            )
        )
    return legs


@dataclass(slots=True)
class Ledger:
    """What the store keeps, in memory: rows that are only ever added, balances, closed months."""

    book: Book
    kernel: Kernel = rate
    rows: list[tuple[RatedLeg, date]] = field(default_factory=list)
    used: dict[PoolKey, int] = field(default_factory=dict)
    first_open: dict[str, date] = field(default_factory=dict)

    def take_in(self, legs: Iterable[Leg]) -> None:
        """Rate what is new, as it comes."""
        known = {leg.key for leg, _ in self.rows}
        months = Months(self.book, self.first_open)
        for leg in legs:
            if leg.key not in known:
                rating = rate([leg], self.book, self.used)
                self.used |= rating.used
                self.rows += [(one, months.of(one.account, one.ended_us)) for one in rating.rated]

    def standing(self) -> list[Standing]:
        """Every leg as it stands."""
        by_key: dict[str, list[tuple[RatedLeg, date]]] = {}
        for row in self.rows:
            by_key.setdefault(row[0].key, []).append(row)
        return [
            Standing(leg=standing(first[0], [leg for leg, _ in rest]), month=first[1])
            for first, *rest in by_key.values()
        ]

    def open(self) -> list[Standing]:
        """Open legs as they stand."""
        first = self.first_open.get("acme", date.min)
        return [one for one in self.standing() if one.month >= first]

    def rerate(self) -> int:
        """Rate what is open again; return how many corrections that made."""
        found = rerate(self.open(), self.book, self.used, self.kernel)
        assert not found.unpriced
        added = corrections(found)
        months = {one.leg.key: one.month for one, _ in found.changed}
        self.rows += [(leg, months[leg.key]) for leg in added]
        self.used |= found.used
        return len(added)

    def close(self, month: date) -> None:
        """Close a month, and keep what rolls over."""
        opened = self.first_open.get("acme", date.min)
        if month >= opened:
            self.rerate()
            self.first_open["acme"] = next_month(month)
            closed = drawn(one.leg for one in self.standing() if one.month <= month)
            before = self.book.closes.get("acme", NO_CLOSES).kept
            new = (kept(one, "acme", closed) for one in to_keep(self.book, "acme", month))
            self.turn_to(self.book, Closes(opened=next_month(month), kept=(*before, *new)))

    def turn_to(self, book: Book, closes: Closes = NO_CLOSES) -> None:
        """Go on by other documents; what was closed stays."""
        known = self.book.closes if closes is NO_CLOSES else {"acme": closes}
        self.book = book.with_closes(known)

    def bill(self, month: date) -> list[tuple[object, ...]]:
        """What a month's invoice says: each leg with its seconds, pools and amounts, summed over all rows."""
        sums: dict[str, Counter[object]] = {}
        for leg, billed in self.rows:
            if billed == month:
                found = sums.setdefault(leg.key, Counter())
                found["seconds"] += leg.billable_s
                found["micro"] += leg.amount_micro
                for piece in leg.pieces:
                    found[piece.pool] += piece.seconds
        return sorted(
            (key, *sorted((str(k), v) for k, v in found.items() if v)) for key, found in sums.items()
        )


def drawn(legs: Iterable[RatedLeg]) -> dict[PoolKey, int]:
    """What rows say was drawn."""
    found: Counter[PoolKey] = Counter()
    for leg in legs:
        for piece in leg.pieces:
            if piece.source is Source.ALLOWANCE:
                found[leg.account, piece.pool] += piece.seconds
    return {pool: seconds for pool, seconds in found.items() if seconds}


def clean_run(legs: Iterable[Leg], book: Book) -> Ledger:
    """Rate legs in canonical order, nothing closed, nothing corrected."""
    ledger = Ledger(book)
    ledger.take_in(sorted(legs, key=lambda leg: (leg.ended_us, leg.key)))
    return ledger


@given(books(), leg_lists(), st.randoms(use_true_random=False), st.sampled_from(KERNELS))
def test_the_order_of_arrival_changes_no_closed_month(
    book: Book,
    legs: list[Leg],
    random: Random,
    kernel: Kernel,
) -> None:
    """Legs in any order, months closed one after the other: each invoice is that of a clean run."""
    clean, shuffled = clean_run(legs, book), Ledger(book, kernel)
    random.shuffle(legs)
    shuffled.take_in(legs)
    for month in (OCTOBER, NOVEMBER, DECEMBER):
        shuffled.close(month)
        assert shuffled.bill(month) == clean.bill(month)
    assert {pool: used_s for pool, used_s in shuffled.used.items() if used_s} == clean.used


@given(books(), leg_lists(), st.randoms(use_true_random=False))
def test_original_and_corrections_sum_to_a_clean_run(book: Book, legs: list[Leg], random: Random) -> None:
    """As it stands, every leg is charged and draws as in canonical order; sums over all rows say the same."""
    clean, shuffled = clean_run(legs, book), Ledger(book)
    random.shuffle(legs)
    shuffled.take_in(legs)
    shuffled.rerate()
    wanted = {one.leg.key: one.leg for one in clean.standing()}
    found = {one.leg.key: one.leg for one in shuffled.standing()}
    assert found.keys() == wanted.keys()
    assert not [key for key in wanted if differs(found[key], wanted[key])]
    rows = [leg for leg, _ in shuffled.rows]
    assert sum(leg.amount_micro for leg in rows) == sum(leg.amount_micro for leg in wanted.values())
    assert drawn(rows) == drawn(found.values()) == clean.used


@given(books(), leg_lists(), st.randoms(use_true_random=False))
def test_parts_of_a_correction_sum_to_the_whole(book: Book, legs: list[Leg], random: Random) -> None:
    """Pieces taken back and pieces charged add up to the difference; each draw begins where it says."""
    ledger = Ledger(book)
    random.shuffle(legs)
    ledger.take_in(legs)
    ledger.rerate()
    for leg, _ in ledger.rows:
        assert sum(piece.seconds for piece in leg.pieces) == leg.billable_s
        assert sum(piece.amount_micro for piece in leg.pieces) + leg.connection_micro == leg.amount_micro
        drawing = [piece for piece in leg.pieces if piece.source is Source.ALLOWANCE]
        assert all(piece.after_s == piece.before_s - piece.seconds for piece in drawing)


@given(books(), books(prices=3), leg_lists())
def test_of_net_and_gross_amounts_each_sums_to_what_is_charged_so(
    book: Book, other: Book, legs: list[Leg]
) -> None:
    """Under another catalogue too: the difference of an amount with VAT and one without could nobody tax."""
    ledger = Ledger(book)
    ledger.take_in(legs)
    ledger.book = other
    ledger.rerate()
    wanted = Counter[str]()
    for one in ledger.standing():
        wanted[one.leg.prices] += one.leg.amount_micro
        assert not one.leg.amount_micro or one.leg.prices == other.tariffs["autphone"][0].amounts
    found = Counter[str]()
    for leg, _ in ledger.rows:
        found[leg.prices] += leg.amount_micro
    assert +found == +wanted


@given(books(), leg_lists(), st.randoms(use_true_random=False))
def test_replay_thrice_and_shuffled_changes_nothing(book: Book, legs: list[Leg], random: Random) -> None:
    """Legs that come again, and months that are closed again, leave every row and balance as it was."""
    ledger = Ledger(book)
    ledger.take_in(legs)
    ledger.close(OCTOBER)
    before, used = list(ledger.rows), dict(ledger.used)
    for _ in range(3):
        random.shuffle(legs)
        ledger.take_in(legs)
        ledger.close(OCTOBER)
    assert (ledger.rows, ledger.used) == (before, used)


@given(books(), leg_lists(), leg_lists(), st.randoms(use_true_random=False))
def test_a_late_leg_goes_to_the_next_invoice_and_changes_no_closed_one(
    book: Book,
    legs: list[Leg],
    late: list[Leg],
    random: Random,
) -> None:
    """After a close nothing is billed in that month any more, and late legs in any order cost the same."""
    late = [replace(leg, key=f"late-{leg.key}") for leg in late]
    found = []
    for _ in range(2):
        ledger = Ledger(book)
        ledger.take_in(legs)
        ledger.close(OCTOBER)
        closed = ledger.bill(OCTOBER)
        random.shuffle(late)
        ledger.take_in(late)
        assert ledger.bill(OCTOBER) == closed
        ledger.close(NOVEMBER)
        assert ledger.bill(OCTOBER) == closed
        found.append(ledger.bill(NOVEMBER))
    assert found[0] == found[1]


@given(st.data(), leg_lists(), st.randoms(use_true_random=False))
def test_rating_again_twice_changes_nothing(data: st.DataObject, legs: list[Leg], random: Random) -> None:
    """The second time finds nothing to correct, under another tariff, too."""
    ledger = Ledger(data.draw(books()))
    random.shuffle(legs)
    ledger.take_in(legs)
    ledger.rerate()
    assert ledger.rerate() == 0
    ledger.book = data.draw(books(prices=2))
    ledger.rerate()
    assert ledger.rerate() == 0
    wanted = {one.leg.key: one.leg for one in clean_run(legs, ledger.book).standing()}
    assert not any(differs(one.leg, wanted[one.leg.key]) for one in ledger.standing())


@given(books(), books(), leg_lists(), leg_lists())
def test_what_was_kept_is_what_is_there_whatever_documents_say_later(
    book: Book, later: Book, legs: list[Leg], late: list[Leg]
) -> None:
    """A closed month gives late legs and later months together what its close has kept, no second more."""
    ledger = Ledger(book)
    ledger.take_in(legs)
    ledger.close(OCTOBER)
    before = drawn(one.leg for one in ledger.standing() if one.month <= OCTOBER)
    ledger.turn_to(later)
    ledger.take_in([replace(leg, key=f"late-{leg.key}") for leg in late])
    ledger.close(NOVEMBER)
    settled = [one for one in ledger.book.closes["acme"].kept if one.period <= OCTOBER]
    granted = book.stretch(book.accounts["acme"], EDGES_US[1] - 1).allowances
    assert {one.bundle for one in settled} == {one.name for one in granted if one.rolls_over}
    behind_us: dict[str, int] = {}
    for one in settled:
        sizes = {"fixed": (one.fixed_s, one.fixed_left_s), "mobile": (one.mobile_s, one.mobile_left_s)}
        for kind, (granted_s, left_s) in sizes.items():
            pool = f"{one.bundle}/{kind}/{one.period}"
            behind_us[pool] = day_start_us(next_month(one.until), BERLIN)
            assert left_s == granted_s - before.get(("acme", pool), 0)
            assert ledger.used.get(("acme", pool), 0) <= granted_s
    for leg, _ in ledger.rows:
        for piece in leg.pieces:
            talked_us = min(
                piece.start_us, leg.ended_us - 1
            )  # rounding seconds belong to the last talk second
            assert talked_us < behind_us.get(piece.pool, leg.ended_us)


@given(st.data(), leg_lists(), st.randoms(use_true_random=False))
def test_columns_find_the_same_corrections(data: st.DataObject, legs: list[Leg], random: Random) -> None:
    """To the last word what the law finds: legs out of order, corrected before, under another tariff."""
    ledger = Ledger(data.draw(books()))
    random.shuffle(legs)
    ledger.take_in(legs)
    if data.draw(st.booleans()):
        ledger.rerate()
        ledger.book = data.draw(books(prices=data.draw(st.sampled_from((1, 3)))))
    found, balances = sorted(ledger.open(), key=canonical), ledger.used
    plain = rerate(found, ledger.book, balances)
    opening = {
        **balances,
        **{pool: balances[pool] - s for pool, s in drawn(one.leg for one in found).items()},
    }
    index = Index(bound(ledger.book, ["acme"]), TABLE)
    columns = rerate_columns(
        told(found, hidden=data.draw(st.sampled_from((1, 2, 100)))), index, opening, balances
    )
    assert corrections(plain) == corrections(columns)
    assert (plain.used, plain.unpriced) == (columns.used, columns.unpriced)


def told(found: Sequence[Standing], hidden: int) -> Told:
    """Legs as columns; every so many of them do not say their pieces."""
    legs = [
        Leg(
            **{name: getattr(one.leg, name) for name in ("key", "linkedid", "why", "number")},
            trunk="",
            payer=one.leg.account,
            answered_us=one.leg.answered_us,
            ended_us=one.leg.ended_us,
            limit_s=one.leg.limit_s,
        )
        for one in found
    ]
    pieces = [str(row_of(0, one.leg, one.month)[PIECES]) for one in found]
    return Told(
        legs=legs_of(legs),
        billable_s=ints([one.leg.billable_s for one in found]),
        connection_micro=ints([one.leg.connection_micro for one in found]),
        amount_micro=ints([one.leg.amount_micro for one in found]),
        currency=[one.leg.currency for one in found],
        prices=[one.leg.prices for one in found],
        pieces=[text if number % hidden else "" for number, text in enumerate(pieces, 1)],
        standing=found.__getitem__,
    )
