"""What is in force, and whether everything goes by it: `tenants`, `status`."""

import asyncio
import contextlib
import fcntl
import json
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from panoramisk.message import Message
from typer.testing import CliRunner

from dialplan.facts import State
from pbxcore import database as db
from pbxcore import door, metrics, phones, publication, trunks
from pbxcore.cli import app
from pbxcore.control import process
from pbxcore.control.process import Process
from pbxcore.machine import credit
from pbxcore.published import load, read_index
from pbxcore.registrations import registered
from pbxcore.settings import Ports, Settings
from pbxcore.status import Status, status
from rating.store import ledger, quarantine

CONFIG = Path(__file__).parents[2] / "config"
ACME = (CONFIG / "tenants" / "acme.yaml").read_text()

LYING = """INSERT INTO quarantined_leg (key, reason, detail, leg, quarantined_at, settled_at)
           VALUES ($1, $2, '', '{}', '2026-11-20T10:00Z', CASE WHEN $3 THEN now() END)"""
AGED = "UPDATE revision SET created_at = now() - interval '90 s' WHERE revision = 2"
ONE_MORE = """INSERT INTO revision SELECT kind, id, 3, document, source, author FROM revision
              WHERE revision = 2"""


@pytest.fixture
def settings(settings: Settings, free_ports: Callable[[int], list[int]]) -> Settings:
    """The machine with the example in force, and ports of its own."""
    agi, standby_agi, http, ami = free_ports(4)
    ports = Ports(agi=agi, standby_agi=standby_agi, http=http, ami=ami)
    settings = settings.model_copy(update={"ports": ports})
    folders = [CONFIG / "catalogues", CONFIG / "accounts", CONFIG / "tenants"]
    assert not asyncio.run(door.apply(settings, folders, author="anna")).findings
    return settings


@contextlib.asynccontextmanager
async def deciding(settings: Settings, name: str, port: int, *, asterisk: str) -> AsyncIterator[Process]:
    """Run a deciding process that has a link to Asterisk, or has none."""
    one = Process(name=name, settings=settings, state=State(), also=lambda: {"asterisk": asterisk})
    async with one.running(port):
        yield one


def asked(found: Status) -> dict[str, tuple[bool, tuple[str, ...]]]:
    """Who answers, and who is behind with what."""
    return {one.name: (one.alive, one.behind) for one in found.processes}


def test_tenants_says_what_is_in_force(settings: Settings, command: Callable[..., tuple[int, str]]) -> None:
    """Revision, since when, by whom, and how much there is of it; as a table and as JSON."""
    file = settings.state / "acme.yaml"
    file.write_text(ACME.replace("timeout_s: 12", "timeout_s: 15"))
    assert command("apply", str(file), "--author", "bruno")[0] == 0
    code, text = command("tenants", "--json")
    (acme,) = json.loads(text)
    assert (code, acme["id"], acme["revision"], acme["author"]) == (0, "acme", 2, "bruno")
    plan = json.loads((settings.published / "tenants" / "acme.2.json").read_text())["document"]
    extensions = len(plan["extensions"])
    assert (acme["numbers"], acme["extensions"]) == (sorted(load(settings.published).numbers), extensions)
    code, table = command("tenants")
    assert code == 0
    assert all(word in table for word in ("acme", "Acme Maschinenbau", "bruno", acme["since"][:10]))


