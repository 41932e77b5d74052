"""`pbxcore serve NAME`: one of our processes in the foreground, as a service manager starts it."""

from enum import StrEnum

from pbxcore.cli.app import app
from pbxcore.machine import serving
from pbxcore.machine.running import settings_of_running
from pbxcore.machine.services import SERVICES

Name = StrEnum("Name", {name: name for name in SERVICES})  # type: ignore[misc]  # typer reads the choices from it


@app.command(rich_help_panel="Running")
def serve(name: Name) -> None:
    """Run one process: control, standby, rater or web. `pbxcore run` starts all of them."""
    serving.serve(str(name), settings_of_running())
