"""Columns as rows of the table `rated_leg`, without an object for each leg and piece.

Owns the short way from columns to COPY, and pieces as text. Refuses to know the form better than
`rating.store.rows`: a test holds every row against it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from rating.columns.result import SOURCES, Block, Names, Pieces

_write = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def rows_of(block: Block, position: int, month_of: Callable[[str, int], date]) -> Sequence[tuple[Any, ...]]:
    """Return the rows of the priced legs of a block, in the order of `rating.store.rows.COLUMNS`.

    Args:
        block: without emergency calls, which are objects in `Block.others`.
        position: of the first row in the stream.
        month_of: tells in which month an account is billed for a leg that ended at an instant.
    """
    legs, names = block.legs, block.names
    accounts = [account.account for account in names.accounts]
    places = [(one.tariff.name, one.country, one.kind, one.price.zone) for one in names.terms]
    currencies = [one.tariff.currency for one in names.terms]
    taxed = [one.price.tax_class for one in names.terms]
    answered, ended, limits = legs.answered_us.tolist(), legs.ended_us.tolist(), legs.limit_s.tolist()
    columns = (
        *(block.row, block.account, block.terms, block.duration_us, block.billable_s),
        *(block.connection_micro, block.amount_micro),
    )
    cells = zip(*(column.tolist() for column in columns), pieces_of(block), strict=True)
    return [
        (
            *(number, legs.key[row], legs.linkedid[row], accounts[account], legs.payer[row], legs.why[row]),
            *(legs.number[row], *places[terms], answered[row], ended[row], duration_us, billable_s),
            *(connection, amount, currencies[terms], limits[row], taxed[terms], pieces),
            month_of(accounts[account], ended[row]),
        )
        for number, (
            row,
            account,
            terms,
            duration_us,
            billable_s,
            connection,
            amount,
            pieces,
        ) in enumerate(cells, position)
    ]


def pieces_of(block: Block) -> Sequence[str]:
    """Return the pieces of each priced leg as text, to the letter as PostgreSQL gives them back."""
    pieces = list(_pieces(block.pieces, block.names))
    return [f"[{', '.join(pieces[first:end])}]" for first, end in pairwise(block.first_piece.tolist())]


def _pieces(pieces: Pieces, names: Names) -> Iterator[str]:
    """Write every piece; what stands in words is written once."""
    slots = [(_write(pool), _write(rule)) for pool, rule in names.slots]
    rules = [_write(terms.price.rule) for terms in names.terms]
    columns = (
        *(pieces.start_us, pieces.seconds, pieces.slot, pieces.before_s, pieces.after_s),
        *(pieces.price_per_minute_micro, pieces.amount_micro, pieces.terms),
    )
    for start, seconds, slot, before, after, price, amount, terms in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        source, (pool, rule) = (
            ("allowance", slots[slot]) if slot >= 0 else (SOURCES[slot].value, ('""', rules[terms]))
        )
        yield (
            f'{{"pool": {pool}, "rule": {rule}, "source": "{source}", "after_s": {after}, '
            f'"seconds": {seconds}, "before_s": {before}, "start_us": {start}, "amount_micro": {amount}, '
            f'"price_per_minute_micro": {price}}}'
        )
