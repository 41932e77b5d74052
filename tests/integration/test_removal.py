"""A tenant is taken out of force, and put back: what ends, what stays, and whatever dies meanwhile."""

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo

import pytest

from dialplan.switch import Switch, SwitchKind
from pbxcore import completion, database, door, entitling, phones, publication, removal, switches
from pbxcore.rater.book import load_book
from pbxcore.settings import Settings
from rating.destinations.load import load
from tests.integration.examples import ACME, CONFIG, OTHER, acme
from tests.integration.test_door import index, put, rows, start
from tests.integration.test_state_damaged import damage

Command = Callable[..., tuple[int, str]]
OF_ACME = "SELECT revision, removed, author FROM revision WHERE kind = 'tenant' AND id = 'acme' ORDER BY 1"


def endpoints(settings: Settings) -> set[str]:
    """The phones that Asterisk knows."""
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as db:
        return {row[0] for row in db.execute("SELECT id FROM ps_endpoints")}


async def test_what_ends_is_shown_before_anything_does(settings: Settings, command: Command) -> None:
    """Numbers, phones and mailboxes by name or number; without --confirm nothing is stored."""
    await start(settings)
    code, said = await asyncio.to_thread(command, "remove", "acme")
    assert (code, "would be out of force" in said, "with --confirm" in said) == (0, True, True), said
    assert "+493055500111" in said
    assert "3 phones of 3 extensions" in said
    assert "account acme" in said
    told = json.loads((await asyncio.to_thread(command, "remove", "acme", "--json"))[1])
    assert (told["done"], told["mailboxes"], told["revision"]) == (False, 2, 1)
    assert [tuple(row) for row in await rows(settings, OF_ACME)] == [(1, False, "test")]
    code, said = await asyncio.to_thread(command, "remove", "acm")
    assert (code, "did you mean acme?" in said) == (1, True)


async def test_a_tenant_goes_whole_and_its_legs_are_rated(settings: Settings, command: Command) -> None:
    """No plan, phone, mailbox or number of it is left; others may have the number; who paid still pays."""
    await start(settings)
    await put(settings, other=OTHER)
    code, said = await asyncio.to_thread(command, "remove", "acme", "--confirm", "--author", "anna")
    assert (code, "pbxcore rollback acme --to 1" in said) == (0, True), said
    assert index(settings)["tenants"] == {"other": 1}
    assert endpoints(settings) == {"other-p10"}
    with contextlib.closing(sqlite3.connect(phones.mailboxes_db(settings))) as db:
        assert db.execute("SELECT * FROM voicemail").fetchall() == []
    listed = json.loads((await asyncio.to_thread(command, "tenants", "--json"))[1])
    assert [one["id"] for one in listed] == ["other"]
    applied = await put(settings, other=OTHER.replace("+493055500191", "+493055500111"))
    assert not applied.findings, "a number of it is free"
    connection = await database.connect(settings.database, application="test")
    book = await load_book(connection, load(CONFIG / "destinations"))
    assert await publication.is_complete(settings, connection)
    await connection.close()
    payer = book.account_of("acme/10")
    assert payer is not None
    assert payer.account == "acme"
    code, said = await asyncio.to_thread(command, "remove", "acme", "--confirm")
    assert (code, "out of force already, by anna" in said) == (1, True), said


async def test_it_is_put_in_force_again_as_ever(settings: Settings, command: Command) -> None:
    """By an earlier revision or its document, though the newest one says the same; the history tells it."""
    await start(settings)
    password = phones.password_of(settings, "acme-p10")
    before = endpoints(settings)
    message = settings.voicemail / "acme" / "10" / "INBOX" / "msg0000.txt"
    message.parent.mkdir(parents=True)
    message.write_text("for Anna")
    await removal.remove(settings, "acme", author="anna")
    assert not message.exists()
    assert (await asyncio.to_thread(command, "rollback", "acme", "--to", "1"))[0] == 0
    assert (index(settings)["tenants"], endpoints(settings)) == ({"acme": 3}, before)
    assert phones.password_of(settings, "acme-p10") == password
    assert message.read_text() == "for Anna"
    await removal.remove(settings, "acme", author="anna")
    applied = await put(settings, acme=ACME)
    assert [(one.revision, one.what) for one in applied.changes] == [(5, "in force again")]
    assert index(settings)["tenants"] == {"acme": 5}
    told = json.loads((await asyncio.to_thread(command, "history", "acme", "--json"))[1])
    said = {one["revision"]: one["what"] for one in told if one["kind"] == "tenant"}
    assert said == {1: "first revision", 2: "out of force", 3: "in force again", 4: "out of force",
                    5: "in force again"}  # fmt: skip


