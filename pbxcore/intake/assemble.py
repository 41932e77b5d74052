"""From the events of channels to legs: which trunk channels were answered, when they ended, who pays.

Owns the rules; pure. Refuses to price, and to guess: an answered trunk channel that nobody owns becomes a leg
without payer, which rating puts into quarantine.

Which trunk channels are billed:

* One with a TRUNK_LEG left through our dialplan: billed to the payer it names. The first TRUNK_LEG holds: it
  is the one under which the call was let out.
* One without TRUNK_LEG came in if both hold: at its start its linkedid was its own uniqueid (it belonged to
  no call of ours: Dial gives the caller's linkedid to what it makes), and it asked our dialplan (CALL_END).
  It is not billed. Neither sign alone is enough: a channel that a manager originates straight to a trunk has
  a linkedid of its own too, and an outside party who is transferred asks our dialplan too.
  One that is originated straight to a trunk *and* then sent into our dialplan has both, and no record here
  tells it from a call that came in. So nothing in asterisk-conf can originate (no right of our manager user,
  no module); whoever adds that lets from-trunk mark its channels before their answer.
* Any other that was answered is a leg without payer.

A channel under way when Asterisk was killed has no HANGUP. Sequences in UniqueIDs
(`<system>-<epoch>.<sequence>`) start again at 0 with Asterisk, so a channel that begins later with a sequence
that is not higher shows a new start; everything that was open ends as indeterminate at the last record before
it. What no such channel shows (nobody calls, the system got a new name) ends by its age (`expire`). An
inbound one of these has not come to its CALL_END; its own linkedid alone is then taken for the sign.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from dialplan.quick import quick
from pbxcore.intake.lines import Records
from pbxcore.intake.page import Page
from pbxcore.intake.record import TRUNK, BadLine, Fault, Record, Sign
from rating.leg import Leg

SUFFIX = 9  # "-0000001f" behind the endpoint in a channel's name
# Channels that begin at once may be written in another order than they were numbered. Asterisk needs two
# seconds to start; so much later no lower number comes from the same run.
ORDER_S = 2


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkLeg:
    """What the dialplan said when it let a leg out."""

    payer: str
    why: str
    number: str
    limit_s: int
    version: str
    credit: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLeg:
    """A trunk channel under way.

    Attributes:
        trunk: name of the trunk, from the channel's name.
        alone: at its start it belonged to no call of ours.
        asked: it ran our dialplan to the end (CALL_END).
        facts: what the dialplan said when it let it out; None if it has not (yet).
        answered_us: instant of the answer; None before.
        seen_us: its last record.
    """

    key: str
    linkedid: str
    trunk: str
    alone: bool
    seen_us: int
    asked: bool = False
    facts: TrunkLeg | None = None
    answered_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What a batch of records made of the legs that were open.

    Attributes:
        legs: answered legs that ended, in that order.
        bad: lines that fit no channel.
        open: legs under way now.
        changed: those of them that are new or different.
        closed: keys of those that were open before and are no longer.
        left: channels that asked and have ended (CALL_END): nobody they ring will answer any more.
        last_us: time of the newest record.
    """

    legs: tuple[Leg, ...]
    bad: tuple[BadLine, ...]
    open: Mapping[str, OpenLeg]
    changed: tuple[OpenLeg, ...]
    closed: tuple[str, ...]
    last_us: int
    left: tuple[str, ...] = ()


# By names of this module: to look a member up takes as long as the rest of a turn.
_START, _ANSWER, _HANGUP = Sign.START, Sign.ANSWER, Sign.HANGUP
_TRUNK_LEG, _CALL_END = Sign.TRUNK_LEG, Sign.CALL_END
_BEGINNINGS = frozenset({_START, _TRUNK_LEG, _ANSWER, _HANGUP})

NOTHING_OPEN: Mapping[str, OpenLeg] = MappingProxyType({})


def assemble(records: Iterable[Record], open_legs: Mapping[str, OpenLeg], last_us: int = 0) -> Assembly:
    """Take in records.

    Args:
        records: in the order in which they were written.
        open_legs: legs under way before them.
        last_us: time of the last record before them.
    """
    desk = _Desk(open_legs, last_us)
    desk.take(records)
    return desk.assembly()


