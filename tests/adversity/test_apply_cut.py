"""The connection of a change is cut at every single message: it says whether the change is stored."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pbxcore import database as db
from pbxcore import door, publication, receipt
from pbxcore.published import read_index
from pbxcore.settings import Settings, Trunk

if TYPE_CHECKING:
    from tests.adversity.conftest import Between

CONFIG = Path(__file__).parents[2] / "config"
ACME = (CONFIG / "tenants" / "acme.yaml").read_text()
MOST_MESSAGES = 200


@pytest.fixture
async def settings(tmp_path: Path, database: str) -> Settings:
    """A machine with the example in force, on which nothing runs."""
    settings = Settings(
        state=tmp_path, config=CONFIG, database=database, trunks=(Trunk(name="carrier", host="127.0.0.2"),)
    )
    folders = [CONFIG / "catalogues", CONFIG / "accounts", CONFIG / "tenants"]
    assert not (await door.apply(settings, folders, author="first")).findings
    return settings


async def stored(settings: Settings) -> int:
    """Give the newest revision."""
    connection = await db.connect(settings.database, application="test")
    try:
        return int(await connection.fetchval("SELECT max(revision) FROM revision WHERE kind = 'tenant'"))
    finally:
        await connection.close()


async def complete(settings: Settings) -> None:
    """Do what the machine does by itself."""
    connection = await db.connect(settings.database, application="test")
    await publication.catch_up(settings, connection)
    await connection.close()


@pytest.mark.parametrize("deliver", [False, True], ids=["message lost", "answer lost"])
async def test_a_cut_at_any_message_leaves_no_doubt(
    settings: Settings, between: Between, monkeypatch: pytest.MonkeyPatch, *, deliver: bool
) -> None:
    """An error says that nothing is stored, an outcome that all is; then it is in force by itself."""
    monkeypatch.setattr(receipt, "AGAIN_S", 0.001)
    file, outcomes = settings.state / "acme.yaml", []
    for message in range(1, MOST_MESSAGES):
        file.write_text(ACME.replace("timeout_s: 12", f"timeout_s: {12 + message}"))
        before, applied = await stored(settings), None
        async with between(settings.database, [message], deliver=deliver) as (proxy, url):
            with contextlib.suppress(*db.AWAY):
                behind = settings.model_copy(update={"database": url})
                applied = await door.apply(behind, [file], author=f"at {message}")
        outcomes.append("nothing" if applied is None else "pending" if applied.pending else "in force")
        expected = before if applied is None else before + 1
        assert await stored(settings) == expected, f"message {message}: {outcomes[-1]}"
        await complete(settings)
        assert read_index(settings.published).revisions == {"acme": expected}
        if not proxy.cuts:
            break
    assert not proxy.cuts
    assert list(dict.fromkeys(outcomes)) == ["nothing", "pending", "in force"]
