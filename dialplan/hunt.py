"""In which order the members of a ring group ring.

Owns the order and nothing else: what rings, and for how long, is the group's. Refuses to remember: whose turn
it is, who answered when and the random draw are arguments. A process that remembers
nothing (the standby, or control after its state was lost) lets the draw choose where to begin, so that even
then no member gets all the calls.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from dialplan.facts import NEVER, Served, State
from dialplan.plan import Group, Member, Strategy

IN_WRITTEN_ORDER = frozenset({Strategy.SIMULTANEOUS, Strategy.LINEAR})

Order = Callable[[Group, State, date, int], Sequence[Member]]


def in_turn(group: Group, state: State, today: date, draw: int) -> tuple[Member, ...]:
    """Give all members of a group in the order in which they ring; `today` is the tenant's."""
    return tuple(_ORDERS[group.strategy](group, state, today, draw)) if group.members else ()


def each_once(order: Iterable[Member]) -> Iterator[Member]:
    """Give members with the phones that none before them has: no phone rings twice for one call.

    A phone that is a member's and, through another group, a later member's too rings with the first of them.
    Members that are left without a phone are left out.
    """
    rung: set[str] = set()
    for member in order:
        if rung.isdisjoint(member.endpoints):
            rung.update(member.endpoints)
            if member.endpoints or member.is_outside:
                yield member
        elif left := tuple(phone for phone in member.endpoints if phone not in rung):
            rung.update(left)
            yield replace(member, endpoints=left)


def _as_written(group: Group, _state: State, _today: date, _draw: int) -> Sequence[Member]:
    return group.members


def _round_robin(group: Group, state: State, _today: date, draw: int) -> Sequence[Member]:
    return _from(group.members, state.turns.get(group.owner.payer, draw))


def _random(group: Group, _state: State, _today: date, draw: int) -> Sequence[Member]:
    """Read the draw as a number whose digits say which of those that are left rings next (Lehmer's code)."""
    left, order = list(group.members), []
    while left:
        draw, index = divmod(draw, len(left))
        order.append(left.pop(index))
    return order


def _least_recent(group: Group, state: State, _today: date, draw: int) -> Sequence[Member]:
    return sorted(_by_draw_if_unknown(group, state, draw), key=lambda member: _last(member, state))


def _fewest_calls(group: Group, state: State, today: date, draw: int) -> Sequence[Member]:
    def served(member: Member) -> tuple[int, datetime]:
        return sum(one.calls_on(today) for one in _served(member, state)), _last(member, state)

    return sorted(_by_draw_if_unknown(group, state, draw), key=served)


def _last(member: Member, state: State) -> datetime:
    return max((one.last for one in _served(member, state)), default=NEVER)


def _served(member: Member, state: State) -> list[Served]:
    return [state.served[payer] for payer in member.payers if payer in state.served]


def _by_draw_if_unknown(group: Group, state: State, draw: int) -> Sequence[Member]:
    """Give the members as written, or from anywhere on where nothing is known of any of them."""
    known = any(_served(member, state) for member in group.members)
    return group.members if known else _from(group.members, draw)


def _from(members: Sequence[Member], first: int) -> Sequence[Member]:
    begin = first % len(members)
    return (*members[begin:], *members[:begin])


_ORDERS: Mapping[Strategy, Order] = {
    Strategy.SIMULTANEOUS: _as_written,
    Strategy.LINEAR: _as_written,
    Strategy.ROUND_ROBIN: _round_robin,
    Strategy.RANDOM: _random,
    Strategy.LEAST_RECENT: _least_recent,
    Strategy.FEWEST_CALLS: _fewest_calls,
}
