"""A new contract is quoted before it is signed, and signed as it was quoted."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore.cli import app

CATALOGUES = Path(__file__).parents[3] / "config/catalogues"
NEW = "version: 1\ncontract: acme\ncatalogue: {catalogue}\nevents:\n"
SCAN = b"%PDF-1.7 signed"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a contract of cloudpbx that nobody has signed."""
    written = tmp_path / "acme.yaml"
    written.write_text(NEW.format(catalogue="cloudpbx"))
    return written


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Give a scan, somewhere else."""
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "fax 17.pdf").write_bytes(SCAN)
    return folder / "fax 17.pdf"


def run(command: str, file: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command on a contract: its exit code and what it said."""
    result = CliRunner().invoke(app, [command, str(file), f"--catalogue={CATALOGUES}", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {"stderr": result.stderr}


OPENING = ("--add", "user=3", "--add", "number=2", "--choose", "package=basic", "--on", "2026-06-16")


def test_a_new_contract_is_quoted_with_all_that_comes_with_it(file: Path) -> None:
    """What it has, costs a month, once and on the first invoice, and by when it is ready."""
    code, told = run("quote", file, *OPENING, "--old-contract-ends", "2026-08-28")
    assert code == 0
    assert told["price_per_month"] == {"before": "0.00", "after": "14.70"}
    assert told["chosen"] == {"package": "basic"}
    assert [(one["product"], one["quantity"], one["amount"]) for one in told["has"]] == [
        ("user", 3, "14.70"),
        ("number", 2, "0.00"),
    ]
    assert told["next_invoice"]["difference"] == "17.35"  # 15 of 30 days, and 10.00 for the numbers
    assert {name: one["day"] for name, one in told["dates"].items()} == {
        "ready-by": "2026-06-18",
        "porting": "2026-08-31",
    }


def test_people_read_when_it_is_ready_and_where_the_form_is(file: Path, tmp_path: Path) -> None:
    """Without --json the promised day stands in the table, and the file is named."""
    form = tmp_path / "form.pdf"
    command = ["quote", str(file), f"--catalogue={CATALOGUES}", *OPENING, "--form", str(form)]
    shown = CliRunner().invoke(app, command)
    assert (shown.exit_code, "ready-by" in shown.stdout, f"✓ {form}" in shown.stdout) == (0, True, True)


def test_what_cannot_be_signed_is_refused_before(file: Path, tmp_path: Path) -> None:
    """A quote says what is missing; there is no form of what cannot be ordered."""
    form = tmp_path / "form.pdf"
    code, told = run("quote", file, "--add", "user=3", "--on", "2026-06-16", "--form", str(form))
    assert (code, told["id"], [one["code"] for one in told["refusals"]]) == (1, None, ["choose"])
    assert not form.exists()


WRONG = [
    ("quote", ("--remove", "user=1"), "no contract runs: remove"),
    ("quote", ("--newest", "--choose", "package=basic"), "no contract runs: version"),
    ("quote", (*OPENING, "--form", "form.doc"), "is no PDF"),
    ("quote", (*OPENING, "--begins", "soon"), "'soon' is no day"),
]


@pytest.mark.parametrize(("command", "arguments", "message"), WRONG)
def test_what_a_new_contract_cannot_have_is_a_wrong_command(
    file: Path, command: str, arguments: tuple[str, ...], message: str
) -> None:
    """Nothing runs that could be given up, and the remedy is told."""
    code, told = run(command, file, *arguments)
    assert (code, message in told["stderr"]) == (2, True), told
    assert file.read_text() == NEW.format(catalogue="cloudpbx")


@pytest.mark.row("0.1")
def test_an_order_on_paper_counts_with_its_signed_copy(file: Path, scan: Path, tmp_path: Path) -> None:
    """Quoted and printed; refused without the copy; with it signed as quoted, and the copy kept."""
    form = tmp_path / "form.pdf"
    _, quoted = run("quote", file, *OPENING, "--form", str(form))
    assert form.read_bytes().startswith(b"%PDF-")
    code, told = run("order", file, *OPENING, "--quote", quoted["id"])
    assert (code, [one["code"] for one in told["refusals"]]) == (1, ["not-signed"])
    assert file.read_text() == NEW.format(catalogue="cloudpbx")
    code, told = run("order", file, *OPENING, "--quote", quoted["id"], "--signed-copy", str(scan))
    assert (code, told["outcome"]) == (0, "accepted")
    (event,) = yaml.safe_load(file.read_text().replace("{on:", "{day:"))["events"]
    kept = f"acme-{quoted['id']}.pdf"
    assert event["sign"] == {
        "add": {"user": 3, "number": 2},
        "choose": {"package": "basic"},
        "signed_form": kept,
        "agreed": quoted["id"],
    }
    assert (tmp_path / kept).read_bytes() == SCAN
    shown = CliRunner().invoke(
        app, ["contract", "show", str(file), f"--catalogue={CATALOGUES}", "--on", "2026-06-16", "--json"]
    )
    assert json.loads(shown.stdout)["price_per_month"] == quoted["price_per_month"]["after"]


def test_another_contract_than_the_quoted_one_is_not_signed(file: Path, scan: Path, tmp_path: Path) -> None:
    """An id belongs to one opening; nothing is written and no copy kept."""
    _, quoted = run("quote", file, *OPENING)
    other = ("--add", "user=4", "--choose", "package=basic", "--on", "2026-06-16")
    code, told = run("order", file, *other, "--quote", quoted["id"], "--signed-copy", str(scan))
    assert (code, told["refusals"][0]["code"]) == (1, "quote-changed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme.yaml", "scans"]


COPIES = [(b"", "is no PDF"), (b"MZ\x90", "is no PDF"), (b"%PDF-" + bytes(20 * 1024 * 1024), "has more than")]


@pytest.mark.parametrize(("content", "message"), COPIES)
def test_what_is_no_copy_is_refused(file: Path, scan: Path, content: bytes, message: str) -> None:
    """What no scanner makes is not kept as if it were signed."""
    scan.write_bytes(content)
    _, quoted = run("quote", file, *OPENING)
    code, told = run("order", file, *OPENING, "--quote", quoted["id"], "--signed-copy", str(scan))
    assert (code, message in told["stderr"]) == (1, True), told
    assert file.read_text() == NEW.format(catalogue="cloudpbx")


def test_a_copy_never_takes_the_place_of_another(file: Path, scan: Path, tmp_path: Path) -> None:
    """A file of the same name that says something else stays, and the order is not written."""
    _, quoted = run("quote", file, *OPENING)
    there = tmp_path / f"acme-{quoted['id']}.pdf"
    there.write_bytes(b"%PDF-1.7 another")
    code, told = run("order", file, *OPENING, "--quote", quoted["id"], "--signed-copy", str(scan))
    assert (code, "is another copy" in told["stderr"]) == (1, True), told
    assert there.read_bytes() == b"%PDF-1.7 another"
    assert file.read_text() == NEW.format(catalogue="cloudpbx")


def test_a_copy_does_not_stay_without_its_order(file: Path, scan: Path, tmp_path: Path) -> None:
    """Where the event cannot be written, the copy goes too."""
    text = "version: 1\nevents:\ncontract: acme\ncatalogue: cloudpbx\n"
    file.write_text(text)
    _, quoted = run("quote", file, *OPENING)
    code, told = run("order", file, *OPENING, "--quote", quoted["id"], "--signed-copy", str(scan))
    assert (code, "does not end with its events" in told["stderr"]) == (1, True), told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme.yaml", "scans"]
    assert file.read_text() == text


def test_an_order_of_a_contract_that_runs_keeps_its_copy_too(file: Path, scan: Path, tmp_path: Path) -> None:
    """More users by paper: the order names the copy, and days that belong to a signing are refused."""
    _, quoted = run("quote", file, *OPENING)
    run("order", file, *OPENING, "--quote", quoted["id"], "--signed-copy", str(scan))
    more = ("--add", "user=1", "--on", "2026-07-01")
    _, quoted = run("quote", file, *more)
    code, _ = run("order", file, *more, "--quote", quoted["id"], "--signed-copy", str(scan))
    event = yaml.safe_load(file.read_text())["events"][-1]["order"]
    assert (code, event["signed_form"]) == (0, f"acme-{quoted['id']}.pdf")
    assert (tmp_path / event["signed_form"]).read_bytes() == SCAN
    code, told = run("quote", file, *more, "--begins", "2026-08-01")
    assert (code, "the contract runs: begins" in told["stderr"]) == (2, True), told


@pytest.mark.parametrize(
    ("catalogue", "arguments", "after", "at_once"),
    [
        ("easybell", ("--choose", "size=5", "--choose", "edition=pro"), "14.90", "0.00"),
        ("accensys", ("--add", "device=2", "--choose", "care=managed"), "24.00", "0.00"),
        ("autphone", ("--add", "extension=50", "--add", "dach-S=1"), "345.00", "0.00"),
    ],
)
def test_every_catalogue_quotes_what_signing_then_costs(
    tmp_path: Path, catalogue: str, arguments: tuple[str, ...], after: str, at_once: str
) -> None:
    """The month's price of the quote is that of the contract on its first day, weeks after signing."""
    file = tmp_path / "acme.yaml"
    file.write_text(NEW.format(catalogue=catalogue))
    opening = (*arguments, "--on", "2026-06-16", "--begins", "2026-08-01")
    code, quoted = run("quote", file, *opening)
    assert (code, quoted["effective"], quoted["price_per_month"]["after"]) == (0, "2026-08-01", after)
    assert (quoted["at_once"], quoted["next_invoice"]["difference"]) == (at_once, "0.00")
    code, _ = run("order", file, *opening, "--quote", quoted["id"])
    assert code == 0
    shown = CliRunner().invoke(
        app, ["contract", "show", str(file), f"--catalogue={CATALOGUES}", "--on", "2026-08-01", "--json"]
    )
    assert json.loads(shown.stdout)["price_per_month"] == after


def test_a_credit_pays_for_signing_or_it_is_not_signed(tmp_path: Path) -> None:
    """Quoted without a credit it says what is missing; topped up it is taken at once."""
    file = tmp_path / "acme.yaml"
    file.write_text(NEW.format(catalogue="openvoip"))
    opening = ("--add", "extension=2", "--add", "number=1", "--on", "2026-04-16")
    code, told = run("quote", file, *opening)
    assert (code, told["at_once"], told["missing"]) == (1, "5.70", "5.70")
    file.write_text(NEW.format(catalogue="openvoip") + "  - {on: 2026-04-16, top_up: '5.70'}\n")
    code, told = run("quote", file, *opening)
    assert (code, told["missing"]) == (0, "0.00")
    code, told = run("order", file, *opening, "--quote", told["id"])
    assert (code, told["outcome"]) == (0, "accepted")
