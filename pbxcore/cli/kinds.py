"""A command that wants a document of one kind, and was given another.

Owns the words for that. Refuses to read any (`pbxcore.documents`).
"""

from collections.abc import Iterable
from pathlib import Path

import typer

from pbxcore.cli.app import Exit, fail
from pbxcore.documents import Read

_ARTICLES = {"account": "an account"}


def expect(kind: str, paths: Iterable[Path], found: Iterable[Read]) -> None:
    """End the command if one of these paths holds documents, and none of the kind that is wanted there."""
    there = list(found)
    for path in paths:
        held = [one for one in there if path in {Path(one.file), *Path(one.file).parents}]
        if held and all(one.kind != kind for one in held):
            raise wrong(kind, path, held)


def wrong(kind: str, path: Path, found: Iterable[Read]) -> typer.Exit:
    """Say what a path holds instead of a document of a kind; raise what this returns."""
    held = ", ".join(dict.fromkeys(f"{one.kind} {one.id}" for one in found)) or "no document"
    return fail(
        f"{path} holds {held}, and no {kind}", f"name {article(kind)}'s file: `{kind}: …`", Exit.USAGE
    )


def article(kind: str) -> str:
    """Give a kind with its article."""
    return _ARTICLES.get(kind, f"a {kind}")
