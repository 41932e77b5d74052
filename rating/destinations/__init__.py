"""Where a number leads: number prefix → country and kind.

Owns the table (`table`), how it is read from `config/destinations` (`load`), where it comes from (`derive`,
run by hand when the source has a new version) and the words for kinds (`kind`). Refuses prices, zones and all
numbers that no numbering plan knows: what it does not know it says it does not know.
"""

from rating.destinations.kind import Destination, Kind
from rating.destinations.table import Destinations

__all__ = ["Destination", "Destinations", "Kind"]
