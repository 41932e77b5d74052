"""What came of many legs at once as lines of COPY.

Owns the order of lines that were made by columns and of those of single legs between them. Refuses to know
the form of either (`rating.columns.rows`, `rating.store.rows`).
"""

from collections.abc import Sequence

from rating.closing import Months
from rating.columns import Block, RatedColumns
from rating.columns.rows import lines_of
from rating.rated import RatedLeg
from rating.store.rows import line_of


def lines_of_rated(rated: RatedColumns, months: Months) -> Sequence[str]:
    """Return the lines of what has a price, and of emergency calls, in the order of the legs.

    Args:
        rated: what came of some legs.
        months: in which they are billed.
    """
    return [line for block in rated.blocks for line in _lines_of_block(block, months)]


def _lines_of_block(block: Block, months: Months) -> Sequence[str]:
    lines = lines_of(block, months.of)
    objects = {row: leg for row, leg in block.others.items() if isinstance(leg, RatedLeg)}
    if not objects:
        return lines
    found = dict(zip(block.row.tolist(), lines, strict=True)) | {
        row: line_of(leg, months.of(leg.account, leg.ended_us)) for row, leg in objects.items()
    }
    return [found[row] for row in sorted(found)]
