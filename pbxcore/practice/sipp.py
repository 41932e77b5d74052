"""SIP phones and carriers played by sipp: each scenario is one bounded process in a private folder.

Owns starting and ending sipp, and reading what it sent and received, with its own timestamps. Refuses to
judge a call: tests and the demo do that by the messages.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from pathlib import Path
from urllib.parse import quote

REFUSALS = {486: "Busy Here", 503: "Service Unavailable", 404: "Not Found"}
BODIES = {
    "dialog": "application/dialog-info+xml",
    "presence": "application/pidf+xml",
    "message-summary": "application/simple-message-summary",
}
OK = 200
RINGING = 180
END_LIMIT_S = 2.0
LIMIT_S = 60.0
POLL_S = 0.02
LONG_MS = 3_600_000
_BLOCK = re.compile(r"^-{40,} (\S+[ T]\S+)\n", re.MULTILINE)
_DIRECTION = re.compile(r"^(?:UDP|TCP) message (sent|received)[^\n]*\n\n", re.MULTILINE)


class SippError(Exception):
    """A scenario did not go as written.

    Attributes:
        code: exit code of sipp, -1 when it was ended for taking too long.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SipMessage:
    """One SIP message as sipp logged it.

    Attributes:
        at: instant in seconds since the epoch, to the microsecond, sipp's clock.
        sent: by sipp; otherwise received.
        text: as it was on the wire.
    """

    at: float
    sent: bool
    text: str

    @property
    def start(self) -> str:
        """The request line or the status line."""
        return self.text.partition("\n")[0].strip()

    @property
    def status(self) -> int:
        """The status code, 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """The method of a request, or of the request that a response answers."""
        if self.status:
            return self.header("CSeq").split()[-1]
        return self.start.split()[0]

    def headers(self, name: str) -> tuple[str, ...]:
        """Return the values of a header, in order."""
        lines = self.text.split("\n\n", 1)[0].splitlines()[1:]
        pairs = (line.partition(":") for line in lines)
        return tuple(value.strip() for key, _, value in pairs if key.strip().lower() == name.lower())

    def header(self, name: str) -> str:
        """Return the first value of a header, empty when there is none."""
        return next(iter(self.headers(name)), "")


@dataclass(slots=True)
class Run:
    """A sipp process; ended by `end` or by its own scenario.

    Attributes:
        folder: private to the run; messages stand in `messages.log`. Removed by `end`.
    """

    process: asyncio.subprocess.Process
    folder: Path
    limit_s: float
    _kept: tuple[SipMessage, ...] | None = None

    async def wait(self) -> tuple[SipMessage, ...]:
        """Wait until the scenario has ended well; return its messages.

        Raises:
            SippError: it went another way, or took longer than its limit.
        """
        try:
            async with asyncio.timeout(self.limit_s):
                code = await self.process.wait()
        except TimeoutError:
            story = self._story()
            await self.end()
            raise SippError(f"took longer than {self.limit_s} s\n{story}", -1) from None
        if code != 0:
            raise SippError(f"sipp ended with {code}\n{self._story()}", code)
        return self.messages()

    async def end(self) -> None:
        """End the process if it still runs and remove its folder; the messages are kept."""
        for word in (signal.SIGTERM, signal.SIGKILL):
            if self.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self.process.send_signal(word)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(END_LIMIT_S):
                        await self.process.wait()
        self._kept = self.messages()
        shutil.rmtree(self.folder, ignore_errors=True)

    def messages(self) -> tuple[SipMessage, ...]:
        """Return the messages so far."""
        if self._kept is not None:
            return self._kept
        try:
            return parse((self.folder / "messages.log").read_text(errors="replace"))
        except FileNotFoundError:
            return ()

    async def until(
        self,
        *,
        status: int = 0,
        method: str = "",
        text: str = "",
        after: float = 0.0,
        limit_s: float = LIMIT_S,
    ) -> SipMessage:
        """Wait for a message with this status or method, holding a text, after an instant; give it.

        Raises:
            SippError: none came in time.
        """
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    for message in self.messages():
                        if message.at <= after or text not in message.text:
                            continue
                        if (status and message.status == status) or (
                            method and not message.status and message.method == method
                        ):
                            return message
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise SippError(f"no {status or method} {text} within {limit_s} s\n{self._story()}", -1) from None

    def _story(self) -> str:
        lines = [f"{'>' if m.sent else '<'} {m.start}" for m in self.messages()]
        for name in ("errors.log", "screen.log"):
            with contextlib.suppress(FileNotFoundError):
                lines.append((self.folder / name).read_text(errors="replace")[-1_500:])
        return "\n".join(lines)


def parse(log: str) -> tuple[SipMessage, ...]:
    """Read sipp's message log."""
    parts = _BLOCK.split(log.replace("\r\n", "\n"))
    messages = []
    for stamp, block in zip(parts[1::2], parts[2::2], strict=True):
        if found := _DIRECTION.match(block):
            text = block[found.end() :].strip("\n") + "\n"
            messages.append(SipMessage(at=_instant(stamp), sent=found[1] == "sent", text=text))
    return tuple(messages)


