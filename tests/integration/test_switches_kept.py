"""The file of switches between processes: what one keeps, the others know with their next call."""

import contextlib
import dataclasses
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from dialplan.switch import NO_SWITCHES, Switch, SwitchKind
from pbxcore import publication, switches, wal_index
from pbxcore.settings import Settings

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
NEVER = 86_400.0  # seconds that no test takes
ONE = Switch(
    tenant="acme",
    kind=SwitchKind.FORWARD_ALWAYS,
    subject="10",
    value="extension 11",
    since=NOW,
    by="acme-p10",
)
WRITERS, EACH = 4, 25
# Keeps one switch after the other: its arguments are the file and, for each, a subject and a value.
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from dialplan.switch import Switch, SwitchKind
from pbxcore import switches
path, *words = sys.argv[1:]
now = datetime(2026, 11, 23, 10, tzinfo=UTC)
for subject, value in zip(words[::2], words[1::2], strict=True):
    switch = Switch(tenant="acme", kind=SwitchKind.FORWARD_ALWAYS, subject=subject, value=value, since=now,
                    by="acme-p10")
    switches.keep(Path(path), [switch])
"""


# Writes as versions before this one did, and as whoever is killed once it has written: SQL and nothing else.
FORMER_WRITER = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("UPDATE switches SET value = 'extension 12', change = change + 1")
os.kill(os.getpid(), signal.SIGKILL)
"""
# Tells whether a process that comes first may begin the index anew: whether nobody holds its byte 128.
FIRST = """
import fcntl, sys
with open(sys.argv[1] + "-shm", "r+b") as index:
    try:
        fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except OSError:
        sys.exit(1)
"""


@pytest.fixture(autouse=True)
def _no_second_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a view see what is written by its look, and not because it asks SQLite each second all the same."""
    monkeypatch.setattr(switches, "SAME_S", NEVER)


def _value(view: switches.View, subject: str = "10") -> str:
    return view.look().value("acme", SwitchKind.FORWARD_ALWAYS, subject, NOW)


def _writer(path: Path, *pairs: tuple[str, str]) -> "subprocess.Popen[bytes]":
    words = [word for pair in pairs for word in pair]
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), *words])


def test_without_a_file_nothing_is_switched(tmp_path: Path) -> None:
    """A look makes the file, so that whoever comes first may be first."""
    path = tmp_path / "state" / "switches.sqlite"
    assert switches.read(path) == NO_SWITCHES
    assert _value(switches.View(path)) == ""
    assert path.exists()


def test_what_another_process_keeps_is_known_at_the_next_look(tmp_path: Path) -> None:
    """Set, changed and cleared elsewhere: each look knows all of it, and the same once nothing changes."""
    path = tmp_path / "switches.sqlite"
    view = switches.View(path)
    known = view.look()
    for value in ("extension 11", "number +436641234567", ""):
        assert _writer(path, ("10", value)).wait(60) == 0
        assert view.look() is not known
        known = view.look()
        assert view.look() is known
        assert _value(view) == value
    view.close()


def test_a_look_that_finds_nothing_new_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite is asked once somebody has written, once for a second that has passed, and never in between."""
    path = tmp_path / "switches.sqlite"
    switches.keep(path, [ONE])
    view = switches.View(path)
    view.look()
    asked = list[str]()
    assert view._db
    view._db.set_trace_callback(asked.append)
    for value in ("extension 12", "extension 13"):
        switches.keep(path, [dataclasses.replace(ONE, value=value)])
        assert _value(view) == value
        assert len(asked) == 2, "whether somebody has written, and what"
        view.look()
        assert len(asked) == 2
        asked.clear()
    monkeypatch.setattr(view, "_same_until", 0.0)
    for _ in range(2):
        view.look()
        assert asked == ["PRAGMA data_version"]
    view.close()


