"""Columns as lines of COPY into the table `rated_leg`, without an object for each leg and piece.

Owns the short way from columns to COPY, and pieces as text. Refuses to know the form better than
`rating.store.rows`: a test holds every line against it.

A line is made once, by the thread that rates. Tuples would be taken apart again, cell by cell, in the thread
that has to hear PostgreSQL.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import pairwise

import numpy as np

from rating.cell import MARKED, cell
from rating.columns.arrays import Ints
from rating.columns.result import SOURCES, Block, Names, Pieces
from rating.rated import Source

_write = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def lines_of(block: Block, month_of: Callable[[str, int], date]) -> Sequence[str]:
    """Return the lines of the priced legs of a block, without their positions.

    Their cells are in the order of `rating.store.rows.COLUMNS`.

    Args:
        block: without emergency calls, which are objects in `Block.others`.
        month_of: tells in which month an account is billed for a leg that ended at an instant.
    """
    legs, names, rows = block.legs, block.names, block.row
    accounts = [account.account for account in names.accounts]
    places = ["\t".join(map(cell, (t.tariff.name, t.country, t.kind, t.price.zone))) for t in names.terms]
    currencies = [cell(terms.tariff.currency) for terms in names.terms]
    taxed = [f"{cell(terms.price.tax_class)}\t{cell(terms.tariff.amounts)}" for terms in names.terms]
    pays, terms = block.account.tolist(), block.terms.tolist()
    ended = legs.ended_us[rows].tolist()
    columns = (
        *(_cells(_only(column, rows)) for column in (legs.key, legs.linkedid)),
        [*map(_cells(accounts).__getitem__, pays)],
        *(_cells(_only(column, rows)) for column in (legs.payer, legs.why, legs.number)),
        map(places.__getitem__, terms),
        *(map(str, column) for column in (legs.answered_us[rows].tolist(), ended)),
        *(map(str, column.tolist()) for column in (block.duration_us, block.billable_s)),
        *(map(str, column.tolist()) for column in (block.connection_micro, block.amount_micro)),
        map(currencies.__getitem__, terms),
        map(str, legs.limit_s[rows].tolist()),
        map(taxed.__getitem__, terms),
        _cells(pieces_of(block)),
        _days(list(map(month_of, map(accounts.__getitem__, pays), ended))),
    )
    return list(map("\t".join, zip(*columns, strict=True)))


def _only(texts: Sequence[str], rows: Ints) -> Sequence[str]:
    """Return some of a column: nearly always all of it."""
    return texts if len(rows) == len(texts) else [texts[row] for row in rows.tolist()]


def _days(days: Sequence[date]) -> Iterable[str]:
    """Write days, each once: a date takes as long to write as the rest of its line."""
    return map({day: day.isoformat() for day in set(days)}.__getitem__, days)


def _cells(texts: Sequence[str]) -> Sequence[str]:
    """Write a column as cells; nearly always there is nothing to be marked in any of it."""
    together = "".join(texts)
    return [cell(text) for text in texts] if any(sign in together for sign, _ in MARKED) else texts


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
