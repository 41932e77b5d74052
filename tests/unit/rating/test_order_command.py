"""`pbxcore quote` and `pbxcore order`: first what it would come to, then exactly that."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore import contracts
from pbxcore.cli import app

CATALOGUE = Path(__file__).parents[3] / "config/catalogues/cloudpbx.yaml"
TEXT = """\
version: 1
contract: acme
catalogue: cloudpbx
events:
  - {on: 2026-06-16, sign: {add: {user: 3}, choose: {package: basic}, signed_form: form.pdf}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a contract of three users."""
    written = tmp_path / "acme.yaml"
    written.write_text(TEXT)
    return written


def run(command: str, file: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command on a contract: its exit code and what it said."""
    result = CliRunner().invoke(app, [command, str(file), f"--catalogue={CATALOGUE}", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--add", "user"),
        ("--add", "user=0"),
        ("--add", "user=-1"),
        ("--add", "=3"),
        ("--choose", "package"),
        ("--choose", "package=a b"),
        ("--on", "tomorrow"),
        ("--on", "9999-12-31"),
    ],
)
def test_what_cannot_be_a_change_is_a_wrong_command(file: Path, arguments: tuple[str, ...]) -> None:
    """Units without number, options without name and days that are none change nothing."""
    command = ["quote", str(file), f"--catalogue={CATALOGUE}", "--on", "2026-07-01", *arguments]
    assert CliRunner().invoke(app, command).exit_code == 2
    assert file.read_text() == TEXT


def test_a_quote_changes_nothing(file: Path) -> None:
    """It shows the change, its day with reasons, and the money; the file stays as it was."""
    code, told = run("quote", file, "--on", "2026-07-11", "--choose", "package=plus")
    assert code == 0
    assert told["price_per_month"] == {"before": "14.70", "after": "23.70"}
    assert told["next_invoice"]["difference"] == "6.09"
    assert file.read_text() == TEXT


def test_an_invoice_that_stays_the_same_feels_nothing(file: Path) -> None:
    """Nobody reads that it is 0.00 more."""
    said = ["quote", str(file), f"--catalogue={CATALOGUE}", "--on", "2026-07-11", "--remove", "user=1"]
    done = CliRunner().invoke(app, said, env={"COLUMNS": "200"})
    (line,) = (one for one in done.stdout.splitlines() if one.startswith("on 2026-08-01"))
    assert line.split()[2:7] == ["nothing", "more", "than", "without", "it;"]


def test_a_refused_change_has_no_id(file: Path) -> None:
    """What cannot be ordered is a no, with everything that stands in its way."""
    code, told = run("quote", file, "--on", "2026-07-11", "--remove", "user=3")
    assert (code, told["id"]) == (1, None)
    assert told["refusals"][0]["code"] == "minimum"


def test_no_form_is_written_of_what_is_refused(file: Path) -> None:
    """Whoever asked for one is told that there is none."""
    form = file.with_name("form.pdf")
    refused = ("quote", str(file), f"--catalogue={CATALOGUE}", "--on", "2026-07-11", "--remove", "user=3")
    result = CliRunner().invoke(app, [*refused, "--form", str(form)])
    assert (result.exit_code, "no form is written" in result.output, form.exists()) == (1, True, False)


def test_a_change_that_changes_nothing_is_refused(file: Path) -> None:
    """The package that there is already: no id with which nothing would be ordered."""
    code, told = run("quote", file, "--on", "2026-07-11", "--choose", "package=basic")
    assert (code, told["id"], [one["code"] for one in told["refusals"]]) == (1, None, ["nothing-changes"])


def test_after_notice_a_quote_says_that_all_of_it_ends(file: Path) -> None:
    """More users may be ordered until the last day; the quote and its form say which day that is."""
    file.write_text(TEXT + "  - {on: 2026-07-01, cancel: {}}\n")
    form = file.with_name("form.pdf")
    code, told = run("quote", file, "--on", "2026-07-11", "--add", "user=1", "--form", str(form))
    assert (code, told["dates"]["contract-ends"]["day"], form.exists()) == (0, "2026-07-31", True)
    code, told = run("quote", file, "--on", "2026-07-11", "--move-to", "cloudpbx", "--add", "user=1")
    (refusal,) = told["refusals"]
    assert (code, refusal["code"]) == (1, "noticed-already")
    assert refusal["remedy"].startswith("sign a contract of its own under cloudpbx that begins on 2026-08-01")


def test_an_order_is_written_to_the_contract(file: Path) -> None:
    """Ordered by its id, it is the last event, and the contract shows it from its day on."""
    change = ("--on", "2026-07-11", "--choose", "package=plus")
    _, quoted = run("quote", file, *change)
    code, told = run("order", file, *change, "--quote", quoted["id"])
    assert (code, told["outcome"]) == (0, "accepted")
    event = yaml.safe_load(file.read_text())["events"][-1]
    assert event["order"] == {"choose": {"package": "plus"}, "agreed": quoted["id"]}
    shown = CliRunner().invoke(
        app, ["contract", "show", str(file), f"--catalogue={CATALOGUE}", "--on", "2026-07-11", "--json"]
    )
    assert json.loads(shown.stdout)["choices"] == {"package": "plus"}


def test_another_change_than_the_quoted_one_is_refused(file: Path) -> None:
    """An id belongs to one change on days that make no difference to it; nothing is written."""
    _, quoted = run("quote", file, "--on", "2026-07-11", "--choose", "package=plus")
    for change in (
        ("--add", "user=1", "--on", "2026-07-11"),
        ("--choose", "package=plus", "--on", "2026-07-12"),
    ):
        code, told = run("order", file, *change, "--quote", quoted["id"])
        assert (code, told["refusals"][0]["code"]) == (1, "quote-changed")
    assert file.read_text() == TEXT


def test_an_order_without_its_change_is_a_wrong_command(file: Path) -> None:
    """The id alone does not say what was quoted; the change is asked for, and nothing is written."""
    command = [
        "order",
        str(file),
        f"--catalogue={CATALOGUE}",
        "--on",
        "2026-07-11",
        "--quote",
        "dfae2e169547d5e4",
    ]
    found = CliRunner().invoke(app, command)
    assert (found.exit_code, "no change is named" in found.stderr) == (2, True), found.stderr
    assert file.read_text() == TEXT


def test_an_order_says_that_it_is_one(file: Path) -> None:
    """What people read differs from a quote: it is ordered, and where that is written."""
    change = ("--on", "2026-07-11", "--choose", "package=plus")
    _, quoted = run("quote", file, *change)
    command = ["order", str(file), f"--catalogue={CATALOGUE}", *change, "--quote", quoted["id"]]
    shown = CliRunner().invoke(app, command)
    assert (shown.exit_code, f"ordered, and written to {file}" in shown.stdout) == (0, True), shown.stdout


def test_an_order_does_not_go_before_what_is_known(file: Path) -> None:
    """A contract that knows of July takes no order of June."""
    file.write_text(TEXT + "  - {on: 2026-07-20, order: {add: {user: 1}}}\n")
    command = [
        "order",
        str(file),
        f"--catalogue={CATALOGUE}",
        "--on",
        "2026-07-01",
        "--add",
        "user=1",
        "--quote",
        "0",
    ]
    assert CliRunner().invoke(app, command).exit_code == 1


def test_orders_at_the_same_time_come_one_after_the_other(file: Path) -> None:
    """Of ten at once none is lost: each finds the ones before it."""

    def write(number: int) -> None:
        with contracts.held(file):
            contracts.append(file, f"{{on: 2026-07-{number + 10}, order: {{add: {{user: 1}}}}}}")

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(write, range(10)))
    assert len(yaml.safe_load(file.read_text())["events"]) == 11


@pytest.mark.parametrize(
    "text",
    [
        TEXT + "region: BY\n",
        TEXT.replace("  - {", "- {"),
        TEXT.replace("events:\n  - ", "events: [").rstrip() + "]\n",
    ],
)
def test_a_file_that_does_not_end_with_its_events_is_left_alone(file: Path, text: str) -> None:
    """Where a line at the end would be no event, nothing is written and the remedy named."""
    file.write_text(text)
    with pytest.raises(contracts.NotWrittenError, match="events"):
        contracts.append(file, "{on: 2026-07-20, cancel: {}}")
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("none", ["events:\n", "events: []\n", "events: [ ]"])
def test_the_first_event_stands_where_none_stood(file: Path, none: str) -> None:
    """A contract that nobody has signed yet may say so in either way."""
    head = TEXT[: TEXT.index("events:")]
    file.write_text(head + none)
    contracts.append(file, "{on: 2026-07-20, cancel: {}}")
    assert file.read_text() == head + "events:\n  - {on: 2026-07-20, cancel: {}}\n"
