"""The way of a call through a plan: from a target to the steps that may follow.

Owns what each kind of place does with a call; a later kind adds its function to `WAYS`. Refuses to know how
the call came here (`dialplan.decide`) and what a leg outside needs (`dialplan.outside`).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from dialplan.call import Here, PlaceKey, Sender, Sheet, rejection
from dialplan.decision import Play, Reason, Ring, Voicemail
from dialplan.entitlement import Feature
from dialplan.forwarding import IN_WORDS, Forward, When, forward_of, is_undisturbed
from dialplan.hours import is_open_by, local_time
from dialplan.language import chosen, languages_of
from dialplan.layout import Node
from dialplan.outside import diverting, leave, not_allowed
from dialplan.plan import Extension, Group, Number, Owner
from dialplan.porting import is_reached
from dialplan.ringing import heard, others, ring, seen_as
from dialplan.screening import Screened, at_extension, at_tenant
from dialplan.switch import DAY, NIGHT, SPECIAL, SwitchKind
from dialplan.target import Kind, Target

MAX_HOPS = 5  # numbers of tenants that one call passes; more is a circle that nobody has noticed yet
MAX_PLACES = 120  # one plan has at most MAX_STEPS on one way; this bounds calls through several tenants

BEING_ASKED = rejection(Reason.LOOP)  # stands for a place that is being worked out, and for nothing else

Way = Callable[[Sheet, Here, str, Sender], Node | None]


def go(sheet: Sheet, here: Here, target: Target | None, sender: Sender) -> Node | None:
    """Work out what happens at a target; None: the call ends.

    A place is worked out once, so that several ways to it share its steps. One that is being worked out
    counts as a loop: a plan that was compiled has none, and one that was not still gets an answer.
    """
    if target is None:
        return None
    key = key_of(here, target, sender)
    places = sheet.places
    if key in places:
        known = places[key]
        return rejection(Reason.LOOP) if known is BEING_ASKED else known
    if len(places) >= MAX_PLACES:
        return sheet.reject(Reason.LOOP, sender.rule, f"more than {MAX_PLACES} places would be asked")
    places[key] = BEING_ASKED
    node = places[key] = WAYS[target.kind](sheet, here, target.name, sender)
    return node


def key_of(here: Here, target: Target, sender: Sender) -> PlaceKey:
    """Tell places apart; who sends the call matters only where it may leave."""
    payer = sender.owner.payer if target.kind is Kind.NUMBER else ""
    return here.plan.tenant, here.trail, here.diverted, here.reason, target.kind, target.name, payer


def enter(sheet: Sheet, here: Here, number: Number, called: str) -> Node | None:
    """Let a call into the tenant of `here` by one of its numbers, or by the one it stands for.

    What was called must not have diverted the call before. The other of the two may: after a porting, the old
    provider goes on forwarding N to T for a while.
    """
    sheet.enter(here.plan)
    rule = f"numbers.{number.key}.to"
    if sheet.call.went_round(called):
        return sheet.reject(Reason.LOOP, rule, f"{called} has diverted this call before")
    screened = at_tenant(here.plan, number, sheet.call.caller)
    if screened:
        return _screened(sheet, here, screened, number.owner)
    stands_for = f" stands for {number.stands_for} and" if number.stands_for else ""
    sheet.note(rule, f"{number.number}{stands_for} leads to {number.to}")
    return go(sheet, here, number.to, Sender(number.owner, rule))


def _screened(sheet: Sheet, here: Here, screened: Screened, owner: Owner) -> Node | None:
    """Send a caller where a rule about callers says."""
    sheet.note(screened.rule, screened.text)
    return go(sheet, here, screened.to, Sender(owner, screened.rule))


def to_number(sheet: Sheet, here: Here, name: str, sender: Sender) -> Node | None:
    """Reach a number: on-net where it is a tenant's, outside otherwise."""
    plan = sheet.call.published.plan_of_number(name)
    number = plan.numbers.get(name) if plan else None
    if plan is None or number is None:
        return leave(sheet, here, name, sender)
    ours = plan.tenant == here.plan.tenant
    # A rule goes on naming its tenant's own temporary number after that was released; who dials it then wants
    # whoever has it now.
    if not (is_reached(number, name, sheet.call.now) or (ours and not sender.has_dialled)):
        return leave(sheet, here, name, sender)
    if number.today in here.trail or len(here.trail) >= MAX_HOPS:
        return sheet.reject(Reason.LOOP, sender.rule, f"the call comes back to {number.today}")
    refused = None if ours else not_allowed(sheet, here.plan, name, sender)
    if refused:
        return sheet.reject(refused.reason, refused.rule, refused.text)
    whose = "our own" if ours else f"tenant {plan.tenant}'s"
    sheet.note(sender.rule, f"{name} is {whose} and is reached on-net")
    by = "" if ours else diverting(sheet, here, sender)
    if by:
        here = here.diverted_by(by)
    return enter(sheet, here.entering(plan, number), number, name)


