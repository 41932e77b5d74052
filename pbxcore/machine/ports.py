"""Which ports this machine takes: the settings' own, or the next block that is free.

Owns the choice and its memory (`<state>/ports.json`). Refuses to move a port that somebody set on purpose, or
any where phones reach us from elsewhere: they would look for us where we were.

Several copies on one machine settle without a word of configuration: all ports that were not set move
together by 1,000. A copy holds its ports by names in the kernel (abstract sockets) while it runs, so that two
copies that start at the same moment do not choose the same block, and one that was killed leaves nothing.
"""

import errno
import ipaddress
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pbxcore.machine.errors import PortError
from pbxcore.settings import Ports, Settings

STEP = 1_000
BLOCKS = 20  # the last one stays below 32,768, where the kernel's client ports begin
MEMORY = "ports.json"
DEFAULT = Ports()

_UDP = ("sip", "carrier")
_TCP = ("sip", "agi", "standby_agi", "ami", "http", "carrier")
_SINGLE = ("sip", "agi", "standby_agi", "ami", "http", "carrier")


@dataclass(slots=True)
class Taken:
    """Ports that are ours until `release`.

    Attributes:
        ports: the ports.
        moved_by: how far those that may move stand from the settings' ports; 0 for not at all.
        because: the port that was taken, or how to get back to where they were; empty when nothing moved.
    """

    ports: Ports
    moved_by: int
    because: str
    _holds: ExitStack = field(default_factory=ExitStack, repr=False)

    def release(self) -> None:
        """Give the names back to the kernel."""
        self._holds.close()


def take(settings: Settings) -> Taken:
    """Choose and hold a block of ports: the remembered one, else the first that is free.

    Raises:
        PortError: two are one number, this machine does not have the address, a port is taken that may not
            move, or no block is free.
    """
    _refuse_twice(settings.ports)
    if _refused(settings.bind, 0, udp=True, tcp=False) == ELSEWHERE:
        raise PortError(
            f"this machine does not have the address {settings.bind}",
            "set bind in config/service.yaml, or PBXCORE_BIND, to one that it has; 0.0.0.0 is all of them",
        )
    at_home = ipaddress.ip_address(settings.bind).is_loopback
    fixed = explicit(settings.ports) if at_home else frozenset(Ports.model_fields)
    remembered = _remembered(settings.state / MEMORY)
    blocks = (remembered, *(block for block in range(BLOCKS) if block != remembered))
    first_problem = ""
    for block in blocks:
        ports = _moved(settings.ports, block * STEP, fixed)
        holds = ExitStack()
        problem = _hold(settings, ports, holds)
        if problem is None:
            _remember(settings.state / MEMORY, block)
            if ports == settings.ports:
                return Taken(ports, 0, "", holds)
            return Taken(ports, block * STEP, first_problem or _back(settings), holds)
        holds.close()
        name, sentence = problem
        if name in fixed:
            raise PortError(
                sentence, f"end what uses it, or choose another: PBXCORE_PORTS__{name.upper()}=<port>"
            )
        first_problem = first_problem or sentence
    raise PortError(
        f"{BLOCKS} blocks of ports are taken, from the first on: {first_problem}",
        "set each port in config/service.yaml or by PBXCORE_PORTS__<NAME>",
    )


def _refuse_twice(ports: Ports) -> None:
    named: dict[int, str] = {}
    for name in _SINGLE:
        number = getattr(ports, name)
        if number in named:
            raise PortError(
                f"port {number} is named twice: {named[number]} and {name}",
                f"give each its own: ports.{name} in config/service.yaml, or PBXCORE_PORTS__{name.upper()}",
            )
        named[number] = name


def _back(settings: Settings) -> str:
    file = settings.state / MEMORY
    return f"another copy took them at an earlier start; to go back, remove {file} and start again"


def explicit(ports: Ports) -> frozenset[str]:
    """Return the ports that somebody set: by a variable, or to something else than the default."""
    variables = {name.upper() for name in os.environ}
    return frozenset(
        name
        for name in Ports.model_fields
        if getattr(ports, name) != getattr(DEFAULT, name)
        or f"PBXCORE_PORTS__{name.upper()}" in variables
        or "PBXCORE_PORTS" in variables
    )


def _moved(ports: Ports, distance: int, fixed: frozenset[str]) -> Ports:
    movable = {name: value for name, value in ports.model_dump().items() if name not in fixed}
    return ports.model_copy(update={name: value + distance for name, value in movable.items()})


def _hold(settings: Settings, ports: Ports, holds: ExitStack) -> tuple[str, str] | None:
    """Hold every port by name and see that nobody else listens; return the first that fails, and why."""
    numbers = [getattr(ports, name) for name in _SINGLE]
    for name, number in zip(_SINGLE, numbers, strict=True):
        if numbers.count(number) > 1:  # one that moved met one that stays
            return name, f"port {number} is named twice"
        if not _name(number, holds):
            return name, f"port {number} ({name}) is used by another pbxcore"
        for address in _addresses(settings, name):
            if reason := _refused(address, number, udp=name in _UDP, tcp=name in _TCP):
                return name, f"port {number} ({name}) at {address} {reason}"
    return _hold_rtp(settings, ports)


def _hold_rtp(settings: Settings, ports: Ports) -> tuple[str, str] | None:
    """Asterisk takes the free ones of the range, so a range will do while half of it is free."""
    spread = range(ports.rtp_first, ports.rtp_last + 1, max(1, (ports.rtp_last - ports.rtp_first) // 50))
    if not spread:
        return "rtp_last", f"the range of RTP ports {ports.rtp_first}-{ports.rtp_last} is empty"
    refused = [port for port in spread if _refused(settings.bind, port, udp=True, tcp=False)]
    if 2 * len(refused) > len(spread):
        return "rtp_first", f"most RTP ports {ports.rtp_first}-{ports.rtp_last} are taken"
    return None


def _addresses(settings: Settings, name: str) -> Iterator[str]:
    if name == "carrier":
        yield from (trunk.host for trunk in settings.trunks if trunk.practice)
        return
    yield settings.bind
    if settings.bind not in {"0.0.0.0", "127.0.0.1"}:  # noqa: S104 — compared, not bound
        yield "127.0.0.1"


def _name(port: int, holds: ExitStack) -> bool:
    held = holds.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    try:
        held.bind(f"\0pbxcore-port-{port}")
    except OSError:
        return False
    return True


def _refused(address: str, port: int, *, udp: bool, tcp: bool) -> str:
    """Return why a port cannot be bound, empty when it can."""
    kinds = [socket.SOCK_DGRAM] * udp + [socket.SOCK_STREAM] * tcp
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # connections that ended lately do not count
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                return _REASONS.get(error.errno or 0, f"cannot be used: {error.strerror}")
    return ""


ELSEWHERE = "cannot be used: this machine does not have that address"
_REASONS = {
    errno.EADDRINUSE: "is taken",
    errno.EACCES: "may be used by root only",
    errno.EADDRNOTAVAIL: ELSEWHERE,
}


def _remembered(file: Path) -> int:
    try:
        block = json.loads(file.read_text())["block"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0
    return block if isinstance(block, int) and 0 <= block < BLOCKS else 0


def _remember(file: Path, block: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps({"block": block}) + "\n")
    aside.replace(file)
