"""The FastAGI server against clients that probe, stall, babble and vanish."""

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dialplan.decision import END, Decision, Play, Reason, Reject
from dialplan.facts import Facts
from pbxcore.control import deciding, fastagi
from pbxcore.control.decision_log import DecisionLog

NONCE = "0b7ac2f2-9f0d-4a11-b7d1-5e4a52c1f1aa"
BUSY = Decision(version="t@1", steps=(Reject(cause=17, reason=Reason.BUSY),), because=())
REQUEST = (
    "agi_network: yes\nagi_network_script: decide\nagi_callerid: \nagi_uniqueid: pbx-1.0\n"
    f"agi_threadid: 1\nagi_arg_1: 3|{NONCE}|pbx-1.0|phone|t-a|t-a|11||:|||\n\n"
).encode()
ANSWER = f'SET VARIABLE ARRAY(PBX_S1,PBX_N,PBX_VERSION,PBX_OK) "reject(17,busy),1,t@1,{NONCE}"\n'.encode()


class Server:
    """A server whose decider can be told to fail."""

    def __init__(self) -> None:
        self.listening: fastagi.Server | None = None
        self.fails = False
        self.decision = BUSY

    @property
    def port(self) -> int:
        """Give where it listens."""
        assert self.listening
        return self.listening.port

    def decide(self, facts: Facts) -> Decision:
        """Say busy to everybody, or what else was wanted."""
        assert facts.dialled == "11"
        if self.fails:
            raise RuntimeError("a mistake of ours")
        return self.decision

    async def ask(self, request: bytes = REQUEST) -> bytes:
        """Ask as Asterisk does and give the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.readline(), 5)
        writer.write(b"200 result=0\n")
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """Give a running server; nothing may have reached the loop's exception handler when it ends."""
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    server = Server()
    answer = deciding.answering(server.decide, DecisionLog(tmp_path / "log"))
    async with fastagi.listen("127.0.0.1", 0, answer) as server.listening:
        yield server
    assert unhandled == []


async def _until(end: str, sessions: float) -> None:
    while _count(end) < sessions:  # noqa: ASYNC110 — there is no event
        await asyncio.sleep(0.01)


def _count(end: str) -> float:
    return float(fastagi.SESSIONS.labels(end)._value.get())


async def test_a_question_is_answered(server: Server) -> None:
    """One command carries the decision, the nonce last."""
    assert await server.ask() == ANSWER


async def test_a_call_goes_on_with_the_last_command(server: Server) -> None:
    """Our side is closed with it, before Asterisk has said a word: nobody waits for another turn of ours."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    before = _count("answered")
    writer.write(REQUEST)
    assert await asyncio.wait_for(reader.read(), 5) == ANSWER  # up to the end of our side
    assert _count("answered") == before
    writer.write(b"200 result=0\nHANGUP\n")
    await asyncio.wait_for(_until("answered", before + 1), 60)
    writer.close()


async def test_last_words_wake_nobody(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are heard when room is needed for others, and at the end; until then nobody looks."""
    monkeypatch.setattr(fastagi, "HEAR_S", 3_600)
    monkeypatch.setattr(fastagi, "MAX_SESSIONS", 2)
    before, refused = _count("answered"), _count("too-many")
    answer = deciding.answering(server.decide, DecisionLog(tmp_path / "other"))
    first = server.listening
    heard = []
    async with fastagi.listen("127.0.0.1", 0, answer) as server.listening:
        for _ in range(3):
            assert await server.ask() == ANSWER
            heard.append(_count("answered") - before)
    server.listening = first
    assert heard == [0, 0, 2]
    assert _count("answered") == before + 3
    assert _count("too-many") == refused


async def test_decisions_are_logged_in_their_order(server: Server, tmp_path: Path) -> None:
    """Whenever their last words are heard: who follows the log sees calls in the order in which they came."""
    log = DecisionLog(tmp_path / "other")
    writing = asyncio.create_task(log.run())
    asked, first = [f"pbx-{number}.0" for number in range(20)], server.listening
    async with fastagi.listen("127.0.0.1", 0, deciding.answering(server.decide, log)) as server.listening:
        for call in asked:
            assert await server.ask(REQUEST.replace(b"pbx-1.0", call.encode())) == ANSWER
    server.listening = first
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    logged = [json.loads(line)["call"] for line in (tmp_path / "other").read_text().splitlines()]
    assert logged == asked


async def test_only_what_is_carried_out_is_logged(tmp_path: Path) -> None:
    """Of a caller who left before the last command was carried out, nobody says what was decided."""
    server, log = Server(), DecisionLog(tmp_path / "log")
    writing = asyncio.create_task(log.run())
    async with fastagi.listen("127.0.0.1", 0, deciding.answering(server.decide, log)) as server.listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST.replace(b"pbx-1.0", b"pbx-2.0"))
        assert await asyncio.wait_for(reader.read(), 5)
        writer.write(b"HANGUP\n")
        writer.close()
        await writer.wait_closed()
        assert await server.ask() == ANSWER
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert [json.loads(line)["call"] for line in (tmp_path / "log").read_text().splitlines()] == ["pbx-1.0"]


async def test_a_long_answer_goes_out_command_by_command(server: Server) -> None:
    """Only with the last one our side is closed; each waits until the one before is carried out."""
    play = Play(sound="x" * 1_000, then=2)
    steps = (play, replace(play, then=END), BUSY.steps[0])
    server.decision = Decision(version="t@1", steps=steps, because=())
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST)
    first = await asyncio.wait_for(reader.readline(), 5)
    writer.write(b"200 result=0\n")
    last = await asyncio.wait_for(reader.read(), 5)
    assert b"PBX_S1" in first
    assert b"PBX_OK" not in first
    assert last.count(b"\n") == 1
    assert NONCE.encode() in last
    writer.close()


