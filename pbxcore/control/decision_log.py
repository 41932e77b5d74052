"""The decision log: one line of JSON per decision, `<state>/decisions/<process>.ndjson`.

Owns the form of a line and who writes it. Refuses to make a call wait: what cannot be queued is dropped and
counted. The file is `pbxcore.control.log_file`'s.

Its thread lets entries gather for a moment and writes them together: of several each costs a fraction of a
single one. What `kill -9` takes of the log is that moment, and what was decided since the server last heard
that decisions were carried out (`fastagi.HEAR_S`).
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from prometheus_client import Counter

from dialplan.decision import Decision
from dialplan.facts import Facts
from dialplan.switch import Switch
from pbxcore import logged
from pbxcore.control.log_file import LogFile

MAX_WAITING = 10_000  # entries; at 250 calls a second, 40 s of a stalled disk
MAX_BATCH = 1_000
LOOK_EVERY_S = 3_600.0  # without any call, whether a file is old enough to go
GATHER_S = 0.02  # so much a crash takes of the log, beside what was not noted yet
STEP_NAMES = {
    "Admit": "admit",
    "Ring": "ring",
    "Outside": "outside",
    "Voicemail": "voicemail",
    "ListenToVoicemail": "listen-to-voicemail",
    "Play": "play",
    "Reject": "reject",
    "Confirm": "confirm",
    "PickUp": "pick-up",
}

LINES = Counter(
    "pbxcore_decision_log_lines_total", "Lines of the decision log by what became of them", ["end"]
)

WRITTEN = LINES.labels("written")

log = logging.getLogger(__name__)


def switch_to_json(one: Switch) -> dict[str, Any]:
    """Return a switch as plain values."""
    until = one.until.isoformat() if one.until else None
    return {**dataclasses.asdict(one), "since": one.since.isoformat(), "until": until}


def line(facts: Facts, decision: Decision, *, at: datetime, micros: int) -> dict[str, Any]:
    """Return what the log says of one decision, for `encoded`; `micros` is how long it took to decide."""
    return {
        "time": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "call": facts.call,
        "linkedid": facts.linkedid,
        "version": decision.version,
        "micros": micros,
        "facts": facts,
        "decision": decision,
    }


def of_call(folder: Path, linkedid: str) -> list[dict[str, Any]]:
    """Return what was decided for a call, by whichever process, in order of time.

    A line that is being written, or that a full disk cut, is left out.
    """
    found = []
    for path in folder.glob("*.ndjson*"):
        with path.open(encoding="utf-8", errors="replace") as file:
            entries = (logged.entry(text) for text in file if linkedid in text)
            found += [
                {**one, "by": path.name.split(".")[0]}
                for one in entries
                if one and one.get("linkedid") == linkedid
            ]
    return sorted(found, key=lambda one: str(one["time"]))


class DecisionLog:
    """Appends lines while `run` runs, by one thread: to call one for each line costs twice as much."""

    def __init__(self, path: Path) -> None:
        self._file = LogFile(path)
        self._waiting: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()  # None: there will be no more
        self._noted = self._settled = 0  # the second one belongs to the thread

    @property
    def unwritten(self) -> int:
        """How many entries are neither written nor lost yet."""
        return self._noted - self._settled

    def note(self, entry: Mapping[str, Any]) -> None:
        """Queue one line; never waits."""
        if self._waiting.qsize() >= MAX_WAITING:
            LINES.labels("dropped").inc()
            return
        self._noted += 1
        self._waiting.put(entry)

    async def run(self) -> None:
        """Write what is noted until cancelled, then what is left."""
        writing = asyncio.create_task(asyncio.to_thread(self._write), name="decision-log-thread")
        try:
            await asyncio.shield(writing)
        finally:
            self._waiting.put(None)
            await writing

    def _write(self) -> None:
        self._file.end_line()
        more = True
        while more:
            try:
                first = self._waiting.get(timeout=LOOK_EVERY_S)
            except Empty:
                self._file.tidy()
                continue
            if first is not None:
                time.sleep(GATHER_S)
            entries = [first, *self._rest()]
            more = None not in entries
            self._append([entry for entry in entries if entry is not None])

    def _rest(self) -> Iterator[Mapping[str, Any] | None]:
        """Give what waits already; of a batch this is all but the first."""
        with contextlib.suppress(Empty):
            for _ in range(MAX_BATCH - 1):
                yield self._waiting.get_nowait()

    def _append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        lines = [line for entry in entries if (line := _line(entry))]
        try:
            self._file.append("".join(lines).encode())
            WRITTEN.inc(len(lines))
        except OSError:
            log.exception("the decision log cannot be written")
            LINES.labels("lost").inc(len(lines))
        self._settled += len(entries)


def _line(entry: Mapping[str, Any]) -> str:
    """Write an entry as a line; one that cannot be written is lost alone."""
    try:
        return f"{encoded(entry)}\n"
    except (TypeError, ValueError, RecursionError):
        log.exception("a decision cannot be logged")
        LINES.labels("lost").inc()
        return ""


def _plain(value: object) -> Any:  # noqa: ANN401 — whatever stands in facts and decisions
    """Return what JSON does not know as values that it may know; each step says what it is under `do`."""
    if isinstance(value, datetime):
        return value.isoformat()
    kind = type(value)
    plain = {name: getattr(value, name) for name in _fields(kind)}  # type: ignore[arg-type]  # mypy asks how an instance hashes, not its type
    return {"do": STEP_NAMES[kind.__name__], **plain} if kind.__name__ in STEP_NAMES else plain


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """Name the fields of a frozen value."""
    return tuple(one.name for one in dataclasses.fields(kind))


encoded = json.JSONEncoder(separators=(",", ":"), default=_plain, check_circular=False).encode
"""Writes a line; json.dumps would make an encoder for each."""
