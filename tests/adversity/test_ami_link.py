"""The manager link against a manager that refuses, stalls, cuts, splits characters and never answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from pbxcore.control import ami, following
from pbxcore.settings import Settings

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
BOOTED = b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"


class Manager:
    """A manager that does what a test tells it to."""

    def __init__(self) -> None:
        self.port = 0
        self.logins = 0
        self.accepts = True
        self.boots = True
        self.silent: set[str] = set()
        self.refused: set[str] = set()
        self.seen: list[dict[str, str]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self.writers.append(writer)
        writer.write(GREETING)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in block.strip().split("\r\n"))
                self.seen.append(action)
                self.answer(writer, action)
        writer.close()

    def answer(self, writer: asyncio.StreamWriter, action: dict[str, str]) -> None:
        """Answer one action."""
        name = action["Action"]
        if name in self.silent:
            return
        good = (self.accepts or name != "Login") and name not in self.refused
        word = "Success" if good else "Error"
        writer.write(f"Response: {word}\r\nActionID: {action['ActionID']}\r\nMessage: so\r\n\r\n".encode())
        if name == "Login" and good:
            self.logins += 1
            if self.boots:
                writer.write(BOOTED)

    def names(self) -> list[str]:
        """Give the actions seen, without logins and pings."""
        return [action["Action"] for action in self.seen if action["Action"] not in {"Login", "Ping"}]

    async def cut(self) -> None:
        """Cut every connection."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


@pytest.fixture
async def manager(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Manager]:
    """Give a manager, with short limits in the link."""
    for name, value in (
        ("RETRY_S", 0.05),
        ("PING_EVERY_S", 0.1),
        ("ACTION_LIMIT_S", 0.3),
        ("LOGIN_LIMIT_S", 0.3),
    ):
        monkeypatch.setattr(ami, name, value)
    manager = Manager()
    server = await asyncio.start_server(manager.serve, "127.0.0.1", 0)
    manager.port = server.sockets[0].getsockname()[1]
    async with server:
        yield manager
        await manager.cut()


@contextlib.asynccontextmanager
async def _linked(manager: Manager, *, wait: bool = True) -> AsyncIterator[ami.Link]:
    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context))
    link = ami.Link(host="127.0.0.1", port=manager.port, user="u", secret="s")
    running = asyncio.create_task(link.run())
    try:
        if wait:
            await asyncio.wait_for(link.ready.wait(), 60)
        yield link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.sleep(0)
    assert caught == []


@pytest.mark.parametrize("value", ["a\r\nAction: Originate", "a\nb", "a\x00"])
async def test_a_line_break_is_no_action(manager: Manager, value: str) -> None:
    """A value that would start an action of its own is refused, and nothing is sent."""
    async with _linked(manager) as link:
        with pytest.raises(ami.AmiUnsafeError):
            await link.action("Setvar", {"Value": value})
    assert manager.names() == []


async def test_an_action_is_answered(manager: Manager) -> None:
    """Each action gets its own answer."""
    async with _linked(manager) as link:
        assert (await link.action("CoreStatus")).success


async def test_a_refused_password_keeps_us_out(manager: Manager) -> None:
    """A refused login is no link, and is tried again later."""
    manager.accepts = False
    async with _linked(manager, wait=False) as link:
        await asyncio.sleep(0.3)
        assert not link.ready.is_set()
        with pytest.raises(ami.AmiDownError):
            await link.action("CoreStatus")
        manager.accepts = True
        await asyncio.wait_for(link.ready.wait(), 60)


async def test_nothing_is_done_before_asterisk_is_up(manager: Manager) -> None:
    """A login during Asterisk's start waits for FullyBooted."""
    manager.boots = False
    async with _linked(manager, wait=False) as link:
        await asyncio.sleep(0.2)
        assert manager.logins == 1
        assert not link.ready.is_set()
        manager.writers[-1].write(BOOTED)
        await asyncio.wait_for(link.ready.wait(), 60)


