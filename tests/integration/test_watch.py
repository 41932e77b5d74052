"""A watched folder: what is saved is in force, what is half or wrong is not."""

import asyncio
import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pbxcore import door, removal
from pbxcore import watch as watch_module
from pbxcore.door import Applied
from pbxcore.machine.instance import Instance
from pbxcore.published import read_index
from pbxcore.receipt import UnansweredError
from pbxcore.settings import Settings, Trunk
from pbxcore.watch import Folder, Stamp, look, read_saved, watch
from tests.integration.examples import ACME, CONFIG, OTHER, acme

LOOK_S = 0.02


class Watched:
    """A folder under watch, and what it said."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self.settings, self.path = settings, path
        self.told: asyncio.Queue[Applied | Exception] = asyncio.Queue()

    def save(self, name: str, text: str) -> None:
        """Save as an editor does that writes aside."""
        aside = self.path / f".{name}.new"
        aside.write_text(text)
        aside.rename(self.path / name)

    async def next(self) -> Applied:
        """Wait for what became of the next change."""
        async with asyncio.timeout(60):
            told = await self.told.get()
        assert isinstance(told, Applied)
        return told

    def in_force(self) -> dict[str, int]:
        """Give what is published."""
        return dict(read_index(self.settings.published).revisions)


@contextlib.asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[Watched]:
    """Watch a folder with the example in it."""
    folders = [CONFIG / "catalogues", CONFIG / "accounts"]
    assert not (await door.apply(settings, folders, author="first")).findings
    path = settings.state / "documents"
    path.mkdir()
    watched = Watched(settings, path)
    watched.save("acme.yaml", ACME)
    task = asyncio.create_task(
        watch(settings, path, author="folder", tell=watched.told.put_nowait, look_s=LOOK_S)
    )
    try:
        first = await watched.next()
        assert [(one.id, one.revision) for one in first.changes] == [("acme", 1)]
        yield watched
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_file_with_mistakes_changes_nothing_and_holds_nobody_back(settings: Settings) -> None:
    """It is reported with its line; the last good one stays; others go on; mended it is in force."""
    async with watching(settings) as folder:
        folder.save("acme.yaml", ACME.replace("timeout_s: 12", "timeout_s: soon"))
        bad = await folder.next()
        assert (len(bad.findings), bad.changes, folder.in_force()) == (1, (), {"acme": 1})
        (folder.path / "odd.yaml").write_bytes(OTHER.replace("Other", "\xc4").encode("latin-1"))
        assert [one.finding.code for one in (await folder.next()).findings] == ["no-file"]
        folder.save("other.yaml", OTHER)
        assert [one.id for one in (await folder.next()).changes] == ["other"]
        folder.save("acme.yaml", acme(15))
        await folder.next()
        assert folder.in_force() == {"acme": 2, "other": 1}


async def test_all_mistakes_of_a_save_are_told(settings: Settings) -> None:
    """A malformed value hides no account that is not there, as `check` would say."""
    async with watching(settings) as folder:
        folder.save(
            "other.yaml", OTHER.replace("name: Ten", "name: 10").replace("account: acme", "account: acmee")
        )
        told = [one.finding.code for one in (await folder.next()).findings]
        assert told == ["unknown-account", "wrong-type"]


async def test_what_waits_comes_with_what_it_waited_for(settings: Settings) -> None:
    """A tenant whose account is not there yet is in force as soon as the account's file is saved."""
    async with watching(settings) as folder:
        folder.save("other.yaml", OTHER.replace("account: acme", "account: later"))
        assert [one.finding.code for one in (await folder.next()).findings] == ["unknown-account"]
        account = (CONFIG / "accounts" / "acme.yaml").read_text()
        folder.save("later.yaml", account.replace("account: acme", "account: later"))
        assert [one.kind for one in (await folder.next()).changes] == ["account", "tenant"]


