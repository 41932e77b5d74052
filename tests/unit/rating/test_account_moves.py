"""Accounts that moved to another catalogue: each call keeps the prices of its day."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import yaml

from rating import account
from rating.account import AccountSpec
from rating.book import Book
from rating.catalogue import BuyOutSpec, CatalogueSpec
from rating.closing import Standing, rerate
from rating.columns import Index, legs_of, rate_columns
from rating.leg import Leg
from rating.rate import rate
from rating.stays import Stay, rewritten
from tests.unit.rating.conftest import CONFIG

MakeBook = Callable[..., Book]
MakeLeg = Callable[..., Leg]
BUY_OUT = {"name": "FLAT", "price_per_month": "5.00"}
MOVE = {"catalogue": "other", "from": "2026-10-15"}


@pytest.fixture
def other(autphone: CatalogueSpec) -> CatalogueSpec:
    """A catalogue that asks a euro a minute, sells one bundle of its own and one buy-out."""
    written = yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
    written = {key: value for key, value in written.items() if key != "offer"}
    for row in written["rates"]:
        if row.get("price_per_minute", "0") != "0":
            row["price_per_minute"] = "1"
    written["bundles"] = {"world": written["bundles"]["dach"]}
    written["buy_outs"] = {"all": BUY_OUT}
    assert autphone.catalogue == written["catalogue"]
    return CatalogueSpec.model_validate({**written, "catalogue": "other"})


def spec(**more: Any) -> AccountSpec:  # noqa: ANN401 — any field of an account
    """An account under autphone."""
    head = {"version": 1, "account": "a", "name": "a", "catalogue": "autphone", "country": "DE"}
    return AccountSpec.model_validate({**head, "time_zone": "Europe/Berlin", **more})


@pytest.mark.parametrize(
    ("moves", "code", "path"),
    [
        ([{"catalogue": "none", "from": "2026-10-15"}], "unknown-catalogue", ("moves", 0, "catalogue")),
        ([{"catalogue": "autphone", "from": "2026-10-15"}], "moves-nowhere", ("moves", 0, "catalogue")),
        ([{"catalogue": "other", "from": "2025-12-31"}], "moves-too-early", ("moves", 0, "from")),
        ([MOVE, {"catalogue": "autphone", "from": "2026-10-15"}], "moves-backwards", ("moves", 1, "from")),
        ([MOVE, {"catalogue": "autphone", "from": "2026-10-14"}], "moves-backwards", ("moves", 1, "from")),
    ],
)
def test_a_move_is_to_another_catalogue_in_force_and_after_the_one_before(
    autphone: CatalogueSpec, other: CatalogueSpec, moves: list[Any], code: str, path: tuple[str | int, ...]
) -> None:
    """Each mistake is told at its move, with its remedy."""
    (told,) = account.check(spec(moves=moves), [autphone, other])
    assert (told.code, told.path) == (code, path)
    assert told.remedy


def test_a_move_keeps_the_currency(autphone: CatalogueSpec, other: CatalogueSpec) -> None:
    """A call over the midnight of such a move would cost euros and yen in one sum."""
    yen = other.model_copy(update={"currency": "JPY"})
    (told,) = account.check(spec(moves=[MOVE]), [autphone, yen])
    assert (told.code, told.path) == ("moves-currency", ("moves", 0, "catalogue"))


@pytest.mark.parametrize(
    ("booked", "codes"),
    [
        ({"bundle": "dach", "size": "S", "from": "2026-09-01"}, ["unknown-bundle"]),
        ({"bundle": "dach", "size": "S", "from": "2026-09-01", "until": "2026-11-30"}, ["unknown-bundle"]),
        ({"bundle": "dach", "size": "S", "from": "2026-10-15", "until": "2026-10-31"}, ["unknown-bundle"]),
        ({"bundle": "world", "size": "S", "from": "2026-10-14"}, ["unknown-bundle"]),
        ({"bundle": "dach", "size": "S", "from": "2026-09-01", "until": "2026-10-31"}, []),
        ({"bundle": "world", "size": "S", "from": "2026-10-15"}, []),
    ],
)
def test_what_is_booked_is_the_catalogues_of_its_days(
    autphone: CatalogueSpec, other: CatalogueSpec, booked: dict[str, str], codes: list[str]
) -> None:
    """The month of the move it may finish; from the next one on the new catalogue has it."""
    found = account.check(spec(moves=[MOVE], bundles=[booked]), [autphone, other])
    assert [one.code for one in found] == codes


def test_calls_before_a_move_keep_their_prices(
    make_book: MakeBook, make_leg: MakeLeg, autphone: CatalogueSpec, other: CatalogueSpec
) -> None:
    """Rated again after the move, a call of the day before costs what it did; one over midnight is cut."""
    catalogues = (autphone, other)
    before = make_leg("+436641234567", 60, at="2026-10-14T10:00:00+02:00", key="a")
    over = make_leg("+436641234567", 120, at="2026-10-14T23:59:00+02:00", key="b")
    after = make_leg("+436641234567", 60, at="2026-10-15T00:00:00+02:00", key="c")
    moved = make_book(catalogues=catalogues, moves=[MOVE])
    first = rate([before], make_book(catalogues=catalogues), {}).rated[0]
    again = rerate([Standing(leg=first, month=date(2026, 10, 1))], moved, {})
    assert (again.changed, again.unpriced) == ((), ())
    rating = rate([before, over, after], moved, {})
    assert [one.amount_micro for one in rating.rated] == [190_000, 1_190_000, 1_000_000]
    assert [one.tariff.partition("@")[0] for one in rating.rated] == ["autphone", "autphone", "other"]
    legs = [before, over, after]
    assert rate_columns(legs_of(legs), Index(moved), {}).rating() == rating


def test_minutes_of_the_month_of_a_move_stay_to_its_end(
    make_book: MakeBook, make_leg: MakeLeg, autphone: CatalogueSpec, other: CatalogueSpec
) -> None:
    """They were paid for; what the new catalogue's bundle grants is beside them from its day on."""
    bundles = (("dach/S", "2026-09-01", "2026-10-31"), ("world/S", "2026-10-15"))
    book = make_book(*bundles, catalogues=(autphone, other), moves=[MOVE])
    left = {("acme", "dach/mobile/2026-10-01"): 5_940}
    days = ("2026-10-15T10:00:00+02:00", "2026-10-16T10:00:00+02:00", "2026-11-01T10:00:00+01:00")
    legs = [make_leg("+436641234567", 60, at=at, key=at) for at in days]
    drawn = [one.pieces[0].pool for one in rate(legs, book, left).rated]
    assert drawn == ["dach/mobile/2026-10-01", "world/mobile/2026-10-01", "world/mobile/2026-11-01"]
    assert book.granted_s(("acme", "dach/mobile/2026-10-01")) == 6_000


