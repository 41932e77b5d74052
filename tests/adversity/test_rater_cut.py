"""The rater's connection is cut at every single message: nothing is lost, nothing doubled."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from pbxcore.database import connect
from pbxcore.intake import spool
from pbxcore.practice.records import World, is_billed, key, records
from pbxcore.rater import process, serve
from pbxcore.settings import Settings
from rating.rated import Source
from rating.store import stream

CONFIG = Path(__file__).parents[2] / "config"
WORLD = World(longest_s=60)
CALLS = 1_500
CUTS = 90  # messages of a session until its second batch is committed
SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Stands before PostgreSQL; cuts the n-th connection at the client's n-th message.

    Attributes:
        cuts: connections cut so far.
        deliver: whether the message at which it cuts still reaches the server, and only its answer is lost.
    """

    def __init__(self, server: str, *, deliver: bool) -> None:
        self.server = server
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
        left = self.cuts + 1 if self.cuts < CUTS else 0
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


@asynccontextmanager
async def between(url: str, folder: Path, *, deliver: bool) -> AsyncIterator[tuple[Proxy, str]]:
    """Give a proxy before a database, and the URL that leads through it."""
    (host,) = parse_qs(urlsplit(url).query)["host"]
    proxy = Proxy(f"{host}/{SOCKET}", deliver=deliver)
    listener = await asyncio.start_unix_server(proxy.pass_on, folder / SOCKET)
    async with listener:
        yield proxy, url.replace(host, str(folder))
        await asyncio.wait(proxy.passing, timeout=5)


@pytest.mark.parametrize("deliver", [False, True], ids=["message lost", "answer lost"])
async def test_a_cut_at_any_message_loses_and_doubles_nothing(
    database: str, tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch, *, deliver: bool
) -> None:
    """Ninety sessions, each cut one message later, commits included; then all is as it should be."""
    monkeypatch.setattr(process, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(process, "LONGEST_WAIT_S", 0.01)
    monkeypatch.setattr(process, "TURN_S", 0.01)
    monkeypatch.setattr(spool, "POLL_S", 0.005)
    connection = await connect(database, application="test")
    for kind, name, file in (
        ("catalogue", "autphone@2026-01-01", "catalogues/autphone.yaml"),
        ("account", "acme", "accounts/acme.yaml"),
        ("tenant", "acme", "tenants/acme.yaml"),
    ):
        document = json.dumps(yaml.safe_load((CONFIG / file).read_text()), default=str)
        await connection.execute(
            "INSERT INTO revision VALUES ($1, $2, 1, $3, '', 'test')", kind, name, document
        )
    async with between(database, short_path, deliver=deliver) as (proxy, url):
        settings = Settings(state=tmp_path, config=CONFIG, database=url)
        settings.spool.mkdir(parents=True)
        serving = asyncio.create_task(serve(settings))
        await feed(settings.spool / "legs.tsv", proxy)
        billed = {key(WORLD, number) for number in range(CALLS) if is_billed(number)}
        async with asyncio.timeout(30):
            while await stream.position(connection) < len(billed):  # noqa: ASYNC110 — it happens elsewhere
                await asyncio.sleep(0.02)
        assert not serving.done(), serving
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    entries = await stream.rated_since(connection, 0, 10_000)
    assert [entry.position for entry in entries] == list(range(1, len(billed) + 1))
    assert {entry.leg.key for entry in entries} == billed
    pieces = [piece for entry in entries for piece in entry.leg.pieces if piece.source is Source.ALLOWANCE]
    assert await connection.fetchval("SELECT sum(used_s) FROM pool_used") == sum(
        one.seconds for one in pieces
    )
    assert await connection.fetchval("SELECT epoch FROM stream") > CUTS // 2
    await connection.close()


async def feed(legs: Path, proxy: Proxy) -> None:
    """Append some lines again and again until there are no more cuts, then the rest."""
    lines = list(records(CALLS, WORLD))
    while proxy.cuts < CUTS:
        append(legs, lines[:3])
        del lines[:3]
        assert lines, f"only {proxy.cuts} cuts"
        await asyncio.sleep(0.008)
    append(legs, lines)


def append(legs: Path, lines: Sequence[str]) -> None:
    """Write lines as Asterisk does."""
    with legs.open("a") as file:
        file.writelines(lines)
