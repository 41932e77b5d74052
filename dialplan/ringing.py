"""The phones and numbers that ring for a group: together, one after the other, later, or outside.

Owns who of a group rings and with which steps. Refuses the order (`dialplan.hunt`) and what comes after the
group (`dialplan.route`), which also finds out where a member is reached that is no phone of the tenant.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dialplan.attendance import is_logged_out
from dialplan.call import Here, Sender, Sheet, Underway
from dialplan.decision import Hunt, Outside, Ring
from dialplan.forwarding import forward_of, is_undisturbed
from dialplan.hours import local_time
from dialplan.hunt import IN_WRITTEN_ORDER, each_once, in_turn
from dialplan.language import chosen, languages_of
from dialplan.layout import Node
from dialplan.plan import Group, Heard, Member, Strategy, Together
from dialplan.quick import quick
from dialplan.target import Kind, Target

Reach = Callable[[Target, Sender], Node | None]
Later = tuple[int, Node]  # a step, and how long after the others it begins


Shared = Callable[..., Ring]
"""What all steps of a group's phones share; a call of it adds what is one step's own."""


@quick
@dataclass(frozen=True, slots=True)
class Rung:
    """A member that rings.

    Attributes:
        phones: of its own that ring; none where it is reached elsewhere.
        busy_level: calls with which they are busy; 0: however many they have, they ring.
        elsewhere: the step that rings where else the member is reached, and those that join it; None: its own
            phones ring.
    """

    member: Member
    timeout_s: int
    phones: tuple[str, ...]
    busy_level: int = 0
    elsewhere: Node | None = None

    @property
    def is_plain(self) -> bool:
        """Whether its phones can ring in one step with others': its own, at once, as long, uncounted."""
        return self.elsewhere is None and not self.busy_level and self.member.rings_with_all

    def alone(self, shared: Shared) -> Node:
        """Give the step that rings it alone."""
        return self.elsewhere or Node(
            shared(endpoints=self.phones, timeout_s=self.timeout_s, busy_level=self.busy_level)
        )


def ring(sheet: Sheet, here: Here, group: Group, reach: Reach) -> list[Node]:
    """Give the steps that ring a group, one after the other; none if nobody is there."""
    if group.together and _nobody_switched(sheet, here, group.together):
        phones = others(sheet, group.together.phones)
        return [_together(sheet, group, _shared(sheet, here, group), phones)] if phones else []
    call = sheet.call
    order = in_turn(group, call.state, local_time(call.now, here.plan.zone).date(), call.draw)
    if group.strategy is not Strategy.SIMULTANEOUS:
        words = group.strategy.replace("_", " ")
        sheet.note(f"groups.{group.name}.strategy", f"{words}: {', '.join(one.number for one in order)}")
    present = (_present(sheet, here, group, one) for one in order)
    members = [one for member in each_once(present) if (one := _rung(sheet, here, group, member, reach))]
    if group.strategy is Strategy.SIMULTANEOUS:
        members = sorted(members, key=_when)
    rung = list(_once(members))
    if not rung:
        return []
    shared = _shared(sheet, here, group)
    if group.strategy is Strategy.SIMULTANEOUS:
        return [_all_of(sheet, group, shared, rung)]
    nodes = [one.alone(shared) for one in rung]
    for one, node in zip(rung, nodes, strict=True):
        sheet.note(f"groups.{group.name}", f"rings {_words(node)} for {one.timeout_s} s")
    sheet.hunts += _hunt(group, rung, nodes[0])
    return nodes


def others(sheet: Sheet, endpoints: Sequence[str]) -> tuple[str, ...]:
    """Leave out the phone that calls: it is off the hook."""
    calling = sheet.call.caller.endpoint
    if not calling or calling not in endpoints:
        return tuple(endpoints)
    return tuple(endpoint for endpoint in endpoints if endpoint != calling)


def seen_as(sheet: Sheet, here: Here) -> str:
    """Give what phones are shown of another tenant's phone, or of a rewritten number; nothing: as it came."""
    caller = sheet.call.caller
    if caller.tenant in {"", here.plan.tenant} and not caller.rewritten:
        return ""
    return "anonymous" if caller.hidden or not caller.number else caller.number


def heard(sheet: Sheet, here: Here, while_ringing: Heard | None, rule: str) -> str:
    """Name what the caller hears while phones of this tenant ring; nothing: the ringing tone."""
    if while_ringing is None:
        return ""
    if while_ringing.music:
        sheet.note(f"{rule}.while_ringing", f"the caller hears music {while_ringing.music}")
        return f"{while_ringing.music}@{here.plan.tenant}"
    announcement = here.plan.announcements.get(while_ringing.announcement)
    if announcement is None:
        return ""
    language = chosen(announcement.sounds, languages_of(sheet.call.published, sheet.call.caller, here.plan))
    spoken_in = f" in {language}" if language else ""
    sheet.note(f"{rule}.while_ringing", f"the caller hears announcement {announcement.name}{spoken_in}")
    return f"{announcement.repeated(language)}@{here.plan.tenant}"


