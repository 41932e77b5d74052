"""An apply during which something is killed, at every step: the old revision is in force, or the new one.

A whole machine runs as a user starts it. `fatal_apply` is the `pbxcore apply` in which, before a step that a
test names, the apply itself or a process of the machine is killed. Nobody does anything afterwards: the
machine comes back by itself, and then the database, the published files, control, standby, phones, lamps,
mailboxes and Asterisk with its caches say the same.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbxcore import database, lamps, phones, published
from pbxcore.machine import asterisk
from pbxcore.publication import ask
from pbxcore.settings import Settings

CHECKOUT = Path(__file__).parents[2]
LIMIT_S = 60.0  # for all to come back
COMMIT = "postgres COMMIT;"
IN_FORCE = "file replace in _put_in_force of _write"
LAID = "file replace in write_aside of lay_index"
NOT_YET: tuple[type[Exception], ...] = (*database.AWAY, ValueError, LookupError, sqlite3.Error)
STAGES = (
    "postgres BEGIN;",
    "postgres INSERT INTO revision",
    COMMIT,
    "postgres SELECT pg_advisory_unlock",
    "file fsync in write_aside of write_plan",
    LAID,
    "sqlite execute in _replace_mailboxes",
    "sqlite execute in _replace_phones",
    "sqlite executemany in _replace",
    "file replace in write of publish",
    IN_FORCE,
    "file unlink in remove_old_plans",
    "ask control",
    "ask standby",
)

pytestmark = pytest.mark.timeout(900)


Look = Callable[[int], Awaitable[str]]


def document(number: int) -> str:
    """Give the tenant's document of a number: each differs in plan, phones, lamps and mailboxes."""
    return f"""version: 1
tenant: acme
name: Acme
country: DE
time_zone: Europe/Berlin
account: acme
numbers:
  "+493055500100": {{to: extension 10}}
extensions:
  "10":
    name: Anna {number}
    devices: [{{device: p10, password: secret-{number:08}}}]
    voicemail: {{}}
  "{20 + number % 7}": {{name: Bruno, devices: [p20]}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended."""

    code: int
    said: str


