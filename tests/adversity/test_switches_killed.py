"""Writers of switches that are killed: what was confirmed is there, what was not is whole or absent."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from dialplan.switch import SwitchKind
from pbxcore import switches

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ROUNDS = 8
# Switches pairs for ever; says each pair's number once both are kept.
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from dialplan.switch import Switch, SwitchKind
from pbxcore import switches
now = datetime(2026, 11, 23, 10, tzinfo=UTC)
number = int(sys.argv[2])
while True:
    pair = [Switch(tenant="acme", kind=SwitchKind.FORWARD_BUSY, subject=subject, value=f"extension {number}",
                   since=now, by="x") for subject in ("10", "11")]
    switches.keep(Path(sys.argv[1]), pair)
    print(number, flush=True)
    number += 1
"""


def test_a_killed_writer_loses_nothing_it_confirmed(tmp_path: Path) -> None:
    """Killed at any instant, again and again: the file is whole, pairs stay pairs, the next one writes on."""
    path = tmp_path / "switches.sqlite"
    view = switches.View(path)
    confirmed = 0
    for _ in range(ROUNDS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(confirmed + 1)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout
        first = int(writer.stdout.readline())
        assert first > confirmed
        os.kill(writer.pid, signal.SIGKILL)
        lines = writer.stdout.read().split()
        writer.stdout.close()
        writer.wait(60)
        confirmed = int(lines[-1]) if lines else first
        kept = [view.look().value("acme", SwitchKind.FORWARD_BUSY, who, NOW) for who in ("10", "11")]
        assert kept in ([f"extension {confirmed}"] * 2, [f"extension {confirmed + 1}"] * 2)
        assert switches.read(path) == view.look()
    view.close()
