"""Ports that a test takes for itself: no other test, worker or run on this machine takes them meanwhile.

They lie behind the last block that a machine of ours may choose (`pbxcore.machine.ports`) and below the
range from which the kernel gives ports to clients, so that nobody takes one before the test's program binds
it. Each is held by a name in the kernel, which ends with the process that holds it.
"""

import socket
from contextlib import ExitStack

RANGE = range(31_000, 32_750)


def hold(number: int, holds: ExitStack, *, together: int = 1) -> list[int]:
    """Hold ports that are free for UDP and TCP on 127.0.0.1; with `together`, the first ones of such rows."""
    held: list[int] = []
    for first in RANGE[::together]:
        ports = range(first, first + together)
        if len(held) == number:
            break
        with ExitStack() as attempt:
            if all(_name(port, attempt) and _is_free(port) for port in ports):
                holds.push(attempt.pop_all())
                held.append(first)
    assert len(held) == number, "no free ports"
    return held


def _name(port: int, holds: ExitStack) -> bool:
    held = holds.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    try:
        held.bind(f"\0pbxcore-test-port-{port}")
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with ExitStack() as sockets:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            probe = sockets.enter_context(socket.socket(socket.AF_INET, kind))
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
