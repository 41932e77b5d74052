"""A whole machine: its parts started in order, kept alive, and ended in the opposite order.

Owns the order. Refuses to print: it tells a `Story` what it does. One task group owns every task; whatever
ends the machine, an error, Ctrl-C or a signal, passes through the same end.
"""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from pbxcore import database, door, publication
from pbxcore.documents import Located
from pbxcore.machine import asterisk, credit, debian, ports, postgres
from pbxcore.machine.asterisk import Installation
from pbxcore.machine.errors import DatabaseError, FolderError, MachineError
from pbxcore.machine.instance import Instance, alone
from pbxcore.machine.services import SERVICES, service
from pbxcore.machine.supervise import Child, Crew, Event
from pbxcore.practice import sipp
from pbxcore.settings import Ports, Settings, Trunk

T = TypeVar("T")
TREE = "asterisk-root"
PHONES = ("sip-tester", "baresip-core")
BOOT_LIMIT_S = 60.0
PRACTICE_RING_MS = 2_000
PRACTICE_LOG_BYTES = 1_000_000
FIRST_DOCUMENTS = ("catalogues", "accounts", "contracts", "tenants")


class AsteriskError(MachineError):
    """There is no Asterisk that would do."""

    code = "asterisk"


class DocumentsError(MachineError):
    """The documents of the first start have mistakes; nothing was applied.

    Attributes:
        findings: all of them.
    """

    code = "documents"

    def __init__(self, config: Path, findings: tuple[Located, ...]) -> None:
        super().__init__(
            f"{len(findings)} mistakes in {config}; nothing was applied", "mend them and start again"
        )
        self.findings = findings


class Step(Protocol):
    """One step while it is done."""

    def progress(self, what: str, fraction: float) -> None:
        """Take how far it is, 0 to 1."""

    def note(self, what: str) -> None:
        """Take what came out of it, in a few words."""


class Story(Protocol):
    """Where a machine tells what it does."""

    def step(self, what: str) -> AbstractContextManager[Step]:
        """Begin a step; it ends with the block."""

    def event(self, event: Event) -> None:
        """Take what happened to a process."""


@contextlib.asynccontextmanager
async def machine(settings: Settings, story: Story) -> AsyncIterator[Instance]:
    """Run a machine inside the `async with` block.

    Raises:
        MachineError: a step cannot work here; what had been started is ended.
    """
    _need_documents(settings)
    with alone(settings), contextlib.ExitStack() as held:
        settings = _with_ports(settings, story, held)
        settings = settings.model_copy(update={"state": settings.state.absolute()})
        try:
            async with asyncio.TaskGroup() as group:
                instance = Instance(settings)

                def told(event: Event) -> None:
                    instance.processes = crew.pids()
                    instance.write()
                    story.event(event)

                crew = Crew(group, told)
                try:
                    await _bring_up(instance, crew, story)
                    yield instance
                finally:
                    await asyncio.shield(_end(crew, story))
        except BaseExceptionGroup as several:
            raise _first(several) from several


def _need_documents(settings: Settings) -> None:
    """Refuse a folder of documents that is not there: the rater needs destinations from it."""
    if not settings.config.is_dir():
        raise FolderError(
            f"there is no folder {settings.config} with service.yaml and documents",
            "name it: PBXCORE_CONFIG=<folder> or --config, or start where a folder config/ stands",
        )


