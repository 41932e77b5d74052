"""Our own processes and how each is started and judged: control, standby, rater, web.

Owns the table. Refuses to know what they do beyond the port that tells whether they do it.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping

from pbxcore.machine.supervise import Child, Ready
from pbxcore.settings import Settings

PROBE_LIMIT_S = 1.0
CONTROL_SILENCE_S = 1.0  # so that calls which wait reach the standby within 2 s
OTHER_SILENCE_S = 30.0  # a busy rater delays nobody's call; a stuck one is ended all the same

SERVICES: Mapping[str, str] = {
    "control": "pbxcore.control.main",
    "standby": "pbxcore.standby",
    "rater": "pbxcore.rater",
    "web": "pbxcore.web",
}
"""Name of the process → module that gives `async def serve(settings)`."""


def service(settings: Settings, name: str) -> Child:
    """Return how one of our processes is run under the supervisor."""
    ports = {"control": settings.ports.agi, "standby": settings.ports.standby_agi, "web": settings.ports.http}
    return Child(
        name=name,
        command=(sys.executable, "-m", "pbxcore.machine.serving", name),
        log=settings.state / "log" / f"{name}.log",
        environment=environment(settings),
        ready=listening(settings, ports[name]) if name in ports else None,
        heartbeat_s=CONTROL_SILENCE_S if name in {"control", "standby"} else OTHER_SILENCE_S,
    )


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that give a process exactly these settings."""
    smtp = {"PBXCORE_SMTP": settings.smtp.model_dump_json(by_alias=True)} if settings.smtp else {}
    return {
        "PBXCORE_STATE": str(settings.state.absolute()),
        "PBXCORE_CONFIG": str(settings.config.absolute()),
        "PBXCORE_DATABASE": settings.database,
        "PBXCORE_BIND": settings.bind,
        "PBXCORE_PORTS": settings.ports.model_dump_json(),
        "PBXCORE_TRUNKS": json.dumps([trunk.model_dump() for trunk in settings.trunks]),
        "PBXCORE_MAX_CALL_S": str(settings.max_call_s),
        "PBXCORE_CREDIT_SLICE_S": str(settings.credit_slice_s),
        "PBXCORE_CREDIT_DEADLINE_MS": str(settings.credit_deadline_ms),
        "PBXCORE_ROUTES": json.dumps([route.model_dump() for route in settings.routes]),
        "PYTHONUNBUFFERED": "1",
        **smtp,
    }


def listening(settings: Settings, port: int) -> Ready:
    """Return a probe that connects to a port and closes again."""
    address = "127.0.0.1" if settings.bind == "0.0.0.0" else settings.bind  # noqa: S104 — compared, not bound

    async def probe(pid: int) -> bool:
        del pid
        return await answers(address, port) or (address != "127.0.0.1" and await answers("127.0.0.1", port))

    return probe


async def answers(address: str, port: int) -> bool:
    """Tell whether somebody takes TCP connections there."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(PROBE_LIMIT_S):
            _, writer = await asyncio.open_connection(address, port)
        writer.close()
        return True
    return False
