"""Price lists as intervals of keys say the same of every number as the longest prefix does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rating.columns.listing import UNLISTED, listing_of
from rating.columns.numbers import key_of_bound
from rating.price_list import Row
from rating.price_table import PriceTable, find

DIGITS = st.text("189", min_size=1, max_size=5)
PREFIXES = st.sets(DIGITS | st.text("0123456789", min_size=1, max_size=15), max_size=12)


def table(prefixes: set[str]) -> PriceTable:
    """A list in force with these prefixes."""
    rows = {prefix: Row(number, prefix, "", 1) for number, prefix in enumerate(prefixes)}
    return PriceTable(rows, max(map(len, prefixes), default=0))


@given(st.lists(PREFIXES, min_size=1, max_size=3), st.lists(DIGITS))
def test_intervals_say_what_the_longest_prefix_says(lists: list[set[str]], numbers: list[str]) -> None:
    """For each number, in each of several lists, also just before and behind every prefix."""
    tables = [table(prefixes) for prefixes in lists]
    listing = listing_of(tables)
    everything = {*numbers, *(prefix + end for one in lists for prefix in one for end in ("", "0", "9"))}
    everything |= {str(int(number) + 1) for number in everything} | {
        str(int(number) - 1) for number in everything
    }
    for digits in everything - {"-1"}:
        place = int(np.searchsorted(listing.bounds, key_of_bound(digits[:15]), side="right")) - 1
        assert listing.listed[place] == find(tables, "+" + digits)
    assert listing.bounds[0] == UNLISTED
    assert not any(listing.listed[0])
