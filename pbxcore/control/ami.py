"""The one link to Asterisk's manager interface, supervised.

Owns connecting, proving that the link lives, reconnecting and bringing Asterisk up to date afterwards.
Refuses to send anything twice: what was not answered has failed, and who asked decides. Refuses line breaks
in values, which would be actions of their own.

panoramisk parses and correlates. Its `Manager` is used for one connection only, because by itself it never
looks at the answers of its pings, sends unanswered actions again after a reconnect, keeps them without limit,
and goes on connecting after `close`.
"""

import asyncio
import codecs
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message
from prometheus_client import Counter, Gauge

CONNECT_LIMIT_S = 2.0
LOGIN_LIMIT_S = 2.0
BOOT_LIMIT_S = 60.0  # Asterisk opens the port before its modules are loaded
ACTION_LIMIT_S = 2.0
PING_EVERY_S = 5.0
RETRY_S = 1.0
MAX_PENDING = 200  # actions under way; more means that Asterisk does not answer
MAX_EVENTS = 1_000  # events not yet looked at; more are dropped and counted
MAX_UNPARSED = 1 << 20  # characters without an end of message

CONNECTED = Gauge("pbxcore_ami_connected", "1 while the manager link is up and logged in")
CONNECTIONS = Counter("pbxcore_ami_connections_total", "Manager connections by how they ended", ["end"])
ACTIONS = Counter("pbxcore_ami_actions_total", "Manager actions by result", ["action", "result"])
DROPPED = Counter("pbxcore_ami_events_dropped_total", "Manager events dropped because nobody looked in time")

log = logging.getLogger(__name__)


class AmiError(Exception):
    """An action that was not carried out, as far as anybody knows.

    Attributes:
        code: stable word: `down`, `late`, `busy`, `unsafe`, `refused`.
    """

    code = "ami"


class AmiDownError(AmiError):
    """There is no link, or it broke before the answer came."""

    code = "down"


class AmiLateError(AmiError):
    """No answer in time."""

    code = "late"


class AmiBusyError(AmiError):
    """Too many actions are under way."""

    code = "busy"


class AmiUnsafeError(AmiError, ValueError):
    """A name or value holds a line break."""

    code = "unsafe"


class AmiRefusedError(AmiError):
    """Asterisk answered, but not what was asked for: it refuses, most often because it is shutting down."""

    code = "refused"