def _present(sheet: Sheet, here: Here, group: Group, member: Member) -> Member:
    """Give a member with the phones that may ring; for most it is the member itself, and no copy."""
    willing = _willing(sheet, here, group, member)
    return member if willing == member.endpoints else replace(member, endpoints=willing)


def silent(sheet: Sheet, here: Here, phones: Collection[str], groups: Iterable[Group]) -> Iterator[str]:
    """Give the groups whose calls ring none of these phones, named as in `Ring.group`."""
    for group in groups:
        ringing = {phone for member in group.members for phone in _willing(sheet, here, group, member)}
        if ringing.isdisjoint(phones):
            yield _name(here, group)


def _nobody_switched(sheet: Sheet, here: Here, together: Together) -> bool:
    """Tell whether all members are there as the document says: none has a forward or switched anything."""
    switched = sheet.call.state.switches.of_tenant(here.plan.tenant)
    return not switched or switched.keys().isdisjoint(together.extensions)


def _willing(sheet: Sheet, here: Here, group: Group, member: Member) -> tuple[str, ...]:
    """Leave out of a member's phones those of extensions that are logged out or not to be disturbed."""
    phones, plan = others(sheet, member.endpoints), here.plan
    switched = sheet.call.state.switches.of_tenant(plan.tenant)
    extensions = {extension for phone in phones if (extension := plan.endpoints[phone]) in switched}
    if not extensions:
        return phones
    groups = {group.name, plan.group_extensions.get(member.number, group.name)}
    unwilling = {
        extension
        for extension in extensions
        if is_undisturbed(sheet, here, extension)
        or any(is_logged_out(sheet, plan.tenant, extension, name) for name in groups)
    }
    return tuple(phone for phone in phones if plan.endpoints[phone] not in unwilling)


def _rung(sheet: Sheet, here: Here, group: Group, member: Member, reach: Reach) -> Rung | None:
    """Give the step that rings a member; None: it cannot be rung."""
    timeout_s = member.timeout_s or group.timeout_s
    if group.strategy is Strategy.SIMULTANEOUS:
        timeout_s = max(1, min(timeout_s, group.timeout_s - member.delay_s))
    if member.is_outside:
        sender = Sender(group.owner, f"groups.{group.name}.members")
        return _elsewhere(here, group, member, timeout_s, reach(Target(Kind.NUMBER, member.number), sender))
    own = here.plan.extensions.get(member.number)
    forward = forward_of(sheet, here, own, "always") if own and group.obeys_forwards else None
    if own and forward:
        sheet.note(forward.rule, f"forwards every call, those of group {group.name} too: {forward.to}")
        sender = Sender(own.owner, forward.rule)
        return _elsewhere(here, group, member, timeout_s, reach(forward.to, sender))
    busy_level = _least(group.busy_level, own.busy_level if own else 0)
    return Rung(member, timeout_s, member.endpoints, busy_level)


def _when(one: Rung) -> tuple[int, bool]:
    """Order members by when they ring; at one instant a member's own phone comes before a forward to it."""
    return one.member.delay_s, one.elsewhere is not None


def _once(rung: Iterable[Rung]) -> Iterator[Rung]:
    """Leave out phones and numbers that ring already, for another member forwards its calls to them."""
    ringing: set[str] = set()
    for one in rung:
        if one.elsewhere:
            if node := _left(one.elsewhere, ringing):
                yield replace(one, elsewhere=node)
        elif phones := _first(one.phones, ringing):
            yield one if phones == one.phones else replace(one, phones=phones)


def _first(reached: Sequence[str], ringing: set[str]) -> tuple[str, ...]:
    """Leave out what rings already; what is left rings from here on."""
    first = tuple(one for one in reached if one not in ringing)
    ringing.update(first)
    return first


def _left(node: Node, ringing: set[str]) -> Node | None:
    """Leave out of a step, and of those that join it, what rings already; None: nothing is left."""
    match node.step:
        case Ring() as step:
            phones = _first(step.endpoints, ringing)
            joined = tuple((after_s, left) for after_s, late in node.joined if (left := _left(late, ringing)))
            return Node(replace(step, endpoints=phones), joined=joined) if phones or joined else None
        case Outside(number=number):
            return node if _first([number], ringing) else None
        case _:
            return node


def _elsewhere(here: Here, group: Group, member: Member, timeout_s: int, node: Node | None) -> Rung | None:
    """Ring a member where else it is reached, and only there: a mailbox must not take a group's call."""
    match node:
        case Node(step=Ring() | Outside() as step):
            shown = partial(_shown, here, group)
            joined = tuple(_late(shown, node, ends_s=step.timeout_s, timeout_s=timeout_s))
            reached = Node(shown(step, timeout_s, prefix=group.prefix), joined=joined)
            return Rung(member, timeout_s, (), elsewhere=_counted_apart(reached))
        case _:
            return None


