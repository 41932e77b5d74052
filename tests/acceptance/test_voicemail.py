"""Messages that a caller leaves on a real Asterisk: heard, listed, fetched and deleted."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from typer.testing import CliRunner

from pbxcore import phones, publication, voicemail
from pbxcore.cli import app
from pbxcore.machine import asterisk, services
from pbxcore.practice import sipp, tone
from pbxcore.settings import Smtp
from tests.acceptance.conftest import LIMIT_S, SERVE, until_heard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pbxcore.practice.baresip import Baresip
    from tests.acceptance.conftest import Pbx

VOICE = 440  # Hz, of a phone
SECONDS = 3
AWAY, BUSY, HOLIDAY = 700, 1000, 1300  # Hz, of Anna's greetings
GREETING_S = 1.0  # a greeting lasts two
OWN_NUMBER = "03055500112"  # leads to Anna's mailbox
BYTES = SECONDS * 16_000  # of 8 kHz, 16 bit
Runs = list[sipp.Run]


def command(pbx: Pbx, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `pbxcore` as an operator does."""
    environment = {**os.environ, **services.environment(pbx.settings)}
    return subprocess.run([sys.executable, "-m", "pbxcore", *words], env=environment, check=False,
                          capture_output=True, text=True, timeout=60)  # fmt: skip


def listed(pbx: Pbx, box: str = "10") -> list[dict[str, Any]]:
    """Give the messages of a box as the command line lists them."""
    return list(json.loads(command(pbx, "voicemail", "list", "acme", box, "--json").stdout))


async def leave(pbx: Pbx, box: str = "10", *, tenant: str = "acme") -> None:
    """Let Bruno speak to a mailbox, skipping its greeting, until it has three seconds of his voice."""
    folder = voicemail.folder_of(pbx.settings, f"{box}@{tenant}")
    before = len(list(folder.glob("INBOX/*.txt")))
    async with pbx.baresip("p11") as bruno:
        await bruno.register()
        await bruno.command("dial", f"*99{box}")
        await bruno.until("CALL_ESTABLISHED")
        await bruno.command("sndcode", "#")

        def recorded() -> bool:
            return any(path.stat().st_size > BYTES for path in folder.glob("tmp/*.wav"))

        await asyncio.to_thread(pbx.until, recorded)
        await bruno.command("hangup")
        await asyncio.to_thread(pbx.until, lambda: len(list(folder.glob("INBOX/*.txt"))) > before)


@pytest.fixture(autouse=True)
def emptied(pbx: Pbx) -> Iterator[None]:
    """Leave no message and no tried PIN to the next test; no prompt of the one before counts."""
    pbx.log_prompts()
    yield
    for one in voicemail.messages(pbx.settings, "10@acme"):
        command(pbx, "voicemail", "delete", "acme", "10", one.id)
    pbx.asterisk("database del pin 10@acme")


