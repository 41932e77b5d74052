"""The kernel column by column: the same law as `rating.rate`, for a million legs a second.

Owns how the law is followed for many legs at once (`kernel`), legs and results as columns (`legs`, `result`),
numbers as sortable keys (`numbers`), and what a book answered, as arrays (`index`). Refuses to know the law
better than `rating.rate`: prices, allowances and stretches are asked of the same `Book`, what is rare is
handed to the plain kernel leg by leg, and where a number would not fit, all is.
"""

from rating.columns.again import Told, rerate_columns
from rating.columns.index import Index
from rating.columns.kernel import rate_columns
from rating.columns.legs import Legs, legs_of
from rating.columns.numbers import Numbers
from rating.columns.result import Block, RatedColumns

__all__ = [
    "Block",
    "Index",
    "Legs",
    "Numbers",
    "RatedColumns",
    "Told",
    "legs_of",
    "rate_columns",
    "rerate_columns",
]
