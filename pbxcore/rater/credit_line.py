"""The local socket at which calls ask for credit: one JSON object a line each way, any number under way.

Owns the protocol. Each question carries a number `n`, which its answer carries back; answers come in the
order in which they are known. Refuses long lines, many connections, and who does not read: a call takes no
answer for a no, so nothing here is worth waiting for.

* `{"n": 1, "do": "authorise", "id": "…", "call": "pbx-1.2", "payer": "acme/10", "number": "+49…",
  "why": "call", "answer_within_s": 65}` → `{"n": 1, "limit_s": 300}` or `{"n": 1, "refused": "no-credit"}`
* `{"n": 2, "do": "extend"}` → `{"n": 2, "calls": [{"channel": "pbx-1.3", "ends_us": 1790000000000000}]}`:
  every call that goes on longer than its record says, with its end
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pbxcore.rater.desk import Answer, Asked, Desk

MAX_LINE = 4_096  # a question has about 200
MAX_CONNECTIONS = 20  # control has one; the rest is for people
MAX_UNREAD = 1 << 20  # bytes of answers that nobody reads

_log = logging.getLogger(__name__)

Extend = Callable[[], Awaitable[list[dict[str, Any]]]]
"""Lets calls go on; returns what `extend` answers."""


def path_of(run_dir: Path) -> Path:
    """Return where the socket is."""
    return run_dir / "credit.sock"


@contextlib.asynccontextmanager
async def listen(path: Path, desk: Desk, extend: Extend) -> AsyncIterator[None]:
    """Answer at the socket until the block is left."""
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connections) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        connection = asyncio.create_task(_serve(reader, writer, desk, extend), name="credit")
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    _clear(path)
    server = await asyncio.start_unix_server(accept, str(path), limit=MAX_LINE)
    os.chmod(path, 0o600)  # noqa: PTH101 — of a local file, at once
    ours = _file(path)
    try:
        yield
    finally:
        server.close()
        for connection in tuple(connections):
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        if _file(path) == ours:  # a rater that took over meanwhile listens there
            _clear(path)


def _clear(path: Path) -> None:
    """Make room for the socket: a rater that was killed leaves one behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)


def _file(path: Path) -> tuple[int, int] | None:
    """Give what tells a socket from the one of the same name before or after it; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, desk: Desk, extend: Extend
) -> None:
    try:
        while (line := await reader.readline()).endswith(b"\n"):
            await _take(line, writer, desk, extend)
    except (OSError, ValueError) as error:  # gone, or no line of ours
        _log.info("a credit line broke: %s", error)
    finally:
        writer.close()


async def _take(line: bytes, writer: asyncio.StreamWriter, desk: Desk, extend: Extend) -> None:
    request = json.loads(line)
    if not isinstance(request, Mapping):
        raise ValueError("not an object")  # noqa: TRY004 — of the line
    number = request.get("n")
    match request.get("do"):
        case "authorise":
            desk.ask(_asked(request), lambda answer: _send(writer, {"n": number, **_said(answer)}))
        case "extend":
            _send(writer, {"n": number, "calls": await extend()})
        case other:
            _send(writer, {"n": number, "refused": f"unknown request {other!r}"})


def _asked(request: Mapping[str, Any]) -> Asked:
    """Read a question.

    Raises:
        ValueError: something is missing or of another type.
    """
    try:
        words = {name: str(request[name]) for name in ("id", "call", "payer", "number", "why")}
        return Asked(**words, answer_within_s=int(request["answer_within_s"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no question: {error}") from error


def _said(answer: Answer) -> dict[str, object]:
    return {"refused": answer.refused} if answer.refused else {"limit_s": answer.limit_s}


def _send(writer: asyncio.StreamWriter, answer: Mapping[str, object]) -> None:
    if writer.transport.get_write_buffer_size() > MAX_UNREAD:
        writer.transport.abort()
    if not writer.is_closing():
        writer.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