async def test_a_question_in_pieces_is_answered(server: Server) -> None:
    """However a request is cut on its way, even between its last two bytes, it is the same."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for piece in (REQUEST[:2], REQUEST[2:30], REQUEST[30:-1], REQUEST[-1:]):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    assert await asyncio.wait_for(reader.readline(), 5) == ANSWER
    writer.close()


async def test_a_request_beyond_the_window_is_answered(server: Server) -> None:
    """What a carrier says of diversions may be longer than what is let in at once: it comes in turns."""
    more = "".join(f"agi_more_{number}: {'x' * 1_000}\n" for number in range(8))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for line in (more.encode() + REQUEST).splitlines(keepends=True):
        writer.write(line)
        await writer.drain()
    assert await asyncio.wait_for(reader.readline(), 5) == ANSWER
    writer.close()


async def test_no_more_files_are_a_pause(server: Server) -> None:
    """Who cannot be let in is let in as soon as there are files again."""
    before, (soft, hard) = _count("no-files"), resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(REQUEST[:10])
        client.setblocking(False)
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
        try:
            async with asyncio.timeout(60):
                await _until("no-files", before + 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.sendall(REQUEST[10:])
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.sock_recv(client, 4_096), 5) == ANSWER


async def test_probes_change_nothing(server: Server) -> None:
    """A thousand clients that connect and close are counted and forgotten."""
    before = _count("probe")
    for _ in range(20):
        probes = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", server.port) for _ in range(50)))
        for _, writer in probes:
            writer.close()
    assert await server.ask() == ANSWER
    async with asyncio.timeout(60):
        await _until("probe", before + 1_000)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"a: b\n" * 100 + b"\n",
        b"a: " + b"x" * 10_000 + b"\n\n",
        b"agi_a: " + b"x" * 5_000 + b"\n\n",
        REQUEST.replace(b"agi_threadid: 1\n", b"agi_threadid: 1\nagi_threadid: 1\n"),
        REQUEST.replace(b"agi_threadid: 1\n", b"agi_threadid\n"),
        REQUEST + b"x",
        b"agi_network_script: other\n\n",
        b"agi_network_script: decide\n\n",
        REQUEST.replace(b"|11|", b"|\xff\xfe|"),
        b"".join(b"agi_around_%d: " % n + b"x" * 1_000 + b"\n" for n in range(16)) + REQUEST,
    ],
    ids=["empty", "http", "tls", "many", "long", "long-line", "twice", "no-colon", "more", "script",
         "no-arguments", "not-utf8", "much"],
)  # fmt: skip
async def test_garbage_gets_no_answer(server: Server, garbage: bytes) -> None:
    """What is no question is closed without a word, and the next question is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(garbage)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert await server.ask() == ANSWER


async def test_a_mistake_in_deciding_is_no_answer(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """An exception ends its session alone: the dialplan sees no nonce and asks the standby."""
    server.fails = True
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert "a mistake of ours" in caplog.text
    server.fails = False
    assert await server.ask() == ANSWER


async def test_a_caller_who_vanishes(server: Server) -> None:
    """Asterisk closes in mid-answer, or reports the hangup: the session ends, others do not notice."""
    for reply in (b"", b"HANGUP\n", b"510 Invalid or unknown command\n", b"nonsense\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        assert await asyncio.wait_for(reader.readline(), 5) == ANSWER
        writer.write(reply)
        writer.close()
        await writer.wait_closed()
    assert await server.ask() == ANSWER


async def test_a_slow_client_is_let_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request holds a session only as long as the limit."""
    monkeypatch.setattr(fastagi, "HEADER_LIMIT_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST[:50])
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_too_many_sessions_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a connection is cut at once, so that the standby is asked without a wait."""
    monkeypatch.setattr(fastagi, "MAX_SESSIONS", 1)
    _, holding = await asyncio.open_connection("127.0.0.1", server.port)
    holding.write(REQUEST[:10])
    assert server.listening
    async with asyncio.timeout(60):
        while not server.listening.open:  # noqa: ASYNC110 — there is no event
            await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    writer.close()
    holding.close()


async def test_a_late_decision_is_not_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its deadline a decision is dropped: the standby is faster. Its time is told all the same."""
    monkeypatch.setattr(deciding, "DECISION_LIMIT_S", -1.0)
    before = deciding.SECONDS._sum.get()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(REQUEST)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert deciding.SECONDS._sum.get() > before


async def test_a_log_that_is_behind_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the question until its line is written, whoever reads the log can know that one is missing."""
    monkeypatch.setattr(fastagi, "HEAR_S", 0.01)
    server, log = Server(), DecisionLog(tmp_path / "log")
    async with fastagi.listen("127.0.0.1", 0, deciding.answering(server.decide, log)) as server.listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        assert await asyncio.wait_for(reader.read(), 60) == ANSWER
        assert (server.listening.open, log.unwritten) == (1, 0)
        writer.write(b"200 result=0\n")
        writer.close()
        await asyncio.wait_for(_ended(server.listening), 60)
        assert (server.listening.open, log.unwritten) == (0, 1)
        writing = asyncio.create_task(log.run())
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert log.unwritten == 0
    assert len((tmp_path / "log").read_text().splitlines()) == 1


async def _ended(listening: fastagi.Server) -> None:
    while listening.open:  # noqa: ASYNC110 — there is no event
        await asyncio.sleep(0.01)
