"""Laws of contracts, on generated stories over three years of every catalogue there is.

The oracle goes day by day from what was agreed and knows nothing of states, lots, lines and cuts.
"""

import contextlib
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from pbxcore.cli import contract_page
from rating.contract import facts, report
from rating.contract.billing import Invoice, Movement
from rating.contract.calendar import is_working_day
from rating.contract.charges import month_price, standing
from rating.contract.edition import shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, History, history, timeline
from rating.contract.line import Line
from rating.contract.passing import Happened
from rating.contract.state import ProductPart, Rights, State, choices, period, rights
from rating.contract.wish import Change
from rating.offer import TermSpec
from tests.property.contract_oracle import Charged, due, once, usage
from tests.property.contract_stories import (
    DAY,
    FIRST,
    NAMES,
    SHELF,
    SPECS,
    UNTIL,
    Story,
    first_change,
    losing,
    month_days,
    repriced,
    stories,
    wide,
)


def charged(past: History) -> list[Line]:
    """Lines of products that go on, of whole months."""
    return [
        line
        for one in past.entries
        if isinstance(one, Invoice | Movement)
        for line in one.lines
        if line.kind == "month" and line.first < UNTIL
    ]


def exact(line: Line) -> Fraction:
    """What a line would be without rounding, in micro-units."""
    return Fraction(line.quantity * line.price_micro * line.days, line.of_days)


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
def test_charges_are_the_integral_of_the_price_and_usage_and_no_day_is_charged_twice(
    name: str, data: st.DataObject
) -> None:
    """Each day is charged for the units that are due at their price; with once fees and usage that is all."""
    _is_charged_day_by_day(data.draw(stories(name)))


@given(st.data())
def test_a_later_version_is_charged_from_the_day_on_which_it_begins(data: st.DataObject) -> None:
    """Who orders by it pays its prices for all that he has, who does not pays those that he signed."""
    name = data.draw(st.sampled_from(NAMES))
    orders = st.builds(Fact, on=st.dates(FIRST, date(2028, 11, 30)), deed=wide(SHELF[name][0]))
    ordered = data.draw(st.lists(orders, min_size=1, max_size=6))
    story = data.draw(stories(name))
    facts_of_both = (*story.facts, *ordered)
    _is_charged_day_by_day(replace(story, facts=facts_of_both, offers=data.draw(repriced(name))))


def test_an_option_taken_back_before_the_first_day_never_begins() -> None:
    """What was ordered for the day on which a contract begins can be taken back up to the day before."""
    signed = date(2026, 1, 1)
    deeds: tuple[facts.Deed, ...] = (
        facts.Sign(change=first_change(SHELF["cloudpbx"][0]), begins=signed + DAY, signed_form=True),
        facts.Order(change=Change(choose={"package": ("plus",)})),
        facts.Order(change=Change(choose={"package": ("basic",)})),
    )
    happened = (Fact(on=signed, minute=minute, deed=deed) for minute, deed in enumerate(deeds))
    story = Story(Customer(catalogue="cloudpbx"), tuple(happened))
    assert choices(story.past.states[-1], UNTIL) == {"package": "basic"}
    _is_charged_day_by_day(story)


def _is_charged_day_by_day(story: Story) -> None:
    past, agreed = story.past, due(story)
    seen: dict[tuple[str, date, int], int] = defaultdict(int)
    for line in charged(past):
        for offset in range(line.days):
            seen[line.product, line.first + offset * DAY, line.price_micro] += line.quantity
    expected: dict[tuple[str, date, int], int] = defaultdict(int)
    for (product, day), rows in agreed.items():
        for units, price in rows:
            expected[product, day, price] += units
    assert {key: units for key, units in seen.items() if units} == dict(expected)
    assert asked_for(past) == integral(agreed) + once(story) + usage(past)


def integral(agreed: Charged) -> Fraction:
    """Sum the prices of all days, a month's divided by its days, in micro-units."""
    months: dict[int, int] = defaultdict(int)
    for (_, day), rows in agreed.items():
        months[month_days(day)] += sum(units * price for units, price in rows)
    return sum((Fraction(amount, of_days) for of_days, amount in months.items()), Fraction())


