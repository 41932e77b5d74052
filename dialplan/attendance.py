"""Who is there for a ring group's calls: members log out of one group or all, and in again.

Owns what the switches of members mean together. Refuses do-not-disturb, which keeps every call away
(`dialplan.forwarding`).

Two switches speak of a member: one of the extension, for all its groups, and one of the extension in one
group, which comes before. So somebody can be out of all groups but one, and what was asked for last holds.
"""

from collections.abc import Iterator

from dialplan.call import Sheet
from dialplan.plan import Extension, Group, Plan
from dialplan.switch import CLEARED, OFF, ON, SwitchKind


def subject(extension: str, group: str) -> str:
    """Name the switch of an extension in one group, by the group's name."""
    return f"{extension}/{group}"


def is_logged_out(sheet: Sheet, tenant: str, extension: str, group: str) -> bool:
    """Tell whether an extension takes no calls of a group now."""
    kind = SwitchKind.LOGGED_OUT
    said = sheet.switched(tenant, kind, subject(extension, group)) or sheet.switched(tenant, kind, extension)
    return said == ON


def all_groups(sheet: Sheet, plan: Plan, extension: Extension, *, out: bool) -> Iterator[tuple[str, str]]:
    """Give what has to be switched, and to which value, to log an extension out of all groups or in again."""
    yield extension.number, ON if out else CLEARED
    for group in groups_of(plan, extension):
        one = subject(extension.number, group.name)
        if sheet.switched(plan.tenant, SwitchKind.LOGGED_OUT, one):
            yield one, CLEARED


def one_group(group: Group, extension: Extension, *, out: bool) -> tuple[str, str]:
    """Give what has to be switched, and to which value, for one group."""
    return subject(extension.number, group.name), ON if out else OFF


def groups_of(plan: Plan, extension: Extension) -> Iterator[Group]:
    """Give the groups whose calls ring an extension, through other groups too."""
    payer = extension.owner.payer
    return (group for group in plan.groups.values() if any(payer in one.payers for one in group.members))