def first(messages: Sequence[SipMessage], method: str, *, status: int = 0) -> SipMessage:
    """Give the first request of a method, or the first answer to one with a status.

    Raises:
        LookupError: there is none; it says what there is.
    """
    for message in messages:
        if (message.method, message.status) == (method, status):
            return message
    seen = [f"{'>' if m.sent else '<'} {m.start}" for m in messages]
    raise LookupError(f"no {f'{status} to ' if status else ''}{method}, but {seen or 'nothing'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """One phone's side of a call that was answered or rings: From and To with their tags, its target."""

    call_id: str
    ours: str
    theirs: str
    target: str

    @property
    def replaces(self) -> str:
        """What names it in a URI, as the other side of the dialog knows it (RFC 3891)."""
        tags = (f"{name}-tag={header.rpartition('tag=')[2]}"
                for name, header in (("to", self.theirs), ("from", self.ours)))  # fmt: skip
        return quote(";".join((self.call_id, *tags)), safe="")


def dialog(messages: Sequence[SipMessage]) -> Dialog:
    """Find the dialog of a call that was answered, or rings, whoever began it."""
    answered = any((one.method, one.status) == ("INVITE", OK) for one in messages)
    answer = first(messages, "INVITE", status=OK if answered else RINGING)
    invite = first([m for m in messages if m.header("CSeq") == answer.header("CSeq")], "INVITE")
    ends = answer.header("From"), answer.header("To")
    ours, theirs = ends if invite.sent else ends[::-1]
    contact = (answer if invite.sent else invite).header("Contact")
    target = contact.partition("<")[2].partition(">")[0]
    return Dialog(call_id=answer.header("Call-ID"), ours=ours, theirs=theirs, target=target)


def _instant(stamp: str) -> float:
    return datetime.fromisoformat(stamp).astimezone().timestamp()


def words(  # noqa: PLR0913 — the ends of a connection
    program: Sequence[str],
    *,
    local: tuple[str, int],
    remote: tuple[str, int] | None = None,
    calls: int = 1,
    media: tuple[int, int] | None = None,
    tcp: bool = False,
    strict: bool = True,
    limit_s: float = LIMIT_S,
) -> tuple[str, ...]:
    """Return the command that plays `scenario.xml` of its working folder; strict: all else ends it."""
    command = [*program, "-sf", "scenario.xml", "-i", local[0], "-p", str(local[1]), "-nostdin", "-aa",
               "-skip_rlimit", "-t", "t1" if tcp else "u1", "-deadcall_wait", "0",
               "-trace_msg", "-message_file", "messages.log", "-trace_err", "-error_file", "errors.log",
               "-cp", "0", "-rtp_echo"]  # fmt: skip
    if media is not None:
        command += ["-min_rtp_port", str(media[0]), "-max_rtp_port", str(media[1])]
    if calls:
        command += ["-m", str(calls), "-timeout", f"{int(limit_s)}s", "-timeout_error"]
    if not strict:
        command += ["-default_behaviors", "all,-abortunexp"]
    if remote is not None:
        command.append(f"{remote[0]}:{remote[1]}")
    return tuple(command)


async def start(command: Sequence[str], scenario: str, *, limit_s: float = LIMIT_S) -> Run:
    """Start what `words` gave with a scenario's text."""
    folder = Path(tempfile.mkdtemp(prefix="sipp-"))
    (folder / "scenario.xml").write_text(scenario)
    with (folder / "screen.log").open("wb") as screen:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=screen,
            stderr=screen,
            env={**os.environ, "TERM": "dumb"},
        )
    return Run(process=process, folder=folder, limit_s=limit_s)


