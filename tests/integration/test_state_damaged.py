"""Files of the state folder that are lost or damaged: changes come through, and all of them comes back."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from dialplan.switch import Switch, SwitchKind
from pbxcore import completion, database, leavings, publication, published, switches
from pbxcore.control import socket as local_socket
from pbxcore.settings import Settings
from tests.integration.test_door import CONFIG, index, put, start

ACME = (CONFIG / "tenants" / "acme.yaml").read_text()
WITHOUT_12 = ACME.replace('  "12":\n', '  "13":\n')
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
OF_ANNA, OF_BRUNO = (
    Switch(tenant="acme", kind=SwitchKind.FORWARD_ALWAYS, subject=number, value="number +436641234567",
           since=NOW, by="test")
    for number in ("12", "11")
)  # fmt: skip


@pytest.mark.parametrize("text", [None, ""], ids=["lost", "empty"])
async def test_a_lost_plan_is_published_again(settings: Settings, text: str | None) -> None:
    """The machine finds it by itself, and so does who applies the same document again."""
    await start(settings)
    plan = published.file_of(settings.published, "acme", 1)
    whole = plan.read_text()
    for by_itself in (True, False):
        plan.unlink()
        if text is not None:
            plan.write_text(text)
        connection = await database.connect(database.url_of(settings), application="test")
        try:
            assert not await publication.is_complete(settings, connection), "then web completes it"
            if by_itself:
                there = await publication.catch_up(settings, connection)
            else:
                there = (await put(settings, acme=ACME)).published
            assert await publication.is_complete(settings, connection)
        finally:
            await connection.close()
        assert [(one.tenant, one.revision) for one in there] == [("acme", 1)]
        assert plan.read_text() == whole
    assert list(published.load(settings.published).plans) == ["acme"]


def damage(settings: Settings) -> None:
    """Let the file of switches be none, as after a bad disk."""
    for file in settings.state.glob(f"{settings.switches_db.name}-*"):
        file.unlink()
    settings.switches_db.write_bytes(b"garbage" * 2000)


async def test_a_damaged_file_of_switches_holds_no_change_up(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Changes come into force whole; once there is a file again, what was left of who is gone is cleared."""
    await start(settings)
    switches.keep(settings.switches_db, [OF_ANNA, OF_BRUNO])
    backup = settings.switches_db.with_suffix(".backup")
    settings.switches_db.rename(backup)
    damage(settings)
    for revision, text in ((2, WITHOUT_12), (3, WITHOUT_12.replace("timeout_s: 12", "timeout_s: 15"))):
        applied = await put(settings, acme=text)
        assert (applied.pending, [one.revision for one in applied.published]) == ("", [revision])
        assert index(settings)["tenants"] == {"acme": revision}
        assert "is cleared later" in caplog.text
    with pytest.raises(sqlite3.Error):
        await completion._finish(settings)
    backup.replace(settings.switches_db)
    await completion._finish(settings)
    assert left(settings) == [OF_BRUNO]
    assert not leavings.is_owed(settings)


class Deciding:
    """A process that is told of changes, and what was switched when it was."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.switched: list[list[Switch]] = []
        self.takes_plans = True

    async def answer(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Answer at the socket."""
        self.switched.append(left(self.settings))
        return {"ok": self.takes_plans}

    def listening(self) -> AbstractAsyncContextManager[None]:
        """Listen there as control does."""
        return local_socket.listen(self.settings.run_dir / "control.sock", self.answer)


def left(settings: Settings) -> list[Switch]:
    """Give what is switched."""
    return list(switches.read(settings.switches_db).of("acme", NOW))


async def test_what_is_gone_is_cleared_after_who_decides_was_told(settings: Settings) -> None:
    """Until then calls are decided by the plan before, with all that is switched in it."""
    await start(settings)
    switches.keep(settings.switches_db, [OF_ANNA, OF_BRUNO])
    control = Deciding(settings)
    async with control.listening():
        await put(settings, acme=WITHOUT_12)
    assert control.switched == [[OF_ANNA, OF_BRUNO]]
    assert left(settings) == [OF_BRUNO]


