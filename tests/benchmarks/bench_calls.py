"""What our path of a call costs beside the same call written by hand as static dialplan.

One private Asterisk with control and standby. Phones of a tenant of 500 extensions with forwarding rules,
among 1,000 tenants, call a carrier played by sipp. One side dials numbers that the bench's own copy of the
configuration leads to a static context: the same dial string, the same L() and b() handler, the same records.
The other side asks, is answered and executes the steps. Nothing else differs. Sides take turns, in pairs.

PER_S calls a second for SECONDS give the CPU time of a call (Asterisk, control and standby, not sipp) and
the time from INVITE to 180; AT_ONCE calls at a time, each followed by the next, give the rate a side holds.

Ends with one line of JSON: `cpu_ratio` (static by ours, median of pairs), `rate_ratio` (ours by static),
`static_cps`, `pbxcore_cps`, `added_p99_ms`, `cpu_ms` by side and process, and `failed` calls. PAIRS and
SECONDS in the environment make it shorter.
"""

import asyncio
import contextlib
import csv
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dialplan.build import build_plan
from dialplan.decide import decide
from dialplan.decision import Outside
from dialplan.facts import Facts, Origin, State
from dialplan.plan import Plan
from dialplan.published import Published
from dialplan.spec import TenantSpec
from pbxcore import phones, publication
from pbxcore.machine import asterisk, debian, ports, services
from pbxcore.practice import sipp
from pbxcore.published import Index
from pbxcore.settings import Settings, Trunk

CHECKOUT = Path(__file__).parents[2]
TREE = Path(os.environ.get("PBXCORE_TEST_ROOT") or CHECKOUT / "var" / "asterisk-root")
PAIRS = int(os.environ.get("PAIRS", "5"))
SECONDS = int(os.environ.get("SECONDS", "20"))  # a side
TENANTS = int(os.environ.get("TENANTS", "1000"))
EXTENSIONS = range(1_000, 1_500)  # of the tenant that calls; each other has two
PER_S = 100
AT_ONCE = 60
HELD_CALLS = 50 * SECONDS
RING_MS = 50
TALK_MS = 100
SOUND = 800  # ports of our block of 1,000 that Asterisk uses for sound; the others are sipp's
PREFIX = {"static": "+4366411", "pbxcore": "+4366422"}
START_LIMIT_S = 120.0
SIDE_LIMIT_S = 120.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
COUNTED = ("asterisk", "control", "standby")

Processes = Mapping[str, asyncio.subprocess.Process]


def tenant(name: str, area: int, extensions: range) -> Plan:
    """Return the plan of a tenant whose extensions forward, some by rules."""
    number = f"+4930{area:04}100"
    forward = {
        "rules": [{"callers": ["+4915112345678"], "always": f"extension {extensions[0]}"}],
        "busy": "number +436641110001",
        "no_answer": {"to": f"extension {extensions[-1]}", "after_s": 15},
    }
    document = {
        "version": 1, "tenant": name, "name": name, "country": "DE", "area_code": "30",
        "time_zone": "Europe/Berlin", "account": name,
        "numbers": {number: {"to": f"extension {extensions[0]}"}},
        "extensions": {
            str(one): {"name": f"Phone {one}", "devices": [f"p{one}"], "caller_id": number}
            | ({"forward": forward} if one not in {extensions[0], extensions[-1]} else {})
            for one in extensions
        },
    }  # fmt: skip
    return build_plan(TenantSpec.model_validate(document), revision=1, trunks=("carrier",))


def publish(settings: Settings) -> Plan:
    """Put all tenants in force, as the door does without a database; return the one that calls."""
    large = tenant("large", 0, EXTENSIONS)
    plans = [large, *(tenant(f"t{number:04}", number, range(10, 12)) for number in range(1, TENANTS))]
    for plan in plans:
        publication.write_plan(settings.published, plan)
        phones.publish(settings, plan)
    index = Index(revisions={plan.tenant: 1 for plan in plans}, trunks=large.trunks)
    publication.write_index(settings.published, index)
    return large