def fill(name: str, values: Mapping[str, str]) -> str:
    """Return a scenario of this package with its @KEYS@ filled in."""
    text = resources.files("pbxcore.practice").joinpath("scenarios", name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    if left := re.search(r"@[A-Z_]+@", text):
        raise ValueError(f"{name}: {left[0]} is not filled in")
    return text


def answering(  # noqa: PLR0913 — what a called party can do
    *,
    ring_ms: int,
    talk_ms: int = LONG_MS,
    start_at: str = "ring",
    code: int = 486,
    headers: str = "",
    refer_to: str = "",
    refer_after_ms: int = 300,
    press: str = "",
) -> str:
    """Return a scenario that takes calls: answer, press a key, refuse or let ring."""
    refer, dialog = "", "From:[$us]\nTo:[$them]"
    if press:
        refer = fill("press.xml", {"BEFORE_MS": str(refer_after_ms), "KEY": press, "DIALOG": dialog})
    if refer_to:
        refer = fill("refer.xml", {"BEFORE_MS": str(refer_after_ms), "TARGET": refer_to, "DIALOG": dialog})
    refusals = "".join(fill("refusal.xml", {"CODE": str(c), "REASON": r}) for c, r in REFUSALS.items())
    values = {"RING_MS": str(max(ring_ms, 1)), "TALK_MS": str(talk_ms), "START": start_at, "CODE": str(code),
              "REASON": REFUSALS.get(code, "Refused"), "HEADERS": headers, "AFTER_ANSWER": refer,
              "REFUSALS": refusals}  # fmt: skip
    return fill("answer.xml", values)


def calling(  # noqa: PLR0913 — what a caller can do
    number: str,
    *,
    user: str,
    password: str = "",
    from_header: str = "",
    headers: str = "",
    talk_ms: int = 1_000,
    patience_ms: int = 30_000,
    refer_to: str = "",
    refer_after_ms: int = 300,
) -> str:
    """Return a scenario that calls a number, talks and hangs up."""
    sender = from_header or f"<sip:{user}@[remote_ip]>"
    dialog = f"From: {sender};tag=[pid]c[call_number]\n[last_To:]"
    refer = ""
    if refer_to:
        refer = fill("refer.xml", {"BEFORE_MS": str(refer_after_ms), "TARGET": refer_to, "DIALOG": dialog})
    values = {"NUMBER": number, "USER": user, "PASSWORD": password, "FROM": sender, "HEADERS": headers,
              "TALK_MS": str(talk_ms), "PATIENCE_MS": str(patience_ms), "AFTER_ANSWER": refer}  # fmt: skip
    return fill("call.xml", values)


@dataclass(frozen=True, slots=True, kw_only=True)
class SippPhone:
    """A phone with an account at Asterisk.

    Attributes:
        program: command that starts sipp.
        user: endpoint, which is the SIP user name.
        server: address and port of Asterisk.
        local: address and port of the phone.
        media: range of ports for sound.
    """

    program: Sequence[str]
    user: str
    password: str
    server: tuple[str, int]
    local: tuple[str, int]
    media: tuple[int, int] | None = None
    tcp: bool = field(default=False)

    async def register(self, *, expires_s: int = 300) -> tuple[SipMessage, ...]:
        """Register, or unregister with 0 seconds."""
        values = {"USER": self.user, "PASSWORD": self.password, "EXPIRES": str(expires_s)}
        run = await self._start(fill("register.xml", values), limit_s=LIMIT_S, out=True)
        try:
            return await run.wait()
        finally:
            await run.end()

    async def call(
        self,
        number: str,
        *,
        talk_ms: int = 1_000,
        patience_ms: int = 30_000,
        refer_to: str = "",
        limit_s: float = LIMIT_S,
    ) -> Run:
        """Call a number."""
        scenario = calling(number, user=self.user, password=self.password, talk_ms=talk_ms,
                           patience_ms=patience_ms, refer_to=refer_to)  # fmt: skip
        return await self._start(scenario, limit_s=limit_s, out=True)

    async def transfer(self, first: Run, second: Run, *, port: int) -> float:
        """Connect the other sides of two calls of this phone; give the instant at which it is out.

        The first was answered, the second may ring yet. Another process, at `port`, takes the first over:
        its run sees no more of it.

        Raises:
            SippError: Asterisk did not accept it.
        """
        other = dialog(second.messages())
        refer_to = f"sip:{self.server[0]}?Replaces={other.replaces}"
        run = await self._within(first, "transfer.xml", port=port, REFER_TO=refer_to)
        try:
            await run.until(method="NOTIFY", text="SIP/2.0 200")
        finally:
            await run.end()
        run = await self._within(first, "leave.xml", port=port)
        try:
            return (await run.wait())[-1].at
        finally:
            await run.end()

    async def send_on(self, call: Run, number: str, *, port: int) -> None:
        """Send the other side of an answered call of this phone to a number, by another process.

        Raises:
            SippError: Asterisk did not take the request.
        """
        run = await self._within(call, "transfer.xml", port=port, REFER_TO=f"sip:{number}@{self.server[0]}")
        try:
            await run.until(status=202)
        finally:
            await run.end()

    async def hold(self, call: Run, turn: int, *, port: int) -> None:
        """Put the other side of a call that this phone began on hold in every odd turn, and take it up again.

        Another process, at `port`, asks; the sound stays with that of the call.
        """
        invite = first(call.messages(), "INVITE")
        sound = re.findall(r"^m=audio (\d+)", invite.text, re.MULTILINE)[0]
        run = await self._within(call, "hold.xml", port=port, CSEQ=str(10 + turn), SOUND_PORT=sound,
                                 CONTACT=invite.header("Contact"),
                                 DIRECTION="sendonly" if turn % 2 else "sendrecv")  # fmt: skip
        try:
            await run.wait()
        finally:
            await run.end()

    async def _within(self, call: Run, scenario: str, *, port: int, **values: str) -> Run:
        """Start another process that plays a scenario within the dialog of a call."""
        one = dialog(call.messages())
        values |= {"TARGET": one.target, "OURS": one.ours, "THEIRS": one.theirs}
        command = words(self.program, local=(self.local[0], port), remote=self.server)
        return await start((*command, "-cid_str", one.call_id), fill(scenario, values))

    async def subscribe(self, target: str, *, event: str = "dialog", limit_s: float = LIMIT_S) -> Run:
        """Watch an extension (`dialog`, `presence`) or the phone's own mailbox (`message-summary`).

        Each copy of the request that went out while Asterisk was slow is challenged by itself: the answers to
        copies end nothing.
        """
        values = {"USER": self.user, "PASSWORD": self.password, "TARGET": target, "EVENT": event,
                  "ACCEPT": BODIES[event]}  # fmt: skip
        return await self._start(fill("subscribe.xml", values), limit_s=limit_s, out=True, strict=False)

    async def take(self, scenario: str, *, calls: int = 1, limit_s: float = LIMIT_S) -> Run:
        """Take calls as a scenario of `answering` says."""
        return await self._start(scenario, limit_s=limit_s, out=False, calls=calls)

    async def _start(
        self, scenario: str, *, limit_s: float, out: bool, calls: int = 1, strict: bool = True
    ) -> Run:
        command = words(
            self.program,
            local=self.local,
            remote=self.server if out else None,
            media=self.media,
            tcp=self.tcp,
            strict=strict,
            limit_s=limit_s,
            calls=calls,
        )
        return await start(command, scenario, limit_s=limit_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SippCarrier:
    """A carrier: brings calls from its address and takes calls at its address and port.

    Attributes:
        program: command that starts sipp.
        server: address and port of Asterisk.
        address: of the carrier, `127.0.0.2`; Asterisk knows it by this.
        port: where it takes calls.
        media: range of ports for sound.
    """

    program: Sequence[str]
    server: tuple[str, int]
    address: str
    port: int
    media: tuple[int, int] | None = None

    async def take_all(self, *, ring_ms: int = 2_000) -> Run:
        """Take every call until ended: by number (see `scenarios/answer.xml`), echoing sound."""
        scenario = answering(ring_ms=ring_ms, start_at="by-number")
        local = (self.address, self.port)
        return await start(words(self.program, local=local, media=self.media, calls=0), scenario)

    async def call(  # noqa: PLR0913 — a caller from outside
        self,
        number: str,
        *,
        port: int,
        caller: str = "+4915112345678",
        headers: str = "",
        talk_ms: int = 1_000,
        patience_ms: int = 30_000,
        limit_s: float = LIMIT_S,
    ) -> Run:
        """Bring a call to a number of ours, from another port of the carrier's address."""
        scenario = calling(number, user=caller, headers=headers, talk_ms=talk_ms, patience_ms=patience_ms)
        local = (self.address, port)
        command = words(self.program, local=local, remote=self.server, media=self.media, limit_s=limit_s)
        return await start(command, scenario, limit_s=limit_s)
