"""Legs as columns: strings as lists, numbers as arrays.

Owns the input of the column-wise kernel. Refuses to understand any of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import cast

import numpy as np

from rating.columns.arrays import Flags, Ints
from rating.leg import Leg

_values = attrgetter(*(field.name for field in fields(Leg)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Legs:
    """Columns of `rating.leg.Leg`, all of one length."""

    key: Sequence[str]
    linkedid: Sequence[str]
    trunk: Sequence[str]
    payer: Sequence[str]
    why: Sequence[str]
    number: Sequence[str]
    answered_us: Ints
    ended_us: Ints
    limit_s: Ints
    version: Sequence[str]
    indeterminate: Flags
    credit: Sequence[str]

    def __len__(self) -> int:
        return len(self.key)

    def part(self, start: int, end: int) -> "Legs":
        """Return some legs that follow each other."""
        return Legs(**{field.name: getattr(self, field.name)[start:end] for field in fields(self)})

    def leg(self, row: int) -> Leg:
        """Return one leg."""
        return Leg(
            key=self.key[row],
            linkedid=self.linkedid[row],
            trunk=self.trunk[row],
            payer=self.payer[row],
            why=self.why[row],
            number=self.number[row],
            answered_us=int(self.answered_us[row]),
            ended_us=int(self.ended_us[row]),
            limit_s=int(self.limit_s[row]),
            version=self.version[row],
            indeterminate=bool(self.indeterminate[row]),
            credit=self.credit[row],
        )


def legs_of(legs: Sequence[Leg]) -> Legs:
    """Turn legs into columns.

    Raises:
        OverflowError: an instant or a limit has more than 64 bits.
    """
    columns = list(zip(*map(_values, legs), strict=True)) or [()] * len(fields(Leg))
    key, linkedid, trunk, payer, why, number, answered, ended, limit, version, indeterminate, credit = columns
    return Legs(
        key=cast("Sequence[str]", key),
        linkedid=cast("Sequence[str]", linkedid),
        trunk=cast("Sequence[str]", trunk),
        payer=cast("Sequence[str]", payer),
        why=cast("Sequence[str]", why),
        number=cast("Sequence[str]", number),
        answered_us=np.array(answered, dtype=np.int64),
        ended_us=np.array(ended, dtype=np.int64),
        limit_s=np.array(limit, dtype=np.int64),
        version=cast("Sequence[str]", version),
        indeterminate=np.array(indeterminate, dtype=np.bool_),
        credit=cast("Sequence[str]", credit),
    )
