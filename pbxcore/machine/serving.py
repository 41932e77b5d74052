"""One of our processes in the foreground: its event loop, its log, its heartbeat, its end.

Owns what surrounds every process. Refuses to know what they do, and to import more than one needs: a process
that was killed is back the sooner. `python -m pbxcore.machine.serving NAME` is what the supervisor starts.
"""

import asyncio
import importlib
import logging
import signal
import sys

import uvloop

from pbxcore import metrics
from pbxcore.machine.heartbeat import beat
from pbxcore.machine.running import settings_of_running
from pbxcore.machine.services import SERVICES
from pbxcore.settings import Settings

LINE = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
_log = logging.getLogger(__name__)


def serve(name: str, settings: Settings) -> None:
    """Run a process until SIGTERM or SIGINT; it ends by cancellation, so that everything closes in order."""
    logging.basicConfig(level=logging.INFO, format=LINE, datefmt="%Y-%m-%d %H:%M:%S")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_told(name, settings))


async def _until_told(name: str, settings: Settings) -> None:
    metrics.start(settings, name)  # before the module that makes its own
    module = importlib.import_module(SERVICES[name])
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(module.serve(settings), name=name)
        beating = group.create_task(beat(), name="heartbeat")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.cancel)
        serving.add_done_callback(lambda _: beating.cancel())
        _log.info("%s starts", name)
    _log.info("%s has ended", name)


if __name__ == "__main__":
    serve(sys.argv[1], settings_of_running())
