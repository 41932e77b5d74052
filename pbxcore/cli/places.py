"""Where a document says something else than the one in force, and which of these places concern a call.

Owns the comparison of documents by their keys. Refuses to know what a change does (`pbxcore.callers`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dialplan.decision import Decision
from dialplan.finding import Path
from dialplan.plan import Plan
from pbxcore.documents import Read

NAMED = 3  # places of a change; the others by their number
OWNER = 2  # keys that name whose rule it is: groups.sales, extensions.10


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a document that say something else, with their lines."""

    lines: Mapping[Path, int]

    def of(self, decisions: Iterable[Decision | None]) -> str:
        """Name those that concern calls, by the rules that decided them on both sides; else all."""
        rules = {tuple(one.rule.split(".")[:OWNER]) for each in decisions if each for one in each.because}
        concerned = [path for path in self.lines if tuple(map(str, path[:OWNER])) in rules]
        found = sorted(concerned or self.lines, key=self.lines.__getitem__)
        more = len(found) - NAMED
        named = ", ".join(f"{'.'.join(map(str, path))} (line {self.lines[path]})" for path in found[:NAMED])
        return named + (f" and {more} more" if more > 0 else "")


NOWHERE = Places({})


def places(document: Read, before: Plan | None, after: Plan) -> Places:
    """Compare a tenant's document with the one in force; nothing where it is new."""
    if before is None:
        return NOWHERE
    found = _differing(json.loads(before.document), json.loads(after.document))
    return Places({path: document.tree.line(path) for path in found})


def _differing(old: Any, new: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401 — any value of a document
    """Give the smallest parts that differ; a list is one part, for an item more moves all behind it."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differing(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path
