"""Where an extension sends its calls on: what its user switched first, then the document, then its mailbox.

Owns the order in which these speak, and do-not-disturb. Refuses to follow a forward (`dialplan.route`) and to
say whether its owner may (`dialplan.outside`).
"""

from dataclasses import dataclass
from typing import Literal

from dialplan import blind
from dialplan.call import Caller, Here, Sheet
from dialplan.plan import Extension, ForwardRule
from dialplan.quick import quick
from dialplan.screening import pattern_of
from dialplan.switch import FORWARDS, OFF, SwitchKind
from dialplan.target import Kind, Target, parse

When = Literal["always", "busy", "no_answer", "unreachable"]

IN_WORDS: dict[When, str] = {
    "always": "at once",
    "busy": "when busy",
    "no_answer": "when nobody answers",
    "unreachable": "when no phone is registered",
}


@quick
@dataclass(frozen=True, slots=True)
class Forward:
    """A forward that applies: where to, and the rule that says so."""

    to: Target
    rule: str


def forward_of(sheet: Sheet, here: Here, extension: Extension, when: When) -> Forward | None:
    """Give the forward that applies to a call; None: the call is not sent on.

    A forward that is switched off leaves the call to the mailbox. What says nothing of unreachable phones
    treats them like phones that nobody answers. A mailbox takes what no forward takes, but never at once.
    """
    said = _said(sheet, here, extension, when)
    if said is None and when == "unreachable":
        said = _said(sheet, here, extension, "no_answer")
    if isinstance(said, Forward):
        return said
    if when == "always" or not extension.mailbox:
        return None
    return Forward(Target(Kind.VOICEMAIL, extension.number), f"extensions.{extension.number}.voicemail")


def is_undisturbed(sheet: Sheet, here: Here, number: str) -> bool:
    """Tell whether the user of an extension wants no phone of theirs to ring now."""
    return bool(sheet.switched(here.plan.tenant, SwitchKind.DO_NOT_DISTURB, number))


def _said(sheet: Sheet, here: Here, extension: Extension, when: When) -> Forward | Literal["off"] | None:
    """Give what switch or document say of one case; None: nothing."""
    kind = FORWARDS[when]
    switched = sheet.switched(here.plan.tenant, kind, extension.number)
    if switched == OFF:
        return "off"
    target = parse(switched) if switched else None
    if target and _is_out_of_reach(sheet, here, target):
        text = f"{blind.refused_words(target.name)}: the switch is passed over"
        sheet.note(f"switches.{extension.number}.{kind}", text)
    elif target:
        return Forward(target, f"switches.{extension.number}.{kind}")
    for index, rule in enumerate(extension.forwards.rules):
        if when in rule.targets and _fits(rule, sheet.call.caller, here):
            path = f"extensions.{extension.number}.forward.rules.{index}.{when}"
            return Forward(rule.targets[when], path)
    written: Target | None = getattr(extension.forwards, when)
    return Forward(written, f"extensions.{extension.number}.forward.{when}") if written else None


def _is_out_of_reach(sheet: Sheet, here: Here, target: Target) -> bool:
    """Tell whether a user has switched calls to a number outside that may not be called blindly.

    What the document names may be; anybody at a phone can switch, and would so call wherever they like.
    """
    if not sheet.call.state.blind or target.kind is not Kind.NUMBER:
        return False
    outside = sheet.call.published.plan_of_number(target.name) is None
    return outside and not blind.may_reach(here.plan, target.name)


def _fits(rule: ForwardRule, caller: Caller, here: Here) -> bool:
    """Tell whether a rule speaks of a call: of its caller, and of the number by which it came in."""
    if rule.callers and pattern_of(rule.callers, caller, here.plan.tenant) is None:
        return False
    return not rule.numbers or here.entered_by in rule.numbers
