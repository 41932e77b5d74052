"""No table cuts a name, in a terminal of 80 columns neither."""

import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from dialplan.finding import Finding
from pbxcore.cli import apply, explain, findings, numbers, rated, status, thresholds, voicemail
from pbxcore.cli.panels import decision, rated_leg
from pbxcore.cli.tables import Table, shown
from pbxcore.cli.terminal import Terminal
from pbxcore.documents import Located
from pbxcore.recent import Recent
from pbxcore.revisions import Entry as Revision
from pbxcore.revisions import Tenant
from pbxcore.voicemail import Message
from rating.rated import Piece, RatedLeg, Source
from rating.store.stream import Entry
from rating.store.thresholds import Event

NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)
POOL = "dach/mobile/2026-11-01"
CALLER, DIALLED, CALL = "+4915112345678", "+493055500100", "pbxqj4e3ukm-1795719209.10"


def written(what: object, width: int = 80) -> str:
    """Print something as on a terminal of a width."""
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def stands(names: Iterable[str], what: object, width: int = 80) -> None:
    """Make sure that names stand there in one piece, and that nothing is cut."""
    text = written(what, width)
    assert "…" not in text
    assert [line for line in text.splitlines() if len(line) > width] == []
    assert [name for name in names if name not in text] == []


@pytest.mark.parametrize("ago", [timedelta(minutes=1), timedelta(days=3)], ids=["today", "earlier"])
def test_calls_are_listed_whole(ago: timedelta) -> None:
    """Who called whom, and the name of the call; the outcome may go on in the next line."""
    one = Recent(at=NOW - ago, caller=CALLER, dialled=DIALLED, outcome="carrier-failure", linkedid=CALL)
    stands((CALLER, DIALLED, CALL), explain.listed([one], NOW))


def test_tenants_are_listed_whole() -> None:
    """With their names; a wide terminal shows by whom they were changed."""
    name = "Acme Maschinenbau GmbH"
    one = Tenant(id="acme", name=name, account="acme", revision=12, since=NOW, author="anna",
                 numbers=("+493055500100",), extensions=12)  # fmt: skip
    stands(("acme", name, "2026-11-26"), status.listed([one], by=False))
    stands(("acme", name, "anna"), status.listed([one], by=True), 100)


def test_a_long_name_goes_on_in_the_next_line() -> None:
    """Whatever stands in a table: nothing of it is lost."""
    table = Table("one", "two", box=None)
    table.add_row("a" * 70, "b" * 70)
    text = written(table)
    assert (text.count("a"), text.count("b"), "…" in text) == (70, 70, False)


def test_pools_of_a_rated_leg_are_whole() -> None:
    """The allowance that paid is read to its last letter."""
    piece = {"source": "allowance", "pool": "dach/mobile/2026-11-01", "rule": "", "seconds": 6,
             "before_s": 6, "after_s": 0, "price_per_minute_micro": 0, "amount_micro": 0}  # fmt: skip
    leg = {"number": DIALLED, "country": "DE", "kind": "fixed", "payer": "acme/10", "pieces": [piece],
           "connection_micro": 0, "billable_s": 6, "amount_micro": 0, "duration_us": 6_000_000}  # fmt: skip
    assert "…" not in written(rated_leg(leg))


PIECES = (
    Piece(start_us=0, source=Source.ALLOWANCE, seconds=60, pool=POOL, rule="", before_s=60, after_s=0,
          price_per_minute_micro=0, amount_micro=0),
    Piece(start_us=0, source=Source.OVERFLOW, seconds=40, pool="", rule="", before_s=0, after_s=0,
          price_per_minute_micro=1, amount_micro=1),
)  # fmt: skip


@pytest.mark.parametrize("ago", [timedelta(minutes=1), timedelta(days=3)], ids=["today", "earlier"])
def test_rated_legs_are_listed_in_as_few_lines_as_their_pieces(ago: timedelta) -> None:
    """Where there is little room an allowance stands without its first day, and nothing is broken."""
    ended_us = round((NOW - ago).timestamp()) * 1_000_000
    leg = RatedLeg(key="k", linkedid="l", account="acme", payer="acme/10", why="call", number=DIALLED,
                   tariff="t", country="DE", kind="fixed", zone="de", answered_us=0, ended_us=ended_us,
                   duration_us=1, billable_s=100, connection_micro=0, amount_micro=12_667, currency="EUR",
                   pieces=PIECES)  # fmt: skip
    entries = [Entry(position=101, leg=leg, month=date(2026, 11, 1))]
    narrow = rated.listed(entries, NOW, roomy=False)
    stands((DIALLED, "60 s dach/mobile ", "40 s overflow", "0.012667 EUR"), narrow)
    assert len(written(narrow).splitlines()) == 1 + len(PIECES)
    stands((f"60 s {POOL} (0 left), 40 s overflow",), rated.listed(entries, NOW, roomy=True), 140)
    entries = [Entry(position=101, leg=replace(leg, connection_micro=50_000), month=date(2026, 11, 1))]
    stands(("40 s overflow", "connection fee", "0.012667 EUR"), rated.listed(entries, NOW, roomy=False))
    stands(("40 s overflow, connection fee 0.050000",), rated.listed(entries, NOW, roomy=True), 160)


