"""What counts as a message on the disk, and which names reach it."""

from pathlib import Path

import pytest

from pbxcore import voicemail
from pbxcore.settings import Settings

FIRST, SECOND = "1764147600-00000001", "1764147700-00000002"
TEXT = """;
; Message Information file
;
[message]
origmailbox=10
callerid={caller}
origtime={began}
msg_id={id}
duration={seconds}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings of a machine of its own."""
    return Settings(state=tmp_path)


def _leave(
    settings: Settings, place: str, *, msg_id: str = FIRST, began: str = "1764147600", seconds: str = "3",
    caller: str = '"Bruno" <11>', sound: bytes | None = b"RIFF",
) -> Path:  # fmt: skip
    text = voicemail.folder_of(settings, "10@acme") / f"{place}.txt"
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text(TEXT.format(caller=caller, began=began, id=msg_id, seconds=seconds))
    if sound is not None:
        text.with_suffix(".wav").write_bytes(sound)
    return text


@pytest.mark.parametrize(
    "name",
    ["10", "@acme", "10@", "../10@acme", "10@../acme", "10@acme\n", "\u0661@acme", "10@ACME", "a@b"],
)
def test_only_a_box_of_a_tenant_is_a_folder(settings: Settings, name: str) -> None:
    """A name that could lead anywhere else on the disk leads nowhere."""
    with pytest.raises(ValueError, match="no mailbox"):
        voicemail.folder_of(settings, name)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("INBOX/msg0000", {"seconds": ""}),
        ("INBOX/msg0000", {"began": "soon"}),
        ("INBOX/msg0000", {"msg_id": "../../etc/passwd"}),
        ("INBOX/msg0000", {"sound": None}),
        ("tmp/msg0000", {}),
        ("INBOX/fXy12a", {}),
    ],
    ids=["still-recorded", "no-instant", "no-id", "no-sound", "still-aside", "no-name"],
)
def test_what_is_not_whole_is_no_message(settings: Settings, place: str, wrong: dict[str, str]) -> None:
    """A recording under way and a file of somebody else are not listed."""
    _leave(settings, place, **wrong)  # type: ignore[arg-type] # rows of a table
    assert voicemail.messages(settings, "10@acme") == ()


def test_messages_are_listed_by_age(settings: Settings) -> None:
    """The oldest stands first, wherever it lies; each says who called, when, how long, and if it is new."""
    _leave(settings, "INBOX/msg0000", msg_id=SECOND, began="1764147700", seconds="61", caller="Unknown")
    _leave(settings, "Old/msg0004")
    listed = [(m.id, m.caller, int(m.at.timestamp()), m.duration_s, m.new)
              for m in voicemail.messages(settings, "10@acme")]  # fmt: skip
    assert listed == [
        (FIRST, '"Bruno" <11>', 1764147600, 3, False),
        (SECOND, "", 1764147700, 61, True),
    ]


def test_an_empty_box_has_no_message(settings: Settings) -> None:
    """Asterisk makes a box's folder with its first message."""
    assert voicemail.messages(settings, "10@acme") == ()


def test_a_caller_cannot_write_another_line(settings: Settings) -> None:
    """Of a key that stands twice the first counts, which Asterisk wrote before the caller's words ended."""
    _leave(settings, "INBOX/msg0000", seconds="3\nduration=999\ncallerid=boss")
    (message,) = voicemail.messages(settings, "10@acme")
    assert (message.caller, message.duration_s) == ('"Bruno" <11>', 3)


def test_a_sound_is_that_of_its_message(settings: Settings) -> None:
    """A recording is found by its message's id, not by the place it had."""
    _leave(settings, "INBOX/msg0000", sound=b"first")
    second = _leave(settings, "INBOX/msg0001", msg_id=SECOND, sound=b"second")
    for suffix in (".wav", ".txt"):
        second.with_suffix(suffix).rename(second.with_name(f"msg0000{suffix}"))
    assert voicemail.sound(settings, "10@acme", SECOND) == b"second"
    with pytest.raises(voicemail.NoMessageError, match=FIRST):
        voicemail.sound(settings, "10@acme", FIRST)


def test_the_sound_of_another_message_is_never_given(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the name changes hands between finding and opening, the message is looked up again."""
    _leave(settings, "INBOX/msg0000", sound=b"first")
    second = _leave(settings, "INBOX/msg0001", msg_id=SECOND, sound=b"second")
    find = voicemail.find

    def then_moved(*arguments: object) -> voicemail.Message:
        found = find(*arguments)  # type: ignore[arg-type] # whatever it is asked
        if second.exists():
            for suffix in (".wav", ".txt"):
                second.with_suffix(suffix).rename(second.with_name(f"msg0000{suffix}"))
            _leave(settings, "INBOX/msg0001", msg_id="1764147800-00000003", sound=b"third")
            second.unlink()
            _leave(settings, "INBOX/msg0002", msg_id="1764147800-00000003", sound=b"third")
        return found

    monkeypatch.setattr(voicemail, "find", then_moved)
    assert voicemail.sound(settings, "10@acme", SECOND) == b"second"
