"""Feature codes: what a phone can ask for by dialling a star or a hash and two digits.

Owns the one table of codes, how what was dialled is read, and what each code does. A later feature adds its
rows to `CODES`. Refuses to keep what a code changes: a change is part of the decision, and whoever answers
keeps it before it confirms (`pbxcore.control.deciding`).

Two notations are usual and both are known: the star codes of North America (`*72` number, `*73`) and the
service codes of Europe (ETSI ETS 300 738: `*21*` number `#`, `#21#`). A code says what shall be, none
toggles: asked twice, as the standby is when control could not keep the change, it does the same.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from dialplan import attendance, numbers, pickup, ringing
from dialplan.call import Call, Caller, Here, Sender, Sheet, rejection
from dialplan.decision import Confirm, ListenToVoicemail, PickUp, Reason, Reject, Voicemail
from dialplan.entitlement import Feature
from dialplan.facts import Origin
from dialplan.layout import Node
from dialplan.plan import Extension, Group, Plan
from dialplan.route import go, key_of
from dialplan.switch import CLEARED, DAY, FORWARDS, NIGHT, OFF, ON, SPECIAL, Switch, SwitchKind
from dialplan.target import Kind, Target, parse

LENGTH = 3  # of a code; what is dialled after it is its argument
TAKE, TAKE_OF_GROUPS = "**", "*8"  # the two that are shorter: as Asterisk and most systems have them
MAX_SILENT = 20  # groups whose ringing ends at once, of those through which one group rings; fits a step
_HOURS = re.compile(r"[1-9][0-9]?")  # 99 at most: four days; who wants longer says so by `pbxcore switch`


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A code as it was dialled: by which extension's phone, and with what after it."""

    sheet: Sheet
    here: Here
    extension: Extension
    code: str
    argument: str
    endpoint: str
    origin: Origin

    @property
    def plan(self) -> Plan:
        """The plan of the phone's tenant."""
        return self.here.plan

    @property
    def rule(self) -> str:
        """What stands in the explanation."""
        return f"features.{self.code}"


@dataclass(frozen=True, slots=True)
class Code:
    """A row of the table: what the code is for, in words for users, and what it does."""

    what: str
    does: Callable[[Asked], Node]
    argument: str = ""  # what is dialled after it, in words; empty: nothing


def dial(asked: Asked) -> Node:
    """Do what a code asks for."""
    code = CODES.get(asked.code)
    if code is None:
        return _no_code(asked, f"there is no code {asked.code}")
    return code.does(asked)


def read(dialled: str) -> tuple[str, str]:
    """Take apart what was dialled: `*72123` and `*72*123#` are `*72` and `123`, `**11` is `**` and `11`."""
    if dialled.startswith(TAKE):
        return TAKE, dialled.removeprefix(TAKE).removesuffix("#")
    if dialled.removesuffix("#") == TAKE_OF_GROUPS:
        return TAKE_OF_GROUPS, ""
    return dialled[:LENGTH], dialled[LENGTH:].removesuffix("#").removeprefix("*")


# --- mailboxes -------------------------------------------------------------------------------------------


def _own_mailbox(asked: Asked) -> Node:
    return _listen(asked, asked.extension.number if not asked.argument else "")


def _any_mailbox(asked: Asked) -> Node:
    return _listen(asked, asked.argument)


def _listen(asked: Asked, box: str) -> Node:
    """Let a phone's own call listen; who is transferred there must not."""
    if asked.origin is not Origin.PHONE or box not in asked.plan.mailboxes:
        return _no_code(asked, f"there is no mailbox behind {asked.code}{asked.argument[:20]}")
    if refused := asked.sheet.withhold(asked.plan, Feature.VOICEMAIL, asked.rule):
        return refused
    asked.sheet.note(asked.rule, f"listens to mailbox {box} after its PIN")
    return Node(ListenToVoicemail(mailbox=f"{box}@{asked.plan.tenant}"))


