"""The local socket of a deciding process: reload one tenant, tell how it is.

Owns the socket's life and its protocol, one JSON object per line each way. Refuses long lines, many
connections and anything it does not know.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

MAX_LINE = 65_536
MAX_CONNECTIONS = 50
IDLE_LIMIT_S = 30.0

log = logging.getLogger(__name__)

Handle = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


@contextlib.asynccontextmanager
async def listen(path: Path, handle: Handle) -> AsyncIterator[None]:
    """Answer requests at a socket until the block is left; the socket is removed then."""
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connections) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        connection = asyncio.create_task(_serve(reader, writer, handle), name="socket")
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    _clear(path)
    server = await asyncio.start_unix_server(accept, str(path), limit=MAX_LINE)
    os.chmod(path, 0o600)  # noqa: PTH101 — of a local file, at once
    try:
        yield
    finally:
        server.close()
        for connection in tuple(connections):
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()
        _clear(path)


def _clear(path: Path) -> None:
    """Make room for the socket: a process that was killed leaves one behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle) -> None:
    with contextlib.suppress(OSError, TimeoutError, ValueError):  # gone, silent, or a line without end
        try:
            while True:
                async with asyncio.timeout(IDLE_LIMIT_S):
                    line = await reader.readline()
                if not line.endswith(b"\n"):
                    return
                writer.write(json.dumps(await _answer(line, handle)).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()


async def _answer(line: bytes, handle: Handle) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        return {"ok": False, "error": "not JSON"}
    if not isinstance(request, Mapping):
        return {"ok": False, "error": "not an object"}
    try:
        return await handle(request)
    except Exception as error:
        log.exception("a request failed")
        return {"ok": False, "error": str(error)}
