"""How a machine is: which processes answer, what each has in force and how far it lags, and its phones.

Owns the questions and their limits. Refuses to mend anything.
"""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pbxcore import database, metrics, phones, publication, published, trunks
from pbxcore.database.queries import named
from pbxcore.machine import credit, running
from pbxcore.machine.services import answers
from pbxcore.mail import boxes, ledger
from pbxcore.mail.ledger import State
from pbxcore.registrations import registered
from pbxcore.settings import Settings
from pbxcore.trunks import TrunkState
from rating.store import quarantine
from rating.store.quarantine import Lying

SQL = named(Path(__file__).with_name("revisions.sql"))
HEALTH = named(Path(__file__).parent / "web" / "queries.sql")["health"]
ASK_LIMIT_S = 2.0
UNASKED = "control cannot ask it, so calls on credit are refused"
DECIDING = ("control", "standby")
COUNTED = 100_000  # legs in quarantine, the oldest; counting them takes a tenth of a second

Newest = Mapping[str, tuple[int, datetime | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of ours.

    Attributes:
        alive: it answers, and does what it is for.
        detail: what it says, or why it does not answer.
        in_force: tenants by whose plans it decides; None where it decides no calls.
        behind: tenants that it does not decide by their newest revision.
        lag_s: age of the oldest of those revisions; 0 when none, or when its age is not known.
    """

    name: str
    alive: bool
    detail: str
    in_force: int | None = None
    behind: tuple[str, ...] = ()
    lag_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asterisk:
    """Asterisk and its phones.

    Attributes:
        alive: control's link to it is up.
        published: phones that stand in its tables; None when these cannot be read.
        unexpired: changes of phones that it has not acknowledged; it may still go by the old ones.
        registered: phones that can be reached now; None when that cannot be read, or no Asterisk runs.
    """

    alive: bool
    published: int | None
    unexpired: int | None
    registered: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Mail about voicemail.

    Attributes:
        server: where it is handed over; empty: nowhere, nothing is sent.
        boxes: mailboxes that want it.
        waiting: letters that wait, be it for a server.
        failed: letters given up; `pbxcore voicemail list` says why.
    """

    server: str
    boxes: int
    waiting: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A machine.

    Attributes:
        database: it answers.
        detail: why it does not.
        tenants: how many are stored, or published as long as the database does not answer.
        unpublished: tenants whose newest revision is stored and not published.
        mail: None when its files cannot be read.
        trunks: carrier links, in the order in which they are tried.
        quarantine: legs that wait for a person, by their reason; None: the database does not answer.
        unconfirmed: numbers that calls have shown to be ported, which could not be written down: `tenant`,
            `number`, `why`.
    """

    database: bool
    detail: str
    tenants: int
    unpublished: tuple[str, ...]
    processes: tuple[Process, ...]
    asterisk: Asterisk
    mail: Mail | None
    trunks: tuple[TrunkState, ...] = ()
    quarantine: tuple[Lying, ...] | None = None
    unconfirmed: tuple[Mapping[str, str], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything that is needed answers."""
        return self.database and self.asterisk.alive and all(process.alive for process in self.processes)


async def status(settings: Settings) -> Status:
    """Ask everything at once; what does not answer within two seconds does not answer."""
    index, unread = _index(settings)
    stored, detail, rater, lying = await _stored(settings)
    newest = stored if stored is not None else {tenant: (n, None) for tenant, n in index.items()}
    deciding = await asyncio.gather(*(_deciding(settings, name, newest) for name in DECIDING))
    asks = [said["credit"] for _, said in deciding if "credit" in said]
    if asks == ["down"] and rater.alive and credit.is_wanted(settings):
        rater = replace(rater, alive=False, detail=f"{rater.detail}; {UNASKED}")
    table = await asyncio.to_thread(_phones, settings)
    linked = any(said.get("asterisk") == "up" for _, said in deciding)
    asterisk = Asterisk(
        alive=linked,
        published=table.published if table else None,
        unexpired=table.unexpired if table else None,
        registered=await asyncio.to_thread(_registered, settings, linked=linked),
    )
    return Status(
        database=stored is not None,
        detail=detail or unread,
        tenants=len(newest),
        unpublished=tuple(tenant for tenant in {**newest, **index} if _differs(newest, index, tenant)),
        processes=(
            *(process for process, _ in deciding),
            rater,
            await _web(settings),
        ),
        asterisk=asterisk,
        mail=await asyncio.to_thread(_mail, settings),
        trunks=await trunks.states(settings),
        quarantine=lying,
        unconfirmed=tuple(one for _, said in deciding for one in said.get("unconfirmed", ())),
    )


def _differs(newest: Newest, index: Mapping[str, int], tenant: str) -> bool:
    """Tell whether a tenant is stored and not published so, or published though it is out of force."""
    return tenant not in newest or index.get(tenant) != newest[tenant][0]


async def _web(settings: Settings) -> Process:
    """Ask for the process first: who answers at its port may be another machine's."""
    port = settings.ports.http
    if not await asyncio.to_thread(metrics.lives, settings, "web"):
        return Process(name="web", alive=False, detail="does not run")
    address = "127.0.0.1" if settings.bind == "0.0.0.0" else settings.bind  # noqa: S104 — compared, not bound
    alive = await answers(address, port)
    return Process(
        name="web", alive=alive, detail=f"port {port}" if alive else f"does not answer at port {port}"
    )


def _mail(settings: Settings) -> Mail | None:
    try:
        found = ledger.counts(ledger.file_of(settings))
        wanted = boxes.read(phones.mailboxes_db(settings))
    except (sqlite3.Error, OSError):
        return None
    return Mail(
        server=f"{settings.smtp.host}:{settings.smtp.port}" if settings.smtp else "",
        boxes=len(wanted),
        waiting=found.get(State.WAITING, 0),
        failed=found.get(State.FAILED, 0),
    )


def _registered(settings: Settings, *, linked: bool) -> int | None:
    """Count registrations of an Asterisk that runs: what a former one wrote down says nothing of now."""
    return registered(settings) if linked or running.asterisk_since(settings) else None


def _phones(settings: Settings) -> phones.Counts | None:
    try:
        return phones.counts(settings)
    except (sqlite3.Error, OSError):
        return None


def _index(settings: Settings) -> tuple[Mapping[str, int], str]:
    try:
        return published.read_index(settings.published).revisions, ""
    except published.UnpublishedError as error:
        return {}, str(error)


async def _stored(settings: Settings) -> tuple[Newest | None, str, Process, tuple[Lying, ...] | None]:
    """Give the newest revisions, and what the database knows of the rater and of its quarantine."""
    try:
        async with asyncio.timeout(ASK_LIMIT_S):
            connection = await database.connect(database.url_of(settings), application="pbxcore status")
            try:
                rows = await connection.fetch(SQL["newest_of_all"])
                health = await connection.fetchrow(HEALTH)
                lying = tuple(await quarantine.lying(connection, COUNTED))
            finally:
                connection.terminate()  # a goodbye to a server that does not answer has no limit
    except database.AWAY as away:
        reason = "no answer in time" if isinstance(away, TimeoutError) else database.why_away(away)
        unknown = Process(name="rater", alive=False, detail="unknown: the database does not answer")
        return None, reason, unknown, None
    assert health is not None
    newest = {str(row["id"]): (int(row["revision"]), row["since"]) for row in rows}
    writes = bool(health["writing"])
    said = f"writes, position {health['position']}" if writes else "nobody writes rated legs"
    return newest, "", Process(name="rater", alive=writes, detail=said), lying


async def _deciding(settings: Settings, name: str, newest: Newest) -> tuple[Process, Mapping[str, Any]]:
    """Ask a process that decides; give too what it said, of its links to Asterisk and to the rater."""
    try:
        socket = settings.run_dir / f"{name}.sock"
        said = await publication.ask(socket, {"do": "status"}, timeout_s=ASK_LIMIT_S)
        there = {str(tenant): int(number) for tenant, number in said["revisions"].items()}
        pid = int(said["pid"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        gone = isinstance(error, FileNotFoundError | ConnectionRefusedError)
        reason = "does not run" if gone else f"does not answer ({error or 'time-out'})"
        return Process(name=name, alive=False, detail=reason, behind=tuple(newest)), {}
    behind = tuple(tenant for tenant, (number, _) in newest.items() if there.get(tenant) != number)
    since = [at for tenant in behind if (at := newest[tenant][1])]
    lag = int((datetime.now(UTC) - min(since)).total_seconds()) if since else 0
    process = Process(
        name=name, alive=True, detail=f"process {pid}", in_force=len(there), behind=behind, lag_s=max(lag, 0)
    )
    return process, said
