"""A second, independent SIP phone: baresip without sound hardware, driven over its control socket.

Owns a private configuration folder and one process. It sends a tone and writes what it hears to a
file. Refuses to judge: `events` says what baresip said.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT_S = 60.0  # until it is up, and for each event: its machine may be busy with other things
END_LIMIT_S = 3.0
EXPIRES_S = 300
POLL_S = 0.05
WAV_HEAD = 44  # bytes before the samples; the lengths are the second and the last four
SAID = 2_000  # characters of what it told that an error shows
MAX_EVENTS = 1_000  # of one phone's life; far more than any story has


class BaresipError(Exception):
    """The phone did not start, or what was waited for did not happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a phone is.

    Attributes:
        user: endpoint, which is the SIP user name.
        server: address and port of Asterisk.
        transport: udp or tcp.
        answers: picks up by itself.
        address: of the phone; a carrier's makes it a caller from outside, who registers nowhere.
        tone_hz: its voice.
    """

    user: str
    password: str
    server: tuple[str, int]
    transport: str = "udp"
    answers: bool = False
    address: str = "127.0.0.1"
    tone_hz: int = 440

    @property
    def is_outside(self) -> bool:
        """Whether it has no account at Asterisk."""
        return not self.password


@dataclass(slots=True)
class Baresip:
    """A running phone."""

    account: Account
    folder: Path
    process: asyncio.subprocess.Process
    events: list[Mapping[str, Any]] = field(default_factory=list)
    _writer: asyncio.StreamWriter | None = None
    _reading: asyncio.Task[None] | None = None
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def command(self, name: str, parameters: str = "") -> None:
        """Tell the phone to do something, `dial 11`, `accept`, `hangup`."""
        if self._writer is None:
            raise BaresipError("the phone has no control connection")
        text = json.dumps({"command": name, "params": parameters})
        self._writer.write(f"{len(text)}:{text},".encode())
        await self._writer.drain()

    async def call_in(self, number: str) -> None:
        """Call a number of ours from outside."""
        await self.command("uanew", _account(self.account))
        address, port = self.account.server
        await self.command("dial", f"sip:{number}@{address}:{port}")

    async def be_called(self) -> None:
        """Take calls from us at the address of a carrier."""
        await self.command("uanew", _account(self.account))

    async def register(self) -> None:
        """Register, and wait until that is done."""
        await self.command(
            "uanew", _account(self.account)
        )  # a written account registers before we can listen
        await self.until("REGISTER_OK")

    async def until(self, kind: str, *, limit_s: float = LIMIT_S) -> Mapping[str, Any]:
        """Wait for the first event of a kind, `REGISTER_OK`, `CALL_INCOMING`, `CALL_ESTABLISHED`.

        Raises:
            BaresipError: it did not come in time, or the phone has crashed.
        """
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    for event in self.events:
                        if event.get("type") == kind:
                            return event
                    self._refuse_crash()
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            seen = [event.get("type") for event in self.events]
            raise BaresipError(f"no {kind} within {limit_s} s, but {seen}\n{self.said()[-SAID:]}") from None

    def heard(self) -> bytes:
        """Return the sound that was heard so far, as a WAV file; empty before the first sound.

        Each early answer (183) and each call begins anew. Only at the end the phone writes how long it was.

        Raises:
            BaresipError: the phone has crashed; it will hear nothing more.
        """
        self._refuse_crash()
        files = sorted(self.folder.glob("heard*.wav"))
        sound = files[-1].read_bytes() if files else b""
        if len(sound) < WAV_HEAD:
            return b""
        whole, samples = (len(sound) - 8).to_bytes(4, "little"), (len(sound) - WAV_HEAD).to_bytes(4, "little")
        return sound[:4] + whole + sound[8 : WAV_HEAD - 4] + samples + sound[WAV_HEAD:]

    def said(self) -> str:
        """Return what the phone told of its doings."""
        return (self.folder / "said.log").read_text(errors="replace")

    async def _connect(self, port: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while True:
                with contextlib.suppress(ConnectionError):
                    reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                self._refuse_crash()
                await asyncio.sleep(POLL_S)
        self._reading = asyncio.create_task(self._read(reader), name="baresip")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while len(self.events) < MAX_EVENTS:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads((await reader.readexactly(length + 1))[:-1])
                if message.get("event"):
                    self.events.append(message)
                    self._came.set()
        await self.process.wait()
        self._came.set()

    async def _end(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        for word in (signal.SIGTERM, signal.SIGKILL):
            if self.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self.process.send_signal(word)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(END_LIMIT_S):
                        await self.process.wait()

    def _refuse_crash(self) -> None:
        if self.process.returncode is not None:
            raise BaresipError(f"baresip ended with {self.process.returncode}\n{self.said()[-SAID:]}")


@contextlib.asynccontextmanager
async def running(
    program: Sequence[str], modules: Path, account: Account, *, ports: tuple[int, int, int]
) -> AsyncIterator[Baresip]:
    """Run a phone until the block is left; its folder is removed then.

    Args:
        program: command that starts baresip.
        account: who the phone is.
        modules: folder of baresip's modules.
        ports: SIP, control, and the first of six for sound.

    Raises:
        BaresipError: it did not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="baresip-"))
    (folder / "config").write_text(_config(folder, modules, account, ports))
    (folder / "accounts").write_text("")
    (folder / "contacts").write_text("")
    with (folder / "said.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *program,
            "-f",
            str(folder),
            "-v",
            cwd=folder,  # version 1.1 may crash while it quits: its core goes with the folder
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    phone = Baresip(account=account, folder=folder, process=process)
    try:
        await phone._connect(ports[1])  # noqa: SLF001 — the same module
        yield phone
    finally:
        await phone._end()  # noqa: SLF001 — the same module
        shutil.rmtree(folder, ignore_errors=True)


# `audio_path` names a folder without prompts: where a machine has baresip's own, it plays a ringback into the
# same file as the speech, and in 1 call of 14 version 1.1 crashes when the answer stops it.
def _config(folder: Path, modules: Path, account: Account, ports: tuple[int, int, int]) -> str:
    sip, control, sound = ports
    return f"""\
sip_listen {account.address}:{sip}
sip_verify_server no
call_local_timeout 60
call_max_calls 4
audio_player aufile,{folder}/heard.wav
audio_source ausine,{account.tone_hz}
audio_alert aufile,{folder}/alert.wav
ausrc_srate 48000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports {sound}-{sound + 5}
rtp_stats no
net_interface {account.address}
ctrl_tcp_listen 127.0.0.1:{control}
audio_path {folder}
module_path {modules}
module g711.so
module ausine.so
module aufile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
"""


def _account(account: Account) -> str:
    address, port = account.server
    answer = "auto" if account.answers else "manual"
    if account.is_outside:
        return (
            f"<sip:{account.user}@{account.address}>;regint=0;answermode={answer};audio_codecs=PCMA;ptime=20"
        )
    return (
        f"<sip:{account.user}@{address}:{port};transport={account.transport}>;auth_user={account.user}"
        f";auth_pass={account.password};regint={EXPIRES_S};answermode={answer};audio_codecs=PCMA;ptime=20"
    )
