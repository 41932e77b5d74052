"""One credit: an account pays as its contract does, and whoever leaves the credit is told what to do."""

import asyncio
import json
from datetime import timedelta

import pytest

from pbxcore.settings import Settings
from tests.integration.one_credit.ada import (
    ACCOUNT,
    AUTPHONE,
    HEAD,
    Command,
    Say,
    contract,
    enter,
    micro,
    today,
    total,
)
from tests.integration.test_door import ONE_LEG, codes, put, rows

INVOICED = ACCOUNT.replace("prepaid", "postpaid")
MOVE = "move: {catalogue: autphone, add: {extension: 3}, signed_form: x.pdf}"
DATED_BACK = (
    "UPDATE credit_entry SET created_at = now() - substring(reference FROM 6)::integer * interval '1 day' "
    "WHERE reference LIKE 'BANK-%'"
)
MOVES = ("--move-to", "autphone", "--add", "extension=3")


async def pay(settings: Settings, amount_micro: int, ago: int) -> None:
    """Let somebody have paid so many days ago by the command: the rater has booked it."""
    await enter(settings, f"BANK-{ago}", amount_micro)
    await rows(settings, DATED_BACK)


@pytest.mark.parametrize("door", ["document", "quote"])
async def test_an_order_dated_back_has_what_was_paid_by_then(machine: Settings, say: Say, door: str) -> None:
    """A form of four days ago: the payment of five days ago was there, and nothing has to be paid twice."""
    assert not (await put(machine, contract=contract("20.00", ago=6))).findings
    await pay(machine, 500_000_000, ago=5)
    day = str(today() - timedelta(days=4))
    if door == "quote":
        code, made = await say("quote", "ada", "--add", "extension=100", "--on", day)
        assert (code, made["missing"]) == (0, "0.00")
        assert (await say("order", "ada", "--quote", made["id"], "--on", day))[0] == 0
    else:
        written = HEAD + f"  - {{on: {day}, order: {{add: {{extension: 100}}}}}}\n"
        assert not (await put(machine, order=written)).findings
    _, shown = await say("contract", "show", "ada", "--on", day)
    assert shown["products"]["extension"] == 102
    _, shown = await say("contract", "show", "ada")
    assert micro(shown["balance"]) == await total(machine) > 0


async def test_an_order_dated_back_has_nothing_that_was_paid_since(machine: Settings, say: Say) -> None:
    """On its day the credit did not suffice: it is refused, and what is paid later makes no order of it."""
    assert not (await put(machine, contract=contract("20.00", ago=6))).findings
    await pay(machine, 500_000_000, ago=3)
    day = str(today() - timedelta(days=4))
    code, made = await say("quote", "ada", "--add", "extension=100", "--on", day)
    assert (code, micro(made["missing"]) > 0) == (1, True)
    written = HEAD + f"  - {{on: {day}, order: {{add: {{extension: 100}}}}}}\n"
    assert not (
        await put(machine, order=written)
    ).findings  # an answer of the contract: it stands there as refused
    _, shown = await say("contract", "show", "ada")
    assert (shown["products"]["extension"], micro(shown["balance"])) == (2, await total(machine))


@pytest.mark.parametrize("how", ["unsigned", "signed", "moves"])
async def test_an_account_stays_on_credit_while_its_contract_is(machine: Settings, how: str) -> None:
    """Unsigned, signed, and until it moves tomorrow: calls would leave a credit that nobody else uses."""
    written = contract("90.00", ago=3)
    written += f"  - {{on: {today()}, {MOVE}}}\n" if how == "moves" else ""
    written = HEAD.replace("events:\n", "events: []\n") if how == "unsigned" else written
    assert not (await put(machine, autphone=AUTPHONE, contract=written)).findings
    refused = await put(machine, account=INVOICED)
    assert codes(refused) == [("account.yaml", 7, "contract-on-credit")]
    until = str(today() + timedelta(days=1)) if how == "moves" else "leave `payment: prepaid`"
    assert until in refused.findings[0].finding.remedy
    assert len(await rows(machine, "SELECT FROM revision WHERE kind = 'account'")) == 1


async def test_an_account_follows_its_contract_to_invoices(machine: Settings) -> None:
    """From the day of the move on; what the contract has moved is in the balance by then."""
    written = contract("90.00", ago=3) + f"  - {{on: {today() - timedelta(days=2)}, {MOVE}}}\n"
    assert not (await put(machine, autphone=AUTPHONE, contract=written)).findings
    await enter(machine, "BANK-1", 5_000_000)  # nobody has looked since
    assert not (await put(machine, account=INVOICED)).findings
    assert await total(machine) == 5_000_000


async def test_who_moves_to_invoices_is_told_what_his_account_needs(
    machine: Settings, say: Say, command: Command
) -> None:
    """By the quote, by check before it is applied, and by show until it is done."""
    assert not (await put(machine, autphone=AUTPHONE, contract=contract("90.00", ago=3))).findings
    day = today() + timedelta(days=1)
    told = f"apply that on {day}, not before"
    _, made = await say("quote", "ada", *MOVES)
    assert (made["dates"]["account"]["day"], told in made["dates"]["account"]["why"]) == (str(day), True)
    file = machine.state / "move.yaml"
    file.write_text(HEAD + f"  - {{on: {today()}, {MOVE}}}\n")
    code, said = await asyncio.to_thread(command, "check", "--json", str(file))
    assert (code, [told in one for one in json.loads(said)["notes"]]) == (0, [True])
    assert (await say("contract", "show", "ada"))[1]["to_do"] == []
    assert not (await put(machine, move=file.read_text())).findings
    _, shown = await say("contract", "show", "ada")
    assert [(one["rule"], one["day"], told in one["why"]) for one in shown["to_do"]] == [
        ("account", str(day), True)
    ]


async def test_an_account_with_rated_calls_cannot_follow(machine: Settings, say: Say) -> None:
    """It stays prepaid: who wants invoiced calls signs with another account, and is told so before."""
    assert not (await put(machine, autphone=AUTPHONE, contract=contract("90.00", ago=3))).findings
    await rows(machine, ONE_LEG)
    _, made = await say("quote", "ada", *MOVES)
    assert "sign a contract with another account" in made["dates"]["account"]["why"]
