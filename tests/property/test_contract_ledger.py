"""One credit: in whatever order payments, calls and deeds are learned, contract and balance have one sum."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from rating import money
from rating.contract import ledger
from rating.contract.document import ContractSpec, EventSpec
from rating.contract.facts import LAST_MINUTE, Fact, Ledger
from rating.contract.ledger import Balance
from rating.contract.story import tell
from tests.property.contract_stories import DAY, SHELF

FIRST = date(2026, 1, 20)
SIGN: Mapping[str, Any] = {"sign": {"add": {"extension": 2, "line": 1, "number": 1}}}
MOVE: Mapping[str, Any] = {
    "move": {"catalogue": "autphone", "add": {"extension": 3}, "signed_form": "form.pdf"}
}
MINUTE = 12 * 60


@dataclass
class Books:
    """A contract, what its account's balance has had, and the day on which both are."""

    today: date = FIRST
    spec: ContractSpec = field(
        default_factory=lambda: ContractSpec(version=1, contract="ada", catalogue="openvoip", account="ada")
    )
    paid: Counter[date] = field(default_factory=Counter)
    calls_micro: int = 0
    entered: dict[ledger.Key, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def balance(self) -> Balance:
        """As it is read."""
        return Balance(paid=self.paid, calls_micro=self.calls_micro, entered=self.entered)

    @property
    def sum_micro(self) -> int:
        """What calls may use."""
        entered = (micro for amounts in self.entered.values() for micro in amounts)
        return sum(self.paid.values()) + sum(entered) - self.calls_micro

    def untold(self) -> tuple[Fact, ...]:
        """What the contract does not know yet."""
        return ledger.untold(tell(self.spec, SHELF, self.today), self.balance, MINUTE)

    def learn(self, *events: Mapping[str, Any]) -> None:
        """Store facts of a contract."""
        more = tuple(EventSpec.model_validate(event) for event in events)
        self.spec = self.spec.model_copy(update={"events": (*self.spec.events, *more)})

    def look(self) -> None:
        """Tell and enter what is due, as after each fact and on each day."""
        due = ledger.due(self.spec, SHELF, self.balance, self.today, MINUTE)
        self.learn(*map(_event, due.told))
        for one in due.missed:
            self.entered[one.on, one.what].append(one.amount_micro)

    def happens(self, deed: Mapping[str, Any], ago: int) -> None:
        """Let something happen to the contract today, or be learned late, and see to what follows."""
        day = max(FIRST, self.today - ago * DAY)
        self.learn(*map(_event, ledger.before(self.untold(), [(day, 0)], self.today)))
        self.learn({"on": day, **deed})
        self.look()


def _event(fact: Fact) -> dict[str, Any]:
    assert isinstance(fact.deed, Ledger)
    amounts = (("paid", fact.deed.paid_micro), ("calls", fact.deed.calls_micro))
    said = {key: money.text(micro) for key, micro in amounts}
    return {"on": fact.on, "at": f"{fact.minute // 60:02}:{fact.minute % 60:02}", "ledger": said}


MICRO = st.integers(1, 90_000_000)
DEEDS = st.one_of(
    MICRO.map(lambda micro: {"top_up": money.text(micro)}),
    st.sampled_from([("extension", 1), ("fax", 1), ("blf", 3)]).map(lambda o: {"order": {"add": dict([o])}}),
    st.sampled_from([SIGN, SIGN, MOVE, {"cancel": {}}, {"withdraw": {}}]),
)
STEPS = st.one_of(
    st.tuples(st.just("days"), st.integers(1, 45)),
    st.tuples(st.just("pays"), MICRO),
    st.tuples(st.just("calls"), MICRO),
    st.tuples(DEEDS, st.sampled_from((0, 0, 0, 1, 3, 40))),
)


def play(steps: list[tuple[Any, int]]) -> Books:
    """Let a customer pay and sign, and then let all of it happen."""
    books = Books()
    for what, much in [({"top_up": "40.00"}, 0), (SIGN, 0), *steps]:
        if what == "days":
            books.today += much * DAY
            books.look()
        elif what == "pays":
            books.paid[books.today] += much
        elif what == "calls":
            books.calls_micro += much
        else:
            books.happens(what, much)
    books.look()
    return books


@example([("pays", 5_000_000), ("calls", 30_000_000), ("days", 5), ({"cancel": {}}, 3), ("pays", 1)])
@example([("days", 3), ("calls", 30_000_000), (MOVE, 2), ("days", 2), ("pays", 7_000_000), (SIGN, 0)])
@given(st.lists(STEPS, max_size=14))
def test_what_calls_may_use_is_the_contracts_own_sum(steps: list[tuple[Any, int]]) -> None:
    """What was paid since the credit was left for invoices is beside it; of all else both have the same."""
    books = play(steps)
    past = tell(books.spec, SHELF, books.today, books.untold())
    last = ledger.last_day(past)
    beside = 0
    if last is not None and not past.states[-1].prepaid:
        beside = sum(micro for day, micro in books.paid.items() if day > last)
    assert not ledger.missed(past, books.balance)
    assert past.states[-1].balance_micro + beside == books.sum_micro


@given(st.lists(STEPS, max_size=10))
def test_a_second_look_finds_nothing(steps: list[tuple[Any, int]]) -> None:
    """What was told and entered is not told and entered again, in the last minute of a day either."""
    books = play(steps)
    again = ledger.due(books.spec, SHELF, books.balance, books.today, LAST_MINUTE)
    assert not again.missed
    if ledger.last_day(tell(books.spec, SHELF, books.today)) is not None:
        assert not again.told
