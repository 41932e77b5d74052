"""Transfers on a real Asterisk while a Local channel stands between the phones: who is sent on, who pays.

It steps aside with the first sound: of real phones after some 0.3 s. These send none, so it stays; one to a
mobile stays in every call.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pbxcore.practice import sipp
from tests.acceptance.crew import CREW, LATE, Runs, another_carrier, publish, take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Pbx

LATER, WITH_MOBILE = "63", "60"
AWAY = "066411310001"
ANSWERS, SILENT = sipp.answering(ring_ms=0), sipp.answering(ring_ms=60_000, start_at="silent")


@pytest.fixture(scope="module", autouse=True)
def _late_has_an_extension(pbx: Pbx) -> None:
    """Let phones call the group with a later member, too."""
    groups = CREW["groups"]
    publish(pbx, CREW | {"groups": groups | {"late": groups["late"] | {"extension": LATER}}})


@pytest.fixture(autouse=True)
def _restored(pbx: Pbx) -> Iterator[None]:
    """Leave no call to the next test."""
    yield
    pbx.hang_up()


def _moved(pbx: Pbx, to: str) -> str:
    header = f"Contact: <sip:{to}@{pbx.server[0]}>\n"
    return sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=header)


async def _call(pbx: Pbx, runs: Runs, device: str, number: str) -> sipp.Run:
    """Let a phone call a number, or somebody outside who says that they are extension 23."""
    if device:
        phone = pbx.phone(device, tenant="crew")
        await phone.register()
        call = await phone.call(number, talk_ms=sipp.LONG_MS)
    else:
        call = await pbx.carrier.call(number, port=pbx.port(), caller="23", talk_ms=sipp.LONG_MS)
    runs.append(call)
    return call


async def _send_on(pbx: Pbx, device: str, call: sipp.Run) -> tuple[str, str, str]:
    """Let a phone send its other side outside; give who was sent, who sent it, and who pays for that leg."""
    await asyncio.to_thread(pbx.until, lambda: _is_bridged(pbx), seen=lambda: _channels(pbx))
    await pbx.phone(device, tenant="crew").send_on(call, AWAY, port=pbx.port())
    asked = await asyncio.to_thread(pbx.decided, linkedid=_call_of(pbx), origin="transfer")
    legs: list[str] = []

    def left() -> bool:
        legs[:] = [record[8] for record in pbx.legs(asked["linkedid"]) if "|why=transfer|" in record[8]]
        return bool(legs)

    await asyncio.to_thread(pbx.until, left, seen=lambda: pbx.legs(asked["linkedid"]))
    payer = legs[0].partition("|")[0].removeprefix("payer=")
    return asked["facts"]["endpoint"], asked["facts"]["actor"], payer


def _channels(pbx: Pbx) -> list[list[str]]:
    return [line.split("!") for line in pbx.asterisk("core show channels concise").splitlines()]


def _is_bridged(pbx: Pbx) -> bool:
    """Tell whether a Local channel and both phones are in bridges, and nobody rings any more."""
    channels = _channels(pbx)
    return len(channels) >= 4 and all(channel[12] for channel in channels)  # both halves


def _call_of(pbx: Pbx) -> str:
    return str(pbx.decisions()[-1]["linkedid"])


@pytest.mark.parametrize(
    ("device", "number", "moved_to", "endpoint"),
    [
        ("", LATE, LATER, "trunk-carrier"),
        ("p22", LATER, LATER, "crew-p22"),
        ("p22", "24", LATER, "crew-p22"),
        ("p22", "24", "6%2c3", "crew-p22"),
    ],
)
async def test_a_member_sends_its_caller_on_at_once(
    pbx: Pbx, runs: Runs, *, device: str, number: str, moved_to: str, endpoint: str
) -> None:
    """The member decides and pays; who is sent on is who called, whatever they say and however they came."""
    taken = await take(pbx, runs, {"20": SILENT, "21": ANSWERS, "24": _moved(pbx, moved_to)})
    await _call(pbx, runs, device, number)
    assert await _send_on(pbx, "p21", taken["21"]) == (endpoint, "crew-p21", "crew/21")


@pytest.mark.parametrize("number", [LATER, "24"])
async def test_a_caller_sends_a_member_on_at_once(pbx: Pbx, runs: Runs, number: str) -> None:
    """The caller decides and pays; who is sent on is the member's phone, behind one Local channel or two."""
    await take(pbx, runs, {"20": SILENT, "21": ANSWERS, "24": _moved(pbx, LATER)})
    call = await _call(pbx, runs, "p22", number)
    assert await _send_on(pbx, "p22", call) == ("crew-p21", "crew-p22", "crew/22")


async def test_a_caller_sends_a_mobile_of_a_group_on(pbx: Pbx, runs: Runs) -> None:
    """Who answers outside is sent on as the carrier's leg, though a Local channel stays before it."""
    await take(pbx, runs, {"20": SILENT, "21": SILENT})
    async with another_carrier(pbx, sipp.answering(ring_ms=0, press="1", refer_after_ms=1_000)):
        call = await _call(pbx, runs, "p22", WITH_MOBILE)
        assert await _send_on(pbx, "p22", call) == ("trunk-carrier", "crew-p22", "crew/22")
        pbx.hang_up()
