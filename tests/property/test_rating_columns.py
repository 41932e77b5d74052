"""Both kernels on the same legs: whatever the documents and the legs, the same to the micro-unit."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pbxcore.rater.pricing import FEW, price
from rating import money
from rating.account import AccountSpec
from rating.allowance import Closes, Kept
from rating.book import Book, PoolKey, bind
from rating.catalogue import BandSpec, BuyOutSpec, CatalogueSpec, TopUpSpec
from rating.closing import Months
from rating.columns import Index, Numbers, kernel, legs_of, rate_columns
from rating.columns.arrays import ColumnRangeError
from rating.destinations import Kind
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import from_iso
from rating.price_list import OPTIONAL, REQUIRED, PriceListSpec
from rating.rate import Rating, rate
from rating.store.rows import line_of

CONFIG = Path(__file__).parents[2] / "config"
DESTINATIONS = load(CONFIG / "destinations")
AUTPHONE = CatalogueSpec.model_validate(
    yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
)
NUMBERS = (
    *("+493012345678", "+4915112345678", "+4312345678", "+436641234567", "+33123456789", "+12125551234"),
    *("+302123456789", "+4980012345678", "+49900112345678", "+88216123456", "116117", "+43800123456"),
    *("+210123456", "", "+883510012345", "112", "+49112", "+", "49301234567", "+4930\n1", "+49\u0663\u0664"),
    *("+353185012345", "+35318501234", "+3906698123", "+" + "4" * 40, "+49 30 1", "\udcff", "+999"),
)
EDGES_US = tuple(
    from_iso(text)
    for text in (
        *("2026-10-31T23:00:00+00:00", "2026-10-31T18:15:00+00:00", "2026-11-01T00:00:00+00:00"),
        *("2026-11-01T23:00:00+00:00", "2026-11-14T23:00:00+00:00", "2026-11-15T00:00:00+00:00"),
        *("2026-10-25T01:00:00+00:00", "2027-03-28T01:00:00+00:00", "2026-12-31T23:00:00+00:00"),
        *("2025-12-31T23:00:00+00:00", "1999-12-31T23:59:59+00:00", "2099-12-31T23:59:59+00:00"),
        "2026-11-30T10:59:30+00:00",
    )
)
SECOND_US = 1_000_000
PAYERS = ("acme/10", "acme/11", "acme2/1", "acme2/1", "beta/1", "beta/1", "gamma/1", "", "x/1", "lost/1")
ANY_TEXT = st.from_regex(r"\+[0-9]{0,18}", fullmatch=True) | st.text(max_size=12)
BOUGHT_OUT = st.sampled_from(((Kind.FIXED,), (Kind.FIXED, Kind.MOBILE), (Kind.FREEPHONE, Kind.VOIP)))
TABLE = Numbers(DESTINATIONS)
HEADING = ",".join((*REQUIRED, *OPTIONAL))


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Two catalogues, each with a version or two, and accounts that booked this and that."""
    versions = [one for name in ("autphone", "other") for one in draw(catalogues(name))]
    accounts = [draw(accounts_of(name)) for name in ("acme", "beta", "gamma")]
    payers = {"acme": "acme", "acme2": "acme", "beta": "beta", "gamma": "gamma", "lost": "nowhere"}
    book = bind(DESTINATIONS, versions, accounts, payers)
    return book.with_closes({"acme": draw(closes())} if draw(st.booleans()) else {})


@st.composite
def closes(draw: st.DrawFn) -> Closes:
    """What closes have kept: of bundles booked or not, in sizes and for times that documents never had."""
    opened = draw(st.sampled_from((date(2026, 11, 1), date(2026, 12, 1))))
    periods = st.sampled_from((date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)))
    named = st.tuples(st.sampled_from(("de", "dach", "export")), st.sampled_from(("", "more")), periods)
    kept = [
        Kept(
            bundle=bundle,
            top_up=top_up,
            period=period,
            size="S",
            booked_from=date(2026, 1, 1),
            tariff=draw(st.sampled_from(("autphone@2026-01-01", "other@2026-01-01"))),
            until=draw(st.sampled_from((date(2026, 10, 31), date(2026, 11, 30), date(2027, 1, 31)))),
            fixed_s=draw(st.integers(0, 300)),
            mobile_s=draw(st.integers(0, 300)),
            fixed_left_s=0,
            mobile_left_s=0,
        )
        for bundle, top_up, period in draw(st.sets(named, max_size=4))
        if period < opened
    ]
    return Closes(opened=opened, kept=tuple(kept))


