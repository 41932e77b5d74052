"""Roll-over on generated bookings and legs: second by second, by both kernels, not too early or too late."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rating.account import AccountSpec
from rating.book import Book, bind
from rating.catalogue import CatalogueSpec
from rating.columns import Index, Numbers, kernel, legs_of, rate_columns
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import SECOND_US, from_iso, local_day
from rating.rate import rate
from rating.rated import Source

CONFIG = Path(__file__).parents[2] / "config"
DESTINATIONS = load(CONFIG / "destinations")
AUTPHONE: dict[str, Any] = yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
TABLE = Numbers(DESTINATIONS)
BERLIN = ZoneInfo("Europe/Berlin")
COVERS = {"+493012345678": ("de", "dach"), "+4312345678": ("dach",), "+12125551234": ()}
EDGES_US = tuple(from_iso(f"2026-{day}T23:00:00+00:00") for day in ("10-31", "11-14", "11-30", "12-31"))
Documents = tuple[dict[str, Any], dict[str, Any]]


@st.composite
def documents(draw: st.DrawFn) -> Documents:
    """A catalogue with bundles of a minute or two that stay for some months, and who booked them."""
    months, seconds = st.integers(0, 3), st.integers(0, 3)
    bundles = {
        name: {
            **AUTPHONE["bundles"][name],
            "roll_over_months": draw(months),
            "first_month": draw(st.sampled_from(("full", "pro-rata"))),
            "sizes": {
                size: {"price_per_month": "1.00", "fixed_minutes": draw(seconds), "mobile_minutes": 0}
                for size in ("S", "M")
            },
            "top_ups": {"more": {"price": "1.00", "fixed_minutes": 1}},
        }
        for name in ("de", "dach")
    }
    increments = {"first_increment_s": 1, "next_increment_s": 1, "offer": None}
    booked, top_ups = [], []
    for name in draw(st.sampled_from((("de",), ("dach",), ("de", "dach")))):
        first = draw(st.sampled_from(("2026-01-01", "2026-10-20", "2026-11-01", "2026-11-15")))
        until = draw(st.sampled_from((None, "2026-11-30", "2026-12-31")))
        booked.append({"bundle": name, "size": "S", "from": first, "until": until})
        if until == "2026-11-30" and draw(st.booleans()):
            booked.append({"bundle": name, "size": "M", "from": "2026-12-01"})
        if draw(st.booleans()):
            top_ups.append({"bundle": name, "top_up": "more", "from": "2026-11-15"})
    account = {
        "version": 1, "account": "acme", "name": "Acme", "catalogue": "autphone", "country": "DE",
        "time_zone": "Europe/Berlin", "bundles": booked, "top_ups": top_ups,
    }  # fmt: skip
    return {**AUTPHONE, "bundles": bundles, **increments}, account


@st.composite
def leg_lists(draw: st.DrawFn) -> list[Leg]:
    """Some calls of a minute or so around the ends of months, in any order."""
    return [
        Leg(
            key=str(key),
            linkedid="1",
            trunk="carrier",
            payer="acme/10",
            why="call",
            number=draw(st.sampled_from(tuple(COVERS))),
            answered_us=(
                answered_us := draw(st.sampled_from(EDGES_US)) + draw(st.integers(-90, 90)) * SECOND_US
            ),
            ended_us=answered_us + draw(st.integers(0, 100)) * SECOND_US,
        )
        for key in range(draw(st.integers(1, 12)))
    ]


def book_of(drawn: Documents) -> Book:
    """Bind them."""
    catalogue, account = drawn
    specs = [CatalogueSpec.model_validate(catalogue)], [AccountSpec.model_validate(account)]
    return bind(DESTINATIONS, *specs, {"acme": "acme"})


def pools_of(drawn: Documents, number: str, day: date) -> Iterator[tuple[str, int]]:
    """Say from which pools a second of a day may be drawn, in burn order: read from the documents alone."""
    catalogue, account = drawn
    for name in COVERS[number]:  # the narrowest first
        bundle = catalogue["bundles"][name]
        for back in range(bundle["roll_over_months"], -1, -1):
            years, month = divmod(day.month - 1 - back, 12)
            yield from granted(name, bundle, account, (date(day.year + years, month + 1, 1), day))


def granted(
    name: str, bundle: dict[str, Any], account: dict[str, Any], span: tuple[date, date]
) -> Iterator[tuple[str, int]]:
    """Say what a bundle has granted in the month that begins on the first of these days, up to the other."""
    begins, day = span
    ends = (begins + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    for one in account["bundles"]:
        first, until = date.fromisoformat(one["from"]), date.fromisoformat(one.get("until") or "2099-12-31")
        if one["bundle"] != name or first > min(ends, day) or until < begins:
            continue
        granted_s = bundle["sizes"][one["size"]]["fixed_minutes"] * 60
        if bundle["first_month"] == "pro-rata" and first > begins:
            granted_s = -(-granted_s * ((ends - first).days + 1) // ends.day)
        yield f"{name}/fixed/{begins}", granted_s
        for bought in (
            date.fromisoformat(more["from"]) for more in account["top_ups"] if more["bundle"] == name
        ):
            if max(begins, first) <= bought <= min(ends, day):
                yield f"{name}+more/fixed/{bought}", 60


def second_by_second(drawn: Documents, legs: Sequence[Leg]) -> list[Counter[str]]:
    """Draw every second of every leg from the first pool that has one; the empty name is overflow."""
    used: Counter[str] = Counter()
    results = []
    for leg in legs:
        result: Counter[str] = Counter()
        for instant_us in range(leg.answered_us, leg.ended_us, SECOND_US):
            pools = pools_of(drawn, leg.number, local_day(instant_us, BERLIN))
            pool = next((pool for pool, granted_s in pools if used[pool] < granted_s), "")
            used[pool] += 1
            result[pool] += 1
        results.append(result)
    return results


@given(documents(), leg_lists())
def test_each_second_is_drawn_from_what_expires_first(drawn: Documents, legs: list[Leg]) -> None:
    """From nothing that has lapsed; and none is overflow while a promised month still has a second."""
    rated = rate(legs, book_of(drawn), {}).rated
    found = [Counter[str]() for _ in rated]
    for leg, sums in zip(rated, found, strict=True):
        for piece in leg.pieces:
            sums[piece.pool] += piece.seconds
    assert found == second_by_second(drawn, legs)


@given(documents(), leg_lists(), st.integers(1, 13))
def test_both_kernels_draw_alike_from_months_that_overlap(
    drawn: Documents, legs: list[Leg], block: int
) -> None:
    """Also where one block of legs goes back and forth over the end of a month."""
    book = book_of(drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "BLOCK", block)
        assert rate_columns(legs_of(legs), Index(book, TABLE), {}).rating() == rate(legs, book, {})


@given(documents(), leg_lists())
def test_no_pool_gives_more_than_was_granted(drawn: Documents, legs: list[Leg]) -> None:
    """However many months draw from it; and each draw begins where the one before it ended."""
    book = book_of(drawn)
    rating = rate(legs, book, {})
    left: dict[str, int] = {}
    for piece in (piece for leg in rating.rated for piece in leg.pieces if piece.source is Source.ALLOWANCE):
        granted_s = book.granted_s(("acme", piece.pool))
        assert piece.before_s == left.get(piece.pool, granted_s)
        assert 0 <= piece.after_s < piece.before_s
        left[piece.pool] = piece.after_s
    assert {pool: used_s for (_, pool), used_s in rating.used.items()} == {
        pool: book.granted_s(("acme", pool)) - left_s for pool, left_s in left.items()
    }
