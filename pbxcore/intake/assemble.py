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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from pbxcore.intake.record import BadLine, Fault, Record
from rating.leg import Leg
from rating.quick import quick

TRUNK = "PJSIP/trunk-"
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
    return desk.assembly(open_legs)


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
            desk.end(leg, leg.seen_us, killed=True)
    return desk.assembly(open_legs)


class _Desk:
    """What is on the table while a batch is taken in."""

    def __init__(self, open_legs: Mapping[str, OpenLeg], last_us: int) -> None:
        self.open = dict(open_legs)
        self.legs: list[Leg] = []
        self.bad: list[BadLine] = []
        self.left: list[str] = []
        self.last_us = last_us
        # Highest sequence among the open legs of each system: most channels begin above it.
        self.highest: dict[str, int] = {}
        for key in open_legs:
            self._remember(key)

    def assembly(self, before: Mapping[str, OpenLeg]) -> Assembly:
        """Compare with what was on the table before."""
        return Assembly(
            legs=tuple(self.legs),
            bad=tuple(self.bad),
            open=MappingProxyType(self.open),
            changed=tuple(leg for key, leg in self.open.items() if before.get(key) is not leg),
            closed=tuple(key for key in before if key not in self.open),
            last_us=self.last_us,
            left=tuple(self.left),
        )

    def take(self, records: Iterable[Record]) -> None:
        """Take in records. Most are of phones and need no more than this loop: so it unpacks them once."""
        for record in records:
            _, event, time_us, uniqueid, _, channel, subject, _, _ = record
            if event == "CHAN_START":
                self._notice_new_start(uniqueid)
            elif subject == "CALL_END" and event == "USER_DEFINED":
                self.left.append(uniqueid)
            leg = self.open.get(uniqueid)
            if leg is not None:
                self._go_on(leg, record)
            elif channel.startswith(TRUNK):
                self._begin(record)
            if time_us > self.last_us:  # noqa: PLR1730 — ten times a leg, and `max` takes three times as long
                self.last_us = time_us

    def _begin(self, record: Record) -> None:
        started = record.event == "CHAN_START"
        if record.event in {"ANSWER", "HANGUP"}:
            self.bad.append(BadLine(start=record.start, fault=Fault.STRAY, line=record.line))
        if not started and record.subject != "TRUNK_LEG":
            return
        leg = OpenLeg(
            key=record.uniqueid,
            linkedid=record.linkedid,
            trunk=record.channel[len(TRUNK) : -SUFFIX],
            alone=started and record.linkedid == record.uniqueid,
            seen_us=record.time_us,
        )
        self.open[leg.key] = leg
        self._remember(leg.key)
        if not started:
            self._go_on(leg, record)

    def _go_on(self, leg: OpenLeg, record: Record) -> None:
        match record.event:
            case "ANSWER" if leg.answered_us is None:
                self.open[leg.key] = _with(leg, record, answered_us=record.time_us)
            case "HANGUP":
                self.end(leg, record.time_us)
            case "USER_DEFINED" if record.subject == "TRUNK_LEG" and leg.facts is None:
                self._name(leg, record)
            case "USER_DEFINED" if record.subject == "CALL_END":
                self.open[leg.key] = _with(leg, record, asked=True)

    def _name(self, leg: OpenLeg, record: Record) -> None:
        facts = trunk_leg(record.extra)
        if facts is None:
            self.bad.append(BadLine(start=record.start, fault=Fault.FACTS, line=record.line))
        else:
            self.open[leg.key] = _with(leg, record, facts=facts)

    def end(self, leg: OpenLeg, ended_us: int, *, killed: bool = False) -> None:
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

    def _remember(self, key: str) -> None:
        system, _, sequence = _identity(key)
        self.highest[system] = max(sequence, self.highest.get(system, -1))

    def _notice_new_start(self, uniqueid: str) -> None:
        system, created_s, sequence = _identity(uniqueid)
        if sequence > self.highest.get(system, -1):
            return
        for leg in tuple(self.open.values()):
            other, began_s, number = _identity(leg.key)
            if other == system and sequence <= number and began_s + ORDER_S <= created_s:
                self.end(leg, max(self.last_us, leg.seen_us), killed=True)


_NOBODY = TrunkLeg(payer="", why="", number="", limit_s=0, version="")


def _with(
    leg: OpenLeg,
    record: Record,
    *,
    asked: bool | None = None,
    facts: TrunkLeg | None = None,
    answered_us: int | None = None,
) -> OpenLeg:
    """Return a leg of which one more thing is known; `dataclasses.replace` takes twice as long."""
    return OpenLeg(
        key=leg.key,
        linkedid=leg.linkedid,
        trunk=leg.trunk,
        alone=leg.alone,
        seen_us=record.time_us,
        asked=leg.asked if asked is None else asked,
        facts=leg.facts if facts is None else facts,
        answered_us=leg.answered_us if answered_us is None else answered_us,
    )


_OWNED = frozenset({"payer", "why", "num"})


def trunk_leg(extra: str) -> TrunkLeg | None:
    """Read what the dialplan says when it lets a leg out; None if that cannot be read."""
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


@lru_cache(maxsize=1024)  # a trunk channel is asked about twice, soon one after the other
def _identity(uniqueid: str) -> tuple[str, int, int]:
    """Split `<system>-<epoch>.<sequence>`; a UniqueID of another form is a system of its own."""
    system, _, rest = uniqueid.rpartition("-")
    created, _, sequence = rest.partition(".")
    if not (created.isdigit() and sequence.isdigit()):
        return uniqueid, 0, 0
    return system, int(created), int(sequence)
