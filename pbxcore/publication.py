"""Puts stored revisions in force: plan files, phones, and the processes that decide.

Owns the writing side of `<state>/published`. A file is written aside, flushed and renamed, so that a reader
sees the old or the new one, whole. Refuses to judge: what arrives here was checked and stored by the door.

The database says what ought to be in force, the index of the published files says what is: each revision's
plan has a file of its own, and renaming the index puts all of a change in force in one instant. `catch_up`
makes index and database equal, so a publication that was cut off at any step is completed by the next one.
"""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialplan.build import build_plan
from dialplan.plan import Plan
from dialplan.published import plan_to_json
from dialplan.spec import TenantSpec
from pbxcore import phones
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.published import Index, UnpublishedError, file_of, read_index
from pbxcore.settings import Settings

SQL = named(Path(__file__).with_name("door.sql"))
PUBLISHER_LOCK = "pbxcore publisher"
ASK_TIMEOUT_S = 5.0  # a process that does not acknowledge by then is reported, and catches up by itself
LONGEST_ANSWER = 1 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What one process said to a new revision.

    Attributes:
        process: `control` or `standby`.
        done: it decides by the new revision from now on.
        detail: why not; empty when done.
    """

    process: str
    done: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One tenant that was put in force, and what the processes said to it."""

    tenant: str
    revision: int
    acknowledged: tuple[Acknowledgement, ...]


async def catch_up(settings: Settings, connection: Connection) -> tuple[Published, ...]:
    """Publish every tenant whose newest revision is not in force yet; return what was published.

    One publisher at a time: a second one waits and finds nothing left to do.
    """
    await connection.execute("SELECT pg_advisory_lock(hashtext($1))", PUBLISHER_LOCK)
    try:
        plans = await _behind(settings, connection)
        if plans:
            await _write(settings, connection, plans)
    finally:
        await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", PUBLISHER_LOCK)
    said = await announce(settings.run_dir) if plans else ()
    return tuple(Published(tenant=one.tenant, revision=one.revision, acknowledged=said) for one in plans)


async def _behind(settings: Settings, connection: Connection) -> tuple[Plan, ...]:
    wanted = {str(row["id"]): int(row["revision"]) for row in await connection.fetch(SQL["tenants_in_force"])}
    index = _index(settings)
    trunks = tuple(trunk.name for trunk in settings.trunks)
    # Trunks stand in every plan, and what a plan's phones are may have changed with this program.
    same = index.trunks == trunks and phones.is_current(settings)
    there = index.revisions if same else {}
    late = [tenant for tenant, revision in wanted.items() if there.get(tenant) != revision]
    rows = await connection.fetch(SQL["documents"], late, [wanted[tenant] for tenant in late])
    return tuple(
        build_plan(
            TenantSpec.model_validate_json(row["document"]), revision=int(row["revision"]), trunks=trunks
        )
        for row in rows
    )


async def _write(settings: Settings, connection: Connection, plans: tuple[Plan, ...]) -> None:
    """Write plans and phones first, the index last: it says that everything before it is done."""
    for plan in plans:
        write_plan(settings.published, plan)
        phones.publish(settings, plan)
    revisions = {**_index(settings).revisions, **{plan.tenant: plan.revision for plan in plans}}
    rows = await connection.fetch(SQL["numbers_in_force"])
    numbers = {str(row["number"]): str(row["tenant"]) for row in rows}
    write_index(settings.published, Index(revisions=revisions, trunks=plans[0].trunks, numbers=numbers))
    phones.mark_current(settings)  # all of them were late if they were not current
    for plan in plans:
        remove_old_plans(settings.published, plan)


def _index(settings: Settings) -> Index:
    """Read what is in force; an index that cannot be read is written anew, with everything in it."""
    try:
        return read_index(settings.published)
    except UnpublishedError:
        log.exception("everything is published again")
        return Index()


def write_aside(path: Path, text: str) -> None:
    """Replace a file whole: readers see the old text or the new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_plan(published: Path, plan: Plan) -> None:
    """Lay a plan's file beside the one in force; the index decides."""
    write_aside(file_of(published, plan.tenant, plan.revision), plan_to_json(plan))


def remove_old_plans(published: Path, plan: Plan) -> None:
    """Remove a tenant's plan files but the one in force and the one before: somebody may be reading that."""
    for path in (published / "tenants").glob(f"{plan.tenant}.*.json"):
        if int(path.name.split(".")[1]) < plan.revision - 1:
            path.unlink(missing_ok=True)


def write_index(published: Path, index: Index) -> None:
    """Put plans in force: which revision of each tenant, and which tenant has which number."""
    entries = {
        "format": 1,
        "trunks": index.trunks,
        "tenants": dict(sorted(index.revisions.items())),
        "numbers": dict(sorted(index.numbers.items())),
    }
    write_aside(published / "index.json", json.dumps(entries, indent=0) + "\n")


async def ask(
    socket: Path, request: Mapping[str, Any], *, timeout_s: float = ASK_TIMEOUT_S
) -> dict[str, Any]:
    """Ask a process over its local socket: one JSON line out, one back.

    Raises:
        OSError: nobody listens there.
        TimeoutError: no answer in time.
        ValueError: the answer is no JSON object.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(str(socket), limit=LONGEST_ANSWER)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            answer = json.loads(await reader.readline() or b"null")
        finally:
            writer.close()
    if not isinstance(answer, dict):
        raise ValueError(f"{socket.name} answered {answer!r}")  # noqa: TRY004 — the value came from outside
    return answer


async def announce(run_dir: Path) -> tuple[Acknowledgement, ...]:
    """Tell control and standby that the index has changed; gather what they say."""
    return tuple(await asyncio.gather(*(_announce_to(run_dir, name) for name in ("control", "standby"))))


async def _announce_to(run_dir: Path, process: str) -> Acknowledgement:
    try:
        answer = await ask(run_dir / f"{process}.sock", {"do": "reload"})
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        return Acknowledgement(process=process, done=False, detail=f"does not answer ({error or 'time-out'})")
    done = answer.get("ok") is True
    return Acknowledgement(
        process=process, done=done, detail="" if done else str(answer.get("error", answer))
    )