@pytest.mark.row("3.2")
@pytest.mark.row("X.2")
async def test_a_message_is_listed_fetched_and_deleted(pbx: Pbx, runs: Runs, tmp_path: Path) -> None:
    """The recording is the tone that was sent; the lamp is on as long as there is a new message."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(watcher := await anna.subscribe("acme-p10", event="message-summary"))
    dark = await watcher.until(method="NOTIFY", text="Messages-Waiting: no")
    assert listed(pbx) == []
    await leave(pbx)
    lit = await watcher.until(method="NOTIFY", text="Messages-Waiting: yes", after=dark.at)
    (message,) = listed(pbx)
    assert (message["caller"], message["new"]) == ('"Bruno" <11>', True)
    assert SECONDS <= message["duration_s"] <= SECONDS + 2
    file = tmp_path / "message.wav"
    fetch = ("voicemail", "fetch", "acme", "10", message["message"], "--to", str(file))
    assert command(pbx, *fetch).returncode == 0
    assert tone.heard(file.read_bytes(), (VOICE, 1000)) == (VOICE,)
    assert command(pbx, *fetch).returncode == 1, "a file that is there is not replaced"
    assert command(pbx, "voicemail", "delete", "acme", "10", message["message"]).returncode == 0
    await watcher.until(method="NOTIFY", text="Messages-Waiting: no", after=lit.at)
    assert listed(pbx) == []
    gone = command(pbx, "voicemail", "delete", "acme", "10", message["message"])
    assert (gone.returncode, "no message" in gone.stderr) == (1, True)


class Server:
    """A mail server that keeps what it takes."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's name
        """Take a letter."""
        del server, session
        self.taken.append(envelope)
        return "250 OK"

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Smtp]:
        """Take mail until the block is left."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", 0)
        try:
            port = server.sockets[0].getsockname()[1]
            yield Smtp(host="127.0.0.1", port=port, sender="voicemail@example.com", tls="none")
        finally:
            server.close()
            await server.wait_closed()


@pytest.fixture
def mailing(pbx: Pbx) -> Iterator[Pbx]:
    """Give the PBX with mail about Anna's messages; they go from her box when they are mailed."""
    changed = copy.deepcopy(pbx.tenant)
    changed["language"] = "de"
    changed["extensions"]["10"]["voicemail"] = {"mail": "anna@example.com", "delete_after_mail": True}
    with pbx.in_force(changed):
        yield pbx
        if "web" in pbx.running:
            pbx.stop("web")


async def test_a_message_is_mailed(mailing: Pbx, runs: Runs) -> None:
    """The mail has the tone that was sent; then the message is deleted, and the lamp goes out."""
    anna, server = mailing.phone("p10"), Server()
    await anna.register()
    runs.append(watcher := await anna.subscribe("acme-p10", event="message-summary"))
    dark = await watcher.until(method="NOTIFY", text="Messages-Waiting: no")
    async with server.listening() as smtp:
        await leave(mailing)
        lit = await watcher.until(method="NOTIFY", text="Messages-Waiting: yes", after=dark.at)
        settings = mailing.settings.model_copy(update={"smtp": smtp})
        serve = (sys.executable, "-c", SERVE, services.SERVICES["web"])
        mailing.start("web", serve, **services.environment(settings))
        await watcher.until(method="NOTIFY", text="Messages-Waiting: no", after=lit.at)
    (envelope,) = server.taken
    assert envelope.rcpt_tos == ["anna@example.com"]
    assert isinstance(envelope.content, bytes)
    letter = message_from_bytes(envelope.content, policy=policy.default)
    assert letter["Subject"] == "Nachricht von Bruno (11)"
    (attached,) = letter.iter_attachments()
    assert tone.heard(attached.get_content(), (VOICE, 1000)) == (VOICE,)
    assert listed(mailing) == []


@pytest.fixture
def greetings(pbx: Pbx) -> Iterator[Path]:
    """Give Anna's box with a greeting for when she is away and one for when she talks."""
    folder = voicemail.folder_of(pbx.settings, "10@acme")
    for name, frequency_hz in (("unavail", AWAY), ("busy", BUSY)):
        tone.write(folder / f"{name}.wav", frequency_hz)
    yield folder
    for name in ("unavail", "busy", "temp"):
        (folder / f"{name}.wav").unlink(missing_ok=True)


async def greeted(pbx: Pbx) -> int:
    """Call Anna, hear her greeting, and give the tone that it was."""
    async with pbx.baresip("p11") as bruno:
        await bruno.register()
        await bruno.command("dial", "10")
        await bruno.until("CALL_ESTABLISHED")
        greeting = await _heard_of(bruno, (AWAY, BUSY, HOLIDAY))
        await bruno.command("hangup")
        await bruno.until("CALL_CLOSED")
        return greeting


async def _heard_of(phone: Baresip, tones: tuple[int, ...]) -> int:
    """Wait until a phone has heard one of some tones for a while; give it, and no other was heard."""
    deadline = time.monotonic() + LIMIT_S
    while max((lasted := {hz: tone.heard_s(phone.heard(), hz) for hz in tones}).values()) < GREETING_S:
        assert time.monotonic() < deadline, f"of the greetings is heard, in seconds: {lasted}"
        await asyncio.sleep(0.05)
    (heard,) = tone.heard(phone.heard(), tones)
    return heard