async def test_what_others_changed_is_not_overwritten(settings: Settings) -> None:
    """A save made without knowing of a newer revision is refused, both sides shown; exported anew it goes."""
    async with watching(settings) as folder:
        portal = settings.state / "portal.yaml"
        portal.write_text(acme(15))
        await door.apply(settings, [portal], author="portal")
        text = acme(20)
        folder.save("acme.yaml", text)
        (stale,) = (await folder.next()).stale
        assert [entry.author for entry in stale.newer] == ["portal"]
        folder.save("acme.yaml", f"# base: 2\n{text}")
        assert [one.revision for one in (await folder.next()).changes] == [3]


async def test_a_file_nobody_edited_does_not_take_back_a_newer_revision(settings: Settings) -> None:
    """Starting to watch a folder that repeats an old revision changes nothing, and says so."""
    async with watching(settings) as folder:
        portal = settings.state / "portal.yaml"
        portal.write_text(acme(15))
        await door.apply(settings, [portal], author="portal")
        again = asyncio.create_task(
            watch(settings, folder.path, author="x", tell=folder.told.put_nowait, look_s=LOOK_S)
        )
        assert [(one.base, one.current) for one in (await folder.next()).stale] == [(1, 2)]
        assert folder.in_force() == {"acme": 2}
        again.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await again


async def test_a_mistake_beside_it_hides_not_what_a_file_started_from(settings: Settings) -> None:
    """A folder whose first look is refused knows its other files all the same, and takes nothing back."""
    path, heard = settings.state / "watched", asyncio.Queue[Applied | Exception]()
    path.mkdir()
    (path / "acme.yaml").write_text(ACME)
    stored = [CONFIG / "catalogues", CONFIG / "accounts", path]
    assert not (await door.apply(settings, stored, author="anna")).findings
    (path / "other.yaml").write_text("version: 1\ntenant: other\nnonsense: 1\n")
    work = asyncio.create_task(watch(settings, path, author="x", tell=heard.put_nowait, look_s=LOOK_S))
    try:
        first = await asyncio.wait_for(heard.get(), 10)
        assert isinstance(first, Applied)
        assert first.findings
        portal = settings.state / "portal.yaml"
        portal.write_text(acme(15))
        await door.apply(settings, [portal], author="portal")
        (path / "acme.yaml").write_text(acme(20))
        second = await asyncio.wait_for(heard.get(), 10)
        assert isinstance(second, Applied)
        assert [(one.base, one.current) for one in second.stale] == [(1, 2)]
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


def test_the_command_ends_when_it_is_told(
    settings: Settings, until: Callable[[Callable[[], bool]], None]
) -> None:
    """Each change is one line of JSON; SIGTERM ends it with exit code 0."""
    folder, heard = settings.state / "documents", settings.state / "heard"
    folder.mkdir()
    (folder / "acme.yaml").write_text("tenant: [\n")
    environment = {**os.environ, "PBXCORE_STATE": str(settings.state), "PBXCORE_CONFIG": str(CONFIG),
                   "PBXCORE_DATABASE": settings.database}  # fmt: skip
    command = [sys.executable, "-m", "pbxcore", "apply", "--watch", str(folder), "--json"]
    with heard.open("w") as out, subprocess.Popen(command, stdout=out, env=environment) as process:
        until(lambda: heard.read_text().endswith("\n"))
        process.terminate()
        assert process.wait(60) == 0
    (line,) = heard.read_text().splitlines()
    assert json.loads(line)["findings"][0]["code"] == "no-yaml"


async def test_a_half_written_file_is_not_taken(settings: Settings) -> None:
    """A valid half stays untouched as long as its writer holds it, however long; then the whole is taken."""
    async with watching(settings) as folder:
        whole = OTHER + '  "11": {name: Eleven, devices: [p11]}\n'
        with (folder.path / "other.yaml").open("w") as writer:
            writer.write(OTHER)  # by itself it has no mistake
            writer.flush()
            folder.save("acme.yaml", acme(15))
            assert [one.id for one in (await folder.next()).changes] == ["acme"]  # after all patience
            assert "other" not in folder.in_force()
            writer.write(whole.removeprefix(OTHER))
        assert [one.id for one in (await folder.next()).changes] == ["other"]
        assert '"11"' in (settings.published / "tenants" / "other.1.json").read_text()


