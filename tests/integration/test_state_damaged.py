"""Files of the state folder that are lost or damaged: changes come through, and all of them comes back."""

import sqlite3
from datetime import UTC, datetime

import pytest

from dialplan.switch import Switch, SwitchKind
from pbxcore import database, leavings, publication, published, switches
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
        publication.finish(settings)
    backup.replace(settings.switches_db)
    assert publication.finish(settings) == ()
    assert list(switches.read(settings.switches_db).of("acme", NOW)) == [OF_BRUNO]
    assert not leavings.is_owed(settings)


async def test_who_dies_before_clearing_what_is_left_leaves_it_to_be_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cleared while the plan before is in force; afterwards all of it is, without the database."""
    await start(settings)
    switches.keep(settings.switches_db, [OF_ANNA, OF_BRUNO])
    in_force = []

    def die(*_: object, **__: object) -> None:
        in_force.append(index(settings)["tenants"]["acme"])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(switches, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            await put(settings, acme=WITHOUT_12)
    assert in_force == [2]
    away = settings.model_copy(update={"database": "postgresql://nobody@127.0.0.1:1/none"})
    publication.finish(away)
    assert list(switches.read(settings.switches_db).of("acme", NOW)) == [OF_BRUNO]
    assert not leavings.is_owed(settings)
