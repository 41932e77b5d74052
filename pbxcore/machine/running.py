"""What the machine that runs on this state really uses: ports that had to move, its database.

Owns reading `<state>/machine.json`, which `pbxcore.machine.instance` writes. Refuses to start anything.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any

from dialplan.spec import RouteSpec
from pbxcore.settings import Ports, Settings, Trunk

COMMAND_SOCKET = "asterisk.ctl"  # of Asterisk's own command line, in the folder of sockets


def settings_of_running(settings: Settings | None = None) -> Settings:
    """Return the settings that a command works with: of the machine that runs on this state, if one does."""
    settings = settings or Settings()
    machine = machine_of(settings)
    if not machine:
        return settings
    return settings.model_copy(
        update={
            "ports": Ports(**machine["ports"]),
            "database": machine["database"],
            "trunks": tuple(Trunk(**trunk) for trunk in machine["trunks"]),
            "routes": tuple(RouteSpec(**route) for route in machine.get("routes", ())),
        }
    )


def unstarted_trunks(settings: Settings) -> tuple[str, ...]:
    """Name the trunks that stand in the settings by now, and that the running machine does not know yet.

    It reads its settings when it starts: Asterisk's own configuration and every plan go by them.

    Args:
        settings: those of the machine that runs (`settings_of_running`).
    """
    known = {trunk.name for trunk in settings.trunks}
    try:
        written = Settings().trunks
    except (ValueError, OSError):  # somebody is writing them; the next command says what is wrong
        return ()
    return tuple(trunk.name for trunk in written if trunk.name not in known)


def running() -> dict[str, Any] | None:
    """Return what the machine on this state wrote down, once all of it works; None as long as it does not."""
    machine = machine_of(Settings())
    return machine if machine.get("up") else None


def machine_of(settings: Settings) -> dict[str, Any]:
    """Return what the running machine wrote down; empty when none runs."""
    try:
        machine = json.loads(settings.machine_file.read_text())
        os.kill(int(machine["pid"]), 0)
    except (FileNotFoundError, ProcessLookupError):
        return {}
    except PermissionError:
        pass  # it runs, and belongs to somebody else
    return dict(machine)


def asterisk_since(settings: Settings) -> datetime | None:
    """Return when the Asterisk of this machine started; None when none runs.

    It makes the socket of its command line at its start, and removes it at an end in good order.
    """
    if not machine_of(settings):
        return None
    try:
        made = (settings.run_dir / COMMAND_SOCKET).stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return datetime.fromtimestamp(made // 1_000_000_000, UTC)
