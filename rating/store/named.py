"""SQL stands in files, each statement under its name: `-- name: latest`.

Owns the reading of such a file. Refuses a name that stands twice, and to build SQL from pieces.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


def named(file: Path) -> Mapping[str, str]:
    """Read the statements of a file by their names."""
    _, *parts = _NAME.split(file.read_text())
    names, texts = parts[::2], parts[1::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{file.name}: two statements have one name")
    return {name: text.strip() for name, text in zip(names, texts, strict=True)}
