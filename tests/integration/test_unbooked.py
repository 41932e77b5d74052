"""Whoever looks at a contract or its account is told where the account's document books otherwise."""

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from pbxcore.settings import Settings
from tests.integration.test_contracts import AUTPHONE, CONTRACT, Command
from tests.integration.test_door import CONFIG, put

ACCOUNT = (CONFIG / "accounts" / "acme.yaml").read_text()
BARE = ACCOUNT.partition("bundles:")[0]
LINE = "`- {bundle: dach, size: S, from: 2026-01-01}`"


@pytest.fixture
async def signed(settings: Settings) -> Settings:
    """A machine with the account and the contract of acme, as shipped."""
    applied = await put(settings, catalogue=AUTPHONE, account=ACCOUNT, contract=CONTRACT)
    assert (applied.findings, applied.notes) == ((), ())
    return settings


async def notes(command: Command, file: Path, text: str) -> list[str]:
    """Check a document; give the notes about bookings."""
    await asyncio.to_thread(file.write_text, text)
    code, said = await asyncio.to_thread(command, "check", "--json", str(file))
    assert code == 0
    return [one for one in json.loads(said)["notes"] if "books" in one]


async def to_do(command: Command) -> list[str]:
    """Show the contract; give what is to be done."""
    _, said = await asyncio.to_thread(command, "contract", "show", "acme", "--json")
    return [one["why"] for one in json.loads(said)["to_do"]]


async def test_an_account_that_does_not_book_what_its_contract_sells_is_told(
    signed: Settings, command: Command
) -> None:
    """By check of either document, by apply, by show until it is done; as shipped nothing is said."""
    file = signed.state / "one.yaml"
    for text in (ACCOUNT, CONTRACT):
        assert await notes(command, file, text) == []
    assert await to_do(command) == []
    (said,) = await notes(command, file, BARE)
    assert LINE in said
    code, told = await asyncio.to_thread(command, "apply", str(file))
    assert (code, LINE in told) == (0, True)
    assert [LINE in one for one in await to_do(command)] == [True]
    assert [LINE in one for one in await notes(command, file, CONTRACT)] == [True]
    applied = await put(signed, account=ACCOUNT)
    assert (applied.findings, applied.notes, await to_do(command)) == ((), (), [])


@pytest.mark.usefixtures("signed")
async def test_who_orders_is_told_what_the_account_is_still_to_book(command: Command) -> None:
    """Minutes that are given up are granted until the account's document says so, too."""
    _, said = await asyncio.to_thread(command, "quote", "acme", "--remove", "dach-S=1", "--json")
    made = json.loads(said)
    last = date.fromisoformat(made["effective"]) - timedelta(days=1)
    line = f"`- {{bundle: dach, size: S, from: 2026-01-01, until: {last}}}`"
    code, told = await asyncio.to_thread(command, "order", "acme", "--quote", made["id"])
    assert (code, "✓ ordered" in told, told.count(line)) == (0, True, 1)
    assert [line in one for one in await to_do(command)] == [True]