def test_what_is_kept_during_a_look_is_known_at_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late in the look: what it has not read it has not seen."""
    path = tmp_path / "switches.sqlite"
    view = switches.View(path)
    view.look()
    read = switches.View._read

    def read_and_be_late(view: switches.View, db: sqlite3.Connection) -> None:
        read(view, db)
        monkeypatch.undo()
        monkeypatch.setattr(switches, "SAME_S", NEVER)
        switches.keep(path, [dataclasses.replace(ONE, value="extension 12")])

    monkeypatch.setattr(switches.View, "_read", read_and_be_late)
    switches.keep(path, [ONE])
    assert _value(view) == "extension 11"
    assert _value(view) == "extension 12"
    view.close()


def test_who_writes_in_another_way_and_dies_is_seen(tmp_path: Path) -> None:
    """A version before this one, or whoever is killed between its commit and the end of `keep`."""
    path = tmp_path / "switches.sqlite"
    switches.keep(path, [ONE])
    view = switches.View(path)
    assert _value(view) == "extension 11"
    assert subprocess.run([sys.executable, "-c", FORMER_WRITER, str(path)], check=False).returncode < 0
    assert _value(view) == "extension 12"
    view.close()


@pytest.mark.parametrize("lost", ["not found", "cut short", "of another format", "no list of open files"])
def test_an_index_that_cannot_be_used_makes_looks_dearer_and_no_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, lost: str
) -> None:
    """Each look asks SQLite then, and the log says so once."""
    match lost:
        case "not found":
            monkeypatch.setattr(Path, "resolve", lambda _: tmp_path / "elsewhere")
        case "cut short":
            monkeypatch.setattr(os, "pread", lambda *_: b"\0\0\0")
        case "of another format":
            monkeypatch.setattr(wal_index, "FORMAT", 3_008_000)
        case _:
            monkeypatch.setattr(wal_index, "OPEN_FILES", tmp_path / "nothing")
    path = tmp_path / "switches.sqlite"
    view = switches.View(path)
    for value in ("extension 11", "extension 12", ""):
        switches.keep(path, [dataclasses.replace(ONE, value=value)])
        assert _value(view) == value
        view.close()
    assert caplog.text.count("asks SQLite") == 1


def test_an_index_that_is_cut_short_later_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of it is the same at each look, and says nothing: SQLite is asked."""
    path = tmp_path / "switches.sqlite"
    view = switches.View(path)
    view.look()
    monkeypatch.setattr(os, "pread", lambda *_: b"\0\0\0")
    for value in ("extension 11", "extension 12"):
        switches.keep(path, [dataclasses.replace(ONE, value=value)])
        assert _value(view) == value
    view.close()


def test_a_descriptor_that_is_somebody_elses_now_is_let_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A look whose index turns out to be a pipe holds by what was known, and the next one opens anew."""
    path = tmp_path / "switches.sqlite"
    switches.keep(path, [ONE])
    view = switches.View(path)
    view.look()
    ends = os.pipe()
    view._index = ends[0]
    switches.keep(path, [dataclasses.replace(ONE, value="extension 12")])
    assert _value(view) == "extension 11"
    assert _value(view) == "extension 12"
    assert "cannot be read" in caplog.text
    for end in ends:
        os.close(end)
    view.close()


def test_looking_takes_no_lock_away(tmp_path: Path) -> None:
    """Nobody who comes while a view is open takes itself for the first one, and begins the index anew."""
    path = tmp_path / "switches.sqlite"
    control, standby = switches.View(path), switches.View(path)
    for view in (control, standby, control):
        view.look()
        switches.keep(path, [ONE])
    standby.close()
    control.look()
    first = [sys.executable, "-c", FIRST, str(path)]
    assert subprocess.run(first, check=False).returncode == 1
    control.close()
    assert not path.with_name("switches.sqlite-shm").exists(), "who goes last takes it along"


def test_a_file_behind_a_link_is_looked_at_as_cheaply(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite keeps the index beside the file itself."""
    (tmp_path / "disk").mkdir()
    path = tmp_path / "switches.sqlite"
    path.symlink_to(tmp_path / "disk" / "switches.sqlite")
    view = switches.View(path)
    view.look()
    switches.keep(path, [ONE])
    assert _value(view) == "extension 11"
    assert not caplog.messages
    view.close()