def _to_extension(sheet: Sheet, here: Here, name: str, sender: Sender) -> Node | None:
    extension = here.plan.extensions.get(name)
    if extension is None:
        return _to_group(sheet, here, here.plan.group_extensions.get(name, name), sender)
    screened = at_extension(here.plan, extension, sheet.call.caller)
    if screened:
        return _screened(sheet, here, screened, extension.owner)
    return _put_through(sheet, here, extension, sender)


def _put_through(sheet: Sheet, here: Here, extension: Extension, sender: Sender) -> Node | None:
    """Let a caller whom nobody refuses reach an extension: its forward, its phones, and what follows them."""
    name = extension.number
    at_once = forward_of(sheet, here, extension, "always")
    if at_once:
        return _follow(sheet, here, extension, "always", at_once)
    if is_undisturbed(sheet, here, name):
        return _undisturbed(sheet, here, extension)
    if sheet.call.was_at(extension.endpoints):
        return sheet.reject(Reason.LOOP, sender.rule, f"a phone of {name} has sent this call on before")
    endpoints = others(sheet, extension.endpoints)
    if not endpoints:
        return _no_phone_left(sheet, here, extension)
    ring_s = extension.forwards.ring_s
    sheet.note(f"extensions.{name}", f"rings {', '.join(endpoints)} for {ring_s} s")
    node = Node(
        Ring(
            endpoints=endpoints,
            timeout_s=ring_s,
            caller=seen_as(sheet, here),
            busy_level=extension.busy_level,
            heard=heard(sheet, here, extension.while_ringing, f"extensions.{name}"),
            calling_keys=sheet.call.caller.keys,
            called_keys=extension.keys,
        )
    )
    after = here.having_rung()
    node.busy = _forward(sheet, after, extension, "busy")
    node.no_answer, node.unreachable = _unanswered(sheet, after, extension)
    return node


def _unanswered(sheet: Sheet, here: Here, extension: Extension) -> tuple[Node | None, Node | None]:
    """Follow the forwards of a call that nobody answers and of one that rings no phone: often the same."""
    no_answer = forward_of(sheet, here, extension, "no_answer")
    unreachable = forward_of(sheet, here, extension, "unreachable")
    node = _follow(sheet, here, extension, "no_answer", no_answer) if no_answer else None
    if unreachable == no_answer:
        return node, node
    return node, _follow(sheet, here, extension, "unreachable", unreachable) if unreachable else None


def _undisturbed(sheet: Sheet, here: Here, extension: Extension) -> Node | None:
    """Treat an extension that is not to be disturbed as busy."""
    sheet.note(f"switches.{extension.number}.do-not-disturb", "is not to be disturbed and therefore busy")
    return _forward(sheet, here.because("user-busy"), extension, "busy") or rejection(Reason.BUSY)


def _no_phone_left(sheet: Sheet, here: Here, extension: Extension) -> Node | None:
    """Go on where an extension has no phone that could ring: none at all, or only the caller's."""
    if not extension.endpoints:
        sheet.note(f"extensions.{extension.number}", "has no phone")
        return _forward(sheet, here.because("unavailable"), extension, "unreachable")
    sheet.note(f"extensions.{extension.number}", "is the caller's own phone and therefore busy")
    return _forward(sheet, here.because("user-busy"), extension, "busy") or rejection(Reason.BUSY)


def _forward(sheet: Sheet, here: Here, extension: Extension, when: When) -> Node | None:
    """Send a call on as the extension's forwards say; None: the call ends."""
    forward = forward_of(sheet, here, extension, when)
    return _follow(sheet, here, extension, when, forward) if forward else None


def _follow(sheet: Sheet, here: Here, extension: Extension, when: When, forward: Forward) -> Node | None:
    sheet.note(forward.rule, f"{IN_WORDS[when]}: {forward.to}")
    node = go(sheet, here, forward.to, Sender(extension.owner, forward.rule))
    return _greeting_busy(node) if when == "busy" else node


def _greeting_busy(node: Node | None) -> Node | None:
    """Let a mailbox say that its owner is busy, not away."""
    if node and isinstance(node.step, Voicemail):
        return Node(replace(node.step, busy=True))
    return node


def _to_group(sheet: Sheet, here: Here, name: str, sender: Sender) -> Node | None:
    group = here.plan.groups.get(name)
    if group is None:
        return _missing(sheet, here, f"group or extension {name}", sender)
    if refused := sheet.withhold(here.plan, Feature.GROUPS, f"groups.{name}"):
        return refused
    if sheet.call.trail and any(sheet.call.was_at(member.endpoints) for member in group.members):
        return sheet.reject(Reason.LOOP, sender.rule, f"a phone of {name} has sent this call on before")
    nodes = ring(sheet, here, group, partial(go, sheet, here))
    otherwise = _otherwise(sheet, here.having_rung() if nodes else here.because("user-busy"), group)
    for node, after in zip(nodes, [*nodes[1:], otherwise], strict=False):
        node.busy = node.no_answer = node.unreachable = after
    if nodes or otherwise:
        return nodes[0] if nodes else otherwise
    return sheet.reject(
        Reason.BUSY, f"groups.{group.name}", "all are calling, logged out or not to be disturbed"
    )


