"""`pbxcore rate` and `pbxcore destinations lookup`, as a script calls them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pbxcore.cli import app
from rating import wire

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "config" / "catalogues" / "autphone.yaml"
ACCOUNT = ROOT / "config" / "accounts" / "acme.yaml"
LEG: dict[str, Any] = {
    "key": "pbx-1.1",
    "linkedid": "pbx-1.0",
    "trunk": "carrier",
    "payer": "acme/60",
    "why": "forward",
    "number": "+436641234567",
    "answered": "2026-10-31T22:58:00.000000Z",
    "ended": "2026-10-31T23:02:00.000000Z",
}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find `config/` beside them."""
    monkeypatch.chdir(ROOT)


def rate(legs: str, *more: str, account: Path = ACCOUNT, catalogue: Path = CATALOGUE) -> Result:
    """Run `pbxcore rate` on lines given as standard input."""
    documents = ["--catalogue", str(catalogue), "--account", str(account)]
    return CliRunner().invoke(app, ["rate", *documents, "--legs", "-", *more], input=legs)


def lines(result: Result) -> list[dict[str, Any]]:
    """The objects on standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_documents_with_mistakes_rate_nothing(tmp_path: Path) -> None:
    """All mistakes of form come at once with file and line, and no leg is rated."""
    broken = tmp_path / "acme.yaml"
    broken.write_text(ACCOUNT.read_text().replace("size: S", "sise: S").replace("country: DE", "country: dd"))
    result = rate(json.dumps(LEG), "--json", account=broken)
    assert result.exit_code == 1
    found = json.loads(result.stdout)["findings"]
    assert {"sise" in one["message"] or one["path"][0] for one in found} >= {True, "country"}
    assert all(one["line"] > 1 and one["remedy"] for one in found)


def test_documents_that_do_not_fit_together_rate_nothing(tmp_path: Path) -> None:
    """An account that booked what its catalogue does not have is told with its line."""
    broken = tmp_path / "acme.yaml"
    broken.write_text(ACCOUNT.read_text().replace("size: S", "size: XXL"))
    result = rate(json.dumps(LEG), "--json", account=broken)
    found = json.loads(result.stdout)["findings"]
    assert [(one["code"], one["file"]) for one in found] == [("unknown-size", str(broken))]
    assert "size: XXL" in broken.read_text().splitlines()[found[0]["line"] - 1]


def test_a_slip_hides_no_other_mistake(tmp_path: Path) -> None:
    """A malformed value, and beside it a size that there is not; what hangs on the slip is not told."""
    text = ACCOUNT.read_text().replace("country: DE", "country: dd").replace("size: S", "size: XXL")
    broken = tmp_path / "acme.yaml"
    broken.write_text(text)
    codes = [one["code"] for one in json.loads(rate("", "--json", account=broken).stdout)["findings"]]
    assert codes == ["wrong-value", "unknown-size"]
    broken.write_text(text.replace("catalogue: autphone", "catalogue: 7"))
    codes = [one["code"] for one in json.loads(rate("", "--json", account=broken).stdout)["findings"]]
    assert codes == ["wrong-type", "wrong-value"]


@pytest.mark.parametrize(
    ("payer", "remedy"),
    [
        ("acme", "write --payer tenant=account; accounts: acme"),
        ("acme=nobody", "write --payer tenant=account; accounts: acme"),
        ("=acme", "write --payer tenant=account; accounts: acme"),
        ("branch=acne", "did you mean acme? Otherwise write"),
    ],
)
def test_a_payer_that_is_none_is_a_wrong_command(payer: str, remedy: str) -> None:
    """`--payer` names an account that was given."""
    done = rate("", "--payer", payer)
    assert (done.exit_code, remedy in " ".join(done.stderr.split())) == (2, True), done.stderr


def test_a_file_that_is_not_there_is_a_wrong_command() -> None:
    """The legs' file is named, and exists."""
    arguments = ["rate", "--catalogue", str(CATALOGUE), "--account", str(ACCOUNT), "--legs", "no/such/file"]
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_broken_lines_are_told_and_the_others_rated() -> None:
    """Each broken line is told with its number, every other leg comes out, and the exit code is a no."""
    result = rate("\n".join(["{", json.dumps(LEG), "", json.dumps({**LEG, "why": "x"})]), "--json")
    assert result.exit_code == 1
    assert [one["type"] for one in lines(result)] == ["rated"]
    assert "standard input, line 1:" in result.stderr
    assert "standard input, line 4:" in result.stderr
    assert "→ docs/rated-stream.md" in result.stderr
    assert '"broken_lines": 2' in result.stderr


