"""Days and months in a named time zone, as instants.

Owns the calendar of rating: where a local day begins in time. Refuses to know what today is; every instant
is an argument, in microseconds since 1970-01-01T00:00:00Z.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
FIRST_US = 946_684_800 * SECOND_US  # 2000-01-01: before it a clock was not set
LAST_US = 4_102_444_800 * SECOND_US  # 2100-01-01: behind it too

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_DAY_MIN = 24 * 60


def day_start_us(day: date, zone: ZoneInfo) -> int:
    """Instant at which a local day begins; where its midnight is skipped, the instant of the skip."""
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MICROSECOND


def clock_us(day: date, minute: int, zone: ZoneInfo) -> int:
    """Instant at which the clocks of a zone first show a minute of a day, or where they skip it.

    Args:
        day: local day.
        minute: since its midnight by the clock; from 1440 on those of the next day.
        zone: whose clocks.
    """
    over, within = divmod(minute, _DAY_MIN)
    shown = datetime.combine(day + timedelta(days=over), time(*divmod(within, 60)))
    found = shown.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) != shown:  # skipped: the offset before it leads behind it
        found = _skip(shown.replace(tzinfo=zone, fold=1).astimezone(UTC), found, zone)
    return (found - _EPOCH) // _MICROSECOND


def _skip(before: datetime, behind: datetime, zone: ZoneInfo) -> datetime:
    """Find the second at which clocks are put forward between two instants, by halving."""
    offset = behind.astimezone(zone).utcoffset()
    while behind - before > _SECOND:  # at most a day apart: seventeen turns
        middle = before + (behind - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            behind = middle
        else:
            before = middle
    return behind


def local_day(instant_us: int, zone: ZoneInfo) -> date:
    """Local date at an instant."""
    return (_EPOCH + instant_us * _MICROSECOND).astimezone(zone).date()


def month_start(day: date) -> date:
    """First day of the month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """First day of the month after."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def month_away(day: date, months: int) -> date:
    """First day of the month so many months later; earlier for fewer than none."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)


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
