"""Letters about messages on a real disk, taken by a real mail server (aiosmtpd) or not."""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from typer.testing import CliRunner

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore import phones, voicemail
from pbxcore.cli import app
from pbxcore.mail import delivery, ledger
from pbxcore.mail.ledger import State
from pbxcore.settings import Settings, Smtp
from pbxcore.status import status

FIRST, SECOND = "1764147600-00000001", "1764147700-00000002"
Mail = dict[str, Any]


class Server:
    """A mail server: keeps what it takes; answers `says` to a recipient, `data` to a letter."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.says, self.data = "250 OK", "250 OK"

    async def handle_RCPT(  # noqa: N802 — the name and arguments are aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient or not."""
        del server, session, options
        if self.says.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.says

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — as above
        """Take a letter or not."""
        del server, session
        if self.data.startswith("2"):
            self.taken.append(envelope)
        return self.data

    @contextlib.asynccontextmanager
    async def listening(self, settings: Settings) -> AsyncIterator[Smtp]:
        """Take mail until the block is left."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", _port(settings))
        try:
            yield _smtp(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            await server.wait_closed()


def _port(settings: Settings) -> int:
    return settings.smtp.port if settings.smtp else 0


def _smtp(port: int) -> Smtp:
    return Smtp(host="127.0.0.1", port=port, sender="voicemail@example.com", tls="none")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings of a machine whose tenant wants mail about Anna's messages."""
    settings = Settings(state=tmp_path)
    _publish(settings, mail="anna@example.com")
    return settings


def _publish(settings: Settings, **box: object) -> None:
    document = {
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "language": "de", "account": "acme", "numbers": {},
        "extensions": {"10": {"name": "Anna", "devices": ["p10"], "voicemail": box}},
    }  # fmt: skip
    phones.publish(settings, build_plan(TenantSpec.model_validate(document), revision=1, trunks=()))


def _leave(settings: Settings, place: str = "INBOX/msg0000", message: str = FIRST, ago_s: int = 0) -> Path:
    text = voicemail.folder_of(settings, "10@acme") / f"{place}.txt"
    text.parent.mkdir(parents=True, exist_ok=True)
    text.with_suffix(".wav").write_bytes(b"RIFF" + message.encode())
    began = int(time.time()) - ago_s
    text.write_text(f'callerid="Bruno" <11>\norigtime={began}\nmsg_id={message}\nduration=3\n')
    return text


async def _round(settings: Settings, smtp: Smtp) -> None:
    """Look once, and send what is due, now or later."""
    delivery.look(settings, {}, int(time.time()))
    with contextlib.closing(sqlite3.connect(ledger.file_of(settings))) as db, db:
        db.execute("UPDATE letters SET next_at = 0")
    await delivery.send_due(settings, smtp)


def _became(settings: Settings, message: str = FIRST) -> tuple[State, str]:
    return ledger.of_box(ledger.file_of(settings), "10@acme")[message]


async def test_a_letter_is_sent_once(settings: Settings) -> None:
    """Its recording is attached; however often one looks, it is one, also when the message moves."""
    text = _leave(settings)
    server = Server()
    async with server.listening(settings) as smtp:
        await _round(settings, smtp)
        (text.parents[1] / "Old").mkdir()
        for suffix in (".wav", ".txt"):
            text.with_suffix(suffix).rename(text.parents[1] / "Old" / f"msg0000{suffix}")
        await _round(settings, smtp)
    (envelope,) = server.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("voicemail@example.com", ["anna@example.com"])
    assert isinstance(envelope.content, bytes)
    (attached,) = message_from_bytes(envelope.content, policy=policy.default).iter_attachments()
    assert attached.get_content() == b"RIFF" + FIRST.encode()
    assert _became(settings) == (State.SENT, "")


@pytest.mark.parametrize(
    ("answer", "data", "end"),
    [
        ("550 no such user", "250 OK", State.FAILED),
        ("250 OK", "552 too big", State.FAILED),
        ("451 try later", "250 OK", State.WAITING),
        ("250 OK", "452 disk full", State.WAITING),
    ],
)
async def test_a_refused_letter_is_given_up_or_tried_again(
    settings: Settings, answer: str, data: str, end: State
) -> None:
    """A no for good is the end, and says why; a no for now is asked again, and then the letter is sent."""
    _leave(settings)
    server = Server()
    server.says, server.data = answer, data
    async with server.listening(settings) as smtp:
        await _round(settings, smtp)
        state, detail = _became(settings)
        assert (state, (answer if answer[0] != "2" else data)[4:] in detail) == (end, True)
        server.says = server.data = "250 OK"
        await _round(settings, smtp)
    assert len(server.taken) == (1 if end is State.WAITING else 0)


