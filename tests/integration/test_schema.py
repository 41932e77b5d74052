"""The schema: what the migrations make, and what it refuses."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

import pbxcore.database
from pbxcore.database import NewerSchemaError, connect, migrate
from pbxcore.machine import postgres as postgresql

SCHEMA = Path(pbxcore.database.__file__).parent / "schema.sql"
LEG = (
    "INSERT INTO rated_leg (position, key, linkedid, account, payer, why, number, tariff, country, kind, "
    "zone, answered_us, ended_us, duration_us, billable_s, connection_micro, amount_micro, currency, pieces)"
)
ROW = "(1, 'k', '', 'acme', '', '', '', '', '', '', '', 0, 1793487480000000, 0, 60, 0, 0, 'EUR', '[]')"
LEG_NOW = LEG.replace(")", ", billing_month, corrects, correction)")
ROW_NOW = ROW.replace(")", ", '2026-10-01', NULL, 0)")


def dump(url: str) -> str:
    """What is in a database, without what pg_dump says about itself."""
    text = subprocess.run(
        [
            postgresql.binaries() / "pg_dump",
            "--schema-only",
            "--no-owner",
            "--exclude-table=alembic_version",
            url,
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    noise = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE)
    return re.sub(r"\n{2,}", "\n\n", noise.sub("", text)).strip() + "\n"


def test_the_dump_is_the_sum_of_the_migrations(database: str) -> None:
    """`schema.sql` shows the reader what all migrations together make."""
    assert dump(database) == SCHEMA.read_text()


def test_a_database_that_is_ahead_is_told_and_left_alone(postgres: postgresql.Server) -> None:
    """Who goes back to an older version hears what to do; the schema stays the newer one's."""
    url = postgresql.url(postgres, "ahead")
    psql = [str(postgresql.binaries() / "psql"), "-qX"]
    subprocess.run([*psql, postgresql.url(postgres, "postgres"), "-c", "CREATE DATABASE ahead"], check=True)
    asyncio.run(migrate(url))
    subprocess.run([*psql, url, "-c", "UPDATE alembic_version SET version_num = '9999'"], check=True)
    with pytest.raises(NewerSchemaError, match=r"newer pbxcore: .*'9999'") as refused:
        asyncio.run(migrate(url))
    assert "restore a backup" in refused.value.remedy
    assert dump(url) == SCHEMA.read_text()


def test_processes_that_migrate_at_once_take_turns(postgres: postgresql.Server) -> None:
    """Every process may migrate when it starts; the schema is made once."""
    url = postgresql.url(postgres, "empty")
    psql = [str(postgresql.binaries() / "psql"), "-qX", postgresql.url(postgres, "postgres"), "-c"]
    subprocess.run([*psql, "CREATE DATABASE empty"], check=True)
    migration = "import asyncio, sys; from pbxcore.database import migrate; asyncio.run(migrate(sys.argv[1]))"
    processes = [subprocess.Popen([sys.executable, "-c", migration, url]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert dump(url) == SCHEMA.read_text()
    subprocess.run([*psql, "DROP DATABASE empty"], check=True)


async def test_migrating_again_changes_nothing(database: str) -> None:
    """A database of today stays as it is."""
    await migrate(database)
    assert await asyncio.to_thread(dump, database) == SCHEMA.read_text()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO number VALUES ('030123', 'acme', '[2026-01-01,)')",
        "INSERT INTO number VALUES ('+49301', 'acme', 'empty')",
        "INSERT INTO number VALUES ('+49301', 'a', '[2026-01-01,)'), ('+49301', 'b', '[2025-01-01,)')",
        "INSERT INTO revision VALUES ('invoice', 'acme', 1, '{}', '', 'x')",
        "INSERT INTO revision VALUES ('tenant', 'acme', 0, '{}', '', 'x')",
        "INSERT INTO revision VALUES ('tenant', 'a', 1, '{}', '', 'x'), ('tenant', 'a', 1, '{}', '', 'y')",
        "INSERT INTO pool_used VALUES ('acme', 'de/fixed', -1)",
        "INSERT INTO closed_month VALUES ('acme', '2026-10-02', 1, 'x')",
        "INSERT INTO closed_month VALUES ('a', '2026-10-01', 1, 'x'), ('a', '2026-10-01', 2, 'y')",
        pytest.param(LEG + " VALUES " + ROW, id="a writer of schema 0001, which knows no months"),
        LEG_NOW + f" VALUES {ROW_NOW}, {ROW_NOW}".replace("(1,", "(2,", 1),
        LEG_NOW + f" VALUES {ROW_NOW}".replace("NULL, 0)", "NULL, 1)"),
        LEG_NOW + f" VALUES {ROW_NOW}".replace("NULL, 0)", "7, 0)"),
    ],
)
async def test_the_schema_refuses_what_must_never_be(database: str, statement: str) -> None:
    """A mistake of the program stops at the database."""
    connection = await connect(database, application="test")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await connection.execute(statement)
    await connection.close()


async def test_a_number_moves_in_one_transaction(database: str) -> None:
    """Two tenants swap their numbers without a moment in which one has none."""
    connection = await connect(database, application="test")
    await connection.execute(
        "INSERT INTO number VALUES ('+49301', 'a', '[2026-01-01,)'), ('+49302', 'b', '[2026-01-01,)')"
    )
    async with connection.transaction():
        await connection.execute("SET CONSTRAINTS number_has_one_tenant DEFERRED")
        await connection.execute("INSERT INTO number VALUES ('+49301', 'b', '[2026-06-01,)')")
        await connection.execute(
            "UPDATE number SET valid = '[2026-01-01,2026-06-01)' WHERE number = '+49301' AND tenant = 'a'"
        )
    assert await connection.fetchval("SELECT count(*) FROM number") == 3
    await connection.close()


async def test_a_new_revision_is_announced(database: str) -> None:
    """Whoever listens hears of a new document when it is committed."""
    connection = await connect(database, application="test")
    heard: asyncio.Queue[object] = asyncio.Queue(maxsize=10)
    await connection.add_listener("revision", lambda *args: heard.put_nowait(args[-1]))
    await connection.execute("INSERT INTO revision VALUES ('tenant', 'acme', 7, '{}', '', 'x')")
    async with asyncio.timeout(60):
        assert await heard.get() == "tenant acme 7"
    await connection.close()
