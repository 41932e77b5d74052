"""Prepaid on a real PostgreSQL: what is set aside, debited and given back, whoever dies in between."""

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from os import environ
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.control.credit import CreditLine
from pbxcore.database import Connection
from pbxcore.rater.desk import MARGIN_S
from pbxcore.settings import Settings
from rating.credit import Grant, Reservation, Wish
from rating.store import credit, ledger, stream
from rating.store.ledger import Turn, TurnLostError
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
    answering,
    ask,
    call_of,
    line_to,
    now_us,
    pay_in,
    put,
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


async def agrees(connection: Connection) -> None:
    """Make sure that the balance is what was paid less what was rated, entry by entry."""
    paid, entries, debits, legs = [
        await connection.fetchval(query) or 0
        for query in (
            "SELECT sum(amount_micro)::bigint FROM credit_entry WHERE reference NOT LIKE 'leg %'",
            "SELECT sum(amount_micro)::bigint FROM credit_entry",
            "SELECT -sum(amount_micro)::bigint FROM credit_entry WHERE reference LIKE 'leg %'",
            "SELECT sum(amount_micro)::bigint FROM rated_leg",
        )
    ]
    assert (await credit.statement(connection, "acme")).balance_micro == entries == paid - legs
    assert debits == legs


async def test_nobody_calls_without_credit(connection: Connection, rater: Running) -> None:
    """No credit, no price, no account: each refusal has its reason, and nothing is set aside."""
    async with rater() as line:
        assert await ask(line, 1) == {"refused": "no-credit"}
        assert await ask(line, 2, to="+210123456") == {"refused": "no-price"}
        assert await ask(line, 3, payer="nobody/1") == {"refused": "no-account"}
        assert await ask(line, 4, to="112") == {"limit_s": SLICE_S}
        await settled(connection, reserved=1)


async def test_a_payment_is_booked_once(connection: Connection, rater: Running) -> None:
    """The same reference again changes nothing, also after a restart of the rater."""
    await credit.add(connection, credit.Entry("acme", "INVOICE-7", 5_000_000), "test")  # nobody books yet
    assert (await credit.statement(connection, "acme")).waiting_micro == 5_000_000
    for _ in range(2):
        async with rater():
            await pay_in(connection, 5_000_000, "INVOICE-7")
            await pay_in(connection, 1_000_000, "INVOICE-8")
    assert await credit.statement(connection, "acme") == credit.Statement(6_000_000, 0, 0, 0)
    again = await credit.add(connection, credit.Entry("acme", "INVOICE-7", 9_000_000), "test")
    assert again == credit.Entry("acme", "INVOICE-7", 5_000_000, 5_000_000)
    await agrees(connection)


