"""What a credit lacks, in the cents that can be paid, and how to say so.

Owns these words, and what is less than a cent: nobody can pay it in or out. Refuses to judge any deed.
"""

from rating.contract.line import CENT_MICRO, amount_text
from rating.contract.wish import Refusal


def missing(amount_micro: int) -> Refusal:
    """Say what a credit lacks."""
    return Refusal("credit", f"the credit lacks {amount_text(amount_micro)}", top_up(amount_micro))


def top_up(amount_micro: int) -> str:
    """Say how something is paid in: whole cents."""
    return f"{top_up_event(amount_micro)}, or a payment into the contract's account"


def top_up_event(amount_micro: int) -> str:
    """Say how something is paid in to a contract without a credit: its account's is none of it yet."""
    amount = amount_text(-(-amount_micro // CENT_MICRO) * CENT_MICRO)
    return f'top up {amount} first: the event `top_up: "{amount}"`'


def is_debt(balance_micro: int) -> bool:
    """Tell whether a balance is a debt: less than a cent below zero is none, as 0.00 is enough."""
    return balance_micro <= -CENT_MICRO


def fraction(balance_micro: int) -> int:
    """What of a credit is less than a cent, and cannot go back."""
    return balance_micro % CENT_MICRO
