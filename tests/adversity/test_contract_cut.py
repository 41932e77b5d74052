"""The connection of an order is cut at every single message: it is stored whole and once, or not at all.

With it goes what the tenant may use: order and revision are one, and what died before it was published is
published by whoever looks next.
"""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pbxcore import database as db
from pbxcore import door, ordering, publication, published, receipt
from pbxcore.settings import Settings, Trunk

if TYPE_CHECKING:
    from tests.adversity.conftest import Between

pytestmark = pytest.mark.timeout(400)  # half a minute of a machine that does nothing else

CONFIG = Path(__file__).parents[2] / "config"
DAY = date(2026, 3, 2)
MOST_MESSAGES = 200


@pytest.fixture
async def settings(tmp_path: Path, database: str) -> Settings:
    """A machine with the example and its contract in force, on which nothing runs."""
    settings = Settings(
        state=tmp_path, config=CONFIG, database=database, trunks=(Trunk(name="carrier", host="127.0.0.2"),)
    )
    folders = [CONFIG / name for name in ("catalogues", "accounts", "contracts", "tenants")]
    assert not (await door.apply(settings, folders, author="first")).findings
    return settings


async def facts(settings: Settings) -> int:
    """Count the facts that are stored; each order has its revision of the tenant, and it comes into force."""
    connection = await db.connect(settings.database, application="test")
    try:
        orders = await connection.fetchval("SELECT count(*) FROM contract_fact WHERE quote IS NOT NULL")
        revision = await connection.fetchval("SELECT max(revision) FROM revision WHERE kind = 'tenant'")
        assert revision == 1 + orders
        await publication.catch_up(settings, connection)
        assert published.read_index(settings.published).revisions == {"acme": revision}
        return int(await connection.fetchval("SELECT count(*) FROM contract_fact"))
    finally:
        await connection.close()


@pytest.mark.parametrize("deliver", [False, True], ids=["message lost", "answer lost"])
async def test_an_order_cut_at_any_message_is_whole_or_nothing(
    settings: Settings, between: Between, monkeypatch: pytest.MonkeyPatch, *, deliver: bool
) -> None:
    """An error says that nothing is stored, an outcome that it is; sent again it is ordered once.

    What was not stored is sent again in the next round: the contract stays as short as it can.
    """
    monkeypatch.setattr(receipt, "AGAIN_S", 0.001)
    outcomes = []
    for message in range(1, MOST_MESSAGES):
        wanted = {"add": {"extension": 1}}
        quote = (await ordering.ask(settings, "acme", wanted, day=DAY, author="test")).id
        before, done = await facts(settings), None
        async with between(settings.database, [message], deliver=deliver) as (proxy, url):
            with contextlib.suppress(*db.AWAY):
                behind = settings.model_copy(update={"database": url})
                done = await ordering.order(behind, "acme", quote, day=DAY, author=f"at {message}")
        assert await facts(settings) - before == (done is not None and done.outcome == "accepted")
        if done:
            again = await ordering.order(settings, "acme", quote, day=DAY, author="test")
            assert again.outcome == "unchanged"
            assert await facts(settings) == before + 1
        outcomes.append("stored" if done else "nothing")
        if not proxy.cuts:
            break
    assert not proxy.cuts
    assert list(dict.fromkeys(outcomes)) == ["nothing", "stored"]
