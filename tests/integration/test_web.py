"""HTTP and the command line on the stream: what billing and operators see."""

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from pbxcore.cli import app, live
from pbxcore.database import Connection, connect
from pbxcore.settings import Ports, Settings
from pbxcore.web import serve
from rating.leg import Leg
from rating.rated import Piece, Quarantine, Quarantined, RatedLeg, Source
from rating.store import ledger, stream, thresholds
from rating.store.positions import BeyondNewestError
from rating.store.rows import line_of
from rating.thresholds import Reached
from rating.wire import rated_to_json

ROOT = Path(__file__).parents[2]
T0 = 1_795_360_000_000_000


def rated_leg(number: int) -> RatedLeg:
    """Some rated leg: 60 s free, 60 s paid."""
    free = Piece(
        start_us=T0,
        seconds=60,
        source=Source.ALLOWANCE,
        pool="dach/mobile/2026-11-01",
        before_s=60,
        after_s=0,
        price_per_minute_micro=0,
        amount_micro=0,
        rule="autphone@2026-01-01 bundle dach/S",
    )
    paid = Piece(
        start_us=T0 + 60_000_000,
        seconds=60,
        source=Source.OVERFLOW,
        pool="",
        before_s=0,
        after_s=0,
        price_per_minute_micro=190_000,
        amount_micro=190_000,
        rule="autphone@2026-01-01 overflow AT-CH/mobile",
    )
    return RatedLeg(
        key=f"s-1.{number}",
        linkedid="s-1.0",
        account="acme",
        payer="acme/60",
        why="forward",
        number="+436641234567",
        tariff="autphone@2026-01-01",
        country="AT",
        kind="mobile",
        zone="AT-CH",
        answered_us=T0,
        ended_us=T0 + 95_000_000,
        duration_us=95_000_000,
        billable_s=120,
        connection_micro=0,
        amount_micro=190_000,
        currency="EUR",
        pieces=(free, paid),
    )


LOST = Leg(
    key="s-1.99",
    linkedid="s-1.98",
    trunk="carrier",
    payer="",
    why="",
    number="",
    answered_us=T0,
    ended_us=T0 + 1,
)


async def fill(url: str) -> None:
    """Write three rated legs, one that waits, and a tenant."""
    connection = await connect(url, application="test")
    turn = await ledger.take_turn(connection)
    assert turn is not None
    async with connection.transaction():
        last = await ledger.hold(connection, turn)
        lines = [line_of(rated_leg(number), date(2026, 11, 1)) for number in range(3)]
        await ledger.write_rated(connection, turn, last.position, lines)
        pool = ("acme", "dach/mobile/2026-11-01")
        await thresholds.tell(connection, [Reached(*pool, part, 60, 60) for part in (80, 100)], 3)
        wrong = Quarantined(key=LOST.key, reason=Quarantine.NO_PAYER, detail="it left past the decision")
        await ledger.write_quarantined(connection, [wrong], {LOST.key: LOST})
        await connection.execute(
            """INSERT INTO revision VALUES ('tenant', 'acme', 1, '{"name": "old"}', '', 'test'),
               ('tenant', 'acme', 2, '{"name": "Acme", "account": "acme"}', '', 'test');
               INSERT INTO number VALUES ('+49301', 'acme', '[2026-01-01,)');
               INSERT INTO number VALUES ('+49302', 'acme', '[2099-01-01,)')"""
        )
    await connection.close()