def expire(open_legs: Mapping[str, OpenLeg], now_us: int, longest_us: int, last_us: int) -> Assembly:
    """End legs that are older than any call may be.

    Args:
        open_legs: legs under way.
        now_us: the time, when every record that was written has been taken in.
        longest_us: longest duration of a call, ringing included.
        last_us: time of the newest record.
    """
    desk = _Desk(open_legs, last_us)
    for leg in open_legs.values():
        if leg.seen_us + longest_us < now_us:
            desk.end(_on_table(leg), leg.seen_us, killed=True)
    return desk.assembly()


@dataclass(slots=True)
class _Leg:
    """An open leg on the table: what becomes known of it is noted here, and no copy made for each thing."""

    key: str
    linkedid: str
    trunk: str
    alone: bool
    seen_us: int
    asked: bool = False
    facts: TrunkLeg | None = None
    answered_us: int | None = None


class _Desk:
    """What is on the table while a batch is taken in."""

    def __init__(self, open_legs: Mapping[str, OpenLeg], last_us: int) -> None:
        self.before = open_legs
        # What was open before is taken up when something is said of it.
        self.open: dict[str, _Leg | None] = dict.fromkeys(open_legs)
        self.legs: list[Leg] = []
        self.bad: list[BadLine] = []
        self.left: list[str] = []
        self.last_us = last_us

    def assembly(self) -> Assembly:
        """Compare with what was on the table before."""
        before = self.before
        changed = {leg.key: _frozen(leg) for leg in self.open.values() if leg is not None}
        return Assembly(
            legs=tuple(self.legs),
            bad=tuple(self.bad),
            open=MappingProxyType({key: changed.get(key) or before[key] for key in self.open}),
            changed=tuple(leg for key, leg in changed.items() if leg != before.get(key)),
            closed=tuple(key for key in before if key not in self.open),
            last_us=self.last_us,
            left=tuple(self.left),
        )

    def take(self, records: Iterable[Record]) -> None:
        """Take in records, of a page only those that may tell something."""
        for part in records.parts if isinstance(records, Records) else (tuple(records),):
            if isinstance(part, Page):
                self._take_page(part)
            else:
                self._take_records(part)

    def _take_page(self, page: Page) -> None:
        """Take in what tells something; a start that may be a new one is looked at when it comes."""
        telling = page.telling(self.open)
        self.left += page.uniqueids(telling.ended)
        latest_us, first = page.latest_us(self.last_us), 0
        for place in np.flatnonzero(telling.low).tolist():
            self._take(page.signs(telling.lines[first:place]), page.record)
            line = telling.lines[place : place + 1]
            self.last_us, first = int(latest_us[line[0]]), place
            self._notice_new_start(*page.uniqueids(line))
        self._take(page.signs(telling.lines[first:]), page.record)
        self.last_us = int(latest_us[-1])

    def _take_records(self, records: Sequence[Record]) -> None:
        for place, record in enumerate(records):
            says = record.sign
            if says is _START:
                self._notice_new_start(record.uniqueid)
            elif says is _CALL_END:
                self.left.append(record.uniqueid)
            self._take([(says, record.time_us, record.uniqueid, place)], records.__getitem__)
            self.last_us = max(self.last_us, record.time_us)

    def _take(self, signs: Iterable[tuple[Sign, int, str, int]], record: Callable[[int], Record]) -> None:
        """Take in what records say.

        Args:
            signs: what, when, of which channel, and the place of the record.
            record: returns the one at a place; most are not needed.
        """
        on_table = self.open
        for says, time_us, uniqueid, place in signs:
            if uniqueid in on_table:
                self._go_on(on_table[uniqueid] or self._take_up(uniqueid), says, time_us, record, place)
            elif says in _BEGINNINGS:
                self._begin(says, record(place))

    def _take_up(self, key: str) -> _Leg:
        """Put a leg that was open before on the table."""
        leg = self.open[key] = _on_table(self.before[key])
        return leg

    def _begin(self, says: Sign, record: Record) -> None:
        if not record.channel.startswith(TRUNK):
            return
        if says is _ANSWER or says is _HANGUP:
            self.bad.append(BadLine(start=record.start, fault=Fault.STRAY, line=record.line))
            return
        started = says is _START
        leg = self.open[record.uniqueid] = _Leg(
            record.uniqueid,
            record.linkedid,
            record.channel[len(TRUNK) : -SUFFIX],
            started and record.linkedid == record.uniqueid,
            record.time_us,
        )
        if not started:
            self._name(leg, record)

    def _go_on(
        self, leg: _Leg, says: Sign, time_us: int, record: Callable[[int], Record], place: int
    ) -> None:
        if says is _ANSWER:
            if leg.answered_us is None:
                leg.answered_us = leg.seen_us = time_us
        elif says is _HANGUP:
            self.end(leg, time_us)
        elif says is _TRUNK_LEG:
            if leg.facts is None:
                self._name(leg, record(place))
        elif says is _CALL_END:
            leg.asked, leg.seen_us = True, time_us

    def _name(self, leg: _Leg, record: Record) -> None:
        facts = trunk_leg(record.extra)
        if facts is None:
            self.bad.append(BadLine(start=record.start, fault=Fault.FACTS, line=record.line))
        else:
            leg.facts, leg.seen_us = facts, record.time_us

    def end(self, leg: _Leg, ended_us: int, *, killed: bool = False) -> None:
        """Take a channel off the table; if it is billed, it is a leg now."""
        del self.open[leg.key]
        inbound = leg.facts is None and leg.alone and (leg.asked or killed)
        if leg.answered_us is None or inbound:
            return
        facts = leg.facts or _NOBODY
        self.legs.append(
            Leg(
                key=leg.key,
                linkedid=leg.linkedid,
                trunk=leg.trunk,
                payer=facts.payer,
                why=facts.why,
                number=facts.number,
                answered_us=leg.answered_us,
                ended_us=ended_us,
                limit_s=facts.limit_s,
                version=facts.version,
                credit=facts.credit,
                indeterminate=killed,
            )
        )

    def _notice_new_start(self, uniqueid: str) -> None:
        system, created_s, sequence = _identity(uniqueid)
        for key in tuple(self.open):
            other, began_s, number = _identity(key)
            if other == system and sequence <= number and began_s + ORDER_S <= created_s:
                leg = self.open[key] or _on_table(self.before[key])
                self.end(leg, max(self.last_us, leg.seen_us), killed=True)


