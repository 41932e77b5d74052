"""Calls at once on a real Asterisk: no more than tenant, extension and trunk may have, whoever decides."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from pbxcore import publication
from pbxcore.practice import sipp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
BRUNO, DORIS = "+493055500111", "+493055500113"
TALK_MS = 20_000  # until it is ended: as long as a test needs the line


@pytest.fixture(scope="module")
def limited(pbx: Pbx) -> Pbx:
    """Give the PBX with a trunk for one call, and a tenant with few lines."""
    trunks = pbx.settings.trunks
    first = trunks[0].model_copy(update={"capacity": 1})
    pbx.settings = pbx.settings.model_copy(update={"trunks": (first, *trunks[1:])})
    extensions: dict[str, Any] = {**pbx.tenant["extensions"]}
    extensions["10"] = {**extensions["10"], "max_outbound": 1}
    extensions["13"] = {"name": "Doris", "devices": ["p13"], "busy_level": 1}
    document = {
        **pbx.tenant,
        "max_inbound": 1,
        "max_outbound": 2,
        "numbers": {**pbx.tenant["numbers"], DORIS: {"to": "extension 13"}},
        "extensions": extensions,
    }
    pbx.publish(document, 2)
    said = asyncio.run(publication.announce(pbx.settings.run_dir))
    assert all(one.done for one in said), said
    return pbx


@pytest.fixture
def quiet(limited: Pbx) -> Iterator[Pbx]:
    """Give the PBX without calls, and end those of the test."""
    yield limited
    limited.hang_up()
    if "control" not in limited.running:
        limited.serve("control")


async def _up(pbx: Pbx, runs: Runs, device: str, number: str) -> None:
    """Have a phone talk with a number outside until the test has ended."""
    phone = pbx.phone(device)
    await phone.register()
    runs.append(run := await phone.call(number, talk_ms=TALK_MS))
    await run.until(status=200, text="INVITE")


async def _tries(pbx: Pbx, runs: Runs, device: str, number: str, talk_ms: int = 100) -> int:
    """Let a phone call and give the final status."""
    phone = pbx.phone(device)
    await phone.register()
    runs.append(run := await phone.call(number, talk_ms=talk_ms))
    return max(m.status for m in await run.wait() if m.method == "INVITE" and m.status != 401)


def _refused(pbx: Pbx, number: str, by: str = "control") -> bool:
    """Tell whether the last call to a number was one too many: named so, and without a leg."""
    asked = pbx.decided(by, dialled=number)
    end = pbx.end_of(asked["call"])
    named = (end["outcome"], end["by"], end["reason"]) == ("rejected", by, "too-many-calls")
    return named and pbx.trunk_legs(asked["linkedid"]) == []


async def test_no_more_lines_than_there_are(quiet: Pbx, runs: Runs) -> None:
    """One more than extension or tenant may have is refused, by the standby too; help is called still."""
    await _up(quiet, runs, "p10", "+496641110100")
    assert await _tries(quiet, runs, "p10", "+496641110101") == 503  # as many as the extension may have
    assert _refused(quiet, "+496641110101")
    await _up(quiet, runs, "p11", "+496641110102")
    left = [
        r[8] for r in quiet.legs(quiet.decided(dialled="+496641110102")["linkedid"]) if r[7] == "TRUNK_LEG"
    ]
    assert [record.rpartition("=")[2] for record in left] == ["backup"]  # there is no room on the first
    assert await _tries(quiet, runs, "p12", "+496641110103") == 503  # as many as the tenant may have
    assert _refused(quiet, "+496641110103")
    quiet.stop("control", signal.SIGKILL)
    assert await _tries(quiet, runs, "p12", "+496641110103") == 503
    assert _refused(quiet, "+496641110103", by="standby")
    assert await _tries(quiet, runs, "p10", "112") == 200
    assert [m.start.split()[0] for m in quiet.far_end("112")][:1] == ["INVITE"]  # over the full trunk


async def test_a_line_that_is_free_again(quiet: Pbx, runs: Runs) -> None:
    """When a call is over its place is free: on the trunk, of the tenant and of the extension."""
    for number in ("+496641110110", "+496641110111"):
        assert await _tries(quiet, runs, "p10", number) == 200
        asked = quiet.decided(dialled=number)
        quiet.end_of(asked["call"])
        (leg,) = quiet.trunk_legs(asked["linkedid"])
        assert leg["trunk"] == "carrier"


async def test_a_transfer_takes_no_line_off_the_count(quiet: Pbx, runs: Runs) -> None:
    """A phone that sends its call on is gone; the leg that it pays for is there, and counts."""
    async with quiet.baresip("p11", answers=True) as bruno:
        await bruno.register()
        anna = quiet.phone("p10")
        await anna.register()
        runs.append(run := await anna.call("+496641110130", talk_ms=100, refer_to="11"))
        await run.wait()
        await bruno.until("CALL_ESTABLISHED")
        assert await _tries(quiet, runs, "p10", "+496641110131") == 503
        assert _refused(quiet, "+496641110131")


async def test_never_more_at_one_instant(quiet: Pbx, runs: Runs) -> None:
    """Of calls that begin together no more than the tenant may have are answered, the others are refused."""
    calls = [_tries(quiet, runs, "p11", f"+49664111012{last}", talk_ms=1_000) for last in range(6)]
    said = await asyncio.gather(*calls)
    assert set(said) <= {200, 503}
    assert said.count(200) <= 2


async def test_calls_that_come_in(quiet: Pbx, runs: Runs) -> None:
    """A second call from outside finds the lines taken, one from inside the extension busy."""
    async with quiet.baresip("p13", answers=True) as doris:
        await doris.register()
        runs.append(first := await quiet.carrier.call(DORIS, port=quiet.port(), talk_ms=TALK_MS))
        await first.until(status=200)
        runs.append(second := await quiet.carrier.call(BRUNO, port=quiet.port(), talk_ms=100))
        assert max(m.status for m in await second.wait() if m.method == "INVITE") == 486
        assert _refused(quiet, BRUNO)
        assert await _tries(quiet, runs, "p10", "13") == 486
        assert quiet.end_of(quiet.decided(dialled="13")["call"])["outcome"] == "busy"
