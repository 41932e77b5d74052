"""The file in which Asterisk appends leg records, read as it grows.

Owns reading, rotation and the memory of how far. Refuses to understand records.

* A file is known by the digest of its first line, which names a channel and a microsecond and so is no other
  file's. It stays the same after rename, restart, restore and copy; an inode does not, and is used again.
* Files follow each other by the time in their first line.
* A file that was renamed is finished when the new one has something in it: Asterisk writes its records one
  after the other, each by open, append, close, so the one in the new file was opened after the last one in
  the old file had been written. The old inode stays open until then. What then stands at its end without a
  newline is a fragment for ever.
* A file that was emptied in place (logrotate's copytruncate) has another first line than a moment ago: its
  copy is looked for. Prefer rename: records written between copy and truncation are lost by copytruncate
  itself.
* Where the file of the position is gone, everything that is there is read again: nothing is doubled by that
  (legs are known by their keys), and the gap is an alarm.

Twenty looks a second cost less than a hundredth of a core and bound the wait; inotify would save that and
bring a queue that can overflow. Reading is done in a thread: there may be two megabytes to take apart, and
meanwhile the loop commits what was read before.
"""

import asyncio
import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pbxcore import metrics
from pbxcore.aside import aside
from pbxcore.intake.lines import read
from pbxcore.intake.record import BadLine, Fault, one_by_one
from pbxcore.intake.source import Batch, Position

POLL_S = 0.05  # a fifth of the time from hangup to rated leg
IDLE_S = 1.0  # an empty batch lets the rater see to other things
CHUNK = 2 * 1024 * 1024  # about 4,000 legs: a batch at which PostgreSQL is near its best
HEAD = 4096  # the longest first line that identifies a file; the longest record has 1,023 characters
ROTATE_AT = 256 * 1024 * 1024  # about half a million legs
ROTATE_AFTER_S = 24 * 3600  # of reading it, or few calls would be kept much longer than the two weeks below
KEEP_S = 14 * 24 * 3600  # for a restore of the database from yesterday's backup

_log = logging.getLogger(__name__)
_OURS = re.compile(r"\.[0-9]{16}-[0-9a-f]{8}$")
_PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})


@dataclass(frozen=True, slots=True)
class _Head:
    """The first line of a file, and what it tells: the identity, and when the file began."""

    line: bytes
    began_us: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.line).hexdigest()[:32]


@dataclass(slots=True)
class _Reading:
    """The file that is open now, since when by the monotonic clock, and how much of it is done."""

    fd: int
    head: _Head
    line_end: int
    since: float