def test_many_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """Every change of four processes is there, for who looked on all the time and for who comes new."""
    path = tmp_path / "switches.sqlite"
    view = switches.View(path)
    subjects = [[f"{writer}-{number}" for number in range(EACH)] for writer in range(WRITERS)]
    writers = [_writer(path, *((one, "extension 11") for one in of_one)) for of_one in subjects]
    while any(writer.poll() is None for writer in writers):
        view.look()
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    wanted = {one for of_one in subjects for one in of_one}
    assert {one.subject for one in view.look().of("acme", NOW)} == wanted
    assert switches.read(path) == view.look()
    view.close()


def test_a_switch_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """With its instants, whatever their zone."""
    path = tmp_path / "switches.sqlite"
    until = datetime.fromisoformat("2026-12-24T18:00:00+01:00")
    switches.keep(path, [dataclasses.replace(ONE, until=until)])
    assert list(switches.read(path).of("acme", NOW)) == [dataclasses.replace(ONE, until=until)]


def test_changes_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    """Somebody who holds the file too long is no reason to keep half of it, or to say that it is kept."""
    path = tmp_path / "switches.sqlite"
    view = switches.View(path)
    view.look()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(switches.UnkeptError):
        switches.keep(path, [ONE, dataclasses.replace(ONE, subject="11")])
    assert _value(view) == "", "a look does not wait for who writes"
    holder.execute("ROLLBACK")
    holder.close()
    assert list(switches.read(path).of("acme", NOW)) == []
    view.close()


def test_what_a_later_version_wrote_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A kind of switch that we do not know stays in the file and disturbs nobody."""
    path = tmp_path / "switches.sqlite"
    switches.keep(path, [ONE])
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO switches VALUES ('acme', 'teleport', '10', 'mars', '2026', 'x', NULL, 99)")
    db.close()
    assert list(switches.read(path).of("acme", NOW)) == [ONE]
    assert "teleport" not in caplog.text or "not understood" in caplog.text


def test_a_file_that_cannot_be_read_leaves_what_was_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls go on by the last known switches, and whoever reads the log learns why."""
    path = tmp_path / "switches.sqlite"
    switches.keep(path, [ONE])
    view = switches.View(path)
    assert _value(view) == "extension 11"
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE switches")
    db.close()
    assert _value(view) == "extension 11"
    assert "cannot be read" in caplog.text
    for file in tmp_path.iterdir():  # as the documents say that it may be
        file.unlink()
    assert _value(view) == "extension 11", "until somebody switches something, and so makes another"
    assert not path.exists()
    view.close()


@pytest.mark.parametrize("others", [0, 3], ids=["as many changes", "fewer changes"])
def test_a_file_that_was_made_anew_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """Who looked on all the time, who let it go and who comes new know the same; none takes it away."""
    monkeypatch.setattr(switches, "SAME_S", 0.0)
    path = tmp_path / "switches.sqlite"
    looked_on, let_go, first = switches.View(path), switches.View(path), switches.View(path)
    for one in (looked_on, let_go):
        switches.keep(path, [dataclasses.replace(ONE, subject=f"1{n}") for n in range(others + 1)])
        assert _value(one) == "extension 11"
    for file in tmp_path.iterdir():
        file.unlink()
    assert _value(looked_on) == "extension 11", "without a file what was known holds"
    let_go.close()
    assert first.look() == NO_SWITCHES
    switches.keep(path, [dataclasses.replace(ONE, subject="20")])
    for one in (first, looked_on, let_go, first, switches.View(path)):
        assert [switch.subject for switch in one.look().of("acme", NOW)] == ["20"]
    switches.keep(path, [dataclasses.replace(ONE, subject="21")])
    for one in (looked_on, let_go, first):
        assert [switch.subject for switch in one.look().of("acme", NOW)] == ["20", "21"]
        one.close()
    assert [switch.subject for switch in switches.read(path).of("acme", NOW)] == ["20", "21"]


