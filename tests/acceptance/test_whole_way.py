"""The whole way, as a user walks it: `run`, real calls, `demo`, `apply`, `rated`, and kill -9."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pbxcore import phones
from pbxcore.machine import debian
from pbxcore.practice import sipp
from pbxcore.settings import Settings

CHECKOUT = Path(__file__).parents[2]
START_LIMIT_S = 120.0
SEEN_LIMIT_S = 60.0
TEMPORARY, OWN = "+493055500100", "+493022200100"
MOBILE = "+436641234567"


@dataclass(slots=True)
class Machine:
    """A `pbxcore run` with a state and a copy of the configuration of its own."""

    folder: Path
    root: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What tells every command which machine is meant."""
        return {
            **os.environ,
            "PBXCORE_STATE": str(self.folder / "state"),
            "PBXCORE_CONFIG": str(self.folder / "config"),
            "PBXCORE_ASTERISK": "private",
        }

    def start(self) -> None:
        """Start it and wait until it is up."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pbxcore", "run", "--no-follow", "--ready-file", str(ready)],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not ready.exists():
            assert self.process.poll() is None, (self.folder / "output").read_text()
            assert time.monotonic() < deadline, (self.folder / "output").read_text()
            time.sleep(0.05)

    def end(self, how: int) -> None:
        """Send a signal and wait for the end."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(60)

    @property
    def running(self) -> dict[str, Any]:
        """What it wrote down for other commands."""
        return dict(json.loads((self.folder / "state" / "machine.json").read_text()))

    def pid(self, name: str) -> int:
        """Process id of one of its processes."""
        return int(self.running["processes"][name][0])

    def say(self, *words: str) -> tuple[int, Any]:
        """Run a command with --json; return its exit code and what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "pbxcore", *words, "--json"],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode in {0, 1}, done.stderr
        lines = done.stdout.splitlines()
        return done.returncode, [json.loads(x) for x in lines] if words[0] == "rated" else json.loads(
            done.stdout
        )

    def rated(self) -> list[dict[str, Any]]:
        """Every rated leg so far."""
        found: list[dict[str, Any]] = self.say("rated")[1]
        return found

    @property
    def carrier(self) -> sipp.SippCarrier:
        """The losing carrier."""
        there = self.running
        return sipp.SippCarrier(
            program=debian.command(self.root, "sipp"),
            server=(there["bind"], there["ports"]["sip"]),
            address="127.0.0.2",
            port=there["ports"]["carrier"],
        )


@pytest.fixture(scope="module")
def machine(debian_root: Path) -> Iterator[Machine]:
    """Give a running machine whose example tenant is always open and whose group rings shortly."""
    folder = Path(tempfile.mkdtemp(prefix="pbx", dir="/tmp"))
    (folder / "state").mkdir()
    (folder / "state" / "asterisk-root").symlink_to(debian_root)
    shutil.copytree(CHECKOUT / "config", folder / "config")
    example = folder / "config" / "tenants" / "acme.yaml"
    text = example.read_text().replace("Mon-Fri 08:00-18:00", "Mon-Sun 00:00-24:00")
    example.write_text(text.replace("timeout_s: 12", "timeout_s: 5"))
    machine = Machine(folder, debian_root)
    machine.start()
    yield machine
    machine.end(signal.SIGINT)
    shutil.rmtree(folder)


async def until(seen: Callable[[], bool]) -> None:
    """Wait for something that happens in another process."""
    deadline = time.monotonic() + SEEN_LIMIT_S
    while not seen():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.1)


async def call_in(machine: Machine, port: int, talk_ms: int) -> sipp.Run:
    """Let a caller from outside call the example tenant; nobody is registered, so the group forwards."""
    return await machine.carrier.call(TEMPORARY, port=port, talk_ms=talk_ms)


def spoken_us(messages: tuple[sipp.SipMessage, ...]) -> int:
    """From answer to hangup by the caller's own messages."""
    answered = sipp.first(messages, "INVITE", status=200).at
    ended = sipp.first(messages, "BYE").at
    return round((ended - answered) * 1_000_000)


def test_the_story_is_told_and_true(machine: Machine) -> None:
    """`pbxcore demo` exits 0: one leg, six seconds from the bundle and four of overflow, 0.012667 EUR."""
    code, told = machine.say("demo")
    assert (code, told["problems"]) == (0, [])
    (leg,) = told["story"]["rated"]
    assert [(p["source"], p["seconds"]) for p in leg["pieces"]] == [("allowance", 6), ("overflow", 4)]
    assert leg["amount_micro"] == 12_667
    code, tenants = machine.say("tenants")
    assert (code, [one["id"] for one in tenants]) == (0, ["acme"]), "it leaves nobody behind"


async def test_a_forwarded_call_is_one_rated_leg(
    machine: Machine, free_ports: Callable[[int], list[int]]
) -> None:
    """Payer, zone, seconds and the started minute from the bundle, once."""
    before = machine.rated()
    messages = await (await call_in(machine, free_ports(1)[0], talk_ms=1_500)).wait()
    await until(lambda: len(machine.rated()) > len(before))
    (leg,) = machine.rated()[len(before) :]
    assert (leg["payer"], leg["account"], leg["why"]) == ("acme/60", "acme", "forward")
    assert (leg["country"], leg["kind"], leg["zone"]) == ("AT", "mobile", "AT-CH")
    assert abs(leg["duration_us"] - spoken_us(messages)) < 1_000_000
    assert leg["billable_s"] == 60
    assert leg["amount"] == "0.000000"


