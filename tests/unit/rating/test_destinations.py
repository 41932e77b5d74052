"""Where numbers lead, by the committed table."""

import filecmp
import importlib.metadata
import shutil
from pathlib import Path

import pytest
import yaml

from rating.destinations import Destination, Destinations, Kind
from rating.destinations.derive import main, read_overrides
from rating.destinations.table import ShortNumber
from rating.destinations.table import destinations as build

FOLDER = Path(__file__).parents[3] / "config" / "destinations"


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "+0",
        "+210123456",
        "+999123",
        "4930123456",
        "0049301234",
        "112",
        "+49abc",
        "+49٣",
        "+1" + "2" * 40,
    ],
)
def test_what_no_plan_knows_leads_nowhere(destinations: Destinations, number: str) -> None:
    """No country, no sign, no digits: no destination, and never a guess."""
    assert destinations.look_up(number) is None


TABLE = """
001 freephone        +80012345678
001 international    +883510012345
001 personal         +878101234567890
001 premium          +979123456789
001 satellite        +88216123456 +881612345678 +870301234567 +88213123456
001 shared-cost      +80812345678
AD fixed             +376712345
AE fixed             +97122345678
AL fixed             +35542123456
AQ fixed             +672112345
AT fixed             +4312345678
AT mobile            +43664123456
AZ fixed             +994123123456
BA fixed             +38733123456
BE fixed             +3222123456
BG fixed             +35929123456
BR fixed             +551123456789
BS fixed             +12423456789
BS mobile            +12422345678
BY fixed             +375152450911
CA fixed_or_mobile   +14165551234
CH fixed             +41441234567
CH mobile            +41791234567
CN fixed             +861012345678
CZ fixed             +420212345678
DE fixed             +493012345 +493212345678 +4980 +49116117 +49115
DE freephone         +49800123
DE mobile            +4915112345678
DE personal          +4970012345678
DE premium           +4990012 +49137712345 +4911833
DE shared-cost       +49180512345
DK freephone         +4580123456
DK mobile            +4520123456 +4534212345
DO fixed_or_mobile   +18095551234
EE fixed             +3723212345
EH fixed             +212528812345
ES fixed             +34912345678
FI mobile            +358401234567
FR fixed             +33123456789
GB fixed             +442071234567
GB mobile            +447400123456
GB premium           +449011234567
GB shared-cost       +448451234567
GE fixed             +995322123456
GG fixed             +441481123456
GG mobile            +447781123456
GR fixed             +302123456789
HK fixed             +85221234567
HR fixed             +38512345678
HU fixed             +3611234567
IE fixed             +35318501234 +35312345678
IE shared-cost       +3531850123456
IL fixed             +97221234567
IM fixed             +441624123456
IN fixed             +911123456789
IS fixed             +3545101234
IT fixed             +390612345678
JE fixed             +441534123456
JM fixed_or_mobile   +18765230123
JP fixed             +81312345678
KZ fixed             +77172123456 +76001234567
KZ mobile            +77012345678
LI fixed             +4232345678
LT fixed             +37052123456
LU fixed             +35222123456
LV fixed             +37167123456
MA fixed             +212522123456
MC fixed             +37799123456
MD fixed             +37322212345
ME fixed             +38230234567
MK fixed             +38922212345
MT fixed             +35621001234
MX fixed_or_mobile   +525512345678
MX mobile            +5215512345678
NL fixed             +31201234567
NO fixed             +4721234567
PL fixed             +48123456789
PR fixed_or_mobile   +17872345678
PT fixed             +351212345678
RO fixed             +40211234567
RS fixed             +38110234567
RU fixed             +74951234567
RU mobile            +79161234567
SA fixed             +966112345678
SE fixed             +46812345678
SG fixed             +6561234567
SI fixed             +38611234567
SK fixed             +421221234567
SM fixed             +390549123456 +378886377
TR fixed             +902123456789
UA fixed             +380311234567
US fixed_or_mobile   +12125551234
US freephone         +18005551234
US premium           +19002345678
VA fixed             +390669812345 +3790512
XK fixed             +38338123456
XK mobile            +38349123456
ZA fixed             +27101234567
"""
NUMBERS = {
    number: Destination(country, Kind(kind))
    for country, kind, *numbers in map(str.split, TABLE.strip().splitlines())
    for number in numbers
}


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_lead_where_they_should(destinations: Destinations, number: str) -> None:
    """Each country of the autphone document, and each trap of the numbering plans, is told right."""
    assert destinations.look_up(number) == NUMBERS[number]


