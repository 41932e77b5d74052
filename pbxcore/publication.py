"""Puts stored revisions in force: plan files, phones, and the processes that decide.

Owns the writing side of `<state>/published`. A file is written aside, flushed and renamed, so that a reader
sees the old or the new one, whole. Refuses to judge: what arrives here was checked and stored by the door.

The database says what ought to be in force, the index of the published files says what is: each revision's
plan has a file of its own, and renaming the index puts all of a change in force in one instant. `catch_up`
makes index and database equal, so a publication that was cut off at any step is completed by the next one, at
the latest by the running machine itself (`pbxcore.completion`).

Phones cannot change in that instant: they are rows that Asterisk reads. So the next index is laid down beside
the one in force before the first of them changes. Who dies from there on leaves on the disk all that the rest
needs, and `finish` does it without the database: a publication that has begun does not stay half done for as
long as that is away.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dialplan import carriers
from dialplan.build import build_plan
from dialplan.finding import DialplanError
from dialplan.plan import Plan
from dialplan.published import plan_to_json
from dialplan.spec import TenantSpec
from pbxcore import leavings, phones, speech, switches, turn
from pbxcore.database import AWAY, Connection
from pbxcore.database.queries import named
from pbxcore.published import Index, UnpublishedError, file_of, former_of, read, read_index, without_file
from pbxcore.settings import Settings

SQL = named(Path(__file__).with_name("door.sql"))
ASK_TIMEOUT_S = 5.0  # a process that does not acknowledge by then is reported, and catches up by itself
LONGEST_ANSWER = 1 << 20
NEXT = "next.json"  # the index that is put in force as soon as the phones are those of its plans
ALONE_AGAIN_S = 0.05
NOT_RUNNING = "does not run"
DECIDING = ("control", "standby")
# What keeps a publication from its end and passes; OSError, in AWAY, is a full disk too.
PUT_OFF: tuple[type[Exception], ...] = (*AWAY, turn.BusyError, sqlite3.Error)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What one process said to a new revision.

    Attributes:
        process: `control`, `standby` or `Asterisk`.
        done: it goes by the new revision from now on.
        detail: why not; empty when done.
    """

    process: str
    done: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One tenant that was put in force, or taken out of it, and what the processes said to it."""

    tenant: str
    revision: int
    acknowledged: tuple[Acknowledgement, ...]
    removed: bool = False


async def catch_up(
    settings: Settings, connection: Connection, *, asked_for: Collection[str] = ()
) -> tuple[Published, ...]:
    """Publish every tenant whose newest revision is not in force yet; return what was published.

    One publisher at a time: a second one waits and finds nothing left to do.

    Args:
        settings: of this machine.
        connection: to the database.
        asked_for: tenants that belong to the answer even if another publisher was quicker. Lost plans are
            looked for among them, or among all if there are none: no change waits for a thousand looks.

    Raises:
        PUT_OFF: it was cut off, or another publisher does not come to its end; the next one completes it.
    """
    await turn.take(connection, turn.PUBLISHER)
    try:
        behind = await _behind(settings, connection, looked_for=asked_for)
        if behind.any:  # from here on nothing is needed of the database
            await _write_alone(settings, behind)
    finally:
        await turn.give_back(connection, turn.PUBLISHER)
    there = {plan.tenant: plan.revision for plan in behind.plans}
    newest = {**behind.wanted, **behind.removed}
    there |= {tenant: newest[tenant] for tenant in (*behind.gone, *asked_for)}
    for tenant in _held_back(settings, behind):
        there.pop(tenant, None)
    said = await announce(settings.run_dir) if there or behind.any else ()
    if is_heard(said):
        with leavings.later():
            clear_leavings(settings)
    return tuple(
        Published(tenant=one, revision=revision, acknowledged=said, removed=one in behind.removed)
        for one, revision in there.items()
    )


async def is_complete(settings: Settings, connection: Connection) -> bool:
    """Tell whether everything that is stored is published; a change under way may not be, for a moment."""
    found = _found(settings)
    there = found or Index()
    if there.revisions and not _is_of(
        there, settings
    ):  # somebody with other trunks than this machine has published
        return False
    revisions = _whole(settings, there, there.revisions)
    newest = await connection.fetch(SQL["tenants_in_force"])
    if newest and found is None:
        return False
    if any(revisions.get(str(row["id"])) != int(row["revision"]) for row in newest if not row["removed"]):
        return False
    if any(str(row["id"]) in there.revisions for row in newest if row["removed"]):
        return False
    return (there.prepaid, there.limited) == await _on_credit(connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behind:
    """What ought to be in force and is not: all of it as it was in the database in one instant.

    Attributes:
        wanted: the newest revision of every tenant that is in force.
        removed: of every other tenant the revision by which it was taken out of force.
        gone: those of them that are still published; all of them where nobody can say who is.
        lost: nobody can: there is no index, or none that can be read.
        plans: of those whose newest revision is not in force.
        prepaid: tenants whose account calls on credit: the standby must know that, too.
        limited: tenants whose account is invoiced and has spend limits.
        credit_changed: that some are one or the other, or no longer are, is not in force.
        again: by tenant, earlier revisions that said the same; only of those with removed mailboxes.
        strangers: tenants that come back with a document that nothing said before they went.
    """

    wanted: Mapping[str, int]
    plans: tuple[Plan, ...]
    prepaid: frozenset[str]
    limited: frozenset[str]
    credit_changed: bool
    again: Mapping[str, frozenset[int]] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    lost: bool = False
    strangers: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        """Whether there is something to do."""
        return bool(self.plans or self.gone) or self.credit_changed or self.lost


async def _behind(settings: Settings, connection: Connection, *, looked_for: Collection[str] = ()) -> _Behind:
    found = _found(settings)
    index = found or Index()
    trunks = tuple(trunk.name for trunk in settings.trunks)
    # Trunks stand in every plan, and what a plan's phones are may have changed with this program.
    is_current = _is_of(index, settings) and phones.is_current(settings)
    there = _whole(settings, index, looked_for or index.revisions) if is_current else {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        newest = await connection.fetch(SQL["tenants_in_force"])
        wanted = {str(row["id"]): int(row["revision"]) for row in newest if not row["removed"]}
        removed = {str(row["id"]): int(row["revision"]) for row in newest if row["removed"]}
        late = [tenant for tenant, revision in wanted.items() if there.get(tenant) != revision]
        rows = await connection.fetch(SQL["documents"], late)
        prepaid, limited = await _on_credit(connection)
        again = await _said_before(settings, connection, late, index.revisions)
        strangers = await _strangers(connection, late, found)
    return _Behind(
        wanted=wanted,
        prepaid=prepaid,
        limited=limited,
        credit_changed=(prepaid, limited) != (index.prepaid, index.limited),
        plans=tuple(plan for row in rows if (plan := _plan(dict(row), trunks))),
        again=again,
        removed=removed,
        gone=frozenset(removed if found is None else removed.keys() & index.revisions.keys()),
        lost=found is None and bool(newest),
        strangers=strangers,
    )


async def _said_before(
    settings: Settings, connection: Connection, late: Collection[str], there: Mapping[str, int]
) -> Mapping[str, frozenset[int]]:
    """Return to which revisions tenants have gone back, where messages can come back with them."""
    asking = sorted(phones.removed_mailboxes_of(settings, late))
    if not asking:  # nearly always: documents are long, and comparing them takes time
        return {}
    before = [str(there.get(tenant, 0)) for tenant in asking]
    rows = await connection.fetch(SQL["said_before"], asking, before)
    return {
        tenant: frozenset(int(row["revision"]) for row in rows if row["id"] == tenant) for tenant in asking
    }


async def _strangers(connection: Connection, late: Collection[str], found: Index | None) -> frozenset[str]:
    """Name those that had been taken out of force and share no more than the name with who was there then.

    Where nobody can say what was in force, they may have come back long ago.
    """
    if found is None or not late:
        return frozenset()
    there = [str(found.revisions.get(tenant, 0)) for tenant in late]
    return frozenset(str(row["id"]) for row in await connection.fetch(SQL["strangers"], list(late), there))


def _whole(settings: Settings, index: Index, looked_for: Collection[str]) -> Mapping[str, int]:
    """Give the revisions in force but those looked for whose plan is lost; it is published again."""
    looked_at = {tenant: index.revisions[tenant] for tenant in looked_for if tenant in index.revisions}
    lost = without_file(settings.published, looked_at)
    return {tenant: revision for tenant, revision in index.revisions.items() if tenant not in lost}


def _is_of(index: Index, settings: Settings) -> bool:
    """Tell whether an index goes by these trunks, and by what is known of them."""
    names = tuple(trunk.name for trunk in settings.trunks)
    return (index.trunks, index.carriers) == (names, settings.carriers)


async def _on_credit(connection: Connection) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tenants whose account is prepaid, and those whose is invoiced and has limits."""
    rows = await connection.fetch(SQL["on_credit"])
    prepaid = frozenset(str(row["tenant"]) for row in rows if row["prepaid"])
    return prepaid, frozenset(str(row["tenant"]) for row in rows) - prepaid


