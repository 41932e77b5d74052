"""From events of channels to legs: what is billed, to whom, and what is nobody's."""

import random
from collections.abc import Iterable

import pytest

from pbxcore.intake.assemble import NOTHING_OPEN, Assembly, OpenLeg, assemble, expire
from pbxcore.intake.record import Fault, Record
from rating.leg import Leg

T0 = 1_795_360_000
EXTRA = "payer=acme/10|why=call|num=+4930123456|limit=14400|version=acme@7|trunk=carrier"
OUT = f"s-{T0}.5"  # a trunk channel that Dial made for the call of channel 4
CALLER = f"s-{T0}.4"


def event(  # noqa: PLR0917 — a record has that many fields
    name: str,
    at_s: float,
    uniqueid: str = OUT,
    linkedid: str = CALLER,
    subject: str = "",
    extra: str = "",
    channel: str = "PJSIP/trunk-carrier-00000005",
) -> Record:
    """One record, its time in seconds after T0."""
    time_us = T0 * 1_000_000 + round(at_s * 1_000_000)
    return Record(0, name, time_us, uniqueid, linkedid, channel, subject, extra, f"{name} {uniqueid}")


def trunk_leg(at_s: float = 0.1, extra: str = EXTRA, **fields: str) -> Record:
    """The record of a leg that the dialplan let out."""
    return event("USER_DEFINED", at_s, subject="TRUNK_LEG", extra=extra, **fields)


def call_end(at_s: float, **fields: str) -> Record:
    """The record of a channel that asked our dialplan."""
    return event("USER_DEFINED", at_s, subject="CALL_END", extra="outcome=answered|by=control", **fields)


def story(*records: Record) -> Assembly:
    """What records make when nothing was open before."""
    return assemble(records, NOTHING_OPEN)


START, ANSWER, HANGUP = event("CHAN_START", 0), event("ANSWER", 5), event("HANGUP", 100.5)
LEG = Leg(
    key=OUT,
    linkedid=CALLER,
    trunk="carrier",
    payer="acme/10",
    why="call",
    number="+4930123456",
    answered_us=(T0 + 5) * 1_000_000,
    ended_us=T0 * 1_000_000 + 100_500_000,
    limit_s=14_400,
    version="acme@7",
)


@pytest.mark.parametrize(
    "records",
    [
        pytest.param((START, trunk_leg(), HANGUP), id="never answered: a fork's loser, a failure"),
        pytest.param((START, HANGUP), id="neither owned nor answered"),
        pytest.param((START, trunk_leg(), ANSWER), id="under way"),
        pytest.param(
            (
                event("CHAN_START", 0, linkedid=OUT),
                ANSWER,
                call_end(100),
                HANGUP,
            ),
            id="came in and asked",
        ),
        pytest.param(
            tuple(
                event(name, 1, channel="PJSIP/acme-p10-00000001")
                for name in ("CHAN_START", "ANSWER", "HANGUP")
            ),
            id="a phone",
        ),
        pytest.param((event("LINKEDID_END", 1),), id="the end of a call"),
    ],
)
def test_what_makes_no_leg(records: Iterable[Record]) -> None:
    """Only answered trunk channels that left are billed, and only after they ended."""
    made = story(*records)
    assert (made.legs, made.bad) == ((), ())


@pytest.mark.parametrize(
    "records",
    [
        pytest.param((START, ANSWER, HANGUP), id="Dial without our subroutine"),
        pytest.param((START, ANSWER, call_end(100), HANGUP), id="it was transferred into our dialplan later"),
        pytest.param(
            (event("CHAN_START", 0, linkedid=OUT), ANSWER, HANGUP), id="originated straight to the trunk"
        ),
    ],
)
def test_an_answered_trunk_channel_of_nobody_is_a_leg_without_payer(records: Iterable[Record]) -> None:
    """What went past the decision is seen: rating puts it into quarantine."""
    (leg,) = story(*records).legs
    assert (leg.payer, leg.why, leg.number, leg.indeterminate) == ("", "", "", False)
    assert (leg.answered_us, leg.ended_us) == (LEG.answered_us, LEG.ended_us)


@pytest.mark.parametrize(
    "extra", ["", "payer=acme/10", "why=call|num=+49|payer", EXTRA.replace("14400", "-1")]
)
def test_an_unreadable_owner_is_no_owner(extra: str) -> None:
    """A TRUNK_LEG that cannot be read is put aside, and its leg has no payer."""
    made = story(START, trunk_leg(extra=extra), ANSWER, HANGUP)
    assert [bad.fault for bad in made.bad] == ([] if extra == "why=call|num=+49|payer" else [Fault.FACTS])
    assert [leg.payer for leg in made.legs] == [""]


@pytest.mark.parametrize("name", ["ANSWER", "HANGUP"])
def test_an_event_without_a_beginning_is_put_aside(name: str) -> None:
    """A trunk channel whose start was never recorded leaves a trace."""
    made = story(event(name, 1))
    assert ([bad.fault for bad in made.bad], made.legs, dict(made.open)) == ([Fault.STRAY], (), {})


def test_a_leg_goes_from_answer_to_hangup() -> None:
    """Seconds, payer, number, limit and version are those of the records."""
    assert story(START, trunk_leg(), ANSWER, HANGUP).legs == (LEG,)


