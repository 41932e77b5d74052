"""Style that a formatter does not see."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
).stdout
FILES = [ROOT / name for name in TRACKED.split("\0") if name and (ROOT / name).is_file()]
PYTHON = [path for path in FILES if path.suffix == ".py"]
FORBIDDEN_NAMES = re.compile(r"^(utils?|helpers?|common|misc|data|info)$|Manager$")
LONGEST_MODULE = 600  # lines; the median of the models we follow is 150 to 250


def names(paths: list[Path]) -> list[str]:
    """Readable test ids."""
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("path", PYTHON, ids=names(PYTHON))
def test_a_module_says_what_it_owns(path: Path) -> None:
    """Each module with code opens with a docstring, and none outgrows one reader."""
    text = path.read_text()
    tree = ast.parse(text)
    assert not tree.body or ast.get_docstring(tree), "no docstring"
    assert len(text.splitlines()) <= LONGEST_MODULE, "too long: find the second subject in it"
    assert not FORBIDDEN_NAMES.search(path.stem), "the name says nothing"


@pytest.mark.parametrize("path", PYTHON, ids=names(PYTHON))
def test_a_test_says_what_it_promises(path: Path) -> None:
    """Each test has one sentence of docstring."""
    if not path.name.startswith("test_"):
        return
    silent = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent


def test_an_exemption_gives_its_reason() -> None:
    """Nothing is waved past a tool without a word why."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in PYTHON
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(
            r"#\s*(noqa(?!: [A-Z0-9, ]+ \S)|type: ignore(?!\[[a-z-]+\]\s+#? ?\S)|pragma: no cover$)", line
        )
    ]
    assert not bare


def test_nothing_waits_to_be_done() -> None:
    """Work that is left stands in the issues, not in the code."""
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
    assert not [str(path.relative_to(ROOT)) for path in PYTHON if marks.search(path.read_text())]


def test_no_path_of_a_machine_and_no_registry() -> None:
    """What is committed runs on anybody's machine."""
    found = []
    for path in FILES:
        if path.suffix in {".png", ".wav", ".ulaw"}:
            continue
        text = path.read_text(errors="replace")
        if re.search(r"(?<![\w.])/(root|home|work)/\w", text) or re.search(
            r"--(extra-)?index-url |https?://[^ /]*pypi", text
        ):
            found.append(str(path.relative_to(ROOT)))
    assert found in ([], [str(Path(__file__).relative_to(ROOT))])


def test_test_files_have_names_of_their_own() -> None:
    """Test folders are no packages: pytest cannot collect two files of one name."""
    tests = [path.name for path in PYTHON if path.name.startswith("test_")]
    assert [name for name, count in Counter(tests).items() if count > 1] == []


def test_a_decision_has_a_number_of_its_own() -> None:
    """Each decision opens with the number that its file has, and no two have the same."""
    decisions = [
        path for path in FILES if path.parent == ROOT / "docs" / "decisions" and path.stem[0].isdigit()
    ]
    numbers = [int(path.stem.partition("-")[0]) for path in decisions]
    assert sorted(numbers) == list(range(1, len(decisions) + 1))
    assert [path.read_text().split(" · ")[0] for path in decisions] == [f"# {number}" for number in numbers]