def test_a_file_that_takes_the_place_of_one_just_opened_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the instant between opening a file and knowing which one it is, too."""
    monkeypatch.setattr(switches, "SAME_S", 0.0)
    path, other = tmp_path / "switches.sqlite", tmp_path / "other" / "switches.sqlite"
    switches.keep(path, [ONE])
    switches.keep(other, [dataclasses.replace(ONE, value="extension 12")])
    real = switches._open

    def replaced_meanwhile(opened: Path) -> sqlite3.Connection:
        db = real(opened)
        if other.exists():
            db.execute("SELECT 1 FROM switches").fetchone()
            for file in tmp_path.glob("switches.sqlite*"):
                file.unlink()
            other.rename(path)
        return db

    monkeypatch.setattr(switches, "_open", replaced_meanwhile)
    view = switches.View(path)
    view.look()
    assert _value(view) == "extension 12"
    view.close()


def test_what_was_put_back_into_the_file_is_known(tmp_path: Path) -> None:
    """A backup restored by SQLite's own means: changes that are older than the last one seen."""
    path, backup = tmp_path / "switches.sqlite", tmp_path / "backup.sqlite"
    switches.keep(path, [ONE])
    with (
        contextlib.closing(sqlite3.connect(path)) as db,
        contextlib.closing(sqlite3.connect(backup)) as other,
    ):
        db.backup(other)
    view = switches.View(path)
    switches.keep(path, [dataclasses.replace(ONE, value="")])
    assert _value(view) == ""
    with (
        contextlib.closing(sqlite3.connect(path)) as db,
        contextlib.closing(sqlite3.connect(backup)) as other,
    ):
        other.backup(db)
    assert _value(view) == "extension 11"
    view.close()


def test_a_file_that_cannot_be_opened_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its name; and once it is away, a new one is read."""
    path = tmp_path / "switches.sqlite"
    path.write_bytes(b"garbage" * 2000)
    view = switches.View(path)
    assert (view.look(), view.look()) == (NO_SWITCHES, NO_SWITCHES)
    assert [str(path) in message for message in caplog.messages] == [True]
    path.unlink()
    switches.keep(path, [ONE])
    assert _value(view) == "extension 11"
    view.close()


def test_who_gets_a_name_next_starts_afresh(tmp_path: Path) -> None:
    """Extensions, groups and time rules that a plan no longer has take their switches with them."""
    path = tmp_path / "switches.sqlite"
    spec = {
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "extensions": {"11": {"name": "Bruno", "devices": [{"device": "p11"}]}},
        "groups": {"sales": {"name": "Sales", "extension": "60", "members": ["11"]}},
        "hours": {
            name: {"open": ["Mon-Fri 08:00-18:00"], "then": "extension 11", "closed": "busy", **more}
            for name, more in (("office", {}), ("shop", {"special": "group sales"}))
        },
    }  # fmt: skip
    plan = build_plan(TenantSpec.model_validate(spec), revision=2, trunks=())
    settings = Settings(state=tmp_path, config=tmp_path)
    change = publication._Behind(
        wanted={"acme": 2}, plans=(plan,), prepaid=frozenset(), limited=frozenset(), credit_changed=False
    )
    publication._write(settings, change)
    assert not path.exists(), "nothing switched, nothing to forget"
    out = dataclasses.replace(ONE, kind=SwitchKind.LOGGED_OUT, value="on")
    night, special = (
        dataclasses.replace(ONE, kind=SwitchKind.HOURS, subject="office", value=value)
        for value in ("night", "special")
    )
    gone = [
        *(ONE, out, dataclasses.replace(out, subject="10/sales")),
        dataclasses.replace(out, subject="11/support"),
        dataclasses.replace(night, subject="closed"),
        special,
    ]
    stays = {
        dataclasses.replace(ONE, subject="11"),
        dataclasses.replace(out, subject="11/sales"),
        dataclasses.replace(special, subject="shop"),
        dataclasses.replace(ONE, tenant="beta"),
    }
    switches.keep(path, [*gone, *stays])
    publication._write(settings, change)
    publication.clear_leavings(settings)
    known = switches.read(path)
    assert {*known.of("acme", NOW), *known.of("beta", NOW)} == stays
    switches.keep(path, [night])
    publication._write(settings, change)
    assert night in switches.read(path).of("acme", NOW)
