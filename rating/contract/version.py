"""What a contract has and another version of its catalogue has not.

Owns these findings, for an order and again for its day. Refuses to know which version a contract goes on to
(`rating.contract.change`).
"""

from collections.abc import Iterator
from datetime import date

from rating.contract.edition import Edition, unit_price
from rating.contract.state import Lot, Period, State, spans
from rating.contract.wish import Refusal


def lost(now: Edition, after: State, day: date) -> tuple[Refusal, ...]:
    """Find what would run, be chosen or be asked for under other versions than now, and they do not sell.

    Args:
        now: version that the contract has.
        after: the contract with everything begun that is to.
        day: first day that counts.
    """
    found: list[Refusal] = []
    for one, last in spans(after):
        if one.edition is now or (last is not None and last < day):
            continue
        first = max(one.first, day)
        lots = (
            lot
            for lot in after.lots
            if (last is None or lot.first <= last) and (lot.last is None or lot.last >= first)
        )
        found += _choices(one) or _products(now, one, lots)
    return tuple(dict.fromkeys(found))


def _products(now: Edition, then: Period, lots: Iterator[Lot]) -> Iterator[Refusal]:
    for product in sorted({lot.product for lot in lots}):
        known, before = then.edition.offer.products.get(product), now.offer.products.get(product)
        remedy = f"leave {product} out, or give it up first"
        if known is None:
            yield Refusal("version-lost", f"{then.edition.name} has no {product}", remedy)
        elif unit_price(then.edition, known, then.choices, 1) is None and (
            before is None or unit_price(now, before, then.choices, 1) is not None
        ):
            words = f"{then.edition.name} does not sell {product} with these options"
            yield Refusal("version-lost", words, remedy)


def _choices(then: Period) -> list[Refusal]:
    offer, found = then.edition.offer.choices, []
    for name in sorted(offer.keys() - then.choices.keys()):
        words = f"{then.edition.name} asks for {name}, of which this contract has none"
        found.append(Refusal("version-lost", words, "end this contract and sign a new one"))
    for choice, option in then.choices.items():
        if choice not in offer or option not in offer[choice].options:
            words = f"{then.edition.name} has no {choice} {option}"
            found.append(Refusal("version-lost", words, "choose what it has"))
    return found