_NOBODY = TrunkLeg(payer="", why="", number="", limit_s=0, version="")


def _on_table(leg: OpenLeg) -> _Leg:
    return _Leg(
        leg.key,
        leg.linkedid,
        leg.trunk,
        leg.alone,
        leg.seen_us,
        leg.asked,
        leg.facts,
        leg.answered_us,
    )


def _frozen(leg: _Leg) -> OpenLeg:
    return OpenLeg(
        key=leg.key,
        linkedid=leg.linkedid,
        trunk=leg.trunk,
        alone=leg.alone,
        seen_us=leg.seen_us,
        asked=leg.asked,
        facts=leg.facts,
        answered_us=leg.answered_us,
    )


# As our dialplan writes it; looked at so, it takes a fifth of the time.
_USUAL = re.compile(
    r"payer=([^|]*)\|why=([^|]*)\|num=([^|]*)\|limit=([0-9]+)\|version=([^|]*)\|trunk=[^|]*(?:\|credit=([^|]*))?"
)
_OWNED = frozenset({"payer", "why", "num"})


def trunk_leg(extra: str) -> TrunkLeg | None:
    """Read what the dialplan says when it lets a leg out; None if that cannot be read."""
    usual = _USUAL.fullmatch(extra)
    if usual is not None:
        payer, why, number, limit, version, credit = usual.groups("")
        return TrunkLeg(
            payer=payer, why=why, number=number, limit_s=int(limit), version=version, credit=credit
        )
    fields = {name: value for name, _, value in [part.partition("=") for part in extra.split("|")]}
    limit = fields.get("limit", "0")
    if not fields.keys() >= _OWNED or not (limit.isascii() and limit.isdigit()):
        return None
    return TrunkLeg(
        payer=fields["payer"],
        why=fields["why"],
        number=fields["num"],
        limit_s=int(limit),
        version=fields.get("version", ""),
        credit=fields.get("credit", ""),
    )


@lru_cache(maxsize=4096)  # every open channel is asked about for each start that may be a new one
def _identity(uniqueid: str) -> tuple[str, int, int]:
    """Split `<system>-<epoch>.<sequence>`; a UniqueID of another form is a system of its own."""
    system, _, rest = uniqueid.rpartition("-")
    created, _, sequence = rest.partition(".")
    if not (created.isdigit() and sequence.isdigit()):
        return uniqueid, 0, 0
    return system, int(created), int(sequence)