@pytest.mark.parametrize("subject", ["TRUNK_FAILED", "PHONES_FAILED", "UNDECIDED"])
def test_what_is_recorded_for_explaining_bills_nobody(subject: str) -> None:
    """A leg that is sent on, and whose new call fails or is decided by nobody, stays what it is."""
    said = event("USER_DEFINED", 6, subject=subject, extra="trunk=backup|num=+49|payer=beta/1|dialled=11")
    assert story(START, trunk_leg(), ANSWER, said, HANGUP) == story(START, trunk_leg(), ANSWER, HANGUP)
    assert story(said).open == {}


def test_the_owner_counts_even_where_the_start_is_missing() -> None:
    """TRUNK_LEG alone opens a leg."""
    assert story(trunk_leg(), ANSWER, HANGUP).legs == (LEG,)


def test_an_owned_leg_that_is_transferred_into_our_dialplan_is_billed() -> None:
    """CALL_END frees only what nobody owns."""
    assert story(START, trunk_leg(), ANSWER, call_end(99), HANGUP).legs == (LEG,)


def test_the_first_owner_and_the_first_answer_hold() -> None:
    """What comes again on the same channel changes nothing."""
    again = trunk_leg(6, EXTRA.replace("acme/10", "other/1"))
    assert story(START, trunk_leg(), ANSWER, again, event("ANSWER", 50), START, HANGUP).legs == (LEG,)


def test_batches_may_end_anywhere() -> None:
    """Legs do not depend on where one read ended and the next began, and what changed is told."""
    records = (START, trunk_leg(), ANSWER, HANGUP)
    for cut in range(1, len(records)):
        first = story(*records[:cut])
        assert [leg.key for leg in first.changed] == [OUT]
        second = assemble(records[cut:], first.open, first.last_us)
        assert (second.legs, second.closed, dict(second.open)) == ((LEG,), (OUT,), {})


def test_nothing_new_is_nothing_changed() -> None:
    """A batch that says nothing about a leg does not touch it."""
    before = story(START, trunk_leg())
    after = assemble(
        [event("HANGUP", 7, channel="PJSIP/acme-p10-00000001", uniqueid="s-1.1")], before.open, 0
    )
    assert (after.changed, after.closed, after.open) == ((), (), before.open)


@pytest.mark.parametrize(
    ("uniqueid", "ended"),
    [
        pytest.param(f"s-{T0 + 60}.0", True, id="numbers begin again"),
        pytest.param(f"s-{T0 + 60}.5", True, id="the same number again"),
        pytest.param(f"s-{T0 + 60}.6", False, id="the next call"),
        pytest.param(f"s-{T0 + 1}.3", False, id="begun at once, written later"),
        pytest.param(f"s-{T0 - 60}.3", False, id="a replay of an older file"),
        pytest.param(f"other-{T0 + 60}.0", False, id="another system"),
        pytest.param("nonsense", False, id="no number at all"),
    ],
)
def test_legs_under_way_end_when_asterisk_starts_again(uniqueid: str, ended: bool) -> None:  # noqa: FBT001 — a table
    """A killed Asterisk leaves legs that end, indeterminate, at the last sign of life."""
    phone = {"channel": "PJSIP/acme-p10-00000009"}
    alive = event("HANGUP", 30, "s-1.99", **phone)
    made = story(START, trunk_leg(), ANSWER, alive, event("CHAN_START", 60, uniqueid, **phone))
    ends = [(leg.key, leg.ended_us - T0 * 1_000_000, leg.indeterminate) for leg in made.legs]
    assert ends == ([(OUT, 30_000_000, True)] if ended else [])
    assert (OUT in made.open) is not ended


def test_an_inbound_leg_under_way_at_the_kill_is_not_billed() -> None:
    """It had no time to say that it asked; its own linkedid speaks for it."""
    made = story(event("CHAN_START", 0, linkedid=OUT), ANSWER, event("CHAN_START", 60, f"s-{T0 + 60}.0"))
    assert [leg.key for leg in made.legs] == []
    assert set(made.open) == {f"s-{T0 + 60}.0"}


def test_a_leg_without_end_ends_by_its_age() -> None:
    """What is older than any call may be ends at its last record, indeterminate; the others stay."""
    young = OpenLeg(key="s-1.7", linkedid="", trunk="carrier", alone=False, seen_us=(T0 + 3_000) * 1_000_000)
    made = story(START, trunk_leg(), ANSWER)
    hour = 3_600 * 1_000_000
    for now_us, keys in ((T0 * 1_000_000 + hour, []), ((T0 + 6) * 1_000_000 + hour, [OUT])):
        aged = expire({**made.open, "s-1.7": young}, now_us, hour, made.last_us)
        assert [(leg.key, leg.indeterminate, leg.ended_us - leg.answered_us) for leg in aged.legs] == [
            (key, True, 0) for key in keys
        ]
        assert "s-1.7" in aged.open


def test_channels_mix_as_they_like() -> None:
    """Only the order within one channel matters."""
    rng = random.Random(7)
    tracks = [
        [
            event("CHAN_START", 0, key),
            trunk_leg(uniqueid=key),
            event("ANSWER", 5, key),
            event("HANGUP", 6, key),
        ]
        for key in (f"s-{T0}.{number}" for number in range(50))
    ]
    mixed: list[Record] = []
    while tracks:
        track = rng.choice(tracks)
        mixed.append(track.pop(0))
        tracks = [rest for rest in tracks if rest]
    made = story(*mixed)
    assert (len({leg.key for leg in made.legs}), len(made.legs), dict(made.open)) == (50, 50, {})