async def test_each_greeting_is_heard_in_its_case(pbx: Pbx, greetings: Path, runs: Runs) -> None:
    """The busy one while she talks, the other one otherwise; a temporary one instead of both."""
    anna = pbx.phone("p10")
    await anna.register()
    await anna.register(expires_s=0)
    assert await greeted(pbx) == AWAY
    tone.write(greetings / "temp.wav", HOLIDAY)
    assert await greeted(pbx) == HOLIDAY
    await anna.register()
    runs.append(await anna.take(sipp.answering(ring_ms=0, start_at="refuse", code=486), calls=0))
    assert await greeted(pbx) == HOLIDAY
    (greetings / "temp.wav").unlink()
    assert await greeted(pbx) == BUSY


async def test_greetings_are_recorded_by_phone(pbx: Pbx, greetings: Path) -> None:
    """Anna speaks each of the three in the menu of her own box; the next caller hears the temporary one."""
    for name in ("unavail", "busy"):
        (greetings / f"{name}.wav").unlink()
    async with pbx.baresip("p10", tone_hz=HOLIDAY) as anna:
        await anna.register()
        await anna.command("dial", "*97")
        await anna.until("CALL_ESTABLISHED")
        await _asked(pbx, "vm-password")
        await press(anna, f"{phones.pin_of(pbx.settings, '10@acme')}#")
        await _asked(pbx, "vm-youhave")
        await press(anna, "0")
        for key, name in (("1", "unavail"), ("2", "busy"), ("4", "temp")):
            await _asked(pbx, "vm-options")
            await press(anna, key)
            await asyncio.to_thread(pbx.until, functools.partial(_is_spoken, greetings, name))
            await press(anna, "#")
            await _asked(pbx, "vm-review")
            await press(anna, "1")  # accept
            await asyncio.to_thread(pbx.until, (greetings / f"{name}.wav").exists)
        await anna.command("hangup")
        await anna.until("CALL_CLOSED")
    for name in ("unavail", "busy", "temp"):
        assert tone.heard((greetings / f"{name}.wav").read_bytes(), (VOICE, HOLIDAY)) == (HOLIDAY,), name
    gone = pbx.phone("p10")
    await gone.register()
    await gone.register(expires_s=0)
    assert await greeted(pbx) == HOLIDAY


async def _asked(pbx: Pbx, sound: str) -> None:
    """Wait until Asterisk plays a prompt, so that the key that answers it does not come too early."""
    await asyncio.to_thread(pbx.prompted, sound)


def _is_spoken(box: Path, name: str) -> bool:
    return any(path.stat().st_size > 32_000 for path in box.rglob(f"*{name}*.wav"))


async def press(phone: Baresip, keys: str) -> None:
    """Press keys one after the other: each takes baresip a quarter of a second."""
    await phone.command("sndcode", keys)
    await asyncio.sleep(0.25 * len(keys))


@contextlib.asynccontextmanager
async def own_number(pbx: Pbx) -> AsyncIterator[Baresip]:
    """Call the number that leads to Anna's mailbox, and press `*` in its greeting."""
    async with pbx.baresip("p11") as caller:
        await caller.register()
        await caller.command("dial", OWN_NUMBER)
        await caller.until("CALL_ESTABLISHED")
        await asyncio.sleep(0.5)
        await press(caller, "*")
        yield caller


def tried(pbx: Pbx) -> str:
    """Give how often PINs of Anna's box were tried in vain: `<calls>-<when>`."""
    found = re.search(r"Value: (\S+)", pbx.asterisk("database get pin 10@acme"))
    return found[1] if found else ""


