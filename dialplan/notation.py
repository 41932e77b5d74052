"""How a carrier writes numbers: what is dialled, who calls and who diverted, in both directions.

Owns the forms, and the way from E.164 to each and back. Refuses what is no telephone number: an emergency
number stays as it is. For calls that leave the constant dialplan writes them, by patterns that are generated
from the same table (`pbxcore.machine.asterisk`); `written` says what it does.
"""

from dataclasses import dataclass
from enum import StrEnum

from dialplan import numbers


class Form(StrEnum):
    """How +49 30 12345 is written."""

    PLUS = "plus"  # +493012345
    ZEROS = "zeros"  # 00493012345
    DIGITS = "digits"  # 493012345
    NATIONAL = "national"  # 03012345 in Germany; numbers abroad as with ZEROS


@dataclass(frozen=True, slots=True)
class Notation:
    """How a trunk's carrier writes numbers; `country` is where NATIONAL is at home."""

    form: Form = Form.PLUS
    country: str = ""


E164 = Notation()


def written(number: str, notation: Notation) -> str:
    """Write an E.164 number as a carrier wants it; what is none stays as it is."""
    if notation.form is Form.PLUS or not number.startswith("+"):
        return number
    if notation.form is Form.DIGITS:
        return number[1:]
    at_home = numbers.national(number, notation.country) if notation.form is Form.NATIONAL else ""
    return at_home or f"00{number[1:]}"


def read(text: str, notation: Notation) -> str:
    """Bring a number into E.164 form that means nothing without its carrier's notation; else give nothing.

    With `+` or `00` before it everybody reads it.
    """
    if notation.form is Form.NATIONAL:
        return numbers.normalise(text, notation.country) or ""
    if notation.form is not Form.DIGITS:
        return ""
    number = f"+{text}"
    return number if numbers.is_e164(number) else ""
