"""One change at a time: who waits too long is told for whom; what is stored follows by itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dialplan.facts import State
from pbxcore import completion, database, door, phones, publication, receipt, turn
from pbxcore.control.process import Process
from pbxcore.published import load, read_index
from pbxcore.receipt import Receipt, UnansweredError
from pbxcore.settings import Ports, Settings, Trunk

CONFIG = Path(__file__).parents[2] / "config"
ACME = (CONFIG / "tenants" / "acme.yaml").read_text()
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
UNREADABLE = """INSERT INTO revision VALUES
                ('tenant', 'later', 1, '{"of": "a later version"}', '', 'somebody')"""
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The machine with the example in force, and beside it a file with a change."""
    folders = [CONFIG / "catalogues", CONFIG / "accounts", CONFIG / "tenants"]
    assert not asyncio.run(door.apply(settings, folders, author="first")).findings
    (settings.state / "acme.yaml").write_text(ACME.replace("timeout_s: 12", "timeout_s: 15"))
    return settings


@pytest.fixture
def file(settings: Settings) -> Path:
    """Give the file with the change."""
    return settings.state / "acme.yaml"


def in_force(settings: Settings) -> dict[str, int]:
    """Give what is published."""
    return dict(read_index(settings.published).revisions)


@contextlib.asynccontextmanager
async def holding(settings: Settings, name: str) -> AsyncIterator[None]:
    """Have the turn while the block runs."""
    connection = await database.connect(settings.database, application="pbxcore apply by anna (process 7)")
    await turn.take(connection, name)
    yield
    await connection.close()


def test_who_waits_too_long_at_the_door_is_told_for_whom(
    settings: Settings, file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is changed, exit code 3, and the one who has the turn is named."""
    monkeypatch.setattr(turn, "WAIT_S", 0.05)

    async def waits() -> tuple[int, str]:
        async with holding(settings, turn.DOOR):
            return await asyncio.to_thread(command, "apply", str(file))

    code, said = asyncio.run(waits())
    assert code == 3
    assert "by anna (process 7)" in said
    assert "nothing was changed" in said
    assert command("apply", str(file))[0] == 0
    assert in_force(settings) == {"acme": 2}


def test_what_is_stored_and_cannot_be_published_follows_by_itself(
    settings: Settings, file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another publisher hangs: the command says that the change is stored; the machine completes it."""
    monkeypatch.setattr(turn, "WAIT_S", 0.05)
    monkeypatch.setattr(completion, "LOOK_S", 0.01)

    async def waits() -> None:
        async with holding(settings, turn.PUBLISHER):
            code, said = await asyncio.to_thread(command, "apply", str(file))
            assert (code, in_force(settings)) == (0, {"acme": 1})
            assert "stored, and in force by itself soon" in said
            completing = asyncio.create_task(completion.keep_complete(settings))
        await until(lambda: in_force(settings) == {"acme": 2})
        await ended(completing)

    asyncio.run(waits())


async def test_what_lies_ready_is_in_force_while_the_database_is_away(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher died over the phones, and the database with it: the machine itself does the rest."""
    monkeypatch.setattr(completion, "LOOK_S", 0.01)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(phones, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            await door.apply(settings, [file], author="anna")
    assert in_force(settings) == {"acme": 1}
    away = settings.model_copy(update={"database": NOWHERE})
    completing = asyncio.create_task(completion.keep_complete(away))
    await until(lambda: in_force(settings) == {"acme": 2})
    await ended(completing)


async def test_the_trunks_of_the_machine_have_the_last_word(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that knew others, of another folder or of a machine before, takes none from the plans."""
    monkeypatch.setattr(completion, "LOOK_S", 0.01)
    trunks = (*settings.trunks, Trunk(name="alpine", host="127.0.0.3"))
    machine = settings.model_copy(update={"trunks": trunks})
    completing = asyncio.create_task(completion.keep_complete(machine))
    await until(lambda: read_index(settings.published).trunks == ("carrier", "alpine"))
    assert {plan.trunks for plan in load(settings.published).plans.values()} == {("carrier", "alpine")}
    await ended(completing)


async def test_a_document_that_nobody_can_read_holds_nobody_back(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a later version of the program: the others are in force, by the door and by the machine."""
    monkeypatch.setattr(completion, "LOOK_S", 0.01)
    connection = await database.connect(settings.database, application="test")
    await connection.execute(UNREADABLE)
    applied = await door.apply(settings, [file], author="anna")
    assert [(one.tenant, one.revision) for one in applied.published] == [("acme", 2)]
    await connection.execute(
        "INSERT INTO revision SELECT kind, id, 3, document, source, author FROM revision WHERE revision = 2"
    )
    completing = asyncio.create_task(completion.keep_complete(settings))
    await until(lambda: in_force(settings) == {"acme": 3})
    await ended(completing)
    await connection.close()


async def test_an_apply_that_another_publisher_overtakes_hears_the_processes(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever publishes first, each change is answered with what the processes say to it."""
    real = turn.give_back

    async def overtaken(connection: database.Connection, name: str) -> None:
        await real(connection, name)
        if name == turn.DOOR:
            monkeypatch.setattr(turn, "give_back", real)
            other = await database.connect(settings.database, application="test")
            await publication.catch_up(settings, other)
            await other.close()

    monkeypatch.setattr(turn, "give_back", overtaken)
    applied = await door.apply(settings, [file], author="anna")
    assert [(one.tenant, one.revision) for one in applied.published] == [("acme", 2)]
    assert [one.process for one in applied.published[0].acknowledged] == ["control", "standby", "Asterisk"]


def test_without_a_database_nothing_is_changed(
    settings: Settings, file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says so and how to go on, exit code 3."""
    monkeypatch.setenv("PBXCORE_DATABASE", NOWHERE)
    code, said = command("apply", str(file))
    assert (code, in_force(settings)) == (3, {"acme": 1})
    assert "nothing was changed" in said


async def test_a_commit_that_nobody_can_ask_about_is_said_to_be_unknown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not come back in time: neither yes nor no is said."""
    monkeypatch.setattr(receipt, "WAIT_S", 0.05)
    lost = Receipt(kind="tenant", id="acme", revision=2, author="anna", at=datetime.now(UTC))
    away = settings.model_copy(update={"database": NOWHERE})
    with pytest.raises(UnansweredError):
        await receipt.is_stored(away, lost)
    monkeypatch.setattr(receipt, "WAIT_S", 60.0)
    assert not await receipt.is_stored(settings, lost)


def test_asterisk_is_down_and_follows(
    settings: Settings,
    file: Path,
    command: Command,
    free_ports: Callable[[int], list[int]],
) -> None:
    """The change is in force for calls, and the command says that phones follow."""
    (agi,) = free_ports(1)
    settings = settings.model_copy(update={"ports": Ports(agi=agi)})

    async def down() -> dict[str, str]:
        return {"asterisk": "down"}

    async def sent() -> tuple[int, str]:
        control = Process(name="control", settings=settings, state=State(), after_reload=down)
        async with control.running(agi):
            return await asyncio.to_thread(command, "apply", str(file))

    code, said = asyncio.run(sent())
    assert (code, in_force(settings)) == (0, {"acme": 2})
    assert "control, standby does not run: follows" in said
    assert "Asterisk down: follows when it is back" in said


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere."""
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 — as above
            await asyncio.sleep(0.01)


async def ended(task: "asyncio.Task[None]") -> None:
    """End a task."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
