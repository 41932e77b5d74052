"""A sign of life from a process to its supervisor: one byte through a pipe, written by the event loop itself.

Owns both ends. A loop that is stuck writes nothing; that is the point. Refuses to carry anything else.
"""

import asyncio
import os
import time

FD_VARIABLE = "PBXCORE_HEARTBEAT_FD"
INTERVAL_S = 0.2  # five in the second after which a silent control process is killed


async def beat() -> None:
    """Write a byte every 200 ms into the pipe our supervisor opened; return at once when nobody listens."""
    number = os.environ.get(FD_VARIABLE)
    if number is None:
        return
    pipe = int(number)
    os.set_blocking(pipe, False)
    while True:
        try:
            os.write(pipe, b".")
        except BlockingIOError:  # the supervisor is slow to read: what lies in the pipe speaks for us
            pass
        except BrokenPipeError:  # it is gone; its death signal ends us
            return
        await asyncio.sleep(INTERVAL_S)


class Pulse:
    """The supervisor's end: when was the last byte seen."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)
        self.last: float | None = None
        asyncio.get_running_loop().add_reader(self._read, self._drain)

    def _drain(self) -> None:
        try:
            if os.read(self._read, 4096):
                self.last = time.monotonic()
            else:
                asyncio.get_running_loop().remove_reader(self._read)
        except BlockingIOError:
            pass

    def child_has_it(self) -> None:
        """Close the writing end here, so that the pipe ends with the child."""
        os.close(self.write)

    def beat_since(self, instant: float) -> bool:
        """Tell whether a byte was seen after an instant of the monotonic clock."""
        return self.last is not None and self.last > instant

    def silent_for(self) -> float:
        """Return seconds since the last byte; 0 before the first."""
        return 0.0 if self.last is None else time.monotonic() - self.last

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
