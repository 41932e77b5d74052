"""The timetable of bands against the clock on the wall, at generated instants."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from rating.bands import Timetable, Window
from rating.periods import from_iso, local_day

ZONES = ("Europe/Berlin", "UTC", "Pacific/Auckland", "Asia/Kathmandu", "America/St_Johns")
DAY = timedelta(days=1)
MINUTES = st.sampled_from((0, 90, 119, 120, 121, 150, 180, 181, 600, 1320, 1439, 1440))


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    """Up to four windows of two bands, dated or not, overlapping or not."""
    windows = []
    for _ in range(draw(st.integers(1, 4))):
        begins, ends = draw(MINUTES.filter(lambda one: one < 1440)), draw(MINUTES)
        windows.append(
            Window(
                band=draw(st.sampled_from(("a", "b"))),
                weekdays=frozenset(draw(st.sets(st.integers(0, 6), min_size=1))),
                first=draw(st.sampled_from((None, date(2026, 10, 25), date(2026, 3, 20)))),
                until=draw(st.sampled_from((None, date(2026, 10, 25), date(2026, 4, 1)))),
                begins_min=begins,
                ends_min=ends if ends > begins else ends + 1440,
            )
        )
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    return Timetable(zone=zone, order=("b", "a"), windows=tuple(windows))


def shown(instant_us: int, zone: ZoneInfo) -> datetime:
    """What the clock on the wall has shown at most: put back, it stands until it is where it was."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_us)
    hours = (now - timedelta(minutes=minute) for minute in range(0, 121, 15))
    behind = max(one.astimezone(zone).replace(tzinfo=None) for one in hours)
    return max(behind, now.astimezone(zone).replace(tzinfo=None))


def held(table: Timetable, instant_us: int) -> tuple[str, ...]:
    """Which bands hold, by looking at the clock."""
    clock = shown(instant_us, table.zone)
    found = set()
    for window in table.windows:
        for day in (clock.date(), clock.date() - DAY):
            midnight = datetime.combine(day, datetime.min.time())
            begins, ends = (
                midnight + timedelta(minutes=minute) for minute in (window.begins_min, window.ends_min)
            )
            if window.begins_on(day) and begins <= clock < ends:
                found.add(window.band)
    return tuple(band for band in table.order if band in found)


def around(edge: str) -> st.SearchStrategy[int]:
    """Instants three hours to either side of one."""
    return st.integers(-10_800, 10_800).map(lambda seconds: from_iso(edge) + seconds * 1_000_000)


INSTANTS = st.one_of(
    st.integers(from_iso("2026-01-01T00:00:00Z"), from_iso("2027-02-01T00:00:00Z")),
    *map(around, ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-09-26T14:00:00Z")),
)


@given(timetables(), INSTANTS)
def test_a_band_holds_while_the_clock_says_so(table: Timetable, instant_us: int) -> None:
    """In every zone and over every clock change; a time that is shown again changes nothing."""
    at = table.at(instant_us, local_day(instant_us, table.zone))
    assert at.start_us <= instant_us < at.end_us
    assert at.bands == held(table, instant_us // 1_000_000 * 1_000_000)


@given(timetables(), INSTANTS, st.sampled_from(ZONES))
def test_spans_end_where_something_changes(table: Timetable, instant_us: int, zone: str) -> None:
    """Whichever zone a month is counted in, neighbours of a span differ from it, within the month."""
    day = local_day(instant_us, ZoneInfo(zone))
    at = table.at(instant_us, day)
    for beside_us in (at.start_us - 1, at.end_us):
        if local_day(beside_us, ZoneInfo(zone)).replace(day=1) == day.replace(day=1):
            assert table.at(beside_us, day).bands != at.bands
