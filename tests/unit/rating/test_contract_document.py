"""What is wrong with a contract's document, said with its line before anything is told."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app

CATALOGUE = Path(__file__).parents[3] / "config/catalogues/autphone.yaml"
HEAD = "version: 1\ncontract: acme\ncatalogue: autphone\n"


def findings(tmp_path: Path, text: str) -> list[tuple[str, int]]:
    """Check a contract together with its catalogue: code and line of everything that is found."""
    file = tmp_path / "contract.yaml"
    file.write_text(text)
    result = CliRunner().invoke(app, ["check", str(file), str(CATALOGUE), "--json"])
    told = json.loads(result.stdout)["findings"]
    assert all(one["remedy"] for one in told)
    return [(one["code"], one["line"]) for one in told]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (HEAD + "region: XX\n", "unknown-region", 4),
        (HEAD + "holder: robot\n", "wrong-value", 4),
        (HEAD + "event: []\n", "unknown-key", 4),
        (HEAD + "events:\n  - {on: 2026-01-01}\n", "one-deed", 5),
        (HEAD + "events:\n  - {on: 2026-01-01, cancel: {}, withdraw: {}}\n", "one-deed", 5),
        (HEAD + "events:\n  - {on: soon, cancel: {}}\n", "wrong-value", 5),
        (HEAD + "events:\n  - {on: 9999-12-31, cancel: {}}\n", "wrong-value", 5),
        (HEAD + "events:\n  - {on: 0206-01-01, cancel: {}}\n", "wrong-value", 5),
        (HEAD + "until: 9999-12-31\n", "wrong-value", 4),
        (HEAD + "events:\n  - {on: 2026-01-01, at: '25:00', cancel: {}}\n", "wrong-value", 5),
        (HEAD + "events:\n  - {on: 2026-01-01, top_up: 5}\n", "wrong-value", 5),
        (HEAD + "events:\n  - {on: 2026-01-01, top_up: '-5'}\n", "wrong-value", 5),
        (HEAD + "events:\n  - {on: 2026-01-01, order: {add: {extension: 0}}}\n", "wrong-value", 5),
        (HEAD + "events:\n  - {on: 2026-01-01, order: {ad: {extension: 1}}}\n", "unknown-key", 5),
        (HEAD + "events:\n  - {on: 2025-12-31, cancel: {}}\n", "before-the-catalogue", 5),
        (HEAD + "events:\n  - {on: 2026-01-01, move: {catalogue: other}}\n", "unknown-catalogue", 5),
    ],
)
def test_mistakes_are_found_with_their_line(tmp_path: Path, text: str, code: str, line: int) -> None:
    """Every mistake has its place and its remedy."""
    assert (code, line) in findings(tmp_path, text)


def test_a_contract_without_mistakes_is_right(tmp_path: Path) -> None:
    """A signing alone is a contract."""
    assert findings(tmp_path, HEAD + "events:\n  - {on: 2026-01-01, sign: {}}\n") == []


@pytest.mark.parametrize("text", [HEAD + "region: XX\n", "version: 1\ncontract: acme\ncatalogue: nowhere\n"])
def test_a_story_with_mistakes_is_not_told(tmp_path: Path, text: str) -> None:
    """`contract simulate` says what is wrong and ends with 1."""
    file = tmp_path / "contract.yaml"
    file.write_text(text)
    command = ["contract", "simulate", str(file), "--catalogue", str(CATALOGUE), "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"]


def test_names_that_the_catalogue_lacks_are_answers_and_no_mistakes(tmp_path: Path) -> None:
    """What is offered depends on the day: an unknown product or option is refused with what there is."""
    file = tmp_path / "contract.yaml"
    events = (
        "  - {on: 2026-01-01, sign: {}}\n"
        "  - {on: 2026-01-02, order: {add: {chair: 1}, choose: {size: big}}}\n"
    )
    file.write_text(f"{HEAD}events:\n{events}")
    command = ["contract", "simulate", str(file), "--catalogue", str(CATALOGUE), "--json"]
    told = json.loads(CliRunner().invoke(app, command).stdout)["events"][-1]
    assert [one["code"] for one in told["refusals"]] == ["unknown-product", "unknown-choice"]
    assert told["refusals"][0]["remedy"].startswith("it has extension, number")


def test_months_are_told_as_many_as_asked_for(tmp_path: Path) -> None:
    """`--months 24` holds the invoices of two years."""
    file = tmp_path / "contract.yaml"
    file.write_text(HEAD + "events:\n  - {on: 2026-01-15, sign: {}}\n")
    command = ["contract", "simulate", str(file), "--catalogue", str(CATALOGUE), "--months", "24", "--json"]
    invoices = json.loads(CliRunner().invoke(app, command).stdout)["invoices"]
    assert [invoices[0]["on"], invoices[-1]["on"], len(invoices)] == ["2026-02-01", "2028-01-01", 24]


def test_a_story_is_told_in_tables_too(tmp_path: Path) -> None:
    """Without --json an operator reads answers, days with their reason, and invoices."""
    file = tmp_path / "contract.yaml"
    file.write_text(HEAD + "events:\n  - {on: 2026-01-15, sign: {}}\n  - {on: 2026-12-14, cancel: {}}\n")
    command = ["contract", "simulate", str(file), "--catalogue", str(CATALOGUE)]
    told = CliRunner().invoke(app, command).stdout
    assert "2027-01-14" in told
    assert "6.50" in told
