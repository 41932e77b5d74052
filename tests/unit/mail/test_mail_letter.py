"""The letter about a message, as its reader sees it."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from pbxcore.mail.boxes import Box
from pbxcore.mail.letter import caller_of, compose, words
from pbxcore.voicemail import Message

ANNA = Box(mailbox="10@acme", owner="Änne Ölz, Büro", address="anna@example.com", attach=True, delete=False,
           language="de", zone="Europe/Berlin", since=0)  # fmt: skip
LEFT = Message(mailbox="10@acme", id="1764147600-00000001", folder="INBOX", new=True, caller='"Bruno" <11>',
               at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC), duration_s=65, sound=Path())  # fmt: skip
NOW = datetime(2026, 7, 1, 22, 32, tzinfo=UTC)


def _read(box: Box, message: Message = LEFT, sound: bytes | None = b"RIFFsound") -> EmailMessage:
    """Write a letter and read it as a mail program does, from its bytes."""
    sent = compose(box, message, sound, sender="voicemail@example.com", now=NOW)
    return message_from_bytes(sent.as_bytes(policy=policy.SMTP), policy=policy.default)


def _text(letter: EmailMessage) -> str:
    body = letter.get_body(preferencelist=("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("", ""),
        ('"Bruno" <11>', "Bruno (11)"),
        ("+4930123", "+4930123"),
        ('"+4930123" <+4930123>', "+4930123"),
        ('"" <11>', "11"),
        ('"A\r\nBcc: eve@example.com" <1>', "A Bcc: eve@example.com (1)"),
        ('"Zoë\u2028x" <1>', "Zoë x (1)"),
        ('"A\x00\x1b[31mB\x85" <1>', "A [31mB (1)"),
        ("x" * 1_000, "x" * 120),
    ],
)
def test_a_caller_is_one_line(shown: str, read: str) -> None:
    """Whatever a phone calls itself, it ends no line and fits one."""
    assert caller_of(shown) == read


@pytest.mark.parametrize(
    ("language", "subject", "sentence"),
    [
        ("de", "Nachricht von Bruno (11)", "Am 02.07.2026 um 00:30 Uhr"),
        (
            "en",
            "Message from Bruno (11)",
            "of 1:05 minutes in the mailbox of Änne Ölz, Büro (10) on 2026-07-02",
        ),
        ("it", "Messaggio da Bruno (11)", "Il 02/07/2026 alle 00:30"),
        ("nl", "Bericht van Bruno (11)", "Op 02-07-2026 om 00:30 uur"),
        ("fr", "Message from Bruno (11)", "at 00:30."),
    ],
)
def test_a_letter_speaks_the_tenants_language(language: str, subject: str, sentence: str) -> None:
    """Words and the day are those of the language, the time is that of the tenant's wall."""
    letter = _read(replace(ANNA, language=language))
    assert letter["Subject"] == subject
    assert sentence in _text(letter)
    assert (letter["To"].addresses[0].addr_spec, letter["To"].addresses[0].display_name) == (
        "anna@example.com", "Änne Ölz, Büro",
    )  # fmt: skip


def test_every_language_says_everything() -> None:
    """No word is missing in one of the four."""
    known = [set(words(language)) for language in ("de", "en", "it", "nl")]
    assert known == [known[0]] * 4


def test_the_recording_is_attached() -> None:
    """It is a WAV file with the name of box and time; without it, the letter has one part."""
    (attached,) = _read(ANNA).iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("audio/x-wav", "10-20260702-003000.wav")
    assert attached.get_content() == b"RIFFsound"
    assert not list(_read(ANNA, sound=None).iter_attachments())


@pytest.mark.parametrize(("delete", "said"), [(False, "*9810"), (True, "nicht aufbewahrt")])
def test_a_letter_says_where_the_message_is(*, delete: bool, said: str) -> None:
    """Who reads it knows how to hear the message on a phone, or that it is not kept there."""
    assert said in _text(_read(replace(ANNA, delete=delete)))


def test_a_letter_has_one_name() -> None:
    """Sent twice it is the same to a mail program; no other message has it, and no machine answers."""
    first, other = _read(ANNA), _read(ANNA, replace(LEFT, id="1764147600-00000002"))
    assert first["Message-ID"] == _read(ANNA)["Message-ID"] == "<1764147600-00000001.10.acme@example.com>"
    assert first["Message-ID"] != other["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"
