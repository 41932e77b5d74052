"""The life of a number: ordered, temporary, porting, ported, released.

Owns which stage a number is in at an instant, which call shows that a porting has happened, and the words
for who confirmed one. Refuses to change anything: a stage changes by a revision of the document, or because
its instant has come.

A temporary number T stands for the customer's own number N, which lives at the old provider and is forwarded
from there. A planned porting is a plan and no fact: N counts as ported once that is confirmed, by the
carrier's message, by the first call to N that a trunk of ours brings, or by hand. From then on N is what we
show and what can be called back, and T works on for a time of grace.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dialplan.facts import Facts, Origin
from dialplan.plan import Number, Porting
from dialplan.published import Published
from dialplan.spec import PortingSpec


class Stage(StrEnum):
    """Where a number stands in its life."""

    OWN = "own"  # ours for good: it stands for no other
    ORDERED = "ordered"  # not ours yet: nothing is shown with it, nobody is called back by it
    TEMPORARY = "temporary"
    PORTING = "porting"  # a day is planned
    PORTED = "ported"
    RELEASED = "released"


def stage(number: Number, now: datetime) -> Stage:
    """Give the stage of a number at an instant with a time zone."""
    if number.ordered:
        return Stage.ORDERED
    if not number.stands_for:
        return Stage.OWN
    if number.released_at is not None:
        return Stage.RELEASED if now >= number.released_at else Stage.PORTED
    return Stage.PORTING if number.planned_at else Stage.TEMPORARY


def is_reached(number: Number, dialled: str, now: datetime) -> bool:
    """Tell whether a number still leads to its tenant: a temporary one does not once it is released."""
    return dialled != number.number or stage(number, now) is not Stage.RELEASED


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A call that shows that a number has been ported.

    Attributes:
        tenant: whose number it is.
        number: the number that was ported, N.
        call: UniqueID of the call.
    """

    tenant: str
    number: str
    call: str


def confirmation(published: Published, facts: Facts) -> Confirmation | None:
    """Find out whether a call confirms a planned porting: a trunk brings it to N itself.

    While N lives at the old provider, its calls reach us forwarded to T. One that N has diverted proves
    nothing.
    """
    if facts.origin is not Origin.TRUNK:
        return None
    notation = published.notation_at(facts.endpoint)
    brought = published.number_brought(facts.dialled, notation)
    plan = published.plan_of_number(brought)
    number = plan.numbers.get(brought) if plan else None
    if plan is None or number is None or number.stands_for != brought:
        return None
    if any(published.number_written(one, plan.country, notation) == brought for one in facts.diversions):
        return None
    if number.planned_at is None or number.released_at is not None:
        return None
    return Confirmation(tenant=plan.tenant, number=brought, call=facts.call)


def by_whom(known: PortingSpec | Porting) -> str:
    """Say who confirmed a porting, "by the carrier's message WBCI-7"."""
    reference = f" {known.reference}" if known.reference else ""
    if known.by == "call":
        message = f" and by the carrier's message {known.message}" if known.message else ""
        return f"by the first call{reference}{message}"
    if known.by == "carrier":
        return f"by the carrier's message{reference}"
    return f"by hand, the carrier's message is{reference}" if reference else "by hand"
