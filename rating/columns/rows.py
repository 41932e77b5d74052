"""Columns as rows of the table `rated_leg`, without an object for each leg and piece.

Owns the short way from columns to COPY, and pieces as text. Refuses to know the form better than
`rating.store.rows`: a test holds every row against it.
"""

import json
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np

from rating.columns.result import SOURCES, Block, Names, Pieces
from rating.rated import Source

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
    taxed = [(one.price.tax_class, one.tariff.amounts) for one in names.terms]
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
            *(connection, amount, currencies[terms], limits[row], *taxed[terms], pieces),
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
    pieces = _pieces(block.pieces, block.names)
    if len(pieces) == len(block.row) and (np.diff(block.first_piece) == 1).all():
        return [f"[{piece}]" for piece in pieces]
    return [f"[{', '.join(pieces[first:end])}]" for first, end in pairwise(block.first_piece.tolist())]


def _pieces(pieces: Pieces, names: Names) -> Sequence[str]:
    """Write every piece; what stands in words is written once for all pieces that begin alike."""
    # A slot is its own number; below it, one for each of the other sources and the terms it was charged by.
    number = np.where(pieces.slot >= 0, pieces.slot, pieces.slot - len(SOURCES) * pieces.terms)
    numbers = number.tolist()
    begins = {one: _beginning(one, names) for one in set(numbers)}
    columns = (
        *(pieces.after_s, pieces.seconds, pieces.before_s, pieces.start_us),
        *(pieces.amount_micro, pieces.price_per_minute_micro),
    )
    return [
        f'{begins[one]}{after}, "seconds": {seconds}, "before_s": {before}, "start_us": {start}, '
        f'"amount_micro": {amount}, "price_per_minute_micro": {price}}}'
        for one, after, seconds, before, start, amount, price in zip(
            numbers, *(column.tolist() for column in columns), strict=True
        )
    ]


def _beginning(number: int, names: Names) -> str:
    if number >= 0:
        (pool, rule), source = names.slots[number], Source.ALLOWANCE
    else:
        terms, place = divmod(-1 - number, len(SOURCES))
        pool, rule, source = "", names.terms[terms].price.rule, SOURCES[-1 - place]
    return f'{{"pool": {_write(pool)}, "rule": {_write(rule)}, "source": "{source.value}", "after_s": '
