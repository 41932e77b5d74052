"""The table against libphonenumber, on random numbers; every difference is one of those listed here."""

import random
from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from rating.destinations import Destinations, Kind
from rating.destinations.load import load

FOLDER = Path(__file__).parents[2] / "config" / "destinations"
SAMPLE = 15_000  # numbers drawn; a million were compared when the derivation was written
KINDS = {
    PhoneNumberType.FIXED_LINE: Kind.FIXED,
    PhoneNumberType.MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: Kind.FIXED_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: Kind.FREEPHONE,
    PhoneNumberType.PREMIUM_RATE: Kind.PREMIUM,
    PhoneNumberType.SHARED_COST: Kind.SHARED_COST,
    PhoneNumberType.VOIP: Kind.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: Kind.PERSONAL,
    PhoneNumberType.PAGER: Kind.PAGER,
    PhoneNumberType.UAN: Kind.UAN,
    PhoneNumberType.VOICEMAIL: Kind.MOBILE,
}
# Where we differ on valid numbers, and why. Sources stand in config/destinations/overrides.csv; its other
# entries are about numbers that the library does not call valid (German services at every length, +52 1).
DIFFERENCES = {
    "212528": "Western Sahara: the library asks Morocco first and never reaches it",
    "390549": "San Marino, reached over Italy",
    "448": "UK 084/087: business rates, not premium",
    "45": "Danish mobile series, which the library does not tell from fixed",
    "4918": "German (0)18: shared-cost, which the library splits and calls uan",
    "6721": "Antarctic bases behind Norfolk Island's code",
    "870": "no country: satellite, by the ITU",
    "878": "no country: personal",
    "881": "no country: satellite",
    "882": "no country: satellite or international",
    "883": "no country: international",
    "888": "no country: international",
}


def valid(number: str) -> tuple[str, Kind] | None:
    """What libphonenumber says of a number, None where it is not valid as written."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    written = f"+{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"
    country = phonenumbers.region_code_for_number(parsed)
    if written != number or country is None or not phonenumbers.is_valid_number(parsed):
        return None
    return country, KINDS[phonenumbers.number_type(parsed)]


@pytest.fixture(scope="module")
def destinations() -> Destinations:
    """The committed table."""
    return load(FOLDER)


def drawn(draw: random.Random, bounds: tuple[str, ...]) -> str:
    """A number of a length its country has: half anywhere, half just behind an edge of the table."""
    code = str(draw.choice(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)))
    start = code
    if draw.random() < 0.5:
        start = draw.choice(bounds).rstrip(":")
        code = next(
            start[:n] for n in (1, 2, 3) if int(start[:n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
        )
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0])
    assert metadata is not None
    assert metadata.general_desc is not None
    missing = len(code) + draw.choice(metadata.general_desc.possible_length) - len(start)
    return f"+{start}{''.join(draw.choices('0123456789', k=max(0, missing)))}"


def test_the_table_agrees_with_its_source(destinations: Destinations) -> None:
    """On a large random sample the table says what libphonenumber says, except where corrected by hand."""
    draw = random.Random(20260101)
    bounds = tuple(bound for bound in destinations.bounds if bound and not bound.startswith("379"))
    compared, unexplained = Counter[str](), []
    for _ in range(SAMPLE):
        number = drawn(draw, bounds)
        expected = valid(number)
        if expected is None:
            continue
        compared[expected[0]] += 1
        found = destinations.look_up(number)
        if (found is None or tuple(found) != expected) and not number[1:].startswith(tuple(DIFFERENCES)):
            unexplained.append((number, expected, found))
    assert not unexplained
    assert compared.total() > SAMPLE // 4, "most of the numbers drawn are invalid: the sample proves little"
    assert len(compared) > 200


def test_each_listed_difference_is_one(destinations: Destinations) -> None:
    """The list of differences holds no prefix below which we agree with the source after all."""
    draw = random.Random(3)
    idle = []
    for prefix in DIFFERENCES:
        for _ in range(6_000):
            number = f"+{prefix}{''.join(draw.choices('0123456789', k=draw.randint(3, 12)))}"
            expected, found = valid(number), destinations.look_up(number)
            if expected is not None and (found is None or tuple(found) != expected):
                break
        else:
            idle.append(prefix)
    assert not idle, " ".join(idle)


@pytest.mark.parametrize(
    "field", ["fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip"]
)
def test_the_example_of_each_country_leads_there(destinations: Destinations, field: str) -> None:
    """Each example number the library gives, for each kind and country, is told as the library tells it."""
    wrong = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        description = getattr(metadata, field)
        if metadata is None or description is None or description.example_number is None:
            continue
        number = f"+{metadata.country_code}{description.example_number}"
        expected, found = valid(number), destinations.look_up(number)
        explained = number[1:].startswith(tuple(DIFFERENCES))
        if expected is not None and not explained and (found is None or tuple(found) != expected):
            wrong.append((number, expected, found))
    assert not wrong


def test_every_calling_code_has_a_root(destinations: Destinations) -> None:
    """A number of an assigned calling code is never unknown, and its bare code is not free."""
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        found = destinations.look_up(f"+{code}")
        assert found is not None, code
        assert found.kind is not Kind.FREEPHONE or code == 800


def test_nothing_is_freephone_that_the_source_does_not_call_so(destinations: Destinations) -> None:
    """No gap in a numbering plan, at any length, becomes a freephone number by inheritance."""
    draw = random.Random(7)
    free = [
        p
        for p in destinations.bounds
        if (found := destinations.look_up("+" + p)) and found.kind is Kind.FREEPHONE
    ]
    for prefix in draw.sample(free, min(400, len(free))):
        lengths = range(len(prefix) + 1, 16)
        told = {
            valid(f"+{prefix}{draw.randrange(10 ** (n - len(prefix))):0{n - len(prefix)}d}") for n in lengths
        }
        assert prefix.startswith("800") or any(
            one is not None and one[1] is Kind.FREEPHONE for one in told
        ), prefix
