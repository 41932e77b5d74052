"""Calls that nobody prices are told before anybody makes one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app

CONFIG = Path(__file__).parents[3] / "config"
TENANT = """
version: 1
tenant: beta
name: Beta
country: DE
time_zone: Europe/Berlin
account: beta
numbers:
  "+493055500777": {to: extension 10}
extensions:
  "10": {name: Ten, devices: [p10], may_call: anywhere}
"""
ACCOUNT = """
version: 1
account: beta
name: Beta
country: DE
catalogue: story
time_zone: Europe/Berlin
"""
CATALOGUE = (CONFIG / "demo" / "catalogue.yaml").read_text()
LIST = """
price_lists:
  - {price_list: world, file: world.csv, kinds: [fixed, mobile]}
"""
ROWS = "prefix,name,price_per_minute\n39,Italy,0.10\n"
Notes = Callable[..., list[str]]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Check tenant, account and catalogue where nothing runs; give what is noted of prices."""
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PBXCORE_CONFIG", str(CONFIG))

    def noted(*, tenant: str = TENANT, account: str = ACCOUNT, catalogue: str = CATALOGUE) -> list[str]:
        for name, text in (("tenant", tenant), ("account", account), ("catalogue", catalogue)):
            (tmp_path / f"{name}.yaml").write_text(text)
        (tmp_path / "world.csv").write_text(ROWS)
        said = CliRunner().invoke(app, ["check", "--json", str(tmp_path)])
        assert said.exit_code == 0, said.output
        return [one for one in json.loads(said.output)["notes"] if "the database alone knows" not in one]

    return noted


def calling(reach: str) -> str:
    """The tenant whose phone may call so far."""
    return TENANT.replace("anywhere", reach)


def test_what_a_tenant_may_call_without_a_price_is_noted_by_kind(notes: Notes) -> None:
    """Kinds and countries, which are counted where they are many; and what becomes of such calls."""
    (note,) = notes()
    assert note.startswith("beta may call where story@2026-01-01 has no price: fixed in ")
    assert "shared-cost in" in note
    assert "pager" not in note
    assert note.endswith("such calls go out and wait in quarantine")


@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        ("inside", None),
        (
            "country",
            "freephone in DE; personal in DE; premium in DE; shared-cost in DE",
        ),
        ('{to: inside, allowed: ["+4930*"]}', None),
        ('{to: inside, allowed: ["+3906*"]}', "fixed in IT, VA"),
        ('{to: country, blocked: ["+49*"]}', None),
    ],
)
def test_only_what_may_be_called_is_noted(notes: Notes, reach: str, expected: str | None) -> None:
    """Rights and their lists speak, as they do when a call is decided."""
    found = [note.partition("no price: ")[2].partition("; such")[0] for note in notes(tenant=calling(reach))]
    assert found == ([expected] if expected else [])


SENDING = """\
version: 1
tenant: beta
name: Beta
country: DE
time_zone: Europe/Berlin
account: beta
numbers:
  "+493055500777": {to: group all}
  "+493055500778": {to: number +499001234567, callers: {"+4930*": number +493055500777}}
extensions:
  "10":
    name: Ten
    devices: [p10]
    may_call: {to: inside, allowed: ["+39*", "+4930*"]}
    forward: {busy: number +4930123456, rules: [{callers: ["+44*"], always: number +390612345678}]}
groups:
  all: {name: All, extension: "60", members: ["10", number: +499001234568], otherwise: hours office}
hours:
  office: {open: ["Mon-Fri 08:00-18:00"], then: announcement bye, closed: number +88213001234}
announcements:
  bye: {sound: vm-goodbye, then: number +88213001235}
"""


def test_each_rule_that_sends_calls_to_a_number_without_a_price_is_noted(notes: Notes) -> None:
    """With its line, path, number and kind; priced numbers and those of a tenant are none of them."""
    sent = [one.partition("tenant.yaml:")[2] for one in notes(tenant=SENDING) if "sends calls" in one]
    expected = [
        (9, "numbers.+493055500778.to", "+499001234567 (premium in DE"),
        (15, "extensions.10.forward.rules.0.always", "+390612345678 (fixed in IT"),
        (17, "groups.all.members.1.number", "+499001234568 (premium in DE"),
        (19, "hours.office.closed", "+88213001234 (satellite of no country"),
        (21, "announcements.bye.then", "+88213001235 (satellite of no country"),
    ]
    assert sent == [
        f"{line}: {path} sends calls to {where}, for which story@2026-01-01 has no price); "
        "they go out and wait in quarantine"
        for line, path, where in expected
    ]


def test_what_belongs_to_no_country_is_said_in_words(notes: Notes) -> None:
    """001 is a code of the table of destinations and no country."""
    (note,) = notes()
    assert "satellite of no country" in note
    assert "001" not in note


def test_a_list_that_knows_a_part_of_a_country_prices_it(notes: Notes) -> None:
    """Nobody is told that Italy has no price where a list has one for it."""
    assert notes(catalogue=CATALOGUE + LIST, tenant=calling('{to: inside, allowed: ["+3906*"]}')) == []


CANADA = """
  CA:
    name: Canada
    countries: [CA]

rates:
  - {zone: CA, kind: fixed, price_per_minute: "0.03"}
  - {zone: CA, kind: mobile, price_per_minute: "0.03"}
"""


def test_a_list_of_one_country_of_several_behind_a_code_prices_no_other(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a row of Manitoba Canada has a price, and the United States, which go on behind it, have none."""

    def bare(catalogue: str) -> int:
        (note,) = notes(catalogue=catalogue)
        return int(note.partition("fixed_or_mobile in ")[2].partition(" countries")[0])

    monkeypatch.setattr(f"{__name__}.ROWS", "prefix,name,price_per_minute\n1204,Manitoba,0.10\n")
    assert bare(CATALOGUE + LIST) == bare(CATALOGUE) - 1


def test_who_may_call_one_country_behind_a_code_hears_nothing_of_another(notes: Notes) -> None:
    """The United States, which have no price, are not what begins with +1 204."""
    catalogue = CATALOGUE.replace("\n\nrates:\n", CANADA, 1)
    assert notes(catalogue=catalogue, tenant=calling('{to: inside, allowed: ["+1204*"]}')) == []


def test_an_account_before_its_first_prices_is_noted(notes: Notes) -> None:
    """Its catalogue begins later: nothing has a price until then."""
    account = ACCOUNT + "payment: prepaid\n"
    (note,) = notes(catalogue=CATALOGUE.replace("2026-01-01", "2099-01-01"), account=account)
    assert "account beta has no prices for calls of beta: none of its catalogues is in force yet" in note
    assert note.endswith("they are refused (no-price)")


def test_the_documents_that_are_shipped_price_what_they_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins with them is not told of what he has not done."""
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path))
    monkeypatch.setenv("PBXCORE_CONFIG", str(CONFIG))
    said = CliRunner().invoke(app, ["check", "--json", str(CONFIG)])
    assert [note for note in json.loads(said.output)["notes"] if "price" in note] == []