async def test_fifty_calls_at_once_share_one_balance(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """All ask at once, some get something; each is billed within it; nothing overspent, nothing left."""
    rng = random.Random(50)
    balance_micro = 2_000_000  # five minutes to a mobile take 0.495
    async with rater() as line:
        await pay_in(connection, balance_micro)
        answers = await asyncio.gather(*(ask(line, number, to=MOBILE) for number in range(AT_ONCE)))
        let_out = {number: int(str(a["limit_s"])) for number, a in enumerate(answers) if "limit_s" in a}
        assert {str(a["refused"]) for a in answers if "refused" in a} == {"no-credit"}
        assert list(let_out.values()).count(SLICE_S) == 4
        standing = await credit.statement(connection, "acme")
        assert standing.calls == len(let_out)
        assert (
            balance_micro - 1_650 < standing.reserved_micro <= balance_micro
        )  # not a second's worth is left
        for number in rng.sample(sorted(let_out), len(let_out)):
            lines = Lines(number, MOBILE, let_out[number], now_us())
            talk_us = rng.randrange(let_out[number] * SECOND_US + 300_000)
            write(settings, lines.rings(), lines.answers(), lines.hangs_up(talk_us), lines.leaves(talk_us))
        standing = await settled(connection)
    assert 0 <= standing.balance_micro < balance_micro
    entries = await stream.rated_since(connection, 0)
    assert len(entries) == len(let_out)
    for entry in entries:
        assert entry.leg.billable_s <= let_out[int(entry.leg.key.rpartition(".")[2]) // 2]
    await agrees(connection)


async def test_a_call_that_nobody_answered_gives_everything_back(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """The end of the channel that asked is enough, whether the leg rang or never left."""
    async with rater() as line:
        await pay_in(connection, 1_000_000)
        assert await ask(line, 1) == {"limit_s": SLICE_S}
        assert await ask(line, 2) == {"limit_s": SLICE_S}
        lines = Lines(1, FIXED, SLICE_S, now_us())
        write(settings, lines.rings(), lines.hangs_up(0), lines.leaves(SECOND_US))
        write(settings, Lines(2, FIXED, SLICE_S, now_us()).leaves(SECOND_US))
        standing = await settled(connection)
    assert standing == credit.Statement(1_000_000, 0, 0, 0)


async def test_a_leg_outlives_the_channel_that_asked(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """A transferred call stays paid for: what was set aside is given back with its own hangup."""
    async with rater() as line:
        await pay_in(connection, 1_000_000)
        await ask(line, 1)
        lines = Lines(1, FIXED, SLICE_S, now_us())
        write(settings, lines.rings(), lines.answers(), lines.leaves(2 * SECOND_US))
        await ask(line, 2)
        write(settings, Lines(2, FIXED, SLICE_S, now_us()).leaves(SECOND_US))
        standing = await settled(connection, reserved=1)
        assert standing.reserved_micro == 95_000
        write(settings, lines.hangs_up(60 * SECOND_US))
        standing = await settled(connection)
    assert standing.balance_micro == 1_000_000 - 19_000
    await agrees(connection)


async def test_what_was_set_aside_for_a_call_that_left_no_trace_is_given_back_in_time(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """Asterisk died before it wrote a line: when no answer can come any more, the money is free."""
    del settings
    past_us = now_us() - (MARGIN_S + 1) * SECOND_US
    wish = Wish(payer="acme/10", number=FIXED, first_us=past_us, last_us=past_us, seconds=60)
    kept = Reservation(id="r1", call=call_of(1), account="acme", wish=wish, grant=Grant(limit_s=60,
                       money_micro=19_000, pools={}))  # fmt: skip
    await credit.set_aside(connection, Turn(0, 0), [kept])
    assert (await credit.statement(connection, "acme")).calls == 1
    async with rater():
        await settled(connection)


async def test_a_leg_in_quarantine_keeps_what_was_set_aside(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """It may cost that yet: only its release spends it, and gives back the rest."""
    async with rater() as line:
        await pay_in(connection, 1_000_000)
        await ask(line, 1)
        lines = Lines(1, FIXED, SLICE_S, now_us())
        write(
            settings, lines.rings(), lines.answers(), lines.hangs_up(-5 * SECOND_US), lines.leaves(SECOND_US)
        )

        async def waits() -> bool:
            return bool(await connection.fetchval("SELECT count(*) FROM quarantined_leg"))

        await until(waits)
    async with rater():  # whoever comes next knows it, too
        standing = await settled(connection, reserved=1)
        assert (standing.balance_micro, standing.reserved_micro) == (1_000_000, 95_000)
        await connection.execute(
            "UPDATE quarantined_leg SET release_at = now(), released_by = 'x', release_ended_us = $1",
            lines.began_us + SECOND_US + 60 * SECOND_US,
        )
        await connection.execute("NOTIFY release")
        standing = await settled(connection)
    assert standing.balance_micro == 1_000_000 - 19_000
    await agrees(connection)


async def test_a_leg_that_somebody_else_pays_gives_everything_back(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """Released from quarantine to a payer who is invoiced, it costs the first one nothing."""
    account = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    await put(connection, "account", "beta", {**account, "account": "beta", "bundles": []})
    await put(connection, "tenant", "beta", {"account": "beta"})
    async with rater() as line:
        await pay_in(connection, 1_000_000)
        await ask(line, 1)
        lines = Lines(1, FIXED, SLICE_S, now_us())
        write(
            settings, lines.rings(), lines.answers(), lines.hangs_up(-SECOND_US // 2), lines.leaves(SECOND_US)
        )

        async def waits() -> bool:
            return bool(await connection.fetchval("SELECT count(*) FROM quarantined_leg"))

        await until(waits)
        await connection.execute(
            "UPDATE quarantined_leg SET release_at = now(), released_by = 'x', release_payer = 'beta/1', "
            "release_ended_us = $1",
            lines.began_us + 2 * SECOND_US,
        )
        await connection.execute("NOTIFY release")
        standing = await settled(connection)
    assert standing == credit.Statement(1_000_000, 0, 0, 0)
    (entry,) = await stream.rated_since(connection, 0)
    assert (entry.leg.account, entry.leg.amount_micro) == ("beta", 19_000)


async def test_a_long_call_goes_on_while_there_is_credit(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """Near its end it is extended by a slice, then by what is left, and billed for what it lasted."""
    async with rater() as line:
        await pay_in(connection, 600_000)  # six minutes to a mobile cost 0.594
        assert await ask(line, 1, to=MOBILE) == {"limit_s": SLICE_S}
        began_us = now_us() - (SLICE_S - 10) * SECOND_US
        lines = Lines(1, MOBILE, SLICE_S, began_us)
        write(settings, lines.rings(), lines.answers())
        calls: list[dict[str, object]] = []

        async def extended() -> bool:
            answer = await line.ask({"do": "extend"}, deadline_s=PATIENT_S)
            calls[:] = answer["calls"] if answer else []
            return bool(calls)

        await until(extended)
        limit_s = 363  # 600,000 buy no more
        ends_us = began_us + SECOND_US + limit_s * SECOND_US
        assert calls == [{"channel": lines.key, "ends_us": ends_us}]
        assert (await credit.statement(connection, "acme")).reserved_micro == 598_950
        write(settings, lines.hangs_up(limit_s * SECOND_US + 200_000), lines.leaves(0))
        standing = await settled(connection)
    (entry,) = await stream.rated_since(connection, 0)
    assert (entry.leg.billable_s, entry.leg.amount_micro) == (limit_s, 598_950)
    assert standing.balance_micro == 600_000 - 598_950
    await agrees(connection)


async def test_a_writer_that_lost_its_turn_sets_nothing_aside(connection: Connection) -> None:
    """Of two raters only the one that was given the turn last can promise money."""
    turn = await ledger.take_turn(connection)
    assert turn
    await credit.begin(connection, turn)
    wish = Wish(payer="acme/10", number=FIXED, first_us=1, last_us=1, seconds=60)
    grant = Grant(limit_s=60, money_micro=1, pools={})
    kept = Reservation(id="r1", call="c", account="acme", wish=wish, grant=grant)
    with pytest.raises(TurnLostError):
        await credit.set_aside(connection, Turn(0, turn.epoch - 1), [kept])
    assert not await credit.reservations(connection)
    await credit.set_aside(connection, turn, [kept])
    assert list(await credit.reservations(connection)) == [kept]


async def test_the_pools_of_a_bundle_are_shared_too(
    connection: Connection, settings: Settings, rater: Running
) -> None:
    """Free seconds that one call has set aside are not drawn by another: each stays within its own."""
    account = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    zone, month = far_from_a_change()
    await put(connection, "account", "acme", {**account, "payment": "prepaid", "time_zone": zone})
    pool = f"dach/fixed/{month}"
    await connection.execute("INSERT INTO pool_used VALUES ('acme', $1, $2)", pool, 30_000 - 400)
    async with rater() as line:
        await pay_in(connection, 100_000)
        limits = [await ask(line, number) for number in range(3)]
        assert limits == [{"limit_s": 300}, {"limit_s": 300}, {"limit_s": 115}]  # 0.063333 and 0.036417
        later = Lines(1, FIXED, 300, now_us())  # the second one ends first
        write(settings, later.rings(), later.answers(), later.hangs_up(300 * SECOND_US), later.leaves(0))
        first = Lines(0, FIXED, 300, now_us())
        write(settings, first.rings(), first.answers(), first.hangs_up(300 * SECOND_US), first.leaves(0))
        write(settings, Lines(2, FIXED, 1, now_us()).leaves(0))
        standing = await settled(connection)
    assert await connection.fetchval("SELECT used_s FROM pool_used WHERE pool = $1", pool) == 30_000
    amounts = [entry.leg.amount_micro for entry in await stream.rated_since(connection, 0)]
    assert amounts == [63_333, 0]  # 200 s beyond the 100 that the other had left
    assert standing.balance_micro == 100_000 - 63_333
    await agrees(connection)


def far_from_a_change() -> tuple[str, str]:
    """Name a time zone in which no month begins soon, and its month."""
    for zone in ("UTC", "Asia/Kathmandu"):
        now = datetime.now(ZoneInfo(zone))
        if (now + timedelta(minutes=30)).month == now.month:
            break
    return zone, f"{now:%Y-%m}-01"


def start(settings: Settings) -> "subprocess.Popen[bytes]":
    """Start a rater as a process of its own."""
    with (settings.state / "rater.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pbxcore", "serve", "rater"],
            env={
                **environ,
                "PBXCORE_DATABASE": settings.database,
                "PBXCORE_STATE": str(settings.state),
                "PBXCORE_CONFIG": str(CONFIG),
            },
            stderr=log,
        )


async def test_a_rater_killed_at_any_moment_overspends_nothing(
    connection: Connection, settings: Settings
) -> None:
    """Kill -9 while calls ask and end: whoever heard yes has money, and all of it is accounted for."""
    rng = random.Random(9)
    let_out: list[tuple[Lines, int]] = []
    number = 0
    process = start(settings)
    try:
        async with line_to(settings) as line:
            await answering(line)
            await pay_in(connection, 3_000_000)
            for answered in (1, 0, 7, 3):
                asked = range(number, number + 25)
                number += 25
                asking = [asyncio.create_task(one_call(line, one, settings, rng)) for one in asked]
                async with asyncio.timeout(60):
                    while sum(task.done() for task in asking) < answered:  # noqa: ASYNC110 — of another process
                        await asyncio.sleep(0)
                process.kill()
                process.wait(60)
                let_out += [one for one in await asyncio.gather(*asking) if one is not None]
                process = start(settings)
                await answering(line)
            write(settings, *(Lines(one, MOBILE, 1, now_us()).leaves(0) for one in range(number)))
            standing = await settled(connection)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert 0 <= standing.balance_micro <= 3_000_000
    rated = {entry.leg.key: entry.leg.billable_s for entry in await stream.rated_since(connection, 0)}
    assert rated.keys() == {lines.key for lines, _ in let_out}
    assert all(rated[lines.key] <= limit_s for lines, limit_s in let_out)
    assert let_out, "some calls were let out"
    await agrees(connection)


async def one_call(
    line: CreditLine, number: int, settings: Settings, rng: random.Random
) -> tuple[Lines, int] | None:
    """Ask, and if the rater said yes, call for a while."""
    answer = await line.ask(
        {"do": "authorise", "id": f"r{number}", "call": call_of(number), "payer": "acme/10", "number": MOBILE,
         "why": "call", "answer_within_s": 10},
        deadline_s=PATIENT_S,
    )  # fmt: skip
    if answer is None or "limit_s" not in answer:
        return None
    lines = Lines(number, MOBILE, answer["limit_s"], now_us())
    talk_us = rng.randrange(1, answer["limit_s"] * SECOND_US)
    write(settings, lines.rings(), lines.answers(), lines.hangs_up(talk_us))
    return lines, answer["limit_s"]


def test_credit_on_the_command_line(
    connection: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mistakes first: nothing is paid by them; then a payment waits for the rater, once."""
    del connection
    monkeypatch.setenv("PBXCORE_DATABASE", settings.database)
    monkeypatch.setenv("PBXCORE_STATE", str(settings.state))
    for words, code, said in (
        (["nobody"], 1, "there is no account nobody"),
        (["acme", "add", "ten", "--ref", "A"], 2, "no amount"),
        (["acme", "add", "0", "--ref", "A"], 2, "above zero"),
        (["acme", "add", "10.00"], 2, "reference"),
        (["acme", "add", "10.00", "--ref", "leg 7"], 2, "reference"),
        (["nobody", "add", "10.00", "--ref", "A"], 1, "there is no account nobody"),
        (["acme", "add", "10.00", "--ref", "A"], 0, "10.000000 to acme"),
        (["acme", "add", "10.00", "--ref", "A"], 0, "10.000000 to acme"),
        (["acme", "add", "11.00", "--ref", "A"], 1, "has paid 10.000000"),
    ):
        result = run(words)
        assert (result[0], said in result[1]) == (code, True), (words, result)
    shown = json.loads(run(["acme", "--json"])[1])
    assert {
        key: shown[key] for key in ("account", "balance", "reserved", "available", "calls", "waiting")
    } == {
        "account": "acme",
        "balance": "0.000000",
        "reserved": "0.000000",
        "available": "0.000000",
        "calls": 0,
        "waiting": "10.000000",
    }


def run(words: Sequence[str]) -> tuple[int, str]:
    """Run the command; return its code and what it said."""
    result = CliRunner().invoke(app, ["credit", *words])
    return result.exit_code, result.output + result.stderr