def _plan(row: Mapping[str, Any], trunks: tuple[str, ...]) -> Plan | None:
    """Build the plan of a stored document; None if this version of the program cannot read it.

    Such a tenant keeps the plan that is in force, and holds nobody else back.
    """
    try:
        spec = TenantSpec.model_validate_json(row["document"])
        return build_plan(spec, revision=int(row["revision"]), trunks=trunks)
    except (ValueError, ArithmeticError, DialplanError):
        log.exception("revision %s of %s cannot be published", row["revision"], row["id"])
        return None


async def _write_alone(settings: Settings, behind: _Behind) -> None:
    """Write while no other process does; the turn in the database is lost when that dies.

    Raises:
        BusyError: another process does not come to its end.
        OSError: something cannot be written.
    """
    deadline = time.monotonic() + turn.WAIT_S
    while True:
        with _alone(settings.published) as ours:
            if ours:
                _write(settings, behind)
                return
        if time.monotonic() > deadline:
            raise turn.BusyError(f"another process keeps what is published for more than {turn.WAIT_S:g} s")
        await asyncio.sleep(ALONE_AGAIN_S)


@contextlib.contextmanager
def _alone(published: Path) -> Iterator[bool]:
    """Keep the folder to ourselves, until the end of the block or of this process; False: another has it."""
    published.mkdir(parents=True, exist_ok=True)
    with (published / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _write(settings: Settings, behind: _Behind) -> None:
    """Write plans first, then the next index, then phones; renaming the index says that all of it is done.

    Somebody may have published a newer revision since the database was read: that one stays.

    Raises:
        OSError: something cannot be written; nothing of the change is in force, or `finish` completes it.
    """
    before = _index(settings).revisions
    gone = {one: behind.removed[one] for one in behind.gone if before.get(one, 0) < behind.removed[one]}
    plans = [plan for plan in behind.plans if plan.revision >= before.get(plan.tenant, 0)]
    for plan in plans:
        write_plan(settings.published, plan)
        if again := behind.again.get(plan.tenant):
            phones.note_said_before(settings, plan, again)
    plans = [one for one in plans if one.tenant not in behind.strangers or _begins_afresh(settings, one)]
    index = Index(
        revisions={
            **{tenant: revision for tenant, revision in before.items() if tenant not in gone},
            **{plan.tenant: plan.revision for plan in plans},
        },
        trunks=tuple(trunk.name for trunk in settings.trunks),
        prepaid=behind.prepaid,
        carriers=settings.carriers,
        limited=behind.limited,
    )
    lay_index(settings.published, index)
    _put_in_force(settings, plans, [_nothing(*one) for one in gone.items()])


def finish(settings: Settings) -> tuple[str, ...]:
    """Put in force what somebody had laid down whole and died over; the database may be away.

    Returns:
        The tenants concerned; none where nothing was left, or somebody is just at it.

    Raises:
        OSError: something cannot be written, now.
        sqlite3.Error: the same.
        UnpublishedError: what was laid down cannot be read; the next publication writes it anew.
        DialplanError: the same, of a plan.
    """
    laid = settings.published / NEXT
    if not laid.exists():
        return ()
    with _alone(settings.published) as ours:
        if not ours or not laid.exists():
            return ()
        after = read_index(settings.published, NEXT).revisions
        found = _found(settings)
        if found is None and phones.tenants(settings) - after.keys():
            return ()  # whether these are gone stands in the database alone
        before = (found or Index()).revisions
        there = before if phones.is_current(settings) else {}
        late = {t: r for t, r in after.items() if there.get(t) != r}
        gone = {t: r + 1 for t, r in before.items() if t not in after}
        plans = [read(settings.published, *one) for one in late.items()]
        _put_in_force(settings, plans, [_nothing(*one) for one in gone.items()])
    return (*late, *gone)


def _nothing(tenant: str, revision: int) -> Plan:
    """Give the plan of a tenant that is out of force: it has no phone, no mailbox and no lamp."""
    nobody = {"version": 1, "tenant": tenant, "name": tenant, "account": tenant, "country": "DE",
              "time_zone": "UTC"}  # fmt: skip
    return build_plan(TenantSpec.model_validate(nobody), revision=revision, trunks=())


def _begins_afresh(settings: Settings, plan: Plan) -> bool:
    """Take away what is left of who had a tenant's name before: what was switched, phones, mailboxes.

    If it cannot be taken away now the tenant has to wait, and nobody else.
    """
    nobody = _nothing(plan.tenant, plan.revision)
    try:
        switches.forget(settings.switches_db, [nobody], datetime.now(UTC))
    except leavings.NOT_NOW as error:
        log.warning("%s waits until what its namesake had switched can be cleared: %s", plan.tenant, error)
        return False
    phones.publish(settings, nobody)
    return True


def _held_back(settings: Settings, behind: _Behind) -> Collection[str]:
    """Name those that have to wait for what is left of their namesake."""
    there = _index(settings).revisions if behind.strangers else {}
    return [one for one in behind.strangers if there.get(one, 0) < behind.wanted[one]]


def _put_in_force(settings: Settings, plans: Sequence[Plan], gone: Sequence[Plan] = ()) -> None:
    """Give Asterisk the phones of plans and make the next index the one in force; twice does no harm.

    What is switched of what goes with these plans is noted, and cleared when who decides goes by them. What
    is owed of the plans before comes first: these may have again what those no longer had.

    Args:
        settings: of this machine.
        plans: that the next index has.
        gone: of tenants that it has no more, each with nothing in it; their switches stay, for they may come
            back as they were.
    """
    with leavings.later():
        leavings.clear(settings)
    for plan in (*plans, *gone):
        phones.publish(settings, plan)
    if owed := leavings.of(settings, plans):
        write_aside(leavings.file_of(settings), json.dumps(sorted(owed)) + "\n")
    before = _index(settings).revisions
    (settings.published / NEXT).replace(settings.published / "index.json")
    _flush(settings.published)
    phones.mark_current(settings)  # all of them were late if they were not current
    for plan in (*plans, *gone):
        remove_old_plans(settings.published, plan, before.get(plan.tenant, 0))
        speech.forget(settings.sounds, plan)  # until now the plan before was in force


def clear_leavings(settings: Settings) -> None:
    """Clear what is switched of what is gone, after it was announced: until then somebody decides by it.

    While another process writes nothing is done: it clears that, too.

    Raises:
        leavings.NOT_NOW: it is to be done again.
    """
    if leavings.is_owed(settings):
        with _alone(settings.published) as ours:
            if ours:
                leavings.clear(settings)


def _index(settings: Settings) -> Index:
    """Read what is in force; an index that cannot be read is written anew, with everything in it."""
    return _found(settings) or Index()


def _found(settings: Settings) -> Index | None:
    """Read what is in force; None where nobody can say: there is no index, or none that can be read."""
    if not (settings.published / "index.json").exists():
        return None
    try:
        return read_index(settings.published)
    except UnpublishedError:
        log.exception("everything is published again")
        return None


def write_aside(path: Path, text: str) -> None:
    """Replace a file whole: readers see the old text or the new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    """Let what was renamed in a folder last."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_plan(published: Path, plan: Plan) -> None:
    """Lay a plan's file beside the one in force; the index decides."""
    write_aside(file_of(published, plan.tenant, plan.revision), plan_to_json(plan))


def remove_old_plans(published: Path, plan: Plan, before: int) -> None:
    """Remove a tenant's plan files but the one in force and the one before: somebody may be reading that.

    Args:
        published: folder of the published plans.
        plan: in force now.
        before: the revision in force until now, which is not always the number before; 0: nobody knows. Of
            those older than it all but one are gone already.
    """
    if before == plan.revision:  # it was published again
        return
    before = before or former_of(published, plan.tenant, plan.revision)
    laid_down = range(before + 1, plan.revision)  # by somebody who died: never in force
    for revision in (former_of(published, plan.tenant, before), *laid_down):
        file_of(published, plan.tenant, revision).unlink(missing_ok=True)


def write_index(published: Path, index: Index) -> None:
    """Put plans in force: which revision of each tenant, and which of them call on credit."""
    write_aside(published / "index.json", _index_to_json(index))


def lay_index(published: Path, index: Index) -> None:
    """Lay down what shall be in force next."""
    write_aside(published / NEXT, _index_to_json(index))


def _index_to_json(index: Index) -> str:
    entries = {
        "format": 1,
        "trunks": index.trunks,
        "tenants": dict(sorted(index.revisions.items())),
        "prepaid": sorted(index.prepaid),
        "carriers": carriers.to_json(index.carriers),
        "limited": sorted(index.limited),
    }
    return json.dumps(entries) + "\n"


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
    """Tell control and standby that the index has changed; gather what they and, by control, Asterisk say."""
    control, standby = await asyncio.gather(*(_reload(run_dir, name) for name in DECIDING))
    return (_said("control", control), _said("standby", standby), _of_asterisk(control))


def is_heard(said: Collection[Acknowledgement]) -> bool:
    """Tell whether nobody decides by the plans before any more: each has said so, or does not run."""
    return bool(said) and not unheard(said)


def unheard(said: Collection[Acknowledgement]) -> tuple[Acknowledgement, ...]:
    """Give those that may decide by the plans before still: they run, and have not said otherwise."""
    deciding = (one for one in said if one.process in DECIDING)
    return tuple(one for one in deciding if not one.done and one.detail != NOT_RUNNING)


async def _reload(run_dir: Path, process: str) -> Mapping[str, Any] | str:
    """Give the answer of a process, or why there is none."""
    try:
        return await ask(run_dir / f"{process}.sock", {"do": "reload"})
    except (FileNotFoundError, ConnectionRefusedError):
        return NOT_RUNNING
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        return f"does not answer ({error or 'time-out'})"


def _said(process: str, answer: Mapping[str, Any] | str) -> Acknowledgement:
    if isinstance(answer, str):
        return Acknowledgement(process=process, done=False, detail=answer)
    done = answer.get("ok") is True
    return Acknowledgement(
        process=process, done=done, detail="" if done else str(answer.get("error", answer))
    )


def _of_asterisk(answer: Mapping[str, Any] | str) -> Acknowledgement:
    """Give what control says of Asterisk: it may still go by what it has read of phones before."""
    said = "not told" if isinstance(answer, str) else str(answer.get("asterisk", "not told"))
    done = said == "done"
    return Acknowledgement(process="Asterisk", done=done, detail="" if done else said)
