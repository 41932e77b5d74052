"""How long a changed tenant takes to be in force everywhere, among a hundred tenants and among a thousand.

Two whole machines as `pbxcore run` starts them, in private folders on free ports. Each tenant has an account
of its own, twenty extensions with a phone each and twenty numbers. All phones register first, so that
Asterisk's caches are warm; then calls and registrations of some tenants run steadily on both machines while
others are changed, one after the other, now here, now there: another language (every endpoint) and one phone
more or less (its rows, its lamp, its pattern). What is measured is the time from the moment in which the door
has stored the revision until control, standby and Asterisk's phones and lamps have acknowledged it.

The large machine begins with a hundred tenants and gets the others through the door in one go; then it is
stopped, and its second start is timed. FEW, MANY and CHANGES in the environment make all of it shorter.

Ends with one line of JSON: `apply_ms_100`, `apply_ms_1000` (medians, with `_p95`), `ratio`, `accept_ms_*`
(what the door takes before: reading, checking, storing), `start_s` (from `pbxcore run` to a phone that
registers and a call that is answered), `failed_calls`, `failed_registrations`, `kb_per_tenant` by process.
"""

import asyncio
import csv
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pbxcore import door, phones
from pbxcore.machine import debian
from pbxcore.machine.running import settings_of_running
from pbxcore.machine.start import phone_command
from pbxcore.practice import sipp
from pbxcore.settings import Settings
from pbxcore.status import status

CHECKOUT = Path(__file__).parents[2]
TREE = Path(os.environ.get("PBXCORE_TEST_ROOT") or CHECKOUT / "var" / "asterisk-root")
FEW, MANY = int(os.environ.get("FEW", "100")), int(os.environ.get("MANY", "1000"))
EXTENSIONS = range(10, 30)
CHANGES = int(os.environ.get("CHANGES", "60"))  # of each size
WATCHED = 40  # tenants whose phones call and register; others are changed
CALLS_PER_S = 5
REGISTRATIONS_PER_S = 40
WARMING_PER_S = 250
TALK_MS = 1_000
CALLEE, CALLER, REGISTRAR = 900, 920, 940  # our ports, behind those of Asterisk's sound
RING_MS = 50
START_LIMIT_S = 300.0
ERRORS_SHOWN = 40  # lines of sipp's about what failed
STREAM_LIMIT_S = 600.0
PAUSE_S = 0.5  # between changes
STEADY_S = 500  # longer than the changes take; they end it
NO_MORE = signal.SIGUSR1  # tells sipp to begin nothing new

Phones = Sequence[tuple[str, str, str]]  # user, password, number to call


def name_of(number: int) -> str:
    """Name a tenant."""
    return f"t{number:04}"


def tenant(number: int, *, language: str = "de", extra: bool = False) -> str:
    """Return a tenant's document."""
    numbers = {f"+4930{number:04}1{one}": f"extension {one}" for one in EXTENSIONS}
    extensions = {
        str(one): {"name": f"Phone {one}", "devices": [f"p{one}"], "caller_id": f"+4930{number:04}1{one}"}
        for one in (*EXTENSIONS, *([30] if extra else []))
    }
    if extra:
        extensions["30"]["caller_id"] = f"+4930{number:04}110"
    head = {"version": 1, "tenant": name_of(number), "name": f"Tenant {number}", "country": "DE",
            "area_code": "30", "time_zone": "Europe/Berlin", "language": language,
            "account": name_of(number)}  # fmt: skip
    return json.dumps(
        {**head, "numbers": {n: {"to": to} for n, to in numbers.items()}, "extensions": extensions}
    )


def account(number: int) -> str:
    """Return its account's document."""
    return json.dumps(
        {"version": 1, "account": name_of(number), "name": f"Account {number}", "catalogue": "autphone",
         "country": "DE", "time_zone": "Europe/Berlin",
         "bundles": [{"bundle": "dach", "size": "S", "from": "2026-01-01"}]}
    )  # fmt: skip


def write_documents(config: Path, numbers: range) -> None:
    """Lay documents of tenants and accounts into a configuration folder."""
    for kind, document in (("accounts", account), ("tenants", tenant)):
        (config / kind).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (config / kind / f"{name_of(number)}.yaml").write_text(document(number))