class Machine:
    """A machine that runs, and what can be seen of it from outside."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.order = folder / "fatal"  # for control
        self.settings = Settings(state=folder / "state", config=CHECKOUT / "config")
        self.environment = {
            **os.environ,
            "COLUMNS": "250",
            "PBXCORE_CONFIG": str(CHECKOUT / "config"),
            "PBXCORE_STATE": str(folder / "state"),
            "PBX_FATAL_ORDER": str(self.order),
            "PYTHONPATH": f"{Path(__file__).parent}:{CHECKOUT}",
        }
        self.number = 0  # of the last document that was sent
        self.killed = {0}
        self.stored = 0  # of the last one that was in force everywhere

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run it, and the program that applies."""
        self.settings.state.mkdir()
        (self.settings.state / "asterisk-root").symlink_to(self.root)
        ready, python = self.folder / "ready", [sys.executable]
        run = [*python, "-m", "pbxcore", "run", "--ready-file", str(ready)]
        apply = [*python, str(Path(__file__).with_name("fatal_apply.py"))]
        with (
            (self.folder / "output").open("wb") as out,
            subprocess.Popen(
                run, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=self.environment
            ) as own,
            subprocess.Popen(
                apply, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
            ) as self.applying,
        ):
            try:
                deadline = time.monotonic() + LIMIT_S
                while not ready.exists():
                    assert own.poll() is None, (self.folder / "output").read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                yield
            finally:
                assert self.applying.stdin
                self.applying.stdin.close()
                own.send_signal(signal.SIGTERM)
                own.wait(60)

    def said(self) -> str:
        """Give the end of what the machine printed."""
        return (self.folder / "output").read_text()[-2_000:]

    async def pids(self, name: str) -> list[int]:
        """Give the process of a name once it is back; of a server, those that serve its sessions too."""
        deadline = time.monotonic() + LIMIT_S
        while (pid := self._pid(name)) in self.killed:
            assert time.monotonic() < deadline, f"{name} is not back"
            await asyncio.sleep(0.05)
        self.killed.add(pid)
        return [pid, *(_children(pid) if name == "postgres" else ())]

    def let_speak(self) -> None:
        """Let the server go on, and those that serve its sessions, whether they were stopped or not."""
        server = self._pid("postgres")
        for pid in (*_children(server), server):  # while it stands still nobody else has come
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _pid(self, name: str) -> int:
        """Give the process of a name, 0 for none."""
        processes = json.loads(self.settings.machine_file.read_text())["processes"]
        return int(processes[name][0]) if name in processes else 0

    async def apply(
        self, *, before: int = 0, kills: str = "", steps: Path | None = None, silences: bool = False
    ) -> Outcome:
        """Apply the next document; before a step, counted from 1, something is killed: empty: the apply.

        A database that it silences stays so until it is let speak.
        """
        self.number += 1
        file, output = self.folder / "acme.yaml", self.folder / "applied"
        taken, pids = steps or self.folder / "taken", await self.pids(kills) if kills else []
        file.write_text(document(self.number))
        order = {
            "command": ["apply", str(file), "--author", f"author {self.number}"],
            "before": before,
            "kills": pids,
            "stops": self._pid("postgres") if silences else 0,
            "output": str(output),
            "steps": str(taken),
        }
        assert self.applying.stdin
        assert self.applying.stdout
        print(json.dumps(order), file=self.applying.stdin, flush=True)
        outcome = Outcome(code=int(self.applying.stdout.readline()), said=output.read_text())
        if (
            pids and len(json.loads(taken.read_text())) < before
        ):  # `web` was quicker: it never came to the step
            self.killed.difference_update(pids)
        return outcome

    async def stands(self, number: int, *, silent: bool = False) -> None:
        """Wait until a document is in force everywhere, with nothing due, and nothing of any other is.

        A silent database is not asked.
        """
        looks = () if silent else (self._in_database, self._in_newest)
        deadline = time.monotonic() + LIMIT_S
        while (found := await self._differs(number, looks)) is not None:
            assert time.monotonic() < deadline, f"document {number} is not in force everywhere: {found}"
            await asyncio.sleep(0.05)
        self.stored = number

    async def _differs(self, number: int, looks: Sequence[Look]) -> str | None:
        """Say what does not say a document, or does not answer; None if all do."""
        for look in (*looks, self._in_processes, self._in_files, self._in_asterisk):
            try:
                found = await look(number)
            except NOT_YET as error:
                return f"{look.__name__}: {error!r}"
            if found:
                return f"{look.__name__}: {found}"
        return None

    async def authors(self) -> list[str]:
        """Give who made each revision, the oldest first, as `pbxcore history` says."""
        command = [sys.executable, "-m", "pbxcore", "history", "acme", "--json"]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE,
                                                       env=self.environment)  # fmt: skip
        said, _ = await process.communicate()
        return [one["author"] for one in json.loads(said) if one["kind"] == "tenant"][::-1]

    async def author(self) -> str:
        """Give who made the newest revision."""
        return (await self.newest())[1]

    async def newest(self) -> tuple[int, str, int]:
        """Give the newest revision as it is stored: its number, its author, its document's number."""
        connection = await database.connect(database.url_of(self.settings), application="test")
        try:
            row = await connection.fetchrow(
                "SELECT revision, author, source FROM revision WHERE kind = 'tenant' AND id = 'acme' "
                "ORDER BY revision DESC LIMIT 1"
            )
        finally:
            connection.terminate()
        assert row
        return row["revision"], row["author"], _number(row["source"])

    async def _in_database(self, number: int) -> str:
        revision, author, there = await self.newest()
        return "" if there == number else f"revision {revision} by {author} is document {there}"

    async def _in_newest(self, _: int) -> str:
        revision = (await self.newest())[0]
        index = published.read_index(self.settings.published).revisions["acme"]
        return "" if index == revision else f"the index has {index}, stored is {revision}"

    async def _in_processes(self, _: int) -> str:
        index = published.read_index(self.settings.published).revisions["acme"]
        told = {}
        for name in ("control", "standby"):
            status = await ask(self.settings.run_dir / f"{name}.sock", {"do": "status"})
            told[name] = status["revisions"]["acme"]
        return "" if set(told.values()) == {index} else f"{told}, the index has {index}"

    async def _in_files(self, number: int) -> str:
        index = published.read_index(self.settings.published).revisions["acme"]
        plan = published.file_of(self.settings.published, "acme", index).read_text()
        extensions = {"10", str(20 + number % 7)}
        with contextlib.closing(sqlite3.connect(self.settings.phones_db)) as db:
            (password,) = db.execute("SELECT password FROM ps_auths WHERE id = 'acme-p10'").fetchone()
            (caller,) = db.execute("SELECT callerid FROM ps_endpoints WHERE id = 'acme-p10'").fetchone()
            lit = {row[0].partition("/")[2] for row in db.execute("SELECT id FROM lamps")}
        with contextlib.closing(sqlite3.connect(phones.mailboxes_db(self.settings))) as db:
            (box,) = db.execute("SELECT fullname FROM voicemail").fetchone()
        written = (lamps.folder(self.settings) / "acme.conf").read_text()
        facts = {
            "plan": f"Anna {number}" in plan,
            "password": password == f"secret-{number:08}",
            "caller": f"Anna {number}" in caller,
            "mailbox": box == f"Anna {number}",
            "lamps": {one for one in lit if one.isdecimal()} == extensions,
            "lamp file": f"_2[{number % 7}]" in written,
            "due": phones.to_expire(self.settings) == (),
        }
        return _wrong(facts)

    async def _in_asterisk(self, number: int) -> str:
        """Look at what Asterisk goes by, its caches included; asking fills them for the next change."""
        auth, endpoint, hints = await asyncio.gather(
            self.asterisk("pjsip show auth acme-p10"),
            self.asterisk("pjsip show endpoint acme-p10"),
            self.asterisk("dialplan show lamps-acme"),
        )
        facts = {
            "password": set(re.findall(r"secret-\d+", auth)) == {f"secret-{number:08}"},
            "caller": set(re.findall(r"Anna \d+", endpoint)) == {f"Anna {number}"},
            "hints": set(re.findall(r"'(\d+)' =>", hints)) <= {"10", str(20 + number % 7)},
            "patterns": set(re.findall(r"'_2\[(\d)\]' =>", hints)) == {str(number % 7)},
        }
        return _wrong(facts)

    async def asterisk(self, line: str) -> str:
        """Run a line of Asterisk's command line."""
        command = asterisk.ask_command(self.settings, asterisk.private(self.root), line)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE,
                                                       stderr=asyncio.subprocess.DEVNULL)  # fmt: skip
        said, _ = await process.communicate()
        return said.decode(errors="replace")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _number(text: str) -> int:
    found = re.search(r"Anna (\d+)", text)
    return int(found[1]) if found else 0


