"""Days and months in a named time zone, as instants.

Owns the calendar of rating: where a local day begins in time. Refuses to know what today is; every instant
is an argument, in microseconds since 1970-01-01T00:00:00Z.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
FIRST_US = 946_684_800 * SECOND_US  # 2000-01-01: before it a clock was not set
LAST_US = 4_102_444_800 * SECOND_US  # 2100-01-01: behind it too

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def day_start_us(day: date, zone: ZoneInfo) -> int:
    """Instant at which a local day begins; where its midnight is skipped, the instant of the skip."""
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MICROSECOND


def local_day(instant_us: int, zone: ZoneInfo) -> date:
    """Local date at an instant."""
    return (_EPOCH + instant_us * _MICROSECOND).astimezone(zone).date()


def month_start(day: date) -> date:
    """First day of the month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """First day of the month after."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def iso(instant_us: int) -> str:
    """Write an instant: `2026-10-31T22:58:00.000000Z`."""
    moment = _EPOCH + instant_us * _MICROSECOND
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_iso(text: str) -> int:
    """Read an instant with its offset.

    Raises:
        ValueError: it is none, or says no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no offset from UTC; write it with Z")
    return (moment - _EPOCH) // _MICROSECOND
