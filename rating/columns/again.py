"""Legs rated again by columns: which of them come out otherwise.

The problem: of a million legs nearly all come out as they were. To make an object of each, before and after,
and to compare these, costs ten times the rating. So numbers are compared as columns and pieces as text, which
has one form (`rows`), and only what is not the same to the letter becomes objects.

Owns that comparison. Refuses to say what is a difference (`rating.closing.outcome`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rating.book import PoolKey
from rating.closing import Rerating, Standing, outcome
from rating.columns.arrays import Ints
from rating.columns.index import Index
from rating.columns.kernel import rate_columns
from rating.columns.legs import Legs
from rating.columns.result import Block
from rating.columns.rows import pieces_of
from rating.rated import Quarantined, RatedLeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Open legs as they stand, in canonical order.

    Attributes:
        legs: their payer is their account.
        currency: ISO 4217.
        prices: whether VAT is in their amounts; empty where that is not known.
        pieces: as `rows` writes them; empty text where that is not known, which makes an object of the leg.
        standing: returns one of them as an object.
    """

    legs: Legs
    billable_s: Ints
    connection_micro: Ints
    amount_micro: Ints
    currency: Sequence[str]
    prices: Sequence[str]
    pieces: Sequence[str]
    standing: Callable[[int], Standing]


def rerate_columns(
    told: Told, index: Index, opening: Mapping[PoolKey, int], balances: Mapping[PoolKey, int]
) -> Rerating:
    """Rate legs again; the same as `rating.closing.rerate`.

    Args:
        told: all open legs of some accounts.
        index: of a book that is `rating.closing.bound` to them.
        opening: seconds used of each pool without these legs.
        balances: and with them.

    Raises:
        ColumnRangeError: a number is too large for a column; `rerate` has no limit.
    """
    rated = rate_columns(told.legs, index, opening)
    pairs: list[tuple[Standing, RatedLeg]] = []
    quarantined: list[Quarantined] = []
    first = 0
    for block in rated.blocks:
        for row, result in _otherwise(block, told, first):
            if isinstance(result, RatedLeg):
                pairs.append((told.standing(row), result))
            else:
                quarantined.append(result)
        first += len(block.legs)
    return outcome(pairs, quarantined, {**opening, **rated.used}, balances)


def _otherwise(block: Block, told: Told, first: int) -> Iterator[tuple[int, RatedLeg | Quarantined]]:
    """Yield the legs of a block that did not come out to the letter as they were, by their rows in `told`."""
    rows = block.row + first
    differ = told.billable_s[rows] != block.billable_s
    differ |= told.connection_micro[rows] != block.connection_micro
    differ |= told.amount_micro[rows] != block.amount_micro
    tariffs = [(terms.tariff.currency, terms.tariff.amounts) for terms in block.names.terms]
    words = zip(rows.tolist(), pieces_of(block), block.terms.tolist(), strict=True)
    differ |= np.fromiter(
        (text != told.pieces[row] or not _is_of(told, row, *tariffs[terms]) for row, text, terms in words),
        dtype=np.bool_,
        count=len(rows),
    )
    found = {int(rows[place]): place for place in np.flatnonzero(differ).tolist()}
    others = {row + first: result for row, result in block.others.items()}
    for row in sorted({*found, *others}):
        yield row, others[row] if row in others else block.leg(found[row])


def _is_of(told: Told, row: int, currency: str, prices: str) -> bool:
    """Tell whether a leg was charged in a currency, and with VAT or without."""
    return told.currency[row] == currency and told.prices[row] in ("", prices)