async def test_who_comes_back_before_what_was_left_is_cleared_starts_afresh(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is owed of one change is cleared before the next one, which may have the name again."""
    await start(settings)
    switches.keep(settings.switches_db, [OF_ANNA, OF_BRUNO])
    with monkeypatch.context() as patched:
        patched.setattr(publication, "clear_leavings", die)
        with pytest.raises(KeyboardInterrupt):
            await put(settings, acme=WITHOUT_12)
    await put(settings, acme=ACME)
    assert left(settings) == [OF_BRUNO]


def die(*_: object, **__: object) -> None:
    """End as a process that is killed."""
    raise KeyboardInterrupt


async def test_who_dies_before_clearing_what_is_left_leaves_it_to_be_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cleared while the plan before is in force; afterwards all of it is, without the database."""
    await start(settings)
    switches.keep(settings.switches_db, [OF_ANNA, OF_BRUNO])
    with monkeypatch.context() as patched:
        patched.setattr(switches, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            await put(settings, acme=WITHOUT_12)
    assert index(settings)["tenants"] == {"acme": 2}
    control, nowhere = Deciding(settings), "postgresql://nobody@127.0.0.1:1/none"
    async with control.listening():
        await completion._finish(settings.model_copy(update={"database": nowhere}))
    assert control.switched == [[OF_ANNA, OF_BRUNO]], "told first: who died may not have"
    assert left(settings) == [OF_BRUNO]
    assert not leavings.is_owed(settings)


async def test_nothing_is_cleared_while_somebody_decides_by_the_plan_before(settings: Settings) -> None:
    """A process that refuses the plans keeps what is switched in those that it has, and is asked again."""
    await start(settings)
    switches.keep(settings.switches_db, [OF_ANNA, OF_BRUNO])
    control = Deciding(settings)
    control.takes_plans = False
    async with control.listening():
        await put(settings, acme=WITHOUT_12)
        assert left(settings) == [OF_ANNA, OF_BRUNO]
        with pytest.raises(completion.UnheardError, match="until the plans are taken by control"):
            await completion._finish(settings)
        assert (left(settings), leavings.is_owed(settings)) == ([OF_ANNA, OF_BRUNO], True)
        control.takes_plans = True
        await completion._finish(settings)
    assert (left(settings), leavings.is_owed(settings)) == ([OF_BRUNO], False)


async def test_what_cannot_be_cleared_is_not_announced_at_every_look(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each announcement has every process and Asterisk take the plans once more: they are left in peace."""
    await start(settings)
    damage(settings)
    await put(settings, acme=WITHOUT_12)
    assert leavings.is_owed(settings)
    announced, looks = asyncio.Queue[None](), asyncio.Queue[None]()

    async def announce(_: object) -> tuple[publication.Acknowledgement, ...]:
        announced.put_nowait(None)
        return tuple(publication.Acknowledgement(process=one, done=True) for one in ("control", "standby"))

    def finish(_: Settings) -> tuple[str, ...]:
        looks.put_nowait(None)
        return ()

    monkeypatch.setattr(publication, "announce", announce)
    monkeypatch.setattr(publication, "finish", finish)
    monkeypatch.setattr(completion, "LOOK_S", 0.01)
    monkeypatch.setattr(completion, "CLEAR_AGAIN_S", 3600.0)
    looking = asyncio.create_task(completion._keep_finished(settings))
    async with asyncio.timeout(60):
        for _ in range(5):
            await looks.get()
    looking.cancel()
    assert announced.qsize() == 1


async def test_who_does_not_take_the_plans_is_named_once_and_asked_ever_more_rarely(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One plan of anybody that cannot be read holds clearing back: neither silently nor at any price."""
    await start(settings)
    switches.keep(settings.switches_db, [OF_ANNA])
    with monkeypatch.context() as patched:
        patched.setattr(publication, "clear_leavings", lambda _: None)
        await put(settings, acme=WITHOUT_12)
    now, announced = [0], asyncio.Queue[int]()

    async def announce(_: object) -> tuple[publication.Acknowledgement, ...]:
        announced.put_nowait(now[0])
        refused = publication.Acknowledgement(process="control", done=False, detail="other: no plan")
        return (refused, publication.Acknowledgement(process="standby", done=True))

    def finish(_: Settings) -> tuple[str, ...]:
        now[0] += 1
        return ()

    monkeypatch.setattr(publication, "announce", announce)
    monkeypatch.setattr(publication, "finish", finish)
    monkeypatch.setattr(completion, "LOOK_S", 0)
    monkeypatch.setattr(completion, "time", SimpleNamespace(monotonic=lambda: now[0]))
    looking = asyncio.create_task(completion._keep_finished(settings))
    async with asyncio.timeout(60):
        seen = [await announced.get() for _ in range(8)]
    looking.cancel()
    assert [after - before - 1 for before, after in pairwise(seen)] == [10, 20, 40, 80, 160, 300, 300]
    assert caplog.text.count("taken by control (other: no plan)") == 1
    assert left(settings) == [OF_ANNA]
