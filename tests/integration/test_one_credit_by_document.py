"""One credit, by document: events are judged by what payments and calls did, as orders of a quote are."""

import pytest

from pbxcore import database
from pbxcore.settings import Settings
from tests.integration.test_door import codes, put, rows
from tests.integration.test_one_credit import (  # noqa: F401 — fixtures
    HEAD,
    contract,
    machine,
    say,
    settings,
    today,
)

pytestmark = pytest.mark.row("4.5")


async def calls(settings: Settings, micro: int | None = None) -> None:  # noqa: F811 — a fixture's name
    """Let calls have taken so much; None: all that is there."""
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        await connection.execute(
            "INSERT INTO credit_entry (account, reference, amount_micro, balance_micro, author) "
            "SELECT 'acme', 'leg x', -coalesce($1, sum(amount_micro))::bigint, 0, 'rater' FROM credit_entry",
            micro,
        )
    finally:
        await connection.close()


async def balance(settings: Settings) -> int:  # noqa: F811 — a fixture's name
    """Sum the balance, what waits for the rater with it."""
    (one,) = await rows(settings, "SELECT coalesce(sum(amount_micro), 0)::bigint AS micro FROM credit_entry")
    return int(one["micro"])


async def test_an_order_of_today_spends_nothing_that_calls_took_today(machine: Settings) -> None:  # noqa: F811
    """Without a minute it stands before what calls did today, and makes no debt of it."""
    assert not (await put(machine, contract=contract("40.00", ago=5))).findings
    await calls(machine)
    written = HEAD + f"  - {{on: {today()}, order: {{add: {{fax: 1}}}}}}\n"
    assert [code for *_, code in codes(await put(machine, order=written))] == ["overdrawn"]
    assert await balance(machine) == 0
