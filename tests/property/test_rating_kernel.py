"""The kernel on generated legs, accounts and tariffs: against its laws, and second by second."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rating import money, wire
from rating.account import AccountSpec
from rating.book import Book, bind
from rating.catalogue import CatalogueSpec
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import from_iso, local_day
from rating.rate import Rating, rate
from rating.rated import RatedLeg, Source

CONFIG = Path(__file__).parents[2] / "config"
DESTINATIONS = load(CONFIG / "destinations")
AUTPHONE = CatalogueSpec.model_validate(
    yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
)
NUMBERS = (
    *("+493012345678", "+4915112345678", "+4312345678", "+436641234567", "+33123456789", "+12125551234"),
    *("+302123456789", "+4980012345678", "+49900112345678", "+88216123456", "116117", "+43800123456"),
    *("+210123456", "", "+883510012345", "112"),
)
EDGE_US = from_iso("2026-10-31T23:00:00+00:00")  # the end of October in Berlin

INCREMENTS = st.sampled_from(((60, 60), (1, 1), (60, 1), (30, 6), (10, 7)))


def small(minutes: int) -> dict[str, Any]:
    """Bundles so small that a few legs empty them."""
    bundles = {}
    for name, bundle in AUTPHONE.bundles.items():
        size = bundle.sizes["S"].model_copy(update={"fixed_minutes": minutes, "mobile_minutes": minutes})
        bundles[name] = bundle.model_copy(update={"sizes": {"S": size}})
    return {"bundles": bundles}


@st.composite
def books(draw: st.DrawFn) -> Book:
    """An account with some bundles, under a tariff that may change at the end of October or after."""
    first, following = draw(INCREMENTS)
    fee, least = draw(st.sampled_from((0, 90_000))), draw(st.sampled_from((0, 100_000, 500_000)))
    tariff = AUTPHONE.model_copy(
        update={
            **small(draw(st.integers(0, 4))),
            "first_increment_s": first,
            "next_increment_s": following,
            "rounding": draw(st.sampled_from(money.Rounding)),
            "rates": tuple(
                row.model_copy(update={"connection_fee": fee, "minimum_charge": least})
                for row in AUTPHONE.rates
            ),
        }
    )
    later = tariff.model_copy(
        update={
            "valid_from": draw(st.sampled_from((date(2026, 11, 1), date(2026, 11, 2), date(2027, 1, 1)))),
            "rates": tuple(
                row.model_copy(update={"price_per_minute": row.per_minute_micro * 2 + 7})
                for row in AUTPHONE.rates
            ),
        }
    )
    booked = draw(st.sets(st.sampled_from(("de", "dach", "europe", "export"))))
    days = st.sampled_from(("2026-01-01", "2026-11-01", "2026-11-02"))
    account = AccountSpec.model_validate(
        {
            "version": 1,
            "account": "acme",
            "name": "Acme",
            "catalogue": "autphone",
            "country": "DE",
            "time_zone": draw(st.sampled_from(("Europe/Berlin", "UTC", "Asia/Kathmandu"))),
            "bundles": [{"bundle": one, "size": "S", "from": draw(days)} for one in sorted(booked)],
        }
    )
    return bind(DESTINATIONS, [tariff, later], [account], {"acme": "acme"})


@st.composite
def leg_lists(draw: st.DrawFn) -> list[Leg]:
    """Some legs around the end of a month and of a day, most of them sound."""
    legs = []
    for key in range(draw(st.integers(1, 12))):
        answered_us = (
            EDGE_US
            + draw(st.integers(-400_000_000, 400_000_000))
            + draw(st.sampled_from((0, 86_400_000_000)))
        )
        lasts_us = draw(st.integers(-1_000_000, 400_000_000)) // draw(st.sampled_from((1, 1000)))
        legs.append(
            Leg(
                key=f"pbx-1.{key}",
                linkedid="pbx-1.0",
                trunk="carrier",
                payer=draw(st.sampled_from(("acme/10", "acme/10", "acme/10", "", "nobody/1"))),
                why=draw(st.sampled_from(("call", "forward", "transfer", "emergency"))),
                number=draw(st.sampled_from(NUMBERS)),
                answered_us=answered_us,
                ended_us=answered_us + lasts_us,
                limit_s=draw(st.sampled_from((0, 0, 0, 45, 120))),
                indeterminate=draw(st.sampled_from((False, False, False, True))),
            )
        )
    return legs


def follow(legs: list[Leg], book: Book, balances: Mapping[tuple[str, str], int]) -> Rating:
    """Rate one leg at a time, feeding forward what was used."""
    used: dict[tuple[str, str], int] = {}
    parts = []
    for leg in legs:
        parts.append(rate([leg], book, {**balances, **used}))
        used.update(parts[-1].used)
    return Rating(
        rated=tuple(one for part in parts for one in part.rated),
        quarantined=tuple(one for part in parts for one in part.quarantined),
        used=used,
    )


@given(books(), leg_lists())
def test_every_leg_comes_out_once(book: Book, legs: list[Leg]) -> None:
    """Nothing is dropped and nothing doubled: each leg is rated or in quarantine."""
    rating = rate(legs, book, {})
    out = [one.key for one in rating.rated] + [one.key for one in rating.quarantined]
    assert Counter(out) == Counter(leg.key for leg in legs)


@given(books(), leg_lists())
def test_parts_sum_to_the_whole(book: Book, legs: list[Leg]) -> None:
    """Pieces add up to the billable seconds, and with the fee to the amount; limits hold."""
    limits = {leg.key: leg.limit_s for leg in legs}
    for rated in rate(legs, book, {}).rated:
        assert sum(piece.seconds for piece in rated.pieces) == rated.billable_s
        assert (
            sum(piece.amount_micro for piece in rated.pieces) + rated.connection_micro == rated.amount_micro
        )
        assert all((piece.seconds > 0) == (piece.source is not Source.MINIMUM) for piece in rated.pieces)
        assert not limits[rated.key] or rated.billable_s <= limits[rated.key]
        starts = [piece.start_us for piece in rated.pieces]
        assert starts == sorted(starts)
        assert all(rated.answered_us <= start < max(rated.ended_us, start + 1) for start in starts)


@given(books(), leg_lists())
def test_pools_add_up(book: Book, legs: list[Leg]) -> None:
    """What pieces drew is what was used; each draw begins where the last ended, none goes below zero."""
    rating = rate(legs, book, {})
    drawn: Counter[tuple[str, str]] = Counter()
    left: dict[tuple[str, str], int] = {}
    for rated in rating.rated:
        for piece in rated.pieces:
            if piece.source is Source.ALLOWANCE:
                key = (rated.account, piece.pool)
                assert left.get(key, piece.before_s) == piece.before_s
                assert piece.after_s == piece.before_s - piece.seconds >= 0
                left[key] = piece.after_s
                drawn[key] += piece.seconds
    assert dict(drawn) == dict(rating.used)


@given(books(), leg_lists(), st.integers(0, 12), st.integers(0, 300))
def test_batches_change_nothing(book: Book, legs: list[Leg], at: int, used_s: int) -> None:
    """One call for all legs, two for parts of them, or one for each: the same legs, pieces and balances."""
    balances = {("acme", "de/fixed/2026-10-01"): used_s, ("acme", "dach/mobile/2026-11-01"): used_s}
    whole = rate(legs, book, balances)
    head = rate(legs[:at], book, balances)
    tail = rate(legs[at:], book, {**balances, **head.used})
    assert whole.rated == (*head.rated, *tail.rated)
    assert whole.quarantined == (*head.quarantined, *tail.quarantined)
    assert dict(whole.used) == {**head.used, **tail.used}
    assert follow(legs, book, balances) == whole


@given(books(), leg_lists())
def test_the_same_input_gives_the_same_output(book: Book, legs: list[Leg]) -> None:
    """What a book remembers between questions changes no answer."""
    warm = rate(legs, book, {})
    cold = Book(
        destinations=book.destinations, tariffs=book.tariffs, accounts=book.accounts, payers=book.payers
    )
    assert rate(list(legs), cold, {}) == warm == rate(legs, book, {})


@given(books(), leg_lists())
def test_no_unknown_destination_is_free(book: Book, legs: list[Leg]) -> None:
    """An amount of 0 is an allowance, freephone at home, an emergency, or no second at all."""
    for rated in rate(legs, book, {}).rated:
        if rated.amount_micro == 0 and rated.kind != "emergency":
            overflow_s = sum(piece.seconds for piece in rated.pieces if piece.source is Source.OVERFLOW)
            assert overflow_s == 0 or (rated.kind, rated.country) == ("freephone", "DE")


@given(books(), leg_lists())
def test_a_rated_leg_survives_the_wire(book: Book, legs: list[Leg]) -> None:
    """Every rated leg and every leg reads back as itself."""
    for rated in rate(legs, book, {}).rated:
        assert wire.rated_from_json(wire.dump(wire.rated_to_json(rated))) == rated
    assert [wire.leg_from_json(wire.dump(wire.leg_to_json(leg))) for leg in legs] == legs


COVERS = {"de": 1, "dach": 2, "europe": 3, "export": 4}  # how far a bundle reaches ...
RINGS = {"DE": 1, "AT": 2, "CH": 2, "FR": 3, "US": 4}  # ... and how far out a country is
POOLS = {"mobile": "mobile", "premium": "", "satellite": ""}  # every other kind counts as fixed


def payer_of_a_second(rated: RatedLeg, book: Book, instant_us: int, used: Counter[str]) -> str:
    """Who pays for a second that begins at an instant: a pool, which is drawn, or a version's price."""
    account = book.accounts["acme"]
    day = local_day(instant_us, account.zone)
    begun = [one for one in book.tariffs["autphone"] if one.valid_from <= day]
    version = max(begun, key=lambda one: one.valid_from)
    free_at_home = rated.kind == "freephone" and rated.country == "DE"
    kind = "" if free_at_home else POOLS.get(rated.kind, "fixed")
    for booking in sorted(account.bookings, key=lambda one: COVERS[one.bundle]):
        pool = f"{booking.bundle}/{kind}/{day.replace(day=1)}"
        granted_s = next(iter(version.bundles[booking.bundle].seconds.values()))
        reaches = COVERS[booking.bundle] >= RINGS.get(rated.country, 9) and booking.first <= day
        if kind and reaches and used[pool] < granted_s:
            used[pool] += 1
            return pool
    return version.name


