"""A real Asterisk with control, standby and a carrier, and phones that call: shared by a module's tests."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.plan import Plan
from dialplan.spec import TenantSpec
from pbxcore import phones, publication, published, switches
from pbxcore.calls import words_of
from pbxcore.machine import asterisk, debian, ports, services
from pbxcore.machine.running import settings_of_running
from pbxcore.practice import baresip, sipp, tone
from pbxcore.published import Index
from pbxcore.settings import Settings, Trunk
from tests import held
from tests.acceptance.crew import CREW, publish

CHECKOUT = Path(__file__).parents[2]
TENANT: dict[str, Any] = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "area_code": "30",
    "time_zone": "Europe/Berlin",
    "language": "en",
    "account": "acme",
    "numbers": {
        "+493055500100": {"to": "group sales"},
        "+493055500101": {"to": "extension 13"},
        "+493055500111": {"to": "extension 11"},
        "+493055500112": {"to": "voicemail 10"},
    },
    "extensions": {
        "10": {"name": "Anna", "devices": [{"device": "p10"}], "caller_id": "+493055500100", "voicemail": {}},
        "11": {"name": "Bruno", "devices": [{"device": "p11"}], "caller_id": "+493055500111"},
        "12": {
            "name": "Clara",
            "devices": [{"device": "p12"}],
            "forward": {"busy": "number +436641110001", "no_answer": {"to": "extension 10", "after_s": 5}},
        },
        "13": {"name": "Doris", "devices": [{"device": "p13"}],
               "forward": {"no_answer": {"to": "number +436641110002", "after_s": 5}}},
    },
    "groups": {
        "sales": {
            "extension": "60",
            "name": "Sales",
            "members": ["10", "11"],
            "timeout_s": 5,
            "otherwise": "number +436641110003",
        }
    },
}  # fmt: skip
LIMIT_S = (
    120.0  # of every wait: twice as long as the product itself waits for Asterisk, which takes one second
)
TONES = (440, 700, 1000, 1300, 1700)  # Hz, that tests play
CLOCKS_S = 1.0  # so far apart two programs may see one event where others keep the machine busy
WHOLE_PHONES = 60  # of a whole machine; more take turns
SOUND = 300  # ports of our block of 1,000 that Asterisk uses for sound
SERVE = """
import asyncio, importlib, logging, signal, sys, uvloop
from pbxcore.settings import Settings
logging.basicConfig(level=logging.INFO)
async def main():
    serving = asyncio.ensure_future(importlib.import_module(sys.argv[1]).serve(Settings()))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    await asyncio.wait([serving])
