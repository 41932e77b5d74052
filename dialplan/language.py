"""In which language a caller is spoken to.

Owns the languages of countries, and which of those that an announcement has is taken. Refuses to guess more
of a caller than the country of their number.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from dialplan import numbers
from dialplan.build import ANY
from dialplan.call import Caller
from dialplan.plan import Plan
from dialplan.published import Published

# Official languages by ISO 639 code, the one that most people speak first.
OF_COUNTRIES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "AT": ("de",), "BE": ("nl", "fr", "de"), "BG": ("bg",), "CH": ("de", "fr", "it"), "CY": ("el", "tr"),
    "CZ": ("cs",), "DE": ("de",), "DK": ("da",), "EE": ("et",), "ES": ("es",), "FI": ("fi", "sv"),
    "FR": ("fr",), "GB": ("en",), "GR": ("el",), "HR": ("hr",), "HU": ("hu",), "IE": ("en",), "IS": ("is",),
    "IT": ("it",), "LI": ("de",), "LT": ("lt",), "LU": ("fr", "de"), "LV": ("lv",), "MC": ("fr",),
    "MT": ("mt", "en"), "NL": ("nl",), "NO": ("nb", "no"), "PL": ("pl",), "PT": ("pt",), "RO": ("ro",),
    "SE": ("sv",), "SI": ("sl",), "SK": ("sk",), "SM": ("it",),
})  # fmt: skip


def languages_of(published: Published, caller: Caller, plan: Plan) -> tuple[str, ...]:
    """Give the languages to try for a caller of a tenant, the best first and the tenant's own last.

    A phone of a tenant of ours hears its tenant's; others what is spoken where their number is.
    """
    home = published.plans.get(caller.tenant)
    theirs = (home.language,) if home else OF_COUNTRIES.get(numbers.country_of(caller.number), ())
    return tuple(dict.fromkeys((*theirs, plan.language)))


def chosen(offered: Collection[str], wanted: Collection[str]) -> str:
    """Take of the languages that there are the first that is wanted, else one for all, else the first."""
    fits = (language for language in (*wanted, ANY) if language in offered)
    return next(fits, next(iter(offered)))
