"""What an account uses now, on the command line: what calls cost, limits, allowances, what is set aside."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.database import Connection
from pbxcore.settings import Settings
from rating.periods import month_away
from tests.integration.credit_calls import (
    CONFIG,
    FIXED,
    MOBILE,
    SECOND_US,
    SLICE_S,
    Lines,
    a_machine,
    a_rater,
    an_account,
    ask,
    now_us,
    put,
    settled,
    write,
)

# Where no day begins soon: what is counted today stays in today.
ZONE = next(
    zone
    for zone in ("UTC", "Asia/Kathmandu")
    if (now := datetime.now(ZoneInfo(zone))).day == (now + timedelta(minutes=30)).day
)
LIMITS = {"per_day": "1.00", "extensions": {"acme/10": {"per_month": "0.50"}}}


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """Give a connection to a database with an invoiced account: limits, and minutes that stay for a month."""
    catalogue = yaml.safe_load((CONFIG / "catalogues/autphone.yaml").read_text())
    bundle = catalogue["bundles"]["dach"]
    bundle |= {"roll_over_months": 1}
    bundle["sizes"]["S"] |= {"fixed_minutes": 10, "mobile_minutes": 0}
    account = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    async with an_account(database) as connection:
        await put(connection, "catalogue", "autphone@2026-01-01", catalogue)
        await put(connection, "account", "acme", {**account, "time_zone": ZONE, "spend_limits": LIMITS})
        yield connection


@pytest.fixture
def settings(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give the settings of a machine of its own, by which the command line goes, too."""
    made = a_machine(database, tmp_path)
    for name, value in (("DATABASE", database), ("STATE", str(tmp_path)), ("CONFIG", str(CONFIG))):
        monkeypatch.setenv(f"PBXCORE_{name}", value)
    return made


async def told(*words: str) -> str:
    """Run the command; return what it said."""
    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["credit", "acme", *words], env={"COLUMNS": "200"}
    )
    assert result.exit_code == 0, result.output
    return result.output


async def values() -> dict[str, Any]:
    """Return what it says to scripts."""
    found: dict[str, Any] = json.loads(await told("--json"))
    return found


async def test_an_invoiced_account_shows_what_it_uses(connection: Connection, settings: Settings) -> None:
    """Minutes of last month first; a call under way is set aside in both limits; then it is spent."""
    today = datetime.now(ZoneInfo(ZONE)).date()
    async with a_rater(settings) as line:
        await ask(line, 1)
        talked = Lines(1, FIXED, SLICE_S, now_us())
        write(settings, talked.rings(), talked.answers(), talked.hangs_up(61 * SECOND_US), talked.leaves(0))
        await settled(connection)
        assert await ask(line, 2, to=MOBILE) == {"limit_s": SLICE_S}
        await settled(connection, reserved=1)
        before = await values()
        running = Lines(2, MOBILE, SLICE_S, now_us())
        write(settings, running.rings(), running.answers(), running.hangs_up(SECOND_US), running.leaves(0))
        await settled(connection)
        after = await values()
    months = [
        (month_away(today, -1), last_day(today)),
        (month_away(today, 0), last_day(month_away(today, 1))),
    ]
    assert [(one["pool"], one["until"]) for one in before["allowances"]] == [
        (f"dach/fixed/{first}", until.isoformat()) for first, until in months
    ]
    assert [(one["used_s"], one["left_s"]) for one in before["allowances"]] == [(120, 480), (0, 600)]
    assert [before[key] for key in ("payment", "balance", "currency", "calls")] == [
        "invoiced",
        None,
        "EUR",
        1,
    ]
    assert [(one["who"], one["per"], one["set_aside"], one["left"]) for one in before["limits"]] == [
        ("", "day", "0.495000", "0.505000"),
        ("acme/10", "month", "0.495000", "0.005000"),
    ]
    assert (before["spent_today"], after["spent_today"], after["spent_this_month"]) == (
        "0.000000", "0.099000", "0.099000"
    )  # fmt: skip
    assert [(one["spent"], one["set_aside"]) for one in after["limits"]] == [("0.099000", "0.000000")] * 2


async def test_people_read_the_same(connection: Connection, settings: Settings) -> None:
    """In words: that it is invoiced, each limit, each allowance with its last day; of prepaid its credit."""
    del settings  # the command line goes by them
    output = await told()
    until = last_day(datetime.now(ZoneInfo(ZONE)).date()).isoformat()
    for words in (
        "acme is invoiced, in EUR",
        "the account per day",
        "acme/10 per month",
        "dach/fixed/",
        until,
    ):
        assert words in output
    assert "balance" not in output
    document = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    await put(connection, "account", "acme", {**document, "payment": "prepaid", "bundles": []})
    output = await told()
    assert ("acme is prepaid" in output, "balance" in output, "free" in output) == (True, True, True)
    assert "allowance" not in output


def last_day(day: date) -> date:
    """Return the last day of a month."""
    return month_away(day, 1) - timedelta(days=1)
