"""The question and the answer: what happens to a call.

Owns how a question is read: who asks, on whose account, and what was dialled. Total and pure: every question
gets a decision, the same one each time; what cannot be done is a decision to refuse, with its reason.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dialplan import codes, numbers
from dialplan.call import DIALLED, MAX_DIVERSIONS, Call, Caller, Here, Sender, Sheet, shown
from dialplan.decision import Decision, Outside, Reason, Ring, Step, Why
from dialplan.deflection import deflected
from dialplan.facts import Facts, Origin, State
from dialplan.layout import Node, lay_out, rings_first
from dialplan.limit import admit
from dialplan.notation import E164, read
from dialplan.outside import emergency
from dialplan.plan import Extension, Plan
from dialplan.porting import is_reached
from dialplan.published import TRUNK, Published
from dialplan.ringing import seen_as
from dialplan.route import enter, go, to_number
from dialplan.target import Kind, Target

CALL_BACK_RING_S = 60  # of the phone that called for help; then the call goes its usual way
NO_NUMBERS: frozenset[str] = frozenset()
NOBODY = "-"  # version of a decision that no plan made

# Before a number: do not show mine. A 302 of a call that hides begins so, whatever the phone wrote itself.
HIDE = re.compile(r"^(?:\*31[*#])+(?:#31#)?")
CHOOSE = "*59"  # and a digit, before a number: show that one of my `caller_ids`
SHOW = "#31#"  # before a number: show mine, though my extension hides it; nobody says so of another's

_CHOICE = re.compile(r"\*59([1-9])\*?(.+)")
_INTERNAL = re.compile(r"[0-9]{1,8}")
_OWN_CALLS = {Origin.PHONE, Origin.CONSULT}
_WHY = {
    Origin.PHONE: Why.CALL,
    Origin.CONSULT: Why.CALL,
    Origin.TRANSFER: Why.TRANSFER,
    Origin.FORWARD: Why.FORWARD,
}


def decide(published: Published, facts: Facts, state: State, now: datetime) -> Decision:
    """Decide what happens to a call.

    Args:
        published: the plans in force.
        facts: the question.
        state: what the process knows besides.
        now: the instant, with a time zone.

    Returns:
        The decision: one to `MAX_STEPS` steps whose jumps only go forward, and why.
    """
    if facts.origin is Origin.TRUNK:
        return _from_trunk(published, facts, state, now)
    plan = published.plan_of_endpoint(facts.actor)
    if plan is None:
        return _nobody(
            published, state, now, Reason.UNKNOWN_ENDPOINT, f"no tenant has a phone {facts.actor!r}"
        )
    return _from_phone(published, facts, state, now, plan)


def _from_trunk(published: Published, facts: Facts, state: State, now: datetime) -> Decision:
    """Answer a carrier: whose number is it?"""
    number = published.number_brought(facts.dialled, published.notation_at(facts.endpoint))
    plan = published.plan_of_number(number)
    entry = plan.numbers.get(number) if plan else None
    if plan is None or entry is None:
        return _nobody(published, state, now, Reason.UNKNOWN_NUMBER, f"no tenant has {facts.dialled[:40]!r}")
    sheet = Sheet(_call(published, facts, state, now, plan, _outsider(published, facts, plan)))
    trunk = facts.endpoint.removeprefix(TRUNK)
    if facts.caller and not sheet.call.caller.number:
        text = f"{facts.caller[:40]!r} is no number as {trunk} is known to write them: it counts as none"
        sheet.note(f"trunks.{trunk}.numbers", text)
    if not is_reached(entry, number, now):
        text = f"{number} stood for {entry.stands_for}, which was ported; it was released since"
        return _finish(sheet, sheet.reject(Reason.UNKNOWN_NUMBER, f"numbers.{number}.porting", text))
    first = enter(sheet, Here(plan, (entry.today,)), entry, number)
    counted = admit(sheet, plan, trunk, first)
    return _finish(sheet, _called_back(sheet, plan, facts.helped, counted))


def _called_back(sheet: Sheet, plan: Plan, phone: str, otherwise: Node | None) -> Node | None:
    """Let the phone ring first that called for help and showed this number, whatever else is said.

    Neither hours, forwards, do-not-disturb nor block lists stand before it: the caller may be the
    emergency centre, which often shows no number. If the phone does not answer, the call goes its usual way.
    """
    if phone not in plan.endpoints:
        return otherwise
    sheet.note("emergency.call_back", f"{phone} called for help and rings first for {CALL_BACK_RING_S} s")
    ringing = Ring(endpoints=(phone,), timeout_s=CALL_BACK_RING_S, caller=seen_as(sheet, Here(plan)))
    node = Node(ringing)
    node.busy = node.no_answer = node.unreachable = otherwise
    return node


def _from_phone(published: Published, facts: Facts, state: State, now: datetime, plan: Plan) -> Decision:
    """Answer a device: what it dials, or where it sends a call that is not its own."""
    extension = plan.extensions[plan.endpoints[facts.actor]]
    if facts.dialled.startswith(CHOOSE) and (choice := _CHOICE.fullmatch(facts.dialled)):
        return _choosing(published, facts, state, now, plan, choice)
    dialled, hidden = _presentation(facts.dialled)
    if facts.actor != facts.endpoint:
        hidden = hidden or None  # who sends another's call on may hide that one's number, and never show it
    caller = _caller(published, facts, plan, now, hidden=hidden)
    sheet = Sheet(_call(published, facts, state, now, plan, caller))
    sheet.enter(plan)
    _note_presentation(sheet, facts, plan, hidden=hidden)
    if dialled.startswith(("*", "#")):
        node: Node | None = _code(sheet, facts, plan, extension, dialled)
    else:
        node = _dialled(sheet, Here(plan), extension, dialled, facts.origin)
    if node and facts.group and facts.origin is Origin.FORWARD:  # of no other call it means anything
        node = deflected(sheet, facts.group, node)
    return _finish(sheet, node)


def _choosing(  # noqa: PLR0913, PLR0917 — the four arguments of decide, and what was found out from them
    published: Published, facts: Facts, state: State, now: datetime, plan: Plan, choice: re.Match[str]
) -> Decision:
    """Answer a phone that chooses which of its extension's numbers is seen of this one call."""
    extension = plan.extensions[plan.endpoints[facts.actor]]
    which, dialled = int(choice[1]), choice[2]
    identity = extension.shows[which - 1] if which <= len(extension.shows) else None
    caller = _caller(published, facts, plan, now, hidden=False)
    if identity:
        caller = replace(caller, number=shown(identity, plan, now))
    sheet = Sheet(_call(published, facts, state, now, plan, caller))
    sheet.enter(plan)
    rule = f"extensions.{extension.number}.caller_ids"
    if identity is None or facts.origin not in _OWN_CALLS:
        text = f"{extension.number} has no number {which} to show in a call of its own"
        return _finish(sheet, sheet.reject(Reason.UNKNOWN_NUMBER, rule, text))
    sheet.note(rule, f"{caller.number} is shown in this call")
    if dialled not in plan.emergency:  # shown with what can be called back
        extension = replace(extension, owner=replace(extension.owner, identity=identity))
    return _finish(sheet, _dialled(sheet, Here(plan), extension, dialled, facts.origin))


