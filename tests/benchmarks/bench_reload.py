"""How long a changed tenant takes to be in force everywhere, among a hundred tenants and among a thousand.

A whole machine as `pbxcore run` starts it, in a private folder on free ports. Each tenant has an account of
its own, twenty extensions with a phone each and twenty numbers. All phones register first, so that Asterisk's
caches are warm; then calls and registrations of some tenants run steadily while others are changed, one after
the other: another language (every endpoint) and one phone more or less (its rows, its lamp, its pattern).
From the moment in which the door has stored the revision until control, standby and Asterisk's phones and
lamps have acknowledged it, is what is measured. The same machine then gets nine hundred tenants more through
the door in one go, is stopped and started again, and measured once more.

Ends with one line of JSON: `apply_ms_100`, `apply_ms_1000` (medians, with `_p95`), `ratio`, `accept_ms_1000`
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
from dataclasses import dataclass
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
SOUND = 800
RING_MS = 50
START_LIMIT_S = 300.0
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


async def change(settings: Settings, path: Path, number: int, *, extra: bool) -> tuple[float, float]:
    """Change one tenant; return milliseconds until it was accepted, and from then until it was in force."""
    document = path / "change.yaml"
    document.write_text(tenant(number, language="en" if extra else "de", extra=extra))
    began = time.perf_counter()
    applied = await door.apply(settings, [document], author="bench")
    whole_ms = (time.perf_counter() - began) * 1e3
    assert applied.changes, applied
    assert applied.changes[0].changed, applied
    (published,) = applied.published
    assert all(one.done for one in published.acknowledged), published
    return whole_ms - applied.in_force_ms, applied.in_force_ms


def memory_kb(path: Path) -> Mapping[str, int]:
    """Return what control, standby and Asterisk hold in memory, in KB."""
    processes = json.loads((path / "state" / "machine.json").read_text())["processes"]
    found = {}
    for name in ("control", "standby", "asterisk"):
        lines = Path(f"/proc/{processes[name][0]}/smaps_rollup").read_text().splitlines()
        found[name] = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured among so many tenants."""

    accept_ms: list[float]
    apply_ms: list[float]
    failed_calls: int
    failed_registrations: int
    memory_kb: Mapping[str, int]


async def until_acknowledged(settings: Settings) -> None:
    """Wait until every process and Asterisk go by the newest revisions."""
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            found = await status(settings)
            behind = [one.name for one in found.processes if one.behind or not one.alive]
            if not behind and not found.asterisk.unexpired:
                return
            await asyncio.sleep(0.5)


async def changes(settings: Settings, path: Path) -> list[tuple[float, float]]:
    """Change tenants one after the other, at a pace at which people might."""
    took = []
    for turn in range(CHANGES):
        await asyncio.sleep(PAUSE_S)
        took.append(await change(settings, path, WATCHED + turn // 2, extra=turn % 2 == 0))
    return took


async def measure(settings: Settings, path: Path, tenants: int) -> Measured:
    """Register all phones, then change tenants while others call and register."""
    watched, others = all_phones(settings, range(WATCHED)), all_phones(settings, range(WATCHED, tenants))
    failed = await register(settings, others, port=REGISTRAR)
    failed += await register(settings, watched, port=CALLEE)
    callers = [user for user in watched if int(user[2]) in EXTENSIONS]
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
        took = await changes(settings, path)
        assert calls.run.process.returncode is None, "the calls ended before the changes"
        assert registrations.run.process.returncode is None, "the registrations ended before the changes"
        await calls.end(NO_MORE)
        await registrations.end(NO_MORE)
    accept_ms, apply_ms = [accept for accept, _ in took], [apply for _, apply in took]
    say(f"{tenants} tenants, load {os.getloadavg()[0]:.1f}; beside, {calls.well} calls and "
        f"{registrations.well} registrations went well, {calls.failed} and {registrations.failed} failed, "
        f"and {failed} while warming")  # fmt: skip
    say(f"accepted after ms {[round(one) for one in accept_ms]}")
    say(f"in force after ms {[round(one) for one in apply_ms]}")
    return Measured(
        accept_ms=accept_ms,
        apply_ms=apply_ms,
        failed_calls=calls.failed,
        failed_registrations=failed + registrations.failed,
        memory_kb=memory_kb(path),
    )


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


async def main() -> None:
    """Measure both sizes and print the figures."""
    with folder() as path:
        write_documents(path / "config", range(FEW))
        async with running(path) as settings:
            few = await measure(settings, path, FEW)
            write_documents(path / "config", range(FEW, MANY))
            began = time.perf_counter()
            applied = await door.apply(settings, [path / "config"], author="bench")
            stored_s = time.perf_counter() - began - applied.in_force_ms / 1e3
            assert not applied.findings, applied.findings[:3]
            await until_acknowledged(settings)
            say(f"{MANY - FEW} tenants more in one go: stored after {stored_s:.1f} s, published after "
                f"{stored_s + applied.in_force_ms / 1e3:.1f} s, acknowledged by all after "
                f"{time.perf_counter() - began:.1f} s")  # fmt: skip
        began = time.perf_counter()
        async with running(path) as settings:
            ready_s = time.perf_counter() - began
            await first_call(settings)
            start_s = time.perf_counter() - began
            say(f"ready after {ready_s:.1f} s, first call done after {start_s:.1f} s")
            many = await measure(settings, path, MANY)
    print(json.dumps(summary(few, many, start_s)))  # noqa: T201 — the line


def summary(few: Measured, many: Measured, start_s: float) -> dict[str, object]:
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
