"""What control and standby share: the plans in force, the FastAGI port, the local socket, the log.

Owns one deciding process from start to end. Refuses to know what only control does (AMI): that comes in as
`after_reload` and as further tasks.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import Gauge

from dialplan.credit import questions, with_credit
from dialplan.decide import decide
from dialplan.decision import Decision
from dialplan.facts import Facts, State
from dialplan.published import Published
from dialplan.switch import Switch
from pbxcore import published as published_plans
from pbxcore import switches
from pbxcore.control import fastagi
from pbxcore.control import socket as local_socket
from pbxcore.control.credit import AskCredit
from pbxcore.control.deciding import answering
from pbxcore.control.decision_log import DecisionLog
from pbxcore.control.turns import Turns
from pbxcore.machine.collector import settle
from pbxcore.published import Unread
from pbxcore.settings import Settings
from pbxcore.switches import View

WATCH_S = 1.0  # a change whose announcement was lost is in force that much later
SPARE_FROM = 100  # new plans; the collector walks so many in some 15 ms, a thousand in 130

TENANTS = Gauge("pbxcore_plans", "Tenants whose plan is in force in this process")
BEHIND = Gauge("pbxcore_plans_behind", "Tenants whose published plan this process cannot use")

log = logging.getLogger(__name__)


def nothing_first(_plans: Published) -> None:
    """Do nothing before the first question."""


def notice_nothing(_plans: Published, _facts: Facts) -> None:
    """Learn nothing from a question."""


async def nothing_more() -> dict[str, Any]:
    """Do nothing after a reload."""
    return {}


@dataclass(slots=True)
class Process:
    """A deciding process.

    Attributes:
        name: control or standby; names its socket and log.
        plans: in force; swapped whole.
        switches: what users switched, as this process knows it.
        turns: what is remembered of ring groups; None: every call is the first one.
        first: what is done once plans are read, before anybody can ask: the supervisor calls whose port
            answers started, and holds what stands still then for silence.
        notice: learns from a question that was decided; it must not wait.
        credit: asks the rater; the standby has nobody to ask.
        after_reload: what else a change needs; its result joins the acknowledgement.
        unwritten: how many questions have come whose decision may still be written to the log.
    """

    name: str
    settings: Settings
    state: State
    plans: Published = field(default_factory=Published)
    switches: View = field(init=False)
    turns: Turns | None = None
    started: float = field(default_factory=time.time)
    first: Callable[[Published], None] = nothing_first
    notice: Callable[[Published, Facts], None] = notice_nothing
    credit: AskCredit | None = None
    after_reload: Callable[[], Awaitable[dict[str, Any]]] = nothing_more
    also: Callable[[], dict[str, Any]] = dict
    unwritten: Callable[[], int] = int
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _fresh: int = 0
    _unread: Mapping[str, Unread] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.switches = View(self.settings.switches_db)
        self.state = replace(self.state, draw=None)  # each call its own, the same in control and standby

    def decide(self, facts: Facts) -> Decision:
        """Decide by the plans, switches and turns known now."""
        now = datetime.now(UTC)
        decision = decide(self.plans, facts, self._state(now), now)
        if self.turns is not None:
            self.turns.take(facts.linkedid, decision.hunts, now)
        self.notice(self.plans, facts)
        return decision

    def _state(self, now: datetime) -> State:
        """Give what is known besides the plans when a call is decided; turns change within it."""
        if (switched := self.switches.look()) is not self.state.switches:
            self.state = replace(self.state, switches=switched)
        if (turns := self.turns) is not None:
            turns.forget(now)
            if self.state.turns is not turns.next or self.state.served is not turns.served:
                self.state = replace(self.state, turns=turns.next, served=turns.served)
        return self.state

    def pay(self, facts: Facts, decision: Decision) -> Awaitable[Decision] | None:
        """Ask for the credit that a decision needs, once; legs without it become refusals."""
        if self.credit is None:
            return None
        plans, credit = self.plans, self.credit
        asked = questions(decision, plans)

        async def paid() -> Decision:
            return with_credit(decision, plans, await credit(facts.call, asked))

        return paid() if asked else None

    async def keep(self, changes: tuple[Switch, ...]) -> None:
        """Keep what a decision changes, without holding up other calls meanwhile."""
        await asyncio.to_thread(switches.keep, self.settings.switches_db, changes)

    @contextlib.asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[asyncio.TaskGroup]:
        """Serve while the block runs; its task group owns every task of the process."""
        seen = await asyncio.to_thread(self._ages)
        self._take(*await asyncio.to_thread(published_plans.reload, self.plans, self.settings.published))
        decisions = DecisionLog(self.settings.decisions / f"{self.name}.ndjson")
        self.switches.look()  # what takes longer, reading all of them, is done before the first call
        self.first(self.plans)
        answer = answering(self.decide, decisions, self.keep, self.pay)
        async with asyncio.TaskGroup() as tasks:
            logging_them = tasks.create_task(decisions.run(), name="decision-log")
            try:
                async with (
                    fastagi.listen("127.0.0.1", port, answer) as questions,
                    local_socket.listen(self.settings.run_dir / f"{self.name}.sock", self.handle),
                ):
                    self.unwritten = lambda: questions.open + decisions.unwritten
                    watching = tasks.create_task(self._watch(seen), name="index")
                    log.info("%s decides for %d tenants on port %d", self.name, len(self.plans.plans), port)
                    try:
                        yield tasks
                    finally:
                        watching.cancel()
            finally:  # nobody asks any more
                logging_them.cancel()
                self.switches.close()

    async def handle(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request of the local socket."""
        match request:
            case {"do": "status"}:
                return {"ok": True, **self.status()}
            case {"do": "reload"}:
                return await self._reload()
            case _:
                return {"ok": False, "error": "unknown request"}

    def status(self) -> dict[str, Any]:
        """Tell who this is, which revisions are in force, and whether the log is behind."""
        revisions = {plan.tenant: plan.revision for plan in self.plans.plans.values()}
        return {"process": self.name, "pid": os.getpid(), "started": self.started,
                "revisions": revisions, "unwritten": self.unwritten(), **self.also()}  # fmt: skip

    async def _reload(self) -> dict[str, Any]:
        """Put in force what the index says; answer when it is, and Asterisk has forgotten what changed.

        Plans are built in a thread: a thousand take seconds, and a process that gives no sign of life for
        one is killed, control and standby at the same moment.
        """
        try:
            async with self._turn:
                before = self.plans
                plans, unread = await asyncio.to_thread(
                    published_plans.reload, before, self.settings.published
                )
                self._take(plans, unread)
                self._spare(before)
        except published_plans.UnpublishedError as error:
            log.error("plans stay as they are: %s", error)  # noqa: TRY400 — its words say enough
            return {"ok": False, "error": str(error)}
        asterisk = await self.after_reload()
        if unread:
            return {
                "ok": False,
                "error": "; ".join(f"{t}: {one.reason}" for t, one in list(unread.items())[:5]),
                **asterisk,
            }
        return {"ok": True, **asterisk}

    def _take(self, plans: Published, unread: Mapping[str, Unread]) -> None:
        """Decide by these plans from now on; tell of those that cannot be used, once."""
        if unread and unread != self._unread:
            log.error("some published plans cannot be used: %s", {t: one.reason for t, one in unread.items()})
        self.plans, self._unread = plans, unread
        TENANTS.set(len(plans.plans))
        BEHIND.set(len(unread))

    def _spare(self, before: Published) -> None:
        """Spare the collector the plans that came since it was spared last, as soon as they are many."""
        self._fresh += sum(before.plans.get(one.tenant) is not one for one in self.plans.plans.values())
        if self._fresh >= SPARE_FROM:
            self._fresh = 0
            settle()

    async def _watch(self, seen: tuple[int, ...]) -> None:
        """Notice what was published while nobody could tell us: each second one look at how old it is."""
        while True:
            await asyncio.sleep(WATCH_S)
            now = await asyncio.to_thread(self._ages)
            if now != seen:
                seen = now
                await self._reload()

    def _ages(self) -> tuple[int, ...]:
        """Tell how old the index is, and each plan that could not be used: somebody may put it back."""
        unread = (one.file for one in self._unread.values())
        return tuple(_age(file) for file in (self.settings.published / "index.json", *unread))


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # not there yet, or not to be read now
        return 0
