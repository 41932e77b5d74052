"""The file of a log: renamed by the day and by its length, removed when it is old, never lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxcore.control import log_file
from pbxcore.control.log_file import DAY_S, KEEP_S, LogFile

NOON = 1_795_780_800.0  # 2026-11-27 12:00 UTC


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        """Give the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that shows noon."""
    return Clock()


@pytest.fixture
def append(tmp_path: Path, clock: Clock) -> Callable[[str], None]:
    """Append a line to a log; the file changed when the clock says."""
    path = tmp_path / "x.ndjson"
    file = LogFile(path, clock=clock)

    def one(text: str) -> None:
        file.append(f"{text}\n".encode())
        os.utime(path, (clock.now, clock.now))

    return one


def standing(folder: Path) -> dict[str, str]:
    """Give what stands in which file, the newest last."""
    return {
        path.name: path.read_text()
        for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    }


def test_a_log_of_one_day_stays_one_file(tmp_path: Path, append: Callable[[str], None], clock: Clock) -> None:
    """Up to its last second."""
    append("a")
    clock.now = NOON + DAY_S / 2 - 1
    append("b")
    assert standing(tmp_path) == {"x.ndjson": "a\nb\n"}


def test_each_day_begins_a_file(tmp_path: Path, append: Callable[[str], None], clock: Clock) -> None:
    """What was renamed bears the instant of its last line, in microseconds."""
    append("a")
    clock.now = NOON + DAY_S / 2
    append("b")
    assert standing(tmp_path) == {f"x.ndjson.{round(NOON * 1e6)}": "a\n", "x.ndjson": "b\n"}


def test_a_long_file_is_renamed_on_the_same_day(
    tmp_path: Path, append: Callable[[str], None], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its length, and no line is cut."""
    monkeypatch.setattr(log_file, "ROTATE_AT", 4)
    for number, text in enumerate(("a", "b", "c")):
        clock.now = NOON + number
        append(text)
    assert list(standing(tmp_path).values()) == ["a\nb\n", "c\n"]


def test_what_was_renamed_two_weeks_ago_goes_and_nothing_else(
    tmp_path: Path, append: Callable[[str], None], clock: Clock
) -> None:
    """Not a day earlier, and never a file that somebody else renamed or that belongs to another log."""
    strangers = ("x.ndjson.1", "y.ndjson.1795780800000000", "x.ndjson.1795780800000000.gz")
    for name in strangers:
        (tmp_path / name).write_text("theirs")
        os.utime(tmp_path / name, (0, 0))
    append("a")
    clock.now = NOON + DAY_S
    append("b")
    clock.now = NOON + KEEP_S
    append("c")
    assert "a\n" in standing(tmp_path).values()
    clock.now = NOON + KEEP_S + DAY_S
    append("d")
    assert set(standing(tmp_path)) >= set(strangers)
    assert [text for text in standing(tmp_path).values() if text != "theirs"] == ["b\n", "c\n", "d\n"]


def test_a_machine_without_calls_keeps_nothing_longer(
    tmp_path: Path, append: Callable[[str], None], clock: Clock
) -> None:
    """The look of each hour renames the last file and removes it two weeks later, though none follows."""
    append("a")
    file = LogFile(tmp_path / "x.ndjson", clock=clock)
    clock.now = NOON + DAY_S
    file.tidy()
    assert list(standing(tmp_path).values()) == ["a\n"]
    clock.now = NOON + KEEP_S + 1
    file.tidy()
    assert standing(tmp_path) == {}


def test_a_clock_that_is_set_back_takes_no_file_away(
    tmp_path: Path, append: Callable[[str], None], clock: Clock
) -> None:
    """A name that is taken is not taken again: the lines of both days stay."""
    append("a")
    clock.now = NOON + DAY_S
    append("b")
    clock.now = NOON
    os.utime(tmp_path / "x.ndjson", (NOON, NOON))  # as if its lines were of the first day
    clock.now = NOON + DAY_S
    append("c")
    assert "".join(standing(tmp_path).values()) == "a\nb\nc\n"


def test_what_cannot_be_renamed_is_appended_to(
    tmp_path: Path, append: Callable[[str], None], clock: Clock, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Somebody is told once; no line is lost for it."""
    append("a")

    def refuse(*_names: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    clock.now = NOON + DAY_S
    append("b")
    clock.now = NOON + 2 * DAY_S
    append("c")
    assert standing(tmp_path) == {"x.ndjson": "a\nb\nc\n"}
    assert caplog.text.count("neither renamed") == 1
