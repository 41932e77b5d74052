"""Calls on credit and below spend limits on a real Asterisk: they end when the money does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import yaml

from pbxcore import publication, published
from pbxcore.control.extending import EVERY_S
from pbxcore.database import Connection, connect, migrate
from pbxcore.machine import postgres as postgresql
from pbxcore.machine import services
from pbxcore.practice import sipp
from pbxcore.published import Index
from rating import money
from rating.store import credit, stream
from tests.acceptance.conftest import CLOCKS_S, SERVE, hung_up, press

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from rating.rated import RatedLeg
    from tests.acceptance.conftest import Pbx

T = TypeVar("T")
Runs = list[sipp.Run]
CONFIG = Path(__file__).parents[2] / "config"
MOBILE = "+4915112345678"  # 0.099 a minute, 0.00165 a second where credit cuts
SECOND_MICRO = 1_650
SLICE_S = 12
AT_ONCE = 20
KEYS = "*2"
SEEN_LIMIT_S = 60.0
DEADLINE_MS = 4_000  # of the rater's answer: other tests of this machine may hold up the disk


@dataclass(slots=True)
class Prepaid:
    """The PBX, and the database of the rater that its calls ask."""

    pbx: Pbx
    url: str
    references: int = 0

    async def asked(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask the database."""
        connection = await connect(self.url, application="test")
        try:
            return await question(connection)
        finally:
            await connection.close()

    async def set_balance(self, micro: int) -> None:
        """Bring the balance to an amount, by one entry."""
        before = await self.standing()
        if before.balance_micro == micro:
            return
        self.references += 1
        entry = credit.Entry("acme", f"ref-{self.references}", micro - before.balance_micro)
        await self.asked(lambda connection: credit.add(connection, entry, "test"))
        await self.until(lambda now: now.balance_micro == micro)

    async def standing(self) -> credit.Statement:
        """How the account stands."""
        return await self.asked(lambda connection: credit.statement(connection, "acme"))

    async def until(self, happened: Callable[[credit.Statement], bool]) -> credit.Statement:
        """Wait until the account stands in some way."""
        deadline = time.monotonic() + SEEN_LIMIT_S
        while not happened(now := await self.standing()):
            assert time.monotonic() < deadline, f"the account stands otherwise: {now}"
            await asyncio.sleep(0.05)
        return now

    async def rated(self) -> list[RatedLeg]:
        """Every leg so far that costs credit: one for help may come when the next test has begun."""
        entries = await self.asked(lambda c: stream.rated_since(c, 0))
        return [entry.leg for entry in entries if entry.leg.number != "112"]

    @contextlib.asynccontextmanager
    async def limited(self, payer: str, micro: int) -> AsyncIterator[None]:
        """Invoice the account, with a spend limit of one payer for the day, inside the block."""
        now = datetime.now(UTC)
        zone = "UTC" if now.date() == (now + timedelta(hours=1)).date() else "Asia/Kathmandu"
        limits = {"extensions": {payer: {"per_day": money.text(micro)}}}
        index = published.read_index(self.pbx.settings.published)
        await self.pay({"bundles": [], "time_zone": zone, "spend_limits": limits})
        await self.announce(replace(index, prepaid=frozenset(), limited=frozenset({"acme"})))
        try:
            yield
        finally:  # the tests after this one pay ahead again
            await self.pay({"bundles": [], "payment": "prepaid"})
            await self.announce(index)

    async def pay(self, change: dict[str, Any]) -> None:
        """Put another account in force, and wait until the rater goes by it: payments come after it."""
        document = {**yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text()), **change}
        statement = (
            "INSERT INTO revision SELECT 'account', 'acme', 1 + count(*), $1, '', 'test' FROM revision "
            "WHERE kind = 'account'"
        )
        await self.asked(lambda connection: connection.execute(statement, json.dumps(document, default=str)))
        await self.set_balance((await self.standing()).balance_micro + 1)

    async def announce(self, index: Index) -> None:
        """Let control know who is asked for."""
        publication.write_index(self.pbx.settings.published, index)
        assert all(one.done for one in await publication.announce(self.pbx.settings.run_dir))

    def start_rater(self) -> None:
        """Start it and wait until control can ask it for credit."""
        words = (sys.executable, "-c", SERVE, services.SERVICES["rater"])
        self.pbx.start("rater", words, **services.environment(self.pbx.settings))
        self.pbx.until(lambda: self.pbx.status("control").get("credit") == "up")

    @contextlib.contextmanager
    def without_a_rater(self) -> Iterator[None]:
        """Let nobody be asked inside the block; afterwards control is there again, too."""
        self.pbx.stop("rater")
        try:
            yield
        finally:
            if "control" not in self.pbx.running:
                self.pbx.serve("control")
            self.start_rater()

    async def phone(self) -> sipp.SippPhone:
        """Give a registered phone."""
        anna = self.pbx.phone("p10")
        await anna.register()
        return anna


