"""The phones and numbers that ring for a group: together, one after the other, later, or outside.

Owns who of a group rings and with which steps. Refuses the order (`dialplan.hunt`) and what comes after the
group (`dialplan.route`), which also finds out where a member is reached that is no phone of the tenant.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dialplan.attendance import is_logged_out
from dialplan.call import Here, Sender, Sheet, Underway
from dialplan.decision import Hunt, Outside, Ring
from dialplan.forwarding import forward_of, is_undisturbed
from dialplan.hours import local_time
from dialplan.hunt import IN_WRITTEN_ORDER, each_once, in_turn
from dialplan.language import chosen, languages_of
from dialplan.layout import Node
from dialplan.plan import Group, Heard, Member, Strategy
from dialplan.target import Kind, Target

Reach = Callable[[Target, Sender], Node | None]


@dataclass(frozen=True, slots=True)
class Rung:
    """A member that rings, and the step that rings it alone."""

    member: Member
    node: Node
    timeout_s: int

    @property
    def phones(self) -> tuple[str, ...]:
        """The phones that ring."""
        return self.node.step.endpoints if isinstance(self.node.step, Ring) else ()

    @property
    def is_plain(self) -> bool:
        """Whether its phones can ring in one step with others': its own, at once, as long, uncounted."""
        timed = self.member.delay_s or self.member.timeout_s
        return bool(self.member.endpoints) and not timed and not self.is_counted

    @property
    def is_counted(self) -> bool:
        """Whether its calls are counted before it rings."""
        return isinstance(self.node.step, Ring) and self.node.step.busy_level > 0


def ring(sheet: Sheet, here: Here, group: Group, reach: Reach) -> list[Node]:
    """Give the steps that ring a group, one after the other; none if nobody is there."""
    order = in_turn(group, sheet.call.state, local_time(sheet.call.now, here.plan.zone).date())
    if group.strategy is not Strategy.SIMULTANEOUS:
        words = group.strategy.replace("_", " ")
        sheet.note(f"groups.{group.name}.strategy", f"{words}: {', '.join(one.number for one in order)}")
    present = (_present(sheet, here, group, one) for one in order)
    rung = list(
        _once(one for member in each_once(present) if (one := _rung(sheet, here, group, member, reach)))
    )
    if group.strategy is Strategy.SIMULTANEOUS:
        return _together(sheet, here, group, rung) if rung else []
    for one in rung:
        sheet.note(f"groups.{group.name}", f"rings {_words(one.node)} for {one.timeout_s} s")
    sheet.hunts += _hunt(group, rung)
    return [one.node for one in rung]


def others(sheet: Sheet, endpoints: Sequence[str]) -> tuple[str, ...]:
    """Leave out the phone that calls: it is off the hook."""
    return tuple(endpoint for endpoint in endpoints if endpoint != sheet.call.caller.endpoint)


def seen_as(sheet: Sheet, here: Here) -> str:
    """Give what phones of this tenant are shown of another tenant's phone; nothing: as it came."""
    caller = sheet.call.caller
    if caller.tenant in {"", here.plan.tenant}:
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


