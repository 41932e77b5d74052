"""The rater's connection is cut at every single message: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pbxcore.database import connect
from pbxcore.intake import spool
from pbxcore.practice.records import World, is_billed, key, records
from pbxcore.rater import process, serve
from pbxcore.settings import Settings
from rating.rated import Source
from rating.store import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.adversity.conftest import Between, Proxy

CONFIG = Path(__file__).parents[2] / "config"
WORLD = World(longest_s=60)
CALLS = 1_500
pytestmark = pytest.mark.timeout(400)  # half a minute of a machine that does nothing else

LIMIT_S = 240  # for ninety sessions; they take twenty seconds of a machine that does nothing else
CUTS = 90  # messages of a session until its second batch is committed
CATCHING_UP = 16_384  # bytes read at once: a batch of 12 legs or so, the file has more than there are cuts


@pytest.mark.parametrize(
    ("deliver", "behind"),
    [(False, False), (True, False), (True, True)],
    ids=["message lost", "answer lost", "answer lost, catching up"],
)
async def test_a_cut_at_any_message_loses_and_doubles_nothing(
    database: str,
    tmp_path: Path,
    between: Between,
    monkeypatch: pytest.MonkeyPatch,
    *,
    deliver: bool,
    behind: bool,
) -> None:
    """Ninety sessions, each cut one message later, commits included; then all is as it should be.

    Lines come a few at a time, or are all there: then a batch is rated while the one before is committed.
    Somebody rates again meanwhile, so that what was foreseen has to be rated anew.
    """
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
    async with between(database, range(1, CUTS + 1), deliver=deliver) as (proxy, url):
        settings = Settings(state=tmp_path, config=CONFIG, database=url)
        settings.spool.mkdir(parents=True)
        serving = asyncio.create_task(serve(settings))
        if behind:
            monkeypatch.setattr(spool, "CHUNK", CATCHING_UP)
            append(settings.spool / "legs.tsv", list(records(CALLS, WORLD)))
        else:
            await feed(settings.spool / "legs.tsv", proxy)
        billed = {key(WORLD, number) for number in range(CALLS) if is_billed(number)}
        async with asyncio.timeout(LIMIT_S):
            while await stream.position(connection) < len(billed):
                await connection.execute("UPDATE stream SET rerating = rerating + 1")
                await asyncio.sleep(0.02)
        assert not serving.done(), serving
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    entries = await stream.rated_since(connection, 0, 10_000)
    assert [entry.position for entry in entries] == list(range(1, len(billed) + 1))
    assert {entry.leg.key for entry in entries} == billed
    pieces = [piece for entry in entries for piece in entry.leg.pieces if piece.source is Source.ALLOWANCE]
    drawn = sum(one.seconds for one in pieces)
    assert await connection.fetchval("SELECT sum(used_s) FROM pool_used") == drawn > 0
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
