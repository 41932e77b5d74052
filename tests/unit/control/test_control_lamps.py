"""Lamps as hints: which extensions a tenant's context knows, and what a running Asterisk is told."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pbxcore import lamps
from pbxcore.settings import Settings


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """Give an empty table of lamps."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute("CREATE TABLE lamps (id TEXT PRIMARY KEY, tenant TEXT, hint TEXT)")
        yield made


@pytest.mark.parametrize(
    ("numbers", "patterns"),
    [
        ((), ()),
        (("7",), ("_[7]",)),
        (("12", "10", "15"), ("_1[025]",)),
        (("10", "100", "20"), ("_1[0]", "_10[0]", "_2[0]")),
    ],
)
def test_patterns_match_these_extensions_alone(numbers: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    """A number that is no extension has no lamp: no pattern has a wildcard."""
    assert lamps.patterns(numbers) == patterns


def test_what_is_unchanged_is_not_told(db: sqlite3.Connection) -> None:
    """Only what differs is due; the lamps of another tenant stay as they are."""
    lamps.replace(db, "acme", {"10": "PJSIP/acme-a", "_1[0]": "${LOOK_UP}"})
    lamps.replace(db, "beta", {"10": "PJSIP/beta-a"})
    assert lamps.replace(db, "acme", {"10": "PJSIP/acme-b", "_1[0]": "${LOOK_UP}"}) == ["acme/10"]
    assert lamps.replace(db, "acme", {"10": "PJSIP/acme-b", "_1[0]": "${LOOK_UP}"}) == []
    assert lamps.replace(db, "acme", {}) == ["acme/10", "acme/_1[0]"]
    assert db.execute("SELECT id FROM lamps").fetchall() == [("beta/10",)]


def test_of_a_new_extension_its_pattern_is_told(db: sqlite3.Connection) -> None:
    """Nobody watches it yet: the pattern answers the first who does."""
    assert lamps.replace(db, "acme", {"10": "PJSIP/acme-a", "_1[0]": "${LOOK_UP}"}) == ["acme/_1[0]"]
    more = {"10": "PJSIP/acme-a", "11": "PJSIP/acme-b", "_1[01]": "${LOOK_UP}"}
    assert lamps.replace(db, "acme", more) == ["acme/_1[01]", "acme/_1[0]"]


def test_a_changed_lamp_is_replaced_and_an_old_one_removed(db: sqlite3.Connection) -> None:
    """The action says what the last change wants, in the tenant's own context."""
    lamps.replace(db, "acme", {"10": "PJSIP/acme-a&PJSIP/acme-b"})
    where = {"Context": "lamps-acme", "Priority": "hint"}
    wanted = {**where, "Extension": "10", "Application": "PJSIP/acme-a&PJSIP/acme-b", "Replace": "yes"}
    assert lamps.action(db, "acme/10") == ("DialplanExtensionAdd", wanted)
    assert lamps.action(db, "acme/11") == ("DialplanExtensionRemove", {**where, "Extension": "11"})


def test_a_tenant_without_lamps_has_no_file(tmp_path: Path) -> None:
    """The file holds the patterns alone and goes with the last of them; one file is always there."""
    settings = Settings(state=tmp_path, config=tmp_path)
    lamps.prepare(settings)
    lamps.write(settings, "acme", {"10": "PJSIP/acme-a", "_1[0]": "${LOOK_UP}"})
    written = (lamps.folder(settings) / "acme.conf").read_text()
    assert written == "[lamps-acme]\nexten => _1[0],hint,${LOOK_UP}\n"
    lamps.write(settings, "acme", {})
    assert [path.name for path in lamps.folder(settings).iterdir()] == [lamps.NEVER_A_TENANT]