def decided(plan: Plan) -> Outside:
    """Return what our path does for the call, so that the static side does the same."""
    phone = f"large-p{EXTENSIONS[1]}"
    facts = Facts(call="m-1", linkedid="m-1", origin=Origin.PHONE, endpoint=phone, actor=phone,
                  dialled=f"{PREFIX['pbxcore']}10001")  # fmt: skip
    step = decide(Published().with_plans((plan,)), facts, State(), datetime.now(UTC)).steps[0]
    assert isinstance(step, Outside), step
    return step


def static(step: Outside, limit: int) -> str:
    """Write the call by hand: what `outside` dials, and the records of `leg` and `ended`.

    It is dialled at an extension of the same name, so that no event tells control of it either.
    """
    payer = "${CHANNEL(accountcode)}"  # a phone's own is its extension, who pays
    leg = (f"payer={payer}|why={step.why.value}|num=${{ARG1}}|limit={limit}|version=static@1|"
           f"trunk={step.trunks[0]}")  # fmt: skip
    handler = f"leg^s^1({leg}^{payer}^{step.presented}^{step.network}^{int(step.hidden)}^^^${{ARG1}})"
    outcome = '${IF($["${DIALSTATUS}" = "ANSWER"]?answered:abandoned)}'
    return f"""
[phones](+)
exten => _{PREFIX["static"]}X.,1,Gosub(static,outside,1(${{EXTEN}}))

[static]
exten => outside,1,Dial(PJSIP/${{ARG1}}@trunk-{step.trunks[0]},{step.timeout_s},ib({handler})L({limit}000))
 same => n,Hangup()
exten => h,1,Set(CHANNEL(userfield)=outcome={outcome}|by=static|version=static@1|reason=)
 same => n,CELGenUserEvent(CALL_END)
"""


@contextmanager
def prepared() -> Iterator[Settings]:
    """Give a private folder, free ports, and a carrier's address."""
    state = Path(tempfile.mkdtemp(prefix="pbxbenchcalls", dir="/tmp"))
    trunk = Trunk(name="carrier", host="127.0.0.2", port=5065)
    settings = Settings(state=state, trunks=(trunk,))
    taken = ports.take(settings)
    chosen = taken.ports.model_copy(update={"rtp_last": taken.ports.rtp_first + SOUND - 1})
    try:
        debian.ensure(TREE)
        yield settings.model_copy(
            update={"ports": chosen, "trunks": (trunk.model_copy(update={"port": chosen.carrier}),)}
        )
    finally:
        taken.release()
        if not os.environ.get("PBXCORE_KEEP"):
            shutil.rmtree(state, ignore_errors=True)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Processes]:
    """Run Asterisk, control and standby; Asterisk's copy of the configuration has the static context."""
    installation = asterisk.private(TREE)
    home = asterisk.configure(settings, installation)
    step = decided(publish(settings))
    with (home / "etc" / "extensions.conf").open("a") as extensions:
        extensions.write(static(step, step.limit_s or settings.max_call_s))
    commands = {"asterisk": asterisk.start_command(settings, installation)} | {
        name: (sys.executable, "-m", "pbxcore.machine.serving", name) for name in ("control", "standby")
    }
    found: dict[str, asyncio.subprocess.Process] = {}
    try:
        for name, command in commands.items():
            with (settings.state / f"{name}.out").open("wb") as out:
                found[name] = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                    env={**os.environ, **services.environment(settings)},
                )  # fmt: skip
        await ready(settings)
        yield found
    finally:
        for process in reversed(found.values()):
            await end(process)


async def ready(settings: Settings) -> None:
    """Wait until control and standby decide and Asterisk follows every phone."""
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            if await deciding(settings) and not phones.counts(settings).unfollowed:
                return
            await asyncio.sleep(0.2)


async def deciding(settings: Settings) -> bool:
    """Tell whether control and standby decide, and control hears Asterisk."""
    said = []
    for name in ("control", "standby"):
        with contextlib.suppress(OSError):
            said.append(await publication.ask(settings.run_dir / f"{name}.sock", {"do": "status"}))
    return len(said) == 2 and all(one["ok"] for one in said) and said[0]["asterisk"] == "up"


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process of ours, however it is."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def cpu_s(processes: Processes) -> dict[str, float]:
    """Return the CPU time of each process with all its threads and the children it has waited for."""
    spent = {}
    for name in COUNTED:
        fields = Path(f"/proc/{processes[name].pid}/stat").read_text().rpartition(")")[2].split()
        spent[name] = sum(int(field) for field in fields[11:15]) * TICK_S
    return spent