def asked_for(past: History) -> Fraction:
    """Sum whatever was invoiced or taken from a credit, before lines of months are rounded."""
    asked = sum(map(exact, charged(past)), Fraction())
    for entry in past.entries:
        if isinstance(entry, Invoice | Movement):
            asked += sum(line.amount_micro for line in entry.lines if line.kind == "once")
            asked += sum(line.price_micro for line in entry.lines if line.kind == "calls")
        if isinstance(entry, Movement) and entry.what == "calls":
            asked -= entry.amount_micro
    return asked


@given(stories())
def test_a_line_is_rounded_once_and_calls_are_charged_whole(story: Story) -> None:
    """A line is within half a cent of what it is for; all calls are charged but what no credit paid."""
    past = story.past
    lines = [line for one in past.entries if isinstance(one, Invoice | Movement) for line in one.lines]
    for line in lines:
        if line.kind == "month":
            assert abs(line.amount_micro - exact(line)) <= 5_000
        assert line.amount_micro % 10_000 == 0
    paid = sum(one.charged_micro or 0 for one in past.answers)
    moved = -sum(
        one.amount_micro for one in past.entries if isinstance(one, Movement) and one.what == "calls"
    )
    invoiced = sum(line.price_micro for line in lines if line.kind == "calls")
    assert moved + invoiced == paid


@given(stories())
def test_a_credit_is_what_was_paid_in_and_taken(story: Story) -> None:
    """Every movement leaves the sum of all before it; only debits and rated calls lead below zero."""
    balance = 0
    for one in story.past.entries:
        if isinstance(one, Movement):
            before, balance = balance, balance + one.amount_micro
            assert one.balance_micro == balance
            assert balance >= 0 or one.what in {"debit", "rated"} or balance >= before


@given(stories())
def test_what_a_contract_has_adds_up_to_its_price(story: Story) -> None:
    """Product by product, as an order form shows it, is what a month costs."""
    for state in story.past.states:
        has = standing(state, state.today)
        assert sum(one.amount_micro for one in has) == month_price(state, state.today)
        assert all(one.paid <= one.units for one in has)


def _of_one_day(*last: facts.Deed) -> Story:
    """A contract that begins on the last of a month, with something ordered before, and ends on that day."""
    signed, only = date(2026, 6, 1), date(2026, 7, 31)
    needed = facts.Sign(change=first_change(SHELF["openvoip"][0]), begins=only, signed_form=True)
    deeds: tuple[facts.Deed, ...] = (
        facts.TopUp(amount_micro=2_000_000),
        needed,
        facts.Order(change=Change(add={"blf": 3})),
    )
    begun = [Fact(on=signed, minute=minute, deed=deed) for minute, deed in enumerate(deeds)]
    ends = [Fact(on=only, minute=minute, deed=deed) for minute, deed in enumerate((*last, facts.Cancel()))]
    return Story(Customer(catalogue="openvoip", holder="private"), (*begun, *ends))


@example(_of_one_day())
@example(_of_one_day(facts.Calls(amount_micro=500_000, what="calls")))
@given(stories("openvoip"))
def test_nothing_is_left_to_settle_behind_a_refund(story: Story) -> None:
    """What is due back is whole: behind it the credit moves only by what its account sees."""
    moves = [one for one in story.past.entries if isinstance(one, Movement)]
    for place, one in enumerate(moves):
        if one.what == "refund":
            assert one.balance_micro == 0
            assert {later.what for later in moves[place + 1 :]} <= {"top-up", "paid", "rated"}


def _allowed(term: TermSpec, first: date, day: date) -> bool:
    """Whether something that began on a day may end on another at all."""
    if term.minimum_months and day < _over(first, term.minimum_months):
        return False
    if term.ends == "term-end":
        months, further = term.minimum_months or 0, term.prolongation_months or 1
        return any(_over(first, months + number * further) == day for number in range(50))
    return term.ends != "month-end" or (day + DAY).day == 1


def _over(first: date, months: int) -> date:
    """Last day of so many months: the one before the day of the same number, or a shorter month's last."""
    behind = _months_after(first, months)
    return behind - DAY if behind.day == first.day else behind


