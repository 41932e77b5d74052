"""Stories of contracts, told by `pbxcore contract simulate`, and the page of rows that they show."""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore.cli import app

CATALOGUES = Path(__file__).parents[3] / "config" / "catalogues"


@dataclass(frozen=True)
class Told:
    """What the command said."""

    values: dict[str, Any]

    @property
    def invoices(self) -> dict[str, str]:
        """Day of an invoice → its total before VAT, or with it where prices contain it."""
        return {one["on"]: one["total"] for one in self.values["invoices"]}

    @property
    def credit(self) -> list[tuple[str, str, str, str]]:
        """Every movement of the credit: day, what, amount, balance."""
        keys = ("on", "what", "amount", "balance")
        return [tuple(one[key] for key in keys) for one in self.values["credit"]]

    @property
    def answers(self) -> list[str]:
        """Outcome of every event, in the order of their days."""
        return [one["outcome"] for one in self.values["events"]]

    @property
    def last(self) -> dict[str, Any]:
        """The last event with its answer."""
        found: dict[str, Any] = self.values["events"][-1]
        return found

    @property
    def state(self) -> dict[str, Any]:
        """The contract at the end."""
        found: dict[str, Any] = self.values["state"]
        return found

    def why(self, number: int = -1) -> list[str]:
        """Messages of the refusals of an event, the last one unless told."""
        return [one["message"] for one in self.values["events"][number].get("refusals", ())]

    def limits(self, day: str) -> dict[str, int]:
        """What the tenant may have on a day."""
        return dict(self._right(day)["limits"])

    def features(self, day: str) -> list[str]:
        """What the tenant may use on a day."""
        return list(self._right(day)["features"])

    def _right(self, day: str) -> dict[str, Any]:
        found: dict[str, Any] = [one for one in self.values["rights"] if one["from"] <= day][-1]
        return found


Tell = Callable[..., Told]


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    """Tell the story of a contract: catalogue, events as YAML, and further keys of the document."""

    def told(catalogue: str, events: str, *, others: tuple[str, ...] = (), **more: str) -> Told:
        head = {"version": "1", "contract": "story", "catalogue": catalogue, **more}
        text = "".join(f"{key}: {value}\n" for key, value in head.items())
        file = tmp_path / "story.yaml"
        file.write_text(f"{text}events:\n{events}")
        arguments = [f"--catalogue={CATALOGUES / name}.yaml" for name in (catalogue, *others)]
        result = CliRunner().invoke(app, ["contract", "simulate", str(file), *arguments, "--json"])
        assert result.exit_code == 0, result.output
        return Told(json.loads(result.stdout))

    return told


ROOT = Path(__file__).parents[3]
ROWS = Path(__file__).with_name("rows.yaml")
Outcomes = Mapping[str, Mapping[tuple[str, str], str]]
"""Row → (file, test) → outcome."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--providers-page FILE`: write the page of this run."""
    parser.addoption("--providers-page", help="write docs/providers.md from this run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each report carry the rows that its test shows."""
    for item in items:
        for mark in item.iter_markers("row"):
            item.user_properties.append(("row", mark.args[0]))


class Run:
    """What became of the tests of rows in this run."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.outcomes: dict[str, dict[tuple[str, str], str]] = {}

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of a test's parameters and phases."""
        file, _, name = report.nodeid.partition("::")
        for key, row in report.user_properties:
            if key == "row":
                tests = self.outcomes.setdefault(str(row), {})
                place = (file, name.partition("[")[0])
                if tests.get(place) in {None, "passed"}:
                    tests[place] = report.outcome


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run if its page is wanted."""
    if config.getoption("providers_page", None):
        config.pluginmanager.register(Run(), "run-of-rows")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page."""
    run = session.config.pluginmanager.get_plugin("run-of-rows")
    if isinstance(run, Run):
        Path(session.config.getoption("providers_page")).write_text(page(run.outcomes), "utf-8")


@pytest.fixture
def page_of_the_sources() -> str:
    """Give the page as it is when every test that is marked with a row passes."""
    outcomes: dict[str, dict[tuple[str, str], str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for row, test in marked(ast.parse(path.read_text("utf-8"))):
            outcomes.setdefault(row, {})[str(path.relative_to(ROOT)), test] = "passed"
    return page(outcomes)


def marked(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Find the tests of a module that are marked with a row, by themselves or by `pytestmark`."""
    whole = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for mark in (*whole, *node.decorator_list):
                for call in mark.elts if isinstance(mark, ast.List) else (mark,):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.row":
                        yield ast.literal_eval(call.args[0]), node.name


def page(outcomes: Outcomes) -> str:
    """Write the page: a table of rows, what they promise, the tests that show them and their state."""
    lines = [
        "# What the providers promise, and what shows it",
        "",
        "Made by `make providers` from a run of the tests; not written by hand. Each catalogue of",
        "`config/catalogues/` stands for a document of a provider, each row for one of its promises.",
    ]
    group = ""
    for row in yaml.safe_load(ROWS.read_text("utf-8")):
        catalogue = CATALOGUE_OF[row["row"].partition(".")[0]]
        if catalogue != group:
            group = catalogue
            lines += ["", f"## {group}", "", "| row | promise | shown by | state |", "|---|---|---|---|"]
        tests = outcomes.get(row["row"], {})
        shown = "<br>".join(_link(place) for place in sorted(tests))
        lines.append(f"| {row['row']} | {row['promise']} | {shown} | {_state(row, tests)} |")
    return "\n".join(lines) + "\n"


CATALOGUE_OF = {
    "0": "cloudpbx",
    "1": "easybell",
    "2": "accensys",
    "3": "autphone",
    "4": "openvoip",
    "X": "every catalogue",
}


def _link(place: tuple[str, str]) -> str:
    """Name a test by its words: `test_row_3_1_the_price_reached` → the price reached."""
    file, test = place
    words = re.sub(r"^test_(row_\w+?_\d+_)?", "", test).replace("_", " ")
    return f"[{words}](../{file})"


def _state(row: Mapping[str, str], tests: Mapping[tuple[str, str], str]) -> str:
    if any(outcome != "passed" for outcome in tests.values()):
        return "**broken**"
    missing = row.get("needs")
    if not tests:
        return f"open: {missing}" if missing else "open"
    return f"in part; open: {missing}" if missing else "shown"
