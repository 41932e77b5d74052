"""No float comes near money: the source of `rating/` is read."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "rating").rglob("*.py"))
BINARY = frozenset(
    {"float", "fsum", "fmean", "total_seconds", "timestamp", "fromtimestamp", "utcfromtimestamp"}
)
MODULES = frozenset({"math", "cmath", "statistics"})


def floats(tree: ast.AST) -> list[str]:
    """Every place where a binary fraction is written, made or asked for."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"{node.lineno}: literal {node.value}")
        elif isinstance(node, ast.Name) and node.id in BINARY:
            found.append(f"{node.lineno}: {node.id}")
        elif isinstance(node, ast.Attribute) and node.attr in BINARY:
            found.append(f"{node.lineno}: .{node.attr}")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            left = node.left if isinstance(node, ast.BinOp) else node.target
            right = node.right if isinstance(node, ast.BinOp) else node.value
            if not is_path(left) and not is_path(right):
                found.append(f"{node.lineno}: true division")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {name.name for name in node.names} | {getattr(node, "module", None) or ""}
            found += [f"{node.lineno}: {name}" for name in names & (MODULES | BINARY)]
    return found


def is_path(node: ast.expr) -> bool:
    """Whether one side of a `/` is a piece of a file name: then it joins and does not divide."""
    return isinstance(node, ast.Constant | ast.JoinedStr) and not isinstance(
        getattr(node, "value", None), int | float
    )


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_rating_has_no_float(path: Path) -> None:
    """No literal, no division and no call in `rating/` makes a binary fraction."""
    assert not floats(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "code",
    [
        "x = 0.5",
        "x = a / b",
        "x /= 2",
        "x = float('1')",
        "from math import floor",
        "import math",
        "d.total_seconds()",
    ],
)
def test_the_reader_sees_floats(code: str) -> None:
    """What makes a float is found; otherwise the test above would prove nothing."""
    assert floats(ast.parse(code))
