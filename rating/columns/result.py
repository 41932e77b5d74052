"""Rated legs as columns.

Owns the output of the column-wise kernel and the way back to objects. Refuses to add anything: names of
tariffs, zones and pools stand once, in `Names`, and columns hold their numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from rating.book import Account, PoolKey, Terms
from rating.columns.arrays import Ints
from rating.columns.legs import Legs
from rating.rate import Rating
from rating.rated import Piece, Quarantined, RatedLeg, Source

OVERFLOW, MINIMUM = -1, -2  # stand for a slot where none is drawn from
SOURCES = {OVERFLOW: Source.OVERFLOW, MINIMUM: Source.MINIMUM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the numbers in columns stand for.

    Attributes:
        slots: name of the pool and the rule that grants it.
    """

    accounts: Sequence[Account]
    terms: Sequence[Terms]
    slots: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Columns of `rating.rated.Piece`, leg by leg, in order of time.

    Attributes:
        slot: number in `Names.slots`, or one of `SOURCES`.
        terms: number in `Names.terms`; what overflow costs, what the minimum is.
    """

    start_us: Ints
    seconds: Ints
    slot: Ints
    before_s: Ints
    after_s: Ints
    price_per_minute_micro: Ints
    amount_micro: Ints
    terms: Ints

    def part(self, first: int, end: int) -> "Pieces":
        """Return some that follow each other."""
        return Pieces(**{field.name: getattr(self, field.name)[first:end] for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some legs and what came of them.

    Attributes:
        legs: all of them.
        row: which of them have a price here, ascending; the columns that follow speak of these.
        terms: in force at the answer.
        first_piece: one more than there are legs: the pieces of a leg end where those of the next one begin.
        others: row → what the plain kernel made of it: emergency calls and quarantine.
    """

    legs: Legs
    names: Names
    row: Ints
    account: Ints
    terms: Ints
    duration_us: Ints
    billable_s: Ints
    connection_micro: Ints
    amount_micro: Ints
    first_piece: Ints
    pieces: Pieces
    others: Mapping[int, RatedLeg | Quarantined]

    def results(self) -> Iterator[RatedLeg | Quarantined]:
        """Yield what came of every leg, in the order of the legs."""
        numbers = [
            column.tolist()
            for column in (
                self.account,
                self.terms,
                self.duration_us,
                self.billable_s,
                self.connection_micro,
                self.amount_micro,
                self.first_piece[:-1],
                self.first_piece[1:],
            )
        ]
        pieces = list(self._pieces(self.pieces))
        answered, ended = self.legs.answered_us.tolist(), self.legs.ended_us.tolist()
        limits = self.legs.limit_s.tolist()
        priced = zip(self.row.tolist(), *numbers, strict=True)
        following = next(priced, None)
        for row in range(len(self.legs)):
            if following is None or row != following[0]:
                yield self.others[row]
                continue
            _, account, number, duration_us, billable_s, connection, amount, first, end = following
            terms = self.names.terms[number]
            yield RatedLeg(
                key=self.legs.key[row],
                linkedid=self.legs.linkedid[row],
                account=self.names.accounts[account].account,
                payer=self.legs.payer[row],
                why=self.legs.why[row],
                number=self.legs.number[row],
                tariff=terms.tariff.name,
                country=terms.country,
                kind=terms.kind,
                zone=terms.price.zone,
                answered_us=answered[row],
                ended_us=ended[row],
                duration_us=duration_us,
                billable_s=billable_s,
                connection_micro=connection,
                amount_micro=amount,
                currency=terms.tariff.currency,
                limit_s=limits[row],
                tax_class=terms.price.tax_class,
                prices=terms.tariff.amounts,
                pieces=tuple(pieces[first:end]),
            )
            following = next(priced, None)

    def leg(self, place: int) -> RatedLeg:
        """Return one priced leg, by its place in `row`; where all are wanted, `results` is quicker."""
        row, terms = int(self.row[place]), self.names.terms[int(self.terms[place])]
        pieces = self.pieces.part(int(self.first_piece[place]), int(self.first_piece[place + 1]))
        leg = self.legs.leg(row)
        return RatedLeg(
            key=leg.key,
            linkedid=leg.linkedid,
            account=self.names.accounts[int(self.account[place])].account,
            payer=leg.payer,
            why=leg.why,
            number=leg.number,
            tariff=terms.tariff.name,
            country=terms.country,
            kind=terms.kind,
            zone=terms.price.zone,
            answered_us=leg.answered_us,
            ended_us=leg.ended_us,
            duration_us=int(self.duration_us[place]),
            billable_s=int(self.billable_s[place]),
            connection_micro=int(self.connection_micro[place]),
            amount_micro=int(self.amount_micro[place]),
            currency=terms.tariff.currency,
            limit_s=leg.limit_s,
            tax_class=terms.price.tax_class,
            prices=terms.tariff.amounts,
            pieces=tuple(self._pieces(pieces)),
        )

    def _pieces(self, of: Pieces) -> Iterator[Piece]:
        columns = (
            *(of.start_us, of.seconds, of.slot, of.before_s, of.after_s),
            *(of.price_per_minute_micro, of.amount_micro, of.terms),
        )
        for start_us, seconds, slot, before_s, after_s, price, amount, terms in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            pool, rule = self.names.slots[slot] if slot >= 0 else ("", self.names.terms[terms].price.rule)
            yield Piece(
                start_us=start_us,
                seconds=seconds,
                source=SOURCES.get(slot, Source.ALLOWANCE),
                pool=pool,
                before_s=before_s,
                after_s=after_s,
                price_per_minute_micro=price,
                amount_micro=amount,
                rule=rule,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedColumns:
    """What came of some legs.

    Attributes:
        blocks: in the order of the legs.
        used: as in `rating.rate.Rating`.
    """

    blocks: tuple[Block, ...]
    used: Mapping[PoolKey, int]

    def quarantined(self) -> Iterator[Quarantined]:
        """Yield what could not be rated, in the order of the legs."""
        for block in self.blocks:
            for row in sorted(block.others):
                if isinstance(one := block.others[row], Quarantined):
                    yield one

    def rating(self) -> Rating:
        """Return the same as the plain kernel's."""
        results = [result for block in self.blocks for result in block.results()]
        return Rating(
            rated=tuple(one for one in results if isinstance(one, RatedLeg)),
            quarantined=tuple(one for one in results if isinstance(one, Quarantined)),
            used=self.used,
        )