def _willing(sheet: Sheet, here: Here, group: Group, member: Member) -> tuple[str, ...]:
    """Leave out of a member's phones those of extensions that are logged out or not to be disturbed."""
    phones, plan = others(sheet, member.endpoints), here.plan
    if not sheet.call.state.switches.any_of(plan.tenant):
        return phones
    groups = {group.name, plan.group_extensions.get(member.number, group.name)}
    unwilling = {
        extension
        for extension in {plan.endpoints[phone] for phone in phones}
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
        node = _elsewhere(here, group, timeout_s, reach(Target(Kind.NUMBER, member.number), sender))
        return Rung(member, node, timeout_s) if node else None
    extension = here.plan.extensions.get(member.number) if group.obeys_forwards else None
    forward = forward_of(sheet, here, extension, "always") if extension else None
    if extension and forward:
        sheet.note(forward.rule, f"forwards every call, those of group {group.name} too: {forward.to}")
        node = _elsewhere(here, group, timeout_s, reach(forward.to, Sender(extension.owner, forward.rule)))
        return Rung(replace(member, endpoints=()), node, timeout_s) if node else None
    own = here.plan.extensions.get(member.number)
    busy_level = _least(group.busy_level, own.busy_level if own else 0)
    return Rung(member, Node(_ring(sheet, here, group, member.endpoints, timeout_s, busy_level)), timeout_s)


def _once(rung: Iterable[Rung]) -> Iterator[Rung]:
    """Leave out phones that ring already, for another member forwards its calls to them."""
    phones: set[str] = set()
    for one in rung:
        step = one.node.step
        if isinstance(step, Ring):
            left = tuple(phone for phone in step.endpoints if phone not in phones)
            phones.update(left)
            if left == step.endpoints:
                yield one
            elif left:
                yield replace(one, node=Node(replace(step, endpoints=left)))
        else:
            yield one


def _elsewhere(here: Here, group: Group, timeout_s: int, node: Node | None) -> Node | None:
    """Ring a member where else it is reached, and only there: a mailbox must not take a group's call."""
    match node:
        case Node(step=Ring() as step):
            shown = replace(step, tone=group.ring_tone, prefix=group.prefix, group=_name(here, group))
            busy_level = _least(group.busy_level, step.busy_level)
            return Node(replace(shown, timeout_s=timeout_s, busy_level=busy_level))
        case Node(step=Outside() as step):
            return Node(replace(step, timeout_s=timeout_s, confirm=here.plan.language))
        case _:
            return None


def _least(*levels: int) -> int:
    """Give the least of the levels that are set, so that each holds; 0: none is."""
    return min(filter(None, levels), default=0)


def _ring(  # noqa: PLR0913, PLR0917 — what each step of a group shares, and what is its own
    sheet: Sheet, here: Here, group: Group, endpoints: tuple[str, ...], timeout_s: int, busy_level: int = 0
) -> Ring:
    return Ring(
        endpoints=endpoints,
        timeout_s=timeout_s,
        caller=seen_as(sheet, here),
        busy_level=busy_level,
        tone=group.ring_tone,
        prefix=group.prefix,
        heard=heard(sheet, here, group.while_ringing, f"groups.{group.name}"),
        group=_name(here, group),
        calling_keys=sheet.call.caller.keys,
        called_keys=group.keys,
    )


def _name(here: Here, group: Group) -> str:
    return f"{here.plan.tenant}/{group.name}"


def _together(sheet: Sheet, here: Here, group: Group, rung: Sequence[Rung]) -> list[Node]:
    """Ring all members in one step; those that need a step of their own join it, and show what it shows."""
    phones = tuple(phone for one in rung if one.is_plain for phone in one.phones)
    joined = tuple((one.member.delay_s, _joining(one.node)) for one in rung if not one.is_plain)
    words = [*phones, *(f"{_words(node)} after {delay_s} s" for delay_s, node in joined)]
    sheet.note(f"groups.{group.name}", f"rings {', '.join(words)} for {group.timeout_s} s")
    return [Node(_ring(sheet, here, group, phones, group.timeout_s), joined=joined)]


def _joining(node: Node) -> Node:
    """Leave to the group's own step what only the caller's channel can do: who is shown, and its keys."""
    match node.step:
        case Ring() as step:
            return Node(replace(step, caller="", prefix="", heard="", calling_keys=None))
        case Outside() as step:
            return Node(replace(step, calling_keys=None))
        case _:
            return node


def _words(node: Node) -> str:
    match node.step:
        case Ring(endpoints=endpoints):
            return ", ".join(endpoints)
        case Outside(number=number):
            return number
        case other:
            return type(other).__name__


def _hunt(group: Group, rung: Sequence[Rung]) -> Iterator[Underway]:
    """Tell what a process that remembers turns has to know of a group's call."""
    if rung and group.strategy not in IN_WRITTEN_ORDER:
        first = rung[0].member
        place = [member.number for member in group.members].index(first.number)
        hunt = Hunt(
            group=group.owner.payer,
            strategy=group.strategy,
            next_turn=(place + 1) % len(group.members),
            first=first.payers,
            rings_s=sum(one.timeout_s for one in rung),
        )
        yield Underway(hunt, rung[0].node)
