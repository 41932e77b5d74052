"""Changes and rollbacks while calls are running: no caller notices, and each new call is decided whole."""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pbxcore.machine.services import environment
from pbxcore.practice import sipp, tone

if TYPE_CHECKING:
    from tests.acceptance.conftest import Pbx

CONFIG = Path(__file__).parents[2] / "config"
CHANGES = 4  # each an apply and a rollback
CALLERS = 3
LONGEST_GAP_S = 0.5  # in speech; a reload that Asterisk's channels notice takes seconds
VOICE = 440  # Hz, what a phone of the second stack says
DORIS = "+493055500101"


def _changed(tenant: dict[str, Any]) -> dict[str, Any]:
    """Give the tenant with more phones, another group, other lamps and another name that is shown."""
    changed = copy.deepcopy(tenant)
    changed["extensions"]["10"]["name"] = "Anna Albrecht"
    changed["extensions"]["13"]["devices"].append({"device": "p23"})
    changed["extensions"]["14"] = {"name": "Emil", "devices": [{"device": "p14"}], "voicemail": {}}
    changed["groups"]["sales"] |= {"members": ["11", "14"], "timeout_s": 9}
    return changed


async def _say(pbx: Pbx, database: str, *words: str) -> dict[str, Any]:
    """Run a command that changes something; give what it says."""
    settings = pbx.settings.model_copy(update={"database": database, "config": CONFIG})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pbxcore", *words, "--json",
        env=environment(settings), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return dict(json.loads(said))


async def _calls(pbx: Pbx, changing: asyncio.Task[None]) -> int:
    """Bring one call after the other from outside until all changes are done; give how many."""
    number, carrier, port = 0, pbx.carrier, pbx.port()
    while not changing.done():
        caller = await carrier.call(DORIS, port=port, talk_ms=300)
        try:
            said = await caller.wait()
        finally:
            await caller.end()
        assert max(m.status for m in said if m.method == "INVITE") == 200
        number += 1
    return number


@pytest.mark.row("X.3")
async def test_a_rollback_under_load_is_heard_by_no_caller(
    pbx: Pbx, runs: list[sipp.Run], database: str, tmp_path: Path
) -> None:
    """Two phones go on talking, every call from outside is answered, each decided by one of the revisions."""
    as_it_is, changed = tmp_path / "acme.yaml", tmp_path / "changed.yaml"
    as_it_is.write_text(yaml.safe_dump(pbx.tenant, sort_keys=False))
    changed.write_text(yaml.safe_dump(_changed(pbx.tenant), sort_keys=False))
    await _say(pbx, database, "apply", str(CONFIG / "catalogues"), str(CONFIG / "accounts"), str(as_it_is))

    async def change() -> None:
        for _ in range(CHANGES):
            for words in (("apply", str(changed)), ("rollback", "acme", "--to", "1")):
                said = await _say(pbx, database, *words)
                assert [one["done"] for one in said["published"][0]["acknowledged"]] == [True] * 3, said

    doris = pbx.phone("p13")
    await doris.register()
    runs.append(await doris.take(sipp.answering(ring_ms=50), calls=0))
    async with pbx.baresip("p11", answers=True) as bruno, pbx.baresip("p10") as anna:
        await bruno.register()
        await anna.register()
        await anna.command("dial", "11")
        await anna.until("CALL_ESTABLISHED")
        changing = asyncio.create_task(change())
        made = await asyncio.gather(*(_calls(pbx, changing) for _ in range(CALLERS)))
        await changing
        assert "CALL_CLOSED" not in {event["type"] for event in anna.events}
        await anna.command("hangup")
        await bruno.until("CALL_CLOSED")
        await anna.until("CALL_CLOSED")
        for phone in (anna, bruno):
            assert tone.longest_gap_s(phone.heard(), VOICE) < LONGEST_GAP_S
    decided = [one for one in pbx.decided_since(0, 1 + sum(made)) if one["facts"]["dialled"] == DORIS]
    assert len(decided) == sum(made)
    assert len({one["version"] for one in decided}) > CHANGES, "calls came during the changes"
    assert pbx.decisions("standby") == []