def command(settings: Settings, port: int, media: int, host: str = "127.0.0.1") -> list[str]:
    """Return how sipp is started at a port of ours, without a log of messages: that is megabytes."""
    program = debian.command(TREE, "sipp")
    first = settings.ports.rtp_first + SOUND
    words = sipp.words(program, local=(host, port), calls=0, media=(first + media, first + media + 20))
    return [word for word in words if word != "-trace_msg"]


@asynccontextmanager
async def carrier(settings: Settings) -> AsyncIterator[None]:
    """Let the carrier take every call; it has to be there when Asterisk first asks whether it is."""
    words = command(settings, settings.ports.carrier, 0, settings.trunks[0].host)
    run = await sipp.start(words, sipp.answering(ring_ms=RING_MS))
    try:
        yield
    finally:
        await run.end()


def calling() -> str:
    """Return the scenario of a call that notes the time from its first INVITE to 180.

    A phone takes a refusal as an end like any other; here a call that is not answered has failed.
    """
    scenario = sipp.calling("[field2]", user="[field0]", password="[field1]", talk_ms=TALK_MS)
    scenario = re.sub(r' *<recv response="\[0-9\]\*".*\n', "", scenario)
    scenario = re.sub(r'(<recv response="(?:401|200)") optional="true"(.* next="(?:challenged|answered)"/>)\n'
                      r"(?= *\n)", r"\1\2\n", scenario)  # fmt: skip
    ringing = '<recv response="180" optional="true"'
    timed = scenario.replace('<send retrans="500">', '<send retrans="500" start_rtd="1">', 1)
    return timed.replace(ringing, f'{ringing} rtd="1"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a side did in one run.

    Attributes:
        calls: how many went well.
        failed: how many did not.
        took_s: from the start of sipp to the end of the last call.
        cpu_ms: CPU time of a call by process.
        ringing_ms: from INVITE to 180, each call.
    """

    calls: int
    failed: int
    took_s: float
    cpu_ms: Mapping[str, float]
    ringing_ms: Sequence[float]

    @property
    def p99_ms(self) -> float:
        """The 99th percentile from INVITE to 180."""
        return statistics.quantiles(self.ringing_ms, n=100)[-1]


async def play(
    settings: Settings, processes: Processes, side: str, *, calls: int, pace: Sequence[str]
) -> Side:
    """Let phones call, one after the other, at a pace."""
    lines = [
        f"large-p{one};{phones.password_of(settings, f'large-p{one}')};{PREFIX[side]}1{one}\n"
        for one in EXTENSIONS
    ]
    users = settings.state / f"{side}.csv"
    users.write_text("SEQUENTIAL\n" + "".join(lines))
    remote = f"{settings.bind}:{settings.ports.sip}"
    words = [*command(settings, settings.ports.rtp_first + SOUND + 60, 80), "-m", str(calls), *pace,
             "-inf", str(users), "-trace_stat", "-stf", "stats.csv", "-fd", "1",
             "-trace_rtt", "-rtt_freq", "1", "-timeout", f"{int(SIDE_LIMIT_S)}s", remote]  # fmt: skip
    before, began = cpu_s(processes), time.perf_counter()
    run = await sipp.start(words, calling(), limit_s=SIDE_LIMIT_S + 10)
    try:
        async with asyncio.timeout(run.limit_s):
            code = await run.process.wait()
        if code not in {0, 1}:  # 1: some calls failed, which is counted
            raise sipp.SippError((run.folder / "screen.log").read_text(errors="replace")[-2_000:], code)
        took_s, after = time.perf_counter() - began, cpu_s(processes)
        well, failed = counted(run.folder / "stats.csv")
        cpu_ms = {name: (after[name] - before[name]) * 1e3 / max(well, 1) for name in COUNTED}
        return Side(calls=well, failed=failed, took_s=took_s, cpu_ms=cpu_ms, ringing_ms=ringing(run.folder))
    finally:
        await run.end()


def counted(path: Path) -> tuple[int, int]:
    """Return how many calls went well and how many did not, by sipp's own count."""
    rows = list(csv.reader(path.read_text().splitlines(), delimiter=";"))
    last = dict(zip(rows[0], rows[-1], strict=False))
    return int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])