def _leave_message(asked: Asked) -> Node:
    box = asked.argument
    if box not in asked.plan.mailboxes:
        return _no_code(asked, f"there is no mailbox behind {asked.code}{box[:20]}")
    if refused := asked.sheet.withhold(asked.plan, Feature.VOICEMAIL, asked.rule):
        return refused
    asked.sheet.note(asked.rule, f"leaves a message in mailbox {box}")
    return Node(Voicemail(mailbox=f"{box}@{asked.plan.tenant}", language=asked.plan.language))


# --- other phones' calls ---------------------------------------------------------------------------------


def _take_of_groups(asked: Asked) -> Node:
    phones = pickup.phones_of_groups(asked.plan, asked.extension, asked.endpoint)
    if asked.extension.picks_up == "nobody":
        text = f"{asked.extension.number} may take nobody's calls"
        return _may_not(asked, text)
    return _take(asked, phones, f"{asked.extension.number} is in no group with others")


def _take_of(asked: Asked) -> Node:
    whose = asked.argument
    if whose not in asked.plan.extensions and whose not in asked.plan.group_extensions:
        return _no_code(asked, f"there is no extension {whose[:20]} in {asked.plan.tenant}")
    if not pickup.may_take(asked.plan, asked.extension, whose):
        text = f"{asked.extension.number} may not take calls of {whose}"
        return _may_not(asked, text)
    return _take(asked, pickup.phones_of(asked.plan, whose, asked.endpoint), f"{whose} has no other phone")


def _may_not(asked: Asked, text: str) -> Node:
    return asked.sheet.reject(Reason.NOT_ALLOWED, f"extensions.{asked.extension.number}.may_pick_up", text)


def _take(asked: Asked, phones: tuple[str, ...], nobody: str) -> Node:
    """Take a call by a phone's own call: who is sent to the code would get somebody else's caller."""
    if asked.origin is not Origin.PHONE:
        return _no_code(asked, "a call that was sent here cannot take another")
    if not phones:
        return asked.sheet.reject(Reason.NOTHING_RINGS, asked.rule, nobody)
    asked.sheet.note(asked.rule, f"takes a call that rings at {', '.join(phones)}")
    return Node(PickUp(endpoints=phones))


# --- switches --------------------------------------------------------------------------------------------


def switch(asked: Asked, kind: SwitchKind, subject: str, value: str) -> Switch:
    """Make the switch that a code asks for."""
    tenant, now = asked.plan.tenant, asked.sheet.call.now
    return Switch(tenant=tenant, kind=kind, subject=subject, value=value, since=now, by=asked.endpoint)


def confirm(asked: Asked, changes: Sequence[Switch], *sounds: str) -> Node:
    """Switch something and confirm it; only by a phone's own call, not by one that was sent to the code."""
    if asked.origin is not Origin.PHONE:
        return _no_code(asked, "a call that was sent here cannot switch anything")
    for one in changes:
        asked.sheet.changes.append(one)
        asked.sheet.note(asked.rule, f"{one.kind} of {one.subject}: {one.value or 'cleared'}")
    return Node(Confirm(sounds=sounds))


def _forward(asked: Asked, when: str) -> Node:
    target = target_of(asked.plan, asked.argument)
    if target is None:
        text = f"{asked.argument[:40]!r} is neither an extension nor a telephone number"
        return asked.sheet.reject(Reason.INVALID_NUMBER, asked.rule, text)
    one = switch(asked, FORWARDS[when], asked.extension.number, str(target))
    refusal = objection(asked.sheet, asked.here, asked.extension, one)
    if refusal:
        text = f"calls to {asked.extension.number} may not be sent on to {target}"
        return asked.sheet.reject(refusal, asked.rule, text)
    return confirm(asked, [one], _SOUNDS[when], "activated")


