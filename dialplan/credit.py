"""What a decision has to ask before it may be sent: its legs that credit or spend limits may end.

Owns which legs these are, and how long a call may ring before one is answered. Refuses to know money: the
answer comes back as a value (`Credit`), and makes of each of these legs one with an end, or a refusal. Where
no answer came, what is paid from credit is refused, and what is invoiced leaves as the standby lets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dialplan import blind
from dialplan.call import CAUSES
from dialplan.decision import Because, Decision, Outside, Play, Reason, Reject, Ring, Step, Why
from dialplan.published import Published

PLAY_S = 600  # no announcement is longer; only how long money is set aside for a call that rings hangs on it
AROUND_S = 5  # what is neither ring nor announcement


@dataclass(frozen=True, slots=True)
class Credit:
    """What was said of a leg that credit or limits may end.

    Attributes:
        limit_s: how long it may last; 0: not at all.
        reference: what is set aside for it; stands on the leg.
        refused: why not, in the word of a reason.
    """

    limit_s: int
    reference: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditQuestion:
    """May this leg leave, and for how long?

    Attributes:
        step: its number in the decision; two legs to one number are two, each may be answered.
        payer: `<tenant>/<extension>`.
        number: called number, E.164.
        why: why it leaves.
        answer_within_s: how long until it is answered at the latest.
    """

    step: int
    payer: str
    number: str
    why: Why
    answer_within_s: int


def questions(decision: Decision, published: Published) -> tuple[CreditQuestion, ...]:
    """Find the legs of a decision that credit or limits may end."""
    legs = [
        (number, step)
        for number, step in enumerate(decision.steps, 1)
        if isinstance(step, Outside) and needs_credit(step, published)
    ]
    if not legs:
        return ()
    within_s = AROUND_S + sum(map(_longest_s, decision.steps))
    return tuple(
        CreditQuestion(
            step=number, payer=step.payer, number=step.number, why=step.why, answer_within_s=within_s
        )
        for number, step in legs
    )


def needs_credit(step: Outside, published: Published) -> bool:
    """Tell whether a leg must be asked for; an emergency never is."""
    limited = step.why is not Why.EMERGENCY and _tenant(step) in published.limited
    return limited or is_prepaid(step, published)


def is_prepaid(step: Outside, published: Published) -> bool:
    """Tell whether a leg costs its tenant credit; an emergency never does."""
    return step.why is not Why.EMERGENCY and _tenant(step) in published.prepaid


def with_credit(decision: Decision, published: Published, said: Mapping[int, Credit]) -> Decision:
    """Let legs leave for as long as their credit lasts; those without any become refusals.

    Args:
        decision: with legs that nobody was asked about.
        published: by which they were found.
        said: by number of the step, what was said; a leg that is missing was not answered.
    """
    because = list(decision.because)
    steps = tuple(
        _with_credit(step, said.get(number, UNKNOWN), published, because)
        if isinstance(step, Outside) and needs_credit(step, published)
        else step
        for number, step in enumerate(decision.steps, 1)
    )
    return replace(decision, steps=steps, because=tuple(because))


def _with_credit(step: Outside, said: Credit, published: Published, because: list[Because]) -> Step:
    if said.limit_s > 0:
        limit_s = min(said.limit_s, step.limit_s or said.limit_s)
        because.append(Because(rule="credit", text=f"{step.number} at first for {limit_s} s"))
        return replace(step, limit_s=limit_s, credit=said.reference)
    reason = _REASONS.get(said.refused, Reason.CREDIT_UNKNOWN)
    if reason is Reason.CREDIT_UNKNOWN and not is_prepaid(step, published):
        return _blindly(step, published, because)
    because.append(Because(rule="credit", text=refused_words(step, said)))
    return Reject(cause=CAUSES[reason], reason=reason)


def _blindly(step: Outside, published: Published, because: list[Because]) -> Step:
    """Let a leg that is invoiced leave as the standby would: no limit holds, but it has an end."""
    plan = published.plans.get(_tenant(step))
    if plan is None or not blind.may_reach(plan, step.number):
        because.append(Because(rule="credit", text=blind.refused_words(step.number)))
        return Reject(cause=CAUSES[Reason.BLIND], reason=Reason.BLIND)
    limit_s = min(blind.LIMIT_S, step.limit_s or blind.LIMIT_S)
    text = f"{step.number} for {limit_s} s: nobody can be asked what its limits leave"
    because.append(Because(rule="credit", text=text))
    return replace(step, limit_s=limit_s)


def _tenant(step: Outside) -> str:
    return step.payer.partition("/")[0]


def refused_words(step: Outside, said: Credit) -> str:
    """Say why a leg may not leave."""
    why = _WORDS[_REASONS.get(said.refused, Reason.CREDIT_UNKNOWN)]
    return f"{step.payer} may not call {step.number} now: {why}"


UNKNOWN = Credit(limit_s=0)
_WORDS = {
    Reason.NO_CREDIT: "there is no credit left for it",
    Reason.NO_PRICE: "nobody knows what it costs",
    Reason.CREDIT_UNKNOWN: "nobody can be asked for its credit",
    Reason.ACCOUNT_DAY: "the spend limit of its account for this day is reached",
    Reason.ACCOUNT_MONTH: "the spend limit of its account for this month is reached",
    Reason.EXTENSION_DAY: "its own spend limit for this day is reached",
    Reason.EXTENSION_MONTH: "its own spend limit for this month is reached",
}
_REASONS: Mapping[str, Reason] = {reason.value: reason for reason in _WORDS}
REFUSALS = tuple(_REASONS)  # words in which credit is refused


def _longest_s(step: Step) -> int:
    match step:
        case Ring():
            return step.timeout_s
        case Outside():
            return step.timeout_s * len(step.trunks)
        case Play():
            return PLAY_S
        case _:
            return 0
