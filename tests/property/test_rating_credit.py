"""Credit and limits: what is authorised is enough, the most there is, never overspent by calls together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from hypothesis import given
from hypothesis import strategies as st

from rating import money
from rating.account import AccountSpec
from rating.book import Book, PoolKey, bind
from rating.catalogue import CatalogueSpec
from rating.credit import Grant, Refusal, Wish, authorise
from rating.destinations.load import load
from rating.leg import Leg
from rating.limits import WHOLE, Count, Limit, Limits, Span, counts
from rating.periods import from_iso
from rating.rate import rate
from rating.rated import RatedLeg

CONFIG = Path(__file__).parents[2] / "config"
DESTINATIONS = load(CONFIG / "destinations")
WRITTEN = yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
NUMBERS = (
    "+493012345678",
    "+4915112345678",
    "+436641234567",
    "+302123456789",
    "+4980012345678",
    "+210123456",
)
EDGE_US = from_iso("2026-10-31T23:00:00+00:00")  # Berlin: a month, and perhaps a tariff and a bundle, begins
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BERLIN = ZoneInfo("Europe/Berlin")
SECOND_US = 1_000_000
LONGEST_S = 40
WINDOW_S = 6


@st.composite
def books(draw: st.DrawFn, *, bundles: bool = True) -> Book:
    """A prepaid account near everything that can change a price within seconds."""
    first, following = draw(st.sampled_from(((60, 60), (1, 1), (30, 6), (10, 7))))
    change = {
        "first_increment_s": first,
        "next_increment_s": following,
        "rounding": draw(st.sampled_from(money.Rounding)).value,
        "time_zone": "Europe/Berlin",
        "bands": [
            {"band": "night", "name": "", "windows": [{"days": DAYS, "from": "23:59", "until": draw(ENDS)}]},
        ],
        "bundles": {
            name: {**bundle, "sizes": {"S": {"price_per_month": "1.00", **draw(MINUTES)}}}
            for name, bundle in WRITTEN["bundles"].items()
        },
    }
    fee, least = draw(st.sampled_from(("0", "0.09"))), draw(st.sampled_from(("0", "0.10", "0.50")))
    rates = [{**row, "connection_fee": fee, "minimum_charge": least} for row in WRITTEN["rates"]]
    factor = draw(st.sampled_from(("0.001", "0.019", "1.990")))
    night = [{**row, "band": "night", "price_per_minute": factor} for row in rates]
    tariff = CatalogueSpec.model_validate({**WRITTEN, **change, "rates": [*rates, *night]})
    later = tariff.model_copy(
        update={
            "valid_from": draw(st.sampled_from((date(2026, 11, 1), date(2027, 1, 1)))),
            "rates": tuple(
                row.model_copy(update={"price_per_minute": row.per_minute_micro * 2 + 7})
                for row in tariff.rates
                if draw(st.integers(0, 19)) or row.band or row.kind != "mobile"
            ),
        }
    )
    booked = draw(st.sets(st.sampled_from(("de", "dach", "europe")))) if bundles else set[str]()
    days = st.sampled_from(("2026-01-01", "2026-11-01"))
    account = AccountSpec.model_validate(
        {
            "version": 1,
            "account": "acme",
            "name": "Acme",
            "payment": "prepaid",
            "catalogue": "autphone",
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "bundles": [{"bundle": one, "size": "S", "from": draw(days)} for one in sorted(booked)],
        }
    )
    return bind(DESTINATIONS, [tariff, later], [account], {"acme": "acme"})


ENDS = st.sampled_from(("00:00", "00:01", "06:00"))
MINUTES = st.sampled_from(
    ({"fixed_minutes": 0, "mobile_minutes": 0}, {"fixed_minutes": 1, "mobile_minutes": 2})
)
USED = st.dictionaries(
    st.tuples(
        st.just("acme"),
        st.sampled_from([
            f"{name}/{kind}/{month}"
            for name in ("de", "dach")
            for kind in ("fixed", "mobile")
            for month in ("2026-10-01", "2026-11-01")
        ]),
    ),
    st.sampled_from((30, 55, 60, 100, 120)),
)  # fmt: skip


@st.composite
def wishes(draw: st.DrawFn, longest_s: int = LONGEST_S, around_s: int = 60) -> Wish:
    """A call that is answered around an instant at which prices change."""
    first_us = EDGE_US + draw(st.integers(-around_s * SECOND_US, around_s * SECOND_US))
    return Wish(
        payer="acme/10",
        number=draw(st.sampled_from(NUMBERS)),
        first_us=first_us,
        last_us=first_us + draw(st.integers(0, WINDOW_S * SECOND_US)),
        seconds=draw(st.integers(1, longest_s)),
    )


BALANCES = st.one_of(st.integers(0, 600_000), st.just(100_000_000))


def price(  # noqa: PLR0917 — all that a price depends on
    book: Book, wish: Wish, answered_us: int, talk_us: int, limit_s: int, used: Mapping[PoolKey, int]
) -> RatedLeg | None:
    """What the kernel says of a call; None if it has no price."""
    leg = Leg(
        key="pbx-1.1",
        linkedid="pbx-1.0",
        trunk="carrier",
        payer=wish.payer,
        why="call",
        number=wish.number,
        answered_us=answered_us,
        ended_us=answered_us + talk_us,
        limit_s=limit_s,
    )
    rating = rate([leg], book, used)
    return rating.rated[0] if rating.rated else None


def worst(book: Book, wish: Wish, limit_s: int, used: Mapping[PoolKey, int]) -> int | None:
    """Brute force: every answer, every duration; None if one of them has no price."""
    grid = [*range(wish.first_us, wish.last_us, SECOND_US // 4), wish.last_us]
    found = [
        price(book, wish, answered_us, talk_s * SECOND_US, limit_s, used)
        for answered_us in grid
        for talk_s in range(1, limit_s + 1)
    ]
    return max(one.amount_micro for one in found if one) if all(found) else None


@given(books(), wishes(), USED, BALANCES)
def test_a_grant_is_the_longest_that_money_and_allowances_pay(
    book: Book, wish: Wish, used: dict[PoolKey, int], balance_micro: int
) -> None:
    """Whenever it is answered and however long it lasts, it is paid; a second more might not be."""
    grant = authorise(wish, book, used, balance_micro)
    limit_s = grant.limit_s if isinstance(grant, Grant) else 0
    if isinstance(grant, Grant):
        assert worst(book, wish, limit_s, used) == grant.money_micro <= balance_micro
    if limit_s < wish.seconds:
        more_micro = worst(book, wish, limit_s + 1, used)
        assert more_micro is None or more_micro > balance_micro
        assert (grant is Refusal.NO_PRICE) == (more_micro is None and not limit_s)


@given(books(), wishes(), USED, BALANCES, st.integers(0, 400_000))
def test_more_money_never_gives_a_shorter_call(
    book: Book, wish: Wish, used: dict[PoolKey, int], balance_micro: int, more_micro: int
) -> None:
    """The duration grows with the balance."""
    less, more = (authorise(wish, book, used, one) for one in (balance_micro, balance_micro + more_micro))
    if isinstance(less, Grant):
        assert isinstance(more, Grant)
        assert more.limit_s >= less.limit_s


@given(books(), wishes(), USED, BALANCES, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_call_costs_and_draws_at_most_what_was_set_aside(  # noqa: PLR0917 — each is drawn
    book: Book, wish: Wish, used: dict[PoolKey, int], balance_micro: int, answer_ppm: int, talk_ppm: int
) -> None:
    """Any microsecond of answer and hangup, and a hangup that comes late: billed within the grant."""
    grant = authorise(wish, book, used, balance_micro)
    if not isinstance(grant, Grant):
        return
    answered_us = wish.first_us + (wish.last_us - wish.first_us) * answer_ppm // 10**6
    talk_us = (grant.limit_s * SECOND_US + 300_000) * talk_ppm // 10**6
    rated = price(book, wish, answered_us, talk_us, grant.limit_s, used)
    assert rated
    assert rated.billable_s <= grant.limit_s
    assert rated.amount_micro <= grant.money_micro
    drawn: dict[str, int] = {}
    for piece in rated.pieces:
        drawn[piece.pool] = drawn.get(piece.pool, 0) + (piece.seconds if piece.pool else 0)
    assert all(seconds <= grant.pools.get(("acme", pool), 0) for pool, seconds in drawn.items() if pool)


@dataclass(slots=True)
class Purse:
    """One balance and what calls under way have set aside: the rule in its shortest form."""

    money_micro: int
    used: dict[PoolKey, int]
    held: dict[int, tuple[Wish, Grant]]

    def others(self, but: int | None = None) -> dict[PoolKey, int]:
        """Seconds used, and set aside by all calls but one."""
        found = dict(self.used)
        for number, (_, grant) in self.held.items():
            for pool, seconds in grant.pools.items() if number != but else ():
                found[pool] = found.get(pool, 0) + seconds
        return found

    def begin(self, number: int, wish: Wish, book: Book) -> None:
        """Authorise a call."""
        free_micro = self.money_micro - sum(grant.money_micro for _, grant in self.held.values())
        grant = authorise(wish, book, self.others(), free_micro)
        if isinstance(grant, Grant):
            self.held[number] = (wish, grant)

    def end(self, number: int, book: Book, answer_ppm: int, talk_ppm: int) -> None:
        """Rate a call with what the others have set aside out of its sight, and pay for it."""
        wish, grant = self.held[number]
        answered_us = wish.first_us + (wish.last_us - wish.first_us) * answer_ppm // 10**6
        talk_us = grant.limit_s * SECOND_US * talk_ppm // 10**6
        sight = self.others(number)
        rated = price(book, wish, answered_us, talk_us, grant.limit_s, sight)
        assert rated
        assert rated.amount_micro <= grant.money_micro
        for piece in rated.pieces:
            if piece.pool:
                self.used["acme", piece.pool] = self.used.get(("acme", piece.pool), 0) + piece.seconds
        self.money_micro -= rated.amount_micro
        del self.held[number]


@given(
    book=books(),
    calls=st.lists(wishes(longest_s=120), min_size=2, max_size=8),
    balance_micro=st.integers(0, 900_000),
    data=st.data(),
)
def test_calls_at_once_never_overspend_one_balance(
    book: Book, calls: list[Wish], balance_micro: int, data: st.DataObject
) -> None:
    """Calls that begin, overlap and end in any order: each pays at most its own share, the sum is there."""
    purse = Purse(balance_micro, {}, {})
    for number, wish in enumerate(calls):
        purse.begin(number, replace(wish), book)
        if data.draw(st.booleans()) and purse.held:
            purse.end(data.draw(st.sampled_from(sorted(purse.held))), book, *data.draw(PARTS))
    for number in data.draw(st.permutations(sorted(purse.held))):
        purse.end(number, book, *data.draw(PARTS))
    assert 0 <= purse.money_micro <= balance_micro
    assert not purse.held


PARTS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))
PAYERS = ("acme/10", "acme/11")


@dataclass(slots=True)
class Counter:
    """What limits count, and what calls under way have set aside of it: the rule in its shortest form."""

    limits: Limits
    spent: dict[Count, int]
    held: dict[int, tuple[Wish, Grant]]

    def others(self, but: int | None = None) -> dict[Count, int]:
        """What was spent, and set aside by all calls but one."""
        found = dict(self.spent)
        for number, (wish, grant) in self.held.items():
            for count in self.counted(wish, wish.first_us, wish.last_us) if number != but else ():
                found[count] = found.get(count, 0) + grant.money_micro
        return found

    def counted(self, wish: Wish, first_us: int, last_us: int) -> Iterator[Count]:
        """What a call adds to."""
        return (count for _, count in counts(self.limits, wish.payer, BERLIN, first_us, last_us))

    def begin(self, number: int, wish: Wish, book: Book) -> None:
        """Authorise a call; allowances are those of the book, and nobody draws from them."""
        grant = authorise(wish, book, {}, None, self.others())
        if isinstance(grant, Grant):
            self.held[number] = (wish, grant)

    def extend(self, number: int, book: Book, answered_us: int) -> None:
        """Let a call go on."""
        before, grant = self.held[number]
        wish = replace(before, first_us=answered_us, last_us=answered_us, seconds=grant.limit_s + LONGEST_S)
        longer = authorise(wish, book, {}, None, self.others(number))
        if isinstance(longer, Grant) and longer.limit_s > grant.limit_s:
            self.held[number] = (wish, longer)

    def end(self, number: int, book: Book, answered_us: int, talk_ppm: int) -> None:
        """Rate a call, and count it in the day and month of its answer."""
        wish, grant = self.held.pop(number)
        rated = price(
            book, wish, answered_us, grant.limit_s * SECOND_US * talk_ppm // 10**6, grant.limit_s, {}
        )
        for count in self.counted(wish, answered_us, answered_us):
            assert rated, "a call that is counted was let out within what has a price"
            self.spent[count] = self.spent.get(count, 0) + rated.amount_micro


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Limits of the account, of one extension or of both."""
    found = {
        who: tuple(
            Limit(who, span, draw(st.sampled_from((0, 20_000, 60_000, 100_000, 400_000))))
            for span in sorted(draw(st.sets(st.sampled_from(Span))))
        )
        for who in sorted(draw(st.sets(st.sampled_from((WHOLE, *PAYERS)), min_size=1)))
    }
    return {who: some for who, some in found.items() if some}


