"""Transfers by keys on a real Asterisk: who presses them decides and pays, and nobody else can."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest

from pbxcore import publication, sounds
from pbxcore.practice import sipp, tone
from tests.acceptance.conftest import CLOCKS_S, hung_up, press, until_heard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Pbx

VOICE, WAITING = 440, 700  # Hz
BLIND, ATTENDED = "*1", "*2"
TALK_S = 1.0  # of those who were connected; they talk until they are ended, however long connecting them took


@pytest.fixture(scope="module")
def keyed(pbx: Pbx, tmp_path_factory: pytest.TempPathFactory) -> Pbx:
    """Give the PBX whose tenant has keys, and music of its own."""
    folder: Path = tmp_path_factory.mktemp("sounds")
    sounds.add(pbx.settings.sounds, "acme", tone.write(folder / "waiting.wav", WAITING))
    document: dict[str, Any] = copy.deepcopy(pbx.tenant)
    document |= {"transfer_keys": {"blind": BLIND, "attended": ATTENDED}}
    document |= {"music": {"waiting": ["waiting"]}, "on_hold": "waiting"}
    pbx.publish(document, 2)
    assert all(one.done for one in asyncio.run(publication.announce(pbx.settings.run_dir)))
    return pbx


async def test_a_caller_is_sent_on_by_keys(keyed: Pbx) -> None:
    """Bruno presses *1 and a number outside: his caller hears the tenant's music, then them; he pays."""
    async with keyed.baresip("p11", answers=True) as bruno, keyed.outsider("+4915112345678") as caller:
        await bruno.register()
        await caller.call_in("+493055500111")
        await bruno.until("CALL_ESTABLISHED")
        await press(bruno, f"{BLIND}066411310222")
        question = await asyncio.to_thread(keyed.decided, origin="transfer")
        await caller.until("CALL_CLOSED")
        assert tone.heard(caller.heard(), (VOICE, WAITING))[-2:] == (WAITING, VOICE)
    assert (question["facts"]["actor"], question["facts"]["endpoint"]) == ("acme-p11", "trunk-carrier")
    (leg,) = keyed.trunk_legs(question["linkedid"])
    assert (leg["payer"], leg["why"], leg["num"]) == ("acme/11", "transfer", "+4966411310222")
    assert leg["seconds"] == pytest.approx(2.0, abs=CLOCKS_S)


async def test_a_phone_asks_before_it_connects(keyed: Pbx) -> None:
    """Anna presses *2 and a number while she talks to one outside, then hangs up: the two talk on."""
    async with keyed.baresip("p10") as anna:
        await anna.register()
        await anna.command("dial", "06641132001")
        await anna.until("CALL_ESTABLISHED")
        await press(anna, f"{ATTENDED}06641132002")
        question = await asyncio.to_thread(keyed.decided, origin="consult")
        await asyncio.to_thread(keyed.until, lambda: _is_answered(keyed, "+496641132002"))
        await anna.command("hangup")
        await anna.until("CALL_CLOSED")
    await asyncio.to_thread(keyed.until, lambda: hung_up(keyed, question["linkedid"]) == ["PJSIP/acme-p10"])
    await asyncio.sleep(TALK_S)
    assert hung_up(keyed, question["linkedid"]) == ["PJSIP/acme-p10"]
    await asyncio.to_thread(keyed.hang_up)
    assert question["facts"]["actor"] == "acme-p10"
    legs = keyed.trunk_legs(question["linkedid"])
    assert [(leg["num"], leg["payer"], leg["why"]) for leg in legs] == [
        ("+496641132001", "acme/10", "call"),
        ("+496641132002", "acme/10", "call"),
    ]
    assert hung_up(keyed, question["linkedid"]) == [
        "PJSIP/acme-p10", "PJSIP/trunk-carrier", "PJSIP/trunk-carrier",
    ]  # fmt: skip


async def test_nobody_outside_can_press_keys(keyed: Pbx) -> None:
    """A caller from outside who presses *1 talks on to whom they called, who hears no music."""
    async with keyed.baresip("p11", answers=True) as bruno, keyed.outsider("+4915112345678") as caller:
        await bruno.register()
        await caller.call_in("+493055500111")
        await bruno.until("CALL_ESTABLISHED")
        before = len(keyed.decisions())
        await press(caller, BLIND)
        await until_heard(bruno, VOICE, tone.heard_s(bruno.heard(), VOICE) + 1.0)
        assert len(keyed.decisions()) == before
        await caller.command("hangup")
        await bruno.until("CALL_CLOSED")
        assert tone.heard(bruno.heard(), (VOICE, WAITING)) == (VOICE,)


def _is_answered(pbx: Pbx, number: str) -> bool:
    return any(m.status == sipp.OK and m.method == "INVITE" for m in pbx.far_end(number))
