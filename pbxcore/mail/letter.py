"""The letter about one message, in the language of its tenant.

Owns `words.yaml` and the form of the mail. Pure: who is written to, the message and the instant are given.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import yaml

from pbxcore.mail.boxes import Box
from pbxcore.paper.words import dated, language_of
from pbxcore.paper.words import words as of_pages
from pbxcore.voicemail import Message

LISTEN = "*98"  # and the box; it asks for the PIN
LONGEST_CALLER = 120  # characters; a phone may call itself what it likes
_CALLER = re.compile(r'"?(?P<name>.*?)"?\s*<(?P<number>[^>]*)>')


@cache
def words(language: str) -> Mapping[str, str]:
    """Give the words of a language by key."""
    table = yaml.safe_load(files("pbxcore.mail").joinpath("words.yaml").read_text())
    return {key: entry[language] for key, entry in table.items()}


def compose(box: Box, message: Message, sound: bytes | None, *, sender: str, now: datetime) -> EmailMessage:
    """Write the letter about a message.

    Args:
        box: whose message it is.
        message: what somebody left.
        sound: its recording as a WAV file; None: without.
        sender: address it comes from.
        now: when it is sent.
    """
    language = language_of(box.language)
    said, at = words(language), message.at.astimezone(ZoneInfo(box.zone))
    number, _, tenant = box.mailbox.partition("@")
    caller = caller_of(message.caller) or said["anonymous"]
    letter = EmailMessage()
    letter["Subject"] = said["subject"].format(caller=caller)
    letter["From"] = Address(addr_spec=sender)
    letter["To"] = Address(display_name=box.owner, addr_spec=box.address)
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = f"<{message.id}.{_plain(number)}.{tenant}@{sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    letter["Content-Language"] = language
    sentences = [said["left"].format(
        caller=caller, owner=box.owner, box=number, day=dated(of_pages(language), at.date()),
        time=at.strftime("%H:%M"), length=f"{message.duration_s // 60}:{message.duration_s % 60:02}",
    )]  # fmt: skip
    sentences += [said["attached"]] if sound is not None else []
    sentences.append(said["deleted"] if box.delete else said["listen"].format(code=f"{LISTEN}{number}"))
    letter.set_content("\n\n".join(sentences) + "\n")
    if sound is not None:
        name = f"{_plain(number)}-{at:%Y%m%d-%H%M%S}.wav"
        letter.add_attachment(sound, maintype="audio", subtype="x-wav", filename=name)
    return letter


def caller_of(shown: str) -> str:
    """Write `"Bruno" <11>` for a reader, `Bruno (11)`, without anything that could end a line."""
    clean = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", shown).split())[:LONGEST_CALLER]
    found = _CALLER.fullmatch(clean)
    if not found:
        return clean.strip('"')
    name, number = found["name"].strip(), found["number"].strip()
    return f"{name} ({number})" if name and number and name != number else name or number


def _plain(box: str) -> str:
    """Write a box without the signs that a key of a phone may have."""
    return box.replace("*", "s").replace("#", "h")
