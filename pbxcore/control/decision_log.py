"""The decision log: one line of JSON per decision, `<state>/decisions/<process>.ndjson`.

Owns the file and the form of a line. Refuses to make a call wait: a line that cannot be queued is dropped and
counted. The file is opened for each batch, so that it may be renamed at any time.
"""

import asyncio
import dataclasses
import json
import logging
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import Counter

from dialplan.decision import Decision, Step
from dialplan.facts import Facts
from dialplan.switch import Switch

MAX_WAITING = 10_000  # lines; at 250 calls a second, 40 s of a stalled disk
MAX_BATCH = 1_000
STEP_NAMES = {
    "Admit": "admit",
    "Ring": "ring",
    "Outside": "outside",
    "Voicemail": "voicemail",
    "ListenToVoicemail": "listen-to-voicemail",
    "Play": "play",
    "Reject": "reject",
    "Confirm": "confirm",
}

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one for each line

LINES = Counter(
    "pbxcore_decision_log_lines_total", "Lines of the decision log by what became of them", ["end"]
)

log = logging.getLogger(__name__)


def to_json(decision: Decision) -> dict[str, Any]:
    """Return a decision as plain values; each step says what it is under `do`."""
    return {
        "version": decision.version,
        "steps": [_step(step) for step in decision.steps],
        "because": [_plain(because) for because in decision.because],
        "changes": [switch_to_json(one) for one in decision.changes],
    }


def switch_to_json(one: Switch) -> dict[str, Any]:
    """Return a switch as plain values."""
    until = one.until.isoformat() if one.until else None
    return {**dataclasses.asdict(one), "since": one.since.isoformat(), "until": until}


def line(facts: Facts, decision: Decision, *, at: datetime, micros: int) -> dict[str, Any]:
    """Return what the log says of one decision; `micros` is how long it took to decide."""
    return {
        "time": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "call": facts.call,
        "linkedid": facts.linkedid,
        "version": decision.version,
        "micros": micros,
        "facts": _plain(facts),
        "decision": to_json(decision),
    }


def of_call(folder: Path, linkedid: str) -> list[dict[str, Any]]:
    """Return what was decided for a call, by whichever process, in order of time.

    A line that is being written, or that a full disk cut, is left out.
    """
    found = []
    for path in folder.glob("*.ndjson*"):
        with path.open(encoding="utf-8", errors="replace") as file:
            entries = (_entry(text) for text in file if linkedid in text)
            found += [
                {**one, "by": path.name.split(".")[0]} for one in entries if one["linkedid"] == linkedid
            ]
    return sorted(found, key=lambda one: str(one["time"]))


def _entry(text: str) -> dict[str, Any]:
    try:
        return {"linkedid": "", **json.loads(text)}
    except ValueError:
        return {"linkedid": ""}


class DecisionLog:
    """Appends lines in the background while `run` runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._noted = asyncio.Event()

    def note(self, entry: Mapping[str, Any]) -> None:
        """Queue one line; never waits."""
        if len(self._waiting) >= MAX_WAITING:
            LINES.labels("dropped").inc()
            return
        self._waiting.append(entry)
        self._noted.set()

    async def run(self) -> None:
        """Write what is noted until cancelled, then what is left."""
        try:
            while True:
                await self._noted.wait()
                self._noted.clear()
                while rest := self._rest():
                    await self._write(rest)
        finally:
            while rest := self._rest():
                self._append(rest)

    def _rest(self) -> list[Mapping[str, Any]]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]

    async def _write(self, entries: list[Mapping[str, Any]]) -> None:
        await asyncio.shield(asyncio.to_thread(self._append, entries))

    def _append(self, entries: list[Mapping[str, Any]]) -> None:
        text = "".join(_encode(entry) + "\n" for entry in entries)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
            LINES.labels("written").inc(len(entries))
        except OSError:
            log.exception("the decision log cannot be written")
            LINES.labels("lost").inc(len(entries))


def _step(step: Step) -> dict[str, Any]:
    return {"do": STEP_NAMES[type(step).__name__], **_plain(step)}


def _plain(value: object) -> Any:  # noqa: ANN401 — whatever stands in facts and decisions
    """Return a frozen value as `dataclasses.asdict` does, without its copies of what cannot change."""
    if names := _fields(type(value)):  # type: ignore[arg-type]  # mypy asks how an instance hashes, not its type
        return {name: _plain(getattr(value, name)) for name in names}
    return tuple(map(_plain, value)) if type(value) is tuple else value


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """Name the fields of a dataclass; any other type has none."""
    return tuple(one.name for one in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()