async def test_a_message_is_heard_from_outside(pbx: Pbx) -> None:
    """Who calls the number, presses `*` and knows the PIN hears the message; it is old then."""
    await leave(pbx)
    async with own_number(pbx) as anna:
        await asyncio.to_thread(pbx.until, lambda: tried(pbx).startswith("1-"))
        await press(anna, f"{phones.pin_of(pbx.settings, '10@acme')}#")
        await asyncio.to_thread(pbx.until, lambda: not tried(pbx))
        await _asked(pbx, "vm-youhave")
        await press(anna, "1")
        await until_heard(anna, VOICE, 2.0)
        await anna.command("hangup")
        await anna.until("CALL_CLOSED")
    await asyncio.to_thread(pbx.until, lambda: [one["new"] for one in listed(pbx)] == [False])


async def changed(
    pbx: Pbx, revision: int, *, again: tuple[int, ...] = (), anna: str = "has a mailbox"
) -> None:
    """Put the tenant in force with Anna's mailbox, or without it."""
    document = copy.deepcopy(pbx.tenant)
    if anna == "has no mailbox":
        del document["extensions"]["10"]["voicemail"], document["numbers"]["+493055500112"]
    pbx.publish(document, revision, again=again)
    assert all(one.done for one in await publication.announce(pbx.settings.run_dir))