uvloop.run(main())
"""


@dataclass(slots=True)
class Pbx:
    """A running Asterisk, the processes that answer it, and what its phones need."""

    settings: Settings
    root: Path
    program: tuple[str, ...]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    tenant: dict[str, Any] = field(default_factory=lambda: TENANT)
    phone_ports: Sequence[int] = ()  # the first of ten each; by default, what Asterisk leaves of our block
    _phones: int = 0
    _prompts: int = 0  # characters of what Asterisk has played, up to the last prompt that was waited for

    @property
    def server(self) -> tuple[str, int]:
        """Give where phones find Asterisk."""
        return (self.settings.bind, self.settings.ports.sip)

    def port(self) -> int:
        """Give the first of ten ports for one phone, in turn."""
        self._phones += 1
        first = self.settings.ports.rtp_first
        ports = self.phone_ports or range(first + SOUND, first + 1_000, 10)
        return ports[self._phones % len(ports)]

    def phone(
        self, device: str, *, tenant: str = "acme", tcp: bool = False, password: str = ""
    ) -> sipp.SippPhone:
        """Give a phone of the first stack, not yet registered."""
        user, port = f"{tenant}-{device}", self.port()
        return sipp.SippPhone(
            program=self.program,
            user=user,
            password=password or phones.password_of(self.settings, user),
            server=self.server,
            local=("127.0.0.1", port),
            media=(port + 2, port + 9),
            tcp=tcp,
        )

    @property
    def carrier(self) -> sipp.SippCarrier:
        """Give the carrier, to bring calls."""
        port = self.port()
        return sipp.SippCarrier(program=self.program, server=self.server, address="127.0.0.2",
                                port=self.settings.ports.carrier, media=(port + 2, port + 9))  # fmt: skip

    def outsider(
        self, number: str, *, tone_hz: int = 440, called: bool = False
    ) -> contextlib.AbstractAsyncContextManager[baresip.Baresip]:
        """Give somebody outside, of the second stack, at the carrier's address; called at its port, too."""
        port = self.port()
        account = baresip.Account(user=number, password="", server=self.server, address="127.0.0.2",
                                  tone_hz=tone_hz, answers=called)  # fmt: skip
        modules = self.root / "usr/lib/baresip/modules"
        first = self.settings.ports.carrier if called else port
        return baresip.running(
            debian.command(self.root, "baresip"), modules, account, ports=(first, port + 2, port + 4)
        )

    def baresip(
        self,
        device: str,
        *,
        tenant: str = "acme",
        transport: str = "udp",
        answers: bool = False,
        tone_hz: int = 440,
    ) -> contextlib.AbstractAsyncContextManager[baresip.Baresip]:
        """Give a phone of the second stack, not yet registered."""
        user, port = f"{tenant}-{device}", self.port()
        account = baresip.Account(user=user, password=phones.password_of(self.settings, user),
                                  server=self.server, transport=transport, answers=answers,
                                  tone_hz=tone_hz)  # fmt: skip
        modules = self.root / "usr/lib/baresip/modules"
        return baresip.running(
            debian.command(self.root, "baresip"), modules, account, ports=(port, port + 2, port + 4)
        )

    def end_of(self, call: str) -> dict[str, str]:
        """Wait for the CALL_END of a channel and give its words."""
        found: list[list[str]] = []

        def ended() -> bool:
            ends = [record for record in self.legs() if record[7] == "CALL_END"]
            found[:] = [one for one in ends if (words_of(one[8]).get("call") or one[3]) == call]
            return bool(found)

        self.until(ended, seen=lambda: [record for record in self.legs() if record[3] == call])
        return dict(word.split("=", 1) for word in found[0][8].split("|"))

    def ends_since(self, before: int) -> list[str]:
        """Give the ends of calls that began after so many leg records; ends of earlier ones may come late."""
        later = self.legs()[before:]
        begun = {record[4] for record in later if record[1] == "CHAN_START"}
        return [record[8] for record in later if record[7] == "CALL_END" and record[4] in begun]

    def hang_up(self) -> None:
        """End every call, and wait until none is left."""
        self.asterisk("channel request hangup all")
        self.until(lambda: "0 active channels" in self.asterisk("core show channels count"))

    def trunk_legs(self, linkedid: str) -> list[dict[str, Any]]:
        """Wait for the end of each trunk leg of a call; give their words, and their seconds if answered."""
        begun = [record for record in self.legs(linkedid) if record[7] == "TRUNK_LEG"]
        legs = []
        for record in begun:
            self.until(lambda: "HANGUP" in self._instants(record[3]))  # noqa: B023 — waited for at once
            at = self._instants(record[3])
            words = dict(word.split("=", 1) for word in record[8].split("|"))
            legs.append({**words, "seconds": at["HANGUP"] - at["ANSWER"] if "ANSWER" in at else 0.0})
        return legs

    def _instants(self, call: str) -> dict[str, float]:
        """Give when each event of a channel was, in seconds of the epoch."""
        return {record[1]: float(record[2]) for record in self.legs() if record[3] == call}

    def start(self, name: str, command: tuple[str, ...], **more: str) -> None:
        """Start a process; its output goes to a file."""
        log = self.settings.state / f"{name}.out"
        with log.open("ab") as out:
            self.running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **more},
                cwd={"carrier": self.settings.state, "backup": self.settings.state / "backup"}.get(name),
            )  # fmt: skip

    def serve(self, name: str) -> None:
        """Start control or standby and wait until it decides."""
        self.begin(name)
        self.until(lambda: self.status(name).get("ok") is True)

    def begin(self, name: str) -> None:
        """Start a process of ours."""
        command = (sys.executable, "-c", SERVE, services.SERVICES[name])
        self.start(name, command, **services.environment(self.settings))

    def status(self, name: str) -> dict[str, Any]:
        """Ask control or standby how it is; empty when it does not answer."""
        try:
            return self._ask(name)
        except OSError:
            return {}

    def _ask(self, name: str, do: str = "status", *, limit_s: float = 2.0) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(limit_s)
            line.connect(str(self.settings.run_dir / f"{name}.sock"))
            line.sendall(json.dumps({"do": do}).encode() + b"\n")
            if not (answer := line.makefile().readline()):
                raise ConnectionResetError(name)  # it ended in between
            return dict(json.loads(answer))

    def _has_written(self, name: str) -> bool:
        """Tell whether no decision may still come to a log: who is gone writes no more, who stalls may."""
        try:
            return not self._ask(name).get("unwritten")
        except TimeoutError:
            return False
        except OSError:
            return True

    def stop(self, name: str, how: int = signal.SIGTERM) -> None:
        """End a process of ours, however it is."""
        process = self.running.pop(name)
        process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30 if name == "machine" else 10)
        if process.returncode is None:
            process.kill()
            process.wait(10)

    def until(self, happened: Callable[[], bool], *, seen: Callable[[], object] = str) -> None:
        """Wait for something that happens elsewhere; if it does not, tell what is seen instead."""
        deadline = time.monotonic() + LIMIT_S
        while not happened():
            if time.monotonic() > deadline:
                pytest.fail(f"it did not happen within {LIMIT_S} s, but {seen() or 'nothing'}")
            time.sleep(0.02)

    def asterisk(self, line: str) -> str:
        """Run one line of Asterisk's command line."""
        command = asterisk.ask_command(self.settings, asterisk.private(self.root), line)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout

    def log_prompts(self) -> None:
        """Let Asterisk log what it plays, as often as it has been started, and count from here on."""
        self.asterisk("logger add channel played verbose(3)")
        self._prompts = len(self._played())

    def prompted(self, sound: str) -> None:
        """Wait until Asterisk has begun to play a prompt, later than the one that was waited for before.

        It is read in a log: a prompt of half a second may be over before anybody looks.
        """

        def begun() -> bool:
            before, playing, _ = self._played()[self._prompts :].partition(f"> Playing '{sound}")
            self._prompts += len(before + playing) if playing else 0
            return bool(playing)

        self.until(begun, seen=lambda: re.findall(r"> Playing '(.*?)'", self._played()[self._prompts :]))

    def _played(self) -> str:
        log = asterisk.home(self.settings) / "log" / "played"
        return log.read_text(errors="replace") if log.exists() else ""

    def forget_help(self) -> None:
        """Let nobody have called for help: whoever did rings first, and a phone that is gone for 32 s."""
        self.asterisk("database deltree help")

    def note_complaints(self) -> None:
        """Keep what Asterisk has logged above notices."""
        log = asterisk.home(self.settings) / "log" / "messages"
        self.complaints = [
            line for line in log.read_text().splitlines() if "WARNING[" in line or "ERROR[" in line
        ]

    def legs(self, linkedid: str = "") -> list[list[str]]:
        """Give the leg records so far, of one call if named."""
        path = self.settings.spool / "legs.tsv"
        lines = path.read_text().splitlines() if path.exists() else []
        records = [line.split("\t") for line in lines]
        return [record for record in records if linkedid in ("", record[4])]

    def far_end(self, number: str) -> list[sipp.SipMessage]:
        """Give the carrier's messages of the calls that we sent to a number."""
        messages = sipp.parse((self.settings.state / "messages.log").read_text(errors="replace"))
        calls = {m.header("Call-ID") for m in messages if m.start.startswith(f"INVITE sip:{number}")}
        return [message for message in messages if message.header("Call-ID") in calls]

    def talk(self, number: str) -> tuple[float, float]:
        """Wait until the far end has noted a call to a number and its end; give both instants, of the first.

        It is a program of its own: the caller's phone and our records may be done with the call before.
        """
        found: list[float] = []

        def over() -> bool:
            messages = self.far_end(number)
            answered = [m.at for m in messages if m.status == sipp.OK and m.method == "INVITE"]
            ended = [m.at for m in messages if m.start.startswith("BYE")]
            found[:] = answered[:1] + ended[:1]
            return bool(answered and ended)

        self.until(over, seen=lambda: [message.start for message in self.far_end(number)])
        return found[0], found[1]

    def decisions(self, name: str = "control") -> list[dict[str, Any]]:
        """Give what was decided so far, once all of it is written.

        A decision stands in the log a moment after its call went on: without waiting, a test would take the
        one of a call before for that of its own, and count it among those that come later.
        """
        self.until(lambda: self._has_written(name))
        path = self.settings.decisions / f"{name}.ndjson"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def decided(self, name: str = "control", *, since: int = 0, **facts: str) -> dict[str, Any]:
        """Wait for the decision of a call by its facts (`dialled`, `origin` …); give the latest such one.

        Where the same was asked before and this call may not have got so far yet, `since` says how many
        decisions there were before it.
        """
        found: list[dict[str, Any]] = []

        def came() -> bool:
            found[:] = [one for one in self.decisions(name)[since:] if facts.items() <= one["facts"].items()]
            return bool(found)

        self.until(came, seen=lambda: [one["facts"] for one in self.decisions(name)[since:]])
        return found[-1]

    def decided_since(self, before: int, calls: int) -> list[dict[str, Any]]:
        """Wait until so many more questions were answered than `before`; give the decisions after those."""
        self.until(lambda: len(self.decisions()) >= before + calls)
        return self.decisions()[before:]

    def publish(self, document: dict[str, Any], revision: int, *, again: tuple[int, ...] = ()) -> None:
        """Do what the door does, without a database; other tenants stay in force."""
        plan = build_plan(TenantSpec.model_validate(document), revision=revision,
                          trunks=tuple(trunk.name for trunk in self.settings.trunks))  # fmt: skip
        publication.write_plan(self.settings.published, plan)
        phones.note_said_before(self.settings, plan, again)
        phones.publish(self.settings, plan)
        others = published.read_index(self.settings.published).revisions
        publication.write_index(
            self.settings.published,
            Index(revisions={**others, plan.tenant: revision}, trunks=plan.trunks,
                  carriers=self.settings.carriers),
        )  # fmt: skip

    def reload(self, name: str = "control") -> dict[str, Any]:
        """Let a process decide by what is published; give its acknowledgement."""
        return self._ask(name, "reload", limit_s=LIMIT_S)

    @property
    def version(self) -> str:
        """Give what decisions by the tenant's plan in force are named after."""
        return f"acme@{published.read_index(self.settings.published).revisions['acme']}"

    def put_in_force(self, document: dict[str, Any]) -> None:
        """Publish a document of the tenant as its next revision, and wait until all go by it."""
        self.publish(document, 1 + published.read_index(self.settings.published).revisions["acme"])
        assert self.reload("standby")["ok"]
        assert self.reload() == {"ok": True, "asterisk": "done"}

    @contextlib.contextmanager
    def in_force(self, document: dict[str, Any]) -> Iterator[None]:
        """Let a document of the tenant be in force inside the block; afterwards its own is again."""
        self.put_in_force(document)
        try:
            yield
        finally:
            self.put_in_force(self.tenant)

    def clear_switches(self, tenant: str) -> None:
        """Take back what users have switched: the next test begins without it."""
        known = switches.read(self.settings.switches_db).of(tenant, datetime.now(UTC))
        switches.keep(self.settings.switches_db, [replace(one, value="") for one in known])