async def test_who_did_not_know_of_it_is_refused(settings: Settings) -> None:
    """A document made from the revision before would put it in force again unseen."""
    await start(settings)
    await removal.remove(settings, "acme", author="anna")
    (stale,) = (await put(settings, acme="# base: 1\n" + acme(20))).stale
    assert (stale.base, stale.current, stale.newer[0].author) == (1, 2, "anna")
    (stale,) = (await put(settings, acme="# base: 1\n" + ACME)).stale
    assert "acme" not in index(settings)["tenants"], "nor by what it said"
    assert not (await put(settings, acme="# base: 2\n" + ACME)).stale


async def test_a_removal_that_was_cut_off_is_completed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who removes dies before, or over, its publication: with the database or without the rest follows."""
    await start(settings)
    connection = await database.connect(settings.database, application="test")

    async def dies(*_: object, **__: object) -> tuple[()]:
        raise OSError("cut")

    with monkeypatch.context() as cut:
        cut.setattr(publication, "catch_up", dies)
        assert (await removal.remove(settings, "acme", author="anna")).pending == "cut"
    assert "acme" in index(settings)["tenants"]
    assert not await publication.is_complete(settings, connection)
    with monkeypatch.context() as cut:
        cut.setattr(publication, "_put_in_force", lambda *_: None)
        await publication.catch_up(settings, connection)
    assert endpoints(settings)
    assert publication.finish(settings) == ("acme",)
    assert (index(settings)["tenants"], endpoints(settings)) == ({}, set())
    assert await publication.is_complete(settings, connection)
    assert publication.finish(settings) == ()
    await connection.close()


async def test_its_contract_counts_nothing_and_brings_nothing_back(settings: Settings) -> None:
    """What a contract lets its tenants use is no reason for a revision of one that is out of force."""
    folders = ("catalogues", "accounts", "contracts", "tenants")
    await put(settings, **{name: text for folder in folders for name, text in _documents(folder).items()})
    used = "SELECT event ->> 'use' AS used FROM contract_fact ORDER BY number DESC LIMIT 1"
    before = json.loads((await rows(settings, used))[0]["used"])["counts"]
    assert before["extensions"] == 3
    await removal.remove(settings, "acme", author="anna")
    assert set(json.loads((await rows(settings, used))[0]["used"])["counts"].values()) == {0}
    connection = await database.connect(settings.database, application="test")
    async with connection.transaction():
        now = await connection.fetchval("SELECT now()")
        assert await entitling.bring(connection, "acme", author="bruno", now=now) == ()
    await connection.close()
    assert set(json.loads((await rows(settings, used))[0]["used"])["counts"].values()) == {0}, (
        "it is not there"
    )
    assert [row["revision"] for row in await rows(settings, OF_ACME) if not row["removed"]] == [1]
    assert not (await put(settings, acme=ACME)).findings
    assert json.loads((await rows(settings, used))[0]["used"])["counts"] == before


async def test_a_revision_that_took_it_out_of_force_is_nothing_to_go_back_to(
    settings: Settings, command: Command
) -> None:
    """Neither by rollback, nor as the remedy of who put it in force again without knowing."""
    await start(settings)
    await removal.remove(settings, "acme", author="anna")
    code, said = await asyncio.to_thread(command, "rollback", "acme", "--to", "2")
    assert (code, "pbxcore rollback acme --to 1" in said, "pbxcore remove acme" in said) == (1, True, True), (
        said
    )
    assert "acme" not in index(settings)["tenants"]
    file = settings.state / "acme.yaml"
    file.write_text(ACME)
    code, said = await asyncio.to_thread(command, "apply", str(file), "--author", "bruno")
    assert (code, "replaced revision 2 (out of force) by anna" in said) == (0, True), said
    assert ("pbxcore remove acme" in said, "rollback" in said) == (True, False), said


async def test_a_script_reads_what_became_of_it(settings: Settings, command: Command) -> None:
    """The new revision, what is published and what is pending stand there as after an apply."""
    await start(settings)
    code, said = await asyncio.to_thread(command, "remove", "acme", "--confirm", "--json")
    told = json.loads(said)
    assert (code, told["done"], told["revision"], told["pending"]) == (0, True, 1, "")
    assert [(one["id"], one["revision"], one["what"]) for one in told["changes"]] == [
        ("acme", 2, "out of force")
    ]
    assert [(one["tenant"], one["revision"]) for one in told["published"]] == [("acme", 2)]


async def test_a_contract_hears_on_the_next_day_what_it_could_not_be_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last minute of a day has room for one use; that the only tenant went then is told all the same."""
    await _everything(settings)

    class Late(datetime):
        """A clock that stands in the last minute of the account's day."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            local = super().now(ZoneInfo("Europe/Berlin")).replace(hour=23, minute=59)
            return local.astimezone(tz)

    with monkeypatch.context() as late:
        late.setattr(door, "datetime", Late)
        late.setattr(removal, "datetime", Late)
        more = '  "77": {name: Seven, devices: [p77]}\n'
        assert not (
            await put(settings, acme=acme(20).replace("extensions:\n", f"extensions:\n{more}", 1))
        ).findings
        assert (await removal.remove(settings, "acme", author="anna")).changes
    assert set((await _used(settings)).values()) != {0}
    connection = await database.connect(settings.database, application="test")
    async with connection.transaction():
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        await entitling.bring(connection, "acme", author="bruno", now=tomorrow)
    facts = await connection.fetchval("SELECT count(*) FROM contract_fact")
    assert set((await _used(settings)).values()) == {0}
    async with connection.transaction():
        await entitling.bring(connection, "acme", author="bruno", now=tomorrow)
    assert await connection.fetchval("SELECT count(*) FROM contract_fact") == facts, "it knows"
    await connection.close()


async def test_a_tenant_nobody_can_read_can_be_removed(settings: Settings, command: Command) -> None:
    """A stored document that cannot even be counted holds back a change beside it, and not its own end."""
    await _everything(settings)
    broken = "UPDATE revision SET document = jsonb_set(document, '{extensions}', '7')"
    await rows(settings, f"{broken} WHERE kind = 'tenant' AND id = 'acme' RETURNING id")
    code, said = await asyncio.to_thread(command, "remove", "acme", "--confirm")
    assert code == 0, said
    assert "acme" not in index(settings)["tenants"]
    assert set((await _used(settings)).values()) == {0}


@pytest.mark.parametrize("text", [None, "{"], ids=["lost", "unreadable"])
async def test_a_removal_meets_no_index(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """Where nobody can say what is in force, whoever was ever removed goes: no phone of theirs is left."""
    await start(settings)
    await put(settings, other=OTHER)

    async def dies(*_: object, **__: object) -> tuple[()]:
        raise OSError("cut")

    with monkeypatch.context() as cut:
        cut.setattr(publication, "catch_up", dies)
        await removal.remove(settings, "acme", author="anna")
    connection = await database.connect(settings.database, application="test")
    _lose(settings, text)
    assert not await publication.is_complete(settings, connection)
    with monkeypatch.context() as cut:
        cut.setattr(publication, "_put_in_force", lambda *_: None)
        await publication.catch_up(settings, connection)
    assert publication.finish(settings) == (), "the disk does not say who went"
    await publication.catch_up(settings, connection)
    assert endpoints(settings) == {"other-p10"}
    assert await publication.is_complete(settings, connection)
    await removal.remove(settings, "other", author="anna")
    _lose(settings, text)
    assert not await publication.is_complete(settings, connection), "though nothing is to be in force"
    await publication.catch_up(settings, connection)
    assert await publication.is_complete(settings, connection)
    await connection.close()


async def test_what_went_long_ago_is_not_said_to_be_in_force(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an index the machine takes all of them out once more, and says that."""
    await start(settings)
    await put(settings, other=OTHER)
    await removal.remove(settings, "acme", author="anna")
    _lose(settings, None)
    connection = await database.connect(settings.database, application="test")
    with caplog.at_level(logging.INFO, logger=completion.__name__):
        await completion._complete(settings, connection)
    await connection.close()
    assert "acme is out of force in revision 2" in caplog.text
    assert "other is in force in revision 1" in caplog.text