@st.composite
def catalogues(draw: st.DrawFn, name: str) -> list[CatalogueSpec]:
    """Versions of a catalogue with bundles so small that a few legs empty them."""
    versions = [draw(version(name, date(2026, 1, 1)))]
    days = st.sampled_from((date(2026, 11, 1), date(2026, 11, 2), date(2027, 1, 1)))
    later = [draw(version(name, first)) for first in sorted(draw(st.sets(days)))]
    return [*versions, *later]


@st.composite
def version(draw: st.DrawFn, name: str, valid_from: date) -> CatalogueSpec:
    """One version; some have no price for mobile numbers, some have lost a bundle."""
    first, following = draw(st.sampled_from(((60, 60), (1, 1), (60, 1), (30, 6), (10, 7))))
    fee, more = draw(st.sampled_from((0, 90_000))), draw(st.integers(0, 100))
    minutes = st.integers(0, 4)
    bundles = {
        bundle: spec.model_copy(
            update={
                "sizes": {
                    size: spec.sizes["S"].model_copy(
                        update={"fixed_minutes": draw(minutes), "mobile_minutes": draw(minutes)}
                    )
                    for size in ("S", "M")
                },
                "zones": spec.zones if draw(st.integers(0, 5)) else ("DE", "World"),
                "first_month": draw(st.sampled_from(("full", "pro-rata"))),
                "roll_over_months": draw(st.sampled_from((0, 0, 1, 2))),
                "top_ups": {
                    "more": TopUpSpec.model_validate(
                        {"price": "5.00", "fixed_minutes": draw(minutes), "mobile_minutes": draw(minutes)}
                    )
                },
            }
        )
        for bundle, spec in AUTPHONE.bundles.items()
        if bundle != "dach" or draw(st.integers(0, 9))
    }
    dropped = draw(st.sampled_from(("", "", "", "mobile")))
    rates = tuple(
        row.model_copy(
            update={
                "connection_fee": fee,
                "price_per_minute": row.per_minute_micro + more,
                "minimum_s": draw(st.sampled_from((None, None, 1, 61, 90))),
                "minimum_charge": draw(st.sampled_from((0, 0, 100_000, 500_000))),
                "rounding": draw(st.sampled_from((None, None, *money.Rounding))),
                "tax_class": draw(st.sampled_from((None, None, "none"))),
            }
        )
        for row in AUTPHONE.rates
        if row.kind.value != dropped
    )
    bands = draw(bands_of_a_version())
    rates += tuple(
        row.model_copy(update={"band": band.band, "price_per_minute": row.per_minute_micro // 3 + number})
        for number, band in enumerate(bands)
        for row in rates[number::2]
    )
    listed = draw(price_lists())
    bought_out = {"name": "x", "price_per_month": "9.95", "kinds": draw(BOUGHT_OUT)}
    update = {
        "catalogue": name,
        "time_zone": draw(st.sampled_from(("Europe/Berlin", "Pacific/Auckland"))),
        "bands": bands,
        "price_lists": tuple(spec for spec, _ in listed),
        "files": {spec.file: text for spec, text in listed},
        "buy_outs": {"home": BuyOutSpec.model_validate(bought_out)},
        "tax_classes": draw(st.sampled_from(((), ("full", "none")))),
        "valid_from": valid_from,
        "bundles": bundles,
        "rates": rates,
        "first_increment_s": first,
        "next_increment_s": following,
        "rounding": draw(st.sampled_from(money.Rounding)),
        "currency": "EUR",
    }
    return AUTPHONE.model_copy(update=update)


PREFIXES = ("4", "49", "4930", "49301234567", "491", "43", "4366", "43664", "33", "39", "3906", "800", "7")
DAYS = ("", "", "2026-01-01", "2026-10-31", "2026-11-01", "2026-11-02", "2026-11-15", "2027-01-01")


@st.composite
def price_lists(draw: st.DrawFn) -> list[tuple[PriceListSpec, str]]:
    """None, one or two lists whose rows lie in each other and begin and end where legs are."""
    lists = []
    for name in ("atoz", "more")[: draw(st.sampled_from((0, 0, 1, 2)))]:
        kinds = draw(st.sampled_from((("fixed", "mobile"), ("fixed",), ("premium", "mobile", "freephone"))))
        rows = [
            f"{prefix},{prefix},0.{draw(st.integers(1, 99)):02},{draw(st.sampled_from(('', '1', '60')))},"
            f"{draw(st.sampled_from(('', '1', '7')))},{draw(st.sampled_from(('', '0.05')))},{first},{until}"
            for prefix in draw(st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=8))
            for first, until in draw(
                st.lists(st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)), min_size=1, max_size=2)
            )
            if not (first and until) or first <= until
        ]
        spec = PriceListSpec.model_validate({"price_list": name, "file": f"{name}.csv", "kinds": kinds})
        lists.append((spec, "\n".join((HEADING, *rows))))
    return lists