def _note_presentation(sheet: Sheet, facts: Facts, plan: Plan, *, hidden: bool | None) -> None:
    """Write down who says that the caller's number is shown or not; of a caller outside nobody here does."""
    caller = sheet.call.caller
    if hidden is not None and caller.hidden is hidden:
        rule = "features.*31" if hidden else "features.#31"
        sheet.note(rule, f"the caller's number is {'not ' if hidden else ''}shown outside")
    elif caller.hidden and caller.tenant == plan.tenant:
        number = plan.endpoints.get(facts.endpoint, facts.caller)
        sheet.note(f"extensions.{number}.hide_number", "the caller's number is not shown outside")


def _code(sheet: Sheet, facts: Facts, plan: Plan, extension: Extension, dialled: str) -> Node:
    """Do what a feature code asks for."""
    code, argument = codes.read(dialled)
    return codes.dial(
        codes.Asked(
            sheet=sheet,
            here=Here(plan),
            extension=extension,
            code=code,
            argument=argument,
            endpoint=facts.actor,
            origin=facts.origin,
        )
    )


def _dialled(sheet: Sheet, here: Here, extension: Extension, dialled: str, origin: Origin) -> Node | None:
    """Read what was dialled: emergency first, then numbers inside, then numbers outside."""
    plan, sender = here.plan, Sender(extension.owner, DIALLED, _WHY[origin])
    if dialled in plan.emergency:
        return emergency(sheet, plan, dialled, extension.owner)
    if origin is Origin.FORWARD and (what := _loop(sheet.call, extension, dialled)):
        return sheet.reject(Reason.LOOP, DIALLED, what)
    if dialled in plan.extensions or dialled in plan.group_extensions:
        return go(sheet, here, Target(Kind.EXTENSION, dialled), sender)
    number = numbers.normalise(dialled, plan.country, plan.area_code)
    if number is None:
        return _no_number(sheet, plan, dialled)
    return to_number(sheet, here, number, sender)


def _loop(call: Call, extension: Extension, dialled: str) -> str:
    """Say what is wrong with a 302 of an extension's phone that sends a call round; else nothing.

    Places behind what was dialled that would ring a phone of the trail are refused on the way there.
    """
    if dialled == extension.number or call.went_round(dialled):
        return f"the call has been at {dialled} before"
    if not frozenset(call.trail[1:]).isdisjoint(extension.endpoints):
        return f"{extension.number} has sent this call on before"
    return f"more than {MAX_DIVERSIONS} phones have sent it on" if len(call.trail) > MAX_DIVERSIONS else ""


def _no_number(sheet: Sheet, plan: Plan, dialled: str) -> Node:
    if _INTERNAL.fullmatch(dialled):
        return sheet.reject(
            Reason.UNKNOWN_NUMBER, DIALLED, f"there is no extension {dialled} in {plan.tenant}"
        )
    return sheet.reject(Reason.INVALID_NUMBER, DIALLED, f"{dialled[:40]!r} is no telephone number")


