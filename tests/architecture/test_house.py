"""The house stands as `docs/architecture.md` draws it."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxcore.machine.services import SERVICES

ROOT = Path(__file__).parents[2]
PACKAGES = ("dialplan", "rating", "pbxcore")

# What a folder may import besides the standard library and itself. The longest prefix of a module wins.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "dialplan": frozenset({"pydantic"}),
    "dialplan.public_holidays": frozenset({"dialplan", "holidays"}),
    "rating": frozenset({"dialplan.numbers", "dialplan.quick", "pydantic"}),
    "rating.columns": frozenset({"numpy"}),
    "rating.contract.calendar": frozenset({"holidays"}),
    "rating.destinations.derive": frozenset({"phonenumbers", "dialplan.numbers"}),
    "rating.store": frozenset({"rating", "asyncpg", "dialplan.numbers"}),
    "rating.documents": frozenset({"rating", "dialplan.numbers"}),
}
# pydantic is for documents from outside; compiled data is frozen dataclasses.
SPECS = frozenset(
    {
        "dialplan.location",
        "dialplan.outline",
        "dialplan.spec",
        "dialplan.spelling",
        "rating.catalogue",
        "rating.account",
        "rating.offer",
        "rating.party",
        "rating.price_list",
        "rating.contract.document",
    }
)
# Nothing pure reads a clock, draws a random number, opens a file or talks to anybody.
IMPURE = frozenset(
    {"asyncio", "os", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid"}
)
IMPURE_CALLS = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today|open|print|input)\(")
EDGES = ("rating.store", "rating.documents", "rating.destinations.derive", "rating.destinations.load")


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Every module of a package by its dotted name."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, by its dotted name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def under(module: str, roof: str) -> bool:
    """Whether a module is the named one or stands below it."""
    return module == roof or module.startswith(roof + ".")


PURE = [(name, path) for package in ("dialplan", "rating") for name, path in modules(package)]


@pytest.mark.parametrize(("name", "path"), PURE, ids=[name for name, _ in PURE])
def test_the_cores_import_only_what_their_room_allows(name: str, path: Path) -> None:
    """Dialplan never imports rating, of which rating sees two modules, neither sees an edge."""
    room = max((roof for roof in MAY_IMPORT if under(name, roof)), key=len)
    for module in imported(path):
        if under(module, room) or (under(module, "rating") and under(name, "rating") and not is_edge(module)):
            continue
        foreign = module.partition(".")[0] in {*PACKAGES, *third_party()}
        assert not foreign or any(under(module, allowed) for allowed in MAY_IMPORT[room]), (
            f"{path} imports {module}"
        )
        if under(module, "pydantic"):
            assert name in SPECS, f"{path}: pydantic is for the documents in {sorted(SPECS)}"


def is_edge(module: str) -> bool:
    """Whether a module of rating is one of its edges."""
    return any(under(module, edge) for edge in EDGES)


def third_party() -> frozenset[str]:
    """Import names of every library we depend on, and of some we must not."""
    return frozenset(
        {
            "alembic",
            "asyncpg",
            "fastapi",
            "holidays",
            "numpy",
            "panoramisk",
            "phonenumbers",
            "prometheus_client",
        }
        | {"asterisk", "pydantic", "rich", "sqlalchemy", "typer", "uvicorn", "uvloop", "yaml"}
    )


@pytest.mark.parametrize(("name", "path"), PURE, ids=[name for name, _ in PURE])
def test_nothing_pure_touches_the_world(name: str, path: Path) -> None:
    """Clock, random numbers, files and sockets stay outside the cores."""
    if is_edge(name):
        return
    assert not {module.partition(".")[0] for module in imported(path)} & IMPURE, path
    calls = [line for line in path.read_text().splitlines() if IMPURE_CALLS.search(line.partition("#")[0])]
    assert not calls, f"{path}: {calls}"


def test_what_is_killed_is_back_without_what_migrates() -> None:
    """Alembic and its engine are a quarter of what a process could load: only one that migrates does."""
    load = f"import pbxcore.cli.serve, {', '.join(SERVICES.values())}, sys; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", load], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "pbxcore.database.migration" in said.split()
    assert not {"alembic", "sqlalchemy"} & set(said.split())


def test_every_package_is_listed() -> None:
    """A folder that setuptools does not know would be missing from an installation."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    }
    assert there == listed


def test_the_top_level_is_the_house() -> None:
    """Each thing at the top has a place in the plan."""
    plan = {
        *(
            ".ci",
            ".git",
            ".gitignore",
            "asterisk-conf",
            "config",
            "dialplan",
            "docs",
            "pbxcore",
            "rating",
            "tests",
        ),
        *("CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile", "README.md"),
        *(".dockerignore", "pyproject.toml", "requirements.lock", "requirements-dev.lock"),
    }
    made = {
        ".venv",
        "var",
        "build",
        "pbxcore.egg-info",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
    }
    assert {path.name for path in ROOT.iterdir()} - made <= plan