async def test_a_forward_by_star_code_is_rated_to_who_forwards(
    machine: Machine, free_ports: Callable[[int], list[int]]
) -> None:
    """Bruno dials *72 and a mobile: the next call to him goes there and is his leg; *73 ends it."""
    port, *more = free_ports(3)
    there = machine.running
    bruno = sipp.SippPhone(
        program=debian.command(machine.root, "sipp"),
        user="acme-p11",
        password=phones.password_of(Settings(state=machine.folder / "state"), "acme-p11"),
        server=(there["bind"], there["ports"]["sip"]),
        local=("127.0.0.1", port),
    )
    await bruno.register()
    await (await bruno.call("*72004366412345678", talk_ms=6_000)).wait()
    before = len(machine.rated())
    messages = await (await machine.carrier.call("+493055500111", port=more[0], talk_ms=1_500)).wait()
    await until(lambda: len(machine.rated()) > before)
    (leg,) = machine.rated()[before:]
    assert (leg["payer"], leg["account"], leg["why"]) == ("acme/11", "acme", "forward")
    assert leg["number"].startswith("+43664")
    assert abs(leg["duration_us"] - spoken_us(messages)) < 1_000_000
    assert [one["kind"] for one in machine.say("switches", "acme")[1]] == ["forward-always"]
    await (await bruno.call("*73", talk_ms=6_000)).wait()
    assert machine.say("switches", "acme")[1] == []


async def test_a_change_leaves_calls_alone(machine: Machine, free_ports: Callable[[int], list[int]]) -> None:
    """Applied in mid-call: the call goes on as decided, the next one is decided by the new revision."""
    document = machine.folder / "config" / "tenants" / "acme.yaml"
    before = len(machine.rated())
    call = await call_in(machine, free_ports(1)[0], talk_ms=3_000)
    await call.until(status=200)
    document.write_text(document.read_text().replace("then: group sales", "then: voicemail 10"))
    code, applied = machine.say("apply", str(document))
    assert code == 0
    assert [(c["id"], c["changed"]) for c in applied["changes"]] == [("acme", True)]
    assert all(one["done"] for one in applied["published"][0]["acknowledged"])
    assert spoken_us(await call.wait()) == pytest.approx(3_000_000, abs=1_000_000)
    await until(lambda: len(machine.rated()) > before)
    after = await call_in(machine, free_ports(1)[0], talk_ms=200)
    await after.wait()
    document.write_text(document.read_text().replace("then: voicemail 10", "then: group sales"))
    assert machine.say("apply", str(document))[0] == 0
    assert len(machine.rated()) == before + 1, "voicemail costs nothing"


def test_a_bad_file_changes_nothing(machine: Machine) -> None:
    """Exit code 1, the mistake with its line, the old revision still in force."""
    bad = machine.folder / "bad.yaml"
    good = (machine.folder / "config" / "tenants" / "acme.yaml").read_text()
    bad.write_text(good.replace('members: ["10", "11"]', 'members: ["10", "77"]'))
    index = machine.folder / "state" / "published" / "index.json"
    before = index.read_text()
    code, answer = machine.say("apply", str(bad))
    assert code == 1
    line = 1 + good[: good.index('members: ["10", "11"]')].count("\n")
    assert {one["line"] for one in answer["findings"]} == {line}
    assert index.read_text() == before


async def test_killed_control_is_not_noticed_by_calls(
    machine: Machine, free_ports: Callable[[int], list[int]]
) -> None:
    """A call in progress goes on, and the next one is decided, while control is dead or comes back."""
    before = len(machine.rated())
    call = await call_in(machine, free_ports(1)[0], talk_ms=2_500)
    await call.until(status=200)
    os.kill(machine.pid("control"), signal.SIGKILL)
    second = await call_in(machine, free_ports(1)[0], talk_ms=200)
    assert spoken_us(await second.wait()) == pytest.approx(200_000, abs=1_000_000)
    assert spoken_us(await call.wait()) == pytest.approx(2_500_000, abs=1_000_000)
    await until(lambda: len(machine.rated()) == before + 2)  # so that the next test counts only its own


async def test_killed_between_hangup_and_rating_nothing_is_lost_or_doubled(
    machine: Machine, free_ports: Callable[[int], list[int]]
) -> None:
    """The rater is stopped, the call ends, everything is killed with -9; after a new start: one leg."""
    before = len(machine.rated())
    os.kill(machine.pid("rater"), signal.SIGSTOP)
    messages = await (await call_in(machine, free_ports(1)[0], talk_ms=1_000)).wait()
    spool = machine.folder / "state" / "asterisk" / "log" / "cel-custom" / "legs.tsv"
    await until(lambda: "LINKEDID_END" in spool.read_text().splitlines()[-1])
    machine.end(signal.SIGKILL)
    machine.start()
    await until(lambda: len(machine.rated()) > before)
    legs = machine.rated()[before:]
    assert len(legs) == 1
    assert abs(legs[0]["duration_us"] - spoken_us(messages)) < 1_000_000
    assert len({leg["key"] for leg in machine.rated()}) == before + 1
