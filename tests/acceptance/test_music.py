"""Music on hold on a real Asterisk: what the other side hears, measured in what its phone recorded."""

from __future__ import annotations

import copy
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore import phones, publication, sounds
from pbxcore.practice import sipp, tone

if TYPE_CHECKING:
    from pathlib import Path

    from pbxcore.practice.baresip import Baresip
    from tests.acceptance.conftest import Pbx

VOICE, WAITING, BRAND, SECOND, THEIRS = 440, 700, 1000, 1300, 1700  # Hz; a phone's voice is 440
TONES = (VOICE, WAITING, BRAND, SECOND, THEIRS)
Runs = list[sipp.Run]


def _reload(pbx: Pbx) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(pbx.settings.run_dir / "control.sock"))
        line.sendall(json.dumps({"do": "reload"}).encode() + b"\n")
        return dict(json.loads(line.makefile().readline()))


def _bring(pbx: Pbx, tmp_path: Path, tenant: str, **files: int) -> None:
    for name, frequency_hz in files.items():
        sounds.add(pbx.settings.sounds, tenant, tone.write(tmp_path / f"{name}.wav", frequency_hz))


def _with_music(pbx: Pbx, music: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(pbx.tenant)
    document |= {"music": music, "on_hold": "waiting"}
    document["extensions"]["13"]["on_hold"] = "brand"
    return document


async def _heard(caller: sipp.Run, called: Baresip) -> tuple[int, ...]:
    """Wait until a call is over; give what the called side has heard. A sipp phone echoes its voice."""
    await caller.wait()
    await called.until("CALL_CLOSED")
    return tone.heard(called.heard(), TONES)


@pytest.fixture
def music(pbx: Pbx, tmp_path: Path) -> Pbx:
    """Give the PBX with three sounds and two classes of its tenant in force."""
    _bring(pbx, tmp_path, "acme", waiting=WAITING, brand=BRAND, second=SECOND)
    pbx.publish(_with_music(pbx, {"waiting": ["waiting"], "brand": ["brand"]}), 2)
    assert _reload(pbx)["asterisk"] == "done"
    return pbx


@pytest.mark.row("3.2")
@pytest.mark.row("X.2")
async def test_a_held_caller_hears_the_tenants_music(music: Pbx, runs: Runs) -> None:
    """Between voices the other side hears the tenant's sound, and the changed one at the next hold."""
    async with music.baresip("p11", answers=True) as bruno:
        await bruno.register()
        runs.append(anna := await music.phone("p10").call("11", holds=2))
        await anna.until(method="INVITE", text="a=sendonly")
        music.publish(_with_music(music, {"waiting": ["second"], "brand": ["brand"]}), 3)
        assert _reload(music)["asterisk"] == "done"
        assert await _heard(anna, bruno) == (VOICE, WAITING, VOICE, SECOND, VOICE)


async def test_an_extension_may_have_music_of_its_own(music: Pbx, runs: Runs) -> None:
    """Who is put on hold by an extension with `on_hold` hears that."""
    async with music.baresip("p11", answers=True) as bruno:
        await bruno.register()
        runs.append(doris := await music.phone("p13").call("11", holds=1))
        assert await _heard(doris, bruno) == (VOICE, BRAND, VOICE)


async def test_sounds_are_played_in_their_order(music: Pbx, tmp_path: Path, runs: Runs) -> None:
    """The list is played from its first sound to its last, and from the first again."""
    for name, hz in (("b", WAITING), ("c", BRAND), ("a", SECOND)):
        file = tone.write(tmp_path / f"{name}.wav", hz, duration_s=1)
        sounds.add(music.settings.sounds, "acme", file)
    music.publish(_with_music(music, {"waiting": ["b", "c", "a"], "brand": ["brand"]}), 3)
    assert _reload(music)["asterisk"] == "done"
    async with music.baresip("p11", answers=True) as bruno:
        await bruno.register()
        runs.append(anna := await music.phone("p10").call("11", holds=1, hold_ms=3_600))
        assert await _heard(anna, bruno) == (VOICE, WAITING, BRAND, SECOND, WAITING, VOICE)


async def test_another_tenant_hears_its_own(music: Pbx, tmp_path: Path, runs: Runs) -> None:
    """A class of the same name is each tenant's own; a tenant without music has the machine's."""
    _bring(music, tmp_path, "beta", waiting=THEIRS)
    beta = {
        "version": 1, "tenant": "beta", "name": "Beta", "account": "beta", "country": "DE",
        "time_zone": "Europe/Berlin", "music": {"waiting": ["waiting"]}, "on_hold": "waiting",
        "extensions": {str(n): {"name": "B", "devices": [f"p{n}"]} for n in (20, 21)},
    }  # fmt: skip
    plan = build_plan(TenantSpec.model_validate(beta), revision=1, trunks=())
    publication.write_plan(music.settings.published, plan)
    phones.publish(music.settings, plan)
    index = json.loads((music.settings.published / "index.json").read_text())
    index["tenants"]["beta"] = 1
    publication.write_aside(music.settings.published / "index.json", json.dumps(index))
    assert _reload(music)["asterisk"] == "done"
    async with music.baresip("p21", tenant="beta", answers=True) as theirs:
        await theirs.register()
        runs.append(caller := await music.phone("p20", tenant="beta").call("21", holds=1))
        assert await _heard(caller, theirs) == (VOICE, THEIRS, VOICE)
    music.publish(music.tenant, 4)
    assert _reload(music)["asterisk"] == "done"
    async with music.baresip("p11", answers=True) as bruno:
        await bruno.register()
        runs.append(anna := await music.phone("p10").call("11", holds=1))
        assert await _heard(anna, bruno) == (VOICE,)
