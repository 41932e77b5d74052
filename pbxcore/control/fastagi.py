"""FastAGI: answers the questions of the dialplan, one session per question.

Owns the server loop: limits on what a client may send, deadlines, and how many sessions there are at once.
Refuses to decide. A session that goes wrong ends without `PBX_OK`, which the dialplan takes as no answer and
asks the standby. panoramisk's own server spins for ever on a client that connects and closes (any port scan),
and waits for the answer to the last command before it lets a call go on, so it is not used.

A question costs mostly system calls, and turns on a core: at 100 a second a core has done other things since
the last one, and whatever is touched comes slowly. So a question that needs nobody else is answered in the
turn in which its client is let in, with bare system calls and without a task; the loop never hears of its
socket. What Asterisk says to the last command is not waited for: it is read now and then, of many sessions
together, and only then is a decision noted and counted.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import methodcaller

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
HEAR_S = 0.1  # between two looks at what Asterisk said to last commands, and for sessions past their limit
# Asterisk writes each of its 26 lines to the socket by itself, and the next one leaves when the one before is
# acknowledged. Linux does that at once for as many as the window has room for, 16 at most, and then for what
# we have read. In so small a window three come by themselves; the others are there as soon as these are read.
WINDOW = 4_096
SILENT_S = 2  # a client that says nothing so long is let in all the same, and ends as any other

SESSIONS = Counter("pbxcore_agi_sessions_total", "FastAGI sessions by how they ended", ["end"])
OPEN = Gauge("pbxcore_agi_sessions_open", "FastAGI sessions under way")
SECONDS = Histogram(
    "pbxcore_agi_session_seconds",
    "From letting a FastAGI client in to the last command of its answer",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 5),
)

log = logging.getLogger(__name__)

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        commands: sent one by one, each when the one before is carried out.
        carried_out: called when Asterisk has carried out all of them.
    """

    commands: Sequence[str]
    carried_out: Callable[[], None]


Answer = Callable[[Headers], Reply | Awaitable[Reply]]
"""Given the headers; what it gives has to be awaited only where somebody else has to be asked.

Raises `SessionError` to end without an answer.
"""


class SessionError(Exception):
    """A session that ends without an answer.

    Attributes:
        end: how it ended, a label of the metric.
    """

    def __init__(self, end: str) -> None:
        super().__init__(end)
        self.end = end


@contextlib.asynccontextmanager
async def listen(host: str, port: int, answer: Answer) -> AsyncIterator["Server"]:
    """Answer questions until the block is left; sessions under way are then cut.

    Raises:
        OSError: the address is taken.
    """
    with _listening(host, port) as listener:
        server = Server(listener, answer)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(server.watch(), name="agi-sessions")
            try:
                yield server
            finally:
                watching.cancel()
                await asyncio.gather(*server.cut(), return_exceptions=True)


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), backlog=MAX_SESSIONS)
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, WINDOW)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_S)
    return listener


class Server:
    """The sessions of one port.

    Attributes:
        port: where it listens.
    """

    def __init__(self, listener: socket.socket, answer: Answer) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._answer = answer
        self._sessions: dict[_Session, None] = {}  # in the order in which they came: so they are logged
        self._loop = asyncio.get_running_loop()
        self._accepts = False
        self._accepting(now=True)

    @property
    def open(self) -> int:
        """How many sessions have not ended: of each nobody knows yet whether its answer was carried out."""
        return len(self._sessions)

    def accept(self) -> None:
        """Let one client in; the next one is still there when we look again."""
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # it left before we came
            return
        except OSError as full:  # no more files: it would be there again at once
            log.error("no client can be let in: %s", full)  # noqa: TRY400 — its words say enough
            _ended("no-files").inc()
            self._accepting(now=False)
            return
        if len(self._sessions) >= MAX_SESSIONS:
            self._hear()
        if len(self._sessions) >= MAX_SESSIONS:
            _ended("too-many").inc()
            client.close()
            return
        session = _Session(client, self._answer, self._loop, self._sessions.pop)
        self._sessions[session] = None
        session.take()  # most often all of it is there

    def _accepting(self, *, now: bool) -> None:
        """Begin or cease to let clients in."""
        if now and not self._accepts:
            self._loop.add_reader(self._listener, self.accept)
        elif self._accepts and not now:
            self._loop.remove_reader(self._listener)
        self._accepts = now

    def _hear(self) -> None:
        """Take what Asterisk has said to last commands."""
        for session in tuple(self._sessions):
            if session.is_answered:
                session.take()

    async def watch(self) -> None:
        """Hear of last commands; end sessions past their limit; let clients in again if files were short."""
        while True:
            await asyncio.sleep(HEAR_S)
            self._accepting(now=True)
            self._hear()
            OPEN.set(len(self._sessions))
            now = time.perf_counter()
            for session in tuple(self._sessions):
                session.check(now)

    def cut(self) -> list[asyncio.Future[Reply]]:
        """Let nobody in any more and cut all sessions; return what of them still has to end."""
        self._accepting(now=False)
        self._hear()
        sessions = tuple(self._sessions)
        for session in sessions:
            session.end("cut")
        OPEN.set(0)
        return [session.waiting for session in sessions if session.waiting]


