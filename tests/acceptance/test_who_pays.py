"""Transfers and 302s on a real Asterisk: who pays for each trunk leg, rated once, and that it is heard.

The carrier hangs up by itself, two seconds after its answer, where a number ends in 0222.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore import phones, publication
from pbxcore.database import connect, migrate
from pbxcore.machine import postgres as postgresql
from pbxcore.machine import services
from pbxcore.practice import sipp, tone
from pbxcore.published import Index
from rating.store import stream
from tests.acceptance.conftest import CLOCKS_S, SERVE, TENANT, until_heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rating.rated import RatedLeg
    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
CONFIG = Path(__file__).parents[2] / "config"
VOICE = (
    1000  # Hz, of the caller of the second stack; phones and carriers of the first send back what they hear
)
BEFORE_REFER_S = 0.3
SEEN_LIMIT_S = 60.0
TALK_S = 1.0  # of those who were connected; they talk until they are ended, however long connecting them took
BETA: dict[str, Any] = {
    "version": 1,
    "tenant": "beta",
    "name": "Beta",
    "account": "beta",
    "country": "DE",
    "area_code": "30",
    "time_zone": "Europe/Berlin",
    "numbers": {"+493055520020": {"to": "extension 20"}},
    "extensions": {"20": {"name": "Theo", "devices": [{"device": "p20"}]}},
}


@dataclass(slots=True)
class Paying:
    """The PBX, and the database of the rater of its calls."""

    pbx: Pbx
    url: str

    async def rated(self, *numbers: str) -> list[RatedLeg]:
        """Wait until each of these numbers has a rated leg; give all of theirs, in this order."""
        connection = await connect(self.url, application="test")
        deadline = time.monotonic() + SEEN_LIMIT_S
        try:
            while True:
                legs = [entry.leg for entry in await stream.rated_since(connection, 0)]
                found = [leg for number in numbers for leg in legs if leg.number == number]
                if {leg.number for leg in found} == set(numbers):
                    return found
                assert time.monotonic() < deadline, f"of {numbers} are rated {found}"
                await asyncio.sleep(0.05)
        finally:
            await connection.close()

    async def phone(self, device: str, tenant: str = "acme") -> sipp.SippPhone:
        """Give a registered phone of the first stack."""
        phone = self.pbx.phone(device, tenant=tenant)
        await phone.register()
        return phone

    async def calls_in(self, number: str, talk_ms: int = 3_600_000) -> sipp.Run:
        """Let a caller from outside call a number of ours."""
        return await self.pbx.carrier.call(number, port=self.pbx.port(), talk_ms=talk_ms)

    def paid(self, leg: RatedLeg) -> tuple[str, str, str]:
        """Give who pays for a leg and why; its seconds must be those of the far end."""
        answered, ended = self.pbx.talk(leg.number)
        assert leg.duration_us / 1e6 == pytest.approx(ended - answered, abs=CLOCKS_S)
        return leg.account, leg.payer, leg.why


@pytest.fixture(scope="module")
def paying(pbx: Pbx, postgres: postgresql.Server) -> Iterator[Paying]:
    """Give the PBX with a second tenant on an account of its own, and a rater."""
    made = Paying(pbx, asyncio.run(_database(postgres)))
    trunks = tuple(trunk.name for trunk in pbx.settings.trunks)
    plan = build_plan(TenantSpec.model_validate(BETA), revision=1, trunks=trunks)
    publication.write_plan(pbx.settings.published, plan)
    phones.publish(pbx.settings, plan)
    publication.write_index(pbx.settings.published, Index(revisions={"acme": 1, "beta": 1}, trunks=trunks))
    assert all(one.done for one in asyncio.run(publication.announce(pbx.settings.run_dir)))
    environment = {**services.environment(pbx.settings), "PBXCORE_CONFIG": str(CONFIG),
                   "PBXCORE_DATABASE": made.url}  # fmt: skip
    pbx.start("rater", (sys.executable, "-c", SERVE, "pbxcore.rater"), **environment)
    yield made
    pbx.stop("rater")


async def _database(server: postgresql.Server) -> str:
    connection = await connect(postgresql.url(server, "postgres"), application="test")
    await connection.execute("CREATE DATABASE paying")
    await connection.close()
    url = postgresql.url(server, "paying")
    await migrate(url)
    account = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text()) | {"bundles": []}
    connection = await connect(url, application="test")
    for kind, name, document in (
        (
            "catalogue",
            "autphone@2026-01-01",
            yaml.safe_load((CONFIG / "catalogues/autphone.yaml").read_text()),
        ),
        ("account", "acme", account),
        ("account", "beta", {**account, "account": "beta"}),
        ("tenant", "acme", TENANT),
        ("tenant", "beta", BETA),
    ):
        text = json.dumps(document, default=str)
        await connection.execute("INSERT INTO revision VALUES ($1, $2, 1, $3, '', 'test')", kind, name, text)
    await connection.close()
    return url


async def test_who_sends_their_own_call_on_pays_for_both_legs(paying: Paying, runs: Runs) -> None:
    """Anna calls outside and sends that party on outside by REFER: both legs are hers."""
    anna = await paying.phone("p10")
    runs.append(call := await anna.call("06641120001", refer_to="066411200222"))
    await call.wait()
    first, second = await paying.rated("+496641120001", "+4966411200222")
    assert paying.paid(first) == ("acme", "acme/10", "call")
    assert paying.paid(second) == ("acme", "acme/10", "transfer")
    assert first.ended_us - second.ended_us < 1_000_000 < first.duration_us - second.duration_us + 1_000_000


async def test_who_sends_a_caller_on_pays(paying: Paying, runs: Runs) -> None:
    """A caller from outside, sent on outside by REFER, is heard there and pays nothing; Bruno does."""
    bruno = await paying.phone("p11")
    runs.append(await bruno.take(sipp.answering(ring_ms=0, refer_to="066411210222")))
    async with paying.pbx.outsider("+4915112345678", tone_hz=VOICE) as caller:
        await caller.call_in("+493055500111")
        await caller.until("CALL_CLOSED")
        assert tone.heard_s(caller.heard(), VOICE) > BEFORE_REFER_S + 1.0
    (leg,) = await paying.rated("+4966411210222")
    assert paying.paid(leg) == ("acme", "acme/11", "transfer")


async def test_who_sends_another_tenants_phone_on_pays(paying: Paying, runs: Runs) -> None:
    """A phone of another tenant, sent on outside by Bruno, is on Bruno's bill and not on its own."""
    bruno, theo = await paying.phone("p11"), await paying.phone("p20", "beta")
    runs.append(await bruno.take(sipp.answering(ring_ms=0, refer_to="066411220222")))
    runs.append(caller := await theo.call("+493055500111", talk_ms=3_600_000))
    await caller.wait()
    (leg,) = await paying.rated("+4966411220222")
    assert paying.paid(leg) == ("acme", "acme/11", "transfer")


