"""`pbxcore phones`: what is typed into phones, and who has registered."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore import publication
from pbxcore.cli import app
from pbxcore.machine.instance import Instance
from pbxcore.machine.running import COMMAND_SOCKET
from pbxcore.phones import password_of
from pbxcore.published import Index
from pbxcore.settings import Settings

TENANT = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "account": "acme",
    "extensions": {
        "10": {
            "name": "Anna [A]",
            "devices": ["p10", {"device": "soft", "password": "s3cret-of-hers"}],
        },
        "11": {"name": "Bruno", "devices": ["p11"]},
    },
}
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine on which acme is published; its first phone is registered, another tenant's, too."""
    settings = Settings(state=tmp_path)
    plan = build_plan(TenantSpec.model_validate(TENANT), revision=3, trunks=("carrier",))
    publication.write_plan(settings.published, plan)
    publication.write_index(settings.published, Index(revisions={"acme": 3}, trunks=("carrier",)))
    folder = tmp_path / "asterisk" / "db"
    folder.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(folder / "astdb.sqlite3")) as file, file:
        file.execute("CREATE TABLE astdb (key VARCHAR(256), value VARCHAR(256), PRIMARY KEY (key))")
        rows = (("acme-p10", 60), ("acme-p11", -60), ("acmeb-p10", 60))
        file.executemany("INSERT INTO astdb VALUES (?, ?)", [(f"/registrar/contact/{user};@5", _contact(s))
                                                             for user, s in rows])  # fmt: skip
    Instance(settings).write()
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    (settings.run_dir / COMMAND_SOCKET).touch()
    return settings


@pytest.fixture
def call(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command on this machine: exit code and output."""
    monkeypatch.setenv("PBXCORE_STATE", str(settings.state))
    monkeypatch.setenv("PBXCORE_CONFIG", str(settings.state / "nowhere"))
    monkeypatch.setenv("COLUMNS", "200")

    def called(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["phones", *arguments])
        return result.exit_code, result.output

    return called


def _contact(seconds: int) -> str:
    expires = str(int(time.time()) + seconds)
    return json.dumps({"expiration_time": expires, "via_addr": "192.0.2.7", "via_port": "5062"})


def test_who_does_not_ask_sees_no_password(settings: Settings, call: Call) -> None:
    """Neither in the table nor in JSON: one that the document names as little as one made of the secret."""
    for arguments in (["acme"], ["acme", "--json"]):
        code, said = call(*arguments)
        assert (code, "acme-soft" in said) == (0, True), said
        assert "s3cret" not in said
        assert password_of(settings, "acme-p10") not in said


def test_phones_are_listed_with_all_that_is_typed_into_them(settings: Settings, call: Call) -> None:
    """Account, password on demand, extension, server; registered is whose registration has not ended."""
    found = json.loads(call("acme", "--json", "--show-passwords")[1])
    said = {
        one["user"]: (one["extension"], one["password"], one["registered"], one["address"]) for one in found
    }
    assert said == {
        "acme-p10": ("10", password_of(settings, "acme-p10"), True, "192.0.2.7:5062"),
        "acme-soft": ("10", "s3cret-of-hers", False, None),
        "acme-p11": ("11", password_of(settings, "acme-p11"), False, None),
    }
    assert {one["server"] for one in found} == {"127.0.0.1:5060"}
    code, table = call("acme", "--show-passwords")
    assert (code, "Anna [A]" in table, "192.0.2.7:5062" in table) == (0, True, True)
    assert password_of(settings, "acme-p11") in table


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_a_password_stands_in_one_piece(
    settings: Settings, call: Call, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Whoever copies it from a narrow terminal has all of it, and the account."""
    monkeypatch.setenv("COLUMNS", columns)
    rows = [line.split() for line in call("acme", "--show-passwords")[1].splitlines()]
    assert ["acme-p10", password_of(settings, "acme-p10")] in [row[:2] for row in rows]


@pytest.mark.parametrize(("tenant", "word"), [("acm", "did you mean acme?"), ("beta", "pbxcore tenants")])
def test_an_unknown_tenant_is_named_with_a_remedy(call: Call, tenant: str, word: str) -> None:
    """The one that was meant, or where they are listed."""
    code, said = call(tenant)
    assert (code, word in said) == (1, True), said


def test_what_cannot_be_read_is_not_guessed(settings: Settings, call: Call) -> None:
    """Without Asterisk's file nobody is said to be unregistered."""
    (settings.state / "asterisk" / "db" / "astdb.sqlite3").write_bytes(b"no database" * 100)
    assert {one["registered"] for one in json.loads(call("acme", "--json")[1])} == {None}
    assert "cannot be read now" in call("acme")[1]


def test_after_a_stop_nobody_knows_who_is_registered(settings: Settings, call: Call) -> None:
    """What Asterisk wrote down before it ended is not told as if it still were so."""
    (settings.run_dir / COMMAND_SOCKET).unlink()
    said = call("acme", "--json")[1]
    assert {one["registered"] for one in json.loads(said)} == {None}