class _Session:
    """One question, its answer, and what Asterisk says to it.

    Attributes:
        waiting: waits for what others have to say before the question can be answered.
    """

    __slots__ = (
        "_answer", "_client", "_forget", "_left", "_loop", "_reply", "_since", "_started", "_text", "_took_s",
        "_wakes", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        client: socket.socket,
        answer: Answer,
        loop: asyncio.AbstractEventLoop,
        forget: Callable[["_Session"], object],
    ) -> None:
        self._client = client
        self._answer = answer
        self._loop = loop
        self._forget = forget
        self._started = self._since = time.perf_counter()
        self._took_s = 0.0
        self._text = b""
        self._reply: Reply | None = None
        self._left: list[str] = []
        self._wakes = False
        self.waiting: asyncio.Future[Reply] | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the last command is sent; what Asterisk says to it wakes nobody."""
        return self._reply is not None and not self._left

    def take(self) -> None:
        """Take what came, and do what follows."""
        self._do(self._take)

    def check(self, now: float) -> None:
        """End if it has taken too long."""
        asked = self._reply is not None or self.waiting is not None
        if now - self._since > (ANSWER_LIMIT_S if asked else HEADER_LIMIT_S):
            self.end("late")

    def end(self, end: str) -> None:
        """End; only the first end counts."""
        if self._client.fileno() < 0:
            return
        self._waking(now=False)
        self._forget(self)
        self._client.close()
        if self.waiting:
            self.waiting.cancel()
        SECONDS.observe(self._took_s or time.perf_counter() - self._started)
        _ended(end).inc()

    def _do(self, what: Callable[[], str]) -> None:
        """Do something that says how the session ends, if it does, or raises it."""
        try:
            end = what()
        except SessionError as error:
            end = error.end
        except OSError:
            end = "cut"
        except Exception:
            log.exception("an AGI session failed")  # the dialplan asks the standby
            end = "broken"
        if end:
            self.end(end)
        else:
            self._waking(now=not self.is_answered)

    def _waking(self, *, now: bool) -> None:
        """Let the loop wake us when more comes, or no longer."""
        if now and not self._wakes:
            self._loop.add_reader(self._client, self.take)
        elif self._wakes and not now:
            self._loop.remove_reader(self._client)
        self._wakes = now

    def _take(self) -> str:
        try:
            more = self._client.recv(MAX_REQUEST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return ""
        if more and not (self._reply or self.waiting or more.endswith(END)):
            more += self._behind()
        self._text += more
        if self._reply:
            return self._hear(self._reply, more)
        if self.waiting:  # Asterisk has nothing to say now: it left, or babbles
            return "" if more and len(self._text) <= MAX_LINE else "cut"
        return self._ask() if END in self._text else self._begun(more)

    def _behind(self) -> bytes:
        """Take what waited for us to read: it is here by now, and would take another turn of the loop."""
        with contextlib.suppress(BlockingIOError):
            return self._client.recv(MAX_REQUEST, socket.MSG_DONTWAIT)
        return b""

    def _begun(self, more: bytes) -> str:
        """Wait for the rest of what has begun like a request."""
        if not self._text:
            return "probe"
        begins = FIRST.startswith(self._text[: len(FIRST)])
        return "" if more and begins and len(self._text) <= MAX_REQUEST else "garbage"

    def _ask(self) -> str:
        headers = headers_of(self._text)
        self._text, self._since = b"", time.perf_counter()
        answered = self._answer(headers)
        if isinstance(answered, Reply):
            return self._send(answered)
        self.waiting = asyncio.ensure_future(answered)
        self.waiting.add_done_callback(self._answered)
        return ""

    def _answered(self, waiting: asyncio.Future[Reply]) -> None:
        if not waiting.cancelled():
            self._do(lambda: self._send(waiting.result()))

    def _send(self, reply: Reply) -> str:
        self._reply, self._left = reply, list(reply.commands)
        return self._send_next()

    def _send_next(self) -> str:
        """Send a command, the last one together with our end.

        The call goes on once we have closed, so our side is closed with the last command: to wait for its
        answer first would cost the call two more turns on a core, each of which takes long on a busy machine.
        """
        command = f"{self._left.pop(0)}\n".encode()
        last = not self._left
        how = socket.MSG_DONTWAIT | (socket.MSG_MORE if last else 0)
        if self._client.send(command, how) < len(command):
            return "cut"  # far more than a command fits in between: nobody reads
        if last:
            self._client.shutdown(socket.SHUT_WR)
            self._took_s = time.perf_counter() - self._started
        return ""

    def _hear(self, reply: Reply, more: bytes) -> str:
        """Check what Asterisk says to a command; one that it has not carried out ends the session."""
        line, newline, rest = self._text.partition(b"\n")
        if not newline and more and len(line) <= MAX_LINE:
            return ""
        _check(line + newline)
        self._text = rest
        if self._left:
            return self._send_next()
        reply.carried_out()
        return "answered"


@cache
def _ended(end: str) -> Counter:
    """Find the counter of an end; there are some ten."""
    return SESSIONS.labels(end)


_divided = methodcaller("split", ": ", 1)


def headers_of(text: bytes) -> Headers:
    """Divide a whole request, its empty line at the end, into its headers.

    Raises:
        SessionError: a line that is none, too long or there twice, too many, too much, or something behind.
    """
    lines = text.decode("utf-8", "replace").removesuffix(END.decode()).split("\n")
    if len(text) > MAX_REQUEST or len(lines) > MAX_HEADERS or len(max(lines, key=len)) > MAX_LINE:
        raise SessionError("garbage")
    try:
        headers = dict(map(_divided, lines))
    except ValueError as no_header:
        raise SessionError("garbage") from no_header
    if len(headers) < len(lines):
        raise SessionError("garbage")  # Asterisk says nothing twice: somebody forged a line
    return headers


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
