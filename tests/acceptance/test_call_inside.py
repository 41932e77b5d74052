"""Calls between phones of a tenant, on a real Asterisk."""

from pbxcore.practice import sipp


async def test_extension_calls_extension(pbx, runs: list[sipp.Run]) -> None:
    """Two registered phones talk, and the call ends as answered."""
    anna, bruno = pbx.phone("p10"), pbx.phone("p11")
    await anna.register()
    await bruno.register()
    runs.append(callee := await bruno.take(sipp.answering(ring_ms=200)))
    runs.append(caller := await anna.call("11", talk_ms=500))
    said = await caller.wait()
    heard = await callee.wait()
    assert 200 in [m.status for m in said if m.method == "INVITE"]
    invite = next(m for m in heard if m.method == "INVITE")
    assert '"Anna" <sip:10@' in invite.header("From")