def _otherwise(sheet: Sheet, here: Here, group: Group) -> Node | None:
    """Go on after a group that nobody answers. Its mailbox takes what no rule takes."""
    target, rule = group.otherwise, f"groups.{group.name}.otherwise"
    if target is None and group.mailbox:
        target, rule = Target(Kind.VOICEMAIL, group.extension), f"groups.{group.name}.voicemail"
    if target is None:
        return None
    sheet.note(rule, f"when no member answers: {target}")
    return go(sheet, here, target, Sender(group.owner, rule))


def _to_voicemail(sheet: Sheet, here: Here, name: str, sender: Sender) -> Node | None:
    if name not in here.plan.mailboxes:
        return _missing(sheet, here, f"mailbox {name}", sender)
    refused = sheet.withhold(here.plan, Feature.VOICEMAIL, sender.rule)
    return refused or Node(Voicemail(mailbox=f"{name}@{here.plan.tenant}", language=here.plan.language))


def _to_hours(sheet: Sheet, here: Here, name: str, sender: Sender) -> Node | None:
    hours = here.plan.hours.get(name)
    if hours is None:
        return _missing(sheet, here, f"rule hours {name}", sender)
    if refused := sheet.withhold(here.plan, Feature.HOURS, f"hours.{name}"):
        return refused
    switched = _OVERRULED.get(sheet.switched(here.plan.tenant, SwitchKind.HOURS, name), "")
    if switched == "special" and hours.special is None:
        switched = ""  # the document has lost its special way since
    wall = local_time(sheet.call.now, here.plan.zone)
    state = switched or ("then" if is_open_by(wall, hours.week) else "closed")
    target, rule = getattr(hours, state), f"hours.{name}.{state}"
    if target is None:
        return sheet.reject(Reason.CLOSED, rule, "closed, and no other way is given")
    if switched:
        sheet.note(f"switches.{name}.hours", f"somebody has switched to {rule}: {target}")
        return go(sheet, here, target, Sender(hours.owner, rule))
    day = hours.week.holiday(wall.date())
    on_holiday = f" of a public holiday ({day})" if day else ""
    sheet.note(rule, f"{'open' if state == 'then' else 'closed'} at this hour{on_holiday}: {target}")
    return go(sheet, here, target, Sender(hours.owner, rule))


_OVERRULED = {DAY: "then", NIGHT: "closed", SPECIAL: "special"}


def _to_announcement(sheet: Sheet, here: Here, name: str, sender: Sender) -> Node | None:
    announcement = here.plan.announcements.get(name)
    if announcement is None:
        return _missing(sheet, here, f"announcement {name}", sender)
    rule = f"announcements.{name}"
    if refused := sheet.withhold(here.plan, Feature.ANNOUNCEMENTS, rule):
        return refused
    wanted = languages_of(sheet.call.published, sheet.call.caller, here.plan)
    language = chosen(announcement.sounds, wanted)
    sound = announcement.sounds[language]
    spoken_in = f" in {language or wanted[0]}" if language or announcement.translated else ""
    sheet.note(rule, f"plays {sound}{spoken_in}, then {announcement.then or 'the call ends'}")
    node = Node(Play(sound=sound, language=wanted[0] if announcement.translated else ""))
    node.then = go(sheet, here, announcement.then, Sender(announcement.owner, f"{rule}.then"))
    return node


def _to_busy(_sheet: Sheet, _here: Here, _name: str, _sender: Sender) -> Node | None:
    return rejection(Reason.BUSY)  # the rule that says busy has spoken before it sent the call here


def _to_reject(_sheet: Sheet, _here: Here, _name: str, _sender: Sender) -> Node | None:
    return rejection(Reason.BLOCKED)


WAYS: dict[Kind, Way] = {
    Kind.EXTENSION: _to_extension,
    Kind.GROUP: _to_group,
    Kind.VOICEMAIL: _to_voicemail,
    Kind.HOURS: _to_hours,
    Kind.ANNOUNCEMENT: _to_announcement,
    Kind.NUMBER: to_number,
    Kind.BUSY: _to_busy,
    Kind.REJECT: _to_reject,
}


def _missing(sheet: Sheet, here: Here, what: str, sender: Sender) -> Node:
    """Refuse a place that is not there; only a plan that was never compiled sends calls to one."""
    return sheet.reject(Reason.UNKNOWN_NUMBER, sender.rule, f"there is no {what} in {here.plan.tenant}")
