"""`pbxcore run`: a whole machine in the foreground, from nothing to calls, until Ctrl-C."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pbxcore.cli.app import Exit, app, fail
from pbxcore.cli.findings import show as show_findings
from pbxcore.machine.errors import MachineError
from pbxcore.settings import Settings

WIDE = 140  # columns of a log file


@app.command(rich_help_panel="Running")
def run(
    state: Annotated[Path | None, typer.Option(help="Folder for everything that is written [var].")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Folder with service.yaml and documents [config].")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written when everything works: pid, addresses and ports, as JSON.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Show calls and rated legs live.")
    ] = True,
) -> None:
    """Start everything this machine needs, show who can call whom, and follow the calls live.

    PostgreSQL and Asterisk are private ones unless the settings name others. Ctrl-C stops all of it and
    leaves nothing behind but the state folder. A second start takes a few seconds.
    """
    if config is not None:
        os.environ["PBXCORE_CONFIG"] = str(config)
    settings = Settings() if state is None else Settings(state=state)
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    try:
        asyncio.run(_run(settings, console, ready_file, live=live))
    except MachineError as error:
        findings = getattr(error, "findings", ())
        show_findings(findings)
        raise fail(error.message, error.remedy, Exit.NO if findings else Exit.UNAVAILABLE) from None


async def _run(settings: Settings, console: Console, ready_file: Path | None, *, live: bool) -> None:
    """Run until the first Ctrl-C or SIGTERM; another one changes nothing, the end is on its way."""
    work = asyncio.create_task(_work(settings, console, ready_file, live=live))
    told = False

    def stop() -> None:
        nonlocal told
        if not told:
            told = True
            work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await work
    except asyncio.CancelledError:
        if not told:
            raise


async def _work(settings: Settings, console: Console, ready_file: Path | None, *, live: bool) -> None:
    # A whole machine is a lot to import for somebody who asks another command for help.
    from pbxcore import published  # noqa: PLC0415 — see above
    from pbxcore.cli.live import follow  # noqa: PLC0415 — see above
    from pbxcore.cli.screen import show  # noqa: PLC0415 — see above
    from pbxcore.cli.story import ConsoleStory  # noqa: PLC0415 — see above
    from pbxcore.machine.start import machine  # noqa: PLC0415 — see above
    from pbxcore.publication import write_aside  # noqa: PLC0415 — see above

    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # noqa: ASYNC240 — of a machine that was killed; nothing runs yet
    try:
        async with machine(settings, ConsoleStory(console)) as instance:
            plans = published.load(instance.settings.published).plans
            show(console, instance.settings, sorted(plans.values(), key=lambda plan: plan.tenant))
            if ready_file is not None:
                write_aside(ready_file, json.dumps(instance.as_json(), indent=1) + "\n")
            if live:
                await follow(console, instance.settings)
            await asyncio.Event().wait()
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)  # noqa: ASYNC240 — nothing else is left to run
