"""What is written down of a porting, event by event, and what is said of where it stands."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dialplan.build import build_plan
from dialplan.spec import PortingSpec, TenantSpec
from pbxcore import porting
from pbxcore.cli.numbers import row, told
from pbxcore.porting import Confirmed, Planned, PortingError, Rejected, Reverted

N, T, ZONE = "+493022200100", "+493055500100", ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 1, 6, 12, tzinfo=UTC)
AT, PLAN = "2026-11-01T07:12:00+01:00", "2026-11-01T06:00:00+01:00"
BY_CALL = PortingSpec(planned=PLAN, confirmed=AT, by="call", reference="pbx-1.0")
BY_HAND = PortingSpec(planned=PLAN, confirmed=AT, by="hand", grace_days=90)
BY_CARRIER = PortingSpec(confirmed=AT, by="carrier", reference="WBCI-7")
LATER = NOW + timedelta(minutes=1)
TO_COME = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "event", "words"),
    [
        (PortingSpec(), Reverted(), "not confirmed"),
        (PortingSpec(planned=PLAN), Reverted(), "not confirmed"),
        (BY_CALL, Planned(at=NOW), "by the first call pbx-1.0"),
        (BY_CARRIER, Rejected(reason="late"), "by the carrier's message WBCI-7"),
        (BY_HAND, Confirmed(at=LATER, by="hand"), AT),
        (BY_CALL, Confirmed(at=LATER, by="carrier", reference="WBCI-7"), AT),
        (BY_CARRIER, Confirmed(at=None, by="carrier", reference="WBCI-8"), "WBCI-7"),
        (BY_CARRIER, Confirmed(at=NOW, by="hand", reference="WBCI-8"), "WBCI-7"),
    ],
)
def test_what_contradicts_what_stands_there_is_refused(
    known: PortingSpec, event: porting.Event, words: str
) -> None:
    """Nothing is dropped in silence: the refusal names what stands, and how to take it back."""
    with pytest.raises(PortingError, match="cannot be changed like this") as error:
        porting._value(event, known, N, ZONE)
    assert words in str(error.value)
    assert error.value.code == "porting-contradiction"
    if known.confirmed:
        assert f"`pbxcore porting revert {N}`" in error.value.remedy


@pytest.mark.parametrize("known", [PortingSpec(), PortingSpec(planned=PLAN), BY_CALL, BY_HAND])
def test_what_is_to_come_is_no_confirmation(known: PortingSpec) -> None:
    """It is refused as such whatever stands there, with the command that plans it."""
    with pytest.raises(PortingError, match="is to come") as error:
        porting._value(Confirmed(at=TO_COME, by="hand"), known, N, ZONE)
    assert error.value.code == "porting-to-come"
    assert error.value.remedy == f"`pbxcore porting plan {N} --at 2100-01-01T01:00:00+01:00`"


@pytest.mark.parametrize(
    ("known", "event"),
    [
        (BY_CALL, Confirmed(at=LATER, by="call", reference="pbx-2.0")),
        (BY_HAND, Confirmed(at=NOW, by="call", reference="pbx-2.0")),
        (BY_HAND, Confirmed(at=None, by="hand")),
        (BY_HAND, Confirmed(at=NOW, by="carrier")),
        (BY_CARRIER, Confirmed(at=None, by="carrier", reference="WBCI-7")),
        (BY_CARRIER, Confirmed(at=datetime(2026, 11, 1, 7, 12), by="hand")),  # noqa: DTZ001 — by the tenant's clock
        (BY_CALL.model_copy(update={"message": "W"}), Confirmed(at=None, by="carrier", reference="W")),
    ],
)
def test_what_is_known_is_not_written_again(known: PortingSpec, event: porting.Event) -> None:
    """Later calls, and the same facts once more."""
    assert porting._value(event, known, N, ZONE) is None


@pytest.mark.parametrize(
    ("known", "event", "written"),
    [
        (PortingSpec(planned=PLAN), Planned(at=NOW), {"planned": AT}),
        (PortingSpec(planned=PLAN), Rejected(reason='"late"'), {"rejected": '"late"'}),
        (PortingSpec(rejected="late"), Confirmed(at=NOW, by="hand"), {"confirmed": AT, "by": "hand"}),
        (PortingSpec(planned=PLAN), Confirmed(at=NOW, by="call", reference="pbx-1.0"),
         {"planned": PLAN, "confirmed": AT, "by": "call", "reference": "pbx-1.0"}),
        (BY_CALL, Confirmed(at=None, by="carrier", reference="WBCI-7"),
         {"planned": PLAN, "confirmed": AT, "by": "call", "reference": "pbx-1.0", "message": "WBCI-7"}),
        (BY_CALL, Confirmed(at=NOW, by="hand", reference="WBCI-7"),
         {"planned": PLAN, "confirmed": AT, "by": "call", "reference": "pbx-1.0", "message": "WBCI-7"}),
        (BY_HAND, Confirmed(at=None, by="carrier", reference="WBCI-7"),
         {"planned": PLAN, "confirmed": AT, "by": "hand", "reference": "WBCI-7", "grace_days": 90}),
        (BY_HAND, Reverted(), {"planned": PLAN, "grace_days": 90}),
        (BY_CARRIER, Reverted(), {}),
        (BY_CALL, Reverted(), {}),  # or the next call would confirm again what was taken back
    ],
)  # fmt: skip
def test_what_is_written(known: PortingSpec, event: porting.Event, written: dict[str, str]) -> None:
    """An event adds what it says, and what stood there stays unless it says otherwise."""
    assert porting._value(event, known, N, ZONE) == written


def stands(stands_for_it: dict[str, Any], now: datetime = NOW) -> tuple[str, dict[str, str | None]]:
    """Say where a porting stands of which a document says this, in words and as a row."""
    document = {
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "extensions": {"10": {"name": "Anna", "devices": ["p10"]}},
        "numbers": {T: {"to": "extension 10", "stands_for": N, "porting": stands_for_it}},
    }  # fmt: skip
    plan = build_plan(TenantSpec.model_validate(document), revision=1, trunks=())
    return "\n".join(told(plan, plan.numbers[T], now)), row(plan, plan.numbers[T], now)


def test_a_day_that_is_past_is_marked() -> None:
    """It may be mistyped; a day to come, or none, is not marked."""
    assert "! that instant is past" in stands({"planned": AT})[0]
    assert "!" not in stands({"planned": AT}, NOW - timedelta(seconds=1))[0]
    words, told_to_scripts = stands({"rejected": 'name is "late"'})
    assert 'name is "late"' in words
    assert (told_to_scripts["state"], told_to_scripts["rejected"]) == ("temporary", 'name is "late"')


def test_a_release_that_comes_at_once_is_marked() -> None:
    """Who mistypes the year takes the temporary number out of service, and hears so with the way back."""
    by_call = {"confirmed": AT, "by": "call", "reference": "pbx-1.0", "message": "WBCI-7"}
    gone, _ = stands(by_call, NOW + timedelta(days=30))
    assert f"! {T} is released since 2026-12-01T07:12+01:00" in gone
    assert f"`pbxcore porting revert {N}`" in gone
    works, told_to_scripts = stands(by_call)
    assert ("!" in works, f"{T} works until 2026-12-01T07:12+01:00" in works) == (False, True)
    assert "confirmed by the first call pbx-1.0 and by the carrier's message WBCI-7" in works
    assert (told_to_scripts["state"], told_to_scripts["confirmed"]) == ("ported", "2026-11-01T07:12+01:00")
    assert {key: told_to_scripts[key] for key in ("by", "reference", "message")} == {
        "by": "call", "reference": "pbx-1.0", "message": "WBCI-7",
    }  # fmt: skip