async def lamp(pbx: Pbx, runs: Runs) -> str:
    """Ask for Anna's message lamp as a phone does that has just been switched on: yes or no."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(watcher := await anna.subscribe("acme-p10", event="message-summary"))
    said = await watcher.until(method="NOTIFY", text="Messages-Waiting: ")
    return said.text.partition("Messages-Waiting: ")[2].split()[0]


@pytest.fixture
def kept(pbx: Pbx) -> Iterator[None]:
    """Let Anna have her mailbox again after the test."""
    yield
    pbx.put_in_force(pbx.tenant)


@pytest.mark.usefixtures("kept")
async def test_messages_of_a_removed_mailbox_are_nobodys(pbx: Pbx, runs: Runs) -> None:
    """A new box of its number is dark and empty; going back brings message and lamp back."""
    await changed(pbx, 31)
    await leave(pbx)
    seen = [(await lamp(pbx, runs), len(listed(pbx)))]
    await changed(pbx, 32, anna="has no mailbox")
    assert command(pbx, "voicemail", "list", "acme", "10").returncode == 1
    for revision, again in ((33, ()), (34, ()), (35, (31,))):
        await changed(
            pbx, revision, again=again, anna="has no mailbox" if revision == 34 else "has a mailbox"
        )
        if revision != 34:
            seen.append((await lamp(pbx, runs), len(listed(pbx))))
    assert seen == [("yes", 1), ("no", 0), ("yes", 1)]


@pytest.fixture
def german(pbx: Pbx) -> Iterator[Pbx]:
    """Give the PBX with its tenant in German."""
    with pbx.in_force({**pbx.tenant, "language": "de"}):
        yield pbx


@pytest.mark.usefixtures("german")
async def test_a_german_mailbox_is_heard(pbx: Pbx) -> None:
    """Without a German voice Asterisk says what is in the box in English, and does not hang up."""
    await leave(pbx)
    async with pbx.baresip("p10") as anna:
        await anna.register()
        await anna.command("dial", "*97")
        await anna.until("CALL_ESTABLISHED")
        await _asked(pbx, "vm-password")
        await press(anna, f"{phones.pin_of(pbx.settings, '10@acme')}#")
        await _asked(pbx, "vm-youhave")
        await press(anna, "1")
        await until_heard(anna, VOICE, 2.0)


@pytest.fixture
def shared_box(pbx: Pbx) -> Iterator[Pbx]:
    """Give the PBX whose group has a mailbox."""
    document = copy.deepcopy(pbx.tenant)
    del document["groups"]["sales"]["otherwise"]
    document["groups"]["sales"]["voicemail"] = {}
    with pbx.in_force(document):
        yield pbx


@pytest.mark.usefixtures("shared_box")
async def test_a_group_mailbox_takes_what_no_member_takes(pbx: Pbx) -> None:
    """A caller from outside speaks to it; a member reaches it by *98, and the PIN she sets there holds."""
    async with pbx.outsider("+4915112345678") as caller:
        await caller.call_in("+493055500100")
        await _asked(pbx, "vm-theperson")
        await caller.command("sndcode", "#")
        await asyncio.to_thread(pbx.until, functools.partial(_is_recorded, pbx, "60"))
        await caller.command("hangup")
        await caller.until("CALL_CLOSED")
    await asyncio.to_thread(pbx.until, lambda: len(listed(pbx, "60")) == 1)
    (message,) = voicemail.messages(pbx.settings, "60@acme")
    assert tone.heard(message.sound.read_bytes(), (VOICE, 1000)) == (VOICE,)
    async with pbx.baresip("p10") as anna:
        await anna.register()
        await anna.command("dial", "*9860")
        await anna.until("CALL_ESTABLISHED")
        await _asked(pbx, "vm-password")
        await press(anna, f"{phones.pin_of(pbx.settings, '60@acme')}#")
        menu = ("vm-youhave", "0"), ("vm-options", "5")
        for asked, keys in (*menu, ("vm-newpassword", "4321#"), ("vm-reenterpassword", "4321#")):
            await _asked(pbx, asked)
            await press(anna, keys)
        await _asked(pbx, "vm-passchanged")
        await anna.command("hangup")
        await anna.until("CALL_CLOSED")
    with contextlib.closing(sqlite3.connect(phones.mailboxes_db(pbx.settings))) as boxes:
        assert boxes.execute("SELECT password FROM voicemail WHERE mailbox = '60'").fetchall() == [("4321",)]


def _is_recorded(pbx: Pbx, box: str) -> bool:
    folder = voicemail.folder_of(pbx.settings, f"{box}@acme")
    return any(path.stat().st_size > BYTES for path in folder.glob("tmp/*.wav"))


async def test_pins_are_not_tried_for_ever(pbx: Pbx) -> None:
    """A wrong PIN counts; after three such calls nobody is asked any more for an hour."""
    async with own_number(pbx) as eve:
        await asyncio.to_thread(pbx.until, lambda: tried(pbx).startswith("1-"))
        for _ in range(3):
            await press(eve, "0000#")
            await asyncio.sleep(2.5)  # it says that this is wrong
        await eve.until("CALL_CLOSED")
    assert tried(pbx).startswith("1-"), "what was tried stays"
    pbx.asterisk(f"database put pin 10@acme 3-{int(time.time())}")
    async with own_number(pbx) as eve:
        await eve.until("CALL_CLOSED")
    assert tried(pbx).startswith("3-")
    pbx.asterisk(f"database put left acme-p10/60 {int(time.time())}")
    pbx.stop("asterisk")
    pbx.start("asterisk", asterisk.start_command(pbx.settings, asterisk.private(pbx.root)))
    await asyncio.to_thread(pbx.until, lambda: pbx.status("control").get("asterisk") == "up")
    assert tried(pbx).startswith("3-"), "a restart does not open the box"
    # Who left a group concerns calls under way alone, and there are none.
    await asyncio.to_thread(pbx.until, lambda: "0 results" in pbx.asterisk("database show left"))
    pbx.asterisk(f"database put pin 10@acme 3-{int(time.time()) - 3_601}")
    async with own_number(pbx) as anna:
        await asyncio.to_thread(pbx.until, lambda: tried(pbx).startswith("1-"))
        await press(anna, f"{phones.pin_of(pbx.settings, '10@acme')}#")
        await asyncio.to_thread(pbx.until, lambda: not tried(pbx))


def test_boxes_that_are_not_there(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is no mailbox of the tenant is refused, whatever it would mean to the disk."""
    for name, value in services.environment(pbx.settings).items():
        monkeypatch.setenv(name, value)
    for box in ("11", "../10", "10@acme", ""):
        refused = CliRunner().invoke(app, ["voicemail", "list", "acme", box])
        assert (refused.exit_code, "no mailbox" in refused.stderr) == (1, True), box
    assert CliRunner().invoke(app, ["voicemail", "list", "../acme", "10"]).exit_code == 1