def test_a_buy_out_ends_with_its_catalogue(
    make_book: MakeBook, make_leg: MakeLeg, autphone: CatalogueSpec, other: CatalogueSpec
) -> None:
    """From the day of the move on calls cost what the new catalogue asks, or what is bought out of that."""
    flat = {"flat": BuyOutSpec.model_validate(BUY_OUT)}
    autphone = autphone.model_copy(update={"buy_outs": flat})
    old = {"buy_out": "flat", "from": "2026-09-01", "until": "2026-10-31"}
    new = {"buy_out": "all", "from": "2026-10-20"}
    assert account.check(spec(moves=[MOVE], buy_outs=[old, new]), [autphone, other]) == ()
    book = make_book(catalogues=(autphone, other), moves=[MOVE], buy_outs=[old, new])
    legs = [
        make_leg("+4930123456", 60, at=f"2026-10-{day}T10:00:00+02:00", key=day) for day in ("14", "15", "20")
    ]
    assert [one.amount_micro for one in rate(legs, book, {}).rated] == [0, 1_000_000, 0]


A, B, C = Stay(date.min, "a"), Stay(date(2026, 2, 1), "b"), Stay(date(2026, 3, 1), "c")


@pytest.mark.parametrize(
    ("before", "after", "since"),
    [
        ([A], [Stay(date.min, "b")], date.min),
        ([A, B], [A], B.first),
        ([A, B], [Stay(date.min, "b")], date.min),
        ([A, B], [A, Stay(B.first, "c")], B.first),
        ([A, B], [A, Stay(date(2026, 2, 10), "b")], B.first),
        ([A], [A, B], None),
        ([A, C], [A, B, C], None),
        ([A, B], [A, B, C], None),
        ([A, B], [A, B], None),
    ],
)
def test_a_document_is_rewritten_where_no_new_move_tells_so(
    before: list[Stay], after: list[Stay], since: date | None
) -> None:
    """A move that is added says so with its day; one taken back or another first catalogue does not."""
    assert rewritten(before, after) == since
