"""What a leg costs otherwise than was told, written so that sums stay sums.

The problem: a rated leg never changes once it was told, yet re-rating may find another price for it. So what
differs becomes a leg of its own, a *correction*: it takes back every piece of the leg as it stood, with the
sign turned, and charges the pieces of today. Whoever adds up amounts, seconds or draws from pools over legs
and corrections gets what a clean run would have given, without knowing which is which. Where amounts with VAT
take the place of amounts without, nobody could tax the difference: then one correction takes all of it back,
and another one charges it anew.

Owns that form, both ways. Refuses to rate, and to correct across currencies.
"""

from collections.abc import Iterable
from dataclasses import replace

from rating.rated import Piece, RatedLeg


def differs(before: RatedLeg, after: RatedLeg) -> bool:
    """Tell whether two ratings of one leg differ in what is charged or drawn.

    What is left in a pool before and after says in which order legs came, and the names of tariff, zone and
    rule say why a price holds; neither alone is worth a correction.
    """
    return _charged(before) != _charged(after) or _vat_differs(before, after)


def steps(before: RatedLeg, after: RatedLeg) -> tuple[RatedLeg, ...]:
    """Return the corrections that turn a leg as it stands into what it should be: one, or two.

    The seconds, fee and amount of a correction are the difference, its pieces those of `before` taken back,
    then those of `after`; they sum to the whole as those of any leg do. All else is as in `after`; payer and
    tax class stay: what is taken back was taxed so.
    """
    assert (before.key, before.account, before.currency) == (after.key, after.account, after.currency)
    if not _vat_differs(before, after):
        return (_difference(before, replace(after, prices=before.prices)),)
    nothing = replace(before, billable_s=0, connection_micro=0, amount_micro=0, pieces=())
    return _difference(before, nothing), _difference(nothing, after)


def _difference(before: RatedLeg, after: RatedLeg) -> RatedLeg:
    return replace(
        after,
        payer=before.payer,
        tax_class=before.tax_class,
        billable_s=after.billable_s - before.billable_s,
        connection_micro=after.connection_micro - before.connection_micro,
        amount_micro=after.amount_micro - before.amount_micro,
        pieces=(*map(_taken_back, before.pieces), *after.pieces),
    )


def standing(original: RatedLeg, corrections: Iterable[RatedLeg]) -> RatedLeg:
    """Return a leg as it stands after its corrections, in their order."""
    leg = original
    for one in corrections:
        leg = replace(
            one,
            billable_s=leg.billable_s + one.billable_s,
            connection_micro=leg.connection_micro + one.connection_micro,
            amount_micro=leg.amount_micro + one.amount_micro,
            pieces=tuple(piece for piece in one.pieces if not takes_back(piece)),
        )
    return leg


def takes_back(piece: Piece) -> bool:
    """Tell whether a piece of a correction gives back what was charged or drawn before."""
    return piece.seconds < 0 or piece.amount_micro < 0


def _taken_back(piece: Piece) -> Piece:
    return replace(
        piece,
        seconds=-piece.seconds,
        before_s=piece.after_s,
        after_s=piece.before_s,
        amount_micro=-piece.amount_micro,
    )


def _vat_differs(before: RatedLeg, after: RatedLeg) -> bool:
    """Tell whether VAT is in one amount and not in the other: in none if it is 0, or nobody knows."""
    words = {leg.prices for leg in (before, after) if leg.prices}
    return len(words) > 1 and bool(before.amount_micro or after.amount_micro)


def _charged(leg: RatedLeg) -> tuple[object, ...]:
    pieces = tuple(
        (
            *(piece.start_us, piece.seconds, piece.source, piece.pool),
            *(piece.price_per_minute_micro, piece.amount_micro),
        )
        for piece in leg.pieces
    )
    return leg.billable_s, leg.connection_micro, leg.amount_micro, pieces
