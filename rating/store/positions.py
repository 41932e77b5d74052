"""Positions that a reader names: none lies beyond the newest one there is.

Owns that refusal, for the rated stream and for the events of thresholds. Refuses to look anything up: the
newest position is asked for only where a page is empty, so that who has something to read pays nothing.

Positions have no gaps (`rating.store.ledger`), and nobody is given one that is not committed. So whoever
names a higher one has mistyped it, or read it before an older database was restored; answered with nothing
they would wait until the stream has grown past them, and lack what came in between.
"""

from rating.finding import RatingError

LARGEST = 2**63 - 1  # a bigint of PostgreSQL; what is larger it cannot even be asked for


class BeyondNewestError(RatingError):
    """A reader wants to go on after a position that there is not.

    Attributes:
        position: that was named.
        newest: of all there are; 0 if there is none.
        remedy: what to do, without the words of a command.
    """

    code = "position-beyond-newest"

    def __init__(self, position: int, newest: int) -> None:
        super().__init__(f"there is no position {position}: the newest is {newest}")
        self.position = position
        self.newest = newest
        self.remedy = (
            f"go on after {newest} or an earlier one; if an older database was restored, read again from 0 "
            "and compare with what you have (docs/rated-stream.md)"
        )


def must_be_reached(position: int, newest: int) -> None:
    """Accept a position after which nothing stands, if it is the newest.

    Args:
        position: that a reader named.
        newest: asked for *after* the page was found empty: it only grows, so it cannot be too low.

    Raises:
        BeyondNewestError: it is not there.
    """
    if position > newest:
        raise BeyondNewestError(position, newest)
