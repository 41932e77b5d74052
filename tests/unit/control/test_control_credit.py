"""Control's line to the rater: no answer is no answer, and ends are moved once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dialplan.credit import Credit, CreditQuestion
from dialplan.decision import Why
from pbxcore.control.credit import MAX_UNSENT, CreditLine

Reply = Callable[[dict[str, Any]], object]
PATIENT_S = 5.0
ASKED = [
    CreditQuestion(step=number, payer=f"acme/{number}", number="+49301", why=Why.CALL, answer_within_s=65)
    for number in (10, 11, 12)
]


@asynccontextmanager
async def rater(path: Path, reply: Reply) -> AsyncIterator[CreditLine]:
    """Give a line to somebody who answers each question with what `reply` says; None: with nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            question = json.loads(line)
            said = reply(question)
            if said is not None:
                answer = {"n": question["n"], **said} if isinstance(said, dict) else said
                writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    server = await asyncio.start_unix_server(serve, str(path))
    line = CreditLine(path)
    running = asyncio.create_task(line.run())
    async with asyncio.timeout(PATIENT_S):
        while line._writer is None:  # noqa: ASYNC110 — the line comes up by itself
            await asyncio.sleep(0.01)
    yield line
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.close()


async def test_nobody_there_is_no_answer_at_once(short_path: Path) -> None:
    """A call waits for nothing while there is no rater."""
    assert await CreditLine(short_path / "no.sock").ask({"do": "extend"}, deadline_s=PATIENT_S) is None


async def test_silence_is_no_answer_in_time(short_path: Path) -> None:
    """Who is silent about one call may answer the next."""
    async with rater(short_path / "a.sock", lambda q: {"limit_s": 9} if q["do"] == "b" else None) as line:
        assert await line.ask({"do": "a"}) is None
        assert await line.ask({"do": "b"}, deadline_s=PATIENT_S) == {"n": 2, "limit_s": 9}


async def test_an_answer_to_nobody_changes_nothing(short_path: Path) -> None:
    """Numbers that nobody asked for are passed over."""
    said = iter([{"n": 77, "limit_s": 1}, {"limit_s": 9}])
    async with rater(short_path / "a.sock", lambda _: next(said)) as line:
        assert await line.ask({"do": "a"}) is None
        assert await line.ask({"do": "b"}, deadline_s=PATIENT_S) == {"n": 2, "limit_s": 9}


async def test_who_reads_nothing_is_not_written_to_for_ever(short_path: Path) -> None:
    """A rater that is stopped leaves a second of questions in control's memory at most; then it is left."""
    over, gone = asyncio.Event(), asyncio.Event()

    async def stopped(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.transport.abort()
        gone.set()

    server = await asyncio.start_unix_server(stopped, str(short_path / "a.sock"), limit=1_024)
    line = CreditLine(short_path / "a.sock")
    holding = asyncio.create_task(line._hold())
    async with asyncio.timeout(PATIENT_S):
        while line._writer is None:  # noqa: ASYNC110 — the line comes up by itself
            await asyncio.sleep(0.01)
        writer, long = line._writer, "x" * 10_000
        while not writer.transport.is_closing():
            assert await line.ask({"do": long}, deadline_s=0) is None
            assert writer.transport.get_write_buffer_size() <= MAX_UNSENT + 2 * len(long)
        await asyncio.wait([holding])
        over.set()
        await gone.wait()
    server.close()


async def test_legs_are_asked_for_together(short_path: Path) -> None:
    """Each has a reference of its own; what was refused says why, what was not answered is missing."""
    asked: list[dict[str, Any]] = []
    said = {"acme/10": {"limit_s": 300}, "acme/11": {"refused": "no-credit"}, "acme/12": None}

    def reply(question: dict[str, Any]) -> object:
        asked.append(question)
        return said[question["payer"]]

    async with rater(short_path / "a.sock", reply) as line:
        found = await line.credits("pbx-1.0", ASKED)
    references = [question["id"] for question in asked]
    assert len(set(references)) == 3
    assert found == {
        10: Credit(300, references[0]),
        11: Credit(0, references[1], "no-credit"),
    }
    assert {(one["do"], one["call"], one["answer_within_s"]) for one in asked} == {
        ("authorise", "pbx-1.0", 65)
    }
