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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Gauge

from dialplan.decide import decide
from dialplan.decision import Decision
from dialplan.facts import Facts, State
from dialplan.finding import DialplanError
from dialplan.published import Published
from pbxcore import published as published_plans
from pbxcore.control import fastagi
from pbxcore.control import socket as local_socket
from pbxcore.control.deciding import answering
from pbxcore.control.decision_log import DecisionLog
from pbxcore.settings import Settings

TENANTS = Gauge("pbxcore_plans", "Tenants whose plan is in force in this process")

log = logging.getLogger(__name__)


async def nothing_more(tenant: str) -> dict[str, Any]:
    """Do nothing after a reload."""
    del tenant
    return {}


@dataclass(slots=True)
class Process:
    """A deciding process.

    Attributes:
        name: control or standby; names its socket and log.
        plans: in force; swapped whole.
        after_reload: what else a change needs; its result joins the acknowledgement.
    """

    name: str
    settings: Settings
    state: State
    plans: Published = field(default_factory=Published)
    started: float = field(default_factory=time.time)
    after_reload: Callable[[str], Awaitable[dict[str, Any]]] = nothing_more
    also: Callable[[], dict[str, Any]] = dict

    def decide(self, facts: Facts) -> Decision:
        """Decide by the plans in force now."""
        return decide(self.plans, facts, self.state, datetime.now(UTC))

    @contextlib.asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[asyncio.TaskGroup]:
        """Serve while the block runs; its task group owns every task of the process."""
        self.plans = await asyncio.to_thread(published_plans.load, self.settings.published)
        TENANTS.set(len(self.plans.plans))
        decisions = DecisionLog(self.settings.decisions / f"{self.name}.ndjson")
        answer = answering(self.decide, decisions)
        async with (
            asyncio.TaskGroup() as tasks,
            fastagi.listen("127.0.0.1", port, answer),
            local_socket.listen(self.settings.run_dir / f"{self.name}.sock", self.handle),
        ):
            writing = tasks.create_task(decisions.run(), name="decision-log")
            log.info("%s decides for %d tenants on port %d", self.name, len(self.plans.plans), port)
            try:
                yield tasks
            finally:
                writing.cancel()

    async def handle(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request of the local socket."""
        match request:
            case {"do": "status"}:
                return {"ok": True, **self.status()}
            case {"do": "reload", "tenant": str(tenant), "revision": int(revision)}:
                return await self._reload(tenant, revision)
            case _:
                return {"ok": False, "error": "unknown request"}

    def status(self) -> dict[str, Any]:
        """Tell who this is and which revisions are in force."""
        revisions = {plan.tenant: plan.revision for plan in self.plans.plans.values()}
        return {"process": self.name, "pid": os.getpid(), "started": self.started,
                "revisions": revisions, **self.also()}  # fmt: skip

    async def _reload(self, tenant: str, revision: int) -> dict[str, Any]:
        try:
            self.plans = published_plans.reload(self.plans, self.settings.published, tenant, revision)
        except (published_plans.UnpublishedError, DialplanError) as error:
            return {"ok": False, "error": str(error)}
        TENANTS.set(len(self.plans.plans))
        return {"ok": True, "revision": revision, **await self.after_reload(tenant)}
