"""Files that stand beside a document and are part of what it says: the price lists of a catalogue.

Owns the way of their text into the document, so that a revision is complete in itself: what was applied from
two files is exported, compared and put back as one. Refuses names with folders in them, and to know what a
file says (`rating.price_list`).

The text stands at the end of the document, as `files`, a block for each. A document that has `files` is read
as it is; a file beside it that says something else is a mistake, because nobody can know which one is meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path as File
from typing import Any

from dialplan.finding import Finding
from pbxcore.yamltree import MAX_BYTES, Tree, plain_text

KEY = "files"
LISTS = "price_lists"


def attach(file: str, tree: Tree) -> tuple[Tree, tuple[Finding, ...]]:
    """Put the files that a catalogue names into its document.

    Args:
        file: of the document; the others stand beside it.
        tree: the document.

    Returns:
        The document with what could be read, and what is wrong with the others.
    """
    folder, findings, texts = File(file).parent, list[Finding](), dict[str, str]()
    inside = tree.value.get(KEY)
    for number, name in _named(tree.value):
        path = (LISTS, number, "file")
        if isinstance(inside, Mapping):
            findings += _check_inside(folder / name, path, inside.get(name))
            continue
        read = _read(folder / name, path)
        if isinstance(read, Finding):
            findings.append(read)
        else:
            texts[name] = read
    if inside is None and texts:
        tree = _with(tree, texts, folder)
    return tree, tuple(findings)


def _named(values: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Give the names of files, each once, as far as they are names; form is judged by the spec."""
    lists, seen = values.get(LISTS), set[str]()
    for number, one in enumerate(lists if isinstance(lists, list) else ()):
        name = one.get("file") if isinstance(one, dict) else None
        if isinstance(name, str) and name and name == File(name).name and name not in seen:
            seen.add(name)
            yield number, name


def _read(file: File, path: tuple[str | int, ...]) -> str | Finding:
    """Read a file as plain lines: no mark before it, one kind of line end, one at its end."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError as unreadable:
        return _wrong(path, "no-file", f"{file.name} cannot be read: {unreadable.strerror}", "put it there")
    if len(raw) > MAX_BYTES:
        return _wrong(path, "too-much", f"{file.name} has more than {MAX_BYTES} bytes", "divide the list")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n") + "\n"
    except UnicodeDecodeError:
        return _wrong(path, "no-file", f"{file.name} is not UTF-8", "save it as UTF-8")
    if not plain_text(text):
        remedy = "save it as CSV, in UTF-8"
        return _wrong(path, "no-text", f"{file.name} holds characters that are no text", remedy)
    return text


def _check_inside(file: File, path: tuple[str | int, ...], inside: object) -> Iterator[Finding]:
    """Find that a document and the file beside it say different things."""
    if not file.is_file() or _read(file, path) == inside:
        return
    message = f"{file.name} stands in the document and beside it, and the two are not the same"
    yield _wrong(path, "two-files", message, f"remove `{KEY}` to take the one beside it, or the file")


def _with(tree: Tree, texts: Mapping[str, str], folder: File) -> Tree:
    """Write texts into a document, at its end."""
    written = tree.text.rstrip("\n").splitlines()
    while written and written[-1].strip() in {"---", "..."}:
        written.pop()
    written.append(f"{KEY}:")
    for name, text in texts.items():
        written += [f'  "{name}": |2', *("    " + line for line in text.splitlines())]
    return replace(
        tree,
        value={**tree.value, KEY: texts},
        text="\n".join(written) + "\n",
        beside={name: str(folder / name) for name in texts},
    )


def place(file: str, tree: Tree, path: tuple[str | int, ...]) -> tuple[str, int]:
    """Give file and line of a path; a line of a file that stands beside is a line there."""
    match path:
        case (str(key), str(name), int(line)) if key == KEY:
            if name in tree.beside:
                return tree.beside[name], line
            return file, tree.line(path) + line
    return file, tree.line(path)


def _wrong(path: tuple[str | int, ...], code: str, message: str, remedy: str) -> Finding:
    return Finding(path=path, code=code, message=message, remedy=remedy)
