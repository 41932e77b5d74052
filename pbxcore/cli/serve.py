"""`pbxcore serve NAME`: one of our processes in the foreground, as `pbxcore run` or systemd starts it."""

import asyncio
import importlib
import logging
import signal
from enum import StrEnum

import uvloop

from pbxcore.cli.app import Exit, app, fail
from pbxcore.machine.heartbeat import beat
from pbxcore.machine.running import settings_of_running
from pbxcore.machine.services import SERVICES
from pbxcore.settings import Settings

LINE = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
_log = logging.getLogger(__name__)

Name = StrEnum("Name", {name: name for name in SERVICES})  # type: ignore[misc]  # typer reads the choices from it


@app.command(rich_help_panel="Running")
def serve(name: Name) -> None:
    """Run one process: control, standby, rater or web. `pbxcore run` starts all of them."""
    logging.basicConfig(level=logging.INFO, format=LINE, datefmt="%Y-%m-%d %H:%M:%S")
    try:
        settings = settings_of_running()
    except ValueError as error:
        raise fail(f"the settings are wrong: {error}", "see config/service.yaml", Exit.USAGE) from None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_told(str(name), settings))


async def _until_told(name: str, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; end by cancellation, so that everything closes in order."""
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