def _lose(settings: Settings, text: str | None) -> None:
    file = settings.published / "index.json"
    file.unlink() if text is None else file.write_text(text)


@pytest.mark.parametrize("published", [True, False], ids=["published", "cut-off"])
async def test_another_tenant_of_the_name_inherits_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *, published: bool
) -> None:
    """Forwards and messages wait for the document that there was; one that never was there begins afresh."""
    await start(settings)
    forward = Switch(tenant="acme", kind=SwitchKind.FORWARD_ALWAYS, subject="12", value="extension 10",
                     since=datetime.now(UTC), by="test")  # fmt: skip
    other = replace(forward, tenant="other")
    switches.keep(settings.switches_db, [forward, other])
    await removal.remove(settings, "acme", author="anna")
    assert not (await put(settings, acme=ACME)).findings
    assert _switched(settings, "acme") == [forward]
    assert not (await put(settings, acme=acme(20))).findings
    assert _switched(settings, "acme") == [forward], "a change is no removal"
    message = settings.voicemail / "acme" / "10" / "INBOX" / "msg0000.txt"
    message.parent.mkdir(parents=True)
    message.write_text("for who was there")

    async def dies(*_: object, **__: object) -> tuple[()]:
        raise OSError("cut")

    with monkeypatch.context() as cut:
        if not published:
            cut.setattr(publication, "catch_up", dies)
        await removal.remove(settings, "acme", author="anna")
    assert not (await put(settings, acme=acme(25))).findings
    assert _switched(settings, "acme") == []
    assert _switched(settings, "other") == [other]
    assert "acme-p10" in endpoints(settings)
    assert not message.exists()
    assert not (await put(settings, acme=acme(20))).findings
    assert not message.exists(), "a change brings nothing of the life before"


