"""One credit: what a contract takes and is paid, and what calls take, is one sum in the account's balance."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pbxcore import contract_log, database, debiting, ordering
from pbxcore.settings import Settings
from tests.integration.credit_calls import (
    MOBILE,
    SECOND_US,
    SLICE_S,
    Lines,
    Running,
    ask,
    now_us,
    until,
    write,
)
from tests.integration.one_credit.ada import (
    ACCOUNT,
    AUTPHONE,
    HEAD,
    Command,
    Say,
    contract,
    enter,
    micro,
    text,
    today,
    total,
)
from tests.integration.test_door import codes, put, rows
from tests.integration.test_entitled import facts


async def balances(settings: Settings, say: Say) -> tuple[str, str]:
    """What the contract says that is left, and what the rater has, when everything is booked."""

    async def booked() -> bool:
        waiting = await rows(settings, "SELECT FROM credit_entry WHERE balance_micro IS NULL")
        return not waiting and not await rows(settings, "SELECT FROM reservation")

    await until(booked)
    _, shown = await say("contract", "show", "ada", "--on", str(today()))
    _, credit = await say("credit", "acme")
    return str(shown["balance"]), str(credit["balance"])


async def talk(settings: Settings, line: Any, number: int, seconds: int) -> None:  # noqa: ANN401 — a line
    """Call a mobile for so long, at 0.099 a started minute."""
    limit = await ask(line, number, to=MOBILE)
    lines = Lines(number, MOBILE, int(str(limit["limit_s"])), now_us())
    write(settings, lines.rings(), lines.answers(), lines.hangs_up(seconds * SECOND_US), lines.leaves(0))


@pytest.mark.row("4.5")
@pytest.mark.row("4.6")
async def test_calls_payments_orders_and_debits_come_to_one_sum(
    machine: Settings, rater: Running, say: Say
) -> None:
    """Whichever door money comes or goes by, both say the same; and the same again once it is told."""
    assert not (await put(machine, contract=contract("90.00"))).findings
    seen = []
    async with rater() as line:
        seen.append(await balances(machine, say))
        await talk(machine, line, 1, 61)
        seen.append(await balances(machine, say))
        assert (await say("credit", "acme", "add", "5.00", "--ref", "BANK-1"))[0] == 0
        seen.append(await balances(machine, say))
        _, more = await say("quote", "ada", "--add", "blf=1")
        assert (await say("order", "ada", "--quote", more["id"]))[0] == 0
        seen.append(await balances(machine, say))
        paid = HEAD + f"  - {{on: {today()}, at: '23:59', top_up: '7.00'}}\n"
        assert not (await put(machine, paid=paid)).findings
        seen.append(await balances(machine, say))
    assert [text(contract) for contract, _ in seen] == [rater for _, rater in seen]
    first, called, topped, ordered, last = (micro(contract) for contract, _ in seen)
    assert (called - first, topped - called, last - ordered) == (-198_000, 5_000_000, 7_000_000)
    assert topped - ordered == micro(more["at_once"])
    assert [one["ledger"] for one in await facts(machine) if "ledger" in one] == [
        {"paid": "5.000000", "calls": "0.198000"}
    ]


@pytest.mark.row("4.5")
@pytest.mark.row("4.7")
async def test_no_money_is_spent_twice(machine: Settings, rater: Running, say: Say) -> None:
    """What a call under way may need is lacking for an order, and what an order took buys no call."""
    assert not (await put(machine, contract=contract("20.00", ago=0))).findings
    _, one = await say("quote", "ada", "--add", "extension=1")
    left = micro((await say("contract", "show", "ada", "--on", str(today())))[1]["balance"])
    wanted = ("quote", "ada", "--add", f"extension={left // micro(one['at_once']) + 2}")
    _, more = await say(*wanted)
    amount = str(Decimal(micro(more["at_once"]) - left) / 1_000_000)
    assert (await say("credit", "acme", "add", amount, "--ref", "BANK-1"))[0] == 0
    async with rater() as line:
        await balances(machine, say)
        assert (await ask(line, 1, to=MOBILE)).get("limit_s")
        (held,) = await rows(machine, "SELECT money_micro FROM reservation")
        code, refused = await say(*wanted)
        assert (code, micro(refused["missing"])) == (1, held["money_micro"])
        lines = Lines(1, MOBILE, SLICE_S, now_us())
        write(machine, lines.rings(), lines.leaves(0))  # nobody answers
        await balances(machine, say)
        _, more = await say(*wanted)
        assert (await say("order", "ada", "--quote", more["id"]))[0] == 0
        assert await balances(machine, say) == ("0.00", "0.000000")
        assert await ask(line, 2, to=MOBILE) == {"refused": "no-credit"}


async def test_what_falls_due_by_itself_is_entered_once(machine: Settings, say: Say) -> None:
    """A machine that was down over the first enters the debit when it is back, under its own day."""
    assert not (await put(machine, contract=contract("90.00"))).findings
    first = today().replace(day=1)
    connection = await database.connect(database.url_of(machine), application="test")
    missed = "DELETE FROM credit_entry WHERE reference LIKE 'contract/ada/' || $1 || '/debit/%'"
    try:
        assert await connection.execute(missed, str(first)) == "DELETE 1"
    finally:
        await connection.close()
    seen: dict[str, date] = {}
    for _ in range(2):
        await debiting.look(machine, seen)
    entered = await rows(machine, "SELECT reference, amount_micro FROM credit_entry ORDER BY reference")
    (debit,) = (one for one in entered if one["reference"] == f"contract/ada/{first}/debit/1")
    assert debit["amount_micro"] == -13_800_000
    assert seen == {"ada": today()}
    _, shown = await say("contract", "show", "ada", "--on", str(today()))
    assert micro(shown["balance"]) == sum(one["amount_micro"] for one in entered)


@pytest.mark.row("4.1")
async def test_what_goes_back_is_what_calls_have_left(machine: Settings, rater: Running, say: Say) -> None:
    """A notice that turns up late ended the contract two days ago: what calls took since does not go back.

    What they have left of a cent does not either.
    """
    assert not (await put(machine, contract=contract("90.00", ago=3))).findings
    async with rater() as line:
        await balances(machine, say)
        await talk(machine, line, 1, 61)
        before, _ = await balances(machine, say)
        notice = HEAD + f"  - {{on: {today() - timedelta(days=2)}, cancel: {{}}}}\n"
        assert not (await put(machine, notice=notice)).findings
        assert await balances(machine, say) == ("0.00", "0.000000")
    refund = "SELECT sum(amount_micro)::bigint AS micro FROM credit_entry WHERE reference LIKE '%/refund/%'"
    assert -(await rows(machine, refund))[0]["micro"] == micro(before) // 10_000 * 10_000


@pytest.mark.parametrize(
    "reference", ["contract/17", "contract/eve/2026-05-01/debit/1", "contract/ada/May/x/y"]
)
async def test_a_payment_named_like_an_entry_of_a_contract_is_a_payment(
    machine: Settings, say: Say, reference: str
) -> None:
    """`credit add` took such references once: only what is exactly ours is."""
    await enter(machine, reference, 5_000_000)
    assert not (await put(machine, contract=contract("90.00", ago=3))).findings
    await debiting.look(machine, {})
    _, shown = await say("contract", "show", "ada", "--on", str(today()))
    assert micro(shown["balance"]) == await total(machine) > 90_000_000


async def test_a_contract_that_cannot_be_told_holds_up_no_other(machine: Settings) -> None:
    """Its catalogue is gone, the contract behind it has a debit that fell due: that is entered."""
    account = ACCOUNT.replace("account: acme", "account: zoe")
    second = contract("90.00").replace("contract: ada", "contract: zoe").replace("acme", "zoe")
    assert not (await put(machine, contract=contract("90.00"), account=account, second=second)).findings
    connection = await database.connect(database.url_of(machine), application="test")
    try:
        await connection.execute("DELETE FROM credit_entry WHERE reference LIKE '%/debit/%'")
        gone = """UPDATE contract SET head = head || '{"catalogue": "gone"}' WHERE id = 'ada'"""
        assert await connection.execute(gone) == "UPDATE 1"
    finally:
        await connection.close()
    await debiting.look(machine, {})
    entered = await rows(machine, "SELECT account FROM credit_entry WHERE reference LIKE '%/debit/%'")
    assert {one["account"] for one in entered} == {"zoe"}


def notice(ago: int) -> str:
    """Write a notice that was given so many days ago."""
    return HEAD + f"  - {{on: {today() - timedelta(days=ago)}, cancel: {{}}}}\n"


async def left(settings: Settings, say: Say) -> int:
    """What the contract says that is left, once all that fell due is entered; the balance has the same."""
    await debiting.look(settings, {})
    _, shown = await say("contract", "show", "ada", "--on", str(today()))
    assert micro(shown["balance"]) == await total(settings)
    return micro(shown["balance"])


async def test_what_goes_back_at_a_move_to_invoices_is_what_calls_have_left(machine: Settings) -> None:
    """A move that turns up late ended the credit two days ago."""
    assert not (await put(machine, autphone=AUTPHONE, contract=contract("90.00", ago=3))).findings
    await enter(machine, "leg x", -30_000_000)
    move = "move: {catalogue: autphone, add: {extension: 3}, signed_form: x.pdf}"
    written = HEAD + f"  - {{on: {today() - timedelta(days=2)}, {move}}}\n"
    assert not (await put(machine, move=written)).findings
    for _ in range(2):
        await debiting.look(machine, {})
        assert await total(machine) == 0


async def test_who_comes_back_pays_by_either_door(machine: Settings, say: Say) -> None:
    """What is paid behind an end is no refund: it buys the next contract."""
    assert not (await put(machine, contract=contract("90.00", ago=3))).findings
    assert not (await put(machine, notice=notice(2))).findings
    assert (await left(machine, say), await total(machine)) == (0, 0)
    assert (await say("credit", "acme", "add", "50.00", "--ref", "BANK-1"))[0] == 0
    assert await left(machine, say) == 50_000_000
    wanted = ("--add", "extension=2", "--add", "line=1", "--add", "number=1")
    code, made = await say("quote", "ada", *wanted)
    assert (code, made["missing"]) == (0, "0.00")
    assert (await say("order", "ada", "--quote", made["id"]))[0] == 0
    assert await left(machine, say) == 50_000_000 - micro(made["at_once"])


async def test_a_late_notice_gives_back_nothing_that_calls_took_which_were_told(
    machine: Settings, say: Say
) -> None:
    """They were told on a day behind the end: they are written back to its last day."""
    assert not (await put(machine, contract=contract("90.00", ago=5))).findings
    await enter(machine, "leg x", -30_000_000)
    assert not (await put(machine, paid=HEAD + f"  - {{on: {today()}, top_up: '5.00'}}\n")).findings
    await debiting.look(machine, {})
    assert [one["ledger"] for one in await facts(machine) if "ledger" in one] == [{"calls": "30.000000"}]
    assert not (await put(machine, notice=notice(2))).findings
    assert await left(machine, say) == 5_000_000  # paid behind the end


async def test_calls_that_were_written_before_they_were_refused_are_not_taken_twice(
    machine: Settings, say: Say
) -> None:
    """The rater has taken them; so the event is told already, and not entered."""
    assert not (await put(machine, contract=contract("90.00", ago=3))).findings
    before = await total(machine)
    await enter(machine, "leg x", -1_200_000)
    connection = await database.connect(database.url_of(machine), application="test")
    try:
        event = {"on": str(today()), "calls": {"amount": "1.20"}}
        await contract_log.append(connection, "ada", len(await facts(machine)) + 1, event, author="test")
    finally:
        await connection.close()
    assert await left(machine, say) == before - 1_200_000


async def test_an_earlier_letter_gives_back_nothing_that_calls_took(machine: Settings, say: Say) -> None:
    """The contract ended yesterday and calls were told; an earlier letter turns up."""
    assert not (await put(machine, contract=contract("90.00", ago=5))).findings
    await enter(machine, "leg x", -30_000_000)
    for ago in (1, 3):
        assert not (await put(machine, notice=notice(ago))).findings
        assert await left(machine, say) == 0


async def test_an_order_dated_back_spends_nothing_that_calls_have_taken(machine: Settings) -> None:
    """On its own day the credit sufficed; by now calls have had it."""
    assert not (await put(machine, contract=contract("40.00", ago=5))).findings
    day, wanted = today() - timedelta(days=4), {"add": {"fax": 1}}
    made = await ordering.ask(machine, "ada", wanted, day=day, author="test")
    assert not made.refused
    connection = await database.connect(database.url_of(machine), application="test")
    try:
        await connection.execute(
            "INSERT INTO credit_entry (account, reference, amount_micro, balance_micro, author) "
            "SELECT 'acme', 'leg x', -sum(amount_micro)::bigint, 0, 'rater' FROM credit_entry"
        )
    finally:
        await connection.close()
    again = await ordering.ask(machine, "ada", wanted, day=day, author="test")
    assert [one.code for one in again.plan.refusals] == ["credit"]
    done = await ordering.order(machine, "ada", made.id, day=day, author="test")
    assert (done.outcome, done.answer is not None and done.answer.refusals[0].code) == ("refused", "credit")
    written = HEAD + f"  - {{on: {day}, order: {{add: {{fax: 1}}}}}}\n"
    assert [code for *_, code in codes(await put(machine, order=written))] == ["overdrawn"]


async def test_an_account_that_had_credit_brings_it_into_its_contract(machine: Settings, say: Say) -> None:
    """What was paid before is there for the first quote: nothing has to be paid twice."""
    assert (await say("credit", "acme", "add", "20.00", "--ref", "BANK-1"))[0] == 0
    assert not (await put(machine, contract=HEAD.replace("events:\n", "events: []\n"))).findings
    said = ("--add", "extension=2", "--add", "line=1", "--add", "number=1")
    code, made = await say("quote", "ada", *said)
    assert (code, made["missing"]) == (0, "0.00")
    assert (await say("order", "ada", "--quote", made["id"]))[0] == 0
    told = [next(iter(one.keys() - {"on", "at"})) for one in await facts(machine)]
    assert told[:2] == ["ledger", "sign"]


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ({"contract": HEAD + "  - {on: 2026-01-01, ledger: {paid: '1.00'}}\n"}, "told-by-the-ledger"),
        ({"contract": contract("90.00", "calls: {amount: '1.20'}")}, "rated-already"),
        ({"contract": HEAD, "account": ACCOUNT.replace("prepaid", "postpaid")}, "pays-otherwise"),
    ],
)
async def test_what_would_make_two_credits_is_refused(
    machine: Settings, documents: dict[str, str], code: str
) -> None:
    """Nobody writes what the balance has seen, and a contract on credit has an account that is."""
    assert [found for *_, found in codes(await put(machine, **documents))] == [code]


async def test_an_invoiced_account_takes_no_payment(machine: Settings, command: Command) -> None:
    """It has no credit: the remedy says what is paid instead; nothing is stored."""
    assert not (await put(machine, account=ACCOUNT.replace("prepaid", "postpaid"))).findings
    code, told = await asyncio.to_thread(command, "credit", "acme", "add", "5.00", "--ref", "BANK-1")
    assert (code, "account acme is invoiced" in told, "invoices are paid" in told) == (1, True, True)
    assert not await rows(machine, "SELECT FROM credit_entry")
