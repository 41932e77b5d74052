"""Laws of contracts, on generated stories over three years of every catalogue there is.

The oracle goes day by day and knows nothing of lots, lines and cuts.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxcore import documents
from rating.catalogue import CatalogueSpec
from rating.contract import facts, report
from rating.contract.billing import Invoice, Movement
from rating.contract.calendar import is_working_day
from rating.contract.charges import month_price, standing
from rating.contract.edition import Edition, Shelf, shelf
from rating.contract.facts import Fact
from rating.contract.history import Customer, History, history
from rating.contract.line import Line
from rating.contract.passing import Happened
from rating.contract.state import ProductPart, State, choices, quantity
from rating.contract.wish import Change
from rating.offer import ProductSpec, TermSpec

DAY = timedelta(days=1)
FIRST, UNTIL = date(2026, 1, 1), date(2029, 1, 1)
SPECS = tuple(
    one.spec
    for one in documents.read([Path(__file__).parents[2] / "config" / "catalogues"])[0]
    if isinstance(one.spec, CatalogueSpec)
)
SHELF: Shelf = shelf(SPECS)
NAMES = sorted(SHELF)


def changes(edition: Edition) -> st.SearchStrategy[Change]:
    """Give changes: more or less of a product, another option, and now and then several at once."""
    offer = edition.offer
    kept = [name for name, spec in offer.products.items() if spec.maximum is None and not spec.per]
    products, some = st.sampled_from(sorted(offer.products)), st.sampled_from(sorted(kept or offer.products))
    more = st.builds(lambda product, units: Change(add={product: units}), some, st.integers(1, 60))
    less = st.builds(lambda product, units: Change(remove={product: units}), some, st.integers(1, 2))
    any_more = st.builds(lambda product: Change(add={product: 1}), products)
    both = st.builds(lambda one, other: Change(add={one: 2}, remove={other: 1}), some, some)
    options = [(name, option) for name, choice in offer.choices.items() for option in choice.options]
    if not options:
        return weighed(more, more, less, any_more, any_more, both)
    choose = st.sampled_from(options).map(lambda chosen: Change(choose={chosen[0]: (chosen[1],)}))
    return weighed(more, less, any_more, both, choose, choose, choose)


def deeds(edition: Edition) -> st.SearchStrategy[facts.Deed]:
    """Give what happens while a contract runs: orders first of all."""
    resources = {one for product in edition.offer.products.values() for one in product.grants} | {"desks"}
    counts = st.dictionaries(st.sampled_from(sorted(resources)), st.integers(1, 3), min_size=1, max_size=2)
    order = st.builds(lambda change: facts.Order(change=change), changes(edition))
    calls = st.builds(lambda micro: facts.Calls(amount_micro=micro, what="calls"), st.integers(0, 30_000_000))
    use = st.builds(lambda used: facts.Use(counts=used), counts)
    create = st.builds(lambda wanted: facts.Create(counts=wanted, offer="offer"), counts)
    others: list[st.SearchStrategy[facts.Deed]] = [calls, use, create, st.just(facts.Order(quote="offer"))]
    if edition.offer.billing.prepaid is not None:
        others.append(
            st.builds(lambda cents: facts.TopUp(amount_micro=cents * 10_000), st.integers(1, 90_000))
        )
    return weighed(*[order] * 15, *others)


def weighed(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give one of some strategies, each as often as it is named; `one_of` would count it once."""
    return st.sampled_from(range(len(strategies))).flatmap(lambda place: strategies[place])


def first_change(edition: Edition) -> Change:
    """Give what every catalogue can be signed with; where there are tiers, close to the next one."""
    offer = edition.offer
    needed = {
        name: 1 if spec.maximum else spec.tiers[1].least - 2 if spec.tiers else 3
        for name, spec in offer.products.items()
        if spec.per is None and spec.group is None
    }
    chosen = {name: (next(iter(choice.options)),) for name, choice in offer.choices.items()}
    return Change(add=needed, choose=chosen)


def days(first: date, last: date) -> st.SearchStrategy[date]:
    """Give any days, and more often those on which a notice is just in time for a month's end, or late."""
    near = st.builds(
        lambda day, before: min(last, max(first, day.replace(day=_month_days(day)) - before * DAY)),
        st.dates(first, last),
        st.sampled_from((0, 1, 29, 30, 31)),
    )
    return st.one_of(st.dates(first, last), near)


