"""The file of a log: appended to all or nothing, a new one each day, and gone after two weeks.

Owns the file and what it was renamed to, `<name>.<its last change>`. Refuses to know what a line says. Who
appends renames, between two batches: no line stands in two files, and no other process needs to be told.
"""

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROTATE_AT = 256 * 1024 * 1024  # bytes; some 200,000 decisions
DAY_S = 24 * 3600
KEEP_S = 14 * DAY_S  # as long as leg records (`pbxcore.intake.spool`): a call is explained by both
APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_OURS = re.compile(r"\.[0-9]{16}$")

_log = logging.getLogger(__name__)


class LogFile:
    """Appends to a file that may be renamed or removed at any time: it is opened for each batch.

    Args:
        path: need not exist yet, nor its folder.
        clock: seconds since 1970.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._told = set[str]()

    def end_line(self) -> None:
        """End the line in which somebody died, so that the next one stands by itself."""
        with contextlib.suppress(OSError), self._path.open("rb+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def append(self, text: bytes) -> None:
        """Append, all or nothing; by bare system calls, as it is little.

        Raises:
            OSError: it cannot be written (a full disk); of a part that was written nothing stays.
        """
        if self._rotate():
            self._remove_old()
        file = self._open()
        written = 0
        try:
            while written < len(text):
                written += os.write(file, text[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, os.fstat(file).st_size - written)
            raise
        finally:
            os.close(file)

    def tidy(self) -> None:
        """Rename the file when it is of another day or long, and remove what was renamed two weeks ago."""
        self._rotate()
        self._remove_old()

    def _rotate(self) -> bool:
        """Rename the file when that is due; tell whether it was."""
        with self._warned():
            stat = self._path.stat()
            if stat.st_size < ROTATE_AT and stat.st_mtime // DAY_S == self._clock() // DAY_S:
                return False
            target = self._path.with_name(f"{self._path.name}.{stat.st_mtime_ns // 1_000:016}")
            if not target.exists():  # or a clock that was set back would take the older one away
                self._path.rename(target)
            self._told.clear()
            return True
        return False

    def _remove_old(self) -> None:
        with self._warned():
            for path in self._path.parent.glob(f"{self._path.name}.*"):
                if _OURS.search(path.name) and path.stat().st_mtime < self._clock() - KEEP_S:
                    path.unlink()

    @contextlib.contextmanager
    def _warned(self) -> Iterator[None]:
        """Go on without what is not there, and tell of what cannot be done, once: lines come all the same."""
        try:
            yield
        except FileNotFoundError:
            return
        except OSError as error:
            if str(error) in self._told:
                return
            self._told.add(str(error))
            _log.warning("%s is neither renamed nor are older ones removed: %s", self._path, error)

    def _open(self) -> int:
        try:
            return os.open(self._path, APPENDING, 0o644)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._path, APPENDING, 0o644)
