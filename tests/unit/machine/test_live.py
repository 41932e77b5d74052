"""The live view of `pbxcore run`, and what else reads the decision log: nothing there ends them."""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pbxcore import database, demo, removal
from pbxcore.cli import live
from pbxcore.receipt import UnansweredError
from pbxcore.settings import Settings, Trunk
from pbxcore.turn import BusyError

LIMIT_S = 60
WHOLE: dict[str, Any] = {
    "time": "2026-11-27T00:38:14.000000+00:00",
    "linkedid": "pbx-1.1",
    "facts": {"caller": "10", "dialled": demo.TEMPORARY},
    "version": "acme@1",
    "micros": 40,
    "decision": {"steps": [{"do": "voicemail", "mailbox": "10@acme"}]},
}
UNREADABLE = [
    json.dumps(WHOLE)[:60],
    json.dumps(WHOLE)[:30] + json.dumps(WHOLE),
    "",
    "null",
    "[1]",
    "{}",
    "[" * 100_000,
    json.dumps(WHOLE | {"time": "soon"}),
    json.dumps(WHOLE | {"time": 1}),
    json.dumps(WHOLE | {"facts": None}),
]
ODD = [
    json.dumps(WHOLE | {"facts": {}}),
    json.dumps(WHOLE | {"decision": None}),
    json.dumps(WHOLE | {"decision": {"steps": ["ring"]}}),
]


@pytest.mark.parametrize("line", [*UNREADABLE, *ODD])
def test_a_line_that_is_none_is_left_out(tmp_path: Path, line: str) -> None:
    """The whole line behind it is shown, and found by the demo."""
    log = tmp_path / "control.ndjson"
    log.touch()

    async def first() -> str:
        lines = live.decisions(tmp_path)
        waiting = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)  # until the end of the log is known
        log.write_text(f"{line}\n{json.dumps(WHOLE)}\n")
        return await asyncio.wait_for(waiting, LIMIT_S)

    assert "voicemail 10@acme" in asyncio.run(first())
    assert demo.newest_decision(tmp_path)["linkedid"] == "pbx-1.1"


def test_a_line_without_end_is_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than one read goes in pieces; the next line is whole."""
    log = tmp_path / "control.ndjson"
    log.write_text("x" * 2_000 + "\nnext\n")
    monkeypatch.setattr(live, "LARGEST_READ", 500)
    tail = live.Tail(log, at_end=False)
    assert [line for _ in range(9) for line in tail.lines()][-1] == "next"


def test_a_log_that_cannot_be_opened_is_passed(tmp_path: Path) -> None:
    """Another process's log is followed beside it."""
    (tmp_path / "astray.ndjson").symlink_to(tmp_path / "nowhere")
    (tmp_path / "standby.ndjson").touch()

    async def first() -> str:
        waiting = asyncio.ensure_future(anext(live.decisions(tmp_path)))
        await asyncio.sleep(0)  # as above
        (tmp_path / "standby.ndjson").write_text(json.dumps(WHOLE) + "\n")
        return await asyncio.wait_for(waiting, LIMIT_S)

    assert "by standby" in asyncio.run(first())


def test_a_log_that_can_be_read_later_begins_with_what_is_new(tmp_path: Path) -> None:
    """What stood there before is history, also where the first look failed."""
    history, log = tmp_path / "history", tmp_path / "control.ndjson"
    log.symlink_to(history)
    (tmp_path / "standby.ndjson").touch()

    def logs(file: Path) -> None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(WHOLE) + "\n")

    async def first() -> tuple[str, str]:
        lines = live.decisions(tmp_path)
        waiting = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)  # as above
        logs(history)
        logs(tmp_path / "standby.ndjson")
        shown = await asyncio.wait_for(waiting, LIMIT_S)
        logs(history)
        return shown, await asyncio.wait_for(anext(lines), LIMIT_S)

    old, new = asyncio.run(first())
    assert "by standby" in old
    assert "by standby" not in new


def test_a_view_that_breaks_says_so_and_ends_alone() -> None:
    """What was shown stays, the mistake is named, and nothing is raised that would end the machine."""
    console = Console(file=io.StringIO(), width=200)

    async def lines() -> AsyncIterator[str]:
        yield "one leg"
        raise LookupError("[no] such column")

    asyncio.run(live.show(console, lines(), what="rated legs"))
    said = console.file.getvalue()  # type: ignore[attr-defined] # the file given above
    assert "one leg" in said
    assert "rated legs are no longer shown: LookupError('[no] such column')" in said


def test_a_full_disk_takes_lines_and_no_more() -> None:
    """`pbxcore run > file`: the line is lost, the view goes on."""
    file = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
    console = Console(file=file)
    try:
        with pytest.raises(OSError, match="No space"):
            Console(file=file).print("a line")
        few = live.Few(console)
        for line in ("a line", "another"):
            few.take(line)
            assert not console._buffer, "rich would print it again with the next one"
    finally:
        with contextlib.suppress(OSError):  # what it has not written yet
            file.close()


def test_a_letter_that_the_file_has_not_takes_its_line_and_no_more() -> None:
    """`PYTHONIOENCODING=ascii pbxcore run`: the next line is there, and the machine."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    few = live.Few(Console(file=file))
    few.take("☎ rings")
    few.take("the next")
    assert file.buffer.getvalue() == b"the next\n", "and not the one before"


def test_a_reader_that_goes_takes_the_view_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pbxcore run | …`: lines are lost, and nothing is raised that would end the machine."""
    reader, writer = os.pipe()
    os.close(reader)
    asked: list[str] = []

    async def lines() -> AsyncIterator[str]:
        for line in ("one leg", "another"):
            yield line
            asked.append(line)
        raise LookupError

    with os.fdopen(writer, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)  # as rich finds it
        asyncio.run(live.show(Console(), lines(), what="rated legs"))
    assert asked == ["one leg", "another"]


class Gone:
    """A connection to a server that died."""

    async def close(self) -> None:
        """Fail as a goodbye does."""
        raise ConnectionResetError

    def terminate(self) -> None:
        """Need nobody."""


@pytest.mark.parametrize(
    "error",
    [
        BusyError("somebody keeps the turn"),
        UnansweredError("not back"),
        removal.RemovalError("promised", "ask"),
        database.AWAY[0]("gone"),
    ],
)
def test_what_went_wrong_in_the_story_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A customer that cannot be taken out is said to stay; the story's own mistake comes through.

    So it does where the database is gone meanwhile.
    """

    async def remove(*_given: object, **_named: object) -> None:
        raise error

    async def fails(*_given: object) -> None:
        raise demo.StoryError

    async def connect(*_given: object, **_named: object) -> Gone:
        return Gone()

    monkeypatch.setattr(removal, "remove", remove)
    monkeypatch.setattr(demo, "_apply", fails)
    monkeypatch.setattr(database, "connect", connect)
    said: list[str] = []
    cast = demo.Cast(sipp=(), ports=(), trunk=Trunk(name="carrier", host="127.0.0.2"))
    with pytest.raises(demo.StoryError):
        asyncio.run(demo.tell(Settings(state=tmp_path), cast, factor=10, say=said.append))
    assert said[1:] == [f"The customer stays in force ({error}): pbxcore remove story --confirm"]
