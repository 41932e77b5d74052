"""Control's line to the rater: may this call begin, and for how long?

Owns the connection, its deadline and its repair. Refuses to decide, and to wait: no answer within the
deadline is no answer, and nothing is asked twice.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge

from dialplan.credit import Credit, CreditQuestion

DEADLINE_S = 0.1  # a call waits no longer for credit; a slow machine may set another
RETRY_S = 0.2  # between attempts to reach the rater
MOST_UNDER_WAY = 1_000  # questions; four seconds of calls, all of them on credit
MAX_UNSENT = (
    1 << 16
)  # bytes that a rater has not read; a second of calls, whose answers come too late by then
MAX_LINE = 1 << 20  # an answer to `extend` names every long call

ASKED = Counter("pbxcore_credit_questions_total", "Questions to the rater by what came back", ["end"])
CONNECTED = Gauge("pbxcore_credit_connected", "1 while the rater can be asked for credit")

log = logging.getLogger(__name__)

Answer = Mapping[str, Any]
Credits = Mapping[int, Credit]
AskCredit = Callable[[str, Sequence[CreditQuestion]], Awaitable[Credits]]
"""Asks what a channel's legs may cost; legs of which nothing was heard are missing."""


@dataclass(slots=True)
class CreditLine:
    """A line to the rater that keeps itself up while `run` runs."""

    path: Path
    deadline_s: float = DEADLINE_S
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _under_way: dict[int, asyncio.Future[Answer]] = field(default_factory=dict)
    _writer: asyncio.StreamWriter | None = None

    @property
    def is_up(self) -> bool:
        """Whether the rater can be asked."""
        return self._writer is not None

    async def run(self) -> None:
        """Hold the line until cancelled."""
        while True:
            try:
                await self._hold()
            except (OSError, ValueError) as error:  # not there yet, gone, or no answer of ours
                log.debug("the rater cannot be asked for credit: %s", error)
            finally:
                self._drop()
            await asyncio.sleep(RETRY_S)

    async def ask(self, question: Mapping[str, object], *, deadline_s: float | None = None) -> Answer | None:
        """Ask once; None where no answer came in time."""
        if self._writer is None or len(self._under_way) >= MOST_UNDER_WAY:
            ASKED.labels("down").inc()
            return None
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            self._writer.transport.abort()  # it reads nothing; nobody waits for the answers any more
            ASKED.labels("down").inc()
            return None
        number = next(self._numbers)
        answer = self._under_way[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"n": number, **question}).encode() + b"\n")
        try:
            async with asyncio.timeout(self.deadline_s if deadline_s is None else deadline_s):
                found: Answer = await answer
        except TimeoutError:
            ASKED.labels("late").inc()
            return None
        except ConnectionError:
            ASKED.labels("down").inc()
            return None
        finally:
            self._under_way.pop(number, None)
        ASKED.labels("answered").inc()
        return found

    async def credits(self, call: str, asked: Sequence[CreditQuestion]) -> Credits:
        """Ask for all legs of a call at once; what was not answered in time is missing."""
        found = await asyncio.gather(*(self._credit(call, one) for one in asked))
        pairs = zip(asked, found, strict=True)
        return {one.step: credit for one, credit in pairs if credit is not None}

    async def _credit(self, call: str, one: CreditQuestion) -> Credit | None:
        reference = secrets.token_hex(8)
        answer = await self.ask(
            {
                "do": "authorise",
                "id": reference,
                "call": call,
                "payer": one.payer,
                "number": one.number,
                "why": one.why.value,
                "answer_within_s": one.answer_within_s,
            }
        )
        if answer is None:
            return None
        return Credit(int(answer.get("limit_s", 0)), reference, str(answer.get("refused", "")))

    async def _hold(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self.path, limit=MAX_LINE)
        self._writer = writer
        CONNECTED.set(1)
        while line := await reader.readline():
            answer = json.loads(line)
            waiting = self._under_way.get(answer.get("n"))
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    def _drop(self) -> None:
        """Tell everybody who waits that nothing will come."""
        CONNECTED.set(0)
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
        self._writer = None
        for waiting in self._under_way.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the rater is gone"))
