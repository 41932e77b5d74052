"""The collector of garbage, in processes that somebody waits for.

Owns what it is spared. Refuses to switch it off.
"""

import gc


def settle() -> None:
    """Spare the collector what stays: to be called once plans, or the book of prices, are read.

    Walking the plans of 1,000 tenants takes it a tenth of a second, the book and its destinations a quarter,
    in the midst of somebody's call. What goes later is freed all the same, unless it stands in a circle.
    """
    gc.collect()
    gc.freeze()