@given(books(), leg_lists())
def test_a_reference_second_by_second_agrees(book: Book, legs: list[Leg]) -> None:
    """Asking for each second alone who pays for it gives what drawing whole stretches gives."""
    by_key = {leg.key: leg for leg in legs}
    used: Counter[str] = Counter()
    rating = rate(legs, book, {})
    for rated in rating.rated:
        leg = by_key[rated.key]
        talk_s = min(-((leg.answered_us - leg.ended_us) // 1_000_000), rated.billable_s)
        expected = [
            payer_of_a_second(rated, book, leg.answered_us + min(second, talk_s - 1) * 1_000_000, used)
            for second in range(rated.billable_s)  # rounding seconds take no time
        ]
        found = [[piece.pool or piece.rule.partition(" ")[0]] * piece.seconds for piece in rated.pieces]
        assert [payer for piece in found for payer in piece] == expected
    assert {key[1]: seconds for key, seconds in rating.used.items()} == dict(+used)


@pytest.mark.parametrize("direction", money.Rounding)
@given(price_micro=st.integers(0, 10_000_000), seconds=st.integers(0, 100_000))
def test_rounding_is_off_by_less_than_one_unit(
    direction: money.Rounding, price_micro: int, seconds: int
) -> None:
    """A named direction moves an amount by less than a micro-unit, and to the side it names."""
    found = money.for_seconds(price_micro, seconds, direction)
    error_60ths = found * 60 - price_micro * seconds
    assert -60 < error_60ths < 60
    assert direction is not money.Rounding.UP or error_60ths >= 0
    assert direction is not money.Rounding.DOWN or error_60ths <= 0
    assert direction not in {money.Rounding.HALF_UP, money.Rounding.HALF_EVEN} or abs(error_60ths) <= 30
