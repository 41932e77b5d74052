"""What is answered to a fact.

Owns the shape of answers, and refusals that several deeds share. Refuses to judge any deed.
"""

from dataclasses import dataclass

from rating.contract.ending import Ending, Step
from rating.contract.facts import Fact
from rating.contract.passing import Entry
from rating.contract.quote import Quote
from rating.contract.state import State
from rating.contract.wish import Refusal

NOT_SIGNED = Refusal(
    "not-signed",
    "the signed copy of the order form is missing",
    "attach it: the order counts from then on",
)
NO_CONTRACT = Refusal("no-contract", "there is no contract that runs", "sign one first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered to a fact.

    Attributes:
        outcome: accepted, quoted, refused, or held-back with an offer.
        refusals: why not.
        quote: that was made or ordered.
        ending: of the contract.
        dates: that are promised, each with its reason.
        charged_micro: of calls, what a credit paid for.
    """

    fact: Fact
    outcome: str
    refusals: tuple[Refusal, ...] = ()
    quote: Quote | None = None
    ending: Ending | None = None
    dates: tuple[Step, ...] = ()
    charged_micro: int | None = None


Done = tuple[State, Answer, tuple[Entry, ...]]


def refused(state: State, fact: Fact, *refusals: Refusal, made: Quote | None = None) -> Done:
    """Leave a contract as it is, and say why."""
    return state, Answer(fact=fact, outcome="refused", refusals=refusals, quote=made), ()


def changed(agreed: str, made: Quote) -> Refusal:
    """Say that what was agreed would be something else today."""
    words = f"quote {agreed} no longer holds: today it would be {made.id}"
    return Refusal("quote-changed", words, "look at the new one")
