"""What calls have cost, as spend limits count it: read from the rated stream, stored nowhere else.

Owns the question. A sum over the stream is right whatever happened to a leg (corrections are rows, too), and
needs no table of its own; it is asked once for an account whose limits somebody wants to know.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rating.book import Account
from rating.limits import Count, counts
from rating.periods import SECOND_US, day_start_us, local_day, month_start
from rating.rate import LONGEST_LEG_S
from rating.store.ledger import Connection
from rating.store.named import named

_SQL = named(Path(__file__).with_name("queries.sql"))


async def spent(
    connection: Connection, accounts: Iterable[Account], now_us: int
) -> Mapping[str, Mapping[Count, int]]:
    """Return what limits of some accounts count, for every day and month in which a call may be under way."""
    by_zone: dict[ZoneInfo, list[Account]] = defaultdict(list)
    for account in accounts:
        by_zone[account.zone].append(account)
    found: dict[str, Counter[Count]] = {}
    for zone, some in by_zone.items():  # as many as there are countries
        found |= await _spent(connection, some, zone, now_us)
    return found


async def _spent(
    connection: Connection, accounts: Sequence[Account], zone: ZoneInfo, now_us: int
) -> dict[str, Counter[Count]]:
    days = _days(zone, now_us)
    starts_us = [day_start_us(day, zone) for day in days]
    by_name = {account.account: account for account in accounts}
    found: dict[str, Counter[Count]] = {name: Counter() for name in by_name}
    for row in await connection.fetch(_SQL["spent"], list(by_name), starts_us, days[0]):
        account, answered_us = by_name[row["account"]], starts_us[row["day"] - 1]
        for _, count in counts(account.limits, row["payer"], zone, answered_us, answered_us):
            found[account.account][count] += row["amount_micro"]
    return found


def _days(zone: ZoneInfo, now_us: int) -> Sequence[date]:
    """Every day from the first of the month in which the longest call under way was answered to today."""
    first = month_start(local_day(now_us - LONGEST_LEG_S * SECOND_US, zone))
    last = local_day(now_us, zone) + timedelta(days=1)  # a clock may be set a little otherwise
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
