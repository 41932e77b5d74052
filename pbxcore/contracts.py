"""A contract's document on disk: one more event written at its end.

Owns how a binding order gets into the file: whole or not at all, and one after the other. Refuses to know
what an order does (`rating.contract`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from pbxcore import documents
from rating.contract.document import ContractSpec


@dataclass(frozen=True, slots=True)
class NotWrittenError(Exception):
    """An event could not be written; the file is as it was."""

    reason: str
    remedy: str


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Keep every other order out of a folder while one is worked out and written.

    The folder is locked and not the file: a file that is replaced takes its lock with it.
    """
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def append(file: Path, event: str) -> None:
    """Write an event, one line of YAML, behind the others.

    Raises:
        NotWrittenError: the document would not be what it was and this event.
    """
    before = file.read_text("utf-8")
    text = before if before.endswith("\n") else before + "\n"
    text += f"  - {event}\n"
    old, new = _events(str(file), before), _events(str(file), text)
    if old is None or new is None or new.events[:-1] != old.events or len(new.events) != len(old.events) + 1:
        raise NotWrittenError(
            f"{file} does not end with its events, two spaces in front of each",
            "write `events:` last, and each event as `  - {on: …, …}`",
        )
    _replace(file, text)


def _events(file: str, text: str) -> ContractSpec | None:
    read, _ = documents.read_texts([(file, text)])
    specs = [one.spec for one in read if isinstance(one.spec, ContractSpec)]
    return specs[0] if len(specs) == 1 else None


def _replace(file: Path, text: str) -> None:
    """Put a text in the place of a file at one instant."""
    with NamedTemporaryFile(
        "w", dir=file.parent, prefix=f".{file.name}.", delete=False, encoding="utf-8"
    ) as aside:
        aside.write(text)
        aside.flush()
        os.fsync(aside.fileno())
    aside_path = Path(aside.name)
    aside_path.chmod(file.stat().st_mode)
    aside_path.replace(file)
