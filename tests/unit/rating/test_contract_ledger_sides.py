"""What a contract and its account's balance must learn of each other, case by case."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from rating.catalogue import CatalogueSpec
from rating.contract import facts, ledger
from rating.contract.edition import shelf
from rating.contract.facts import LAST_MINUTE, Deed, Fact, Ledger
from rating.contract.history import Customer, History, history
from rating.contract.ledger import Balance, Missed
from rating.contract.wish import Change

CATALOGUES = Path(__file__).parents[3] / "config/catalogues"
OFFERS = shelf(
    [
        CatalogueSpec.model_validate(yaml.safe_load((CATALOGUES / f"{name}.yaml").read_text("utf-8")))
        for name in ("autphone", "openvoip")
    ]
)
EURO = 1_000_000
FIRST, SECOND, LAST, TODAY = date(2026, 4, 1), date(2026, 4, 2), date(2026, 4, 10), date(2026, 4, 20)
SIGN = facts.Sign(change=Change(add={"extension": 2, "line": 1, "number": 1}))
MOVE = facts.Move(catalogue="autphone", change=Change(add={"extension": 3}), signed_form=True)
PAID = Fact(on=FIRST, deed=facts.TopUp(amount_micro=50 * EURO))
SIGNED = Fact(on=FIRST, minute=1, deed=SIGN)
NOON = 12 * 60


def on(day: date, deed: Deed, minute: int = 0) -> Fact:
    """Let something happen."""
    return Fact(on=day, minute=minute, deed=deed)


def past(*more: Fact, until: date = TODAY, catalogue: str = "openvoip") -> History:
    """Pay 50.00, sign for 13.80 a month, and what else happens."""
    return history((PAID, SIGNED, *more), OFFERS, Customer(catalogue=catalogue), until)


def test_a_contract_that_was_never_on_credit_is_told_nothing() -> None:
    """Its account may be prepaid all the same."""
    sign = facts.Sign(change=Change(add={"extension": 3}), signed_form=True)
    found = history((on(FIRST, sign),), OFFERS, Customer(catalogue="autphone"), TODAY)
    assert found.states[-1].signed == FIRST
    seen = Balance(paid={FIRST: EURO}, calls_micro=EURO)
    assert ledger.untold(found, seen, NOON) == ()
    assert ledger.last_day(found) is None


@pytest.mark.parametrize(
    ("more", "seen", "told"),
    [
        ((), Balance(), ()),
        ((), Balance(held_micro=EURO), ()),
        # what was paid is of its own day, what calls took of today
        (
            (),
            Balance(paid={FIRST: 2, SECOND: 3, TODAY: 1}, calls_micro=4),
            ((FIRST, LAST_MINUTE, 2, 0), (SECOND, LAST_MINUTE, 3, 0), (TODAY, NOON, 1, 4)),
        ),
        # what was told before covers the oldest payments
        (
            (on(LAST, Ledger(paid_micro=3)),),
            Balance(paid={FIRST: 2, SECOND: 3}),
            ((SECOND, LAST_MINUTE, 2, 0),),
        ),
        # what was refused stays refused: what was paid by then is of today
        (
            (on(SECOND, facts.Order(change=Change(add={"extension": 100}))),),
            Balance(paid={FIRST: 99 * EURO, LAST: 3}),
            ((LAST, LAST_MINUTE, 3, 0), (TODAY, NOON, 99 * EURO, 0)),
        ),
        # before there was an offer nothing can be told
        ((), Balance(paid={date(2025, 12, 31): 2}), ((TODAY, NOON, 2, 0),)),
        ((on(SECOND, Ledger(paid_micro=5, calls_micro=1)),), Balance(paid={FIRST: 5}, calls_micro=1), ()),
        # what is told less of is written back
        ((on(SECOND, Ledger(calls_micro=9)),), Balance(calls_micro=4), ((TODAY, NOON, 0, -5),)),
        # behind what is known of the day, as far as a day goes
        ((on(TODAY, facts.TopUp(amount_micro=1), NOON),), Balance(calls_micro=4), ((TODAY, NOON + 1, 0, 4),)),
        (
            (on(TODAY, facts.TopUp(amount_micro=1), LAST_MINUTE),),
            Balance(calls_micro=4),
            ((TODAY, LAST_MINUTE, 0, 4),),
        ),
        # calls and what was paid by then are of the last day of a credit that ended, what is paid since not
        (
            (on(LAST, facts.Cancel()),),
            Balance(paid={SECOND: 1, LAST: 2, TODAY: 4}, calls_micro=8),
            ((LAST, LAST_MINUTE, 3, 8), (TODAY, NOON, 4, 0)),
        ),
        # told on a day behind the end before that was known: it is written to the last day, and back
        (
            (on(LAST, facts.Cancel()), on(date(2026, 4, 15), Ledger(calls_micro=8))),
            Balance(calls_micro=8),
            ((LAST, LAST_MINUTE, 0, 8), (TODAY, NOON, 0, -8)),
        ),
        # left for invoices: what is paid since buys calls alone, and is nothing to the contract
        ((on(LAST, MOVE),), Balance(paid={TODAY: 4}, calls_micro=8), ((LAST, LAST_MINUTE, 0, 8),)),
    ],
)
def test_a_contract_is_told_what_it_does_not_know(
    more: tuple[Fact, ...], seen: Balance, told: tuple[tuple[date, int, int, int], ...]
) -> None:
    """The sums that the balance has seen, less those that were told."""
    expected = tuple(
        on(day, Ledger(paid_micro=paid, calls_micro=calls), minute) for day, minute, paid, calls in told
    )
    assert ledger.untold(past(*more), seen, NOON) == expected


def test_what_calls_have_set_aside_is_told_where_nobody_else_may_have_it() -> None:
    """It counts as spent, for an order and for nothing that is stored."""
    (told,) = ledger.untold(past(), Balance(calls_micro=1, held_micro=2), NOON, held=True)
    assert told.deed == Ledger(calls_micro=3)


@pytest.mark.parametrize(("top_ups", "prepaid"), [((), False), ((EURO * 60,), True)])
def test_what_an_account_has_before_a_move_from_invoices_is_for_calls(
    top_ups: tuple[int, ...], *, prepaid: bool
) -> None:
    """They may take it until then: the event alone pays the first debit, and then the contract has all."""
    signed = facts.Sign(change=Change(add={"extension": 3}), signed_form=True)
    moved = [on(date(2027, 1, 10), facts.Move(catalogue="openvoip", change=SIGN.change, signed_form=True))]
    moved += [on(date(2027, 1, 12), facts.TopUp(amount_micro=micro)) for micro in top_ups]
    until, customer = date(2027, 3, 7), Customer(catalogue="autphone")
    found = history((on(date(2026, 1, 5), signed), *moved), OFFERS, customer, until)
    told = ledger.untold(found, Balance(paid={date(2027, 1, 11): 50 * EURO}), NOON)
    assert found.states[-1].prepaid is prepaid
    assert told == ((on(until, Ledger(paid_micro=50 * EURO), NOON),) if prepaid else ())


@pytest.mark.parametrize(
    ("told", "minutes", "expected"),
    [
        (Ledger(paid_micro=1), [NOON + 1], [(NOON, Ledger(paid_micro=1))]),
        (Ledger(paid_micro=1), [9, 5], [(5, Ledger(paid_micro=1))]),
        (Ledger(calls_micro=1), [5], [(NOON, Ledger(calls_micro=1))]),
        (
            Ledger(paid_micro=1, calls_micro=2),
            [5],
            [(5, Ledger(paid_micro=1)), (NOON, Ledger(calls_micro=2))],
        ),
    ],
)
def test_what_was_paid_comes_before_what_is_judged(
    told: Ledger, minutes: list[int], expected: list[tuple[int, Ledger]]
) -> None:
    """What calls took stays at its own minute: it undoes nothing that is agreed."""
    found = ledger.before([on(TODAY, told, NOON)], [(TODAY, minute) for minute in minutes], TODAY)
    assert [(one.on, one.minute, one.deed) for one in found] == [(TODAY, *one) for one in expected]


@pytest.mark.parametrize(
    ("judged", "days"),
    [
        ([FIRST], [FIRST]),
        ([FIRST, SECOND], [FIRST, SECOND]),
        ([FIRST, TODAY], [FIRST, SECOND, TODAY]),
        ([date(2026, 4, 21)], [FIRST, SECOND, TODAY]),
    ],
)
def test_before_what_is_dated_back_nothing_is_told_that_came_since(
    judged: list[date], days: list[date]
) -> None:
    """As soon as one of the deeds is of today, all is: they are judged together."""
    told = [on(day, Ledger(paid_micro=1), NOON) for day in (FIRST, SECOND, TODAY)]
    found = ledger.before(told, [(day, NOON) for day in judged], TODAY)
    assert [one.on for one in found] == days


MOVED = {(FIRST, "top-up"): [50 * EURO], (FIRST, "order"): [-13_800_000]}


@pytest.mark.parametrize(
    ("more", "entered", "missed"),
    [
        ((), MOVED, ()),
        ((on(SECOND, Ledger(paid_micro=5, calls_micro=1)),), MOVED, ()),  # the balance had it first
        ((), {(FIRST, "top-up"): [50 * EURO]}, ((FIRST, "order", 1, -13_800_000),)),
        ((on(FIRST, facts.TopUp(amount_micro=7)),), MOVED, ((FIRST, "top-up", 2, 7),)),
        ((), MOVED | {(LAST, "order"): [-5, -6]}, ((LAST, "order", 3, 11),)),  # undone by a late fact
    ],
)
def test_what_a_balance_lacks_is_entered_once(
    more: tuple[Fact, ...],
    entered: dict[ledger.Key, list[int]],
    missed: tuple[tuple[date, str, int, int], ...],
) -> None:
    """What the contract moved of a kind on a day, less what was entered of it."""
    expected = tuple(
        Missed(on=day, what=what, number=number, amount_micro=micro) for day, what, number, micro in missed
    )
    assert ledger.missed(past(*more), Balance(entered=entered)) == expected


@pytest.mark.parametrize(
    ("ordered", "called", "lacking"),
    [
        (0, 49 * EURO, None),  # debits and calls made the debt, no order did
        (3, 30 * EURO, None),  # 6.20 are left, three extensions for 30 days are 5.40
        (3, 32 * EURO, "1.20"),  # 4.20 are left
        (3, 36 * EURO, "5.20"),
        (3, 40 * EURO, "5.40"),  # never more than what is ordered
    ],
)
def test_what_is_ordered_makes_no_debt(ordered: int, called: int, lacking: str | None) -> None:
    """Of what the credit lacks in the end an order answers for no more than it takes."""
    calls = on(TODAY, Ledger(calls_micro=called))
    more = [on(FIRST, facts.Order(change=Change(add={"extension": ordered})), 2)] if ordered else []
    found = ledger.overdrawn(past(calls), past(calls, *more))
    assert [one.message for one in found] == ([] if lacking is None else [f"the credit lacks {lacking}"])


@pytest.mark.parametrize(
    ("days", "code"),
    [((date(2026, 4, 21),), "too-early"), ((TODAY, date(2026, 5, 1)), "too-early"), ((TODAY,), ""), ((), "")],
)
def test_a_credit_pays_on_the_day_of_an_order(days: tuple[date, ...], code: str) -> None:
    """By a later day calls may have had the money."""
    assert "".join(one.code for one in ledger.too_early(past(), days)) == code
