"""Where a number leads: number prefix → country and kind.

Owns the table of `config/destinations` and how it is read (`table`), where it comes from (`derive`, run by
hand when the source has a new version) and the words for kinds. Refuses prices, zones and every number that
no numbering plan knows: what it does not know it says it does not know.
"""

from rating.destinations.kind import Destination, Kind
from rating.destinations.table import Destinations, load

__all__ = ["Destination", "Destinations", "Kind", "load"]
