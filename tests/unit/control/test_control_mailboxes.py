"""Mailboxes of tenants: whose messages they show, in which language, and what goes when a box goes."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.plan import Plan
from dialplan.spec import TenantSpec
from pbxcore import phones, voicemail
from pbxcore.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings with an empty state folder."""
    return Settings(state=tmp_path / "state", config=tmp_path)


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def _boxes(*boxes: str, revision: int) -> Plan:
    """Give a revision of a German tenant with these mailboxes, and one more that stays."""
    document = {
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "language": "de", "account": "acme", "numbers": {},
        "extensions": {box: {"name": "X", "voicemail": {}} for box in ("18", *boxes)},
    }  # fmt: skip
    return build_plan(TenantSpec.model_validate(document), revision=revision, trunks=())


def _go_back(settings: Settings, plan: Plan, older: set[int]) -> None:
    phones.note_said_before(settings, plan, older)
    phones.publish(settings, plan)


def _leave(settings: Settings, text: str, box: str = "10") -> None:
    folder = voicemail.folder_of(settings, f"{box}@acme") / "INBOX"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "msg0000.txt").write_text(text)


def _left(settings: Settings, box: str = "10") -> str:
    file = voicemail.folder_of(settings, f"{box}@acme") / "INBOX" / "msg0000.txt"
    return file.read_text() if file.exists() else ""


def test_a_new_mailbox_of_an_old_number_is_empty(settings: Settings) -> None:
    """What was left for one owner is nothing that the next one hears; other boxes keep what they have."""
    phones.publish(settings, _boxes("10", "11", revision=1))
    _leave(settings, "for Anna")
    _leave(settings, "for Bruno", "11")
    phones.publish(settings, _boxes("11", revision=2))
    assert _left(settings) == ""
    phones.publish(settings, _boxes("10", "11", revision=3))
    assert (_left(settings), _left(settings, "11")) == ("", "for Bruno")


def test_going_back_brings_the_messages_of_that_time_back(settings: Settings) -> None:
    """Two owners had the number one after the other: each revision has the messages of its own."""
    for revision, text in ((1, "for Anna"), (3, "for Emil")):
        phones.publish(settings, _boxes("10", revision=revision))
        _leave(settings, text)
        phones.publish(settings, _boxes(revision=revision + 1))
    _go_back(settings, _boxes("10", revision=5), {1})
    assert _left(settings) == "for Anna"
    _go_back(settings, _boxes(revision=6), {2})
    _go_back(settings, _boxes("10", revision=7), {3})
    assert _left(settings) == "for Emil"
    _go_back(settings, _boxes(revision=8), {2, 4, 6})
    _go_back(settings, _boxes("10", revision=9), {5})
    assert _left(settings) == "for Anna"


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_publisher_that_dies_shows_nobody_the_messages_of_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    """It dies as it moves what the removed box had; what comes next hides it, or brings it back."""
    phones.publish(settings, _boxes("10", revision=1))
    _leave(settings, "for Anna")
    with monkeypatch.context() as dying:
        dying.setattr(Path, "rename", _deadly(Path.rename, dies))
        with pytest.raises(KeyboardInterrupt):
            phones.publish(settings, _boxes(revision=2))
    phones.publish(settings, _boxes("10", revision=3))
    assert _left(settings) == ""
    phones.publish(settings, _boxes(revision=4))
    with monkeypatch.context() as dying:
        dying.setattr(Path, "rename", _deadly(Path.rename, dies))
        with pytest.raises(KeyboardInterrupt):
            _go_back(settings, _boxes("10", revision=5), {1})
    _go_back(settings, _boxes("10", revision=5), {1})
    assert _left(settings) == "for Anna"


def _deadly(rename: Callable[[Path, Path], Path], dies: str) -> Callable[[Path, Path], Path]:
    """Give a rename of folders of mailboxes in, or after, which its process ends."""

    def renamed(source: Path, target: Path) -> Path:
        if "voicemail" in str(source):
            if dies == "after":
                rename(source, target)
            raise KeyboardInterrupt
        return rename(source, target)

    return renamed


def test_a_lost_file_of_mailboxes_hides_no_messages(settings: Settings) -> None:
    """Boxes that come without any line about them have what stands on the disk."""
    phones.publish(settings, _boxes("10", revision=1))
    _leave(settings, "for Anna")
    for file in phones.mailboxes_db(settings).parent.glob("mailboxes.sqlite*"):
        file.unlink()
    phones.prepare(settings)
    phones.publish(settings, _boxes("10", revision=1))
    assert _left(settings) == "for Anna"


def test_an_older_program_left_messages_of_boxes_that_it_removed(settings: Settings) -> None:
    """They are put away as soon as a box of their number comes."""
    phones.publish(settings, _boxes("11", revision=7))
    _leave(settings, "for Anna")
    phones.publish(settings, _boxes("10", "11", revision=8))
    assert _left(settings) == ""


def test_messages_of_removed_mailboxes_go_after_thirty_days(settings: Settings) -> None:
    """Not a day earlier; what is in a box that is there never goes."""
    phones.publish(settings, _boxes("10", "11", revision=1))
    _leave(settings, "for Anna")
    _leave(settings, "for Bruno", "11")
    phones.publish(settings, _boxes("11", revision=2))
    kept = settings.voicemail.with_name("voicemail-removed") / "acme"
    now = int(time.time())
    phones.purge(settings, now + 29 * 86_400)
    assert [path.name for path in kept.iterdir()] == ["10.1"]
    phones.purge(settings, now + 31 * 86_400)
    assert list(kept.iterdir()) == []
    assert phones.removed_mailboxes_of(settings, ["acme"]) == frozenset()
    _go_back(settings, _boxes("10", "11", revision=3), {1})
    assert (_left(settings), _left(settings, "11")) == ("", "for Bruno")


def test_a_mailbox_is_told_in_a_language_that_the_machine_has(settings: Settings) -> None:
    """Asterisk hangs up where a word of German grammar is missing: without a voice it is English."""
    phones.publish(settings, _boxes(revision=1))
    languages = []
    for voices in ((), ("de", "en"), ("en",)):
        phones.give_voices(settings, voices)
        languages += _rows(phones.mailboxes_db(settings), "SELECT language FROM voicemail")
    assert languages == [("en",), ("de",), ("en",)]