def _presentation(dialled: str) -> tuple[str, bool | None]:
    """Read what is dialled before a number to hide or show one's own; None: as the extension says."""
    if dialled.startswith(SHOW) and dialled != SHOW:
        return dialled.removeprefix(SHOW), False
    bare = HIDE.sub("", dialled)
    return bare, True if bare != dialled else None


def _caller(published: Published, facts: Facts, plan: Plan, now: datetime, *, hidden: bool | None) -> Caller:
    """Find out who calls: a phone of ours, or somebody outside whose call a phone sends elsewhere."""
    home = published.plan_of_endpoint(facts.endpoint)
    if home is not None:
        caller = _insider(home, home.endpoints[facts.endpoint], now, endpoint=facts.endpoint, hidden=hidden)
        # Of a 302 and of a call made by keys it is no phone's channel that asks: nobody presses keys on it.
        at_the_phone = facts.origin in {Origin.PHONE, Origin.TRANSFER}
        return caller if at_the_phone else replace(caller, keys=None)
    caller = _outsider(published, facts, plan)
    return replace(caller, hidden=True) if hidden else caller


def _insider(
    plan: Plan, extension: str, now: datetime, *, endpoint: str = "", hidden: bool | None = None
) -> Caller:
    found = plan.extensions[extension]
    number = shown(found.owner.identity, plan, now)
    keys = found.keys if endpoint else None
    hides = found.hides if hidden is None else hidden
    return Caller(number=number, hidden=hides, tenant=plan.tenant, endpoint=endpoint, keys=keys)


def _outsider(published: Published, facts: Facts, plan: Plan) -> Caller:
    """Read who calls from outside. Phones show what came, unless nobody could call it back so."""
    as_it_came = numbers.normalise(facts.caller, plan.country) or ""
    notation = published.notation_at(facts.endpoint)
    number = as_it_came if notation is E164 else read(facts.caller, notation) or as_it_came
    return Caller(number=number, hidden=not number, rewritten=number != as_it_came)


def _call(  # noqa: PLR0913, PLR0917 — the four arguments of decide, and what was found out from them
    published: Published, facts: Facts, state: State, now: datetime, plan: Plan, caller: Caller
) -> Call:
    known = _diverters(published, facts, plan) if facts.diversions else ()
    sent_on = max(0, len(facts.trail) - 1)  # by phones of ours before the one that does it now
    return Call(
        published=published,
        state=state,
        now=now,
        caller=caller,
        id=facts.call,
        diverted=frozenset([*facts.diversions, *known]) if facts.diversions else NO_NUMBERS,
        diversions=max(len(facts.diversions), facts.diversion_count) + sent_on,
        diverters=known[:MAX_DIVERSIONS],
        trail=facts.trail or ((facts.actor,) if facts.origin is Origin.FORWARD else ()),
    )


def _diverters(published: Published, facts: Facts, plan: Plan) -> tuple[str, ...]:
    """Give the numbers that have diverted a call, each once, as far as they are any."""
    notation = published.notation_at(facts.endpoint)
    normal = (published.number_written(number, plan.country, notation) for number in facts.diversions)
    return tuple(dict.fromkeys(number for number in normal if number))


def _nobody(published: Published, state: State, now: datetime, reason: Reason, text: str) -> Decision:
    """Refuse a question that belongs to no tenant."""
    sheet = Sheet(Call(published=published, state=state, now=now, caller=Caller(number="")))
    return _finish(sheet, sheet.reject(reason, "published", text))


def _note_keys(sheet: Sheet, steps: Sequence[Step]) -> None:
    """Write down what may be pressed to transfer the call, by whichever side is a phone that may."""
    calling = [one.calling_keys for one in steps if isinstance(one, (Ring, Outside)) and one.calling_keys]
    for keys in dict.fromkeys(calling):  # in the order of the steps, each once
        sheet.note("transfer_keys", f"the caller's phone may transfer by {keys}")
    called = [one.called_keys for one in steps if isinstance(one, Ring) and one.called_keys]
    for keys in dict.fromkeys(called):
        sheet.note("transfer_keys", f"who answers in {keys.tenant} may transfer by {keys}")


def _finish(sheet: Sheet, first: Node | None) -> Decision:
    """Write the decision down. A call that nothing happens to is refused: nobody is there."""
    node = first or sheet.reject(Reason.UNKNOWN_NUMBER, DIALLED, "nobody is there")
    steps, cut = lay_out(node)
    if cut:
        sheet.note("limits", f"more than {len(steps)} steps would be needed; the call ends after these")
    _note_keys(sheet, steps)
    version = "+".join(sheet.versions) or NOBODY
    hunts = [replace(one.hunt, at_once=one.first is rings_first(node)) for one in sheet.hunts]
    return Decision(
        version=version,
        steps=steps,
        because=tuple(sheet.because),
        changes=tuple(sheet.changes),
        hunts=tuple(hunts),
    )
