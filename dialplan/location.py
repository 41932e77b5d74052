"""Where a phone stands, in the words in which emergency centres are told: a civic address.

Owns what an operator writes of it, the names of its parts, those of RFC 5139, and how they are written for
Asterisk, which makes a PIDF-LO document of them (RFC 4119) and sends it with the call (RFC 6442).
"""

from pydantic import BaseModel, ConfigDict

from dialplan.spelling import AddressPart, CountryCode

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


class LocationSpec(BaseModel):
    """Where phones stand: what emergency centres are told by trunks that take it (RFC 5139).

    Attributes:
        country: in which it is. Default: the tenant's.
        region: state or province.
        city: town or village.
        postal_code: as it stands in letters.
        street: its name, with its kind.
        house_number: with what belongs to it, `5 b`.
        building: of several at that address.
        floor: as it is called there.
        room: in which the phone stands.
        hint: what helps to find the way, `back entrance`.
        name: who is found there, as it stands on the door. Default: the tenant's.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)  # as all parts of the document

    country: CountryCode | None = None
    region: AddressPart | None = None
    city: AddressPart
    postal_code: AddressPart | None = None
    street: AddressPart | None = None
    house_number: AddressPart | None = None
    building: AddressPart | None = None
    floor: AddressPart | None = None
    room: AddressPart | None = None
    hint: AddressPart | None = None
    name: AddressPart | None = None


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
