"""How many calls at once: the groups in which Asterisk counts them, and the limits that go with a decision.

Owns which calls are counted where. Refuses to count: Asterisk does, so that a limit holds whoever decides
(control, standby), and is right again as soon as a channel is gone. An emergency call never comes here.

A call is counted and then compared. Two that come at the same instant for the last place may both be refused;
there are never more than the limit says.
"""

from dialplan.call import Sheet
from dialplan.decision import Admit, Limit
from dialplan.layout import Node
from dialplan.plan import NO_LIMITS, Owner, Plan

IN, OUT, ALL, PAYER = "in", "out", "all", "payer"  # categories


def of_leg(plan: Plan, owner: Owner) -> tuple[Limit, ...]:
    """Give the limits of a leg that leaves over a trunk."""
    if plan.limits is NO_LIMITS and not owner.max_outbound:
        return ()
    limits = (
        Limit(most=plan.limits.outbound, group=plan.tenant, category=OUT),
        Limit(most=plan.limits.calls, group=plan.tenant, category=ALL),
        Limit(most=owner.max_outbound, group=owner.payer, category=PAYER),
    )
    return tuple(one for one in limits if one.most)


def _of_call(plan: Plan) -> tuple[Limit, ...]:
    """Give the limits of a call that a trunk brings to a tenant."""
    if plan.limits is NO_LIMITS:
        return ()
    limits = (
        Limit(most=plan.limits.inbound, group=plan.tenant, category=IN),
        Limit(most=plan.limits.calls, group=plan.tenant, category=ALL),
    )
    return tuple(one for one in limits if one.most)


def admit(sheet: Sheet, plan: Plan, trunk: str, first: Node | None) -> Node | None:
    """Count a call that a trunk brings before anything happens to it, where somebody has a limit."""
    counted = (*_of_call(plan), *sheet.call.published.carriers.counted(trunk))
    if first is None or not counted:
        return first
    for one in counted:
        if one.most:
            key = "max_inbound" if one.category == IN else "max_calls"
            calls = "1 call" if one.most == 1 else f"{one.most} calls"
            sheet.note(key, f"refused if {plan.tenant} has {calls} already")
    return Node(Admit(limits=counted), then=first)
