"""Lines: what is charged, for which units and days, in whole cents.

Owns the amount of a line, the only place where a price of days is rounded, and what invoices add up. Refuses
to know what should be charged (`rating.contract.charges`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from rating import money
from rating.contract.calendar import days_in_month
from rating.contract.edition import Edition
from rating.money import Rounding

CENT_MICRO = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something charged.

    Attributes:
        kind: `month` for a product that goes on, `once`, `calls`.
        edition: by which it is priced.
        product: its name; of calls, what they were.
        quantity: units; with a minus what is taken back.
        price_micro: of a unit and month, or of a unit.
        first: first day that it is for.
        last: last one, in the same month.
        amount_micro: rounded to cents.
    """

    kind: str
    edition: Edition
    product: str
    quantity: int
    price_micro: int
    first: date
    last: date
    amount_micro: int

    @property
    def days(self) -> int:
        """How many days it is for."""
        return (self.last - self.first).days + 1

    @property
    def of_days(self) -> int:
        """How many days its month has."""
        return days_in_month(self.first)


def monthly(edition: Edition, product: str, quantity: int, price_micro: int, days: tuple[date, date]) -> Line:
    """Charge units for some days of one month: multiplied first, divided once, to cents."""
    first, last = days
    amount = money.divide(
        quantity * price_micro * ((last - first).days + 1),
        days_in_month(first) * CENT_MICRO,
        edition.offer.billing.rounding,
    )
    return Line(
        kind="month",
        edition=edition,
        product=product,
        quantity=quantity,
        price_micro=price_micro,
        first=first,
        last=last,
        amount_micro=amount * CENT_MICRO,
    )


def once(edition: Edition, product: str, quantity: int, price_micro: int, day: date) -> Line:
    """Charge units of a service."""
    return Line(
        kind="once",
        edition=edition,
        product=product,
        quantity=quantity,
        price_micro=price_micro,
        first=day,
        last=day,
        amount_micro=to_cents(quantity * price_micro, edition.offer.billing.rounding),
    )


def to_cents(amount_micro: int, rounding: Rounding) -> int:
    """Round to whole cents, in micro-units."""
    return money.divide(amount_micro, CENT_MICRO, rounding) * CENT_MICRO


def difference(due: Iterable[Line], charged: Iterable[Line]) -> tuple[Line, ...]:
    """Lines that are due and not charged, and with a minus, those charged and no longer due."""
    now, before = Counter(due), Counter(charged)
    more = list((now - before).elements())
    less = [taken_back(line) for line in (before - now).elements()]
    return tuple(sorted((*less, *more), key=_order))


def taken_back(line: Line) -> Line:
    """The same line with a minus."""
    return replace(line, quantity=-line.quantity, amount_micro=-line.amount_micro)


def total(lines: Iterable[Line]) -> int:
    """Sum of the amounts."""
    return sum(line.amount_micro for line in lines)


def vat(lines: Iterable[Line], edition: Edition) -> tuple[int, int, int]:
    """Net, VAT and gross of an invoice."""
    return split_vat(total(lines), edition)


def split_vat(amount: int, edition: Edition, unit_micro: int = CENT_MICRO) -> tuple[int, int, int]:
    """Net, VAT and gross of an amount in the catalogue's prices; VAT is rounded once, half up, to cents.

    Args:
        amount: in micro-units.
        edition: says whether VAT is in it, and how much.
        unit_micro: to which VAT is rounded; of calls, which cost less than a cent, micro-units.
    """
    percent = edition.offer.vat_percent
    if edition.offer.prices == "gross":
        tax = money.divide(amount * percent, (100 + percent) * unit_micro, Rounding.HALF_UP) * unit_micro
        return amount - tax, tax, amount
    tax = money.divide(amount * percent, 100 * unit_micro, Rounding.HALF_UP) * unit_micro
    return amount, tax, amount + tax


def _order(line: Line) -> tuple[date, str, str, date, int, int]:
    return line.first, line.kind, line.product, line.last, line.price_micro, line.quantity


def amount_text(micro: int) -> str:
    """Write an amount: whole cents with two decimals, anything finer with six."""
    written = money.text(micro)
    return written[:-4] if micro % CENT_MICRO == 0 else written
