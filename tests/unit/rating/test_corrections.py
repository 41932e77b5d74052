"""Months of legs, and corrections, in tables."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from rating.book import Book
from rating.catalogue import CatalogueSpec
from rating.closing import Months, Rerating, Standing, corrections, is_over, outcome, rerate
from rating.correction import differs, standing, steps
from rating.leg import Leg
from rating.periods import from_iso
from rating.rate import rate
from rating.rated import RatedLeg

MakeLeg = Callable[..., Leg]
MakeBook = Callable[..., Book]
OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (10, 11, 12))


@pytest.mark.parametrize(
    ("account", "ended", "month"),
    [
        ("acme", "2026-10-31T22:59:59.999999+00:00", OCTOBER),
        ("acme", "2026-10-31T23:00:00+00:00", NOVEMBER),  # midnight in Berlin
        ("", "2026-10-31T23:00:00+00:00", OCTOBER),  # an emergency call that nobody is known to pay for: UTC
        ("closed", "2026-10-31T23:00:00+00:00", DECEMBER),
        ("closed", "2027-01-31T23:00:00+00:00", date(2027, 1, 1)),
        ("acme", "1969-12-31T00:00:00+00:00", date(2000, 1, 1)),
        ("acme", "2121-01-01T00:00:00+00:00", date(2100, 1, 1)),  # in Berlin the last instant is in 2100
    ],
)
def test_a_leg_is_billed_in_the_month_of_its_hangup_or_the_first_open_one(
    make_book: MakeBook, account: str, ended: str, month: date
) -> None:
    """Months are the account's own; whatever a clock said there is one."""
    months = Months(make_book("de/S"), {"closed": DECEMBER})
    assert months.of("acme", from_iso("2026-10-05T10:00:00+00:00")) == OCTOBER
    assert months.of(account, from_iso(ended)) == month


@pytest.mark.parametrize(
    ("now", "over"), [("2026-10-31T22:59:59.999999+00:00", False), ("2026-10-31T23:00:00+00:00", True)]
)
def test_a_month_is_over_at_midnight_in_its_zone(make_book: MakeBook, now: str, *, over: bool) -> None:
    """Not a microsecond before."""
    assert is_over(OCTOBER, make_book().accounts["acme"].zone, from_iso(now)) is over


def stood(leg: RatedLeg, month: date = OCTOBER) -> Standing:
    """A leg that was never corrected."""
    return Standing(leg=leg, month=month)


