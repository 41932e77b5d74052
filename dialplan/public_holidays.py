"""Public holidays: which days of a year are one in a country and one of its regions.

Owns the one door to the library `holidays`, of a fixed version, so that a day is a holiday for every process
or for none. Pure: a year's days are a function of country, region and year, and kept once they are known.
Refuses to say what follows from it (`dialplan.hours`).
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

import holidays

KEPT_YEARS = 4_096  # of some hundred regions; a year of one takes half a millisecond to work out
LANGUAGE = "en_US"  # of the names, where the library has it; its own default depends on the environment
NONE: Mapping[date, str] = MappingProxyType({})


def regions(country: str) -> tuple[str, ...]:
    """Give the regions of a country that have holidays of their own, as ISO 3166-2 names them: BY, ZH."""
    return tuple(holidays.list_supported_countries(include_aliases=False).get(country, ()))


def is_known(country: str, region: str) -> bool:
    """Tell whether the holidays of a country, and of a region of it unless empty, are known."""
    supported = holidays.list_supported_countries(include_aliases=False)
    return country in supported and (not region or region in supported[country])


@lru_cache(maxsize=KEPT_YEARS)
def in_year(country: str, region: str, year: int) -> Mapping[date, str]:
    """Give the public holidays of a year and their names; none where country or region is not known."""
    if not is_known(country, region):
        return NONE
    found = holidays.country_holidays(
        country, subdiv=region or None, years=year, expand=False, language=LANGUAGE
    )
    return MappingProxyType({day: name for day, name in sorted(found.items()) if day.year == year})


def name_of(country: str, region: str, day: date) -> str:
    """Name the public holiday that a day is; empty: it is none."""
    return in_year(country, region, day.year).get(day, "")
