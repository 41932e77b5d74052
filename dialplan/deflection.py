"""A phone that a ring group rings sends the call elsewhere by a 302.

Owns what of it the group allows: nothing where it ignores its members' forwards, else what a member's own
forward may do (`dialplan.ringing`): phones ring, somebody outside has to press 1. Refuses what takes a call
by itself: a mailbox would take it from all the others that ring.
"""

from dataclasses import replace

from dialplan.call import Sheet
from dialplan.decision import Outside, Reason, Reject, Ring
from dialplan.layout import Node


def deflected(sheet: Sheet, name: str, node: Node) -> Node:
    """Give what may become of a group's call that a member's phone sends to where `node` is.

    Args:
        sheet: of the call.
        name: of the group, `<tenant>/<group>`; one that is gone meanwhile obeys no forward.
        node: what would become of a call to that place.
    """
    tenant, _, short = name.partition("/")
    plan = sheet.call.published.plans.get(tenant)
    group = plan.groups.get(short) if plan else None
    if plan is None or group is None or not group.obeys_forwards:
        text = f"group {name} lets no member send its calls elsewhere"
        return sheet.reject(Reason.NOT_ALLOWED, f"groups.{short}.members_forward", text)
    match node.step:
        case Reject():
            return node
        case Ring() as step:
            return Node(replace(step, group=name), joined=node.joined)
        case Outside() as step:
            sheet.note(f"groups.{short}.members_forward", "who answers outside has to press 1")
            return Node(replace(step, confirm=plan.language))
        case _:
            text = f"nobody but phones takes a call of group {name}"
            return sheet.reject(Reason.NOT_ALLOWED, f"groups.{short}.members_forward", text)
