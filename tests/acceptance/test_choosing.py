"""Which number a call shows, chosen by the phone for one call, on a real Asterisk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbxcore.practice import sipp
    from tests.acceptance.conftest import Pbx

FIRST = "+493055500111"


async def test_a_phone_chooses_what_a_call_shows(pbx: Pbx, runs: list[sipp.Run]) -> None:
    """The carrier sees the chosen number in this call and the usual one in the next; the extension pays."""
    extensions = pbx.tenant["extensions"]
    document = pbx.tenant | {"extensions": extensions | {"10": extensions["10"] | {"caller_ids": [FIRST]}}}
    anna = pbx.phone("p10")
    with pbx.in_force(document):
        await anna.register()
        seen = {}
        for dialled, called in {"*59106641110095": "+496641110095", "06641110096": "+496641110096"}.items():
            runs.append(call := await anna.call(dialled, talk_ms=100))
            await call.wait()
            (invite,) = [one for one in pbx.far_end(called) if one.start.startswith("INVITE")]
            seen[dialled] = invite.header("From").partition("@")[0]
            asked = await asyncio.to_thread(pbx.decided, dialled=dialled)
            (leg,) = await asyncio.to_thread(pbx.trunk_legs, asked["linkedid"])
            assert (leg["payer"], leg["why"], leg["num"]) == ("acme/10", "call", called)
    assert seen == {"*59106641110095": f"<sip:{FIRST}", "06641110096": "<sip:+493055500100"}


async def test_help_is_called_whatever_is_chosen(pbx: Pbx, runs: list[sipp.Run]) -> None:
    """Nobody is asked, and the number to call back is that of the phone."""
    anna = pbx.phone("p10")
    await anna.register()
    before = len(pbx.decisions())
    runs.append(call := await anna.call("*591112", talk_ms=100))
    assert 200 in [m.status for m in await call.wait() if m.method == "INVITE"]
    invite = [one for one in pbx.far_end("112") if one.start.startswith("INVITE")][-1]
    assert invite.header("From").startswith("<sip:+493055500100@")
    assert len(pbx.decisions()) == before