async def test_a_refused_letter_holds_up_no_other(settings: Settings) -> None:
    """What one server says to one letter is no reason to keep the next."""
    _leave(settings)
    _leave(settings, "INBOX/msg0001", SECOND)
    server = Server()
    server.data = "552 too big"
    async with server.listening(settings) as smtp:
        await _round(settings, smtp)
    assert {_became(settings)[0], _became(settings, SECOND)[0]} == {State.FAILED}


async def test_a_server_that_is_away_gets_all_when_it_is_back(settings: Settings) -> None:
    """Nothing is lost and nothing is sent twice; the pause grows, and ends."""
    _leave(settings)
    _leave(settings, "INBOX/msg0001", SECOND)
    server = Server()
    async with server.listening(settings) as smtp:
        pass
    for _ in range(3):
        await _round(settings, smtp)
    assert {_became(settings)[0], _became(settings, SECOND)[0]} == {State.WAITING}
    async with server.listening(settings.model_copy(update={"smtp": smtp})):
        await _round(settings, smtp)
        await _round(settings, smtp)
    assert len(server.taken) == 2
    assert [delivery.pause_s(tries) for tries in (0, 1, 2, 3, 50)] == [0, 30, 60, 120, 3_600]


async def test_after_three_days_a_letter_is_given_up(settings: Settings) -> None:
    """What is not taken for so long is named as failed; the message stays in its box."""
    _leave(settings)
    async with Server().listening(settings) as smtp:
        pass
    await _round(settings, smtp)
    with contextlib.closing(sqlite3.connect(ledger.file_of(settings))) as db, db:
        db.execute("UPDATE letters SET since = since - ?", (delivery.GIVEN_UP_S,))
    await _round(settings, smtp)
    assert _became(settings)[0] is State.FAILED
    assert len(voicemail.messages(settings, "10@acme")) == 1


async def test_what_was_there_before_the_wish_is_not_mailed(settings: Settings) -> None:
    """A box that begins to want mail gets none about its old messages; nor one deleted meanwhile."""
    _leave(settings, ago_s=60)
    gone = _leave(settings, "INBOX/msg0001", SECOND)
    server = Server()
    async with server.listening(settings) as smtp:
        delivery.look(settings, {}, int(time.time()))
        gone.unlink()
        await _round(settings, smtp)
    assert server.taken == []
    assert _became(settings, SECOND)[0] is State.GONE
    assert FIRST not in ledger.of_box(ledger.file_of(settings), "10@acme")


async def test_a_box_without_mail_is_not_read(settings: Settings) -> None:
    """A wish that is taken back holds at once, also for what waits."""
    _leave(settings)
    delivery.look(settings, {}, int(time.time()))
    _publish(settings)
    server = Server()
    async with server.listening(settings) as smtp:
        await _round(settings, smtp)
    assert (server.taken, _became(settings)[0]) == ([], State.GONE)


def test_a_box_that_did_not_change_is_not_read_again(settings: Settings) -> None:
    """A message beside an inbox whose time is known and old is found as soon as that changes."""
    text, looked = _leave(settings), {}  # type: ignore[var-annotated] # what `look` remembers
    os.utime(text.parent, (1_000_000, 1_000_000))
    delivery.look(settings, looked, int(time.time()))
    _leave(settings, "INBOX/msg0001", SECOND)
    os.utime(text.parent, (1_000_000, 1_000_000))
    delivery.look(settings, looked, int(time.time()))
    assert SECOND not in ledger.of_box(ledger.file_of(settings), "10@acme")
    os.utime(text.parent)
    delivery.look(settings, looked, int(time.time()))
    assert SECOND in ledger.of_box(ledger.file_of(settings), "10@acme")


async def test_without_a_mail_server_one_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` and `status` say that mail is wanted and goes nowhere; nothing that waits is lost."""
    _leave(settings)
    delivery.look(settings, {}, int(time.time()))
    mail = (await status(settings)).mail
    assert mail is not None
    assert (mail.server, mail.boxes, mail.waiting, mail.failed) == ("", 1, 1, 0)
    monkeypatch.setenv("PBXCORE_STATE", str(settings.state))
    document = settings.state / "acme.yaml"
    example = (Path(__file__).parents[2] / "config" / "tenants" / "acme.yaml").read_text()
    document.write_text(example.replace("voicemail: {}", "voicemail: {mail: anna@example.com}", 1))
    said = await asyncio.to_thread(CliRunner().invoke, app, ["check", str(document)])
    assert (said.exit_code, "1 mailbox of acme want mail" in " ".join(said.output.split())) == (0, True)
