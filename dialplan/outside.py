"""Leaving the house over a trunk: who may, who pays, and what the far end sees.

Owns the rules of the leg that costs money. Refuses numbers that are ours or another tenant's: these stay
on-net (`dialplan.route`).
"""

from dialplan import blind, credit, limit
from dialplan.call import MAX_DIVERSIONS, Here, Sender, Sheet, shown
from dialplan.carriers import Carriers, chosen
from dialplan.decision import Outside, Reason, Why
from dialplan.facts import State
from dialplan.layout import Node
from dialplan.notation import E164, written
from dialplan.plan import Owner, Plan
from dialplan.porting import is_reached
from dialplan.presentation import USUAL, in_words
from dialplan.rights import Refusal, refusal

OUTSIDE_RING_S = 60


def leave(sheet: Sheet, here: Here, number: str, sender: Sender) -> Node:
    """Send a call out to an E.164 number, or refuse with the reason.

    A call of one's own (`why` is call) shows the owner's number. Any other is diverted: it shows the original
    caller, names the number of ours that diverts it, and dies if that number or the called one has diverted
    it before.
    """
    owner, by = sender.owner, diverting(sheet, here, sender)
    trunks, route = _trunks(sheet, here.plan, number)
    refused = (
        not_allowed(sheet, here.plan, number, sender)
        or _round(sheet, here, by, number, sender)
        or (None if trunks else _no_trunk(here.plan, number, route, sender))
        or _blind(sheet, here.plan, number, sender)
    )
    if refused:
        return sheet.reject(refused.reason, refused.rule, refused.text)
    caller = sheet.call.caller
    presented = caller.number if by else shown(owner.identity, here.plan, sheet.call.now)
    seen = presented if presented and not caller.hidden else "no number"
    sheet.note(sender.rule, f"{_VERB[sender.why]} {number}, paid by {owner.payer}, showing {seen}")
    if route:
        sheet.note(route, f"{number} leaves by {', '.join(trunks)}")
    step = Outside(
        trunks=trunks,
        number=number,
        presented=presented,
        network=by or owner.identity.network,
        hidden=caller.hidden,
        diverting=by,
        diverted=(*reversed(here.diverted), *sheet.call.diverters)[:MAX_DIVERSIONS] if by else (),
        diversions=sheet.call.diversions + len(here.diverted) + 1 if by else 0,
        diversion_reason=here.reason if by else "",
        payer=owner.payer,
        why=sender.why,
        timeout_s=OUTSIDE_RING_S,
        limit_s=_limit_s(sheet.call.state),
        calling_keys=caller.keys,
        limits=(*sheet.call.published.carriers.limits(trunks), *limit.of_leg(here.plan, owner)),
    )
    _note_presentation(sheet, step)
    published, is_blind = sheet.call.published, sheet.call.state.blind
    if credit.is_prepaid(step, published):
        if is_blind:
            return sheet.reject(
                Reason.CREDIT_UNKNOWN, sender.rule, credit.refused_words(step, credit.UNKNOWN)
            )
        sheet.note(sender.rule, "paid from credit: whoever keeps it says whether, and for how long")
    elif credit.needs_credit(step, published) and not is_blind:
        sheet.note(sender.rule, "below spend limits: whoever counts says whether, and for how long")
    return Node(step)


def _trunks(sheet: Sheet, plan: Plan, number: str) -> tuple[tuple[str, ...], str]:
    """Choose the trunks of a call, in the order to try, and name the route that chose them, if one did."""
    carriers = sheet.call.published.carriers
    if not plan.routes and not carriers.routes:
        return plan.usable_trunks, ""
    return chosen(number, own=plan.routes, usable=plan.usable_trunks, carriers=carriers)


def _note_presentation(sheet: Sheet, step: Outside) -> None:
    """Write down what carriers are told who want it in another way, or numbers in another form, than most."""
    carriers = sheet.call.published.carriers
    if not (carriers.presentation or carriers.notations):
        return
    for trunk in step.trunks:
        if trunk in carriers.presentation or trunk in carriers.notations:
            sheet.note(f"trunks.{trunk}", _told(step, carriers, trunk))