@st.composite
def bands_of_a_version(draw: st.DrawFn) -> tuple[BandSpec, ...]:
    """None, one or two bands with edges where legs are."""
    bands = []
    for name in ("night", "promo")[: draw(st.sampled_from((0, 0, 1, 2)))]:
        times = ("00:00", "01:30", "02:30", "03:00", "11:59", "19:15")
        begins, ends = draw(st.lists(st.sampled_from(times), min_size=2, max_size=2, unique=True))
        window = {"from": begins, "until": ends}
        bands.append(BandSpec.model_validate({"band": name, "name": name, "windows": [window]}))
    return tuple(bands)


BUY_OUTS: tuple[list[dict[str, str]], ...] = (
    *([], [], [{"buy_out": "home", "from": "2026-11-02"}], [{"buy_out": "lost", "from": "2026-11-15"}]),
    [{"buy_out": "home", "from": "2026-01-01", "until": "2026-10-31"}],
)


TOP_UPS: tuple[list[dict[str, str]], ...] = (
    *([], [], [{"bundle": "dach", "top_up": "more", "from": "2026-11-15"}]),
    [
        {"bundle": bundle, "top_up": "more", "from": f"2026-{day}"}
        for bundle, day in (
            ("de", "10-31"),
            ("de", "11-01"),
            ("de", "11-02"),
            ("europe", "11-02"),
            ("dach", "11-02"),
        )
    ],
    [{"bundle": "export", "top_up": "lost", "from": "2026-11-02"}],
)


@st.composite
def accounts_of(draw: st.DrawFn, name: str) -> AccountSpec:
    """An account; a bundle may be booked in mid-month, end and be booked in another size."""
    bookings = []
    for bundle in sorted(draw(st.sets(st.sampled_from(("de", "dach", "europe", "export"))))):
        first = draw(st.sampled_from(("2026-01-01", "2026-11-01", "2026-11-02", "2026-11-15")))
        changes = draw(st.sampled_from((None, None, "2026-10-31", "2026-11-30", "2026-11-14")))
        until = changes if changes and changes > first else None
        bookings.append({"bundle": bundle, "size": "S", "from": first, "until": until})
        if until and draw(st.booleans()):
            again = until if draw(st.integers(0, 3)) == 0 else "2026-11-15"
            bookings.append({"bundle": bundle, "size": "M", "from": again})
    zones = ("Europe/Berlin", "UTC", "Asia/Kathmandu", "Pacific/Auckland")
    return AccountSpec.model_validate(
        {
            "version": 1,
            "account": name,
            "name": name,
            "bundles": bookings,
            "buy_outs": draw(st.sampled_from(BUY_OUTS)),
            "top_ups": draw(st.sampled_from(TOP_UPS)),
            "catalogue": draw(st.sampled_from(("autphone", "autphone", "other", "none"))),
            "country": draw(st.sampled_from(("DE", "DE", "AT", "IT"))),
            "time_zone": draw(st.sampled_from(zones)),
        }
    )


@st.composite
def leg_lists(draw: st.DrawFn) -> list[Leg]:
    """Some legs around the ends of months, days and clock times, most of them sound."""
    edges_us = draw(st.lists(st.sampled_from(EDGES_US), min_size=1, max_size=3))
    count = draw(st.integers(0, 25))
    return [drawn_leg(draw, key, edges_us) for key in range(count)]


