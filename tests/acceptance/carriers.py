"""What the carriers of the tests may do instead of taking calls."""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import TYPE_CHECKING

from pbxcore.practice import sipp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Pbx


@contextlib.contextmanager
def carrier_that_refuses(pbx: Pbx, code: int, *, name: str = "carrier") -> Iterator[None]:
    """Let a carrier refuse every call for a while."""
    folder, address = {
        "carrier": (pbx.settings.state, "127.0.0.2"),
        "backup": (pbx.settings.state / "backup", "127.0.0.3"),
    }[name]
    usual = (folder / "scenario.xml").read_text()
    command = sipp.words(pbx.program, local=(address, pbx.carrier.port), media=pbx.carrier.media, calls=0)

    def plays(scenario: str) -> None:
        (folder / "scenario.xml").write_text(scenario)
        pbx.stop(name, signal.SIGKILL)
        pbx.start(name, command, TERM="dumb")
        pbx.until(lambda: _listens(address, pbx.carrier.port))

    plays(sipp.answering(ring_ms=0, start_at="refuse", code=code))
    try:
        yield
    finally:
        plays(usual)


def _listens(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False
