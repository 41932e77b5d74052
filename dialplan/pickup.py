"""Picking up: a phone takes a call that rings at others, of its groups (`*8`) or of one extension (`**11`).

Owns whose calls an extension may take, and at which phones they would ring. Refuses to say whether one rings:
Asterisk knows that at the instant of the call, and takes it then.
"""

from collections.abc import Iterator

from dialplan.attendance import groups_of
from dialplan.plan import Extension, Group, Plan

ROOM = 1_800  # bytes of a step in which phones are named; of a larger group the first ones are


def phones_of_groups(plan: Plan, extension: Extension, phone: str) -> tuple[str, ...]:
    """Give the phones of all who share a group with an extension, its own first, but not the asking one."""
    members = (member for group in groups_of(plan, extension) for member in group.members)
    found = dict.fromkeys([*extension.endpoints, *(one for member in members for one in member.endpoints)])
    return tuple(_fitting(one for one in found if one != phone))


def phones_of(plan: Plan, number: str, phone: str) -> tuple[str, ...]:
    """Give the phones of an extension or of a group by its extension, but not the one that asks."""
    own = plan.extensions.get(number)
    group = _group(plan, number)
    rung = own.endpoints if own else ()
    if group:
        rung = tuple(dict.fromkeys(one for member in group.members for one in member.endpoints))
    return tuple(_fitting(one for one in rung if one != phone))


def may_take(plan: Plan, extension: Extension, number: str) -> bool:
    """Tell whether an extension may take calls of another, or of a group's own extension."""
    if extension.picks_up == "anybody":
        return True
    shared = list(groups_of(plan, extension)) if extension.picks_up == "groups" else []
    payer = f"{plan.tenant}/{number}"
    return _group(plan, number) in shared or any(
        payer in member.payers for group in shared for member in group.members
    )


def _group(plan: Plan, number: str) -> Group | None:
    return plan.groups.get(plan.group_extensions.get(number, ""))


def _fitting(phones: Iterator[str]) -> Iterator[str]:
    """Give as many phones as one step can name."""
    room = ROOM
    for one in phones:
        room -= len(one) + 1
        if room < 0:
            return
        yield one
