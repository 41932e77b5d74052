import asyncio
from collections.abc import Mapping
from typing import Any

class Request:
    def __init__(
        self,
        app: object,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        encoding: str = ...,
    ) -> None: ...
    async def send_command(self, command: str) -> dict[str, Any]: ...