@asynccontextmanager
async def web(url: str, state: Path, port: int) -> AsyncIterator[httpx.AsyncClient]:
    """Serve inside the `with`."""
    ports = Ports().model_copy(update={"http": port})
    serving = asyncio.create_task(
        serve(Settings(state=state, config=ROOT / "config", database=url, ports=ports))
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        await asyncio.sleep(0)  # the listener is bound in the first step
        yield client
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_the_api_gives_the_stream_and_the_tenants(
    database: str, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    """Each rated leg at its position, as JSON or NDJSON; tenants with what is in force."""
    await fill(database)
    async with web(database, tmp_path, *free_ports(1)) as client:
        answer = (await client.get("/v1/rated", params={"since": 1, "limit": 1})).json()
        assert answer == {
            "legs": [{"position": 2, **rated_to_json(rated_leg(1)), "billing_month": "2026-11"}],
            "position": 2,
        }
        lines = await client.get("/v1/rated", headers={"accept": "application/x-ndjson"})
        assert [json.loads(line)["position"] for line in lines.text.splitlines()] == [1, 2, 3]
        assert (await client.get("/v1/rated", params={"since": 3})).json() == {"legs": [], "position": 3}
        told = (await client.get("/v1/thresholds", params={"since": 1})).json()
        assert [(one["percent"], one["pool"]) for one in told["events"]] == [(100, "dach/mobile/2026-11-01")]
        assert told["position"] == 2
        for none in (-1, 2**63):
            assert (await client.get("/v1/rated", params={"since": none})).status_code == 422
        for what, newest in (("rated", 3), ("thresholds", 2)):
            assert (await client.get(f"/v1/{what}", params={"since": newest})).status_code == 200
            beyond = await client.get(f"/v1/{what}", params={"since": 99_999})
            assert (beyond.status_code, beyond.json()["newest"]) == (409, newest), what
            assert beyond.json()["code"] == "position-beyond-newest"
            assert f"there is no position 99999: the newest is {newest}; go on" in beyond.json()["detail"]
        (tenant,) = (await client.get("/v1/tenants")).json()
        assert (tenant["id"], tenant["account"], tenant["extensions"]) == ("acme", "acme", 0)
        assert (tenant["name"], tenant["revision"], tenant["numbers"]) == ("Acme", 2, ["+49301"])


def test_metrics_of_every_process_are_shown(
    tmp_path: Path, free_ports: Callable[[int], list[int]], until: Callable[[Callable[[], bool]], None]
) -> None:
    """Each of our processes keeps its values where web shows them: control decides, web tells."""
    http, agi = free_ports(2)
    ports = json.dumps({"http": http, "agi": agi})
    environment = {**os.environ, "PBXCORE_STATE": str(tmp_path), "PBXCORE_PORTS": ports}
    command = [sys.executable, "-m", "pbxcore.machine.serving"]
    processes = [subprocess.Popen([*command, name], env=environment) for name in ("web", "control")]

    def shown() -> bool:
        with contextlib.suppress(httpx.TransportError):
            text = httpx.get(f"http://127.0.0.1:{http}/metrics").text
            gauges = ("plans", "plans_behind", "phones_published", "phones_unexpired", "phones_registered")
            names = (f"pbxcore_{gauge}{{" for gauge in gauges)
            return all(word in text for word in ('process="web"', 'process="control"', *names))
        return False

    try:
        until(shown)
    finally:
        for process in processes:
            process.terminate()
            process.wait(60)


async def test_health_says_what_does_not_work(
    database: str, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    """503 without a rater, 503 without a database, 200 when both are there."""
    one, two = free_ports(2)
    async with web(database, tmp_path / "one", one) as client:
        absent = await client.get("/health")
        assert (absent.status_code, absent.json()["rater"]) == (503, "absent")
        connection = await connect(database, application="test")
        await ledger.take_turn(connection)
        present = await client.get("/health")
        assert (present.status_code, present.json()["rater"]) == (200, "writing")
        await connection.close()
    async with web("postgresql://nobody@127.0.0.1:1/none", tmp_path / "two", two) as client:
        away = await client.get("/health")
        assert (away.status_code, away.json()["rater"]) == (503, "unknown")
        assert (await client.get("/v1/tenants")).json()["code"] == "database-away"


@pytest.fixture
def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Give the command line on a filled database: exit code and output."""
    asyncio.run(fill(database))
    monkeypatch.setenv("PBXCORE_DATABASE", database)
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")

    def call(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output

    return call


def test_rated_prints_the_stream_for_scripts_and_a_table_for_people(
    command: Callable[..., tuple[int, str]],
) -> None:
    """NDJSON with positions, from any position; a table with what paid for a leg."""
    code, lines = command("rated", "--json", "--since", "1")
    assert (code, [json.loads(line)["position"] for line in lines.splitlines()]) == (0, [2, 3])
    assert json.loads(lines.splitlines()[0]) == {
        "position": 2,
        **rated_to_json(rated_leg(1)),
        "billing_month": "2026-11",
    }
    code, table = command("rated")
    assert code == 0
    assert all(part in table for part in ("acme/60", "+436641234567", "60 s dach/mobile/2026-11-01", "0.19"))


@pytest.mark.parametrize(
    ("words", "newest"),
    [
        (("rated",), 3),
        (("rated", "--json"), 3),
        (("rated", "--follow"), 3),
        (("thresholds",), 2),
        (("thresholds", "--json"), 2),
    ],
)
def test_a_position_that_there_is_not_is_refused(
    command: Callable[..., tuple[int, str]], words: tuple[str, ...], newest: int
) -> None:
    """Who waited there would miss what comes until then; the newest is where a follower waits, also 0."""
    code, said = command(*words, "--since", str(newest + 1))
    assert (code, f"no position {newest + 1}: the newest is {newest}" in said) == (1, True), said
    assert f"go on after {newest}" in said
    assert command(*words, "--since", str(2**63))[0] == 2
    if "--follow" not in words:
        code, said = command(*words, "--since", str(newest))
        assert (code, said if "--json" in words else "") == (0, "")


async def test_nothing_yet_is_no_mistake(
    database: str, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    """An empty stream is read from 0; a transaction that fails takes its positions along: no gap."""
    connection = await connect(database, application="test")
    turn = await ledger.take_turn(connection)
    assert turn is not None
    failing = connection.transaction()
    await failing.start()
    last = await ledger.hold(connection, turn)
    await ledger.write_rated(connection, turn, last.position, [line_of(rated_leg(0), date(2026, 11, 1))])
    await failing.rollback()
    await connection.close()
    async with web(database, tmp_path, *free_ports(1)) as client:
        for what in ("rated", "thresholds"):
            assert (await client.get(f"/v1/{what}")).json()["position"] == 0
            assert (await client.get(f"/v1/{what}", params={"since": 1})).json()["newest"] == 0
    await fill(database)
    reader = await connect(database, application="test")
    assert [entry.position for entry in await stream.rated_since(reader, 0)] == [1, 2, 3]
    await reader.close()


async def test_who_follows_notices_that_an_older_database_was_restored(database: str) -> None:
    """A connection that outlives it tells its reader, who would wait until the stream has grown past."""
    await fill(database)
    reader, writer = [await connect(database, application="test") for _ in range(2)]
    entries = stream.follow(reader, 2)
    assert (await anext(entries)).position == 3
    await writer.execute(
        "DELETE FROM rated_leg WHERE position > 1; UPDATE stream SET position = 1; NOTIFY rated"
    )
    with pytest.raises(BeyondNewestError, match="no position 3: the newest is 1"):
        await anext(entries)
    for connection in (reader, writer):
        await connection.close()


async def test_the_view_of_a_machine_goes_on_with_a_restored_database(database: str, tmp_path: Path) -> None:
    """Nobody counts by it: what is rated from then on is shown again."""
    await fill(database)
    lines = live.rated(Settings(state=tmp_path, config=ROOT / "config", database=database))
    writer = await connect(database, application="test")
    assert await rating_until_shown(writer, lines, 100)
    await writer.execute("DELETE FROM rated_leg WHERE position > 1; UPDATE stream SET position = 1")
    assert await rating_until_shown(writer, lines, 10_000)
    await writer.close()


async def rating_until_shown(writer: Connection, lines: AsyncIterator[str], first: int) -> str:
    """Rate leg after leg until one is shown: from when on the view looks, nobody is told."""
    turn = await ledger.take_turn(writer)
    assert turn is not None
    shown = asyncio.ensure_future(anext(lines))
    async with asyncio.timeout(60):
        for number in itertools.count(first):
            async with writer.transaction():
                last = await ledger.hold(writer, turn)
                line = line_of(rated_leg(number), date(2026, 11, 1))
                await ledger.write_rated(writer, turn, last.position, [line])
            if (await asyncio.wait({shown}, timeout=0.1))[0]:
                break
    return await shown


def test_quarantine_lists_and_releases(command: Callable[..., tuple[int, str]]) -> None:
    """What waits says why; releasing says yes or no by the exit code."""
    code, lines = command("quarantine", "list", "--json")
    assert (code, json.loads(lines)["reason"], json.loads(lines)["leg"]["key"]) == (0, "no-payer", "s-1.99")
    assert "it left past the decision" in command("quarantine", "list")[1]
    assert command("quarantine", "release", "s-1.98")[0] == 1
    assert command("quarantine", "release", "s-1.99", "--ended", "yesterday")[0] == 2
    assert command("quarantine", "release", "s-1.99", "--payer", "acme/10")[0] == 0
    assert json.loads(command("quarantine", "list", "--json")[1])["released_by"]
    assert command("database", "migrate")[0] == 0


def test_a_leg_is_explained_by_its_pieces_and_the_decision_of_its_call(
    command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """What was decided, why and by whom, and each piece with its rule; half a line hurts nothing."""
    (tmp_path / "decisions").mkdir()
    because = [{"rule": "groups.sales", "text": "rings two phones of [/Sales]"}]
    line = {
        "time": "2026-11-22T10:00:00.000000+00:00",
        "call": "s-1.0",
        "linkedid": "s-1.0",
        "version": "acme@1",
        "micros": 400,
        "facts": {},
        "decision": {"version": "acme@1", "steps": [], "because": because},
    }
    other = {**line, "linkedid": "s-1.00", "version": "beta@1"}
    log = "\n".join([json.dumps(other), json.dumps(line), json.dumps(line)[:-20]])
    (tmp_path / "decisions" / "standby.ndjson").write_text(log)
    code, found = command("explain", "s-1.1", "--json")
    assert (code, json.loads(found)["legs"][0]["rated"]) == (
        0,
        {"position": 2, **rated_to_json(rated_leg(1)), "billing_month": "2026-11"},
    )
    assert [(one["by"], one["version"]) for one in json.loads(found)["decisions"]] == [("standby", "acme@1")]
    code, shown = command("explain", "s-1.1")
    wanted = (
        "rings two phones of [/Sales]",
        "acme@1",
        "autphone@2026-01-01 overflow AT-CH/mobile",
        "0.190000",
        "AT-CH",
    )
    assert (code, [part for part in wanted if part not in shown]) == (0, [])


def test_a_leg_in_quarantine_is_explained_and_an_unknown_one_is_not(
    command: Callable[..., tuple[int, str]],
) -> None:
    """The reason and the way out; exit code 1 where no leg has this key."""
    code, shown = command("explain", "s-1.99")
    assert code == 0
    assert "no-payer" in shown
    assert "pbxcore quarantine release s-1.99" in shown
    assert command("explain", "s-1.98")[0] == 1


def test_without_a_database_commands_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 3, and what to do."""
    monkeypatch.setenv("PBXCORE_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path))
    for arguments in (["rated"], ["rated", "--json"], ["quarantine", "list"], ["database", "migrate"]):
        result = CliRunner().invoke(app, arguments)
        assert (result.exit_code, "PBXCORE_DATABASE" in result.output) == (3, True), result.output