def _wrong(facts: Mapping[str, bool]) -> str:
    return ", ".join(name for name, right in facts.items() if not right)


@pytest.fixture(scope="module")
def machine(debian_root: Path) -> Iterator[Machine]:
    """Give a running machine."""
    folder = Path(tempfile.mkdtemp(prefix="pbx", dir="/tmp"))
    machine = Machine(folder, debian_root)
    with machine.running():
        yield machine
    shutil.rmtree(folder, ignore_errors=True)


async def recorded(machine: Machine) -> list[str]:
    """Give the names of the steps of an apply, after one that nothing died in."""
    file = machine.folder / "steps"
    for _ in range(2):  # the first one replaces the example's
        assert (await machine.apply(steps=file)).code == 0
        await machine.stands(machine.number)
    return list(json.loads(file.read_text()))


async def test_the_apply_is_killed_at_any_step(machine: Machine) -> None:
    """Up to its commit it changed nothing, later the machine completes it; history names who changed.

    Where `web` was quicker to publish what is stored, an apply has fewer steps: then it lives.
    """
    steps = await recorded(machine)
    committed = steps.index(COMMIT) + 1
    authors = [await machine.author()]
    taken = machine.folder / "taken"
    for number, step in enumerate(steps, 1):
        outcome = await machine.apply(before=number, steps=taken)
        assert outcome.code in (0, -signal.SIGKILL), f"{step}: {outcome}"
        if outcome.code == 0:
            assert committed < len(json.loads(taken.read_text())) < number, f"{step}: {outcome}"
        if number > committed:
            authors.append(f"author {machine.number}")
        await machine.stands(machine.number if number > committed else machine.stored)
        assert await machine.author() == authors[-1], step
    assert (await machine.authors())[-len(authors) :] == authors