def _no_forward(asked: Asked, when: str) -> Node:
    """Switch a forward off; what would still send such calls on has to be overruled.

    That is the document, for all callers or some, and of unreachable phones what is said of no answer.
    """
    cases = (when, "no_answer") if when == "unreachable" else (when,)
    tenant, number = asked.plan.tenant, asked.extension.number
    elsewhere = cases[1:] and asked.sheet.switched(tenant, FORWARDS["no_answer"], number)
    value = OFF if elsewhere or any(map(asked.extension.forwards.names, cases)) else CLEARED
    one = switch(asked, FORWARDS[when], asked.extension.number, value)
    return confirm(asked, [one], _SOUNDS[when], "de-activated")


def _do_not_disturb(asked: Asked, value: str) -> Node:
    one = switch(asked, SwitchKind.DO_NOT_DISTURB, asked.extension.number, value)
    return confirm(asked, [one], "do-not-disturb", "activated" if value else "de-activated")


def _attend(asked: Asked, *, out: bool) -> Node:
    """Log the phone's extension out of a ring group, or of all, or in again."""
    extension, plan = asked.extension, asked.plan
    wanted = plan.group_extensions.get(asked.argument, asked.argument)
    groups = {group.name: group for group in attendance.groups_of(plan, extension)}
    if (wanted and wanted not in groups) or not groups:
        return _no_code(asked, f"{extension.number} is no member of group {wanted[:20] or 'any'}")
    changed = (
        [attendance.one_group(groups[wanted], extension, out=out)]
        if wanted
        else attendance.all_groups(asked.sheet, plan, extension, out=out)
    )
    changes = [switch(asked, SwitchKind.LOGGED_OUT, subject, value) for subject, value in changed]
    node = confirm(asked, changes, "agent-loggedoff" if out else "agent-loginok")
    return _silencing(asked, node, changes, () if not wanted else tuple(groups.values())) if out else node


def _silencing(asked: Asked, node: Node, changes: Sequence[Switch], groups: Sequence[Group]) -> Node:
    """Let the phones of who logs out stop ringing, for all groups or for those that ring none of them now."""
    if not isinstance(node.step, Confirm):
        return node
    call, plan = asked.sheet.call, asked.plan
    state = replace(call.state, switches=call.state.switches.updated(changes))
    after = Sheet(replace(call, state=state, caller=_STRANGER))
    phones = tuple(one for one, extension in plan.endpoints.items() if extension == asked.extension.number)
    silent = tuple(ringing.silent(after, asked.here, phones, groups))[:MAX_SILENT]
    if groups and not silent:
        return node  # another group in the same rings them on
    return replace(node, step=replace(node.step, silent=phones, groups=silent))


def _override(asked: Asked, value: str) -> Node:
    """Overrule a time rule named by its code, for good or, with `*` and a number after it, for some hours."""
    code, _, hours = asked.argument.partition("*")
    rule = next((one for one in asked.plan.hours.values() if code and one.code == code), None)
    if rule is None or asked.extension.number not in rule.switched_by:
        return _no_code(asked, f"{asked.extension.number} may switch no time rule {code[:20]}")
    if (value == SPECIAL and rule.special is None) or (hours and not _HOURS.fullmatch(hours)):
        return _no_code(asked, f"hours {rule.name} has no special way, or {hours[:20]!r} are no hours")
    until = asked.sheet.call.now + timedelta(hours=int(hours)) if hours else None
    one = replace(switch(asked, SwitchKind.HOURS, rule.name, value), until=until)
    return confirm(asked, [one], "activated" if value else "de-activated")


def target_of(plan: Plan, dialled: str) -> Target | None:
    """Read where to forward as one would dial it; None: nowhere."""
    if dialled in plan.extensions or dialled in plan.group_extensions:
        return Target(Kind.EXTENSION, dialled)
    number = numbers.normalise(dialled, plan.country, plan.area_code)
    return Target(Kind.NUMBER, number) if number else None


