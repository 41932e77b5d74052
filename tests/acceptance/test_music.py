"""Music and announcements on a real Asterisk: what the other side hears, by what its phone recorded."""

from __future__ import annotations

import asyncio
import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from dialplan.build import build_plan, texts_of
from dialplan.spec import TenantSpec
from pbxcore import phones, publication, sounds, speech
from pbxcore.practice import sipp, tone
from tests.acceptance.conftest import until_heard

if TYPE_CHECKING:
    from pathlib import Path

    from pbxcore.practice.baresip import Baresip
    from tests.acceptance.conftest import Pbx

VOICE, WAITING, BRAND, SECOND, THEIRS = 440, 700, 1000, 1300, 1700  # Hz; a phone's voice is 440
TONES = (VOICE, WAITING, BRAND, SECOND, THEIRS)
QUIET = 1_000  # of 32,767: a pause sounds like any other
Samples = npt.NDArray[np.float64]
Runs = list[sipp.Run]


def _bring(pbx: Pbx, tmp_path: Path, tenant: str, **files: int) -> None:
    for name, frequency_hz in files.items():
        sound = tone.write(tmp_path / f"{name}.wav", frequency_hz)
        sounds.add(pbx.settings.sounds, tenant, sound)


def _with_music(pbx: Pbx, music: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(pbx.tenant)
    document |= {"music": music, "on_hold": "waiting"}
    document["extensions"]["13"]["on_hold"] = "brand"
    return document


async def _talk(caller: Baresip, called: Baresip) -> None:
    """Let a phone call extension 11, and wait until that hears its voice."""
    await called.register()
    await caller.register()
    await caller.command("dial", "11")
    await caller.until("CALL_ESTABLISHED")
    await until_heard(called, VOICE, 0.5)


@dataclass(slots=True)
class Talk:
    """A call of a phone of the first stack, which echoes the voice of the called side."""

    pbx: Pbx
    phone: sipp.SippPhone
    call: sipp.Run
    called: Baresip
    turns: int = 0

    async def hold(self, hz: int) -> None:
        """Hold the called side until it hears a tone, and talk on until it hears its voice."""
        for one in (hz, VOICE):
            before = tone.heard_s(self.called.heard(), one)
            self.turns += 1
            await self.phone.hold(self.call, self.turns, port=self.pbx.port())
            await until_heard(self.called, one, before + 0.5)

    async def end(self) -> tuple[int, ...]:
        """Hang up; give what the called side has heard."""
        await asyncio.to_thread(self.pbx.hang_up)
        await self.called.until("CALL_CLOSED")
        return tone.heard(self.called.heard(), TONES)


async def _calling(
    pbx: Pbx, runs: Runs, called: Baresip, device: str, number: str, *, tenant: str = "acme"
) -> Talk:
    """Let a phone call a number, and wait until the called side hears itself."""
    await called.register()
    phone = pbx.phone(device, tenant=tenant)
    runs.append(call := await phone.call(number, talk_ms=sipp.LONG_MS))
    await until_heard(called, VOICE, 0.5)
    return Talk(pbx, phone, call, called)


@pytest.fixture
def music(pbx: Pbx, tmp_path: Path) -> Pbx:
    """Give the PBX with three sounds and two classes of its tenant in force."""
    _bring(pbx, tmp_path, "acme", waiting=WAITING, brand=BRAND, second=SECOND)
    pbx.publish(_with_music(pbx, {"waiting": ["waiting"], "brand": ["brand"]}), 2)
    assert pbx.reload()["asterisk"] == "done"
    return pbx


@pytest.mark.row("3.2")
@pytest.mark.row("X.2")
async def test_a_held_caller_hears_the_tenants_music(music: Pbx, runs: Runs) -> None:
    """Between voices the other side hears the tenant's sound, and the changed one at the next hold."""
    async with music.baresip("p11", answers=True) as bruno:
        anna = await _calling(music, runs, bruno, "p10", "11")
        await anna.hold(WAITING)
        music.publish(_with_music(music, {"waiting": ["second"], "brand": ["brand"]}), 3)
        assert music.reload()["asterisk"] == "done"
        await anna.hold(SECOND)
        assert await anna.end() == (VOICE, WAITING, VOICE, SECOND, VOICE)


async def test_an_extension_may_have_music_of_its_own(music: Pbx, runs: Runs) -> None:
    """Who is put on hold by an extension with `on_hold` hears that."""
    async with music.baresip("p11", answers=True) as bruno:
        doris = await _calling(music, runs, bruno, "p13", "11")
        await doris.hold(BRAND)
        assert await doris.end() == (VOICE, BRAND, VOICE)


async def test_sounds_are_played_in_their_order(music: Pbx, tmp_path: Path) -> None:
    """The list is played from its first sound to its last, and from the first again."""
    for name, hz in (("b", WAITING), ("c", BRAND), ("a", SECOND)):
        file = tone.write(tmp_path / f"{name}.wav", hz, duration_s=1)
        sounds.add(music.settings.sounds, "acme", file)
    music.publish(_with_music(music, {"waiting": ["b", "c", "a"], "brand": ["brand"]}), 3)
    assert music.reload()["asterisk"] == "done"
    async with music.baresip("p11", answers=True) as bruno, music.baresip("p10") as anna:
        await _talk(anna, bruno)
        await anna.command("hold")
        await until_heard(bruno, WAITING, 1.5)  # a second time
        assert tone.heard(bruno.heard(), TONES)[:5] == (VOICE, WAITING, BRAND, SECOND, WAITING)


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
    assert music.reload()["asterisk"] == "done"
    async with music.baresip("p21", tenant="beta", answers=True) as theirs:
        caller = await _calling(music, runs, theirs, "p20", "21", tenant="beta")
        await caller.hold(THEIRS)
        assert await caller.end() == (VOICE, THEIRS, VOICE)
    music.publish(music.tenant, 4)
    assert music.reload()["asterisk"] == "done"
    async with music.baresip("p11", answers=True) as bruno, music.baresip("p10") as anna:
        await _talk(anna, bruno)
        before = _no_voice_s(bruno)
        await anna.command("hold")
        await asyncio.to_thread(music.until, lambda: _no_voice_s(bruno) > before + 1.0)
        assert tone.heard(bruno.heard(), TONES) == (VOICE,)


GAMMA: dict[str, Any] = {
    "version": 1, "tenant": "gamma", "name": "Gamma", "account": "gamma", "country": "DE",
    "time_zone": "Europe/Berlin", "music": {"waiting": ["waiting"]}, "on_hold": "waiting",
    "numbers": {"+493044400130": {"to": "extension 30"}},
    "extensions": {"30": {"name": "Gina", "devices": ["p30"]}},
}  # fmt: skip


@pytest.mark.parametrize("sends_on", ["forward", "transfer"])
async def test_who_was_sent_on_hears_the_music_of_where_it_is(
    music: Pbx, tmp_path: Path, runs: Runs, sends_on: str
) -> None:
    """By a tenant whose phones may transfer by keys, to another: held there, a caller hears that one's."""
    _bring(music, tmp_path, "gamma", waiting=THEIRS)
    music.publish(GAMMA, 1)
    document = _with_music(music, {"waiting": ["waiting"], "brand": ["brand"]})
    document["transfer_keys"] = {"blind": "*1"}
    forward = {"no_answer": {"to": "number +493044400130", "after_s": 5}}
    document["extensions"]["11"] |= {"forward": forward} if sends_on == "forward" else {}
    music.publish(document, 7)
    assert music.reload()["asterisk"] == "done"
    bruno = music.phone("p11")
    await bruno.register()
    does = (
        sipp.answering(ring_ms=60_000, start_at="silent")
        if sends_on == "forward"
        else sipp.answering(ring_ms=0, refer_to="+493044400130")
    )
    runs.append(await bruno.take(does))
    async with (
        music.baresip("p30", tenant="gamma", answers=True) as gina,
        music.outsider("+4915112345678") as outside,
    ):
        await gina.register()
        await outside.call_in("+493055500111")
        await gina.until("CALL_ESTABLISHED")
        await until_heard(outside, VOICE, 0.5)
        await gina.command("hold")
        await until_heard(outside, THEIRS, 0.5)
        await outside.command("hangup")
        await outside.until("CALL_CLOSED")
        assert WAITING not in tone.heard(outside.heard(), TONES)


def _no_voice_s(phone: Baresip) -> float:
    """Give for how long a phone has heard something else than a voice."""
    sound = phone.heard()
    return len(sound) / (2 * tone.RATE_HZ) - tone.heard_s(sound, VOICE)


def _with_announcements(pbx: Pbx) -> dict[str, Any]:
    """Let calls to a number be welcomed by a tone for each language, and hear another one while it rings."""
    document = copy.deepcopy(pbx.tenant)
    document["numbers"]["+493055500111"] = {"to": "announcement welcome"}
    document["numbers"]["+493055500112"] = {"to": "announcement spoken"}
    document["numbers"]["+493055500113"] = {"to": "announcement away"}
    document["extensions"]["11"]["while_ringing"] = "announcement wait"
    document["announcements"] = {
        "welcome": {"recorded": {"en": "welcome", "it": "benvenuto"}, "then": "extension 11"},
        "away": {"recorded": {"en": "welcome", "it": "benvenuto"}, "then": "busy"},
        "wait": {"recorded": "waiting"},
        "spoken": {"spoken": "One moment please, we are connecting you.", "then": "busy"},
    }
    return document


@pytest.mark.parametrize(("caller", "welcome"), [("+390612345678", SECOND), ("+4915112345678", BRAND)])
async def test_what_a_caller_hears_before_it_rings_and_while_it_does(
    music: Pbx, tmp_path: Path, caller: str, welcome: int
) -> None:
    """A caller from Italy is welcomed in Italian, others in the tenant's language; then a sound repeats.

    When the extension rings the caller's phone writes what it hears anew, so what comes before is held by a
    call that ends with it.
    """
    _bring(music, tmp_path, "acme", welcome=BRAND, benvenuto=SECOND)
    music.publish(_with_announcements(music), 5)
    assert music.reload()["asterisk"] == "done"
    async with music.outsider(caller) as outside:
        await outside.call_in("+493055500113")
        await outside.until("CALL_CLOSED")
        assert tone.heard(outside.heard(), TONES) == (welcome,)
        said = outside.said()
        assert said.index("SIP Progress: 183") < said.index("incoming rtp"), "the phone expects sound first"
    async with music.baresip("p11") as bruno, music.outsider(caller) as outside:
        await bruno.register()
        await outside.call_in("+493055500111")
        await until_heard(outside, WAITING, 2.2)
        await bruno.command("accept")
        await outside.until("CALL_ESTABLISHED")
        await until_heard(outside, VOICE, 0.5)
        await outside.command("hangup")
        await outside.until("CALL_CLOSED")
        assert tone.heard(outside.heard(), (VOICE, WAITING)) == (WAITING, VOICE)
        assert tone.heard_s(outside.heard(), WAITING) > 2.1, "the sound lasts 2 s"


@pytest.mark.row("3.2")
@pytest.mark.row("X.2")
async def test_a_text_is_heard_as_it_was_spoken(music: Pbx, speech_root: Path) -> None:
    """The caller hears the sound that the engine made of the text, before anybody answers."""
    (music.settings.state / speech.TREE).symlink_to(speech_root)
    document = _with_announcements(music)
    spec = TenantSpec.model_validate(document)
    (text,) = texts_of(spec, spec.announcements["spoken"])
    speech.speak(music.settings.state, "acme", (text,))
    music.publish(document, 6)
    assert music.reload()["asterisk"] == "done"
    made = (music.settings.sounds / "acme" / f"{text.name}.wav").read_bytes()
    async with music.outsider("+4915112345678") as outside:
        await outside.call_in("+493055500112")
        await outside.until("CALL_CLOSED")
        assert _likeness(made, outside.heard()) > 0.8


def _likeness(sound: bytes, heard: bytes) -> float:
    """Give how well a sound is found in what was heard: 1 is the same, 0 nothing of it.

    The median of pieces of a quarter of a second: where a busy machine let a packet come late, one is torn.
    """
    made, came = (
        np.frombuffer(one[44:][: (len(one) - 44) & ~1], dtype="<i2").astype(float) for one in (sound, heard)
    )
    pieces = np.split(made, range(tone.RATE_HZ // 4, len(made), tone.RATE_HZ // 4))[:-1]
    return float(np.median([_found(piece, came) for piece in pieces if np.abs(piece).max() > QUIET]))


def _found(piece: Samples, came: Samples) -> float:
    products = np.correlate(came, piece, mode="valid")
    powers = np.convolve(came**2, np.ones(len(piece)), mode="valid")
    return float(np.max(products / np.sqrt(np.maximum(powers, 1) * (piece**2).sum())))