def hung_up(pbx: Pbx, linkedid: str) -> list[str]:
    """Name the endpoints of a call whose channels have ended, in their order."""
    ends = [record[5] for record in pbx.legs(linkedid) if record[1] == "HANGUP"]
    return [one.rpartition("-")[0] for one in ends if one.startswith("PJSIP")]


async def press(phone: baresip.Baresip, keys: str) -> None:
    """Let a phone send keys, as fast as anybody presses them."""
    for key in keys:
        await phone.command("sndcode", key)
        await asyncio.sleep(0.1)


async def until_heard(phone: baresip.Baresip, hz: int, seconds: float) -> None:
    """Wait until a phone has heard a tone so long; of what it hears instead, tell the tones."""
    deadline = time.monotonic() + LIMIT_S
    while (lasted := tone.heard_s(phone.heard(), hz)) < seconds:
        if time.monotonic() > deadline:
            others = {one: tone.heard_s(phone.heard(), one) for one in TONES}
            said = [event.get("type") for event in phone.events]
            pytest.fail(f"{hz} Hz for {lasted:.1f} s only, but {others}; the phone said {said}")
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def pbx(debian_root: Path) -> Iterator[Pbx]:
    """Give a running PBX: Asterisk, control, standby, and a carrier that takes every call."""
    state = Path(tempfile.mkdtemp(prefix="pbxcall", dir="/tmp"))
    settings, taken = _settings(state)
    pbx = Pbx(settings=settings, root=debian_root, program=debian.command(debian_root, "sipp"))
    try:
        asterisk.configure(settings, asterisk.private(debian_root))
        pbx.publish(TENANT, 1)
        (state / "scenario.xml").write_text(sipp.answering(ring_ms=300, start_at="by-number"))
        carrier = pbx.carrier
        local = (carrier.address, carrier.port)
        pbx.start("carrier", sipp.words(pbx.program, local=local, media=carrier.media, calls=0), TERM="dumb")
        (state / "backup").mkdir()
        (state / "backup" / "scenario.xml").write_text(sipp.answering(ring_ms=300))
        backup = sipp.words(pbx.program, local=("127.0.0.3", carrier.port), media=carrier.media, calls=0)
        pbx.start("backup", backup, TERM="dumb")
        pbx.start("asterisk", asterisk.start_command(settings, asterisk.private(debian_root)))
        for name in ("control", "standby"):
            pbx.begin(name)
        pbx.until(lambda: pbx.status("standby").get("ok") is True)
        pbx.until(lambda: pbx.status("control").get("asterisk") == "up")
        pbx.note_complaints()
        yield pbx
    finally:
        for name in list(pbx.running):
            pbx.stop(name)
        taken.release()
        if not os.environ.get("PBXCORE_KEEP"):
            shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def crew(pbx: Pbx) -> Plan:
    """Give the plan of a second tenant, in force: one group of ten extensions for each strategy."""
    return publish(pbx, CREW)


