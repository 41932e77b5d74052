"""Messages in mailboxes, as Asterisk keeps them below its spool folder: listed, read, deleted.

Owns how a message is found by its id. A message is a sound and a text that says who left it, both named after
their place in the row of a folder; Asterisk renames them when an earlier one goes. So an id is looked up each
time, and what was read while the name changed hands is read again. Refuses to change a file: deleting is left
to Asterisk, which holds the lock of the box and puts the lamp out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pbxcore.control.ami import Link
from pbxcore.settings import Settings

FOLDERS: Mapping[str, bool] = {
    "INBOX": True, "Urgent": True, "Old": False, "Work": False, "Family": False, "Friends": False,
}  # fmt: skip
"""Folders of a box that its owner reaches → whether what stands there was not heard yet."""
LARGEST_TEXT = 16_384  # bytes; Asterisk writes about 500
READ_AGAIN = 5  # times; each rename of a row takes far less than one look
ID = re.compile(r"[0-9]{1,12}-[0-9a-f]{8}", re.ASCII)
_TEXT = re.compile(r"msg[0-9]{4,}\.txt", re.ASCII)
_BOX = re.compile(r"[0-9*#]{1,8}@[a-z][a-z0-9]{0,19}", re.ASCII)


class VoicemailError(Exception):
    """A message cannot be had.

    Attributes:
        code: stable word.
        remedy: what to do about it.
    """

    code = "voicemail"

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class NoMessageError(VoicemailError):
    """There is no such message in the box."""

    code = "no-message"


class RefusedError(VoicemailError):
    """Asterisk did not delete the message."""

    code = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that somebody left, whole.

    Attributes:
        mailbox: `<box>@<tenant>`.
        id: Asterisk's own, the same wherever the message moves.
        folder: of the box, as Asterisk names it.
        new: nobody has heard it.
        caller: as shown to the phone: `"Bruno" <11>`, or empty.
        at: when it began.
        sound: where its recording stands now; only good until Asterisk renames it.
    """

    mailbox: str
    id: str
    folder: str
    new: bool
    caller: str
    at: datetime
    duration_s: int
    sound: Path


def folder_of(settings: Settings, mailbox: str) -> Path:
    """Return the folder of a box.

    Raises:
        ValueError: `mailbox` is no `<box>@<tenant>`, so that no name leads anywhere else.
    """
    if not _BOX.fullmatch(mailbox):
        raise ValueError(f"{mailbox[:80]!r} is no mailbox")
    box, _, tenant = mailbox.partition("@")
    return settings.voicemail / tenant / box


def messages(settings: Settings, mailbox: str) -> tuple[Message, ...]:
    """Return the messages of a box, the oldest first. What is being recorded is none yet."""
    once = {one.id: one for one in _messages(folder_of(settings, mailbox), mailbox)}  # it may move meanwhile
    return tuple(sorted(once.values(), key=lambda one: (one.at, one.id)))


def sound(settings: Settings, mailbox: str, message: str) -> bytes:
    """Return the recording of a message as a WAV file.

    Raises:
        NoMessageError: the box has no such message.
    """
    for _ in range(READ_AGAIN):
        found = find(settings, mailbox, message)
        text = found.sound.with_suffix(".txt")
        try:
            with found.sound.open("rb") as file:
                if _fields(text).get("msg_id") == message:  # the name is still its own: so is the open file
                    return file.read()
        except FileNotFoundError:
            continue
    raise NoMessageError(f"message {message} of {mailbox} moves about", "ask again when its owner is done")


def find(settings: Settings, mailbox: str, message: str) -> Message:
    """Return a message by its id.

    Raises:
        NoMessageError: the box has no such message.
    """
    there = next((one for one in messages(settings, mailbox) if one.id == message), None)
    if there is None:
        box, _, tenant = mailbox.partition("@")
        raise NoMessageError(f"mailbox {mailbox} has no message {message[:40]!r}",
                             f"list them: pbxcore voicemail list {tenant} {box}")  # fmt: skip
    return there


async def delete(link: Link, message: Message) -> None:
    """Let Asterisk delete a message; the lamp follows.

    Raises:
        RefusedError: it does not, mostly because the message has moved.
        AmiError: it did not answer; the message may be gone.
    """
    box, _, tenant = message.mailbox.partition("@")
    fields = {"Context": tenant, "Mailbox": box, "Folder": message.folder, "ID": message.id}
    answer = await link.action("VoicemailRemove", fields)
    if not answer.success:
        said = f"Asterisk keeps message {message.id}: {answer.get('Message', 'no reason given')}"
        raise RefusedError(said, "list them again: it may have moved")


def _messages(box: Path, mailbox: str) -> Iterator[Message]:
    for folder, new in FOLDERS.items():
        for text in sorted((box / folder).glob("*.txt")):
            if _TEXT.fullmatch(text.name):
                message = _message(text, mailbox, folder=folder, new=new)
                if message:
                    yield message


def _message(text: Path, mailbox: str, *, folder: str, new: bool) -> Message | None:
    """Read one message; None for one that is not whole: its text is complete when it says how long it is."""
    try:
        fields = _fields(text)
    except FileNotFoundError:
        return None  # renamed between two looks
    began, duration = fields.get("origtime", ""), fields.get("duration", "")
    recording = text.with_suffix(".wav")
    if not (ID.fullmatch(fields.get("msg_id", "")) and began.isdecimal() and duration.isdecimal()):
        return None
    if not recording.exists():
        return None
    return Message(
        mailbox=mailbox,
        id=fields["msg_id"],
        folder=folder,
        new=new,
        caller="" if fields.get("callerid", "Unknown") == "Unknown" else fields["callerid"],
        at=datetime.fromtimestamp(int(began), UTC),
        duration_s=int(duration),
        sound=recording,
    )


def _fields(text: Path) -> dict[str, str]:
    """Read `key=value` lines; of a key that stands twice the first counts."""
    with text.open("rb") as file:
        lines = file.read(LARGEST_TEXT).decode(errors="replace").splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line]
    return dict(reversed([(key.strip(), value.strip()) for key, value in pairs]))
