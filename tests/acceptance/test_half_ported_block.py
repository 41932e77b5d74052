"""A block of numbers of which one is ported before the others, on a real Asterisk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pbxcore.practice import sipp

if TYPE_CHECKING:
    from tests.acceptance.conftest import Pbx

T, N = "+49305556", "+49302226"
DOCUMENT: dict[str, Any] = {
    "numbers": {
        T: {"ddi": 2, "to": "extension 10", "stands_for": N},
        f"{T}11": {
            "to": "extension 11",
            "stands_for": f"{N}11",
            "porting": {"confirmed": "2026-01-01T06:00", "grace_days": 1},
        },
    },
    "extensions": {number: {"name": number, "devices": [f"p{number}"]} for number in ("10", "11")},
    "groups": {},
}


@pytest.mark.parametrize(("device", "number"), [("p10", f"{T}10"), ("p11", f"{N}11")])
async def test_help_is_told_a_number_that_is_ours_today(
    pbx: Pbx, runs: list[sipp.Run], device: str, number: str
) -> None:
    """By the entry of the phone's own number, where it has one, and not by its block's; called, it rings."""
    with pbx.in_force(pbx.tenant | DOCUMENT):
        phone = pbx.phone(device)
        await phone.register()
        runs.append(call := await phone.call("112", talk_ms=100))
        await call.wait()
        invite = [m for m in pbx.far_end("112") if m.start.startswith("INVITE")][-1]
        assert invite.header("P-Asserted-Identity").startswith(f"<sip:{number}@")
        pbx.forget_help()
        runs.append(await phone.take(sipp.answering(ring_ms=0)))
        runs.append(back := await pbx.carrier.call(number, port=pbx.port(), talk_ms=100))
        assert 200 in [m.status for m in await back.wait()]


async def test_what_the_old_provider_still_forwards_is_forwarded_on(pbx: Pbx, runs: list[sipp.Run]) -> None:
    """After the porting, N has diverted a call to T: no loop, T diverts it outside, after N."""
    ported = {
        "confirmed": (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds"),
        "grace_days": 30,
    }
    document = {
        "numbers": {T: {"ddi": 2, "to": "busy", "stands_for": N, "porting": ported}},
        "extensions": {"12": {"name": "Clara", "forward": {"always": "number +436641110061"}}},
        "groups": {},
    }
    with pbx.in_force(pbx.tenant | document):
        headers = f"Diversion: <sip:{N}12@old.example>;reason=unconditional\n"
        runs.append(call := await pbx.carrier.call(f"{T}12", port=pbx.port(), headers=headers, talk_ms=100))
        assert 200 in [m.status for m in await call.wait() if m.method == "INVITE"]
        (invite,) = [m for m in pbx.far_end("+436641110061") if m.start.startswith("INVITE")]
        diverted = [one.partition("@")[0] for one in invite.headers("Diversion")]
        assert diverted == [f"<sip:{T}12", f"<sip:{N}12"]
