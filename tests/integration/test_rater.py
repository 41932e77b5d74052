"""The rater on a real PostgreSQL: from the spool to the stream, each leg once."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from pbxcore.database import Connection, connect
from pbxcore.intake.memory import Memory
from pbxcore.practice.records import World, is_billed, key, records
from pbxcore.rater import serve
from pbxcore.rater.book import load_book
from pbxcore.rater.pricing import rated_keys
from pbxcore.rater.writer import Writer
from pbxcore.settings import Settings
from rating.columns import Index
from rating.destinations.load import load as load_destinations
from rating.leg import Leg
from rating.rated import Quarantine, Quarantined, Source
from rating.store import closing, ledger, quarantine, stream, thresholds
from rating.store.quarantine import Correction
from rating.store.rows import leg_of
from rating.store.stream import Entry

CONFIG = Path(__file__).parents[2] / "config"
WORLD = World()
CALLS = 300
HOUR_US = 3_600_000_000
BILLED = {key(WORLD, number) for number in range(CALLS) if is_billed(number)}
Running = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """Give a connection to a database that knows the example tenant."""
    connection = await connect(database, application="test")
    for kind, name, file in (
        ("catalogue", "autphone@2026-01-01", "catalogues/autphone.yaml"),
        ("account", "acme", "accounts/acme.yaml"),
        ("tenant", "acme", "tenants/acme.yaml"),
    ):
        await put(connection, kind, name, yaml.safe_load((CONFIG / file).read_text()))
    yield connection
    await connection.close()


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """Give the settings of a machine of its own."""
    made = Settings(state=tmp_path, config=CONFIG, database=database)
    made.spool.mkdir(parents=True)
    return made


@pytest.fixture
def spool(settings: Settings) -> Path:
    """Give the file in which Asterisk would write."""
    return settings.spool / "legs.tsv"


@pytest.fixture
def rater(settings: Settings, connection: Connection) -> Running:
    """Give a rater that works inside a `with`."""
    del connection  # the documents come first

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        serving = asyncio.create_task(serve(settings))
        yield
        assert not serving.done(), serving
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    return running


async def put(connection: Connection, kind: str, name: str, document: object) -> None:
    """Put the next revision of a document in force."""
    await connection.execute(
        "INSERT INTO revision SELECT $1, $2, 1 + count(*), $3, '', 'test' FROM revision WHERE id = $2",
        kind,
        name,
        json.dumps(document, default=str),
    )


def write(spool: Path, text: str) -> None:
    """Make the file that Asterisk writes."""
    spool.write_text(text)


def append(spool: Path, texts: Iterable[str]) -> None:
    """Append as Asterisk does: open, write, close."""
    for text in texts:
        with spool.open("a", encoding="latin-1") as file:
            file.write(text)


def rename(spool: Path) -> None:
    """Rotate as logrotate does."""
    spool.rename(spool.with_name("legs.tsv.1"))


def size(spool: Path) -> int:
    """Bytes in the file that is written now."""
    return spool.stat().st_size


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait at most 20 s for something that happens in the database."""
    async with asyncio.timeout(60):
        while not await happened():  # noqa: ASYNC110 — it happens in the database
            await asyncio.sleep(0.02)


async def rated(connection: Connection, count: int) -> Sequence[Entry]:
    """Wait until so many legs are rated, then return the stream."""

    async def enough() -> bool:
        return await stream.position(connection) >= count

    await until(enough)
    return await stream.rated_since(connection, 0, 100_000)


async def read_to_the_end(connection: Connection, spool: Path) -> None:
    """Wait until the position is the end of the file that is written now."""

    async def at_end() -> bool:
        return bool(await connection.fetchval("SELECT line_end FROM spool_position") == size(spool))

    await until(at_end)


async def state(connection: Connection) -> tuple[object, ...]:
    """Everything that must not change when nothing new came."""
    entries = await stream.rated_since(connection, 0, 100_000)
    others = [
        await connection.fetch("SELECT * FROM pool_used ORDER BY 1, 2"),
        await connection.fetch("SELECT * FROM quarantined_leg ORDER BY 1"),
        await connection.fetch("SELECT * FROM quarantined_line ORDER BY 1, 2, 3"),
        await connection.fetch("SELECT * FROM open_leg ORDER BY 1"),
    ]
    return entries, *others