async def test_another_tenant_of_the_name_waits_until_nothing_is_left_to_inherit(settings: Settings) -> None:
    """Where switches cannot be cleared, who comes under a name of before is not in force; all others are."""
    await start(settings)
    forward = Switch(tenant="acme", kind=SwitchKind.FORWARD_ALWAYS, subject="12", value="extension 10",
                     since=datetime.now(UTC), by="test")  # fmt: skip
    switches.keep(settings.switches_db, [forward])
    await removal.remove(settings, "acme", author="anna")
    saved = settings.switches_db.read_bytes()
    damage(settings)
    assert not (await put(settings, acme=acme(25))).published
    assert [one.tenant for one in (await put(settings, other=OTHER)).published] == ["other"]
    assert index(settings)["tenants"] == {"other": 1}
    settings.switches_db.write_bytes(saved)
    connection = await database.connect(settings.database, application="test")
    assert [one.tenant for one in await publication.catch_up(settings, connection)] == ["acme"]
    assert _switched(settings, "acme") == []
    await connection.close()


def _switched(settings: Settings, tenant: str) -> list[Switch]:
    return list(switches.read(settings.switches_db).of(tenant, datetime.now(UTC)))


async def _everything(settings: Settings) -> None:
    folders = ("catalogues", "accounts", "contracts", "tenants")
    await put(settings, **{name: text for folder in folders for name, text in _documents(folder).items()})


async def _used(settings: Settings) -> Mapping[str, int]:
    """What the contract was told last."""
    used = "SELECT event ->> 'use' AS used FROM contract_fact ORDER BY number DESC LIMIT 1"
    counts: Mapping[str, int] = json.loads((await rows(settings, used))[0]["used"])["counts"]
    return counts


def _documents(folder: str) -> dict[str, str]:
    return {f"{folder}-{one.stem}": one.read_text() for one in (CONFIG / folder).glob("*.yaml")}
