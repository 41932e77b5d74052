"""Phones and mailboxes as rows: what changes, what stays, and what Asterisk has to forget."""

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from dialplan.build import build_plan
from dialplan.plan import Plan
from dialplan.spec import TenantSpec
from pbxcore import phones
from pbxcore.control.main import expire
from pbxcore.control.patience import Patience
from pbxcore.settings import Settings

if TYPE_CHECKING:
    from pbxcore.control.ami import Link


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings with an empty state folder."""
    return Settings(state=tmp_path / "state", config=tmp_path)


def _plan(tenant: str = "acme", **extensions: dict[str, Any]) -> Plan:
    document = {
        "version": 1, "tenant": tenant, "name": tenant, "country": "DE", "time_zone": "Europe/Berlin",
        "language": "de", "account": tenant, "numbers": {},
        "extensions": {key.strip("e"): {"name": "X", **extension} for key, extension in extensions.items()},
    }  # fmt: skip
    return build_plan(TenantSpec.model_validate(document), revision=1, trunks=())


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def test_what_is_unchanged_needs_no_forgetting(settings: Settings) -> None:
    """Asterisk remembers no phone that was not there; the same plan again changes nothing."""
    plan = _plan(e10={"devices": [{"device": "a"}]})
    assert phones.publish(settings, plan) == (phones.Changed("lamp", "acme/_1[0]"),)
    assert phones.publish(settings, plan) == ()


def test_a_new_password_changes_the_auth_alone(settings: Settings) -> None:
    """Only what differs is forgotten."""
    phones.publish(settings, _plan(e10={"devices": [{"device": "a"}]}))
    changed = phones.publish(
        settings, _plan(e10={"devices": [{"device": "a", "password": "another-long-one"}]})
    )
    assert changed == (phones.Changed("auth", "acme-a"),)
    assert _rows(settings.phones_db, "SELECT password FROM ps_auths") == [("another-long-one",)]


def test_a_device_that_is_gone_is_removed_and_forgotten(settings: Settings) -> None:
    """Neither row nor cache may let it register again; another tenant's stays."""
    phones.publish(settings, _plan(e10={"devices": [{"device": "a"}, {"device": "b"}]}))
    phones.publish(settings, _plan("other", e10={"devices": [{"device": "a"}]}))
    changed = phones.publish(settings, _plan(e10={"devices": [{"device": "b"}]}))
    assert {change.id for change in changed} == {"acme-a", "acme/10"}
    assert _rows(settings.phones_db, "SELECT id FROM ps_endpoints ORDER BY id") == [("acme-b",), ("other-a",)]


def test_a_confirmed_change_is_no_longer_due(settings: Settings) -> None:
    """What Asterisk has not confirmed stays due, over any restart of ours."""
    changed = phones.publish(settings, _plan(e10={"devices": [{"device": "a"}]}))
    assert phones.to_expire(settings) == changed
    phones.expired(settings, phones.to_expire(settings)[:1])
    assert phones.to_expire(settings) == changed[1:]


def test_what_changes_while_it_is_expired_stays_due(settings: Settings) -> None:
    """A second change between Asterisk's answer and our note of it: the old password is expired again."""
    first, second, third = (
        _plan(e10={"devices": [{"device": "a", "password": f"{word}-password"}]})
        for word in ("first", "second", "third")
    )
    phones.publish(settings, first)
    phones.publish(settings, second)
    sent = phones.to_expire(settings)
    phones.publish(settings, third)
    phones.expired(settings, sent)
    assert phones.to_expire(settings) == (phones.Changed("auth", "acme-a"),)


def test_each_phone_is_to_be_followed_once_by_each_start_of_asterisk(settings: Settings) -> None:
    """A new phone is due, one that is gone is not; another start or reload of Asterisk makes all due."""
    phones.publish(settings, _plan(e10={"devices": [{"device": "a"}, {"device": "b"}]}))
    phones.publish(settings, _plan(e10={"devices": [{"device": "b"}, {"device": "c"}]}))
    assert phones.unfollowed(settings, 9) == ("acme-b", "acme-c")
    phones.follow_from(settings, "Monday")
    phones.followed(settings, ["acme-b"])
    assert (phones.unfollowed(settings, 9), phones.counts(settings).unfollowed) == (("acme-c",), 1)
    phones.follow_from(settings, "Monday")
    assert phones.unfollowed(settings, 9) == ("acme-c",)
    phones.follow_from(settings, "Tuesday")
    assert phones.unfollowed(settings, 1) == ("acme-b",)
    assert phones.unfollowed(settings, 9) == ("acme-b", "acme-c")


def test_a_pin_that_a_user_set_stays(settings: Settings) -> None:
    """Asterisk writes a changed PIN back; only another PIN in the document overrules it."""
    phones.publish(settings, _plan(e10={"voicemail": {"pin": "1111"}}))
    with closing(sqlite3.connect(phones.mailboxes_db(settings))) as db:
        db.execute("UPDATE voicemail SET password = '2222'")
        db.commit()
    phones.publish(settings, _plan(e10={"voicemail": {"pin": "1111"}}))
    assert _rows(phones.mailboxes_db(settings), "SELECT password FROM voicemail") == [("2222",)]
    phones.publish(settings, _plan(e10={"voicemail": {"pin": "3333"}}))
    assert _rows(phones.mailboxes_db(settings), "SELECT password FROM voicemail") == [("3333",)]