async def test_every_billed_leg_comes_once_and_what_it_drew_is_in_the_balance(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """Rated legs, positions without gaps, and balances that are the sum of the pieces."""
    write(spool, "".join(records(CALLS, WORLD)))
    async with rater():
        entries = await rated(connection, len(BILLED))
    assert [entry.position for entry in entries] == list(range(1, len(BILLED) + 1))
    assert {entry.leg.key for entry in entries} == BILLED
    drawn: dict[str, int] = {}
    for piece in (piece for entry in entries for piece in entry.leg.pieces):
        if piece.source is Source.ALLOWANCE:
            drawn[piece.pool] = drawn.get(piece.pool, 0) + piece.seconds
    assert drawn == {row["pool"]: row["used_s"] for row in await connection.fetch("SELECT * FROM pool_used")}
    assert len(drawn) > 1
    assert not await connection.fetch("SELECT * FROM open_leg")
    assert [entry.leg.ended_us for entry in entries] == sorted(entry.leg.ended_us for entry in entries)


@pytest.mark.row("X.4")
async def test_reading_everything_again_changes_nothing(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """A lost position, a copied file and a repeated one give what was there before."""
    text = "".join(records(CALLS, WORLD)) + "no record\n"
    write(spool, text)
    async with rater():
        await read_to_the_end(connection, spool)
    before = await state(connection)
    await connection.execute("DELETE FROM spool_position")
    async with rater():
        await read_to_the_end(connection, spool)
        rename(spool)
        write(
            spool, "".join(records(1, World(first_us=WORLD.first_us * 2))) + text.replace("no record\n", "")
        )
        await read_to_the_end(connection, spool)
    assert await state(connection) == before


async def test_the_order_of_calls_changes_no_leg_and_no_sum(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """Channels mixed in another way give the same legs; no second is lost or paid twice."""
    by_channel: dict[str, list[str]] = {}
    for line in records(CALLS, WORLD):
        by_channel.setdefault(line.split("\t")[3], []).append(line)
    write(spool, "".join(line for _, lines in sorted(by_channel.items()) for line in lines))
    async with rater():
        entries = await rated(connection, len(BILLED))
    pools = await connection.fetchval("SELECT sum(used_s) FROM pool_used")
    overflow = sum(
        piece.seconds for entry in entries for piece in entry.leg.pieces if piece.source is Source.OVERFLOW
    )
    assert {entry.leg.key for entry in entries} == BILLED
    assert pools + overflow == sum(entry.leg.billable_s for entry in entries)


async def test_legs_under_way_survive_a_restart(connection: Connection, spool: Path, rater: Running) -> None:
    """The rater may end and start at any line of a call."""
    lines = list(records(20, WORLD))
    for number in range(0, len(lines), 30):
        append(spool, lines[number : number + 30])
        async with rater():
            await read_to_the_end(connection, spool)
    entries = await rated(connection, 1)
    assert {entry.leg.key for entry in entries} == {key(WORLD, n) for n in range(20) if is_billed(n)}


async def test_a_bad_line_is_kept_with_its_place(connection: Connection, spool: Path, rater: Running) -> None:
    """Nothing vanishes silently, not even bytes that no text may hold."""
    append(spool, records(1, WORLD))
    append(spool, ["\0\xff rubbish\n"])
    async with rater():
        await read_to_the_end(connection, spool)
    (row,) = await connection.fetch("SELECT line_start, reason, line FROM quarantined_line")
    assert (row["reason"], row["line"]) == ("fields", b"\0\xff rubbish")
    assert row["line_start"] == size(spool) - len(row["line"]) - 1


async def test_what_cannot_be_rated_waits_and_is_rated_when_released(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """A tenant without account: quarantine; the account comes, somebody releases, the leg is rated, once."""
    write(spool, "".join(records(3, World(payers=("newco/1",)))))
    async with rater():
        await read_to_the_end(connection, spool)
        first, second = await quarantine.waiting(connection, 10)
        assert first.reason is Quarantine.UNKNOWN_ACCOUNT
        assert not await quarantine.release(connection, "nobody", by="test", correction=Correction())
        assert await quarantine.release(connection, first.leg.key, by="test", correction=Correction())

        async def back() -> bool:
            return not (await quarantine.waiting(connection, 10))[0].released_by

        await until(back)  # it comes back, with the reason of today
        await put(connection, "tenant", "newco", {"account": "acme"})
        ended_us = second.leg.answered_us + 61_000_000
        for waits, correction in (
            (first, Correction(payer="acme/11")),
            (second, Correction(ended_us=ended_us)),
        ):
            assert await quarantine.release(connection, waits.leg.key, by="test", correction=correction)
        entries = {entry.leg.key: entry.leg for entry in await rated(connection, 2)}
    assert entries[first.leg.key].payer == "acme/11"
    assert (entries[second.leg.key].payer, entries[second.leg.key].billable_s) == ("newco/1", 120)
    assert await quarantine.waiting(connection, 10) == []
    assert not await quarantine.release(connection, first.leg.key, by="test", correction=Correction())


async def test_all_that_wait_for_one_reason_are_released_at_once(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """The oldest first, as many as are asked for; what waits for another reason waits on."""
    write(spool, "".join([*records(3, World(payers=("newco/1",))), *records(5, World(payers=("other/1",)))]))
    async with rater():
        await read_to_the_end(connection, spool)
        mine = [one for one in await quarantine.waiting(connection, 10) if one.leg.payer == "newco/1"]
        await put(connection, "tenant", "newco", {"account": "acme"})
        assert await quarantine.release_all(connection, Quarantine.UNKNOWN_ACCOUNT, by="test", limit=1) == 1
        assert [entry.leg.key for entry in await rated(connection, 1)] == [mine[0].leg.key]
        assert await quarantine.release_all(connection, Quarantine.UNKNOWN_ACCOUNT, by="test", limit=10) > 1
        assert {entry.leg.payer for entry in await rated(connection, len(mine))} == {"newco/1"}

        async def back() -> bool:
            return not any(one.released_by for one in await quarantine.waiting(connection, 10))

        await until(back)
        assert {one.leg.payer for one in await quarantine.waiting(connection, 10)} == {"other/1"}


async def test_a_price_that_no_ledger_holds_stops_nobody(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """Calls at a mistyped price that was stored before the check knew it wait; the others are rated."""
    document = yaml.safe_load((CONFIG / "catalogues/autphone.yaml").read_text())
    dear = {**document, "catalogue": "dear", "rates": deepcopy(document["rates"]), "bundles": {}}
    del dear["offer"]
    for row in dear["rates"]:
        if row.pop("price_per_minute") != "0":
            row["price_per_second"] = "999999999"
        else:
            row["price_per_second"] = "0"
    await put(connection, "catalogue", "dear@2026-01-01", dear)
    account = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    account |= {"account": "newco", "catalogue": "dear", "bundles": []}
    await put(connection, "account", "newco", account)
    await put(connection, "tenant", "newco", {"account": "newco"})
    write(spool, "".join(records(20, World(payers=("newco/1", "acme/11")))))
    async with rater():
        await read_to_the_end(connection, spool)
        waiting = await quarantine.waiting(connection, 100)
        assert waiting
        assert {(one.reason, one.leg.payer) for one in waiting} == {(Quarantine.NO_PRICE, "newco/1")}
        assert all("beyond what anybody means" in one.detail for one in waiting)
    entries = await stream.rated_since(connection, 0, 100)
    assert {entry.leg.payer for entry in entries if entry.leg.amount_micro} == {"acme/11"}


async def test_a_tenant_that_moves_to_another_account_is_billed_there(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """From the next leg on, while the rater runs; another call flow of a tenant moves nobody."""
    lines = list(records(40, World(payers=("acme/10",), every_us=60_000_000, longest_s=30)))
    account = yaml.safe_load((CONFIG / "accounts/acme.yaml").read_text())
    await put(connection, "account", "second", {**account, "account": "second"})
    async with rater():
        append(spool, lines[: len(lines) // 3])
        await read_to_the_end(connection, spool)
        await put(connection, "tenant", "acme", {"account": "acme", "name": "renamed"})
        append(spool, lines[len(lines) // 3 : len(lines) // 2])
        await read_to_the_end(connection, spool)
        before = {entry.leg.key for entry in await rated(connection, 1)}
        await put(connection, "tenant", "acme", {"account": "second"})
        append(spool, lines[len(lines) // 2 :])
        await read_to_the_end(connection, spool)
    entries = await rated(connection, len(before) + 1)
    assert {entry.leg.account for entry in entries if entry.leg.key in before} == {"acme"}
    assert {entry.leg.account for entry in entries if entry.leg.key not in before} == {"second"}


async def test_a_release_changes_nothing_of_what_was_recorded(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """A request with a mistake in it leaves the record as it was, and the next inherits nothing of it."""
    cut = [line for line in records(2, WORLD) if "HANGUP" not in line]
    started_again = records(1, World(first_us=WORLD.first_us + HOUR_US))
    write(spool, "".join((*cut, *started_again)))
    async with rater():
        await read_to_the_end(connection, spool)
        (recorded,) = await quarantine.waiting(connection, 10)
        leg = recorded.leg
        assert (recorded.reason, leg.indeterminate) == (Quarantine.INDETERMINATE, True)
        mistaken = Correction(payer="acne/10", ended_us=leg.ended_us + 30_000_000)
        assert await quarantine.release(connection, leg.key, by="one", correction=mistaken)

        async def back() -> bool:
            return not (await quarantine.waiting(connection, 10))[0].released_by

        await until(back)
        (waits,) = await quarantine.waiting(connection, 10)
        assert (waits.leg, waits.reason) == (leg, Quarantine.UNKNOWN_ACCOUNT)
        assert await quarantine.release(connection, leg.key, by="two", correction=Correction(payer="acme/10"))
        (entry,) = await rated(connection, 1)
    assert (entry.leg.payer, entry.leg.ended_us) == ("acme/10", leg.ended_us)
    kept = await connection.fetchrow("SELECT leg, released_by, release_payer FROM quarantined_leg")
    assert kept is not None
    assert (leg_of(kept["leg"]), *kept[1:]) == (leg, "two", "acme/10")


async def test_the_newest_request_that_was_acknowledged_is_the_one_that_is_billed(
    database: str, connection: Connection
) -> None:
    """A second request, made when the writer has begun with the first but not read it, replaces it."""
    key = await put_aside(connection)
    blocker, writing = [await connect(database, application="test") for _ in range(2)]
    writer = await a_writer(writing)
    assert await quarantine.release(connection, key, by="one", correction=Correction(payer="acme/10"))
    async with blocker.transaction():
        await ledger.hold(blocker, writer.turn)
        releasing = asyncio.create_task(writer.release())
        await until(lambda: waits_for_a_lock(connection, writing))
        assert await quarantine.release(connection, key, by="two", correction=Correction(payer="acme/11"))
    await releasing
    (entry,) = await rated(connection, 1)
    assert entry.leg.payer == "acme/11"
    for one in (blocker, writing):
        await one.close()


@pytest.mark.parametrize(
    ("payer", "taken", "left"),
    [
        pytest.param("acne/10", True, 1, id="the first comes back: the second stands"),
        pytest.param("acme/10", False, 0, id="the first is billed: the second is refused"),
    ],
)
async def test_a_request_made_while_another_is_read_is_not_swallowed(
    database: str,
    connection: Connection,
    payer: str,
    taken: bool,  # noqa: FBT001 — a table
    left: int,
) -> None:
    """Whoever asks is told the truth: the request waits to be read, or nothing is left to release."""
    key = await put_aside(connection)
    asking, writing = [await connect(database, application="test") for _ in range(2)]
    writer = await a_writer(writing)
    assert await quarantine.release(connection, key, by="one", correction=Correction(payer=payer))
    async with writing.transaction():
        last = await writer._hold()
        legs = await ledger.released(writing, 10)
        second = asyncio.create_task(
            quarantine.release(asking, key, by="two", correction=Correction(payer="acme/11"))
        )
        await until(lambda: waits_for_a_lock(connection, asking))
        priced = await writer._price(legs)
        await writer._write(priced, legs, last)
        await ledger.settle(writing, rated_keys(priced, legs))
    assert await second is taken
    assert [leg.payer for leg in await ledger.released(connection, 10)] == ["acme/11"] * left
    for one in (asking, writing):
        await one.close()


async def put_aside(connection: Connection) -> str:
    """Put a leg of nobody into quarantine; return its key."""
    leg = Leg(
        key="s-1795360000.1",
        linkedid="s-1795360000.1",
        trunk="carrier",
        payer="",
        why="",
        number="+4930123456",
        answered_us=WORLD.first_us,
        ended_us=WORLD.first_us + 60_000_000,
    )
    why = Quarantined(key=leg.key, reason=Quarantine.NO_PAYER, detail="")
    await ledger.write_quarantined(connection, [why], {leg.key: leg})
    return leg.key


async def a_writer(connection: Connection) -> Writer:
    """Give what a rater has when it has the turn."""
    turn = await ledger.take_turn(connection)
    assert turn is not None
    return Writer(
        connection=connection,
        turn=turn,
        source="test",
        index=Index(await load_book(connection, load_destinations(CONFIG / "destinations"))),
        memory=Memory(position=None, open={}, last_us=0),
    )


async def waits_for_a_lock(connection: Connection, other: Connection) -> bool:
    """Tell whether the other connection stands still before a lock."""
    pid = other.get_server_pid()
    found = await connection.fetchval("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1", pid)
    return bool(found == "Lock")


async def test_one_rater_writes_and_the_other_takes_over(
    connection: Connection, spool: Path, rater: Running
) -> None:
    """Two raters on one database: one stands by until the other has ended."""
    lines = list(records(CALLS, WORLD))
    async with rater():
        async with rater():
            write(spool, "".join(lines[:1_000]))
            await read_to_the_end(connection, spool)
            assert await connection.fetchval("SELECT epoch FROM stream") == 1
        append(spool, lines[1_000:])
        entries = await rated(connection, len(BILLED))
    assert {entry.leg.key for entry in entries} == BILLED
    assert await connection.fetchval("SELECT epoch FROM stream") <= 2


async def test_a_writer_whose_turn_is_over_writes_nothing(database: str) -> None:
    """A newer epoch shuts out the older one, even if it does not know."""
    one, two = [await connect(database, application="test") for _ in range(2)]
    old = await ledger.take_turn(one)
    assert old is not None
    assert await ledger.take_turn(two) is None
    await one.execute("SELECT pg_advisory_unlock_all()")  # what a pooler does behind our back
    new = await ledger.take_turn(two)
    assert new is not None
    with pytest.raises(ledger.TurnLostError):
        await ledger.hold(one, old)
    assert await ledger.hold(two, new) == (0, 0)
    for connection in (one, two):
        await connection.close()


@pytest.mark.row("X.4")
async def test_who_follows_the_stream_gets_every_leg_once(
    database: str, connection: Connection, spool: Path, rater: Running
) -> None:
    """Legs that were there and legs that come, in order, whatever the size of the commits."""
    lines = list(records(CALLS, WORLD))
    write(spool, "".join(lines[:500]))
    followed: list[int] = []
    reader = await connect(database, application="reader")
    async with rater():
        await read_to_the_end(connection, spool)
        feeding = asyncio.create_task(feed(spool, lines[500:]))
        async with asyncio.timeout(60):
            async for entry in stream.follow(reader, 0):
                followed.append(entry.position)
                if len(followed) == len(BILLED):
                    break
        await feeding
    await reader.close()
    assert followed == list(range(1, len(BILLED) + 1))


async def feed(spool: Path, lines: Sequence[str]) -> None:
    """Append line by line, as Asterisk does, some of them in halves."""
    for number, line in enumerate(lines):
        half = len(line) // 2 if number % 7 == 0 else 0
        for part in (line[:half], line[half:]):
            append(spool, [part])
            await asyncio.sleep(0.0005)


async def test_a_leg_is_in_the_stream_when_its_channel_has_hung_up(
    database: str, connection: Connection, spool: Path, rater: Running
) -> None:
    """One line at a time: nothing waits for a fuller batch."""
    reader = await connect(database, application="reader")
    world = World(longest_s=60)
    seen = 0
    async with rater():
        lines = list(records(70, world))
        write(spool, lines[0])
        await read_to_the_end(connection, spool)
        entries = stream.follow(reader, 0)
        for line in lines[1:]:
            append(spool, [line])
            _, event, _, channel, *_ = line.split("\t")
            if event == "HANGUP" and channel in {key(world, n) for n in range(70) if is_billed(n)}:
                async with asyncio.timeout(60):
                    assert (await anext(entries)).leg.key == channel
                seen += 1
    await reader.close()
    assert seen > 40


PLANS = {
    ("ledger", "known"): {"rated_leg_key_correction", "quarantined_leg_pkey"},
    ("ledger", "used"): {"pool_used_pkey"},
    ("ledger", "released"): {"quarantined_leg_release"},
    ("ledger", "last_closed"): {"closed_month_pkey"},
    ("quarantine", "waiting"): {"quarantined_leg_waiting"},
    ("stream", "rated_since"): {"rated_leg_pkey"},
    ("thresholds", "tell"): {"threshold_event_pkey"},
    ("thresholds", "since"): {"threshold_event_pkey"},
    ("stream", "rated_of"): {"rated_leg_key_correction"},
    ("closing", "open_rows"): {"rated_leg_account"},
    ("closing", "has_newer"): {"rated_leg_pkey"},
    ("closing", "billed_accounts"): {"rated_leg_account"},
    ("closing", "bill"): {"rated_leg_account"},
    ("closing", "closed"): {"closed_month_pkey"},
}


@pytest.mark.parametrize(("module", "name"), PLANS, ids=lambda part: part)
async def test_hot_queries_use_their_index(database: str, module: str, name: str) -> None:
    """No statement that runs with every batch reads a whole table."""
    connection = await connect(database, application="test")
    await fill(connection)
    modules = {
        "ledger": ledger,
        "quarantine": quarantine,
        "stream": stream,
        "closing": closing,
        "thresholds": thresholds,
    }
    statement = modules[module]._SQL[name]
    arguments = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
    execute = f"EXECUTE hot ({arguments})" if arguments else "EXECUTE hot"
    await connection.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE hot AS {statement}")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {execute}"))
    await connection.close()
    assert PLANS[module, name] == {index for index in PLANS[module, name] if index in plan}, plan
    assert "Seq Scan" not in plan


async def fill(connection: Connection) -> None:
    """Put so many rows into the tables that a plan matters."""
    await connection.execute(
        """
        INSERT INTO rated_leg
        SELECT n, 'k' || n, '', 'account' || n % 100, '', '', '', '', '', '', '', n, n, 0, 0, 0, 0, '', '[]',
               now(), 0, '2026-11-01'
        FROM generate_series(1, 20000) AS n;
        INSERT INTO closed_month SELECT 'a' || n, '2026-10-01', 1, '' FROM generate_series(1, 20000) AS n;
        INSERT INTO threshold_event
        SELECT n, 'account' || n, 'pool', 80, 1, 1, 1 FROM generate_series(1, 20000) AS n;
        INSERT INTO pool_used SELECT 'account' || n, 'pool', 1 FROM generate_series(1, 20000) AS n;
        INSERT INTO quarantined_leg (key, reason, detail, leg, settled_at, release_at)
        SELECT 'k' || n, '', '', '{}', CASE WHEN n > 20 THEN now() END, CASE WHEN n > 9 THEN now() END
        FROM generate_series(1, 20000) AS n;
        ANALYZE
        """
    )
