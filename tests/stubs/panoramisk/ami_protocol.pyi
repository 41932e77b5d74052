import asyncio
from collections import deque
from typing import Any

from panoramisk.actions import Action

class AMIProtocol(asyncio.Protocol):
    transport: asyncio.Transport
    queue: deque[str]
    responses: dict[str, Action]
    factory: Any
    def close(self) -> None: ...