def test_legs_out_of_order_swap_what_they_drew(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """Of the last free minute the leg that hung up first has it, whichever came first."""
    book, nearly = make_book("dach/S"), {("acme", "dach/mobile/2026-10-01"): 5_940}
    first = make_leg("+436641234567", 60, key="a", at="2026-10-05T10:00:00+02:00")
    second = make_leg("+436641234567", 60, key="b", at="2026-10-05T11:00:00+02:00")
    arrived = rate([second, first], book, nearly)
    found = rerate(map(stood, arrived.rated), book, {**nearly, **arrived.used})
    assert [(one.key, one.amount_micro, one.billable_s) for one in corrections(found)] == [
        ("a", -190_000, 0),
        ("b", 190_000, 0),
    ]
    taken_back, charged = corrections(found)[0].pieces
    assert (taken_back.source, taken_back.seconds, taken_back.amount_micro) == ("overflow", -60, -190_000)
    assert (charged.pool, charged.seconds, charged.before_s, charged.after_s) == (
        *("dach/mobile/2026-10-01", 60),
        *(60, 0),
    )
    assert found.used == {}


def test_a_leg_without_a_price_today_holds_everything_up(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """What the others cost depends on it: nothing is corrected, and the leg is named."""
    arrived = rate([make_leg("+436641234567", key="a"), make_leg("+4930123", key="b")], make_book(), {})
    gone = autphone.model_copy(update={"rates": tuple(row for row in autphone.rates if row.zone != "AT-CH")})
    found = rerate(map(stood, arrived.rated), make_book(catalogues=(gone,)), {})
    assert (corrections(found), [one.key for one in found.unpriced]) == ((), ["a"])


def test_a_leg_is_not_charged_again_in_another_currency(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """Amounts in two currencies have no difference."""
    arrived = rate([make_leg("+436641234567"), make_leg("112", key="e", why="emergency")], make_book(), {})
    swiss = make_book(catalogues=(autphone.model_copy(update={"currency": "CHF"}),))
    found = rerate(map(stood, arrived.rated), swiss, {})
    assert [(one.key, one.detail) for one in found.unpriced] == [
        ("pbx-1.1", "it was charged in EUR, autphone@2026-01-01 is in CHF")
    ]


def test_who_pays_is_not_asked_again(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """A tenant that has moved to another account leaves its legs where they were charged."""
    book = make_book("de/S")
    arrived = rate([make_leg("+436641234567")], book, {})
    moved = replace(book, payers={"acme": "nobody"})
    found = rerate(map(stood, arrived.rated), moved, arrived.used)
    assert (found.changed, found.unpriced) == ((), ())


def test_a_leg_that_was_authorised_for_less_stays_cut(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """The limit is known when it is rated again."""
    book = make_book()
    (leg,) = rate([make_leg("+436641234567", 90, limit_s=70)], book, {}).rated
    assert (leg.billable_s, leg.limit_s) == (70, 70)
    assert not rerate([stood(leg)], book, {}).changed


def test_corrections_of_corrections_add_up(
    make_leg: MakeLeg, make_book: MakeBook, autphone: CatalogueSpec
) -> None:
    """A price that is raised and then lowered leaves the leg as it was, with both steps kept."""
    dear = make_book(
        catalogues=(
            autphone.model_copy(
                update={
                    "rates": tuple(
                        row.model_copy(update={"price_per_minute": row.per_minute_micro * 3})
                        for row in autphone.rates
                    )
                }
            ),
        )
    )
    (leg,) = rate([make_leg("+436641234567")], make_book(), {}).rated
    (up,) = corrections(rerate([stood(leg)], dear, {}))
    risen = standing(leg, [up])
    (down,) = corrections(rerate([stood(risen)], make_book(), {}))
    assert (up.amount_micro, risen.amount_micro, down.amount_micro) == (380_000, 570_000, -380_000)
    assert differs(risen, leg)
    assert standing(leg, [up, down]) == leg


def test_a_correction_is_taxed_as_the_leg_was_told(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """What is taken back was taxed by the class of then; another class alone corrects nothing."""
    rated = rate([make_leg("+33123456789")], make_book(), {}).rated[0]
    told = replace(rated, tax_class="full")
    assert not differs(told, replace(told, tax_class="none"))
    (one,) = steps(told, replace(rated, tax_class="none", amount_micro=0))
    assert one.tax_class == standing(told, [one]).tax_class == "full"


def test_net_is_taken_back_before_gross_is_charged(make_leg: MakeLeg, make_book: MakeBook) -> None:
    """The same amount with VAT is another price; the difference of both could be taxed by nobody."""
    rated = rate([make_leg("+33123456789")], make_book(), {}).rated[0]
    told, today = replace(rated, prices="net"), replace(rated, prices="gross", tariff="gross@2026-01-01")
    rows = corrections(rerating(told, today))
    back, charged = rows
    assert (back.prices, back.tariff, back.amount_micro) == ("net", told.tariff, -told.amount_micro)
    assert (charged.prices, charged.tariff, charged.amount_micro) == (
        *("gross", today.tariff),
        told.amount_micro,
    )
    assert standing(told, rows) == today
    assert not rerating(standing(told, rows), today).changed


@pytest.mark.parametrize(
    ("prices", "amount_micro"), [("", 190_000), ("net", 0)], ids=["not kept", "costs nothing"]
)
def test_no_word_changes_where_none_was_kept_or_nothing_is_charged(
    make_leg: MakeLeg, make_book: MakeBook, prices: str, amount_micro: int
) -> None:
    """Nobody knows how it was taxed, or nothing was."""
    rated = rate([make_leg("+33123456789")], make_book(), {}).rated[0]
    told = replace(rated, prices=prices, amount_micro=amount_micro, connection_micro=0)
    assert not rerating(told, replace(told, prices="gross")).changed
    (one,) = corrections(rerating(told, replace(told, prices="gross", connection_micro=1)))
    assert one.prices == prices


def rerating(before: RatedLeg, after: RatedLeg) -> Rerating:
    """What rating a leg again comes to."""
    return outcome([(stood(before), after)], (), {}, {})