def _first(error: BaseException) -> BaseException:
    """Return the mistake that came first: the others are its consequences."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _end(crew: Crew, story: Story) -> None:
    with story.step("Stopping"):
        await crew.end()


def _with_ports(settings: Settings, story: Story, held: contextlib.ExitStack) -> Settings:
    with story.step("Ports") as step:
        taken = ports.take(settings)
        held.callback(taken.release)
        step.note(f"SIP {taken.ports.sip}, HTTP {taken.ports.http}{_moved(settings.ports, taken)}")
    trunks = tuple(
        trunk.model_copy(update={"port": taken.ports.carrier}) if trunk.practice else trunk
        for trunk in settings.trunks
    )
    return settings.model_copy(update={"ports": taken.ports, "trunks": trunks})


def _moved(wanted: Ports, taken: ports.Taken) -> str:
    """Say which ports are not the settings' own, and why."""
    if not taken.moved_by:
        return ""
    names = [name for name, number in taken.ports.model_dump().items() if number != getattr(wanted, name)]
    which = "" if len(names) == len(Ports.model_fields) else f"{', '.join(names)} "
    return f", {which}moved by {taken.moved_by}: {taken.because}"


async def _bring_up(instance: Instance, crew: Crew, story: Story) -> None:
    settings = instance.settings
    with story.step("Asterisk") as step:
        installation, instance.asterisk = await _in_thread(find_asterisk, settings, step)
        step.note(instance.asterisk)
    await _start_database(settings, crew, story)
    await asyncio.to_thread(asterisk.configure, settings, installation)
    with story.step("Tenants") as step:
        step.note(await _publish(settings))
    with story.step("Services") as step:
        await crew.start_together([service(settings, name) for name in SERVICES])
        step.note(", ".join(SERVICES))
    with story.step("Calls") as step:
        await crew.start(_asterisk(settings, installation))
        step.note(f"Asterisk takes calls at {settings.bind}:{settings.ports.sip}")
    for trunk in settings.trunks:
        if trunk.practice:
            with story.step("Carrier") as step:
                await crew.start(_practice_carrier(settings, trunk))
                step.note(f"{trunk.name} is played by this machine at {trunk.host}:{trunk.port}")
    if credit.is_wanted(settings):
        with story.step("Credit") as step:
            answered = await credit.until_up(settings)
            step.note("the rater answers" if answered else "calls on it are refused until the rater answers")
    instance.processes = crew.pids()
    instance.up = True
    instance.write()


class _Stopped(Exception):  # noqa: N818 — no error: the user has changed his mind
    """The thread's work is wanted no more."""


async def _in_thread(find: Callable[[Settings, Step], T], settings: Settings, step: Step) -> T:
    """Run a long step in a thread that gives up at its next sign of progress when we are cancelled."""
    cancelled = threading.Event()

    class Stoppable:
        def progress(self, what: str, fraction: float) -> None:
            if cancelled.is_set():
                raise _Stopped
            step.progress(what, fraction)

        def note(self, what: str) -> None:
            step.note(what)

    try:
        return await asyncio.to_thread(find, settings, Stoppable())
    except asyncio.CancelledError:
        cancelled.set()
        raise


async def _start_database(settings: Settings, crew: Crew, story: Story) -> None:
    with story.step("PostgreSQL") as step:
        if not settings.database:
            server = postgres.Server(settings.state / "postgres", settings.run_dir)
            made = await asyncio.to_thread(postgres.prepare, server)
            await crew.start(_postgres(settings, server))
            step.note("private, made anew" if made else "private")
        else:
            step.note("as named by PBXCORE_DATABASE")
        try:
            await database.migrate(database.url_of(settings))
        except database.AWAY as error:
            raise DatabaseError(
                f"the database does not answer: {error}",
                "look whether PBXCORE_DATABASE is right and the server runs",
            ) from error
        except database.NewerSchemaError as newer:
            raise DatabaseError(str(newer), newer.remedy) from newer


async def _publish(settings: Settings) -> str:
    """Put the documents of `config/` in force on the first start; later, complete what was cut off."""
    if (settings.published / "index.json").exists():
        connection = await database.connect(database.url_of(settings), application="pbxcore run")
        try:
            await publication.catch_up(settings, connection)
        finally:
            await connection.close()
        return "as published; `pbxcore apply FILE` changes them"
    folders = [settings.config / folder for folder in FIRST_DOCUMENTS]
    applied = await door.apply(settings, [f for f in folders if f.is_dir()], author="pbxcore run")
    if applied.findings:
        raise DocumentsError(settings.config, applied.findings)
    return ", ".join(f"{change.kind} {change.id}" for change in applied.changes)


