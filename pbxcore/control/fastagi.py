"""FastAGI: answers the questions of the dialplan, one session per question.

Owns the server loop: limits on what a client may send, deadlines, and how many sessions there are at once.
Refuses to decide. A session that goes wrong ends without `PBX_OK`, which the dialplan takes as no answer and
asks the standby. panoramisk's own server spins for ever on a client that connects and closes (any port scan),
and waits for the answer to the last command before it lets a call go on, so it is not used.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

MAX_SESSIONS = 500  # twice the call attempts that one Asterisk on two cores makes in a second
MAX_LINE = 4_096  # Asterisk's own limit of an AGI line is 2,048
MAX_REQUEST = 16_384  # bytes of all headers: a long one has about 2,000, with a carrier's diversions 3,000
MAX_HEADERS = 64  # a request has about 25
END = b"\n\n"
FIRST = b"agi_"  # how each of Asterisk's headers begins: whoever says something else is let go at once
DONE, FAILED = b"200 result=", b"200 result=-1"
HEADER_LIMIT_S = 2.0  # Asterisk sends all headers at once
ANSWER_LIMIT_S = 5.0  # decision and its round trips

SESSIONS = Counter("pbxcore_agi_sessions_total", "FastAGI sessions by how they ended", ["end"])
OPEN = Gauge("pbxcore_agi_sessions_open", "FastAGI sessions under way")
SECONDS = Histogram(
    "pbxcore_agi_session_seconds",
    "Whole FastAGI session",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 5),
)

log = logging.getLogger(__name__)

Headers = Mapping[str, str]
Send = Callable[[Sequence[str]], Awaitable[None]]
"""Sends all commands of an answer, each when the one before is carried out."""
Answer = Callable[[Headers, Send], Awaitable[None]]
"""Given the headers and a way to send what is answered; raises `SessionError` to end without an answer."""


class SessionError(Exception):
    """A session that ends without an answer.

    Attributes:
        end: how it ended, a label of the metric.
    """

    def __init__(self, end: str) -> None:
        super().__init__(end)
        self.end = end


@contextlib.asynccontextmanager
async def listen(host: str, port: int, answer: Answer) -> AsyncIterator[asyncio.Server]:
    """Answer questions until the block is left; sessions under way are then cut.

    Raises:
        OSError: the address is taken.
    """
    sessions: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(sessions) >= MAX_SESSIONS:
            SESSIONS.labels("too-many").inc()
            writer.transport.abort()
            return
        session = asyncio.create_task(_session(reader, writer, answer), name="agi")
        sessions.add(session)
        session.add_done_callback(sessions.discard)

    server = await asyncio.start_server(accept, host, port, limit=MAX_LINE, backlog=MAX_SESSIONS)
    try:
        yield server
    finally:
        server.close()
        for session in tuple(sessions):
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await server.wait_closed()


async def _session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    started = time.perf_counter()
    OPEN.inc()
    end = "broken"
    try:
        async with asyncio.timeout(HEADER_LIMIT_S) as limit:
            end = await _converse(reader, writer, answer, limit)
    except TimeoutError:
        end = "late"
    except (ConnectionError, asyncio.IncompleteReadError):
        end = "cut"
    except Exception:
        log.exception("an AGI session failed")  # the dialplan asks the standby
    finally:
        _close(writer)
        OPEN.dec()
        SECONDS.observe(time.perf_counter() - started)
        _ended(end).inc()


@cache
def _ended(end: str) -> Counter:
    """Find the counter of an end; there are some ten."""
    return SESSIONS.labels(end)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, limit: asyncio.Timeout
) -> str:
    try:
        headers = await read_headers(reader)
        limit.reschedule(asyncio.get_running_loop().time() + ANSWER_LIMIT_S)
        await answer(headers, lambda commands: _send(reader, writer, commands))
    except SessionError as error:
        return error.end
    return "answered"


async def read_headers(reader: asyncio.StreamReader) -> dict[str, str]:
    """Read `name: value` lines up to the empty one.

    Asterisk writes each line by itself. They are taken as they come and divided at the end: to wait for each
    of the forty costs more than the decision.

    Raises:
        SessionError: nothing came (a probe), too much came, or something else than a request.
    """
    text = b""
    while END not in text:
        more = await reader.read(MAX_LINE)
        text += more
        if not text:
            raise SessionError("probe")
        if not more or len(text) > MAX_REQUEST or not FIRST.startswith(text[: len(FIRST)]):
            raise SessionError("garbage")
    return _headers(text)


def _headers(text: bytes) -> dict[str, str]:
    """Divide a whole request, its empty line at the end, into its headers.

    Raises:
        SessionError: a line that is none, too long or there twice, too many, or something after them.
    """
    head, _, more = text.decode("utf-8", "replace").partition(END.decode())
    lines = head.split("\n")
    if more or len(lines) > MAX_HEADERS or len(max(lines, key=len)) > MAX_LINE:
        raise SessionError("garbage")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if not colon and not name.endswith(":"):
            raise SessionError("garbage")
        headers[name.rstrip(":")] = value
    if len(headers) < len(lines):
        raise SessionError("garbage")  # Asterisk says nothing twice: somebody forged a line
    return headers


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, commands: Sequence[str]) -> None:
    """Send commands and check their answers; an answer that is none ends the session.

    The call goes on once we have closed, so our side is closed with the last command: to wait for its answer
    first would cost the call two more turns on a core, each of which takes long on a busy machine.

    Raises:
        SessionError: Asterisk hung up, refused, or the line was cut.
    """
    for left, command in zip(reversed(range(len(commands))), commands, strict=True):
        writer.write(f"{command}\n".encode())
        if not left:
            writer.write_eof()
        await writer.drain()
        _check(await reader.readline())


def _check(line: bytes) -> None:
    """Accept Asterisk's answer to a command.

    Raises:
        SessionError: it hung up, refused, or the line was cut.
    """
    if not line.endswith(b"\n"):
        raise SessionError("cut")
    if line.startswith(b"HANGUP") or b"(hangup)" in line:
        raise SessionError("hangup")
    if not line.startswith(DONE) or line.startswith(FAILED):
        raise SessionError("refused")


def _close(writer: asyncio.StreamWriter) -> None:
    """Let a client go, and at once one that has not read what it was sent: nobody waits for it."""
    if writer.transport.get_write_buffer_size():
        writer.transport.abort()
    else:
        writer.close()
