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
from pbxcore.practice import tone

if TYPE_CHECKING:
    from pathlib import Path

    from pbxcore.practice.baresip import Baresip
    from tests.acceptance.conftest import Pbx

VOICE, WAITING, BRAND, SECOND, THEIRS = 440, 700, 1000, 1300, 1700  # Hz; a phone's voice is 440
TONES = (VOICE, WAITING, BRAND, SECOND, THEIRS)
LISTEN_S = 0.6


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


async def _talk(caller: Baresip, called: Baresip, number: str) -> None:
    for phone in (caller, called):
        await phone.register()
    await caller.command("dial", number)
    for phone in (caller, called):
        await phone.until("CALL_ESTABLISHED")
    await called.hears(LISTEN_S)


async def _hold(holder: Baresip, held: Baresip) -> None:
    await holder.command("hold")
    await held.hears(LISTEN_S)


async def _resume(holder: Baresip, held: Baresip) -> None:
    await holder.command("resume")
    await held.hears(LISTEN_S)


async def _end(caller: Baresip, called: Baresip) -> tuple[int, ...]:
    """End a call; give what the called side has heard."""
    await caller.command("hangup")
    await called.until("CALL_CLOSED")
    return tone.heard(called.heard(), TONES)


@pytest.fixture
def music(pbx: Pbx, tmp_path: Path) -> Pbx:
    """Give the PBX with two sounds and two classes of its tenant in force."""
    _bring(pbx, tmp_path, "acme", waiting=WAITING, brand=BRAND, second=SECOND)
    pbx.publish(_with_music(pbx, {"waiting": ["waiting"], "brand": ["brand"]}), 2)
    assert _reload(pbx)["asterisk"] == "done"
    return pbx


async def test_a_held_caller_hears_the_tenants_music(music: Pbx) -> None:
    """Between voices the other side hears the tenant's sound, and the changed one at the next hold."""
    async with music.baresip("p10") as anna, music.baresip("p11", answers=True) as bruno:
        await _talk(anna, bruno, "11")
        await _hold(anna, bruno)
        await _resume(anna, bruno)
        music.publish(_with_music(music, {"waiting": ["second"], "brand": ["brand"]}), 3)
        assert _reload(music)["asterisk"] == "done"
        await _hold(anna, bruno)
        await _resume(anna, bruno)
        assert await _end(anna, bruno) == (VOICE, WAITING, VOICE, SECOND, VOICE)


async def test_an_extension_may_have_music_of_its_own(music: Pbx) -> None:
    """Who is put on hold by an extension with `on_hold` hears that."""
    async with music.baresip("p13") as doris, music.baresip("p11", answers=True) as bruno:
        await _talk(doris, bruno, "11")
        await _hold(doris, bruno)
        assert await _end(doris, bruno) == (VOICE, BRAND)


async def test_sounds_are_played_in_their_order(music: Pbx, tmp_path: Path) -> None:
    """The list is played from its first sound to its last, and from the first again."""
    for name, frequency_hz in (("b", WAITING), ("c", BRAND), ("a", SECOND)):
        sounds.add(
            music.settings.sounds, "acme", tone.write(tmp_path / f"{name}.wav", frequency_hz, duration_s=1)
        )
    music.publish(_with_music(music, {"waiting": ["b", "c", "a"], "brand": ["brand"]}), 3)
    assert _reload(music)["asterisk"] == "done"
    async with music.baresip("p10") as anna, music.baresip("p11", answers=True) as bruno:
        await _talk(anna, bruno, "11")
        await anna.command("hold")
        await bruno.hears(3.6)
        assert await _end(anna, bruno) == (VOICE, WAITING, BRAND, SECOND, WAITING)


async def test_another_tenant_hears_its_own(music: Pbx, tmp_path: Path) -> None:
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
    async with (
        music.baresip("p20", tenant="beta") as one,
        music.baresip("p21", tenant="beta", answers=True) as two,
    ):
        await _talk(one, two, "21")
        await _hold(one, two)
        assert await _end(one, two) == (VOICE, THEIRS)
    music.publish(music.tenant, 4)
    assert _reload(music)["asterisk"] == "done"
    async with music.baresip("p10") as anna, music.baresip("p11", answers=True) as bruno:
        await _talk(anna, bruno, "11")
        await _hold(anna, bruno)
        assert await _end(anna, bruno) == (VOICE,)
