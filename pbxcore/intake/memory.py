"""What the intake must remember: how far it read, which legs are under way, which lines were none.

Owns its tables. Refuses to begin or end transactions: they are written in the one of the rated legs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from asyncpg import Record

from pbxcore.database.queries import named
from pbxcore.intake.assemble import Assembly, OpenLeg, TrunkLeg
from pbxcore.intake.record import BadLine
from pbxcore.intake.source import Position
from rating.store.ledger import Connection

_SQL = named(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Where a source was left.

    Attributes:
        position: None before the first record.
        last_us: time of the newest record, 0 before the first.
    """

    position: Position | None
    open: Mapping[str, OpenLeg]
    last_us: int


async def load(connection: Connection, source: str) -> Memory:
    """Return where a source was left."""
    row = await connection.fetchrow(_SQL["position"], source)
    legs = await connection.fetch(_SQL["open_legs"], source)
    return Memory(
        position=Position(row["file"], row["line_end"]) if row else None,
        open=MappingProxyType({leg["key"]: _open_leg_of(leg) for leg in legs}),
        last_us=row["last_us"] if row else 0,
    )


async def save(connection: Connection, source: str, position: Position | None, assembly: Assembly) -> None:
    """Remember what a batch changed."""
    rows = [_row_of(source, leg) for leg in assembly.changed]
    if gone := [*assembly.closed, *(leg.key for leg in assembly.changed)]:
        await connection.execute(_SQL["delete_open_legs"], gone)
    if rows:  # COPY takes a third of what an INSERT takes that may turn into an UPDATE
        await connection.copy_records_to_table("open_leg", records=rows, columns=_COLUMNS)
    if position:
        await connection.execute(
            _SQL["write_position"], source, position.file, position.line_end, assembly.last_us
        )


async def keep_bad_lines(connection: Connection, source: str, file: str, bad: Sequence[BadLine]) -> None:
    """Put lines aside, each once."""
    if bad:
        starts = [line.start for line in bad]
        reasons = [line.fault.value for line in bad]
        lines = [line.line.encode("latin-1") for line in bad]
        await connection.execute(_SQL["write_bad_lines"], source, file, starts, reasons, lines)


_NOBODY = TrunkLeg(payer="", why="", number="", limit_s=0, version="")


_COLUMNS = (
    *("spool", "key", "linkedid", "trunk", "alone", "asked", "answered_us", "seen_us"),
    *("named", "payer", "why", "number", "limit_s", "version", "credit"),
)


def _row_of(source: str, leg: OpenLeg) -> tuple[object, ...]:
    facts = leg.facts or _NOBODY
    return (
        *(source, leg.key, leg.linkedid, leg.trunk, leg.alone, leg.asked, leg.answered_us, leg.seen_us),
        *(leg.facts is not None, facts.payer, facts.why, facts.number, facts.limit_s, facts.version),
        facts.credit,
    )


def _open_leg_of(row: Record) -> OpenLeg:
    facts = TrunkLeg(
        payer=row["payer"],
        why=row["why"],
        number=row["number"],
        limit_s=row["limit_s"],
        version=row["version"],
        credit=row["credit"],
    )
    return OpenLeg(
        key=row["key"],
        linkedid=row["linkedid"],
        trunk=row["trunk"],
        alone=row["alone"],
        asked=row["asked"],
        facts=facts if row["named"] else None,
        answered_us=row["answered_us"],
        seen_us=row["seen_us"],
    )
