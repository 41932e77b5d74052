"""Calls that leave and enter through a trunk, on a real Asterisk: what the far end sees and what is recorded."""

from pbxcore.practice import sipp


async def test_extension_calls_outside(pbx, runs: list[sipp.Run]) -> None:
    """The carrier sees who calls and whom to call back; exactly one leg is recorded, with the far end's seconds."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(caller := await anna.call("0664 1110000".replace(" ", ""), talk_ms=1200))
    await caller.wait()
    print(pbx.decisions()[-1])
    far = pbx.far_end("+49664111000")
    for m in far: print(m.at, m.sent, m.text)
    assert 0


async def test_did_group_nobody_forward(pbx, runs):
    anna, bruno = pbx.phone("p10"), pbx.phone("p11")
    await anna.register()
    await bruno.register()
    runs.append(a := await anna.take(sipp.answering(ring_ms=60000)))
    runs.append(b := await bruno.take(sipp.answering(ring_ms=60000)))
    runs.append(c := await pbx.carrier.call("+493055500100", port=pbx.port(), talk_ms=1200))
    await c.wait()
    for m in pbx.far_end("+436641110003"): print(m.at, m.sent, m.text)
    for x in pbx.legs(): print(x)
    assert 0