class Spool:
    """Reads `<folder>/<name>` and the files it was renamed to. An adapter of `LegSource`.

    Args:
        folder: need not exist yet.
        name: of the file Asterisk appends to.
        rotate_at: size in bytes at which the file is renamed.
        rotate_after_s: so long after it was opened here it is renamed, too.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "legs.tsv",
        *,
        rotate_at: int = ROTATE_AT,
        rotate_after_s: float = ROTATE_AFTER_S,
    ) -> None:
        self._path = folder / name
        self._rotate_at, self._rotate_after_s = rotate_at, rotate_after_s
        self._reading: _Reading | None = None
        self._turn = threading.Lock()  # of the thread that reads, and of the one that hears what is stored

    @property
    def name(self) -> str:
        """The name of the file: it is the same after the folder moved."""
        return self._path.name

    def close(self) -> None:
        """Close the file."""
        if self._reading is not None:
            os.close(self._reading.fd)
        self._reading = None

    def seek(self, position: Position | None) -> None:
        """Continue at a position; without one, or where its file is gone, with the oldest file."""
        self.close()
        files = self._files()
        for path, head in files:
            if position and head.digest == position.file and path.stat().st_size >= position.line_end:
                self._open(path, position.line_end)
                return
        if position:
            metrics.spool_gaps().inc()
            _log.error("the spool file %s is gone; reading again what is there", position.file)
        if files:
            self._open(files[0][0], 0)

    async def read(self) -> Batch:
        """Wait for lines; after a second without any return an empty batch."""
        deadline = time.monotonic() + IDLE_S
        while (batch := await aside(self._look)) is None:
            if time.monotonic() >= deadline:
                return self._batch("", start=self._line_end, at_end=True)
            await asyncio.sleep(POLL_S)
        return batch

    def done(self, position: Position) -> None:
        """Rename the file when it is long or old; remove files of ours that are older."""
        with self._turn:
            self._rotate(position)

    def _rotate(self, position: Position) -> None:
        reading = self._reading
        if reading is None or reading.head.digest != position.file or not self._is_due(reading, position):
            return
        if _inode(self._path) == _inode(reading.fd):
            self._path.rename(f"{self._path}.{reading.head.began_us:016}-{reading.head.digest[:8]}")
            self._remove_old(reading.head)

    def _is_due(self, reading: _Reading, position: Position) -> bool:
        return (
            position.line_end >= self._rotate_at or time.monotonic() - reading.since >= self._rotate_after_s
        )

    @property
    def _line_end(self) -> int:
        return self._reading.line_end if self._reading else 0

    def _look(self) -> Batch | None:
        with self._turn:
            return self._read()

    def _read(self) -> Batch | None:
        """Return what is there, None if nothing is."""
        if self._reading is None:
            self.seek(None)
        if self._reading is None:
            return None
        if not self._is_itself(self._reading):
            self.seek(Position(self._reading.head.digest, self._reading.line_end))
            return None
        followed = self._successor(self._reading)  # before reading: what is read now is then the last of it
        data = os.pread(self._reading.fd, CHUNK, self._reading.line_end)
        complete = data.rfind(b"\n") + 1
        if complete:
            return self._take(data[:complete], at_end=len(data) < CHUNK)
        if len(data) == CHUNK or (data and followed):
            return self._give_up(data)
        if followed:
            self._open(followed, 0)
        return None

    def _take(self, data: bytes, *, at_end: bool) -> Batch:
        assert self._reading is not None
        start = self._reading.line_end
        self._reading.line_end += len(data)
        return self._batch(data.decode("latin-1"), start=start, at_end=at_end)

    def _give_up(self, data: bytes) -> Batch:
        """Put what has no newline, and will have none, aside."""
        assert self._reading is not None
        bad = BadLine(start=self._reading.line_end, fault=Fault.ENDLESS, line=data.decode("latin-1"))
        self._reading.line_end += len(data)
        return self._batch("", start=0, at_end=False, bad=(bad,))

    def _batch(self, text: str, *, start: int, at_end: bool, bad: tuple[BadLine, ...] = ()) -> Batch:
        records, no_records = read(text, start)
        reading = self._reading
        file = reading.head.digest if reading else ""
        return Batch(
            file=file,
            records=records,
            bad=(*bad, *no_records),
            position=Position(file, reading.line_end) if reading else None,
            at_end=at_end,
        )

    def _is_itself(self, reading: _Reading) -> bool:
        begins = os.pread(reading.fd, len(reading.head.line), 0) == reading.head.line
        return begins and os.fstat(reading.fd).st_size >= reading.line_end

    def _successor(self, reading: _Reading) -> Path | None:
        """Return the file that follows, if the open one has been renamed and another one has begun."""
        if _inode(self._path) in (None, _inode(reading.fd)):
            return None
        later = [path for path, head in self._files() if head.began_us > reading.head.began_us]
        # After a step of the clock the new file may seem to be the older one.
        return later[0] if later else self._path

    def _open(self, path: Path, line_end: int) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        head = _head(fd)
        if head is None:  # nothing in it (yet)
            os.close(fd)
        else:
            self.close()
            self._reading = _Reading(fd, head, line_end, time.monotonic())

    def _files(self) -> list[tuple[Path, _Head]]:
        """List the files that have a first line, the oldest first."""
        return sorted(self._heads(), key=lambda file: file[1].began_us)

    def _heads(self) -> Iterator[tuple[Path, _Head]]:
        for path in self._path.parent.glob(f"{self._path.name}*"):
            if path.suffix in _PACKED:
                continue
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # renamed or removed since it was listed
                continue
            try:
                if head := _head(fd):
                    yield path, head
            finally:
                os.close(fd)

    def _remove_old(self, current: _Head) -> None:
        oldest = time.time() - KEEP_S
        for path, head in self._files():
            ours = _OURS.search(path.name) and head.began_us < current.began_us
            if ours and path.stat().st_mtime < oldest:
                path.unlink()


def _head(fd: int) -> _Head | None:
    """Read the first line; None while it is not complete."""
    start = os.pread(fd, HEAD, 0)
    line = start[: start.find(b"\n") + 1] or (start if len(start) == HEAD else b"")
    if not line:
        return None
    records, _ = one_by_one(start.decode("latin-1"), 0)
    return _Head(line, records[0].time_us if records else os.fstat(fd).st_mtime_ns // 1000)


def _inode(file: Path | int) -> tuple[int, int] | None:
    """Identify an open or a named file while it exists."""
    try:
        stat = os.fstat(file) if isinstance(file, int) else file.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino
