"""What control remembers of ring groups, and what is left of it after a restart."""

import asyncio
import contextlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.decision import Hunt
from dialplan.facts import Served
from dialplan.published import Published
from dialplan.spec import TenantSpec
from pbxcore.control import main
from pbxcore.control import turns as memory
from pbxcore.control.turns import Turns

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TODAY = date(2026, 11, 23)


def hunt(**changed: Any) -> Hunt:  # noqa: ANN401 — what Hunt takes
    """Give what a decision says of a group whose first member is extension 10."""
    known: dict[str, Any] = {"group": "acme/60", "strategy": "fewest_calls", "next_turn": 1,
                             "first": ("acme/10",), "rings_s": 30, "at_once": True}  # fmt: skip
    return Hunt(**{**known, **changed})


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"next": {}}', '{"next": {"acme/60": "x"}, "served": {}}',
             '{"next": {}, "served": {"acme/10": {"last": "2026-11-23", "day": "2026-11-23", "calls": 1}}}']
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    """A torn or foreign file stops nothing: turns begin anew."""
    path = tmp_path / "turns.json"
    path.write_text(text)
    turns = Turns(path)
    turns.load(["acme"])
    assert (turns.next, turns.served) == ({}, {})


def test_a_call_counts_for_who_rings_first_until_somebody_answers(tmp_path: Path) -> None:
    """It is taken from the first and given to the one who answered, who has then had the latest call."""
    turns = Turns(tmp_path / "turns.json")
    turns.take("a", [hunt()], NOW)
    assert turns.served["acme/10"].calls_on(TODAY) == 1
    turns.answered("a", "acme/11", NOW + timedelta(seconds=9), TODAY)
    assert turns.served["acme/10"].calls_on(TODAY) == 0
    assert turns.served["acme/11"] == Served(last=NOW + timedelta(seconds=9), day=TODAY, calls=1)
    assert turns.next == {"acme/60": 1}


def test_a_call_that_nobody_answers_counts_while_it_rings(tmp_path: Path) -> None:
    """After the group's time it counts for nobody, but whom it rang first was rung last."""
    turns = Turns(tmp_path / "turns.json")
    turns.take("a", [hunt()], NOW)
    turns.forget(NOW + timedelta(seconds=29))
    assert turns.served["acme/10"].ringing == 1
    turns.forget(NOW + timedelta(seconds=30))
    assert turns.served["acme/10"] == Served(last=NOW)


def test_a_call_that_ends_counts_for_nobody(tmp_path: Path) -> None:
    """A caller who gives up takes the call away from who rang; one that was answered stays with who did."""
    turns = Turns(tmp_path / "turns.json")
    for call in "ab":
        turns.take(call, [hunt()], NOW)
    turns.answered("b", "acme/10", NOW, TODAY)
    for call in "abc":
        turns.ended(call)
    assert turns.served["acme/10"].calls_on(TODAY) == 1


@pytest.mark.parametrize(
    ("channel", "credited"),
    [
        ("PJSIP/acme-a-0000001a", "acme/10"),
        ("PJSIP/trunk-carrier-0000001a", "acme/+4930"),
        ("Local/1-2@member", ""),
    ],
)
def test_who_answered_is_told_by_the_channel(tmp_path: Path, channel: str, credited: str) -> None:
    """A phone's extension, or the number outside that rang first; a channel in between is nobody."""
    document = {
        "version": 1, "tenant": "acme", "name": "A", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "extensions": {"10": {"name": "X", "devices": [{"device": "a"}]}},
    }  # fmt: skip
    plan = build_plan(TenantSpec.model_validate(document), revision=1, trunks=())
    turns = Turns(tmp_path / "turns.json")
    turns.take("a", [hunt(first=("acme/+4930",))], NOW)
    main._answered({"DestLinkedid": "a", "DestChannel": channel}, Published().with_plan(plan), turns)
    assert {payer for payer, one in turns.served.items() if one.calls} == ({credited} if credited else set())


def test_a_group_that_a_call_may_never_come_to_rings_nobody_yet(tmp_path: Path) -> None:
    """Its turn goes on, so that overflowing calls spread; nobody has a call of it."""
    turns = Turns(tmp_path / "turns.json")
    turns.take("a", [hunt(at_once=False, next_turn=2)], NOW)
    assert (turns.next, turns.served) == ({"acme/60": 2}, {})


def test_the_same_call_twice_counts_once(tmp_path: Path) -> None:
    """A call that is sent to a group again while it rings counts for the one who rings now."""
    turns = Turns(tmp_path / "turns.json")
    turns.take("a", [hunt()], NOW)
    turns.take("a", [hunt(first=("acme/11",))], NOW)
    assert [turns.served[f"acme/{n}"].ringing for n in (10, 11)] == [0, 1]


def test_calls_of_yesterday_do_not_count_today(tmp_path: Path) -> None:
    """The first call of a day is the day's first."""
    turns = Turns(tmp_path / "turns.json")
    for day in (TODAY, TODAY, TODAY + timedelta(1)):
        turns.answered("", "acme/10", NOW, day)
    assert (turns.served["acme/10"].calls, turns.served["acme/10"].day) == (1, TODAY + timedelta(1))


async def test_turns_are_kept_over_a_restart(tmp_path: Path) -> None:
    """What was remembered when control ended is there when it starts; tenants that are gone are not."""
    turns = Turns(tmp_path / "turns.json")
    turns.take("a", [hunt(), hunt(group="gone/60", first=("gone/10",))], NOW)
    turns.answered("a", "acme/11", NOW, TODAY)
    running = asyncio.create_task(turns.run())
    await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    again = Turns(tmp_path / "turns.json")
    again.load(["acme"])
    assert again.next == {"acme/60": 1}
    assert again.served == {"acme/10": Served(last=NOW), "acme/11": Served(last=NOW, day=TODAY, calls=1)}


def test_a_full_disk_costs_only_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written stays to be written."""

    def full(path: Path, text: str) -> None:
        raise OSError(28, f"no space for {len(text)} bytes in {path}")

    turns = Turns(tmp_path / "turns.json")
    turns.take("a", [hunt()], NOW)
    with monkeypatch.context() as patched:
        patched.setattr(memory, "write_aside", full)
        turns.save()
    assert not turns.path.exists()
    turns.save()
    assert turns.path.exists()
