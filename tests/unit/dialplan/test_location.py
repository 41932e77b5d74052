"""Where phones stand: which location holds for a phone, and how it is written for emergency centres."""

from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.checks import check_tenant
from dialplan.location import LocationSpec, civic_address
from dialplan.spec import TenantSpec
from tests.unit.dialplan.small import BASE

PLACES: dict[str, Any] = {
    "office": {"city": "Berlin", "street": "Invalidenstraße", "house_number": "5", "floor": "3"},
    "home": {"country": "AT", "city": "Wien"},
    "shop": {"city": "Bonn", "name": "Müller & Söhne"},
}
DOCUMENT: dict[str, Any] = BASE | {
    "locations": PLACES,
    "location": "office",
    "extensions": {
        "10": {"name": "A", "devices": ["p10"], "voicemail": {}},
        "11": {"name": "B", "devices": ["p11", {"device": "h11", "location": "home"}], "location": "shop"},
    },
}


def test_the_nearest_that_says_where_a_phone_stands_holds() -> None:
    """The device before its extension, that before the tenant."""
    plan = build_plan(TenantSpec.model_validate(DOCUMENT), revision=1, trunks=())
    assert {one.endpoint: one.location for one in plan.phones} == {
        "acme-p10": 'country="DE",A3="Berlin",RD="Invalidenstraße",HNO="5",FLR="3",NAM="Acme"',
        "acme-p11": 'country="DE",A3="Bonn",NAM="Müller &amp; Söhne"',
        "acme-h11": 'country="AT",A3="Wien",NAM="Acme"',
    }


def test_a_tenant_that_says_nothing_has_no_location() -> None:
    """Nobody guesses where its phones stand."""
    plan = build_plan(TenantSpec.model_validate(BASE), revision=1, trunks=())
    assert {one.location for one in plan.phones} == {""}


def test_a_name_ends_no_address() -> None:
    """What Asterisk would read as the end of a value, or XML as its own, is left out of a tenant's name."""
    address = civic_address(LocationSpec(city="Bonn"), country="DE", name='A "B", C; ${D} = E\\F & G')
    assert address.endswith('NAM="A B C D  EF &amp; G"')


@pytest.mark.parametrize("city", ['Bonn"', "Bonn, Rhein", "Bonn|", "${EXTEN}", " ", "Bonn<", "B" * 61])
def test_a_part_that_would_end_the_address_is_refused(city: str) -> None:
    """Such text would reach an emergency centre as another one."""
    with pytest.raises(ValueError, match="is no part of an address"):
        LocationSpec(city=city)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"location": "ofice"}, ("location",)),
        ({"extensions": DOCUMENT["extensions"] | {"10": {"name": "A", "voicemail": {}, "location": "x"}}},
         ("extensions", "10", "location")),
        ({"extensions": DOCUMENT["extensions"]
          | {"10": {"name": "A", "voicemail": {}, "devices": [{"device": "p10", "location": "x"}]}}},
         ("extensions", "10", "devices", 0, "location")),
    ],
)  # fmt: skip
def test_a_location_that_is_not_there_is_found(change: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """The finding names the place and what may have been meant."""
    findings = check_tenant(TenantSpec.model_validate(DOCUMENT | change), trunks=("carrier",))
    assert [(one.code, one.path) for one in findings] == [("unknown-location", path)]
