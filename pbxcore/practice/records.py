"""Leg records of calls that nobody made, as Asterisk would have written them: for tests and measurements.

Owns a small world of one tenant: calls out that are answered, calls out that are not, calls in. Refuses
chance: the same arguments give the same lines.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass

SYSTEM = "practice"
LINES_PER_CALL = 9  # about; what an ordinary call through Asterisk leaves
_NUMBERS = ("+4930{:07}", "+49170{:07}", "+43664{:07}", "+41446{:06}", "+12125{:06}")
_END = "outcome=answered|by=control|version=acme@1|reason="
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What calls there are.

    Attributes:
        payers: `<tenant>/<extension>`, drawn evenly.
        first_us: when the first call begins.
        every_us: time between the beginnings of two calls.
        longest_s: the longest call.
        seed: another one gives other calls.
    """

    payers: tuple[str, ...] = ("acme/10", "acme/11", "acme/60")
    first_us: int = 1_795_360_000_000_000
    every_us: int = 250_000
    longest_s: int = 600
    seed: int = 1


def records(calls: int, world: World) -> Iterator[str]:
    """Yield the lines of so many calls, each with its newline, in order of time."""
    rng = random.Random(world.seed)  # noqa: S311 — repeatable, not secret
    waiting: list[tuple[int, int, str]] = []
    for number in range(calls):
        began_us = world.first_us + number * world.every_us
        while waiting and waiting[0][0] < began_us:
            yield heapq.heappop(waiting)[2]
        for order, (time_us, line) in enumerate(_call(rng, world, number, began_us)):
            heapq.heappush(waiting, (time_us, number * 100 + order, line))
    while waiting:
        yield heapq.heappop(waiting)[2]


def is_billed(number: int) -> bool:
    """Tell whether the call with this number is a leg: every tenth comes in, every ninth is not answered."""
    return number % 10 != 0 and number % 9 != 0


def key(world: World, number: int) -> str:
    """Return the key of the trunk leg of a call."""
    return f"{SYSTEM}-{_began_s(world, number)}.{2 * number + 1}"


def _began_s(world: World, number: int) -> int:
    return (world.first_us + number * world.every_us) // _SECOND_US


def _call(rng: random.Random, world: World, number: int, began_us: int) -> Iterator[tuple[int, str]]:
    if number % 10 == 0:
        return _inbound(rng, world, number, began_us)
    return _outbound(rng, world, number, began_us)


def _inbound(rng: random.Random, world: World, number: int, began_us: int) -> Iterator[tuple[int, str]]:
    ended_us = began_us + rng.randrange(2 * _SECOND_US, world.longest_s * _SECOND_US)
    trunk = _Channel(key(world, number), key(world, number), f"PJSIP/trunk-carrier-{number:08x}")
    yield began_us, trunk.line("CHAN_START", began_us)
    yield began_us + _SECOND_US, trunk.line("ANSWER", began_us + _SECOND_US)
    yield ended_us, trunk.line("USER_DEFINED", ended_us, "CALL_END", _END)
    yield ended_us, trunk.line("HANGUP", ended_us)
    yield ended_us, trunk.line("LINKEDID_END", ended_us)


def _outbound(rng: random.Random, world: World, number: int, began_us: int) -> Iterator[tuple[int, str]]:
    payer = rng.choice(world.payers)
    called = rng.choice(_NUMBERS).format(rng.randrange(1_000_000))
    answered_us = began_us + rng.randrange(_SECOND_US, 8 * _SECOND_US)
    ended_us = answered_us + rng.randrange(_SECOND_US, world.longest_s * _SECOND_US)
    call = f"{SYSTEM}-{_began_s(world, number)}.{2 * number}"
    phone = _Channel(call, call, f"PJSIP/{payer.replace('/', '-p')}-{number:08x}")
    trunk = _Channel(key(world, number), call, f"PJSIP/trunk-carrier-{number:08x}")
    facts = f"payer={payer}|why=call|num={called}|limit=14400|version=acme@1|trunk=carrier"
    yield began_us, phone.line("CHAN_START", began_us)
    yield began_us + 9, trunk.line("CHAN_START", began_us + 9)
    yield began_us + 20, trunk.line("USER_DEFINED", began_us + 20, "TRUNK_LEG", facts)
    if is_billed(number):
        yield answered_us, trunk.line("ANSWER", answered_us)
        yield answered_us + 4, phone.line("ANSWER", answered_us + 4)
    yield ended_us, trunk.line("HANGUP", ended_us)
    yield ended_us + 1, phone.line("USER_DEFINED", ended_us + 1, "CALL_END", _END)
    yield ended_us + 2, phone.line("HANGUP", ended_us + 2)
    yield ended_us + 3, phone.line("LINKEDID_END", ended_us + 3)


@dataclass(frozen=True, slots=True)
class _Channel:
    uniqueid: str
    linkedid: str
    name: str

    def line(self, event: str, time_us: int, subject: str = "", extra: str = "") -> str:
        time = f"{time_us // _SECOND_US}.{time_us % _SECOND_US:06}"
        fields = ("L1", event, time, self.uniqueid, self.linkedid, self.name, "", subject, extra)
        return "\t".join(fields) + "\n"