def drawn_leg(draw: st.DrawFn, key: int, edges_us: Sequence[int]) -> Leg:
    """One leg."""
    answered_us = draw(st.sampled_from(edges_us)) + draw(st.integers(-400, 200)) * SECOND_US
    answered_us += draw(st.sampled_from((0, 0, 1, -1, 500_000)))
    lasts_us = draw(st.integers(0, 400)) * SECOND_US + draw(st.sampled_from((0, 0, 1, -1, 500_000)))
    lasts_us *= draw(st.sampled_from((1, 1, 1, 1, 1, 300)))
    return Leg(
        key=f"pbx-1.{key}",
        linkedid="pbx-1.0",
        trunk="carrier",
        payer=draw(st.sampled_from(PAYERS)),
        why=draw(st.sampled_from(("call", "call", "forward", "transfer", "emergency"))),
        number=draw(st.sampled_from(NUMBERS[:6]) | st.sampled_from(NUMBERS)),
        answered_us=answered_us,
        ended_us=answered_us + lasts_us,
        limit_s=draw(st.sampled_from((0, 0, 0, 45, 120, -1))),
        indeterminate=draw(st.integers(0, 15)) == 0,
    )


def columns(legs: Sequence[Leg], book: Book, balances: dict[PoolKey, int]) -> Rating:
    """Rate column by column."""
    return rate_columns(legs_of(legs), Index(book, TABLE), balances).rating()


BALANCES = {
    (account, f"{bundle}/{kind}/{month}"): used_s
    for account, used_s in (("acme", 0), ("beta", 30), ("gamma", 1_000))
    for bundle in ("de", "dach")
    for kind in ("fixed", "mobile")
    for month in ("2026-10-01", "2026-11-01")
}


@given(books(), leg_lists(), st.sampled_from(({}, BALANCES)))
def test_both_kernels_agree(book: Book, legs: list[Leg], balances: dict[PoolKey, int]) -> None:
    """Every leg, piece, pool and word is the same."""
    assert columns(legs, book, balances) == rate(legs, book, balances)


@given(books(), st.lists(leg_lists(), min_size=2, max_size=3), st.integers(1, 9))
def test_blocks_and_calls_change_nothing(book: Book, parts: list[list[Leg]], block: int) -> None:
    """One index for several calls, and blocks of a few legs, give what the plain kernel gives at once."""
    legs = [replace(leg, key=f"{number}.{leg.key}") for number, part in enumerate(parts) for leg in part]
    index, used, results = Index(book, TABLE), dict[PoolKey, int](), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "BLOCK", block)
        patch.setattr(kernel, "TURNS", block % 3)
        for number in range(len(parts)):
            some = [leg for leg in legs if leg.key.startswith(f"{number}.")]
            results.append(rate_columns(legs_of(some), index, used).rating())
            used.update(results[-1].used)
    whole = rate(legs, book, {})
    assert tuple(one for part in results for one in part.rated) == whole.rated
    assert tuple(one for part in results for one in part.quarantined) == whole.quarantined
    assert used == whole.used


@given(st.lists(ANY_TEXT, min_size=1, max_size=50))
def test_numbers_lead_where_the_table_says(numbers: list[str]) -> None:
    """A column of any text whatever is looked up like each of its numbers alone."""
    found, lengths, sound, _ = TABLE.look_up(numbers)
    for number, destination, length, told in zip(numbers, found, lengths, sound, strict=True):
        digits = number[1:]
        assert told == (number[:1] == "+" and (digits + "0").isdigit() and digits.isascii())
        if told:
            assert length == len(number)
            assert destination == TABLE.destination_number(DESTINATIONS.look_up(number))


def test_every_prefix_leads_where_the_table_says() -> None:
    """Each bound of the table, just before it and just behind, at every length."""
    ends = ("", "0", "9", "00000", "99999999")
    digits = {bound.rstrip(":") + end for bound in DESTINATIONS.bounds for end in ends}
    numbers = ["+" + one for one in sorted(digits)]
    found, _, sound, _ = TABLE.look_up(numbers)
    assert sound.all()
    assert found.tolist() == [TABLE.destination_number(DESTINATIONS.look_up(number)) for number in numbers]


def plain_account(name: str, bundles: Sequence[str], zone: str) -> AccountSpec:
    """An account that has booked some bundles."""
    booked = [{"bundle": bundle, "size": "S", "from": "2026-01-01"} for bundle in bundles]
    return AccountSpec.model_validate(
        {
            "version": 1,
            "account": name,
            "name": name,
            "catalogue": "autphone",
            "country": "DE",
            "time_zone": zone,
            "bundles": booked,
        }
    )