def test_a_broken_line_of_a_file_names_the_file(tmp_path: Path) -> None:
    """Who gives a file reads which one it was."""
    file = tmp_path / "legs.ndjson"
    file.write_text("{\n")
    documents = ["--catalogue", str(CATALOGUE), "--account", str(ACCOUNT)]
    result = CliRunner().invoke(app, ["rate", *documents, "--legs", str(file)])
    assert f"{file}, line 1:" in result.stderr


def test_a_leg_that_waits_is_told_in_its_place() -> None:
    """Rated and waiting legs come in the order of the input."""
    legs = [LEG, {**LEG, "key": "b", "payer": ""}, {**LEG, "key": "c"}]
    result = rate("\n".join(map(json.dumps, legs)))
    assert result.exit_code == 1
    assert [(one["type"], one["key"]) for one in lines(result)] == [
        ("rated", "pbx-1.1"),
        ("quarantined", "b"),
        ("rated", "c"),
    ]


def test_legs_are_rated_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a leg used is gone for the next, over the edge of a batch too; the summary adds up."""
    monkeypatch.setattr("pbxcore.cli.rate.BATCH", 2)
    at = {"answered": "2026-10-05T08:00:00Z", "ended": "2026-10-05T08:30:00Z"}
    legs = [json.dumps({**LEG, **at, "key": str(key)}) for key in range(5)]
    result = rate("\n".join(legs), "--json")
    assert result.exit_code == 0
    rated = [wire.rated_from_json(line) for line in result.stdout.splitlines()]
    assert [one.amount_micro for one in rated] == [0, 0, 0, 20 * 190_000, 30 * 190_000]
    assert json.loads(result.stderr) == {
        "rated": 5,
        "billable_s": 9000,
        "amounts": {"EUR": "9.500000"},
        "quarantined": {},
        "broken_lines": 0,
    }


def test_another_tenant_may_pay_by_an_account(tmp_path: Path) -> None:
    """`--payer tenant=account` names who pays; legs may come from a file."""
    file = tmp_path / "legs.ndjson"
    file.write_text(json.dumps({**LEG, "payer": "branch/10"}) + "\n")
    documents = ["--catalogue", str(CATALOGUE), "--account", str(ACCOUNT), "--payer", "branch=acme"]
    result = CliRunner().invoke(app, ["rate", *documents, "--legs", str(file)])
    assert result.exit_code == 0
    assert lines(result)[0]["account"] == "acme"


def lookup(*arguments: str) -> Result:
    """Run `pbxcore destinations lookup`."""
    return CliRunner().invoke(app, ["destinations", "lookup", *arguments])


def test_an_unknown_number_is_a_no() -> None:
    """What no numbering plan knows has neither country nor kind, beside numbers that have."""
    result = lookup("+2101234567", "+436641234567", "--json")
    assert result.exit_code == 1
    assert [(one["country"], one["kind"]) for one in json.loads(result.stdout)] == [
        (None, None),
        ("AT", "mobile"),
    ]


def test_a_home_that_is_no_country_is_a_wrong_command() -> None:
    """`--home` is an ISO code."""
    assert lookup("112", "--home", "Germany").exit_code == 2


def test_numbers_are_told_with_zone_price_and_bundles() -> None:
    """Any notation; per catalogue the zone, the price of a minute and the bundles that cover it."""
    result = lookup("+43 (0)664 1234567", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    answer[0]["catalogues"] = [
        one for one in answer[0]["catalogues"] if one["tariff"].startswith("autphone@")
    ]
    assert answer == [
        {
            "number": "+436641234567",
            "country": "AT",
            "kind": "mobile",
            "catalogues": [
                {
                    "tariff": "autphone@2026-01-01",
                    "zone": "AT-CH",
                    "price_per_minute": "0.190000",
                    "currency": "EUR",
                    "counts_as": "mobile",
                    "rule": "autphone@2026-01-01 overflow AT-CH/mobile",
                    "bundles": ["dach", "europe", "export"],
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("number", "home", "country", "kind"),
    [
        ("112", "DE", "DE", "emergency"),
        ("144", "AT", "AT", "emergency"),
        ("116117", "DE", "DE", "freephone"),
        ("0800 1234567", "DE", "DE", "freephone"),
        ("00390669812345", "DE", "VA", "fixed"),
    ],
)
def test_short_and_national_numbers_are_those_of_home(
    number: str, home: str, country: str, kind: str
) -> None:
    """`--home` says whose short numbers and national forms are meant."""
    found = json.loads(lookup(number, "--home", home, "--json").stdout)[0]
    assert (found["country"], found["kind"]) == (country, kind)


def test_people_get_a_table() -> None:
    """Without --json the same stands in a table."""
    assert "autphone@" in lookup("+436641234567").stdout
