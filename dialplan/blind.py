"""What may be called while nobody can be asked for credit: near, of known price, or named by a rule.

Owns which numbers those are, and how long a call to one may last. Refuses to know who is asked, and when.
"""

from dialplan import numbers
from dialplan.plan import Plan

LIMIT_S = 3600  # nobody knows what it costs meanwhile, so no call runs longer


def may_reach(plan: Plan, number: str) -> bool:
    """Tell whether a number may be called while no credit is known: named by a rule, or ordinary and near."""
    near = numbers.country_of(number) in plan.standby_countries and not numbers.is_costly(number)
    return near or number in plan.named_numbers


def refused_words(number: str) -> str:
    """Say why a number may not be called then."""
    return f"{number} may not be called while nobody can be asked for credit"
