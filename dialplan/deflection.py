"""A phone that a ring group rings sends the call elsewhere by a 302.

Owns what of it the group allows: nothing where it ignores its members' forwards, else what a member's own
forward may do (`dialplan.ringing`): phones ring, somebody outside has to press 1. Refuses what takes a call
by itself: a mailbox would take it from all the others that ring.
"""

from dataclasses import replace

from dialplan.call import Sheet
from dialplan.decision import Outside, Reason, Reject, Ring, Why
from dialplan.layout import Node


def deflected(sheet: Sheet, name: str, node: Node) -> Node:
    """Give what may become of a group's call that a member's phone sends to where `node` is.

    Args:
        sheet: of the call.
        name: of the group, `<tenant>/<group>`; one that is gone meanwhile obeys no forward.
        node: what would become of a call to that place.
    """
    if isinstance(node.step, Outside) and node.step.why is Why.EMERGENCY:
        return node
    tenant, _, short = name.partition("/")
    plan = sheet.call.published.plans.get(tenant)
    group = plan.groups.get(short) if plan else None
    if plan is None or group is None or not group.obeys_forwards:
        return _refused(sheet, short, f"group {name} lets no member send its calls elsewhere")
    node.busy = node.no_answer = node.unreachable = None  # the group goes on when it comes back
    match node.step:
        case Reject():
            return node
        case Ring() as step:
            node.step = replace(step, group=name)
        case Outside() as step:
            sheet.note(f"groups.{short}.members_forward", "who answers outside has to press 1")
            node.step = replace(step, confirm=plan.language)
        case _:
            return _refused(sheet, short, f"nobody but phones takes a call of group {name}")
    return node


def _refused(sheet: Sheet, group: str, text: str) -> Node:
    """Refuse it; no other group's turn passes by a call that does not come to it."""
    sheet.hunts.clear()
    return sheet.reject(Reason.NOT_ALLOWED, f"groups.{group}.members_forward", text)
