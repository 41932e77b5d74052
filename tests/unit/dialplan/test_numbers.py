"""Numbers: from what people dial to E.164, country by country, and the library as the judge."""

import csv
import re
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from dialplan import numbers

CONFIG = Path(__file__).parents[3] / "config"

NO_NUMBERS = [
    ("", "DE", ""),
    ("+", "DE", "30"),
    ("0", "DE", "30"),
    ("00", "DE", "30"),
    ("abc", "DE", "30"),
    ("+49 30 CALL ME", "DE", "30"),
    ("+999 123 456 789", "DE", ""),  # a country code nobody has
    ("+210 123 456 789", "DE", ""),
    ("+49 30 1234567890123", "DE", ""),  # longer than E.164 allows
    ("+49 0", "DE", ""),
    ("+39 00 252 4123456", "IT", ""),  # a carrier at home would read it as one of Somalia
    ("5550100", "DE", ""),  # local, and nobody said where
    ("99", "DE", "30"),
    ("112", "DE", "30"),  # an emergency number is no local number
    ("112", "IT", ""),
    ("+49112", "DE", ""),
    ("٠٣٠٥٥٥٠١٠٠", "DE", "30"),  # digits, but not those that are dialled
    ("030 5550100", "ZZ", ""),
    ("0" * 65, "DE", "30"),
    ("++493012345", "DE", ""),
]

NUMBERS = [
    ("5550100", "DE", "30", "+49305550100"),
    ("030/555 01-00", "DE", "", "+49305550100"),
    ("(030) 5550100", "DE", "", "+49305550100"),
    ("(0)30 5550100", "DE", "", "+49305550100"),
    ("+49 (0)30 5550100", "DE", "", "+49305550100"),
    ("0049 (0)30 5550100", "AT", "", "+49305550100"),
    ("+49 030 5550100", "DE", "", "+49305550100"),
    ("0043 664 1234567", "DE", "", "+436641234567"),
    ("0664 1234567", "AT", "", "+436641234567"),
    ("044 668 18 00", "CH", "", "+41446681800"),
    ("020 123 4567", "NL", "", "+31201234567"),
    ("06 698 12345", "IT", "", "+390669812345"),  # the zero stays
    ("+39 (0)6 698 12345", "DE", "", "+390669812345"),
    ("333 1234567", "IT", "", "+393331234567"),
    ("06 1 234 5678", "HU", "", "+3612345678"),  # the trunk prefix is 06
    ("+36 06 1 234 5678", "HU", "", "+3612345678"),
    ("01 23 45 67 89", "FR", "", "+33123456789"),
    ("912 345 678", "ES", "", "+34912345678"),
    ("116117", "DE", "30", "+49116117"),  # a service number needs no area code
    ("11833", "DE", "30", "+4911833"),
    ("+1 202 555 0123", "DE", "", "+12025550123"),
    ("+7 701 123 4567", "DE", "", "+77011234567"),
]


@pytest.mark.parametrize(("dialled", "country", "area_code"), NO_NUMBERS)
def test_what_is_no_number_stays_none(dialled: str, country: str, area_code: str) -> None:
    """Nothing is made up where no number was dialled."""
    assert numbers.normalise(dialled, country, area_code) is None


@pytest.mark.parametrize(("dialled", "country", "area_code", "expected"), NUMBERS)
def test_numbers_reach_their_international_form(
    dialled: str, country: str, area_code: str, expected: str
) -> None:
    """A number in any usual notation becomes its E.164 form."""
    assert numbers.normalise(dialled, country, area_code) == expected