@pytest.fixture(scope="module")
def whole(debian_root: Path) -> Iterator[Pbx]:
    """Give a whole machine with the example in force, as `pbxcore run` starts it and keeps it alive."""
    state = Path(tempfile.mkdtemp(prefix="pbxcall", dir="/tmp"))
    settings = Settings(state=state, config=CHECKOUT / "config")
    pbx = Pbx(settings=settings, root=debian_root, program=debian.command(debian_root, "sipp"))
    (state / "asterisk-root").symlink_to(debian_root)
    run = (sys.executable, "-m", "pbxcore", "run", "--no-follow", "--ready-file", str(state / "ready"))
    with ExitStack() as holds:
        pbx.phone_ports = held.hold(WHOLE_PHONES, holds, together=10)
        try:
            pbx.start("machine", run, PBXCORE_STATE=str(state), PBXCORE_CONFIG=str(settings.config),
                      PBXCORE_ASTERISK="private")  # fmt: skip
            pbx.until(lambda: (state / "ready").exists() or pbx.running["machine"].poll() is not None)
            assert pbx.running["machine"].poll() is None, (state / "machine.out").read_text()
            pbx.settings = settings_of_running(settings)
            pbx.until(lambda: pbx.status("control").get("asterisk") == "up")
            yield pbx
        finally:
            pbx.stop("machine")
            if not os.environ.get("PBXCORE_KEEP"):
                shutil.rmtree(state, ignore_errors=True)


def _settings(state: Path) -> tuple[Settings, ports.Taken]:
    trunk = Trunk(name="carrier", host="127.0.0.2", port=5065, practice=True, location=True)
    backup = Trunk(name="backup", host="127.0.0.3", port=5065)
    settings = Settings(state=state, trunks=(trunk,))
    taken = ports.take(settings)
    chosen = taken.ports.model_copy(update={"rtp_last": taken.ports.rtp_first + SOUND - 1})
    return settings.model_copy(update={
        "ports": chosen,
        "trunks": tuple(t.model_copy(update={"port": chosen.carrier}) for t in (trunk, backup)),
    }), taken  # fmt: skip


@pytest.fixture
async def runs() -> AsyncIterator[list[sipp.Run]]:
    """Give a list; every run put there has ended when the test has."""
    started: list[sipp.Run] = []
    yield started
    for run in started:
        await run.end()
