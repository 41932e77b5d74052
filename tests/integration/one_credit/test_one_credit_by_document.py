"""One credit, by document: events are judged by what payments and calls did, as orders of a quote are."""

from datetime import timedelta

import pytest

from pbxcore import database, ordering
from pbxcore.settings import Settings
from tests.integration.one_credit.ada import (
    ACCOUNT,
    HEAD,
    SIGN,
    Say,
    contract,
    enter,
    micro,
    today,
    total,
)
from tests.integration.test_door import CONFIG, codes, put, rows

pytestmark = pytest.mark.row("4.5")


async def calls(settings: Settings, micro: int | None = None) -> None:
    """Let calls have taken so much; None: all that is there."""
    await enter(settings, "leg x", -(await total(settings) if micro is None else micro))


async def test_an_order_of_today_spends_nothing_that_calls_took_today(machine: Settings) -> None:
    """Without a minute it stands before what calls did today, and makes no debt of it."""
    assert not (await put(machine, contract=contract("40.00", ago=5))).findings
    await calls(machine)
    written = HEAD + f"  - {{on: {today()}, order: {{add: {{fax: 1}}}}}}\n"
    assert [code for *_, code in codes(await put(machine, order=written))] == ["overdrawn"]
    assert await total(machine) == 0


@pytest.mark.parametrize("at", ["", "at: '23:59', "])
async def test_what_was_paid_counts_for_an_order_in_a_document(machine: Settings, say: Say, at: str) -> None:
    """A payment by the command is there for a document of today, whether it names a minute or not."""
    assert not (await put(machine, contract=contract("20.00", ago=0))).findings
    assert (await say("credit", "acme", "add", "50.00", "--ref", "BANK-1"))[0] == 0
    before = await total(machine)
    written = HEAD + f"  - {{on: {today()}, {at}order: {{add: {{extension: 100}}}}}}\n"
    assert not (await put(machine, order=written)).findings
    after = await total(machine)
    _, shown = await say("contract", "show", "ada", "--on", str(today()))
    assert (shown["products"]["extension"], micro(shown["balance"])) == (102, after)
    assert 0 <= after < before
    assert not (await put(machine, order=written)).findings  # the same once more is no other order
    assert await total(machine) == after


@pytest.mark.parametrize("at", ["", "at: '23:59', "])
async def test_what_was_paid_before_a_new_contract_pays_its_signing(
    machine: Settings,
    say: Say,
    at: str,
) -> None:
    """What an account had comes first, and what is shown as signed is stored as signed."""
    assert (await say("credit", "acme", "add", "50.00", "--ref", "BANK-1"))[0] == 0
    assert not (await put(machine, contract=HEAD + f"  - {{on: {today()}, {at}{SIGN}}}\n")).findings
    _, shown = await say("contract", "show", "ada", "--on", str(today()))
    assert shown["signed"] == str(today())
    assert micro(shown["balance"]) == await total(machine) < 50_000_000


async def test_notice_by_letter_of_who_has_paid_his_debt_counts(machine: Settings, say: Say) -> None:
    """A debit made a debt and it was paid by the command: the contract ends, and the rest goes back."""
    assert not (await put(machine, contract=contract("14.00", ago=40))).findings
    assert await total(machine) < 0
    assert (await say("credit", "acme", "add", "50.00", "--ref", "BANK-1"))[0] == 0
    assert not (await put(machine, notice=HEAD + f"  - {{on: {today()}, cancel: {{}}}}\n")).findings
    _, shown = await say("contract", "show", "ada", "--on", str(today()))
    assert (shown["notice"], shown["ending"] is not None) == (str(today()), True)


async def test_an_invoiced_account_moves_to_no_credit(machine: Settings) -> None:
    """Neither a document nor an order of a quote brings it to a credit that no call would use."""
    autphone = (
        (CONFIG / "catalogues/autphone.yaml").read_text().replace("valid_from: 2026", "valid_from: 2020")
    )
    account = ACCOUNT.replace("prepaid", "postpaid").replace("account: acme", "account: post")
    head = (
        HEAD.replace("ada", "bob").replace("openvoip", "autphone").replace("account: acme", "account: post")
    )
    signed = today() - timedelta(days=400)
    sign = head + f"  - {{on: {signed}, sign: {{add: {{extension: 3}}, signed_form: x.pdf}}}}\n"
    wanted = "move: {catalogue: openvoip, add: {extension: 2, line: 1, number: 1}"
    move = f"  - {{on: {signed + timedelta(days=3)}, {wanted}, signed_form: x.pdf}}}}\n"
    assert not (await put(machine, autphone=autphone, account=account)).findings
    assert [code for *_, code in codes(await put(machine, contract=sign + move))] == ["pays-otherwise"]
    assert not (await put(machine, contract=sign)).findings
    assert [code for *_, code in codes(await put(machine, move=head + move))] == ["pays-otherwise"]
    moves = {"move": {"catalogue": "openvoip", "add": {"extension": 2, "line": 1, "number": 1}}}
    made = await ordering.ask(machine, "bob", moves, author="test")
    assert [one.code for one in made.plan.refusals] == ["pays-otherwise"]
    assert await total(machine) == 0


async def test_a_contract_of_before_with_an_invoiced_account_can_end(machine: Settings) -> None:
    """Nothing is entered in a balance that its account has no more, and notice counts."""
    assert not (await put(machine, contract=contract("90.00", ago=3))).findings
    connection = await database.connect(database.url_of(machine), application="test")
    try:  # as an upgrade finds it: such an account was let in, and nothing of the contract was entered
        await connection.execute(
            "UPDATE revision SET document = replace(document::text, 'prepaid', 'postpaid')::jsonb "
            "WHERE kind = 'account'"
        )
        await connection.execute("DELETE FROM credit_entry")
    finally:
        await connection.close()
    made = await ordering.ask(machine, "ada", {"add": {"fax": 1}}, author="test")
    assert (await ordering.order(machine, "ada", made.id, author="test")).outcome == "accepted"
    assert not (
        await put(machine, notice=HEAD + f"  - {{on: {today()}, at: '23:59', cancel: {{}}}}\n")
    ).findings
    assert not await rows(machine, "SELECT FROM credit_entry")


async def test_nothing_is_ordered_for_a_later_day(machine: Settings) -> None:
    """By then calls may have had the money: an order would be undone, or make a debt."""
    assert not (await put(machine, contract=contract("20.00", ago=5))).findings
    day = today() + timedelta(days=2)
    early = await ordering.ask(machine, "ada", {"add": {"fax": 1}}, day=day, author="test")
    assert [one.code for one in early.plan.refusals] == ["too-early"]
    made = await ordering.ask(machine, "ada", {"add": {"fax": 1}}, author="test")
    done = await ordering.order(machine, "ada", made.id, day=day, author="test")
    assert done.outcome == "refused"
    written = HEAD + f"  - {{on: {day}, order: {{add: {{fax: 1}}}}}}\n"
    assert [code for *_, code in codes(await put(machine, order=written))] == ["too-early"]
    notice = HEAD + f"  - {{on: {day}, cancel: {{}}}}\n"
    assert not (await put(machine, notice=notice)).findings