def _late(
    shown: Callable[[Ring | Outside, int], Ring | Outside], node: Node, *, ends_s: int, timeout_s: int
) -> Iterator[Later]:
    """Let those that join a step ring as long as it does now, if they rang to its end, and never longer."""
    for after_s, late in node.joined:
        left_s = timeout_s - after_s
        if left_s > 0 and isinstance(late.step, Ring | Outside):
            to_the_end = after_s + late.step.timeout_s >= ends_s
            yield after_s, Node(shown(late.step, left_s if to_the_end else min(left_s, late.step.timeout_s)))


def _shown(
    here: Here, group: Group, step: Ring | Outside, timeout_s: int, prefix: str = ""
) -> Ring | Outside:
    """Let a step that was made for other calls ring as a group's calls do; who is outside must press 1."""
    if isinstance(step, Outside):
        return replace(step, timeout_s=timeout_s, confirm=step.confirm or here.plan.language)
    level = _least(group.busy_level, step.busy_level)
    return replace(step, tone=group.ring_tone, prefix=prefix, group=_name(here, group),
                   timeout_s=timeout_s, busy_level=level)  # fmt: skip


def _counted_apart(node: Node) -> Node:
    """Let those that join a step ring though its own phones have calls enough: these join it, too."""
    match node.step:
        case Ring(busy_level=level) as step if level and node.joined:
            own = Node(replace(step, **CALLERS_OWN))
            return Node(replace(step, endpoints=(), busy_level=0), joined=((0, own), *node.joined))
        case _:
            return node


def _least(*levels: int) -> int:
    """Give the least of the levels that are set, so that each holds; 0: none is."""
    return min(filter(None, levels), default=0) if any(levels) else 0


def _shared(sheet: Sheet, here: Here, group: Group) -> Shared:
    return partial(
        Ring,
        caller=seen_as(sheet, here),
        tone=group.ring_tone,
        prefix=group.prefix,
        heard=heard(sheet, here, group.while_ringing, f"groups.{group.name}"),
        group=_name(here, group),
        calling_keys=sheet.call.caller.keys,
        called_keys=group.keys,
    )


def _name(here: Here, group: Group) -> str:
    return f"{here.plan.tenant}/{group.name}"


def _all_of(sheet: Sheet, group: Group, shared: Shared, rung: Sequence[Rung]) -> Node:
    """Ring all members in one step; those that need a step of their own join it, and show what it shows."""
    phones = tuple(phone for one in rung if one.is_plain for phone in one.phones)
    joining = partial(shared, **CALLERS_OWN)
    joined = tuple(later for one in rung if not one.is_plain for later in _joining(one, joining))
    return _together(sheet, group, shared, phones, joined)


def _together(
    sheet: Sheet, group: Group, shared: Shared, phones: tuple[str, ...], joined: Sequence[Later] = ()
) -> Node:
    node = Node(shared(endpoints=phones, timeout_s=group.timeout_s), joined=tuple(joined))
    sheet.note(f"groups.{group.name}", f"rings {_words(node)} for {group.timeout_s} s")
    return node


CALLERS_OWN: Mapping[str, Any] = {"caller": "", "prefix": "", "heard": "", "calling_keys": None}
"""Left to the group's own step, as only the caller's channel can do it: who is shown, what is heard, keys."""


def _joining(one: Rung, joining: Shared) -> Iterator[Later]:
    """Give the steps of a member that join the group's; none joins another: that is one channel too far."""
    node, delay_s = one.alone(joining), one.member.delay_s
    match node.step:
        case Ring(endpoints=()):
            pass  # each of those that join it has a step of its own
        case Ring() as step if one.elsewhere:
            yield delay_s, Node(replace(step, **CALLERS_OWN))
        case Outside() as step:
            yield delay_s, Node(replace(step, calling_keys=None))
        case _:
            yield delay_s, node
    yield from ((delay_s + after_s, late) for after_s, late in node.joined)


def _words(node: Node) -> str:
    match node.step:
        case Ring(endpoints=endpoints):
            later = [f"{_words(one)} after {delay_s} s" for delay_s, one in node.joined]
            return ", ".join((*endpoints, *later))
        case Outside(number=number):
            return number
        case other:
            return type(other).__name__


def _hunt(group: Group, rung: Sequence[Rung], node: Node) -> Iterator[Underway]:
    """Tell what a process that remembers turns has to know of a group's call."""
    if group.strategy not in IN_WRITTEN_ORDER:
        first = rung[0].member
        place = [member.number for member in group.members].index(first.number)
        hunt = Hunt(
            group=group.owner.payer,
            strategy=group.strategy,
            next_turn=(place + 1) % len(group.members),
            first=first.payers,
            rings_s=sum(one.timeout_s for one in rung),
        )
        yield Underway(hunt, node)