def _told(step: Outside, carriers: Carriers, trunk: str) -> str:
    notation = carriers.notations.get(trunk, E164)
    told = in_words(
        carriers.presentation.get(trunk, USUAL),
        presented=written(step.presented, notation),
        network=written(step.network, notation),
        hidden=step.hidden,
    )
    called = written(step.number, notation)
    return f"is told {told}" if called == step.number else f"is asked for {called} and told {told}"


def diverting(sheet: Sheet, here: Here, sender: Sender) -> str:
    """Name the number of ours that diverts a call: the one that was called, else the sender's own.

    Nothing for a call of one's own. After a porting the old provider goes on forwarding N to T for a while:
    that N has diverted such a call is no loop, and it is T that diverts it now.
    """
    if sender.why is Why.CALL:
        return ""
    by = here.entered_by or sender.owner.identity.network
    number = here.plan.numbers.get(by) if by in sheet.call.diverted else None
    goes_on = number and number.stands_for == by and is_reached(number, number.number, sheet.call.now)
    return number.number if number and goes_on else by


def not_allowed(sheet: Sheet, plan: Plan, number: str, sender: Sender) -> Refusal | None:
    """Say why the rights of a call's owner do not cover a number; None: they do."""
    owner = sender.owner
    rights = owner.may_forward if sender.why is Why.FORWARD else owner.may_call
    found = refusal(rights, number, country=plan.country, now=sheet.call.now, zone=plan.zone)
    if found is None:
        return None
    text = f"{owner.payer} may not call {number}: it {found.text}"
    return Refusal(found.reason, found.rule or sender.rule, text)


def _round(sheet: Sheet, here: Here, by: str, number: str, sender: Sender) -> Refusal | None:
    if by and sheet.call.went_round(by, number, more=len(here.diverted)):
        text = f"{by} or {number} has diverted this call before, or {MAX_DIVERSIONS} others have"
        return Refusal(Reason.LOOP, sender.rule, text)
    return None


def _no_trunk(plan: Plan, number: str, route: str, sender: Sender) -> Refusal:
    """Refuse a call for which the machine has no trunk, or none of those that the tenant names."""
    named_by = route or (plan.tenant if plan.own_trunks is not None else "")
    gone = f": those that {named_by} names are not on this machine" if named_by else ""
    return Refusal(Reason.NO_TRUNK, route or sender.rule, f"no trunk leads to {number}{gone}")


def _blind(sheet: Sheet, plan: Plan, number: str, sender: Sender) -> Refusal | None:
    if sheet.call.state.blind and not blind.may_reach(plan, number):
        return Refusal(Reason.BLIND, sender.rule, blind.refused_words(number))
    return None


def emergency(sheet: Sheet, plan: Plan, dialled: str, owner: Owner) -> Node:
    """Send an emergency call out: no right, limit or credit stands before it; its number can be called back.

    The constant dialplan lets these calls out before it asks; this is for the day when it does not.
    """
    if not plan.trunks:
        return sheet.reject(Reason.NO_TRUNK, "emergency", f"no trunk leads to {dialled}")
    sheet.note("emergency", f"{dialled} is an emergency number in {plan.country} and leaves at once")
    phone = next((one for one in plan.phones if one.endpoint == sheet.call.caller.endpoint), None)
    if phone and phone.location:
        sheet.note(
            "locations", f"trunks that take it are told where {phone.endpoint} stands: {phone.location}"
        )
    return Node(
        Outside(
            trunks=plan.trunks,
            number=dialled,
            presented=owner.identity.network,
            network=owner.identity.network,
            payer=owner.payer,
            why=Why.EMERGENCY,
            timeout_s=OUTSIDE_RING_S,
        )
    )


def _limit_s(state: State) -> int:
    longest = state.longest_call_s
    return min(blind.LIMIT_S, longest or blind.LIMIT_S) if state.blind else longest


_VERB = {Why.CALL: "calls", Why.FORWARD: "forwards to", Why.TRANSFER: "transfers to"}