def signings(edition: Edition, signed: date) -> st.SearchStrategy[facts.Sign]:
    """Give signings of a contract that begins at once, or weeks later."""
    begins = st.one_of(st.none(), st.dates(signed, signed + 60 * DAY))
    sign = facts.Sign(change=first_change(edition), signed_form=True)
    return begins.map(lambda first: replace(sign, begins=first))


@dataclass(frozen=True)
class Story:
    """A customer and what happens."""

    customer: Customer
    facts: tuple[Fact, ...]

    @property
    def past(self) -> History:
        """Everything that follows."""
        return history(self.facts, SHELF, self.customer, UNTIL)


@st.composite
def stories(draw: st.DrawFn, name: str = "") -> Story:
    """Give stories of three years, of one catalogue or of any."""
    catalogue = name or draw(st.sampled_from(NAMES))
    edition = SHELF[catalogue][0]
    signed = draw(st.dates(FIRST, date(2026, 12, 31)))
    holder = draw(st.sampled_from(edition.offer.holders))
    begun = [
        Fact(on=signed, deed=facts.TopUp(amount_micro=draw(st.integers(0, 3000)) * 1_000_000)),
        Fact(on=signed, minute=1, deed=draw(signings(edition, signed))),
    ]
    during = days(signed, UNTIL - 40 * DAY)
    minutes = st.integers(2, 1439)
    happened = st.builds(Fact, on=during, minute=minutes, deed=deeds(edition))
    events = draw(st.lists(happened, min_size=3, max_size=16))
    if draw(st.booleans()):
        received = draw(during)
        events.append(Fact(on=received, minute=draw(minutes), deed=facts.Cancel()))
        later = st.builds(Fact, on=st.dates(received, received + 6 * DAY), deed=st.just(facts.Processed()))
        events += draw(st.lists(later, max_size=1))
    elif draw(st.booleans()) and edition.offer.withdrawal is not None:
        events.append(Fact(on=draw(st.dates(signed, signed + 20 * DAY)), minute=1439, deed=facts.Withdraw()))
    return Story(Customer(catalogue=catalogue, holder=holder), (*begun, *events))


def unit_price(edition: Edition, spec: ProductSpec, chosen: Mapping[str, str], units: int) -> int:
    """Price of a unit and month, found the slow way."""
    if any(chosen.get(choice) != option for choice, option in spec.when.items()):
        return 0
    found = edition.buy_outs[spec.buy_out] if spec.buy_out else spec.price_per_month or 0
    for tier in spec.tiers:
        found = tier.price_per_month if units >= tier.least else found
    for row in spec.prices:
        if all(chosen.get(choice) == option for choice, option in row.when.items()):
            found = row.price_per_month
    return found


Charged = dict[tuple[str, date], list[tuple[int, int]]]
"""(product, day) → units and price of a month, for each price that is charged on it."""


def due(past: History) -> Charged:
    """Go day by day and write down what each day costs."""
    found: Charged = defaultdict(list)
    withdrawn = any(
        isinstance(one.fact.deed, facts.Withdraw) and one.outcome == "accepted" for one in past.answers
    )
    states = _by_day(past)
    for day, state in states.items():
        if state.first is None or day < state.first or withdrawn or not _there(state, day):
            continue
        _charge_day(found, state, day)
        if state.last == day and state.edition.offer.billing.last_month == "full-month":
            for later in _rest_of_month(day):
                _charge_day(found, state, later, as_on=day)
    if not withdrawn:
        for part, state in _full_months(past, states):
            _charge_before(found, part, state)
    return found


def _by_day(past: History) -> dict[date, State]:
    """State at the end of each day."""
    found: dict[date, State] = {}
    states = {state.today: state for state in past.states}
    current = past.states[0]
    day = current.today
    while day < UNTIL:
        current = states.get(day, current)
        found[day] = current
        day += DAY
    return found


def _there(state: State, day: date) -> bool:
    return state.last is None or day <= state.last


def _charge_day(found: Charged, state: State, day: date, as_on: date | None = None) -> None:
    for name, paid, price in _prices(state, as_on or day):
        found[name, day].append((paid, price))


def _prices(state: State, on: date) -> list[tuple[str, int, int]]:
    """Units and price of everything that is charged on a day."""
    chosen = choices(state, on)
    found = []
    for name, spec in state.edition.offer.products.items():
        units = 0 if spec.once_only else quantity(state, name, on)
        price = unit_price(state.edition, spec, chosen, units) if units > spec.included else 0
        if price:
            found.append((name, units - spec.included, price))
    return found


def _rest_of_month(day: date) -> Iterator[date]:
    later = day + DAY
    while later.month == day.month:
        yield later
        later += DAY


