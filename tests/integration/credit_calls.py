"""Calls that ask a real rater for credit, and the records they leave: what its tests share."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pbxcore.control.credit import CreditLine
from pbxcore.database import Connection, connect
from pbxcore.rater import serve
from pbxcore.rater.credit_line import path_of
from pbxcore.settings import Settings
from rating.store import credit

CONFIG = Path(__file__).parents[2] / "config"
FIXED = "+493012345678"  # 0.019 a minute, started minutes; by the second where a limit cuts
MOBILE = "+4915112345678"  # 0.099
SECOND_US = 1_000_000
SLICE_S = 300  # what is set aside at once unless service.yaml says otherwise
AT_ONCE = 50
PATIENT_S = 60.0  # this machine may be busy with other things
Running = Callable[[], AbstractAsyncContextManager[CreditLine]]


@asynccontextmanager
async def an_account(database: str) -> AsyncIterator[Connection]:
    """Give a connection to a database with a prepaid account without bundles."""
    connection = await connect(database, application="test")
    catalogue, account, tenant = (
        yaml.safe_load((CONFIG / file).read_text())
        for file in ("catalogues/autphone.yaml", "accounts/acme.yaml", "tenants/acme.yaml")
    )
    documents = (
        ("catalogue", "autphone@2026-01-01", catalogue),
        ("account", "acme", {**account, "payment": "prepaid", "bundles": []}),
        ("tenant", "acme", tenant),
    )
    for kind, name, document in documents:
        await put(connection, kind, name, document)
    yield connection
    await connection.close()


async def put(connection: Connection, kind: str, name: str, document: object) -> None:
    """Put the next revision of a document in force."""
    await connection.execute(
        "INSERT INTO revision SELECT $1, $2, 1 + count(*), $3, '', 'test' FROM revision WHERE id = $2",
        kind,
        name,
        json.dumps(document, default=str),
    )


def a_machine(database: str, state: Path) -> Settings:
    """Give the settings of a machine of its own."""
    made = Settings(state=state, config=CONFIG, database=database, credit_deadline_ms=5_000)
    made.spool.mkdir(parents=True)
    return made


@asynccontextmanager
async def line_to(settings: Settings) -> AsyncIterator[CreditLine]:
    """Give a line to the rater, up or coming up."""
    line = CreditLine(path_of(settings.run_dir))
    running = asyncio.create_task(line.run())
    yield line
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def a_rater(settings: Settings) -> AsyncIterator[CreditLine]:
    """Let a rater work inside a `with`, and give a line to it."""
    serving = asyncio.create_task(serve(settings))
    async with line_to(settings) as line:
        await answering(line)
        yield line
    assert not serving.done(), serving
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait at most 20 s for something that happens in the database."""
    async with asyncio.timeout(60):
        while not await happened():  # noqa: ASYNC110 — it happens in the database
            await asyncio.sleep(0.02)


async def answering(line: CreditLine) -> None:
    """Wait until the rater answers."""

    async def up() -> bool:
        return await line.ask({"do": "extend"}, deadline_s=PATIENT_S) is not None

    await until(up)


async def ask(line: CreditLine, number: int, *, to: str = FIXED, payer: str = "acme/10") -> dict[str, object]:
    """Ask for a call that may be answered within ten seconds."""
    answer = await line.ask(question(number, to=to, payer=payer), deadline_s=PATIENT_S)
    assert answer is not None
    return {key: value for key, value in answer.items() if key != "n"}


def question(number: int, *, to: str = FIXED, payer: str = "acme/10") -> dict[str, object]:
    """Write the question of a call that may be answered within ten seconds."""
    return {
        "do": "authorise", "id": f"r{number}", "call": call_of(number), "payer": payer, "number": to,
        "why": "call", "answer_within_s": 10,
    }  # fmt: skip


async def pay_in(connection: Connection, micro: int, ref: str = "first", account: str = "acme") -> None:
    """Top up, and wait until it is booked."""
    await credit.add(connection, credit.Entry(account, ref, micro), "test")

    async def booked() -> bool:
        entry = await connection.fetchrow("SELECT * FROM credit_entry WHERE reference = $1", ref)
        return entry is not None and entry["balance_micro"] is not None

    await until(booked)


async def settled(connection: Connection, reserved: int = 0) -> credit.Statement:
    """Wait until only so many calls have something set aside; return how the account stands."""

    async def done() -> bool:
        return (await credit.statement(connection, "acme")).calls == reserved

    await until(done)
    return await credit.statement(connection, "acme")


def call_of(number: int) -> str:
    """Name the phone's channel of a call."""
    return f"pbx-1790000000.{number * 2}"


@dataclass(frozen=True, slots=True)
class Lines:
    """The records of one call of ours, as Asterisk would write them."""

    number: int
    to: str
    limit_s: int
    began_us: int

    @property
    def key(self) -> str:
        """Its trunk channel."""
        return f"pbx-1790000000.{self.number * 2 + 1}"

    def _line(self, event: str, after_us: int, uniqueid: str, subject: str = "", extra: str = "") -> str:
        at_us = self.began_us + after_us
        name = f"PJSIP/{'trunk-carrier' if uniqueid == self.key else 'acme-p10'}-{self.number:08x}"
        time = f"{at_us // SECOND_US}.{at_us % SECOND_US:06}"
        call = call_of(self.number)
        return f"L1\t{event}\t{time}\t{uniqueid}\t{call}\t{name}\t\t{subject}\t{extra}\n"

    def rings(self) -> str:
        """It leaves."""
        facts = (
            f"payer=acme/10|why=call|num={self.to}|limit={self.limit_s}|version=acme@1|trunk=carrier"
            f"|credit=r{self.number}"
        )
        return (
            self._line("CHAN_START", 0, call_of(self.number))
            + self._line("CHAN_START", 1, self.key)
            + self._line("USER_DEFINED", 2, self.key, "TRUNK_LEG", facts)
        )

    def answers(self) -> str:
        """It is answered after a second."""
        return self._line("ANSWER", SECOND_US, self.key)

    def hangs_up(self, talk_us: int) -> str:
        """The leg ends."""
        return self._line("HANGUP", SECOND_US + talk_us, self.key)

    def leaves(self, after_us: int) -> str:
        """The phone's channel ends."""
        return self._line("USER_DEFINED", after_us, call_of(self.number), "CALL_END", "outcome=x|by=control")


def write(settings: Settings, *texts: str) -> None:
    """Append as Asterisk does."""
    with (settings.spool / "legs.tsv").open("a") as file:
        file.write("".join(texts))


def now_us() -> int:
    """The clock that the rater looks at, too."""
    return time.time_ns() // 1_000