def test_thresholds_are_listed_whole() -> None:
    """When it was reached, by which clock, and how much of how much."""
    one = Event(position=12, account="story-6b08d11c", pool=POOL, percent=100, granted_s=60_000,
                used_s=60_000, rated_position=1, raised_at=NOW)  # fmt: skip
    at = shown(NOW, seconds=False)
    stands((at, "story-6b08d11c", "dach/mobile", "60000 s"), thresholds.listed([one], roomy=False))
    stands((POOL, shown(NOW)), thresholds.listed([one], roomy=True), 120)


def test_days_of_a_number_stand_below_its_state_where_there_is_little_room() -> None:
    """And in columns of their own where there is enough."""
    row = {"tenant": "acme", "number": DIALLED, "state": "temporary", "stands_for": "+493022200100",
           "planned": "2026-12-01T06:00+01:00", "confirmed": None, "released": None,
           "because": "! that is past, and nobody has confirmed it", "to": "hours office"}  # fmt: skip
    stands(
        (DIALLED, "+493022200100", "planned", "2026-12-01T06:00+01:00"), numbers.listed([row], roomy=False)
    )
    assert "! that is past" in written(numbers.listed([row], roomy=False))
    assert "released" not in written(numbers.listed([row], roomy=False))
    assert "released" in written(numbers.listed([row], roomy=True), 200)


def test_an_instant_says_by_which_clock() -> None:
    """A time without a zone is guessed; today's day goes without saying, the zone never does."""
    zone = NOW.astimezone().strftime("%Z")
    assert zone
    texts = (shown(NOW), shown(NOW, NOW), shown(NOW, NOW + timedelta(days=9)), shown(NOW, seconds=False))
    assert [text for text in texts if not text.endswith(f" {zone}")] == []


def test_a_step_goes_on_below_its_own_words() -> None:
    """A long step of a decision is no second step."""
    ring = {"do": "ring", "endpoints": [f"acme-p{n}" for n in range(10, 30)], "timeout_s": 9, "then": {}}
    entry = {"version": "acme@1", "micros": 9, "decision": {"because": [], "steps": [ring]}}
    below = written(decision(entry)).partition("1. ring ")[2].splitlines()[1]
    assert below.startswith("│      acme-p")


def test_nothing_is_broken_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for grep and awk is one line, however long; COLUMNS says otherwise, and a terminal is one."""
    monkeypatch.delenv("COLUMNS", raising=False)
    table = Table("one", "two", box=None, pad_edge=False)
    table.add_row("a" * 200, "b b" * 200)
    pipe = Terminal(file=io.StringIO())
    pipe.print(table)
    assert isinstance(pipe.file, io.StringIO)
    assert len(pipe.file.getvalue().splitlines()) == 2
    monkeypatch.setenv("COLUMNS", "80")
    assert Terminal(file=io.StringIO()).width == 80
    assert Terminal(file=io.StringIO(), width=40).roomy is False


def test_a_remedy_goes_on_below_its_own_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign and the line's number stand by themselves, however long a mistake is."""
    monkeypatch.setenv("COLUMNS", "80")
    finding = Finding(path=("name",), code="wrong-value", message="m " * 60, remedy="r " * 60)
    findings.show([Located("acme.yaml", 7, finding)])
    _file, first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(" 7  ✗ m m")
    assert {line[:6].strip() for line in others} == {""}
    assert [line[6:10] for line in others if "→" in line] == ["→ r "]


def test_instants_of_messages_and_of_others_changes_name_their_clock() -> None:
    """As in every other table: no offset, which nobody reads."""
    one = Message(mailbox="10@acme", id="msg1", folder="INBOX", new=True, caller=CALLER, at=NOW, duration_s=7,
                  sound=Path("x.wav"))  # fmt: skip
    text = written(voicemail.listed([one], {}), 100)
    assert (shown(NOW) in text, "+0" in text) == (True, False)
    entry = Revision(
        kind="tenant", id="acme", revision=3, author="anna", created_at=NOW, what="", removed=False
    )
    assert written(apply.made(entry)) == f"revision 3 by anna at {shown(NOW)}\n"