def test_a_file_of_an_older_version_gets_its_columns(settings: Settings) -> None:
    """An upgrade adds what is missing, in place."""
    phones.prepare(settings)
    with closing(sqlite3.connect(settings.phones_db)) as db:
        db.execute("ALTER TABLE ps_endpoints DROP COLUMN callerid_tag")
    phones.publish(settings, _plan(e10={"devices": [{"device": "a"}]}))
    assert _rows(settings.phones_db, "SELECT id FROM ps_endpoints") == [("acme-a",)]


def test_secrets_are_derived_and_private(settings: Settings, tmp_path: Path) -> None:
    """The same machine gives the same password again, another machine another; the secret is private."""
    first = phones.password_of(settings, "acme-a")
    assert first == phones.password_of(settings, "acme-a")
    assert first != phones.password_of(settings, "acme-b")
    assert first != phones.password_of(Settings(state=tmp_path / "else", config=tmp_path), "acme-a")
    assert len(first) == 16
    assert phones.pin_of(settings, "10@acme").isdigit()
    assert (settings.state / "secret").stat().st_mode & 0o777 == 0o600


async def test_a_lamp_that_asterisk_refuses_stays_due(settings: Settings) -> None:
    """What was refused is tried again; an object that is not cached is forgotten already."""

    async def refuse(name: str, fields: dict[str, str]) -> SimpleNamespace:
        return SimpleNamespace(success=False, name=name, fields=fields)

    phones.publish(settings, _plan(e10={"devices": [{"device": "a"}]}))
    phones.publish(settings, _plan(e10={"devices": [{"device": "a", "password": "another-password"}]}))
    assert {one.kind for one in phones.to_expire(settings)} == {"auth", "lamp"}
    link, patience = cast("Link", SimpleNamespace(action=refuse)), Patience()
    assert await expire(settings, link, patience) == ["acme/_1[0]"]
    assert {one.kind for one in phones.to_expire(settings)} == {"lamp"}
    assert await expire(settings, link, patience) == []  # not so soon
    phones.publish(settings, _plan(e10={"devices": [{"device": "b"}]}, e11={"devices": [{"device": "c"}]}))
    assert await expire(settings, link, patience) == ["acme/10", "acme/_1[01]"]  # another change is


def test_music_is_each_tenants_own(settings: Settings) -> None:
    """Classes bear the tenant's name, sounds lie in its folder, in order; who goes takes all."""
    music = {"a": ["two", "one"], "b": {"sounds": ["one"], "order": "random"}}
    extension = {"name": "X", "devices": ["p"], "on_hold": "b"}
    for tenant in ("acme", "acme2"):
        phones.publish(
            settings, _musical(tenant, music, {"10": extension, "11": {**extension, "devices": []}})
        )
    endpoints = "SELECT id, moh_suggest FROM ps_endpoints ORDER BY id"
    assert _rows(settings.phones_db, endpoints) == [("acme-p", "acme-b"), ("acme2-p", "acme2-b")]
    folder = settings.sounds.absolute() / "acme"
    entries = "SELECT * FROM musiconhold_entry WHERE name LIKE 'acme-%' ORDER BY name, position"
    assert _rows(settings.phones_db, entries) == [
        ("acme-a", 0, f"{folder}/two"), ("acme-a", 1, f"{folder}/one"), ("acme-b", 0, f"{folder}/one"),
    ]  # fmt: skip
    sorts = "SELECT name, sort FROM musiconhold WHERE name LIKE 'acme-%' ORDER BY name"
    assert _rows(settings.phones_db, sorts) == [("acme-a", ""), ("acme-b", "random")]
    phones.publish(settings, _musical("acme", {}, {}))
    names = "SELECT name FROM musiconhold UNION SELECT name FROM musiconhold_entry ORDER BY name"
    assert _rows(settings.phones_db, names) == [("acme2-a",), ("acme2-b",)]


def test_other_sounds_of_a_class_need_no_forgetting(settings: Settings) -> None:
    """Asterisk looks a class up at each hold; only an endpoint that names another class is expired."""
    extensions = {"10": {"name": "X", "devices": ["p"]}}
    phones.publish(settings, _musical("acme", {"a": ["one"]}, extensions, on_hold="a"))
    assert phones.publish(settings, _musical("acme", {"a": ["two"]}, extensions, on_hold="a")) == ()
    changed = phones.publish(settings, _musical("acme", {}, extensions))
    assert changed == (phones.Changed("endpoint", "acme-p"),)
    assert _rows(settings.phones_db, "SELECT moh_suggest FROM ps_endpoints") == [("default",)]


def _musical(tenant: str, music: dict[str, Any], extensions: dict[str, Any], **more: str) -> Plan:
    document = {"version": 1, "tenant": tenant, "name": tenant, "country": "DE", "time_zone": "Europe/Berlin",
                "account": tenant, "extensions": extensions, "music": music, **more}  # fmt: skip
    return build_plan(TenantSpec.model_validate(document), revision=1, trunks=())