async def test_no_action_is_sent_twice(manager: Manager) -> None:
    """What was not answered when the link broke has failed; the new link does not repeat it."""
    manager.silent.add("Originate")
    async with _linked(manager) as link:
        asking = asyncio.create_task(link.action("Originate", limit_s=5))
        async with asyncio.timeout(60):
            while "Originate" not in manager.names():  # noqa: ASYNC110 — there is no event
                await asyncio.sleep(0.01)
        await manager.cut()
        with pytest.raises(ami.AmiDownError):
            await asking
        async with asyncio.timeout(60):
            while manager.logins < 2 or not link.ready.is_set():  # noqa: ASYNC110 — there is no event
                await asyncio.sleep(0.01)
        assert (await link.action("CoreStatus")).success
    assert manager.names() == ["Originate", "CoreStatus"]


async def test_a_half_open_link_is_noticed(manager: Manager) -> None:
    """A manager that takes pings and says nothing is left, and the link starts afresh."""
    async with _linked(manager) as link:
        manager.silent.add("Ping")
        async with asyncio.timeout(60):
            while link.ready.is_set():  # noqa: ASYNC110 — there is no event
                await asyncio.sleep(0.01)
        manager.silent.clear()
        await asyncio.wait_for(link.ready.wait(), 60)
    assert manager.logins >= 2


async def test_an_action_without_answer_is_late_and_forgotten(manager: Manager) -> None:
    """It fails within its limit, and nothing of it is kept."""
    manager.silent.add("Slow")
    async with _linked(manager) as link:
        with pytest.raises(ami.AmiLateError):
            await link.action("Slow", limit_s=0.1)
        assert link._connection is not None
        assert not [a for a in link._connection.protocol.responses.values() if a["action"] == "Slow"]


async def test_a_character_split_between_reads_is_whole(manager: Manager) -> None:
    """Bytes of one character that come in two reads are one character."""
    async with _linked(manager) as link:
        while not link.events.empty():
            link.events.get_nowait()
        writer = manager.writers[-1]
        writer.write(b"Event: Name\r\nText: J\xc3")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"\xbcrgen\r\n\r\n")
        event = await asyncio.wait_for(link.events.get(), 60)
        assert event["Text"] == "Jürgen"


async def test_a_flood_of_events_is_bounded(manager: Manager) -> None:
    """Events that nobody looks at are dropped and counted, and the link lives."""
    async with _linked(manager) as link:
        before = ami.DROPPED._value.get()
        manager.writers[-1].write(b"Event: Noise\r\nN: 1\r\n\r\n" * (ami.MAX_EVENTS + 500))
        async with asyncio.timeout(60):
            while ami.DROPPED._value.get() < before + 400:  # noqa: ASYNC110 — there is no event
                await asyncio.sleep(0.01)
        assert link.events.qsize() <= ami.MAX_EVENTS
        assert (await link.action("CoreStatus")).success


async def test_what_is_due_is_done_after_each_login(manager: Manager) -> None:
    """Bringing Asterisk up to date comes before the link is ready, each time."""
    done: list[str] = []

    async def catch_up(link: ami.Link) -> None:
        done.append((await link.action("CatchUp"))["response"])

    link = ami.Link(host="127.0.0.1", port=manager.port, user="u", secret="s", on_ready=catch_up)
    running = asyncio.create_task(link.run())
    await asyncio.wait_for(link.ready.wait(), 60)
    await manager.cut()
    async with asyncio.timeout(60):
        while len(done) < 2:  # noqa: ASYNC110 — there is no event
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert done == ["Success", "Success"]


async def test_closing_stops_reconnecting(manager: Manager) -> None:
    """After the link has ended nobody connects again."""
    async with _linked(manager):
        pass
    logins = manager.logins
    await asyncio.sleep(0.3)
    assert manager.logins == logins


@pytest.mark.parametrize("refused", [{"CoreStatus"}, set()], ids=["refused", "empty"])
async def test_an_answer_that_lacks_what_was_asked_ends_nobody(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, refused: set[str]
) -> None:
    """Asterisk shuts down while calls are up: following phones goes on to ask, and says what is lacking."""
    monkeypatch.setattr(following, "AGAIN_S", 0.01)
    manager.refused = refused
    async with _linked(manager) as link:
        task = asyncio.create_task(following.follow(Settings(), link, asyncio.Event()))
        while len(manager.names()) < 2 and not task.done():  # noqa: ASYNC110 — a manager has no event for it
            await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert set(manager.names()) == {"CoreStatus"}, "nothing was done on an answer that says nothing"
    assert ("CoreStatus: so" if refused else "CoreStatus: the answer lacks CoreStartupDate") in caplog.text