async def test_a_process_that_lags_is_named_with_its_lag(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control decides by the old revision, the standby by the new one, and the stored one is newer still."""
    monkeypatch.setattr(process, "WATCH_S", 600.0)  # control would notice by itself
    ports = settings.ports
    async with (
        deciding(settings, "control", ports.agi, asterisk="up") as control,
        deciding(settings, "standby", ports.standby_agi, asterisk="down"),
    ):
        before = await status(settings)
        assert asked(before) == {
            "control": (True, ()), "standby": (True, ()), "rater": (False, ()), "web": (False, ()),
        }  # fmt: skip
        assert (before.asterisk.alive, before.complete) == (True, False)
        old = control.plans
        connection = await db.connect(settings.database, application="test")
        file = settings.state / "acme.yaml"
        file.write_text(ACME.replace("timeout_s: 12", "timeout_s: 15"))
        await door.apply(settings, [file], author="anna")
        control.plans = old
        await connection.execute(AGED)
        lagging = await status(settings)
        assert asked(lagging)["control"] == (True, ("acme",))
        assert asked(lagging)["standby"] == (True, ())
        (lag,) = [one.lag_s for one in lagging.processes if one.name == "control"]
        assert 90 <= lag < 120
        assert lagging.unpublished == ()
        await connection.execute(ONE_MORE)
        assert (await status(settings)).unpublished == ("acme",)
        await publication.catch_up(settings, connection)
        assert (await status(settings)).unpublished == ()
        assert await ledger.take_turn(connection)
        assert asked(await status(settings))["rater"] == (True, ())
        await connection.close()


async def test_a_porting_that_could_not_be_written_down_is_told_with_the_remedy(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """Number, tenant, reason and what to say; where nothing is lost there is no such line."""
    number = {"tenant": "acme", "number": "+493022200100", "why": "nobody listens there"}
    lost: list[dict[str, str]] = []
    one = Process(name="control", settings=settings, state=State(),
                  also=lambda: {"asterisk": "up", "unconfirmed": lost})  # fmt: skip
    async with one.running(settings.ports.agi):
        assert "porting" not in (await asyncio.to_thread(command, "status"))[1]
        lost.append(number)
        table = " ".join((await asyncio.to_thread(command, "status"))[1].split())
        assert "+493022200100 of acme is ported, which is not written down: nobody listens there" in table
        assert "`pbxcore porting confirm +493022200100`" in table
        assert json.loads((await asyncio.to_thread(command, "status", "--json"))[1])["unconfirmed"] == [
            number
        ]


async def test_what_lies_in_quarantine_is_counted_with_what_helps(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """By reason, since when, and what to do for each; what was rated since then is not counted."""
    assert "every leg is rated" in (await asyncio.to_thread(command, "status"))[1]
    connection = await db.connect(settings.database, application="test")
    for key, reason, settled in (("a", "no-price", False), ("b", "no-price", False), ("c", "no-payer", False),
                                 ("d", "no-payer", True)):  # fmt: skip
        await connection.execute(LYING, key, reason, settled)
    assert sum(one.legs for one in await quarantine.lying(connection, 2)) == 2, "a limit bounds the work"
    await connection.close()
    table = (await asyncio.to_thread(command, "status"))[1]
    assert "3 legs: 2 no-price, 1 no-payer" in table
    assert "since 2026-11-20" in table
    assert "no-price: add a row to the catalogue of its account" in table
    assert "pbxcore quarantine release KEY" in table
    said = json.loads((await asyncio.to_thread(command, "status", "--json"))[1])["quarantine"]
    assert [(one["reason"], one["legs"]) for one in said] == [("no-price", 2), ("no-payer", 1)]
    for arguments, code, word in (
        (("--reason", "no-price"), 0, "2 legs are released"),
        (("--reason", "no-payer"), 0, "1 leg is released"),
        (("--reason", "indeterminate"), 1, "no leg waits for indeterminate"),
        (("a", "--reason", "no-price"), 2, "all that wait for it"),
        ((), 2, "which leg?"),
    ):
        released = await asyncio.to_thread(command, "quarantine", "release", *arguments)
        assert (released[0], word in released[1]) == (code, True), released
    unknown = settings.model_copy(update={"database": "postgresql://nobody@127.0.0.1:1/none"})
    assert (await status(unknown)).quarantine is None


async def test_calls_on_credit_need_a_rater_that_can_be_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes, and control has no line to it: said once a tenant is on credit. A start waits for it."""
    connection = await db.connect(settings.database, application="test")
    assert await ledger.take_turn(connection)
    one = Process(name="control", settings=settings, state=State(), also=lambda: {"credit": "down"})
    async with one.running(settings.ports.agi):
        assert not credit.is_wanted(settings)
        assert asked(await status(settings))["rater"] == (True, ())
        index = replace(read_index(settings.published), prepaid=frozenset({"acme"}))
        publication.write_index(settings.published, index)
        assert credit.is_wanted(settings)
        found = await status(settings)
        (rater,) = [one for one in found.processes if one.name == "rater"]
        assert (rater.alive, "calls on credit are refused" in rater.detail) == (False, True)
        assert not await credit.until_up(settings, limit_s=0)
        asks = iter(("down", "down", "up"))
        monkeypatch.setattr(one, "also", lambda: {"credit": next(asks)})
        assert await credit.until_up(settings)
        assert next(asks, "") == "", "it went on after it was answered no"
        monkeypatch.setattr(one, "also", lambda: {"credit": "up"})
        assert asked(await status(settings))["rater"] == (True, ())
    assert not await credit.is_up(settings)
    await connection.close()


async def test_without_a_database_the_index_is_the_measure(settings: Settings) -> None:
    """What is in force can be seen, and what the published files say, while the database is away."""
    async with deciding(settings, "control", settings.ports.agi, asterisk="down"):
        away = settings.model_copy(update={"database": "postgresql://nobody@127.0.0.1:1/none"})
        found = await status(away)
    assert (found.database, found.tenants, found.unpublished) == (False, 1, ())
    assert asked(found)["control"] == (True, ())
    assert asked(found)["standby"] == (False, ("acme",))
    assert (found.asterisk.alive, found.complete) == (False, False)


def test_phones_and_what_is_not_acknowledged_are_counted(command: Callable[..., tuple[int, str]]) -> None:
    """Exit code 3 while something needed does not answer; the phones' figures are there all the same."""
    code, text = command("status", "--json")
    found = json.loads(text)
    published = found["asterisk"]["published"]
    assert (code, found["complete"], found["database"]) == (3, False, True)
    assert published > 0
    # Of what is new only the pattern that finds its lamps; Asterisk has nothing else to forget.
    assert found["asterisk"]["unexpired"] == 1
    assert found["asterisk"]["registered"] is None
    code, table = command("status")
    assert code == 3
    assert "1 change not acknowledged" in table
    (asterisk,) = [line for line in table.splitlines() if "Asterisk link" in " ".join(line.split())]
    assert " ".join(asterisk.split()).endswith(
        f"Asterisk link down, {published} phones 1 change not acknowledged"
    )
    (mail,) = [line for line in table.splitlines() if " mail " in line]
    assert "✓" not in mail, "nobody sends any"
    assert "does not run" in table


PRINTED = """
      Aor:  trunk-carrier                                        0
    Contact:  trunk-carrier/sip:127.0.0.2:5065             3ef65bd10b {status}

 ParameterName        : ParameterValue
"""


@pytest.mark.parametrize(
    ("status", "reachable", "detail"),
    [
        ("Avail         12.345", True, "answers in 12 ms"),
        ("Unavail         -nan", False, "does not answer"),
        ("NonQual         -nan", None, "not asked yet"),
    ],
)
def test_a_trunk_is_as_asterisk_says(status: str, *, reachable: bool | None, detail: str) -> None:
    """What it prints is read as a carrier that answers, one that does not, and one nobody has asked."""
    found = trunks.read("carrier", PRINTED.format(status=status))
    assert (found.reachable, found.detail) == (reachable, detail)
    assert trunks.read("other", PRINTED.format(status=status)).detail == "Asterisk does not know it"


def test_a_refusal_says_nothing_of_a_trunk() -> None:
    """An Asterisk that is shutting down does not say that it knows no such trunk."""
    refused = Message({"Response": "Error", "Message": "Asterisk is shutting down"})
    found = trunks.answered("carrier", refused)
    assert (found.reachable, found.detail) == (None, "Asterisk: Asterisk is shutting down")


def test_trunks_are_told_with_the_others(settings: Settings, command: Callable[..., tuple[int, str]]) -> None:
    """Without Asterisk nothing is known of them, and that is said."""
    assert settings
    found = json.loads(command("status", "--json")[1])["trunks"]
    assert [(one["name"], one["reachable"], one["detail"]) for one in found] == [
        ("carrier", None, "Asterisk: does not run")
    ]
    assert "trunk carrier" in command("status")[1]


def test_where_nothing_was_ever_started_that_is_said(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No error of the system, but that it does not run, and what starts it."""
    monkeypatch.setenv("PBXCORE_STATE", str(short_path))
    monkeypatch.setenv("PBXCORE_CONFIG", str(CONFIG))
    monkeypatch.setenv("COLUMNS", "120")
    said = CliRunner().invoke(app, ["status"])
    assert (said.exit_code, "Errno" in said.output, "`make run`" in said.output) == (3, False, True), (
        said.output
    )
    for name in ("database", "control", "standby", "web"):
        (line,) = [line for line in said.output.splitlines() if name in line.split()[:2]]
        assert "does not run" in line, line


async def test_who_answers_at_our_ports_may_be_another_machines(settings: Settings) -> None:
    """Nothing of this machine runs, and that is said; a process of its own is known by the file it holds."""
    with (
        socket.create_server(("127.0.0.1", settings.ports.http)),
        socket.create_server(("127.0.0.1", settings.ports.ami)),
    ):
        found = await status(settings)
        assert [one.detail for one in found.processes if one.name == "web"] == ["does not run"]
        assert [one.detail for one in found.trunks] == ["Asterisk: does not run"]
        metrics.folder(settings).mkdir()
        with (metrics.folder(settings) / "web-0.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert asked(await status(settings))["web"] == (True, ())
    assert asked(await status(settings))["web"] == (False, ())


def _written(settings: Settings, *contacts: tuple[str, str]) -> Path:
    """Let Asterisk have written contacts down; give its file."""
    folder = settings.state / "asterisk" / "db"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(folder / "astdb.sqlite3")) as file, file:
        file.execute("CREATE TABLE astdb (key VARCHAR(256), value VARCHAR(256), PRIMARY KEY (key))")
        file.executemany("INSERT INTO astdb VALUES (?, ?)", contacts)
    return folder / "astdb.sqlite3"


def _contact(seconds: int) -> str:
    return json.dumps({"expiration_time": str(int(time.time()) + seconds)})


def test_only_contacts_of_phones_that_are_there_and_go_on_are_registered(tmp_path: Path) -> None:
    """One that expired counts no more, nor one of a removed tenant; a file without sense is no number."""
    settings = Settings(state=tmp_path)
    assert registered(settings) is None
    phones.prepare(settings)
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as file, file:
        file.executemany("INSERT INTO ps_endpoints (id) VALUES (?)", [("acme-a",), ("acme-b",), ("acme-c",)])
    written = _written(
        settings,
        ("/registrar/contact/acme-a;@1f", _contact(60)),
        ("/registrar/contact/acme-b;@1f", _contact(-60)),
        ("/registrar/contact/acme-c;@1f", "torn"),
        ("/registrar/contact/removed-a;@1f", _contact(60)),
        ("/registrar/other", _contact(60)),
    )
    assert registered(settings) == 1
    written.write_bytes(b"no database" * 100)
    assert registered(settings) is None


async def test_what_an_asterisk_wrote_down_that_has_ended_is_no_registration(settings: Settings) -> None:
    """After a stop nobody knows who is registered; while the link is up, the file tells."""
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as file, file:
        (first,) = file.execute("SELECT min(id) FROM ps_endpoints").fetchone()
    _written(settings, (f"/registrar/contact/{first};@1f", _contact(60)))
    assert (await status(settings)).asterisk.registered is None
    async with deciding(settings, "control", settings.ports.agi, asterisk="up"):
        assert (await status(settings)).asterisk.registered == 1