@pytest.fixture(scope="module")
def prepaid(pbx: Pbx, postgres: postgresql.Server) -> Iterator[Prepaid]:
    """Give the PBX with its tenant on credit, and a rater."""
    made = Prepaid(pbx, asyncio.run(_database(postgres)))
    pbx.publish({**pbx.tenant, "transfer_keys": {"attended": KEYS}}, 1)
    trunks = tuple(trunk.name for trunk in pbx.settings.trunks)
    index = Index(revisions={"acme": 1}, trunks=trunks, prepaid=frozenset({"acme"}))
    publication.write_index(pbx.settings.published, index)
    assert all(one.done for one in asyncio.run(publication.announce(pbx.settings.run_dir)))
    patient = {"credit_deadline_ms": DEADLINE_MS, "credit_slice_s": SLICE_S}
    pbx.settings = pbx.settings.model_copy(update={"config": CONFIG, "database": made.url, **patient})
    pbx.stop("control")
    pbx.serve("control")
    made.start_rater()
    yield made
    if "rater" in pbx.running:
        pbx.stop("rater")


async def _database(server: postgresql.Server) -> str:
    connection = await connect(postgresql.url(server, "postgres"), application="test")
    await connection.execute("CREATE DATABASE prepaid")
    await connection.close()
    url = postgresql.url(server, "prepaid")
    await migrate(url)
    connection = await connect(url, application="test")
    for kind, name, file, change in (
        ("catalogue", "autphone@2026-01-01", "catalogues/autphone.yaml", {}),
        ("account", "acme", "accounts/acme.yaml", {"payment": "prepaid", "bundles": []}),
        ("tenant", "acme", "tenants/acme.yaml", {}),
    ):
        document: dict[str, Any] = {**yaml.safe_load((CONFIG / file).read_text()), **change}
        text = json.dumps(document, default=str)
        await connection.execute("INSERT INTO revision VALUES ($1, $2, 1, $3, '', 'test')", kind, name, text)
    await connection.close()
    return url


def _talked(messages: tuple[sipp.SipMessage, ...]) -> float:
    answered = [m.at for m in messages if m.status == sipp.OK and m.method == "INVITE"]
    ended = [m.at for m in messages if m.start.startswith("BYE")]
    assert answered and ended, [m.start for m in messages]  # noqa: PT018 — either is missing: the same words
    return ended[0] - answered[0]


def _is_answered(pbx: Pbx, number: str) -> bool:
    return any(m.status == sipp.OK and m.method == "INVITE" for m in pbx.far_end(number))


async def _refused(prepaid: Prepaid, number: str, by: str = "control") -> dict[str, str]:
    """Make a call that is refused by a process; return its end."""
    run = await (await prepaid.phone()).call(number)
    await run.process.wait()
    messages = run.messages()
    assert any(m.status in {403, 503} for m in messages), [m.start for m in messages]
    await run.end()
    return prepaid.pbx.end_of(prepaid.pbx.decided(by, dialled=number)["call"])