async def test_the_apply_is_killed_while_the_database_stays_silent(machine: Machine) -> None:
    """Old or new everywhere without it, within a second; what was only stored follows when it is back.

    Where `web` was quicker to publish what is stored, the apply comes to no such step: then both live.
    """
    steps, died = await recorded(machine), 0
    laid = steps.index(LAID) + 1
    for stage in STAGES[STAGES.index("file fsync in write_aside of write_plan") : STAGES.index(IN_FORCE) + 1]:
        before = next(number for number, step in enumerate(steps, 1) if step.startswith(stage))
        stored = machine.stored
        try:
            outcome = await machine.apply(before=before, silences=True)
            assert outcome.code in (0, -signal.SIGKILL), f"{stage}: {outcome}"
            if outcome.code != 0:
                died += 1
                await machine.stands(machine.number if before > laid else stored, silent=True)
        finally:
            machine.let_speak()
        await machine.stands(machine.number)
    assert died, "of all stages, most are the apply's own"


@pytest.mark.parametrize("name", ["control", "standby", "asterisk", "web", "postgres"])
async def test_a_process_is_killed_at_any_stage(machine: Machine, name: str) -> None:
    """The change is in force when it is back, or was refused and the old one is; the command says which."""
    steps = await recorded(machine)
    assert not [stage for stage in STAGES if not any(step.startswith(stage) for step in steps)], steps
    for stage in STAGES:
        before = next(number for number, step in enumerate(steps, 1) if step.startswith(stage))
        outcome = await machine.apply(before=before, kills=name)
        assert outcome.code in ((0, 3) if name == "postgres" else (0,)), f"{stage}: {outcome}"
        assert ("nothing was changed" in outcome.said) is (outcome.code == 3), f"{stage}: {outcome}"
        await machine.stands(machine.number if outcome.code == 0 else machine.stored)


async def test_control_is_killed_at_the_steps_of_its_own(machine: Machine) -> None:
    """Between the plans it swaps and its last note of what Asterisk has forgotten: the next one goes on.

    How many steps a reload has depends on what Asterisk remembers, and on who reloads first: the question of
    the apply or control's own look at the index. Where it has fewer, control lives.
    """
    await recorded(machine)  # now control knows Asterisk: a reload has all its steps
    machine.order.write_text(json.dumps({"before": 0}))
    await recorded(machine)
    steps = json.loads(machine.order.with_suffix(".seen").read_text())
    died = 0
    for number, step in enumerate(steps, 1):
        machine.order.write_text(json.dumps({"before": number}))
        outcome = await machine.apply()
        assert (outcome.code, machine.order.exists()) == (0, False), f"{step}: {outcome}\n{machine.said()}"
        died += bool(re.search("control does not (run|answer)", outcome.said))
        await machine.stands(machine.number)
    assert died, "of all steps, some were its own"