@contextmanager
def folder() -> Iterator[Path]:
    """Give a private folder: its state uses the unpacked Asterisk, its configuration our prices."""
    path = Path(tempfile.mkdtemp(prefix="pbxreload", dir="/tmp"))
    try:
        debian.ensure(TREE)
        (path / "state").mkdir()
        (path / "state" / "asterisk-root").symlink_to(TREE.absolute())
        shutil.copytree(CHECKOUT / "config" / "catalogues", path / "config" / "catalogues")
        shutil.copytree(CHECKOUT / "config" / "destinations", path / "config" / "destinations")
        shutil.copy(CHECKOUT / "config" / "service.yaml", path / "config")
        yield path
    finally:
        if not os.environ.get("PBXCORE_KEEP"):
            shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Settings]:
    """Run the machine of a folder as a user does."""
    os.environ |= {"PBXCORE_STATE": str(path / "state"), "PBXCORE_CONFIG": str(path / "config")}
    ready = path / "ready.json"
    ready.unlink(missing_ok=True)
    with (path / "run.log").open("ab") as log:
        command = (sys.executable, "-m", "pbxcore", "run", "--ready-file", str(ready), "--no-follow")
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while not ready.exists():
                assert process.returncode is None, (path / "run.log").read_text()[-2_000:]
                await asyncio.sleep(0.02)
        yield settings_of_running()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


@dataclass(slots=True)
class Stream:
    """A scenario that sipp plays again and again, with one phone after the other.

    Attributes:
        run: the running sipp.
        well: how many went well; known when it has ended.
        failed: how many did not.
    """

    run: sipp.Run
    well: int = 0
    failed: int = 0

    async def end(self, how: int = 0) -> None:
        """Wait for its end, or let it begin nothing new, and count."""
        if how and self.run.process.returncode is None:
            self.run.process.send_signal(how)
        async with asyncio.timeout(self.run.limit_s):
            await self.run.process.wait()
        rows = list(csv.reader((self.run.folder / "stats.csv").read_text().splitlines(), delimiter=";"))
        last = dict(zip(rows[0], rows[-1], strict=False))
        self.well, self.failed = int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])
        if self.failed:
            errors = self.run.folder / "errors.log"
            said = errors.read_text(errors="replace").splitlines() if errors.exists() else []
            say(f"{self.failed} failed; sipp says: " + " ⏎ ".join(said[:ERRORS_SHOWN]))


@asynccontextmanager
async def playing(
    settings: Settings, scenario: str, users: Phones, *, port: int, per_s: int = 0, times: int = 0
) -> AsyncIterator[Stream]:
    """Play a scenario; without `per_s` it waits to be called."""
    first = settings.ports.rtp_first
    command = sipp.words(
        phone_command(settings, "sipp"),
        local=("127.0.0.1", first + port),
        remote=(settings.bind, settings.ports.sip) if per_s else None,
        calls=times,
        media=(first + port + 2, first + port + 18),
        limit_s=STREAM_LIMIT_S,
    )
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as list_of:
        list_of.write("SEQUENTIAL\n" + "".join(";".join(user) + "\n" for user in users))
        list_of.flush()
        more = ("-inf", list_of.name, "-r", str(per_s)) if per_s else ()
        counting = ("-trace_stat", "-stf", "stats.csv", "-fd", "1")
        quiet = [word for word in command if word != "-trace_msg"]  # megabytes
        run = await sipp.start([*quiet, *more, *counting], scenario, limit_s=STREAM_LIMIT_S)
        try:
            yield Stream(run)
        finally:
            await run.end()


def all_phones(settings: Settings, tenants: range) -> Phones:
    """Return the phones of tenants; each may call the next one of its tenant."""
    users = []
    for number in tenants:
        for one in EXTENSIONS:
            user = f"{name_of(number)}-p{one}"
            users.append((user, phones.password_of(settings, user), str(one + 1)))
    return users