PATTERNS = (
    *("+4930{:07}", "+49170{:07}", "+43664{:07}", "+41446{:06}", "+12125{:06}"),
    *("+35318{:05}", "+3906698{:05}"),
)


def many_legs(count: int, seed: int) -> tuple[Book, list[Leg]]:
    """Legs of 500 accounts over the end of a month, in order of time, with everything that is rare."""
    rng = random.Random(seed)
    zones, bundles = ("Europe/Berlin", "Europe/Vienna", "UTC"), ("de", "dach", "europe", "export")
    accounts = [
        plain_account(f"a{n}", rng.sample(bundles, rng.randrange(5)), rng.choice(zones)) for n in range(500)
    ]
    later = AUTPHONE.model_copy(update={"valid_from": date(2026, 11, 1), "rounding": money.Rounding.UP})
    book = bind(DESTINATIONS, [AUTPHONE, later], accounts, {f"t{n}": f"a{n}" for n in range(500)})
    begin_us = EDGES_US[0] - 1_800 * SECOND_US
    legs = []
    for key in range(count):
        answered_us = begin_us + key * 3_600 * SECOND_US // count + rng.randrange(SECOND_US)
        rare = rng.randrange(100)
        legs.append(
            Leg(
                key=str(key),
                linkedid=str(key),
                trunk="carrier",
                payer=f"t{rng.randrange(501)}/{rng.randrange(60)}" if rare else "",
                why="emergency" if rare == 1 else "call",
                number=rng.choice(NUMBERS)
                if rare < 10
                else rng.choice(PATTERNS).format(rng.randrange(10**6)),
                answered_us=answered_us,
                ended_us=answered_us + rng.randrange(-SECOND_US if rare == 2 else 1, 2_400 * SECOND_US),
                limit_s=rng.choice((0, 14_400, 600)),
                indeterminate=rare == 3,
            )
        )
    return book, legs


def test_thirty_thousand_legs_are_rated_the_same() -> None:
    """Both kernels say the same about every one of 30,000 legs of 500 accounts over the end of a month."""
    book, legs = many_legs(30_000, seed=4)
    plain = rate(legs, book, {})
    assert rate_columns(legs_of(legs), Index(book, TABLE), {}).rating() == plain
    assert len(plain.quarantined) > 300
    assert sum(len(one.pieces) > 1 for one in plain.rated) > 1_500


def test_no_column_holds_a_binary_fraction() -> None:
    """NumPy makes fractions in silence; every column that comes out is of whole numbers."""
    book, legs = many_legs(5_000, seed=5)
    index = Index(book, TABLE)
    for block in rate_columns(legs_of(legs), index, {}).blocks:
        holders = (block, block.pieces, block.legs)
        columns = [getattr(one, name) for one in holders for name in type(one).__slots__]
        kinds = {column.dtype.kind for column in columns if isinstance(column, np.ndarray)}
        assert kinds == {"i", "b"}


@pytest.mark.parametrize("rounding", money.Rounding)
@pytest.mark.parametrize("price_micro", [1, 29, 30, 31, 59, 90, 91, 150])
def test_halves_go_where_the_plain_kernel_sends_them(rounding: money.Rounding, price_micro: int) -> None:
    """Every rest of a division by sixty, at odd and even quotients, in each named direction."""
    rates = tuple(row.model_copy(update={"price_per_minute": price_micro}) for row in AUTPHONE.rates)
    by_second = {"first_increment_s": 1, "next_increment_s": 1, "rates": rates, "rounding": rounding}
    book = bind(
        DESTINATIONS, [AUTPHONE.model_copy(update=by_second)], [plain_account("a0", (), "UTC")], {"t0": "a0"}
    )
    leg = sound_leg("t0/1", EDGES_US[0])
    legs = [replace(leg, key=str(s), ended_us=leg.answered_us + s * SECOND_US) for s in range(241)]
    assert columns(legs, book, {}) == rate(legs, book, {})


