"""What a person sees of a machine: steps with their time, calls and legs as they come."""

import asyncio
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore.cli import live, screen
from pbxcore.cli.story import ConsoleStory
from pbxcore.machine.supervise import Event
from pbxcore.phones import password_of, pin_of
from pbxcore.settings import Settings, Trunk
from rating.rated import Piece, RatedLeg, Source

TENANT = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme [GmbH]",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "language": "de",
    "account": "acme",
    "numbers": {
        "+493055500100": {
            "stands_for": "+493022200100",
            "right_of_use": date(2026, 10, 12),
            "to": "group sales",
        },
    },
    "extensions": {
        "10": {"name": "Anna", "devices": [{"device": "p10"}], "caller_id": "+493022200100", "voicemail": {}},
        "11": {"name": "Bruno", "devices": [{"device": "p11"}], "caller_id": "+493055500100"},
    },
    "groups": {
        "sales": {
            "extension": "60",
            "name": "Sales",
            "members": ["10", "11"],
            "otherwise": "number +436641234567",
        },
    },
}


def console(width: int = 140) -> tuple[Console, io.StringIO]:
    """A console that is no terminal, and what it printed."""
    text = io.StringIO()
    return Console(file=text, width=width), text


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a practice carrier."""
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path / "nowhere"))
    trunk = Trunk(name="carrier", host="127.0.0.2", practice=True)
    return Settings(state=tmp_path / "state", trunks=(trunk,))


def test_the_screen_tells_all_that_a_new_user_needs(settings: Settings) -> None:
    """Account, password and registrar; each place to call once; API, metrics and the way to stop."""
    where, text = console()
    screen.show(
        where, settings, [build_plan(TenantSpec.model_validate(TENANT), revision=3, trunks=("carrier",))]
    )
    said = text.getvalue()
    assert "Acme [GmbH] (acme@3, pays from acme)" in said
    assert password_of(settings, "acme-p10") in said
    assert pin_of(settings, "10@acme") in said
    assert "Register at 127.0.0.1:5060" in said
    assert "group sales rings 2 phones, then number +436641234567" in said
    assert "practice carrier" in said
    assert said.count("+493055500100 ") == 1
    assert "http://127.0.0.1:8080/docs" in said
    assert "http://127.0.0.1:8080/metrics" in said
    assert "Ctrl-C" in said


def test_steps_are_told_without_a_terminal_too() -> None:
    """Each part of a long step once, then its result; a step that failed carries another sign."""
    where, text = console()
    story = ConsoleStory(where)
    with story.step("Asterisk") as step:
        step.progress("Downloading packages", 0.1)
        step.progress("Downloading packages", 0.2)
        step.note("22.10.1 [private]")
    with pytest.raises(ValueError, match="no"), story.step("Calls"):
        raise ValueError("no")
    story.event(Event("control", "works again"))
    lines = text.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["Downloading", "✓", "✗", "!"]
    assert "22.10.1 [private]" in lines[1]


def decision(**facts: str) -> dict[str, Any]:
    """A line of the decision log."""
    return {
        "time": "2026-11-23T10:00:00+00:00", "version": "acme@1", "micros": 80,
        "facts": {"caller": "+4915112345678", "dialled": "+493055500100", **facts},
        "decision": {"steps": [
            {"do": "ring", "endpoints": ["acme-p10", "acme-p11"], "timeout_s": 12},
            {"do": "outside", "why": "forward", "number": "+436641234567", "payer": "acme/60"},
        ]},
    }  # fmt: skip


def plain(markup: str) -> str:
    """What a line looks like without colours."""
    where, text = console(400)
    where.print(markup, highlight=False, soft_wrap=True)
    return text.getvalue().strip()


def test_a_decision_is_one_line() -> None:
    """Who calls whom, what happens, by which plan and by whom; nothing that a caller sends is markup."""
    line = plain(live.decision_line(decision(), by="control"))
    assert "+4915112345678 → +493055500100" in line
    assert "rings acme-p10 and acme-p11 for 12 s, else forward to +436641234567 paid by acme/60" in line
    assert "acme@1, 80 µs" in line
    assert "by standby" in plain(live.decision_line(decision(), by="standby"))
    assert "anonymous → [red]1" in plain(
        live.decision_line(decision(caller="", dialled="[red]1"), by="control")
    )


def test_a_rated_leg_is_one_line() -> None:
    """How long, where, who pays how much, and what was drawn from which pool; exact to the micro-unit."""
    free = Piece(
        start_us=0, seconds=60, source=Source.ALLOWANCE, pool="dach/mobile/2026-11-01", before_s=60,
        after_s=0, price_per_minute_micro=0, amount_micro=0, rule="",
    )  # fmt: skip
    paid = replace(
        free, source=Source.OVERFLOW, pool="", price_per_minute_micro=190_000, amount_micro=190_000
    )
    ended = int(datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp()) * 1_000_000
    leg = RatedLeg(
        key="k", linkedid="l", account="acme", payer="acme/60", why="forward", number="+436641234567",
        tariff="t", country="AT", kind="mobile", zone="z", answered_us=ended - 95_000_000, ended_us=ended,
        duration_us=95_000_000, billable_s=120, connection_micro=0, amount_micro=190_000, currency="EUR",
        pieces=(free, paid),
    )  # fmt: skip
    line = plain(live.rated_line(leg))
    assert "+436641234567 AT mobile, 95.0 s: acme/60 pays 0.190000 EUR" in line
    assert "(60 s of dach/mobile/2026-11-01, 0 s left, 60 s at 0.190000 a minute)" in line
    with_fee = replace(leg, connection_micro=50_000, amount_micro=240_000, pieces=(paid,))
    line = plain(live.rated_line(with_fee))
    assert "pays 0.240000 EUR (60 s at 0.190000 a minute, connection fee 0.050000)" in line


def test_a_half_line_waits_for_its_end(tmp_path: Path) -> None:
    """A log is read by whole lines; one that was renamed and begun again is read from its start."""
    log = tmp_path / "control.ndjson"
    log.write_text("old\n")
    tail = live.Tail(log, at_end=True)
    with log.open("a") as file:
        file.write("one\ntw")
    assert list(tail.lines()) == ["one"]
    with log.open("a") as file:
        file.write("o\n")
    assert list(tail.lines()) == ["two"]
    log.rename(tmp_path / "control.1")
    assert list(tail.lines()) == []
    log.write_text("three\n")
    assert list(tail.lines()) == ["three"]


async def test_a_log_that_appears_later_is_followed_from_its_start(tmp_path: Path) -> None:
    """What was decided before the screen came is not shown; everything after is, whoever decides."""
    (tmp_path / "control.ndjson").write_text(json.dumps(decision(dialled="before")) + "\n")
    lines = live.decisions(tmp_path)
    first = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0)  # it has looked once
    with (tmp_path / "standby.ndjson").open("w") as file:
        file.write(json.dumps(decision(dialled="later")) + "\n")
    assert "later" in await first


def test_a_hundred_legs_at_once_do_not_flood_the_screen() -> None:
    """The first of a second are shown, the others counted; the next second begins anew."""
    console = Console(file=io.StringIO(), width=100)
    few = live.Few(console)
    for number in range(100):
        few.take(f"leg {number}")
    few.tell_the_rest()
    few.take("one more")
    few.tell_the_rest()
    assert isinstance(console.file, io.StringIO)
    shown = [line.strip() for line in console.file.getvalue().splitlines()]
    first = [f"leg {number}" for number in range(live.MOST_A_SECOND)]
    assert shown == [*first, f"and {100 - len(first)} more", "one more"]