def _months_after(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = month_days(date(year, month + 1, 1))
    return date(year, month + 1, min(day.day, last))


@given(stories())
def test_a_contract_ends_on_the_first_day_its_terms_allow(story: Story) -> None:
    """Not before notice and term are over, and not later than that; no later month is charged."""
    past = story.past
    for place, answer in enumerate(past.answers):
        if answer.ending is None or isinstance(answer.fact.deed, facts.Withdraw):
            continue
        state, last = _before(past, place), answer.ending.last
        assert state.first is not None
        recorded = answer.fact.on if isinstance(answer.fact.deed, facts.Processed) else None
        received = max(state.notice or answer.fact.on, state.first - DAY)
        assert last == _first_end(state, state.edition.offer.terms, state.first, received, recorded)
    end = past.states[-1].last
    if end is not None and past.states[-1].ended:
        month_after = (end.replace(day=1) + 32 * DAY).replace(day=1)
        seen: dict[tuple[str, date], int] = defaultdict(int)
        for line in charged(past):
            seen[line.product, line.first] += line.quantity if line.first >= month_after else 0
        assert not any(seen.values())


@given(stories())
def test_what_is_given_up_ends_on_the_first_day_its_rule_allows(story: Story) -> None:
    """Units end when the one of them that is bound longest may; each of them has had its minimum."""
    past = story.past
    for place, answer in enumerate(past.answers):
        if answer.outcome != "accepted" or answer.quote is None:
            continue
        state, received = _before(past, place), answer.fact.on
        for part in answer.quote.plan.parts:
            if isinstance(part, ProductPart) and part.quantity < 0:
                spec = state.edition.offer.products[part.product]
                rule, firsts = spec.less or state.edition.offer.less, _newest(state, part)
                assert part.begins - DAY == max(
                    _first_end(state, rule, first, max(received, first)) for first in firsts
                )


def _before(past: History, place: int) -> State:
    """State in which a fact found the contract: behind all that happened before it."""
    known, state = [answer.fact for answer in past.answers], past.states[0]
    customer = Customer(catalogue=state.edition.catalogue, holder=state.holder)
    return history(known[:place], SHELF, customer, known[place].on).states[-1]


def _newest(state: State, part: ProductPart) -> list[date]:
    """First days of the units that go: the newest of those that run, or will, and are not given up."""
    orders = [one for one in state.pending if isinstance(one, ProductPart) and one.product == part.product]
    there = [(lot.first, lot.quantity) for lot in state.lots if lot.product == part.product and not lot.last]
    there += [(one.begins, one.quantity) for one in orders if one.quantity > 0]
    units = [first for first, quantity_ in reversed(there) for _ in range(quantity_)]
    gone = sum(-one.quantity for one in orders if one.quantity < 0)
    return units[gone : gone - part.quantity]


def _first_end(
    state: State, term: TermSpec, first: date, received: date, recorded: date | None = None
) -> date:
    """Go day by day to the first one on which a rule lets something end."""
    day = received
    while not (_allowed(term, first, day) and _noticed(state, term, received, day, recorded)):
        day += DAY
        assert day < date(2040, 1, 1)
    return day


def _noticed(state: State, term: TermSpec, received: date, last: date, recorded: date | None) -> bool:
    """Whether notice is over on a day, counted day by day."""
    notice, week = term.notice, term.week or state.calendar.week
    calendar = replace(state.calendar, week=week)
    if notice is None:
        return last >= received
    if notice.days:
        return (last - received).days >= notice.days
    if notice.months:
        return last >= _months_after(received, notice.months)
    if notice.working_days:
        between = (received + offset * DAY for offset in range(1, (last - received).days + 1))
        return sum(is_working_day(day, calendar) for day in between) >= notice.working_days
    processed, left = received, term.processing_working_days or 0
    while left and processed != recorded:
        processed += DAY
        left -= is_working_day(processed, calendar)
    return last.replace(day=1) > processed  # a whole month that begins behind it, and ends with that day


@given(stories())
def test_rights_change_on_the_days_of_their_timeline_and_on_no_other(story: Story) -> None:
    """What plans are given beforehand says on every day what the contract says then."""
    past = story.past
    states, entries = {state.today: state for state in past.states}, dict(timeline(past))
    state, told = past.states[0], Rights()
    for number in range((UNTIL - state.today).days):
        day = past.states[0].today + number * DAY
        state, told = states.get(day, state), entries.get(day, told)
        assert told == rights(state, day), day


@given(stories(), st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_learned_says_nothing(story: Story, chance: random.Random) -> None:
    """Shuffled facts make the same history, to the last letter."""
    shuffled = list(story.facts)
    chance.shuffle(shuffled)
    other = Story(story.customer, tuple(shuffled)).past
    assert json.dumps(report.of_history(other)) == json.dumps(report.of_history(story.past))


@given(stories())
def test_the_same_story_is_told_the_same_way(story: Story) -> None:
    """With catalogues read anew nothing differs."""
    again = history(story.facts, shelf(SPECS), story.customer, UNTIL)
    assert json.dumps(report.of_history(again)) == json.dumps(report.of_history(story.past))


@given(stories())
def test_every_story_is_told_on_a_page(story: Story) -> None:
    """Whatever happens has words, and what is to pay stands there."""
    values = {"contract": "any", **report.of_history(story.past)}
    console = Console(file=io.StringIO(), width=80)
    console.print(*contract_page.story(values))
    console.print(*contract_page.standing({**values["state"], "contract": "any", "to_do": []}))
    assert isinstance(console.file, io.StringIO)
    page = console.file.getvalue()
    assert [one["gross"] for one in values["invoices"] if f" {one['gross']}" not in page] == []
    assert not {"{", "None", "null"} & set(page.split())


@given(stories(), st.dates(FIRST, UNTIL))
def test_the_past_does_not_depend_on_the_future(story: Story, until: date) -> None:
    """What was charged up to a day is the same whatever happens after it."""
    short = history(story.facts, SHELF, story.customer, until)
    entries = [one for one in story.past.entries if one.on <= until]
    assert [(type(one), one.on) for one in short.entries] == [(type(one), one.on) for one in entries]
    assert report.of_history(short)["invoices"] == [
        one for one in report.of_history(story.past)["invoices"] if one["on"] <= until.isoformat()
    ]


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
def test_a_version_that_sells_less_lets_nothing_run_free(name: str, data: st.DataObject) -> None:
    """Whatever happens, what runs and is chosen is sold by the version in force, and can be told."""
    story, offers = data.draw(stories(name)), data.draw(losing(name))
    orders = st.builds(Fact, on=st.dates(FIRST, date(2027, 12, 31)), deed=wide(SHELF[name][0]))
    happened = (*story.facts, *data.draw(st.lists(orders, max_size=6)))
    past = history(happened, offers, story.customer, UNTIL)
    report.of_history(past)
    for state in past.states:
        found = period(state, state.today)
        if found is None or state.ended:
            continue
        offer = found.edition.offer
        assert {lot.product for lot in state.lots if lot.runs(state.today)} <= offer.products.keys()
        assert all(option in offer.choices[choice].options for choice, option in found.choices.items())


@pytest.mark.parametrize("name", NAMES)
def test_every_catalogue_can_be_signed(name: str) -> None:
    """The stories above are about contracts: with what every one needs, each catalogue is signed."""
    signing = Fact(on=FIRST, minute=1, deed=facts.Sign(change=first_change(SHELF[name][0]), signed_form=True))
    money = Fact(on=FIRST, deed=facts.TopUp(amount_micro=100_000_000))
    past = Story(Customer(catalogue=name), (money, signing)).past
    assert past.answers[-1].outcome == "accepted"


KINDS = {
    *(one for one in facts.DEEDS if one not in {facts.Edit, facts.Ask}),
    *("begun", "held-back", "prolonged", "ended"),
    *(f"move from {name}" for name in NAMES),
    *(f"move to {name}" for name in NAMES),
}
ENOUGH = 600  # stories of each catalogue; a quarter of them hold nearly everything


class EverythingSeenError(Exception):
    """Nothing is missing any more: no further story has to be told."""


def test_stories_hold_everything_that_can_happen() -> None:
    """The laws above hold for it: each deed is accepted, and each thing happens, in some of the stories."""
    left = set(KINDS)

    @settings(
        max_examples=ENOUGH,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    @given(st.tuples(*map(stories, NAMES)))
    def look(some: tuple[Story, ...]) -> None:
        for story in some:
            left.difference_update(_kinds(story))
        if not left:
            raise EverythingSeenError

    with contextlib.suppress(EverythingSeenError):
        look()
    assert not left


def _kinds(story: Story) -> Iterator[object]:
    past = story.past
    yield from (one.what for one in past.entries if isinstance(one, Happened))
    for one in past.answers:
        if one.outcome == "accepted":
            yield type(one.fact.deed)
            if isinstance(one.fact.deed, facts.Move):
                yield from (f"move from {story.customer.catalogue}", f"move to {one.fact.deed.catalogue}")
