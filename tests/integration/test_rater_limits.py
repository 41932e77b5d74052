"""Spend limits on a real PostgreSQL: calls of an invoiced account set aside, are counted, and end in time."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from pbxcore.control.credit import CreditLine
from pbxcore.database import Connection, connect
from pbxcore.settings import Settings
from rating.store import credit, stream
from tests.integration.credit_calls import (
    AT_ONCE,
    CONFIG,
    FIXED,
    MOBILE,
    PATIENT_S,
    SECOND_US,
    SLICE_S,
    Lines,
    Running,
    a_machine,
    a_rater,
    an_account,
    ask,
    now_us,
    pay_in,
    put,
    question,
    settled,
    until,
    write,
)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """Give a connection to a database with a prepaid account without bundles."""
    async with an_account(database) as connection:
        yield connection


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """Give the settings of a machine of its own."""
    return a_machine(database, tmp_path)


@pytest.fixture
def rater(settings: Settings, connection: Connection) -> Running:
    """Give what lets a rater work."""
    del connection  # the documents come first
    return partial(a_rater, settings)


async def limit(connection: Connection, limits: object, **more: object) -> None:
    """Invoice the account, with limits, or without any, where no day begins soon."""
    account = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    zone = next(
        zone
        for zone in ("UTC", "Asia/Kathmandu")
        if (now := datetime.now(ZoneInfo(zone))).day == (now + timedelta(minutes=30)).day
    )
    document = {**account, "bundles": [], "time_zone": zone, **more}
    await put(connection, "account", "acme", {**document, "spend_limits": limits} if limits else document)


async def test_fifty_calls_at_once_share_one_limit(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """Invoiced calls of one day: what they cost together stays below, nothing is left reserved."""
    rng = random.Random(51)
    limit_micro = 2_000_000
    await limit(connection, {"per_day": "2.00", "extensions": {"acme/11": {"per_month": "0.10"}}})
    async with rater() as line:
        answers = await asyncio.gather(*(ask(line, number, to=MOBILE) for number in range(AT_ONCE)))
        let_out = {number: int(str(a["limit_s"])) for number, a in enumerate(answers) if "limit_s" in a}
        assert {str(a["refused"]) for a in answers if "refused" in a} == {"account-day-limit"}
        assert list(let_out.values()).count(SLICE_S) == 4
        assert await ask(line, 60, to="112") == {"limit_s": SLICE_S}
        write(settings, Lines(60, "112", SLICE_S, now_us()).leaves(0))
        for number in rng.sample(sorted(let_out), len(let_out)):
            lines = Lines(number, MOBILE, let_out[number], now_us())
            talk_us = rng.randrange(let_out[number] * SECOND_US + 300_000)
            write(settings, lines.rings(), lines.answers(), lines.hangs_up(talk_us), lines.leaves(talk_us))
        standing = await settled(connection)
    assert standing == credit.Statement(0, 0, 0, 0), "nobody's credit is touched"
    legs = [entry.leg for entry in await stream.rated_since(connection, 0)]
    spent_micro = sum(leg.amount_micro for leg in legs)
    assert len(legs) == len(let_out)
    assert 0 < spent_micro <= limit_micro
    assert not await connection.fetchval("SELECT count(*) FROM credit_entry")


async def test_what_was_spent_before_counts(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """A limit that comes later, a rater that comes later, a limit that is raised: what is left is right."""
    await limit(connection, None)
    async with rater() as line:
        assert await ask(line, 1) == {"limit_s": 14_400}  # nothing bounds it, nothing is set aside
        lines = Lines(1, FIXED, 14_400, now_us() - 600 * SECOND_US)
        write(settings, lines.rings(), lines.answers(), lines.hangs_up(600 * SECOND_US), lines.leaves(0))

        async def rated() -> bool:
            return bool(await connection.fetchval("SELECT sum(amount_micro) = 190000 FROM rated_leg"))

        await until(rated)
        own = {"extensions": {"acme/10": {"per_day": "0.19"}}}
        await limit(connection, own)
        await until(lambda: says(line, "acme/10", "extension-day-limit"))
        assert await ask(line, 3, payer="acme/11") == {"limit_s": 14_400}  # has no limit to keep
    async with rater() as line:
        assert await ask(line, 4) == {"refused": "extension-day-limit"}
        await limit(connection, {"per_month": "0.209"})
        await until(lambda: says(line, "acme/11", 60))  # 0.019 are left
        assert await ask(line, 6) == {"refused": "account-month-limit"}
        write(settings, Lines(5, FIXED, 60, now_us()).leaves(0))
        await settled(connection)


async def test_the_first_question_waits_for_no_sum(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """What was spent is read before a rater takes questions; its first transaction forgets none of it."""
    await limit(connection, {"per_day": "2.00"})
    async with rater() as line:
        await pay_in(connection, 1_000_000)  # a transaction of the writer
        other = await connect(settings.database, application="test")
        try:
            async with other.transaction():
                await other.execute("LOCK rated_leg, pool_used IN ACCESS EXCLUSIVE MODE")
                assert await ask(line, 1) == {"limit_s": SLICE_S}
        finally:
            await other.close()
        write(settings, Lines(1, FIXED, SLICE_S, now_us()).leaves(0))
        await settled(connection)


async def says(line: CreditLine, payer: str, said: object, *, to: str = FIXED) -> bool:
    """Ask whether something is said; each time but the last it must be a refusal."""
    answer = await ask(line, 5, payer=payer, to=to)
    return said in answer.values()


async def test_an_invoiced_call_goes_on_up_to_its_limit(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """It is extended, billed for all that it was extended by, also where the limit is gone meanwhile."""
    await limit(connection, {"per_day": "0.60"})  # six minutes to a mobile cost 0.594
    async with rater() as line:
        assert await ask(line, 1, to=MOBILE) == {"limit_s": SLICE_S}
        lines = Lines(1, MOBILE, SLICE_S, now_us() - (SLICE_S - 10) * SECOND_US)
        write(settings, lines.rings(), lines.answers())

        async def extended() -> bool:
            answer = await line.ask({"do": "extend"}, deadline_s=PATIENT_S)
            return bool(answer and answer["calls"])

        await until(extended)
        assert (await credit.statement(connection, "acme")).reserved_micro == 598_950  # 363 s
        assert await ask(line, 2, to=MOBILE) == {"refused": "account-day-limit"}
        await limit(connection, None)
        await until(lambda: says(line, "acme/10", 14_400, to=MOBILE))
        write(settings, lines.hangs_up(363 * SECOND_US + 200_000), lines.leaves(0))
        assert await settled(connection) == credit.Statement(0, 0, 0, 0)
    (entry,) = await stream.rated_since(connection, 0)
    assert (entry.leg.billable_s, entry.leg.amount_micro) == (363, 598_950)


READS_WAIT = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock' AND query LIKE '%rated_leg%')"
)


async def test_sums_of_one_account_hold_up_no_other(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """While nobody can read what it spent its calls get no answer, those of others do; then it gets one."""
    numbers = itertools.count(10)
    await limit(connection, {"per_day": "2.00"})
    document = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    prepaid = {**document, "account": "beta", "payment": "prepaid", "bundles": []}
    await put(connection, "account", "beta", prepaid)
    await put(connection, "tenant", "beta", {"account": "beta"})
    blocker = await connect(settings.database, application="blocker")
    async with rater() as line, asyncio.timeout(2 * PATIENT_S):
        await pay_in(connection, 1_000_000, account="beta")
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE rated_leg IN ACCESS EXCLUSIVE MODE")
            await limit(connection, {"per_day": "3.00"})
            while not await connection.fetchval(READS_WAIT):  # so long the rater answers by the limit before
                await line.ask(question(next(numbers)), deadline_s=0.1)
            assert await line.ask(question(next(numbers)), deadline_s=0.1) is None
            assert await ask(line, next(numbers), payer="beta/1") == {"limit_s": SLICE_S}
            assert await line.ask({"do": "extend"}, deadline_s=PATIENT_S)
            assert await connection.fetchval(READS_WAIT), "all this while"
        while (answer := await line.ask(question(next(numbers)), deadline_s=1.0)) is None:
            pass
        assert answer["limit_s"] == SLICE_S
    await blocker.close()