def ringing(folder: Path) -> list[float]:
    """Return sipp's times from INVITE to 180, in ms."""
    (path,) = folder.glob("*_rtt.csv")
    rows = csv.reader(path.read_text().splitlines()[1:], delimiter=";")
    return [float(row[1]) for row in rows]


async def measure(settings: Settings, processes: Processes) -> dict[str, object]:
    """Play all pairs; each begins with the other side."""
    steady, held = ["-r", str(PER_S)], ["-r", "1000", "-l", str(AT_ONCE)]
    for side in PREFIX:  # Asterisk's caches are warm afterwards
        await play(settings, processes, side, calls=len(EXTENSIONS), pace=steady)
    paced: dict[str, list[Side]] = {side: [] for side in PREFIX}
    fast: dict[str, list[Side]] = {side: [] for side in PREFIX}
    for turn in range(PAIRS):
        for side in sorted(PREFIX, reverse=turn % 2 == 1):
            paced[side].append(await play(settings, processes, side, calls=PER_S * SECONDS, pace=steady))
            fast[side].append(await play(settings, processes, side, calls=HELD_CALLS, pace=held))
            tell(side, paced[side][-1], fast[side][-1])
    return summary(paced, fast)


def tell(side: str, paced: Side, fast: Side) -> None:
    """Say what one turn gave."""
    cpu = {name: round(ms, 2) for name, ms in paced.cpu_ms.items()}
    ms, per_s, load = statistics.median(paced.ringing_ms), fast.calls / fast.took_s, os.getloadavg()[0]
    say(f"{side}: {paced.calls} calls, {paced.failed} failed, CPU ms {cpu}, 180 after {ms:.0f} ms, "
        f"p99 {paced.p99_ms:.0f}; holds {per_s:.0f}/s, {fast.failed} failed; load {load:.1f}")  # fmt: skip


def summary(paced: Mapping[str, Sequence[Side]], fast: Mapping[str, Sequence[Side]]) -> dict[str, object]:
    """Return the line of JSON: each ratio is the median of the pairs' ratios."""
    cpu = {side: [sum(one.cpu_ms.values()) for one in runs] for side, runs in paced.items()}
    cps = {side: [one.calls / one.took_s for one in runs] for side, runs in fast.items()}
    p99 = {side: [one.p99_ms for one in runs] for side, runs in paced.items()}
    return {
        "cpu_ratio": round(middle(a / b for a, b in zip(cpu["static"], cpu["pbxcore"], strict=True)), 3),
        "rate_ratio": round(middle(b / a for a, b in zip(cps["static"], cps["pbxcore"], strict=True)), 3),
        "static_cps": round(middle(cps["static"])),
        "pbxcore_cps": round(middle(cps["pbxcore"])),
        "added_p99_ms": round(middle(b - a for a, b in zip(p99["static"], p99["pbxcore"], strict=True)), 1),
        "cpu_ms": {
            side: {name: round(middle(one.cpu_ms[name] for one in runs), 2) for name in COUNTED}
            for side, runs in paced.items()
        },
        "failed": sum(one.failed for runs in (*paced.values(), *fast.values()) for one in runs),
    }


def middle(values: Iterator[float] | Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


async def main() -> None:
    """Measure and print the figures."""
    with prepared() as settings:
        async with carrier(settings), running(settings) as processes:
            say(f"{TENANTS} tenants, load {os.getloadavg()[0]:.1f}")
            line = await measure(settings, processes)
    print(json.dumps(line))  # noqa: T201 — the line


def say(line: str) -> None:
    """Tell how it goes."""
    print(line, flush=True)  # noqa: T201 — what a benchmark is for


if __name__ == "__main__":
    asyncio.run(main())