def find_asterisk(settings: Settings, step: Step) -> tuple[Installation, str]:
    """Return the Asterisk to use, and its version and origin in words; unpack one if necessary.

    Raises:
        AsteriskError: the machine's own is asked for and there is none of version 20 or newer.
        TreeError: it cannot be unpacked.
    """
    own = None if settings.asterisk == "private" else asterisk.own()
    if own is not None:
        _find_phones(settings, step)
        return own, f"{_version(own)}, the machine's own"
    if settings.asterisk == "own":
        raise AsteriskError(
            f"this machine has no Asterisk {asterisk.OLDEST_MAJOR} or newer",
            "install one, or let us unpack one: PBXCORE_ASTERISK=auto",
        )
    root = settings.state / TREE
    debian.ensure(root, progress=step.progress)
    version = debian.versions(root)["asterisk"].partition(":")[2].partition("+")[0]
    return asterisk.private(root), f"{version} of Debian {debian.SUITE}, private in {root}"


def _version(installation: Installation) -> str:
    said = subprocess.run(  # noqa: S603 — found by us
        [*installation.program, "-V"],
        capture_output=True,
        text=True,
        check=False,
        timeout=asterisk.VERSION_LIMIT_S,
    ).stdout
    return said.strip().removeprefix("Asterisk ").partition("+")[0]


def phone_command(settings: Settings, program: str) -> tuple[str, ...]:
    """Return the command of a SIP program (sipp, baresip): the machine's own, else the private tree's."""
    found = shutil.which(program)
    return (found,) if found else debian.command(settings.state / TREE, program)


def _find_phones(settings: Settings, step: Step) -> None:
    if any(trunk.practice for trunk in settings.trunks) and not shutil.which("sipp"):
        debian.ensure(settings.state / TREE, progress=step.progress, packages=PHONES)


def _postgres(settings: Settings, server: postgres.Server) -> Child:
    async def ready(pid: int) -> bool:
        return postgres.is_ready(server, pid)

    return Child(
        name="postgres",
        command=postgres.start_command(server),
        log=settings.state / "log" / "postgres.log",
        ready=ready,
        ready_limit_s=postgres.START_LIMIT_S,
        stop_signal=signal.SIGINT,
        stop_limit_s=postgres.STOP_LIMIT_S,
        orphan_signal=0,  # its command asks for the signal that it needs
    )


def _practice_carrier(settings: Settings, trunk: Trunk) -> Child:
    """Return a carrier that takes every call and echoes it, for a new user's first call outside."""
    folder = settings.state / "practice" / trunk.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.xml").write_text(sipp.answering(ring_ms=PRACTICE_RING_MS, start_at="by-number"))
    words = sipp.words(phone_command(settings, "sipp"), local=(trunk.host, trunk.port), calls=0)
    return Child(
        name=f"carrier-{trunk.name}",
        command=(*words, "-max_log_size", str(PRACTICE_LOG_BYTES)),
        log=settings.state / "log" / f"carrier-{trunk.name}.log",
        environment={"TERM": "dumb"},
        folder=folder,
    )


def _asterisk(settings: Settings, installation: Installation) -> Child:
    question = asterisk.ask_command(settings, installation, "core waitfullybooted")

    async def booted(pid: int) -> bool:
        del pid
        asking = await asyncio.create_subprocess_exec(
            *question, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await asking.wait() == 0

    return Child(
        name="asterisk",
        command=asterisk.start_command(settings, installation),
        log=settings.state / "log" / "asterisk.log",
        more_logs=(asterisk.messages(settings),),
        ready=booted,
        ready_limit_s=BOOT_LIMIT_S,
        orphan_signal=signal.SIGTERM,  # it closes its calls: their legs are complete
    )
