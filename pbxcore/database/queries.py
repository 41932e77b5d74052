"""SQL stands in files, each query under its name: `-- name: latest`. Refuses a name that stands twice."""

from collections.abc import Mapping
from pathlib import Path

MARK = "-- name: "


def named(file: Path) -> Mapping[str, str]:
    """Read the queries of a file by their names."""
    queries: dict[str, str] = {}
    for part in file.read_text().split(MARK)[1:]:
        name, _, text = part.partition("\n")
        if name.strip() in queries:
            raise ValueError(f"{file.name}: two queries are named {name.strip()}")
        queries[name.strip()] = text.strip()
    return queries