async def test_an_outage_is_told_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away each look tries again and says nothing new."""
    told, tries = asyncio.Queue[Applied | Exception](), asyncio.Queue[None]()
    loop, real = asyncio.get_running_loop(), watch_module.look

    def counted(folder: Folder) -> dict[Path, tuple[Stamp, bytes]]:
        saved = real(folder)
        if saved:
            loop.call_soon_threadsafe(tries.put_nowait, None)
        return saved

    monkeypatch.setattr(watch_module, "look", counted)
    path = settings.state / "documents"
    path.mkdir()
    (path / "acme.yaml").write_text(ACME)
    away = settings.model_copy(update={"database": "postgresql://nobody@127.0.0.1:1/none"})
    task = asyncio.create_task(watch(away, path, author="x", tell=told.put_nowait, look_s=LOOK_S))
    async with asyncio.timeout(60):
        for _ in range(10):  # the last try but one has certainly been told, if it was
            await tries.get()
    assert isinstance(told.get_nowait(), OSError)
    assert told.empty()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_commit_that_nobody_answered_is_known_for_ours(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database died over it; an edit made meanwhile starts from there and is nobody's conflict."""
    real = door.enter
    async with watching(settings) as folder:

        async def unanswered(*of: Any, **more: Any) -> Applied:  # noqa: ANN401 — passed on
            monkeypatch.setattr(door, "enter", real)
            await real(*of, **more)
            folder.save("acme.yaml", acme(20))
            raise UnansweredError("the database is not back")

        monkeypatch.setattr(door, "enter", unanswered)
        folder.save("acme.yaml", acme(15))
        async with asyncio.timeout(60):
            assert isinstance(await folder.told.get(), UnansweredError)
        edited = await folder.next()
        assert (edited.stale, [one.revision for one in edited.changes]) == ((), [3])


async def test_a_machine_that_was_started_again_is_met_with_its_trunks(settings: Settings) -> None:
    """Who has watched since before does not publish the trunks of that time."""
    async with watching(settings) as folder:
        assert read_index(settings.published).trunks == ("carrier",)
        trunks = (*settings.trunks, Trunk(name="alpine", host="127.0.0.3"))
        Instance(settings.model_copy(update={"trunks": trunks}), up=True).write()
        folder.save("acme.yaml", f"{ACME}trunks: [alpine, carrier]\n")
        assert [one.revision for one in (await folder.next()).changes] == [2]
        assert read_index(settings.published).trunks == ("carrier", "alpine")


def test_a_file_is_taken_when_it_has_settled(tmp_path: Path) -> None:
    """Each change of a file starts its time anew; an editor's own files are none."""
    (tmp_path / ".#acme.yaml").write_text("x")
    file, folder = tmp_path / "acme.yaml", Folder(tmp_path)
    file.write_text("one")
    assert [bool(look(folder)) for _ in range(2)] == [False, False]
    file.write_text("one, two")
    assert [bool(look(folder)) for _ in range(3)] == [False, False, True]


def test_what_changed_since_it_was_looked_at_is_not_read(tmp_path: Path) -> None:
    """And reading leaves no lease behind that would hold up the next writer."""
    file = tmp_path / "acme.yaml"
    file.write_text("one")
    stat = file.stat()
    stamp = Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino)
    assert read_saved(file, stamp) == b"one"
    reader = os.open(file, os.O_RDONLY)
    assert fcntl.fcntl(reader, fcntl.F_GETLEASE) == fcntl.F_UNLCK
    os.close(reader)
    file.write_text("one, two")
    assert read_saved(file, stamp) is None
    file.unlink()
    assert read_saved(file, stamp) is None


async def test_a_removed_tenant_stays_out_of_force_when_the_watch_begins_anew(settings: Settings) -> None:
    """Its file, which nobody edited, says what the removed revision says: that is no wish to have it back."""
    async with watching(settings) as folder:
        assert (await removal.remove(settings, "acme", author="anna")).changes
        anew = asyncio.create_task(
            watch(settings, folder.path, author="x", tell=folder.told.put_nowait, look_s=LOOK_S)
        )
        (stale,) = (await folder.next()).stale
        assert (stale.base, stale.current, stale.newer[0].removed) == (1, 2, True)
        assert folder.in_force() == {}
        anew.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await anew