@pytest.mark.parametrize(
    ("number", "home", "kind"),
    [
        ("112", "DE", "emergency"),
        ("110", "DE", "emergency"),
        ("115", "DE", "fixed"),
        ("116117", "DE", "freephone"),
        ("+49116117", "DE", "freephone"),
        ("11833", "DE", "premium"),
        ("+49118000", "DE", "premium"),
        ("144", "AT", "emergency"),
        ("118", "IT", "emergency"),
    ],
)
def test_short_numbers_are_those_of_the_home_country(
    destinations: Destinations, number: str, home: str, kind: str
) -> None:
    """As dialled or behind its calling code, a short number is known at home."""
    assert destinations.look_up(number, home) == Destination(home, Kind(kind))


@pytest.mark.parametrize(
    ("number", "home"), [("118", "DE"), ("11833", "AT"), ("115", "AT"), ("116", "DE"), ("1", "US")]
)
def test_short_numbers_of_others_lead_nowhere(destinations: Destinations, number: str, home: str) -> None:
    """What is no complete short number of the caller's country has no destination."""
    assert destinations.look_up(number, home) is None


def test_the_longest_prefix_counts_and_gaps_close_behind_it() -> None:
    """Behind a nested prefix, what surrounds it holds again; its length rows end with it."""
    italy, vatican = Destination("IT", Kind.FIXED), Destination("VA", Kind.FIXED)
    special = Destination("IT", Kind.PREMIUM)
    table = build(
        {"39": italy, "3906698": vatican},
        {"39": {6: special}},
        [ShortNumber("IT", "39", "1", 3, Kind.EMERGENCY)],
    )
    found = {
        n: table.look_up("+" + n)
        for n in ("39", "3906697999", "3906698", "39066981", "39066990", "391234", "40", "38")
    }
    assert found == {
        "39": italy, "3906697999": italy, "3906698": vatican, "39066981": vatican, "39066990": italy,
        "391234": special, "40": None, "38": None,
    }  # fmt: skip


def test_beginnings_lead_where_they_are_said_to(destinations: Destinations) -> None:
    """Each of them, as it is given; and each place of the table begins somehow."""
    beginnings = list(destinations.beginnings())
    assert [(one, where) for one, where in beginnings if destinations.look_up(one) != where] == []
    places = {where for one, lengths in destinations.answers for where in (one, *(lengths or {}).values())}
    assert {where for _, where in beginnings} == places - {None}


def test_what_surrounds_a_prefix_does_not_begin_with_it() -> None:
    """What holds again behind +39 06698 is Italy, and +39 06698 is the Vatican alone."""
    fixed, mobile, city = Destination("IT", Kind.FIXED), Destination("IT", Kind.MOBILE), ("VA", Kind.FIXED)
    table = build({"39": fixed, "3906698": Destination(*city)}, {"3933": {5: mobile, 6: mobile}})
    assert list(table.beginnings()) == [
        ("+39", fixed),
        ("+3906698", city),
        ("+3933", fixed),
        ("+39330", mobile),
    ]


def test_the_committed_table_is_what_the_derivation_gives(tmp_path: Path) -> None:
    """The same version of the source and the same overrides give the same bytes."""
    shutil.copy(FOLDER / "overrides.csv", tmp_path)
    assert main(["--folder", str(tmp_path)]) == 0
    names = ["prefixes.csv", "lengths.csv", "short.csv", "source.yaml"]
    _, differing, missing = filecmp.cmpfiles(FOLDER, tmp_path, names, shallow=False)
    assert not differing, "run python -m rating.destinations.derive"
    assert not missing


def test_the_source_is_named() -> None:
    """Version, licence and the fact of modification stand beside the table."""
    source = yaml.safe_load((FOLDER / "source.yaml").read_text(encoding="utf-8"))
    assert source["package_version"] == importlib.metadata.version("phonenumbers")
    assert source["modified"] is True
    assert "Apache License" in (FOLDER / "LICENSE.libphonenumber").read_text(encoding="utf-8")


def test_each_override_says_who_says_so() -> None:
    """No correction stands without its source, and none corrects the same prefix twice."""
    overrides = read_overrides(FOLDER)
    assert all(len(entry.source) > 10 for entry in overrides)
    keys = [
        (prefix, entry.length, entry.country if entry.length else "")
        for entry in overrides
        for prefix in entry.prefixes
    ]
    assert len(keys) == len(set(keys))
