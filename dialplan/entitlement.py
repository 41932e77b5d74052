"""What a tenant may use and since when: a timeline, looked up at the instant of each call.

Owns the vocabulary of features, the timeline, and what an instant on it means. A later feature adds its word
to `Feature`, asks `withheld` where it acts on a call, and says in `dialplan.checks.entitled` where a document
uses it. Refuses to know why: a contract makes the timeline, nothing here knows tariffs.

An entry begins at the first instant at which the tenant's clock on the wall shows its time or a later one,
and lasts until the next begins. So in the night when clocks go back, what has begun does not end for an hour
because the clock says so; in the night when they go forward, 02:30 is 03:00, as for opening hours.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum


class Feature(StrEnum):
    """What a tariff may withhold; each is a part of the document that acts on calls."""

    GROUPS = "groups"
    HOURS = "hours"
    ANNOUNCEMENTS = "announcements"
    VOICEMAIL = "voicemail"


SECOND = timedelta(seconds=1)
ALL_FEATURES = frozenset(Feature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What a tenant may use from an instant on.

    Attributes:
        since: with a time zone.
        features: those that act on calls; any other is refused, with its reason.
        extensions: how many the document may have; None: any number. No call is refused for it.
        devices: the same of phones.
    """

    since: datetime
    features: frozenset[Feature]
    extensions: int | None = None
    devices: int | None = None


Timeline = tuple[Entitlement, ...]  # by `since`; an empty one withholds nothing


def instant(text: str, zone: tzinfo) -> datetime:
    """Give the first instant, in UTC, at which a clock on the wall shows `2026-12-01T00:00` or later."""
    wall = datetime.fromisoformat(text)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)  # of two in the night when clocks go back
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while first - before > SECOND:  # the clock leaps over it: somewhere between them
        middle = before + (first - before) // (2 * SECOND) * SECOND
        leapt = middle.astimezone(zone).replace(tzinfo=None) >= wall
        before, first = (before, middle) if leapt else (middle, first)
    return first


def from_now_on(timeline: Timeline, now: datetime) -> Timeline:
    """Give what is in force at an instant and all that follows; before the first entry nothing is."""
    return timeline[max(_begun(timeline, now) - 1, 0) :]


def withheld(timeline: Timeline, feature: Feature, now: datetime) -> bool:
    """Tell whether a tenant may not use a feature at an instant."""
    begun = _begun(timeline, now)
    return bool(timeline) and not (begun and feature in timeline[begun - 1].features)


def returns(timeline: Timeline, feature: Feature, now: datetime) -> datetime | None:
    """Give the instant at which a feature that is withheld may be used; None: at none that is known."""
    later = timeline[_begun(timeline, now) :]
    return next((entry.since for entry in later if feature in entry.features), None)


def _begun(timeline: Timeline, now: datetime) -> int:
    """Count the entries that have begun; an instant without zone is UTC."""
    aware = now if now.tzinfo else now.replace(tzinfo=UTC)
    return sum(entry.since <= aware for entry in timeline)
