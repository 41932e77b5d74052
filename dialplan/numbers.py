"""Telephone numbers: from what people dial and write to E.164, country by country.

Owns the form of a number and the emergency numbers of each country a tenant may live in. Refuses to say where
a number leads or what it costs (`rating.destinations`). Imports nothing of the house, so that `rating` may
import it.

Sources: ITU-T E.164 (form, list of assigned codes of 2025), the national numbering plans as published in
ITU-T E.129, the European Commission's list of emergency numbers (112 and the national ones beside it,
Directive (EU) 2018/1972 art. 109), Decision 2007/116/EC (116xxx). A test holds it against libphonenumber.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

MAX_DIALLED = 64  # characters; what is longer is no number in any notation

_INTERNATIONAL = "00"  # in every country of the table
_SEPARATORS = re.compile(r"[\s()/.\-\u2010-\u2015]+")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS = re.compile(r"[0-9]+")
_HARMONISED = re.compile(r"116[0-9]{3}")  # missing children, the doctor on call, …
_MIN_SERVICE, _MAX_SERVICE = 3, 6  # digits: 115 and 116117
_MIN_LOCAL = 3  # digits: fewer is a slip of the finger, or an extension that does not exist
_E164_MAX = 16  # characters, `+` included
_USUAL, _FILLING = 10, "5550123456789"  # digits of an example after the calling code, and what fills it up


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """How numbers of one country look and are dialled.

    Attributes:
        code: ISO 3166.
        calling: calling code, without `+`.
        trunk: prefix of national dialling, not part of the number; empty where the whole number is dialled.
        shortest: fewest digits after the calling code.
        longest: most digits after the calling code.
        emergency: what must be answered at once.
        services: beginnings of short numbers that no area code precedes (116117, 11833).
        costly: beginnings of national numbers whose price nobody can guess: premium, shared-cost, enquiries,
            personal numbers.
        keeps_zero: the leading zero is part of the number and stays after the calling code.
    """

    code: str
    calling: str
    trunk: str
    shortest: int
    longest: int
    emergency: frozenset[str]
    services: tuple[str, ...]
    costly: tuple[str, ...]
    keeps_zero: bool = False


_TABLE: Final = """
# code calling trunk digits  emergency                        services     costly
AT     43      0     4-13    112,122,133,144                  116,118      81,82,86,89,90,93,118
BE     32      0     8-9     112,100,101                      116,1        70,7879,90,1
BG     359     0     6-12    112,150,160,166                  116,118      700,90,118
CH     41      0     9-12    112,117,118,144                  1            84,90,18,878
CY     357     -     8-8     112,199                          116,118      80,90,700
CZ     420     -     9-12    112,150,155,156,158              116,1        81,83,84,90,976,1,700,701
DE     49      0     4-13    110,112                          115,116,118  118,12,137,138,180,190,900,181,700
DK     45      -     8-8     112,114                          116,118      90,118
EE     372     -     7-10    112,110                          116,1        40,900,1,700,701,702
ES     34      -     9-9     112,061,062,080,085,088,091,092  116,0,1      803,806,807,901,902,905,907,1,70
FI     358     0     5-12    112                              116,118      118,600,700
FR     33      0     9-9     112,114,15,17,18                 116,118,1,3  81,82,83,84,85,86,87,88,89,118,3
GB     44      0     7-10    112,999                          116,118,1    84,87,9,118,70
GR     30      -     10-12   112,100,166,199                  116,118,1    801,806,812,82,85,87,90,1,70
HR     385     0     7-9     112,192,193,194                  116,118      6,118,74,75
HU     36      06    8-9     112,104,105,107                  116,118      90,91
IE     353     0     7-10    112,999                          116,118      15,18,118,700
IS     354     -     7-9     112                              116,118,1    90,1
IT     39      -     6-12    112,113,115,118                  116,1,4      0878,1,4,84,89
LI     423     -     7-9     112,117,118,144                  1            90,18
LT     370     0     8-8     112,101,102,103                  116,118,1    808,90,910,118,700,705
LU     352     -     4-11    112,113                          116,118,1    801,90,118
LV     371     -     8-8     112,110,113                      116,118,1    81,90,118
MC     377     -     8-9     112,15,17,18                     116,1        3,1
MT     356     -     8-8     112                              116,118,1    5,118
NL     31      0     5-11    112,911                          116,118,14   90,18,118
NO     47      -     5-8     110,112,113                      116,118,1    810,82,118,880
PL     48      -     6-10    112,997,998,999                  116,118,1    70,801,118
PT     351     -     9-9     112,115                          116,118,1    60,64,76,808,809,1,884
RO     40      0     6-9     112                              116,118,1    801,90,118
SE     46      0     6-12    112,90000                        116,118      118,649,77,900,939,944,99,75
SI     386     0     5-8     112,113                          116,118      89,90,118
SK     421     0     6-9     112,150,155,158                  116,118,1    118,85,86,87,88,89,900,97,98
SM     378     -     8-10    113,115,118,112                  1            7
"""

# Assigned country codes of three digits, by their first two; all others are codes of one or two digits.
_THREE_DIGITS: Final = """
21:12368 22:0123456789 23:0123456789 24:0123456789 25:012345678 26:0123456789 29:01789 35:0123456789
37:012345678 38:01235679 42:013 50:0123456789 59:0123456789 67:023456789 68:012356789 69:012 80:08
85:02356 87:08 88:012368 96:012345678 97:012345679 99:234568
"""
_TWO_DIGITS: Final = """
20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63
64 65 66 81 82 84 86 90 91 92 93 94 95 98
"""


def _countries() -> dict[str, Country]:
    rows = (line.split() for line in _TABLE.strip().splitlines() if not line.startswith("#"))
    return {row[0]: _country(*row) for row in rows}


def _country(  # noqa: PLR0913, PLR0917 — the columns of the table
    code: str, calling: str, trunk: str, digits: str, emergency: str, services: str, costly: str
) -> Country:
    shortest, longest = digits.split("-")
    return Country(
        code=code,
        calling=calling,
        trunk=trunk.strip("-"),
        shortest=int(shortest),
        longest=int(longest),
        emergency=frozenset(emergency.split(",")),
        services=tuple(services.split(",")),
        costly=tuple(costly.split(",")),
        keeps_zero=code in {"IT", "SM"},
    )


def _calling_codes() -> frozenset[str]:
    groups = (group.split(":") for group in _THREE_DIGITS.split())
    return frozenset(
        {"1", "7", *_TWO_DIGITS.split(), *(two + last for two, lasts in groups for last in lasts)}
    )


COUNTRIES: Final = MappingProxyType(_countries())
_BY_CALLING: Final = MappingProxyType({country.calling: country for country in COUNTRIES.values()})
_CALLING_CODES: Final = _calling_codes()


def normalise(dialled: str, country: str, area_code: str = "") -> str | None:
    """Bring a number as dialled or written in `country` into E.164 form.

    Takes separators, `(0)`, the international prefix, the trunk prefix, and local numbers where `area_code`
    (without trunk prefix) is known. Service numbers get the calling code (`116117` → `+49116117`).

    Returns:
        The number with `+`, or None where it is none: too short or long, letters, an unassigned country code.
    """
    home = COUNTRIES.get(country)
    if len(dialled) > MAX_DIALLED or home is None:
        return None
    if is_e164(dialled):  # as most carriers and address books write it
        return dialled
    international = dialled.lstrip().startswith(("+", _INTERNATIONAL))
    digits = _digits(dialled, international=international)
    if digits is None:
        return None
    number = _international(digits) if international else _national(digits, home, area_code)
    return number if is_e164(number) else None


def national(number: str, country: str) -> str:
    """Write an E.164 number as it is dialled at home in `country`; nothing where it would lead elsewhere."""
    home = COUNTRIES.get(country)
    if home is None or calling_code(number) != home.calling:
        return ""
    digits = number[1 + len(home.calling) :]
    dialled = digits if _is_service(digits, home) else f"{home.trunk}{digits}"
    return "" if dialled.startswith(_INTERNATIONAL) else dialled


def is_e164(number: str) -> bool:
    """Tell whether `number` is in E.164 form, its country code assigned, its length known there."""
    calling = calling_code(number)
    if not calling:
        return False
    country = _BY_CALLING.get(calling)
    national = number[1 + len(calling) :]
    if country is None:
        return _E164.fullmatch(number) is not None
    if national.startswith(_INTERNATIONAL):  # dialled at home it leads abroad
        return False
    fits = country.shortest <= len(national) <= country.longest and len(number) <= _E164_MAX
    return (fits and _starts_well(national, country)) or _is_service(national, country)


@lru_cache(maxsize=64)  # one call asks for the same few numbers again and again
def calling_code(number: str) -> str:
    """Give the calling code of an E.164 number (`49`), or nothing where it begins with none."""
    if not number.startswith("+") or not _DIGITS.fullmatch(number[1:]):
        return ""
    return next((number[1:end] for end in (2, 3, 4) if number[1:end] in _CALLING_CODES), "")


def country_of(number: str) -> str:
    """Give the ISO code of the country of the table that an E.164 number belongs to, or nothing."""
    country = _BY_CALLING.get(calling_code(number))
    return country.code if country else ""


def is_costly(number: str) -> bool:
    """Tell whether an E.164 number of a known country is one whose price cannot be guessed."""
    country = _BY_CALLING.get(calling_code(number))
    return country is not None and number[1 + len(country.calling) :].startswith(country.costly)


def example(beginning: str) -> str:
    """Give a number that begins so and has a length that is usual there; `beginning` is `+` and digits."""
    calling = calling_code(beginning)
    country = _BY_CALLING.get(calling)
    digits = _USUAL if country is None else max(country.shortest, min(country.longest, _USUAL - 1))
    return beginning + _FILLING[: max(0, 1 + len(calling) + digits - len(beginning))]


def emergency_numbers(country: str) -> frozenset[str]:
    """Give the emergency numbers of a country; 112 where the country is not in the table."""
    known = COUNTRIES.get(country)
    return known.emergency if known else frozenset({"112"})


def beginnings_abroad(country: Country) -> Iterator[str]:
    """Give how what follows the calling code begins if, dialled at home, it would lead abroad."""
    if _INTERNATIONAL.startswith(country.trunk):
        yield _INTERNATIONAL.removeprefix(country.trunk)


def short_numbers(country: Country) -> Iterator[tuple[str, int]]:
    """Give the beginnings of numbers that no area code precedes, each with every length it may have."""
    for beginning in country.services:
        shortest = max(_MIN_SERVICE, len(beginning))
        yield from ((beginning, digits) for digits in range(shortest, _MAX_SERVICE + 1))


def is_harmonised_service(dialled: str) -> bool:
    """Tell whether `dialled` is a service of social value that has one number in all of Europe, 116xxx."""
    return _HARMONISED.fullmatch(dialled) is not None


def _digits(dialled: str, *, international: bool) -> str | None:
    """Leave only the digits, the international prefix taken off; None if anything else was in between."""
    text = _without_bracketed_zero(dialled) if international else dialled
    bare = _SEPARATORS.sub("", text)
    if international:
        bare = bare.removeprefix("+") if bare.startswith("+") else bare.removeprefix(_INTERNATIONAL)
    return bare if _DIGITS.fullmatch(bare) else None


def _without_bracketed_zero(written: str) -> str:
    """Drop the `(0)` of `+49 (0)30`, meant for callers at home; keep it where it is dialled always."""
    before, zero, after = written.partition("(0)")
    if not zero:
        return written
    calling = re.sub("[^0-9]", "", before).removeprefix(_INTERNATIONAL)
    country = _BY_CALLING.get(calling)
    return f"{before}{'0' if country and country.keeps_zero else ''}{after}"


def _international(digits: str) -> str:
    """Put the `+` before the digits; take out a trunk prefix that was dialled after the calling code."""
    calling = calling_code(f"+{digits}")
    country = _BY_CALLING.get(calling)
    national = digits[len(calling) :]
    if country and country.trunk:
        national = national.removeprefix(country.trunk)
    return f"+{calling}{national}"


def _national(digits: str, home: Country, area_code: str) -> str:
    """Put the calling code before a number dialled at home, and the area code before a local one."""
    if not home.trunk or _is_service(digits, home):
        return f"+{home.calling}{digits}"
    if digits.startswith(home.trunk):
        return f"+{home.calling}{digits.removeprefix(home.trunk)}"
    local = area_code and len(digits) >= _MIN_LOCAL and digits not in home.emergency
    return f"+{home.calling}{area_code}{digits}" if local else ""


def _is_service(national: str, country: Country) -> bool:
    """Tell whether the digits after the calling code are a short number that stands for itself."""
    return (
        _MIN_SERVICE <= len(national) <= _MAX_SERVICE
        and national.startswith(country.services)
        and national not in country.emergency
    )


def _starts_well(national: str, country: Country) -> bool:
    """Refuse a national number that begins with zero where the zero is only a prefix of dialling."""
    return not (country.trunk and national.startswith("0"))
