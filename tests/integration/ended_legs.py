"""Legs around the end of a month, and a writer on a real PostgreSQL that takes them in: what tests share."""

import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from pbxcore.database import Connection, connect
from pbxcore.intake.assemble import NOTHING_OPEN, Assembly, assemble
from pbxcore.intake.lines import read as read_records
from pbxcore.intake.memory import Memory
from pbxcore.practice.records import World, records
from pbxcore.rater.book import load_book
from pbxcore.rater.writer import Writer
from rating.book import Book, PoolKey
from rating.columns import Index
from rating.correction import differs, standing
from rating.destinations.load import load as load_destinations
from rating.leg import Leg
from rating.periods import from_iso
from rating.rate import rate
from rating.rated import RatedLeg, Source
from rating.store import ledger, stream
from rating.store.stream import Entry

CONFIG = Path(__file__).parents[2] / "config"
DESTINATIONS = load_destinations(CONFIG / "destinations")
JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in (1, 2, 3, 4))
CALLS = 300
# Three days around the end of February in Berlin; enough talk to empty both pools of Acme in either month.
WORLD = World(first_us=from_iso("2026-02-27T11:00:00+00:00"), every_us=864_000_000)
NOW_US = from_iso("2026-04-01T00:00:00+02:00")
LEGS = assemble(read_records("".join(records(CALLS, WORLD)), 0)[0], NOTHING_OPEN).legs
FILES = {
    ("catalogue", "autphone@2026-01-01"): "catalogues/autphone.yaml",
    ("account", "acme"): "accounts/acme.yaml",
    ("tenant", "acme"): "tenants/acme.yaml",
}


def shipped(file: str) -> Any:  # noqa: ANN401 — YAML
    """Read a shipped document."""
    return yaml.safe_load((CONFIG / file).read_text())


def document(file: str) -> Any:  # noqa: ANN401 — YAML
    """Read a shipped document; minutes of its bundles stay for a month longer."""
    found = shipped(file)
    if "rates" in found:
        for bundle in found["bundles"].values():
            bundle["roll_over_months"] = 1
    return found


@asynccontextmanager
async def a_connection(
    database: str, content: Callable[[str], object] = document
) -> AsyncIterator[Connection]:
    """Give a connection to a database that knows the example tenant."""
    connection = await connect(database, application="test")
    for (kind, name), file in FILES.items():
        await put(connection, kind, name, content(file))
    yield connection
    await connection.close()


@asynccontextmanager
async def a_writer(database: str, connection: Connection) -> AsyncIterator[Writer]:
    """Give a rater's writer, with a connection of its own."""
    own = await connect(database, application="rater")
    turn = await ledger.take_turn(own)
    assert turn is not None
    yield Writer(
        connection=own,
        turn=turn,
        source="test",
        index=Index(await load_book(connection, DESTINATIONS)),
        memory=Memory(position=None, open=NOTHING_OPEN, last_us=0),
    )
    await own.close()


async def put(connection: Connection, kind: str, name: str, content: object) -> None:
    """Put the next revision of a document in force."""
    await connection.execute(
        "INSERT INTO revision SELECT $1, $2, 1 + count(*), $3, '', 'test' FROM revision WHERE id = $2",
        kind,
        name,
        json.dumps(content, default=str),
    )


def ended(legs: Iterable[Leg]) -> Assembly:
    """Return legs as if they had just ended."""
    return Assembly(legs=tuple(legs), bad=(), open=NOTHING_OPEN, changed=(), closed=(), last_us=0)


async def take_in(writer: Writer, legs: Sequence[Leg]) -> None:
    """Let legs end."""
    plan = writer.plan_of(ended(legs))
    writer.expect(plan)
    await writer.commit(plan)


def shuffled(legs: Sequence[Leg] = LEGS, seed: int = 1) -> list[Leg]:
    """Return legs as a bad network would."""
    return random.Random(seed).sample(list(legs), len(legs))


async def entries_of(connection: Connection) -> Sequence[Entry]:
    """Return the whole stream."""
    return await stream.rated_since(connection, 0, 100_000)


def as_they_stand(entries: Sequence[Entry]) -> dict[str, RatedLeg]:
    """Return every leg after its corrections."""
    by_key: dict[str, list[RatedLeg]] = {}
    for entry in entries:
        by_key.setdefault(entry.leg.key, []).append(entry.leg)
    return {key: standing(original, rest) for key, (original, *rest) in by_key.items()}


def drawn(entries: Sequence[Entry]) -> dict[PoolKey, int]:
    """Return what rows say was drawn from each pool, corrections included."""
    found: dict[PoolKey, int] = {}
    for entry in entries:
        for piece in entry.leg.pieces:
            if piece.source is Source.ALLOWANCE:
                key = (entry.leg.account, piece.pool)
                found[key] = found.get(key, 0) + piece.seconds
    return found


async def state(connection: Connection) -> tuple[object, ...]:
    """Everything that closing may change."""
    tables = ("rated_leg", "pool_used", "closed_month", "kept_allowance", "stream")
    return tuple([await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables])  # noqa: S608 — our own names


async def same_as_a_clean_run(connection: Connection, book: Book, legs: Sequence[Leg] = LEGS) -> None:
    """Compare legs, sums, balances and positions with legs that came in canonical order."""
    entries = await entries_of(connection)
    clean = rate(sorted(legs, key=lambda leg: (leg.ended_us, leg.key)), book, {})
    found = as_they_stand(entries)
    assert len(found) == len(clean.rated)
    assert not [leg.key for leg in clean.rated if differs(leg, found[leg.key])]
    assert sum(entry.leg.amount_micro for entry in entries) == sum(leg.amount_micro for leg in clean.rated)
    assert drawn(entries) == clean.used == await ledger.used(connection, ["acme"])
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
