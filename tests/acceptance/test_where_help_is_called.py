"""Where an emergency caller's phone stands, as a carrier is told on a real Asterisk."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from pbxcore.practice import sipp
from tests.acceptance.carriers import carrier_that_refuses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Pbx

    Runs = list[sipp.Run]

OFFICE = {"city": "Berlin", "postal_code": "10115", "street": "Invalidenstraße", "house_number": "5 b"}
HOME = {"country": "AT", "city": "Wien", "street": "Alte & Neue Gasse", "name": "Doris O'Hara"}


@pytest.fixture
def located(pbx: Pbx) -> Iterator[Pbx]:
    """Let the tenant's phones stand in its office, but one at home."""
    extensions: dict[str, Any] = pbx.tenant["extensions"]
    doris = extensions["13"] | {"devices": [{"device": "p13", "location": "home"}]}
    document = pbx.tenant | {
        "locations": {"office": OFFICE, "home": HOME}, "location": "office",
        "extensions": extensions | {"13": doris},
    }  # fmt: skip
    with pbx.in_force(document):
        yield pbx


def place(invite: sipp.SipMessage) -> dict[str, str]:
    """Read the civic address that an INVITE carries; nothing where it carries none."""
    if not invite.header("Geolocation"):
        assert "civicAddr" not in invite.text
        return {}
    return {name: html.unescape(text) for name, text in re.findall(r"<ca:(\w+)>([^<]*)</ca:", invite.text)}


async def told(pbx: Pbx, number: str, since: int) -> sipp.SipMessage:
    """Wait for the carrier's next INVITE to a number."""
    await asyncio.to_thread(pbx.until, lambda: len(invites(pbx, number)) > since)
    return invites(pbx, number)[-1]


def invites(pbx: Pbx, number: str) -> list[sipp.SipMessage]:
    """Give all INVITEs to a number so far."""
    return [one for one in pbx.far_end(number) if one.start.startswith("INVITE")]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("p10", {"country": "DE", "A3": "Berlin", "PC": "10115", "RD": "Invalidenstraße", "HNO": "5 b",
                 "NAM": "Acme"}),
        ("p13", {"country": "AT", "A3": "Wien", "RD": "Alte & Neue Gasse", "NAM": "Doris O'Hara"}),
    ],
)  # fmt: skip
async def test_who_calls_for_help_is_found(
    located: Pbx, runs: Runs, device: str, expected: dict[str, str]
) -> None:
    """The carrier has the address of the very phone, and may route by it; nobody's other call carries one."""
    phone = located.phone(device)
    await phone.register()
    before = len(invites(located, "112"))
    runs.append(call := await phone.call("112", talk_ms=100))
    await call.wait()
    invite = await told(located, "112", before)
    assert place(invite) == expected
    assert invite.header("Geolocation-Routing") == "yes"
    runs.append(call := await phone.call("06641110090", talk_ms=100))
    await call.wait()
    (invite,) = invites(located, "+496641110090")[-1:]
    assert place(invite) == {}


async def test_who_sends_a_caller_to_help_says_where(located: Pbx, runs: Runs) -> None:
    """A caller from outside whom a phone sends to 112 is where that phone is, as far as anybody knows."""
    doris = located.phone("p13")
    await doris.register()
    before = len(invites(located, "112"))
    runs.append(await doris.take(sipp.answering(ring_ms=0, talk_ms=1_000, refer_to="112")))
    runs.append(caller := await located.carrier.call("+493055500101", port=located.port(), talk_ms=1_500))
    await caller.wait()
    assert place(await told(located, "112", before))["A3"] == "Wien"


async def test_a_trunk_that_takes_no_location_is_told_none(located: Pbx, runs: Runs) -> None:
    """It may not understand a second body; the emergency call goes out as ever."""
    anna = located.phone("p10")
    await anna.register()
    with carrier_that_refuses(located, 503):
        runs.append(call := await anna.call("112", talk_ms=100))
        assert 200 in [m.status for m in await call.wait() if m.method == "INVITE"]
    log = (located.settings.state / "backup" / "messages.log").read_text(errors="replace")
    invite = [one for one in sipp.parse(log) if one.start.startswith("INVITE sip:112")][-1]
    assert invite.header("Content-Type") == "application/sdp"
    assert place(invite) == {}


async def test_a_phone_of_nowhere_calls_for_help(pbx: Pbx, runs: Runs) -> None:
    """Who has said nothing of where phones stand loses nothing but that."""
    anna = pbx.phone("p10")
    await anna.register()
    before = len(invites(pbx, "112"))
    runs.append(call := await anna.call("112", talk_ms=100))
    assert 200 in [m.status for m in await call.wait() if m.method == "INVITE"]
    assert place(await told(pbx, "112", before)) == {}
