"""Where a phone stands, in the words in which emergency centres are told: a civic address.

Owns the names of its parts, those of RFC 5139, and how they are written for Asterisk, which makes a PIDF-LO
document of them (RFC 4119) and sends it with the call (RFC 6442).
"""

from dialplan.spec import LocationSpec

_NAMES = {
    "region": "A1",
    "city": "A3",
    "postal_code": "PC",
    "street": "RD",
    "house_number": "HNO",
    "building": "BLD",
    "floor": "FLR",
    "room": "ROOM",
    "hint": "LOC",
}  # the country stands first, and who is found there last


def civic_address(one: LocationSpec, *, country: str, name: str) -> str:
    """Write a location, `country=DE,A3="Berlin",…`; its tenant's country and name hold where it says none."""
    parts = {"country": one.country or country}
    parts |= {known: text for key, known in _NAMES.items() if (text := getattr(one, key))}
    parts |= {"NAM": one.name or _plain(name)}
    return ",".join(f'{known}="{_in_xml(text)}"' for known, text in parts.items())


def _in_xml(text: str) -> str:
    """Write text as it stands in XML: Asterisk takes it as that. No < or > comes here."""
    return text.replace("&", "&amp;")


def _plain(name: str) -> str:
    """Leave out of a tenant's name what may not stand in a location, as it would end the text."""
    return "".join(one for one in name if one not in '"<>|,;=$\\{}').strip()