PPM = st.integers(0, 10**6)
CALLS = st.tuples(wishes(around_s=WINDOW_S // 2), st.sampled_from(PAYERS), PPM)
DEEDS = st.tuples(st.sampled_from(("nothing", "extend", "end")), st.integers(0, 7), PPM)


@given(
    book=books(bundles=False),
    limited=limits(),
    calls=st.lists(st.tuples(CALLS, DEEDS), min_size=2, max_size=8),
)
def test_calls_at_once_never_exceed_a_limit(
    book: Book, limited: Limits, calls: list[tuple[tuple[Wish, str, int], tuple[str, int, int]]]
) -> None:
    """Around a midnight, begun, extended and ended in any order: no day and no month exceeds its limit."""
    account = replace(book.accounts["acme"], prepaid=False, limits=limited)
    book = replace(book, accounts={"acme": account})
    counter, answers = Counter(limited, {}, {}), dict[int, int]()
    for number, ((wish, payer, answer_ppm), (deed, which, talk_ppm)) in enumerate(calls):
        counter.begin(number, replace(wish, payer=payer), book)
        answers[number] = wish.first_us + (wish.last_us - wish.first_us) * answer_ppm // 10**6
        held = sorted(counter.held)
        one = held[which % len(held)] if held else -1
        if held and deed == "extend":
            counter.extend(one, book, answers[one])
        elif held and deed == "end":
            counter.end(one, book, answers[one], talk_ppm)
    for number in sorted(counter.held):
        counter.end(number, book, answers[number], calls[number][1][2])
    most = {(limit.who, limit.span): limit.most_micro for some in limited.values() for limit in some}
    assert all(micro <= most[count.who, count.span] for count, micro in counter.spent.items())
    assert not counter.others().keys() - counter.spent.keys(), "nothing is left set aside"