@pytest.mark.parametrize("country", sorted(numbers.COUNTRIES))
def test_emergency_numbers_hold_against_the_library(country: str) -> None:
    """Every emergency number libphonenumber knows is ours, but those that were given up."""
    given_up = {"HR": {"93", "94"}, "LV": {"01", "02", "03"}, "LT": {"01", "02", "03", "011", "022", "033"}}
    metadata = PhoneMetadata.short_metadata_for_region(country)
    assert metadata is not None
    assert metadata.emergency is not None
    pattern = re.compile(str(metadata.emergency.national_number_pattern))
    short = (f"{number:0{width}}" for width in (2, 3) for number in range(10**width))
    known = {number for number in short if pattern.fullmatch(number)}
    known -= {f"15{last}" for last in range(10)} if country == "CZ" else set()  # the pattern is a range
    assert known - given_up.get(country, set()) <= numbers.emergency_numbers(country)
    assert "112" in numbers.emergency_numbers(country)


# Irish 1800, 1850 and 15xx numbers and German pagers are dialled without trunk prefix; the Monegasque example
# is written in the French way.
LIBRARY_DIALS_OTHERWISE = {
    ("IE", PhoneNumberType.TOLL_FREE),
    ("IE", PhoneNumberType.PREMIUM_RATE),
    ("IE", PhoneNumberType.SHARED_COST),
    ("DE", PhoneNumberType.PAGER),
    ("MC", PhoneNumberType.MOBILE),
}
EXAMPLES = [
    (country, kind, example)
    for country in sorted(numbers.COUNTRIES)
    for kind in PhoneNumberType.values()
    if (example := phonenumbers.example_number_for_type(country, kind)) is not None
]


@pytest.mark.parametrize(("country", "kind", "example"), EXAMPLES)
def test_normalising_holds_against_the_library(
    country: str, kind: int, example: phonenumbers.PhoneNumber
) -> None:
    """The library's example of each kind of number of each country is normalised as the library says."""
    expected = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    international = phonenumbers.format_number(example, PhoneNumberFormat.INTERNATIONAL)
    assert numbers.normalise(international, "AT") == expected
    assert numbers.normalise(f"00{expected[1:]}", country) == expected
    if (country, kind) not in LIBRARY_DIALS_OTHERWISE:
        national = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)
        assert numbers.normalise(national, country) == expected


@pytest.mark.parametrize(
    ("country", "kind", "example"), [row for row in EXAMPLES if row[1] == PhoneNumberType.PREMIUM_RATE]
)
def test_premium_numbers_are_costly(country: str, kind: int, example: phonenumbers.PhoneNumber) -> None:
    """A number the library calls premium is never one that the standby may call blindly."""
    assert numbers.is_costly(phonenumbers.format_number(example, PhoneNumberFormat.E164)), (country, kind)


def test_country_codes_are_those_of_the_library() -> None:
    """The country codes we take as assigned are the ones the library knows."""
    ours = {code for code in map(str, range(1, 1000)) if numbers.calling_code(f"+{code}") == code}
    assert ours == {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}


@given(
    st.text(max_size=70), st.sampled_from([*sorted(numbers.COUNTRIES), "", "ZZ"]), st.sampled_from(["", "30"])
)
def test_whatever_is_dialled_gives_a_number_or_none(dialled: str, country: str, area_code: str) -> None:
    """Any text is a number in E.164 form or none, and a number stays what it is."""
    number = numbers.normalise(dialled, country, area_code)
    if number is not None:
        assert numbers.is_e164(number)
        assert numbers.normalise(number, country, area_code) == number


@pytest.mark.parametrize("table", ["prefixes.csv", "lengths.csv"])
def test_numbers_of_an_unguessable_price_are_costly(table: str) -> None:
    """What config/destinations calls premium, shared-cost, personal or satellite never leaves blindly."""
    kinds = {"premium", "shared-cost", "personal", "satellite"}
    with (CONFIG / "destinations" / table).open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in kinds]
    samples = ["+" + row["prefix"].ljust(int(row.get("length") or 11), "0") for row in rows]
    known = [number for number in samples if numbers.country_of(number) in numbers.COUNTRIES]
    assert len(known) > 15
    assert [number for number in known if not numbers.is_costly(number)] == []
