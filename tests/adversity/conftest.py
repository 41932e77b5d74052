"""What tests of broken connections share: a proxy before PostgreSQL that cuts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import pytest

SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Stands before PostgreSQL; cuts one connection after the other at a message of its client.

    Attributes:
        cut_at: message, from 1, at which each cut is made; connections after the last cut pass.
        cuts: connections cut so far.
        deliver: whether the message at which it cuts still reaches the server, and only its answer is lost.
    """

    def __init__(self, server: str, cut_at: Sequence[int], *, deliver: bool) -> None:
        self.server = server
        self.cut_at = cut_at
        self.deliver = deliver
        self.cuts = 0
        self.passing: set[asyncio.Task[None]] = set()

    async def pass_on(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Be in between until the cut."""
        task = asyncio.current_task()
        assert task is not None
        self.passing.add(task)
        server, forth = await asyncio.open_unix_connection(self.server)
        answers = asyncio.create_task(self._copy(server, back))
        left = self.cut_at[self.cuts] if self.cuts < len(self.cut_at) else 0
        try:
            while data := await client.read(1 << 20):
                left -= 1
                if left == 0:
                    self.cuts += 1
                    answers.cancel()
                    if self.deliver:
                        forth.write(data)
                        await forth.drain()
                    break
                forth.write(data)
                await forth.drain()
        finally:
            answers.cancel()
            for writer in (forth, back):
                writer.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(1 << 20):
                sink.write(data)
                await sink.drain()


Between: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[Proxy, str]]]


@pytest.fixture
def between(short_path: Path) -> Between:
    """Give a function that puts a proxy before a database; it gives both, and the URL that leads through."""

    @contextlib.asynccontextmanager
    async def put(url: str, cut_at: Sequence[int], *, deliver: bool) -> AsyncIterator[tuple[Proxy, str]]:
        (host,) = parse_qs(urlsplit(url).query)["host"]
        proxy = Proxy(f"{host}/{SOCKET}", cut_at, deliver=deliver)
        listener = await asyncio.start_unix_server(proxy.pass_on, short_path / SOCKET)
        async with listener:
            yield proxy, url.replace(host, str(short_path))
            if proxy.passing:
                await asyncio.wait(proxy.passing, timeout=5)

    return put
