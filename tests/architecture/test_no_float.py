"""No float comes near money: the source of `rating/` is read."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "rating").rglob("*.py"))
BINARY = frozenset(
    {"float", "fsum", "fmean", "total_seconds", "timestamp", "fromtimestamp", "utcfromtimestamp"}
)
MODULES = frozenset({"math", "cmath", "statistics"})
# What of NumPy gives binary fractions, whatever goes in; unsigned beside signed numbers become some, too.
FRACTIONS = re.compile(
    r"float\w*|double|longdouble|half|single|complex\w*|floating|inexact|inf|nan|pi|e|true_divide|divide|mean"
    r"|nanmean|average|std|var|nanstd|nanvar|median|nanmedian|percentile|nanpercentile|quantile|nanquantile"
    r"|linspace|logspace|geomspace|interp|sqrt|cbrt|exp\w*|log\d*\w*|power|float_power|reciprocal|rint|round"
    r"|around|floor|ceil|trunc|fix|modf|fmod|ldexp|corrcoef|cov|gradient|trapezoid|polyfit|polyval|random|fft|linalg"
    r"|uint(16|32|64|p)?|ulong|ulonglong|uintc"
)
METHODS = frozenset({"mean", "std", "var", "round"})  # of an array
TYPED = frozenset(
    {"array", "asarray", "zeros", "ones", "empty", "full", "arange", "fromiter", "frombuffer", "ndarray"}
)  # these guess a type, often a binary one, unless they are told


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
            if isinstance(node, ast.ImportFrom) and node.module == "numpy":
                found.append(f"{node.lineno}: names of numpy come as np.name, so that they are seen")
        found += fractions_of_numpy(node)
    return found


def fractions_of_numpy(node: ast.AST) -> list[str]:
    """Every place where NumPy would make a binary fraction without a word."""
    if isinstance(node, ast.Attribute):
        of_numpy = isinstance(node.value, ast.Name) and node.value.id in {"np", "numpy"}
        if (of_numpy and FRACTIONS.fullmatch(node.attr)) or node.attr in METHODS:
            return [f"{node.lineno}: .{node.attr}"]
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return []
    told = {keyword.arg for keyword in node.keywords}
    if "weights" in told:
        return [f"{node.lineno}: weights count in binary fractions"]
    of_numpy = isinstance(node.func.value, ast.Name) and node.func.value.id in {"np", "numpy"}
    if of_numpy and node.func.attr in TYPED and "dtype" not in told:
        return [f"{node.lineno}: np.{node.func.attr} without dtype"]
    return []


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
        "x = np.zeros(3)",
        "x = np.array([1, 2])",
        "x = a.mean()",
        "x = np.average(a)",
        "x = np.true_divide(a, b)",
        "x = np.bincount(a, weights=b)",
        "x = np.zeros(3, dtype=np.float64)",
        "x = a.astype(np.uint64)",
        "x = a.astype('float64').astype(float)",
        "from numpy import zeros",
    ],
)
def test_the_reader_sees_floats(code: str) -> None:
    """What makes a float is found; otherwise the test above would prove nothing."""
    assert floats(ast.parse(code))