def _full_months(past: History, states: Mapping[date, State]) -> Iterator[tuple[ProductPart, State]]:
    """Give what was added and is charged for its whole first month, with the state of its day."""
    ordered = [
        part
        for one in past.answers
        if one.outcome == "accepted" and one.quote is not None
        for part in one.quote.plan.parts
    ]
    begun = [one.part for one in past.entries if isinstance(one, Happened) and one.what == "begun"]
    for part in ordered:
        if isinstance(part, ProductPart) and part.quantity > 0 and part.charged_from < part.begins:
            at_once = any(answer.fact.on == part.begins for answer in past.answers)
            if (at_once or part in begun) and part.begins in states:
                yield part, states[part.begins]


def _charge_before(found: Charged, part: ProductPart, state: State) -> None:
    spec = state.edition.offer.products[part.product]
    units = quantity(state, part.product, part.begins)
    price = unit_price(state.edition, spec, choices(state, part.begins), units)
    day = part.charged_from
    while day < part.begins and price:
        found[part.product, day].append((part.quantity, price))
        day += DAY


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
def test_charges_are_the_integral_of_the_price_and_no_day_is_charged_twice(
    name: str, data: st.DataObject
) -> None:
    """Each day of each product is charged for the units that are due at their price; lines add up to it."""
    past = data.draw(stories(name)).past
    seen: dict[tuple[str, date, int], int] = defaultdict(int)
    for line in charged(past):
        for offset in range(line.days):
            seen[line.product, line.first + offset * DAY, line.price_micro] += line.quantity
    expected: dict[tuple[str, date, int], int] = defaultdict(int)
    integral: dict[int, int] = defaultdict(int)
    for (product, day), rows in due(past).items():
        for units, price in rows:
            expected[product, day, price] += units
            integral[_month_days(day)] += units * price
    assert {key: units for key, units in seen.items() if units} == dict(expected)
    in_all = sum((Fraction(amount, of_days) for of_days, amount in integral.items()), Fraction())
    assert sum(map(exact, charged(past)), Fraction()) == in_all


def _month_days(day: date) -> int:
    return ((day.replace(day=1) + 32 * DAY).replace(day=1) - day.replace(day=1)).days


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
    """Every movement leaves the sum of all before it; only debits lead below zero."""
    balance = 0
    for one in story.past.entries:
        if isinstance(one, Movement):
            before, balance = balance, balance + one.amount_micro
            assert one.balance_micro == balance
            assert balance >= 0 or one.what == "debit" or balance >= before


@given(stories())
def test_what_a_contract_has_adds_up_to_its_price(story: Story) -> None:
    """Product by product, as an order form shows it, is what a month costs."""
    for state in story.past.states:
        has = standing(state, state.today)
        assert sum(one.amount_micro for one in has) == month_price(state, state.today)
        assert all(one.paid <= one.units for one in has)


@given(stories("openvoip"))
def test_nothing_is_left_to_settle_behind_a_refund(story: Story) -> None:
    """What is due back is whole: behind it the credit moves only if somebody pays in again."""
    moves = [one for one in story.past.entries if isinstance(one, Movement)]
    for place, one in enumerate(moves):
        if one.what == "refund":
            assert one.balance_micro == 0
            assert {later.what for later in moves[place + 1 :]} <= {"top-up"}


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
    last = _month_days(date(year, month + 1, 1))
    return date(year, month + 1, min(day.day, last))


@given(stories())
def test_a_contract_ends_on_the_first_day_its_terms_allow(story: Story) -> None:
    """Not before notice and term are over, and not later than that; no later month is charged."""
    past = story.past
    for answer in past.answers:
        if answer.ending is None or not isinstance(answer.fact.deed, facts.Cancel | facts.Processed):
            continue
        state, last = past.states[-1], answer.ending.last
        assert state.first is not None
        assert state.notice is not None
        recorded = answer.fact.on if isinstance(answer.fact.deed, facts.Processed) else None
        received = max(state.notice, state.first - DAY)
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
def test_every_catalogue_can_be_signed(name: str) -> None:
    """The stories above are about contracts: with what every one needs, each catalogue is signed."""
    signing = Fact(on=FIRST, minute=1, deed=facts.Sign(change=first_change(SHELF[name][0]), signed_form=True))
    money = Fact(on=FIRST, deed=facts.TopUp(amount_micro=100_000_000))
    past = Story(Customer(catalogue=name), (money, signing)).past
    assert past.answers[-1].outcome == "accepted"
