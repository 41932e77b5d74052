"""A contract on credit in the database: paid in, debited on the first, charged at once, paid back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pbxcore import door
from pbxcore.settings import Settings
from tests.integration.test_door import CONFIG, put

HEAD = "version: 1\ncontract: ada\ncatalogue: openvoip\nevents:\n"
SIGNED = (
    "  - {on: 2026-04-01, top_up: '14.00'}\n"
    "  - {on: 2026-04-01, sign: {add: {extension: 2, line: 1, number: 1}}}\n"
)
PAID = "  - {on: 2026-05-11, top_up: '20.00'}\n"
Command = Callable[..., tuple[int, str]]


@pytest.fixture
async def signed(settings: Settings) -> Settings:
    """A machine with a contract of 13.80 a month and 14.00 paid in."""
    assert not (await door.apply(settings, [CONFIG / "catalogues"], author="test")).findings
    assert not (await put(settings, contract=HEAD + SIGNED)).findings
    return settings


def say(command: Command, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command: its exit code and what it told scripts."""
    code, told = command(*arguments, "--json")
    return code, json.loads(told)


def balance(command: Command, day: str) -> str:
    """What the credit is at the end of a day."""
    return str(say(command, "contract", "show", "ada", "--on", day)[1]["balance"])


@pytest.mark.row("4.4")
@pytest.mark.row("4.6")
@pytest.mark.usefixtures("signed")
def test_a_stored_debt_stands_in_the_way_of_orders_and_notice(command: Command) -> None:
    """The debit makes -13.60 of 0.20; more is refused with what is missing, notice for the debt."""
    assert [balance(command, day) for day in ("2026-04-30", "2026-05-01")] == ["0.20", "-13.60"]
    code, more = say(command, "quote", "ada", "--add", "blf=1", "--on", "2026-05-12")
    assert (code, more["at_once"], more["missing"]) == (1, "0.77", "14.37")
    code, notice = say(command, "quote", "ada", "--cancel", "--on", "2026-05-12")
    assert (code, [one["code"] for one in notice["refusals"]]) == (1, ["debt"])
    assert notice["refusals"][0]["remedy"].startswith('top up 13.60 first: the event `top_up: "13.60"`')


@pytest.mark.row("4.5")
@pytest.mark.usefixtures("paid")
def test_a_stored_catalogue_keeps_the_order_of_its_options(command: Command) -> None:
    """The later one is the higher: the flat rate is an upgrade, and begins with its order."""
    _, up = say(command, "quote", "ada", "--choose", "traffic=flat", "--on", "2026-05-12")
    (change,) = (one for one in up["changes"] if "choice" in one)
    assert (change["begins"], up["at_once"], up["missing"]) == ("2026-05-12", "9.29", "2.89")


@pytest.fixture
async def paid(signed: Settings) -> Settings:
    """The same machine after a payment that ends the debt."""
    assert not (await put(signed, paid=HEAD + PAID)).findings
    return signed


@pytest.mark.row("4.1")
@pytest.mark.row("4.5")
@pytest.mark.usefixtures("paid")
def test_a_stored_upgrade_is_taken_at_once_and_what_is_left_goes_back(command: Command) -> None:
    """6.40 less 0.77 for 20 of 31 days; on the day after the notice 5.63 is due back and nothing stays."""
    _, more = say(command, "quote", "ada", "--add", "blf=1", "--on", "2026-05-12")
    assert say(command, "order", "ada", "--quote", more["id"], "--on", "2026-05-12")[0] == 0
    assert [balance(command, day) for day in ("2026-05-11", "2026-05-12")] == ["6.40", "5.63"]
    _, notice = say(command, "quote", "ada", "--cancel", "--on", "2026-05-12")
    assert (notice["refund"]["on"], notice["refund"]["amount"]) == ("2026-05-13", "5.63")
    assert say(command, "order", "ada", "--quote", notice["id"], "--on", "2026-05-12")[0] == 0
    assert balance(command, "2026-05-13") == "0.00"