class _Protocol(AMIProtocol):
    """panoramisk's parser, fed with whole characters and bounded."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def data_received(self, data: bytes) -> None:
        """Keep the bytes of a character that is split between two reads for the next one."""
        super().data_received(self._decoder.decode(data).encode())
        if self.queue and len(self.queue[0]) > MAX_UNPARSED:
            self.transport.abort()

    def close(self) -> None:
        """Fail what is under way; panoramisk would keep it to send it again."""
        for action in self.responses.values():
            if not action.future.done():
                action.future.cancel()
        self.responses.clear()
        super().close()


class _Connection(Manager):
    """One connection of panoramisk: no reconnect, no pings of its own, nothing sent again."""

    def __init__(self, *, events: asyncio.Queue[Message], **config: Any) -> None:  # noqa: ANN401 — panoramisk's
        self.lost = asyncio.Event()
        self.booted = asyncio.Event()
        self._events = events
        super().__init__(**config)

    def connection_lost(self, exc: object) -> None:
        del exc
        self.lost.set()
        self.booted.set()  # nobody waits any longer

    def dispatch(self, event: Message) -> None:
        if event.event == "FullyBooted":
            self.booted.set()
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            DROPPED.inc()


class Link:
    """A manager link that keeps itself up while `run` runs.

    Args:
        on_ready: brings Asterisk up to date; awaited after every login before `ready` is set. If it fails the
            link starts afresh.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        secret: str,
        on_ready: Callable[["Link"], Awaitable[None]] | None = None,
    ) -> None:
        self.events: asyncio.Queue[Message] = asyncio.Queue(MAX_EVENTS)
        self.ready = asyncio.Event()
        self._address = (host, port)
        self._login = {"username": user, "secret": secret}
        self._on_ready = on_ready
        self._connection: _Connection | None = None

    async def run(self) -> None:
        """Hold the link until cancelled."""
        while True:
            try:
                await self._hold()
            except (OSError, AmiError, TimeoutError) as error:  # TimeoutError: connecting or booting
                CONNECTIONS.labels(type(error).__name__).inc()
                log.info("manager link: %s", error or type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def action(
        self, name: str, fields: Mapping[str, str] | None = None, *, limit_s: float = ACTION_LIMIT_S
    ) -> Message:
        """Carry out one action, once.

        Raises:
            AmiError: it was not sent, or its answer did not come; it may have been carried out.
        """
        answer = await self._send(name, fields or {}, limit_s=limit_s)
        return answer[0] if isinstance(answer, list) else answer

    async def ask(self, name: str, fields: Mapping[str, str] | None = None) -> Message:
        """Carry out one action whose answer is to be read.

        Raises:
            AmiRefusedError: it is no success, so nothing that was asked for stands in it.
            AmiError: as `action`.
        """
        answer = await self.action(name, fields)
        if not answer.success:
            raise AmiRefusedError(f"{name}: {answer.get('Message', 'refused, no reason given')}")
        return answer

    async def listing(
        self, name: str, fields: Mapping[str, str] | None = None, *, limit_s: float = ACTION_LIMIT_S
    ) -> list[Message]:
        """Carry out an action that answers with a list; return the whole list, its frame included.

        Raises:
            AmiError: as `action`.
        """
        answer = await self._send(name, fields or {}, limit_s=limit_s)
        return answer if isinstance(answer, list) else [answer]

    async def _send(self, name: str, fields: Mapping[str, str], *, limit_s: float) -> Message | list[Message]:
        action = _checked({"Action": name, **fields})
        connection = self._connection
        if connection is None or connection.lost.is_set():
            raise AmiDownError("no manager link")
        if len(connection.protocol.responses) >= MAX_PENDING:
            raise AmiBusyError(f"{MAX_PENDING} actions are under way")
        future = connection.send_action(action)
        result = "answered"
        try:
            async with asyncio.timeout(limit_s):
                answer: Message | list[Message] = await asyncio.shield(future)
                return answer
        except TimeoutError as error:
            result = "late"
            raise AmiLateError(f"{name}: no answer within {limit_s} s") from error
        except asyncio.CancelledError:
            if not future.cancelled():
                raise  # our caller was cancelled, not the link
            result = "down"
            raise AmiDownError(f"{name}: the link broke") from None
        finally:
            ACTIONS.labels(name, result).inc()
            _forget(connection, future)

    async def _hold(self) -> None:
        connection = await self._connect()
        self._connection = connection
        try:
            async with asyncio.timeout(BOOT_LIMIT_S):
                await connection.booted.wait()  # comes after login, as soon as all modules are loaded
            if self._on_ready is not None:
                await self._on_ready(self)
            self.ready.set()
            CONNECTED.set(1)
            await self._ping(connection)
        finally:
            CONNECTED.set(0)
            self.ready.clear()
            self._connection = None
            connection.lost.set()
            connection.close()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_LIMIT_S):
            pair = await loop.create_connection(_Protocol, *self._address)
        connection = _Connection(events=self.events, loop=loop, ping_delay=3_600, **self._login)
        made: asyncio.Future[Any] = loop.create_future()
        made.set_result(pair)
        connection.connection_made(made)
        try:
            await _logged_in(connection)
        except BaseException:
            connection.close()
            raise
        if connection.pinger is not None:
            connection.pinger.cancel()
        return connection

    async def _ping(self, connection: _Connection) -> None:
        """Prove that the link lives, until it does not."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY_S):
                    await connection.lost.wait()
            if connection.lost.is_set():
                raise AmiDownError("the link broke")
            await self.action("Ping")


@contextlib.asynccontextmanager
async def connected(link: Link, limit_s: float) -> AsyncIterator[None]:
    """Hold a link as long as the block lasts, for who has little to ask.

    Raises:
        AmiDownError: it is not up in time.
    """
    holding = asyncio.create_task(link.run(), name="ami")
    try:
        try:
            async with asyncio.timeout(limit_s):
                await link.ready.wait()
        except TimeoutError as error:
            raise AmiDownError(f"no manager link within {limit_s} s") from error
        yield
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def _logged_in(connection: _Connection) -> None:
    """Wait for the answer to the login that panoramisk has sent."""
    login = connection.authenticated_future
    if login is None:
        return  # answered already
    lost = asyncio.ensure_future(connection.lost.wait())
    waited: set[asyncio.Future[Any]] = {login, lost}
    try:
        async with asyncio.timeout(LOGIN_LIMIT_S):
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        lost.cancel()
    if login.cancelled() or not login.done():
        raise AmiDownError("the link broke during login")
    if not login.result().success:
        raise AmiDownError("the manager refused our password")


def _checked(action: dict[str, str]) -> dict[str, str]:
    for name, value in action.items():
        if any(mark in text for text in (name, value) for mark in "\r\n\x00"):
            raise AmiUnsafeError(f"{name} holds a line break")
    return action


def _forget(connection: _Connection, future: asyncio.Future[Any]) -> None:
    """Drop what panoramisk keeps of an action, so that unanswered ones do not pile up."""
    pending = connection.protocol.responses
    for key in [key for key, action in pending.items() if action.future is future]:
        del pending[key]
    if not future.done():
        future.cancel()