def objection(sheet: Sheet, here: Here, extension: Extension, forward: Switch) -> Reason | None:
    """Give the reason for which calls that an extension forwards would be refused; None: they would not.

    A call is sent on for a trial, with the switch set: it must not come back, and the extension must be
    allowed to pay for it. What depends on the hour, on credit or on who calls is asked again for each call.
    """
    state = replace(sheet.call.state, switches=sheet.call.state.switches.updated((forward,)))
    trial = Sheet(Call(published=sheet.call.published, state=state, now=sheet.call.now, caller=_STRANGER))
    target = parse(forward.value)
    own, sender = Target(Kind.EXTENSION, extension.number), Sender(extension.owner, "trial")
    trial.places[key_of(here, own, sender)] = rejection(Reason.LOOP)
    node = go(trial, here, target, sender)
    if node and isinstance(node.step, Reject) and node.step.reason in _FOR_GOOD:
        return node.step.reason
    return None


_STRANGER = Caller(number="+12025550123")  # reserved for examples; one without number may be led elsewhere
_FOR_GOOD = frozenset({Reason.LOOP, Reason.NOT_ALLOWED, Reason.UNKNOWN_NUMBER, Reason.NO_TRUNK})
_SOUNDS = {
    "always": "call-fwd-unconditional",
    "busy": "call-fwd-on-busy",
    "no_answer": "call-fwd-no-ans",
    "unreachable": "call-forwarding",
}
_WORDS = {
    "always": "every call",
    "busy": "calls while busy",
    "no_answer": "calls that nobody answers",
    "unreachable": "calls while no phone is registered",
}


def _no_code(asked: Asked, text: str) -> Node:
    return asked.sheet.reject(Reason.UNKNOWN_NUMBER, asked.rule, text)


def _forward_codes(when: str, *codes: tuple[str, str]) -> dict[str, Code]:
    found: dict[str, Code] = {}
    for on, off in codes:
        found[on] = Code(f"forward {_WORDS[when]}", partial(_forward, when=when), "number or extension")
        found[off] = Code(f"no longer forward {_WORDS[when]}", partial(_no_forward, when=when))
    return found


CODES: Mapping[str, Code] = {
    **_forward_codes("always", ("*72", "*73"), ("*21", "#21")),
    **_forward_codes("busy", ("*90", "*91"), ("*67", "#67")),
    **_forward_codes("no_answer", ("*92", "*93"), ("*61", "#61")),
    **_forward_codes("unreachable", ("*94", "*95"), ("*62", "#62")),
    "*78": Code("do not disturb", partial(_do_not_disturb, value=ON)),
    "*79": Code("may be disturbed again", partial(_do_not_disturb, value=CLEARED)),
    "*26": Code("do not disturb", partial(_do_not_disturb, value=ON)),
    "#26": Code("may be disturbed again", partial(_do_not_disturb, value=CLEARED)),
    "*50": Code("log out of a ring group, or of all", partial(_attend, out=True), "group, or nothing"),
    "*51": Code("log in to a ring group, or to all", partial(_attend, out=False), "group, or nothing"),
    "*80": Code("let the clock speak again", partial(_override, value=CLEARED), "time rule"),
    "*81": Code("open now", partial(_override, value=DAY), "time rule, * and hours"),
    "*82": Code("close now", partial(_override, value=NIGHT), "time rule, * and hours"),
    "*83": Code("go the special way now", partial(_override, value=SPECIAL), "time rule, * and hours"),
    TAKE_OF_GROUPS: Code("take a call that rings at others of one's groups", _take_of_groups),
    TAKE: Code("take a call that rings at an extension", _take_of, "extension"),
    "*97": Code("listen to one's own mailbox", _own_mailbox),
    "*98": Code("listen to a mailbox after its PIN", _any_mailbox, "mailbox"),
    "*99": Code("leave a message without ringing", _leave_message, "mailbox"),
}
"""Every code but `*31#`, `#31#` and `*591`, which are ways to dial what follows (`dialplan.decide`)."""
