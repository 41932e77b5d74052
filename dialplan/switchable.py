"""Whether a switch may be set: its subject is there, its value is one, and it may lead where it leads.

Owns the check of a switch that comes from elsewhere than a phone's code, where a later kind adds its row to
`_VALUES`, and which switches go with what a document no longer has. Refuses to set or clear one.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from dialplan import numbers
from dialplan.attendance import groups_of
from dialplan.call import Call, Caller, Here, Sheet
from dialplan.codes import objection
from dialplan.facts import State
from dialplan.finding import closest
from dialplan.plan import Plan
from dialplan.published import Published
from dialplan.switch import DAY, FORWARDS, NIGHT, OFF, ON, SPECIAL, Switch, SwitchKind
from dialplan.target import Kind, parse

MOST_NAMED = 12  # in a remedy; a line is no telephone book


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a switch is refused, and what to do about it."""

    message: str
    remedy: str


def mistake(published: Published, state: State, switch: Switch, now: datetime) -> Mistake | None:
    """Give what is wrong with a switch; None: it may be set."""
    plan = published.plans.get(switch.tenant)
    if plan is None:
        remedy = closest(switch.tenant, published.plans, "publish it with `pbxcore apply`")
        return Mistake(f"no tenant {switch.tenant} is in force", remedy)
    if switch.until is not None and switch.until <= now:
        return Mistake("it would have run out already", "give an instant that is to come")
    sheet = Sheet(Call(published=published, state=state, now=now, caller=Caller(number="")))
    return _VALUES[switch.kind](sheet, plan, switch)


def has_place(plan: Plan, switch: Switch) -> bool:
    """Tell whether a plan has what a switch is of: an extension, its group, a time rule, a special way.

    What has none goes: the next extension, group or rule of that name begins as its document says.
    """
    if switch.kind is SwitchKind.HOURS:
        rule = plan.hours.get(switch.subject)
        return rule is not None and (switch.value != SPECIAL or rule.special is not None)
    number, _, group = switch.subject.partition("/")
    extension = plan.extensions.get(number)
    if extension is None or not group:
        return extension is not None
    return any(one.name == group for one in groups_of(plan, extension))


def _do_not_disturb(_sheet: Sheet, plan: Plan, switch: Switch) -> Mistake | None:
    if switch.value != ON:
        return Mistake(f"{switch.value!r} is no value for {switch.kind}", "write on, or clear it")
    return _no_extension(plan, switch.subject)


def _forward(sheet: Sheet, plan: Plan, switch: Switch) -> Mistake | None:
    missing = _no_extension(plan, switch.subject)
    if missing or switch.value == OFF:
        return missing
    target = parse(switch.value)
    if target is None or (target.kind is Kind.NUMBER and not numbers.is_e164(target.name)):
        return Mistake(
            f"{switch.value!r} is no place to send a call to",
            'write "number +436641234567", "extension 11", or off',
        )
    reason = objection(sheet, Here(plan), plan.extensions[switch.subject], switch)
    if reason:
        text = f"calls to {switch.subject} may not be sent on to {target}: {reason}"
        return Mistake(text, "choose another place, or widen the extension's may_call")
    return None


def _logged_out(_sheet: Sheet, plan: Plan, switch: Switch) -> Mistake | None:
    number, slash, group = switch.subject.partition("/")
    if switch.value != ON and not (slash and switch.value == OFF):
        return Mistake(f"{switch.value!r} is no value for {switch.kind}", "write on, or clear it")
    missing = _no_extension(plan, number)
    if missing or not slash:
        return missing
    groups = [one.name for one in groups_of(plan, plan.extensions[number])]
    remedy = f"name one of: {' '.join(groups)}" if groups else "add it to a group first"
    return None if group in groups else Mistake(f"{number} is no member of group {group}", remedy)


def _hours(_sheet: Sheet, plan: Plan, switch: Switch) -> Mistake | None:
    rule = plan.hours.get(switch.subject)
    if rule is None:
        return Mistake(f"there are no hours {switch.subject} in {plan.tenant}", _those(plan.hours))
    values = [DAY, NIGHT, *([SPECIAL] if rule.special else [])]
    remedy = f"write one of: {' '.join(values)}, or clear it"
    return None if switch.value in values else Mistake(f"hours {rule.name} has no {switch.value!r}", remedy)


def _no_extension(plan: Plan, subject: str) -> Mistake | None:
    if subject in plan.extensions:
        return None
    return Mistake(f"there is no extension {subject} in {plan.tenant}", _those(plan.extensions))


def _those(names: Collection[str]) -> str:
    more = len(names) - MOST_NAMED
    listed = ", ".join(list(names)[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"it has {listed}" if listed else "it has none"


_VALUES: Mapping[SwitchKind, Callable[[Sheet, Plan, Switch], Mistake | None]] = {
    **dict.fromkeys(FORWARDS.values(), _forward),
    SwitchKind.DO_NOT_DISTURB: _do_not_disturb,
    SwitchKind.LOGGED_OUT: _logged_out,
    SwitchKind.HOURS: _hours,
}
