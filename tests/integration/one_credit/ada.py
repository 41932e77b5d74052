"""Ada, whose contract is on credit: her documents, and what her account has had."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pbxcore import database
from pbxcore.settings import Settings
from tests.integration.test_door import CONFIG, rows
from tests.integration.test_entitled import tenant

ROME = ZoneInfo("Europe/Rome")
OPENVOIP = (CONFIG / "catalogues/openvoip.yaml").read_text().replace("valid_from: 2026", "valid_from: 2020")
AUTPHONE = (CONFIG / "catalogues/autphone.yaml").read_text().replace("valid_from: 2026", "valid_from: 2020")
ACCOUNT = (
    "version: 1\naccount: acme\nname: Ada\ncountry: DE\ncatalogue: openvoip\ntime_zone: Europe/Rome\n"
    "payment: prepaid\n"
)
HEAD = "version: 1\ncontract: ada\ncatalogue: openvoip\naccount: acme\nevents:\n"
SIGN = "sign: {add: {extension: 2, line: 1, number: 1}}"
TENANT = tenant(2, name="acme").replace("account: beta", "account: acme")
Command = Callable[..., tuple[int, str]]
Say = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


def today() -> date:
    """The day of the account."""
    return datetime.now(ROME).date()


def contract(credit: str, *events: str, ago: int = 40) -> str:
    """Write a contract of 13.80 a month that was signed so many days ago."""
    day = today() - timedelta(days=ago)
    return HEAD + "".join(
        f"  - {{on: {on}, {event}}}\n"
        for on, event in ((day, f"top_up: '{credit}'"), (day, SIGN), *((today(), one) for one in events))
    )


def micro(amount: str) -> int:
    """Read an amount."""
    whole, _, part = amount.partition(".")
    sign = -1 if whole.startswith("-") else 1
    return sign * (abs(int(whole)) * 1_000_000 + int(part.ljust(6, "0")))


def text(amount: str) -> str:
    """Write an amount as the rater does."""
    whole, _, part = amount.partition(".")
    return f"{whole}.{part.ljust(6, '0')}"


async def enter(settings: Settings, reference: str, amount_micro: int) -> None:
    """Book an entry as the rater does."""
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        await connection.execute(
            "INSERT INTO credit_entry (account, reference, amount_micro, balance_micro, author) "
            "VALUES ('acme', $1, $2, 0, 'rater')",
            reference,
            amount_micro,
        )
    finally:
        await connection.close()


async def total(settings: Settings) -> int:
    """Sum everything that the rater has booked, or will."""
    (one,) = await rows(settings, "SELECT coalesce(sum(amount_micro), 0)::bigint AS micro FROM credit_entry")
    return int(one["micro"])
