import asyncio
from typing import Any

class Action(dict[str, str]):
    id: str
    action_id: str
    future: asyncio.Future[Any]
    def __init__(self, *args: Any, as_list: bool | None = ..., **kwargs: Any) -> None: ...