@pytest.mark.row("4.7")
async def test_without_credit_nobody_calls_but_for_help(prepaid: Prepaid, runs: Runs) -> None:
    """A balance of nothing refuses a call with its reason, and stands before no emergency."""
    await prepaid.set_balance(0)
    end = await _refused(prepaid, MOBILE)
    assert (end["outcome"], end["reason"]) == ("rejected", "no-credit")
    runs.append(run := await (await prepaid.phone()).call("112", talk_ms=300))
    await run.wait()


@pytest.mark.row("4.7")
async def test_a_call_ends_when_the_money_does(prepaid: Prepaid, runs: Runs) -> None:
    """Money for three seconds: Asterisk ends the call then, and it is billed three seconds, not a minute."""
    await prepaid.set_balance(3 * SECOND_MICRO + 7)
    before = len(await prepaid.rated())
    runs.append(run := await (await prepaid.phone()).call(MOBILE, talk_ms=15_000))
    assert _talked(await run.wait()) == pytest.approx(3.0, abs=CLOCKS_S)
    standing = await prepaid.until(lambda now: now.balance_micro == 7)
    assert (standing.reserved_micro, standing.calls) == (0, 0)
    (leg,) = (await prepaid.rated())[before:]
    assert (leg.billable_s, leg.amount_micro) == (3, 3 * SECOND_MICRO)


async def test_a_call_goes_on_as_long_as_there_is_credit(prepaid: Prepaid, runs: Runs) -> None:
    """What was set aside at first is for twelve seconds; the call goes on and lasts as its people want."""
    await prepaid.set_balance(1_000_000)
    before = len(await prepaid.rated())
    talk_s = SLICE_S + 3
    assert EVERY_S < SLICE_S
    runs.append(run := await (await prepaid.phone()).call(MOBILE, talk_ms=talk_s * 1_000))
    assert _talked(await run.wait()) == pytest.approx(talk_s, abs=CLOCKS_S)
    await prepaid.until(lambda now: now.calls == 0)
    (leg,) = (await prepaid.rated())[before:]
    assert SLICE_S < talk_s <= leg.billable_s <= 60  # a started minute, as far as it was authorised


async def test_whom_a_phone_connected_talk_as_long_as_the_money_lasts(prepaid: Prepaid) -> None:
    """Anna calls two parties outside, connects them by keys and is gone: both legs end with her money."""
    paid_s = 3 * SLICE_S  # the first leg may have set two slices aside before the second asks
    await prepaid.set_balance(paid_s * SECOND_MICRO + 7)
    before = len(await prepaid.rated())
    async with prepaid.pbx.baresip("p10") as anna:
        await anna.register()
        await anna.command("dial", MOBILE)
        await anna.until("CALL_ESTABLISHED")
        await press(anna, f"{KEYS}015112345679")
        question = await asyncio.to_thread(prepaid.pbx.decided, origin="consult")
        await prepaid.until(lambda now: now.calls == 2)
        await asyncio.to_thread(prepaid.pbx.until, lambda: _is_answered(prepaid.pbx, "+4915112345679"))
        await anna.command("hangup")
        await anna.until("CALL_CLOSED")
    standing = await prepaid.until(lambda now: now.calls == 0)
    legs = (await prepaid.rated())[before:]
    assert [leg.payer for leg in legs] == ["acme/10", "acme/10"]
    assert standing.reserved_micro == 0
    assert 0 <= standing.balance_micro < SLICE_S * SECOND_MICRO  # what the leg that ended later gave back
    assert standing.balance_micro == 7 + (paid_s - sum(leg.billable_s for leg in legs)) * SECOND_MICRO
    assert hung_up(prepaid.pbx, question["linkedid"]) == [
        "PJSIP/acme-p10", "PJSIP/trunk-carrier", "PJSIP/trunk-carrier",
    ]  # fmt: skip