def test_allowances_that_change_within_a_month_are_drawn_in_the_order_of_the_legs() -> None:
    """A narrower bundle comes in mid-month, while legs before and after it arrive mixed."""
    bookings = [
        {"bundle": "europe", "size": "S", "from": "2026-01-01"},
        {"bundle": "de", "size": "S", "from": "2026-11-15"},
    ]
    account = AccountSpec.model_validate(
        {**plain_account("a0", (), "UTC").model_dump(), "bundles": bookings}  # by the names of the document
    )
    book, change_us = bind(DESTINATIONS, [AUTPHONE], [account], {"t0": "a0"}), EDGES_US[5]
    legs = [
        replace(sound_leg("t0/1", change_us + (2 * (n % 3 % 2) - 1) * 10_000 * SECOND_US), key=str(n))
        for n in range(300)
    ]
    plain = rate(legs, book, {})
    assert columns(legs, book, {}) == plain
    assert {key[1].partition("/")[0] for key in plain.used} == {"de", "europe"}


def sound_leg(payer: str, answered_us: int) -> Leg:
    """A leg of eight minutes with nothing wrong."""
    return Leg(
        key="1",
        linkedid="1",
        trunk="carrier",
        payer=payer,
        why="call",
        number=NUMBERS[0],
        answered_us=answered_us,
        ended_us=answered_us + 480 * SECOND_US,
    )


def test_lines_are_those_of_the_store() -> None:
    """Straight from columns, what is written is to the letter what it is by way of objects."""
    book, legs = many_legs(5_000, seed=7)
    months = Months(book, {})
    priced, plain = price(legs, Index(book, TABLE), {}, months), rate(legs, book, {})
    assert {one.kind for one in plain.rated} >= {"emergency", "mobile"}
    assert list(priced.lines) == [line_of(one, months.of(one.account, one.ended_us)) for one in plain.rated]
    assert plain.quarantined
    assert (priced.quarantined, priced.used) == (plain.quarantined, plain.used)


def test_what_does_not_fit_a_column_is_rated_all_the_same() -> None:
    """A price beyond what a column holds is charged as the plain kernel says."""
    book, leg = dear(10**15), many_legs(1, seed=1)[1][0]
    leg = replace(leg, payer="t0/1", number=NUMBERS[0], why="call", indeterminate=False)
    legs = [replace(leg, key=str(number)) for number in range(FEW + 1)]
    plain = rate(legs, book, {})
    assert plain.rated[0].amount_micro >= 10**15
    months = Months(book, {})
    assert list(price(legs, Index(book, TABLE), {}, months).lines) == [
        line_of(one, months.of(one.account, one.ended_us)) for one in plain.rated
    ]


def dear(price_micro: int) -> Book:
    """A book with one price."""
    rates = tuple(row.model_copy(update={"price_per_minute": price_micro}) for row in AUTPHONE.rates)
    account = plain_account("a0", (), "UTC")
    return bind(DESTINATIONS, [AUTPHONE.model_copy(update={"rates": rates})], [account], {"t0": "a0"})


@pytest.mark.parametrize(
    ("price_micro", "balances"),
    [(10**15, {}), (-1, {}), (19_000, {("a0", "de/fixed/2026-10-01"): -1})],
    ids=["price", "below nothing", "balance"],
)
def test_what_does_not_fit_is_refused(price_micro: int, balances: dict[PoolKey, int]) -> None:
    """A number beyond what a column holds is an error, never another number."""
    book, legs = dear(price_micro), many_legs(1, seed=1)[1]
    if balances:
        book = bind(DESTINATIONS, [AUTPHONE], [plain_account("a0", ("de",), "UTC")], {"t0": "a0"})
    leg = replace(legs[0], payer="t0/1", number=NUMBERS[0], why="call", indeterminate=False)
    with pytest.raises(ColumnRangeError):
        rate_columns(legs_of([leg]), Index(book, TABLE), balances)


def test_an_index_that_remembers_too_much_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory has a limit, and what it forgot it asks again."""
    book, legs = many_legs(2_000, seed=6)
    monkeypatch.setattr("rating.columns.index.MOST_ANSWERS", 100)
    index, used = Index(book, TABLE), dict[PoolKey, int]()
    results = []
    for start in range(0, len(legs), 500):
        results.append(rate_columns(legs_of(legs[start : start + 500]), index, used))
        used.update(results[-1].used)
    found = [one for result in results for one in result.rating().rated]
    assert tuple(found) == rate(legs, book, {}).rated
    assert len(index.payers) <= 500