async def test_two_outside_parties_are_left_talking(paying: Paying, runs: Runs) -> None:
    """Anna calls two parties outside and connects them: two legs, both hers, that go on when she is gone."""
    anna, again = await paying.phone("p10"), paying.pbx.phone("p10")
    runs.append(one := await anna.call("06641123001", talk_ms=3_600_000))
    await one.until(status=sipp.OK, text="m=audio")
    runs.append(two := await again.call("06641123002", talk_ms=3_600_000))
    await two.until(status=sipp.OK, text="m=audio")
    left = await anna.transfer(one, two, port=paying.pbx.port())
    await asyncio.sleep(TALK_S)
    await asyncio.to_thread(paying.pbx.hang_up)
    first, second = await paying.rated("+496641123001", "+496641123002")
    for leg in (first, second):
        assert paying.paid(leg) == ("acme", "acme/10", "call")
        assert leg.ended_us / 1e6 > left + 0.5


async def test_a_caller_is_connected_with_an_outside_party(paying: Paying, runs: Runs) -> None:
    """Bruno asks an outside party and connects it with his caller, who hears it: one leg, his."""
    bruno, again = await paying.phone("p11"), paying.pbx.phone("p11")
    runs.append(taken := await bruno.take(sipp.answering(ring_ms=0)))
    async with paying.pbx.outsider("+4915112345678", tone_hz=VOICE) as caller:
        await caller.call_in("+493055500111")
        await caller.until("CALL_ESTABLISHED")
        runs.append(asked := await again.call("06641124001", talk_ms=3_600_000))
        await asked.until(status=sipp.OK, text="m=audio")
        await bruno.transfer(taken, asked, port=paying.pbx.port())
        await until_heard(caller, VOICE, tone.heard_s(caller.heard(), VOICE) + TALK_S)
        await caller.command("hangup")
        await caller.until("CALL_CLOSED")
    (leg,) = await paying.rated("+496641124001")
    assert paying.paid(leg) == ("acme", "acme/11", "call")


async def test_a_leg_stays_with_who_called_when_a_colleague_takes_over(paying: Paying, runs: Runs) -> None:
    """Anna calls outside and connects Bruno after asking him: one leg, hers until Bruno's call ends."""
    anna, again, bruno = await paying.phone("p10"), paying.pbx.phone("p10"), await paying.phone("p11")
    runs.append(taken := await bruno.take(sipp.answering(ring_ms=0)))
    runs.append(one := await anna.call("06641125001", talk_ms=3_600_000))
    await one.until(status=sipp.OK, text="m=audio")
    runs.append(two := await again.call("11", talk_ms=3_600_000))
    await two.until(status=sipp.OK, text="m=audio")
    await anna.transfer(one, two, port=paying.pbx.port())
    await asyncio.sleep(TALK_S)
    await asyncio.to_thread(paying.pbx.hang_up)
    ended = (await taken.wait())[-1].at
    (leg,) = await paying.rated("+496641125001")
    assert paying.paid(leg) == ("acme", "acme/10", "call")
    assert leg.ended_us / 1e6 == pytest.approx(ended, abs=CLOCKS_S)


@pytest.mark.parametrize("caller", ["outside", "beta"])
async def test_a_302_is_paid_by_the_phone_that_says_it(paying: Paying, runs: Runs, caller: str) -> None:
    """Whoever calls, from outside or of another tenant: the phone's owner forwards and pays."""
    number = {"outside": "+4966411260222", "beta": "+4966411270222"}[caller]
    contact = f"Contact: <sip:{number}@{paying.pbx.server[0]}>\n"
    bruno = await paying.phone("p11")
    runs.append(await bruno.take(sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=contact)))
    if caller == "beta":
        theo = await paying.phone("p20", "beta")
        runs.append(call := await theo.call("+493055500111", talk_ms=3_600_000))
    else:
        runs.append(call := await paying.calls_in("+493055500111"))
    await call.wait()
    (leg,) = await paying.rated(number)
    assert paying.paid(leg) == ("acme", "acme/11", "forward")


async def test_a_carriers_302_leads_nowhere(paying: Paying, runs: Runs) -> None:
    """A carrier cannot send a call on at our cost: another is tried, and no other number is called."""
    anna = await paying.phone("p10")
    runs.append(call := await anna.call("06641120302"))
    await call.wait()
    assert paying.pbx.far_end("+496641120302")
    assert paying.pbx.far_end("+442071838750") == []