@pytest.mark.parametrize("control", ["alive", "away"])
async def test_whom_a_phone_sends_to_a_ringing_one_talk_as_long_as_the_money_lasts(
    prepaid: Prepaid, runs: Runs, control: str
) -> None:
    """Anna connects a party outside with Bruno while he rings, and is gone: the leg ends with her money."""
    paid_s = SLICE_S - 1
    await prepaid.set_balance(paid_s * SECOND_MICRO + 7)
    before, pbx = len(await prepaid.rated()), prepaid.pbx
    anna, again = await prepaid.phone(), pbx.phone("p10")
    async with pbx.baresip("p11") as bruno:
        await bruno.register()
        runs.append(one := await anna.call(MOBILE, talk_ms=sipp.LONG_MS))
        await one.until(status=sipp.OK, text="m=audio")
        runs.append(two := await again.call("11"))
        await two.until(status=sipp.RINGING)
        if control == "away":
            pbx.stop("control")
        await anna.transfer(one, two, port=pbx.port())
        await bruno.command("accept")
        if control == "away":
            await asyncio.to_thread(pbx.serve, "control")
        await bruno.until("CALL_CLOSED")
    standing = await prepaid.until(lambda now: now.calls == 0)
    (leg,) = (await prepaid.rated())[before:]
    assert leg.billable_s <= paid_s
    assert standing.balance_micro == 7 + (paid_s - leg.billable_s) * SECOND_MICRO


async def test_a_call_ends_when_a_spend_limit_is_reached(prepaid: Prepaid, runs: Runs) -> None:
    """An extension may spend three seconds more today: the call ends, the next one is refused, not help."""
    before = [entry.amount_micro for entry in await prepaid.rated()]
    async with prepaid.limited("acme/10", sum(before) + 3 * SECOND_MICRO + 7):
        runs.append(run := await (await prepaid.phone()).call(MOBILE, talk_ms=15_000))
        assert _talked(await run.wait()) == pytest.approx(3.0, abs=CLOCKS_S)
        await prepaid.until(lambda now: now.calls == 0)
        (leg,) = (await prepaid.rated())[len(before) :]
        assert (leg.billable_s, leg.amount_micro) == (3, 3 * SECOND_MICRO)
        end = await _refused(prepaid, MOBILE)
        assert (end["outcome"], end["reason"]) == ("rejected", "extension-day-limit")
        assert "its own spend limit for this day is reached" in json.dumps(
            prepaid.pbx.decided(dialled=MOBILE)
        )
        runs.append(run := await (await prepaid.phone()).call("112", talk_ms=300))
        await run.wait()


@pytest.mark.row("4.7")
async def test_many_calls_at_once_overspend_nothing(prepaid: Prepaid, runs: Runs) -> None:
    """Twenty calls within a moment on the money of some: the others are refused, nothing stays set aside."""
    balance_micro = 8 * SLICE_S * SECOND_MICRO
    await prepaid.set_balance(balance_micro)
    before = len(await prepaid.rated())
    anna = await prepaid.phone()
    scenario = sipp.calling(MOBILE, user=anna.user, password=anna.password, talk_ms=3_000)
    command = sipp.words(anna.program, local=anna.local, remote=anna.server, media=anna.media, calls=AT_ONCE)
    runs.append(run := await sipp.start((*command, "-r", str(AT_ONCE)), scenario))
    await run.process.wait()  # not all of them went as written
    standing = await prepaid.until(lambda now: now.calls == 0)
    legs = (await prepaid.rated())[before:]
    assert 8 <= len(legs) < AT_ONCE
    spent_micro = sum(leg.amount_micro for leg in legs)
    assert standing.balance_micro == balance_micro - spent_micro >= 0
    assert all(leg.billable_s <= SLICE_S for leg in legs)


async def test_without_a_rater_credit_is_not_guessed(prepaid: Prepaid, runs: Runs) -> None:
    """While nobody can be asked, a call on credit is refused for that reason, also by the standby."""
    await prepaid.set_balance(1_000_000)
    pbx = prepaid.pbx
    with prepaid.without_a_rater():
        end = await _refused(prepaid, MOBILE)
        assert (end["by"], end["reason"]) == ("control", "credit-unknown")
        runs.append(run := await (await prepaid.phone()).call("112", talk_ms=300))
        await run.wait()
        pbx.stop("control")
        end = await _refused(prepaid, MOBILE, by="standby")
        assert (end["by"], end["reason"]) == ("standby", "credit-unknown")
    await prepaid.until(lambda now: now.calls == 0)
