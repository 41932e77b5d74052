"""A contract's document on disk: one more event written at its end, and signed copies beside it.

Owns how a binding order gets into the file: whole or not at all, and one after the other. Refuses to know
what an order does (`rating.contract`), and to read what a signed copy says.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from pbxcore import documents
from rating.contract.document import ContractSpec

MOST_BYTES = 20 * 1024 * 1024  # of a signed copy: some pages as a scanner makes them
SCANS = {b"%PDF-": ".pdf", b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"II*\0": ".tiff", b"MM\0*": ".tiff"}
"""What mail, fax and scanners bring: how it begins, and what it is called."""
NO_EVENTS = re.compile(r"^events: *\[ *\] *\n\Z", re.MULTILINE)  # of a contract nobody has signed yet


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
    text = NO_EVENTS.sub("events:\n", text) + f"  - {event}\n"
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


@dataclass(frozen=True, slots=True)
class SignedCopy:
    """A signed copy that is to be kept beside a contract's document."""

    content: bytes
    beside: Path

    def keep(self) -> bool:
        """Write it, unless it is there; tell whether it was written.

        Raises:
            NotWrittenError: another copy has this name.
        """
        if self.beside.exists():
            if self.beside.read_bytes() == self.content:
                return False
            raise NotWrittenError(f"{self.beside} is another copy", "move it away, or attach it as it is")
        with NamedTemporaryFile("wb", dir=self.beside.parent, prefix=".signed.", delete=False) as aside:
            aside.write(self.content)
            aside.flush()
            os.fsync(aside.fileno())
        aside_path = Path(aside.name)
        aside_path.chmod(0o640)  # a signature and an address are not for everybody
        aside_path.replace(self.beside)
        return True


def signed_copy(scan: Path, file: Path, quote: str) -> SignedCopy:
    """Read a signed copy, to be kept under the name of the contract's file and the quote.

    Raises:
        NotWrittenError: it is nothing that could be a signed copy.
    """
    try:
        with scan.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise NotWrittenError(f"{scan} cannot be read: {error.strerror}", "name the scan") from None
    if len(content) > MOST_BYTES:
        raise NotWrittenError(f"{scan} has more than {MOST_BYTES} bytes", "scan it with less detail")
    ending = next((ending for begins, ending in SCANS.items() if content.startswith(begins)), None)
    if ending is None:
        raise NotWrittenError(f"{scan} is no PDF, JPEG, PNG or TIFF", "scan the signed form")
    return SignedCopy(content, file.with_name(f"{file.stem}-{quote}{ending}"))
