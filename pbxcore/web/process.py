"""The process: the application on its port, and what the machine looks for by itself, until cancelled."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from pbxcore import metrics
from pbxcore.completion import keep_complete
from pbxcore.debiting import keep_debited
from pbxcore.mail.delivery import deliver
from pbxcore.purging import keep_purged
from pbxcore.settings import Settings
from pbxcore.web.api import application

CLOSING_S = 3  # for answers under way when the process is told to end
BEAT_S = 5.0
MOST_REQUESTS = 200  # at once; the next one is told to come back (503)


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(settings: Settings) -> None:
    """Serve until cancelled.

    Raises:
        OSError: the port is taken.
    """
    metrics.start(settings, "web")
    config = uvicorn.Config(
        application(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CLOSING_S,
        limit_concurrency=MOST_REQUESTS,
    )
    with socket.create_server((settings.bind, settings.ports.http)) as listener:
        async with asyncio.TaskGroup() as group:
            beside = (
                group.create_task(_beat(), name="heartbeat metric"),
                group.create_task(keep_complete(settings), name="completion"),
                group.create_task(keep_debited(settings), name="debiting"),
                group.create_task(deliver(settings), name="mail"),
                group.create_task(keep_purged(settings), name="purging"),
            )
            try:
                await _until_cancelled(_Server(config), listener, group)
            finally:
                for task in beside:
                    task.cancel()


async def _until_cancelled(server: uvicorn.Server, listener: socket.socket, group: asyncio.TaskGroup) -> None:
    serving = group.create_task(server.serve([listener]), name="http")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True  # answers under way are given, then it ends by itself
        await serving
        raise


async def _beat() -> None:
    while True:
        metrics.heartbeat().labels(process="web").set_to_current_time()
        await asyncio.sleep(BEAT_S)