def registering() -> str:
    """Return the scenario of a registration that stands for an hour."""
    return sipp.fill("register.xml", {"USER": "[field0]", "PASSWORD": "[field1]", "EXPIRES": "3600"})


async def register(settings: Settings, users: Phones, *, port: int) -> int:
    """Register phones once, at a port; return how many failed."""
    async with playing(
        settings, registering(), users, port=port, per_s=WARMING_PER_S, times=len(users)
    ) as registrations:
        await registrations.end()
    return registrations.failed


def calling() -> str:
    """Return the scenario of a call."""
    return sipp.calling("[field2]", user="[field0]", password="[field1]", talk_ms=TALK_MS)


def memory_kb(path: Path) -> Mapping[str, int]:
    """Return what control, standby and Asterisk hold in memory, in KB."""
    processes = json.loads((path / "state" / "machine.json").read_text())["processes"]
    found = {}
    for name in ("control", "standby", "asterisk"):
        lines = Path(f"/proc/{processes[name][0]}/smaps_rollup").read_text().splitlines()
        found[name] = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found


@dataclass(slots=True, kw_only=True)
class Machine:
    """A running machine, and what was measured on it."""

    settings: Settings
    path: Path
    tenants: int
    accept_ms: list[float] = field(default_factory=list)
    apply_ms: list[float] = field(default_factory=list)
    failed_calls: int = 0
    failed_registrations: int = 0
    memory_kb: Mapping[str, int] = field(default_factory=dict)

    async def change(self, turn: int) -> None:
        """Change one tenant; note how long the door and all others took."""
        extra = turn % 2 == 0
        document = self.path / "change.yaml"
        document.write_text(tenant(WATCHED + turn // 2, language="en" if extra else "de", extra=extra))
        began = time.perf_counter()
        applied = await door.apply(self.settings, [document], author="bench")
        whole_ms = (time.perf_counter() - began) * 1e3
        assert applied.changes, applied
        assert applied.changes[0].changed, applied
        assert all(one.done for one in applied.published[0].acknowledged), applied.published
        self.accept_ms.append(whole_ms - applied.in_force_ms)
        self.apply_ms.append(applied.in_force_ms)


async def until_acknowledged(settings: Settings) -> None:
    """Wait until every process and Asterisk go by the newest revisions."""
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            found = await status(settings)
            behind = [one.name for one in found.processes if one.behind or not one.alive]
            if not behind and not found.asterisk.unexpired:
                return
            await asyncio.sleep(0.5)


async def warm(machine: Machine) -> None:
    """Register all phones, and wait until Asterisk follows them."""
    settings = machine.settings
    watched, others = (
        all_phones(settings, range(WATCHED)),
        all_phones(settings, range(WATCHED, machine.tenants)),
    )
    machine.failed_registrations += await register(settings, others, port=REGISTRAR)
    machine.failed_registrations += await register(settings, watched, port=CALLEE)
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            await asyncio.sleep(0.5)
            if not phones.counts(settings).unfollowed:
                return


@asynccontextmanager
async def busy(machine: Machine) -> AsyncIterator[None]:
    """Let phones call and register steadily; count what fails."""
    settings = machine.settings
    callers = [user for user in all_phones(settings, range(WATCHED)) if int(user[2]) in EXTENSIONS]
    others = all_phones(settings, range(WATCHED, machine.tenants))
    async with (
        playing(settings, sipp.answering(ring_ms=RING_MS), (), port=CALLEE),
        playing(
            settings, calling(), callers, port=CALLER, per_s=CALLS_PER_S, times=STEADY_S * CALLS_PER_S
        ) as calls,
        playing(
            settings, registering(), others, port=REGISTRAR, per_s=REGISTRATIONS_PER_S,
            times=STEADY_S * REGISTRATIONS_PER_S,
        ) as registrations,
    ):  # fmt: skip
        yield
        for running_stream in (calls, registrations):
            assert running_stream.run.process.returncode is None, "it ended before the changes"
            await running_stream.end(NO_MORE)
    machine.failed_calls += calls.failed
    machine.failed_registrations += registrations.failed
    machine.memory_kb = memory_kb(machine.path)
    say(f"{machine.tenants} tenants: beside, {calls.well} calls and {registrations.well} registrations "
        f"went well, {calls.failed} and {registrations.failed} failed")  # fmt: skip
    say(f"accepted after ms {[round(one) for one in machine.accept_ms]}")
    say(f"in force after ms {[round(one) for one in machine.apply_ms]}")


async def measure(few: Machine, many: Machine) -> None:
    """Change tenants one after the other, at a pace at which people might, on both machines in turn."""
    await warm(few)
    await warm(many)
    say(f"load {os.getloadavg()[0]:.1f} before the changes")
    async with busy(few), busy(many):
        for turn in range(CHANGES):
            for machine in (few, many):
                await asyncio.sleep(PAUSE_S)
                await machine.change(turn)
    say(f"load {os.getloadavg()[0]:.1f} after them")


async def first_call(settings: Settings) -> None:
    """Register two phones and let one call the other."""
    users = all_phones(settings, range(1))[:2]
    assert await register(settings, users, port=CALLEE) == 0
    async with (
        playing(settings, sipp.answering(ring_ms=RING_MS), (), port=CALLEE),
        playing(settings, calling(), users[:1], port=CALLER, per_s=1, times=1) as call,
    ):
        await call.end()
        assert (call.well, call.failed) == (1, 0)


async def grow(path: Path) -> None:
    """Start a machine with few tenants and give it the others in one go."""
    write_documents(path / "config", range(FEW))
    async with running(path) as settings:
        write_documents(path / "config", range(FEW, MANY))
        began = time.perf_counter()
        applied = await door.apply(settings, [path / "config"], author="bench")
        stored_s = time.perf_counter() - began - applied.in_force_ms / 1e3
        assert not applied.findings, applied.findings[:3]
        await until_acknowledged(settings)
        say(f"{MANY - FEW} tenants more in one go: stored after {stored_s:.1f} s, published after "
            f"{stored_s + applied.in_force_ms / 1e3:.1f} s, acknowledged by all after "
            f"{time.perf_counter() - began:.1f} s")  # fmt: skip


async def main() -> None:
    """Measure both sizes and print the figures."""
    with folder() as few_path, folder() as many_path:
        await grow(many_path)
        began = time.perf_counter()
        async with running(many_path) as many_settings:
            ready_s = time.perf_counter() - began
            await first_call(many_settings)
            start_s = time.perf_counter() - began
            say(f"ready after {ready_s:.1f} s, first call done after {start_s:.1f} s")
            write_documents(few_path / "config", range(FEW))
            async with running(few_path) as few_settings:
                few = Machine(settings=few_settings, path=few_path, tenants=FEW)
                many = Machine(settings=many_settings, path=many_path, tenants=MANY)
                await measure(few, many)
    print(json.dumps(summary(few, many, start_s)))  # noqa: T201 — the line


def summary(few: Machine, many: Machine, start_s: float) -> dict[str, object]:
    """Return the line of JSON."""
    apply_few, apply_many = statistics.median(few.apply_ms), statistics.median(many.apply_ms)
    grown = {name: many.memory_kb[name] - few.memory_kb[name] for name in many.memory_kb}
    return {
        "apply_ms_100": round(apply_few, 1),
        "apply_ms_100_p95": round(statistics.quantiles(few.apply_ms, n=20)[-1], 1),
        "apply_ms_1000": round(apply_many, 1),
        "apply_ms_1000_p95": round(statistics.quantiles(many.apply_ms, n=20)[-1], 1),
        "ratio": round(apply_many / apply_few, 2),
        "accept_ms_100": round(statistics.median(few.accept_ms), 1),
        "accept_ms_1000": round(statistics.median(many.accept_ms), 1),
        "start_s": round(start_s, 1),
        "failed_calls": few.failed_calls + many.failed_calls,
        "failed_registrations": few.failed_registrations + many.failed_registrations,
        "kb_per_tenant": {name: round(kb / (MANY - FEW)) for name, kb in grown.items()},
    }


def say(line: str) -> None:
    """Tell how it goes."""
    print(line, flush=True)  # noqa: T201 — what a benchmark is for


if __name__ == "__main__":
    asyncio.run(main())
