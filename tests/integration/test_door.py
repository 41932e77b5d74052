"""The door: a change is stored and in force as a whole, or nothing of it is."""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from pbxcore import (
    database,
    door,
    lamps,
    leavings,
    phones,
    prompts,
    publication,
    published,
    revisions,
    sounds,
    speech,
    turn,
    voicemail,
)
from pbxcore.door import Applied
from pbxcore.practice import tone
from pbxcore.rater.book import load_book
from pbxcore.settings import Settings, Trunk
from rating.destinations.load import load

CONFIG = Path(__file__).parents[2] / "config"

ACCOUNT = """
version: 1
account: {name}
name: {name}
country: DE
catalogue: autphone
time_zone: Europe/Berlin
"""

TENANT = """
version: 1
tenant: {name}
name: {name}
country: DE
time_zone: Europe/Berlin
account: {account}
numbers:
  "{number}": {{to: extension 10}}
extensions:
  "10": {{name: Ten, devices: [p10]}}
"""


async def put(settings: Settings, **texts: str) -> Applied:
    """Apply documents given as text."""
    folder = settings.state / "documents"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return await door.apply(settings, [folder], author="test")


async def start(settings: Settings) -> Applied:
    """Apply the example, as `pbxcore run` does at its first start."""
    applied = await door.apply(
        settings, [CONFIG / "catalogues", CONFIG / "accounts", CONFIG / "tenants"], author="test"
    )
    assert not applied.findings
    return applied


async def rows(settings: Settings, query: str) -> list[asyncpg.Record]:
    """What stands in the database."""
    connection = await asyncpg.connect(settings.database)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def index(settings: Settings) -> Mapping[str, Any]:
    """What is published."""
    return dict(json.loads((settings.published / "index.json").read_text()))


def codes(applied: Applied) -> list[tuple[str, int, str]]:
    """File, line and code of every finding."""
    return [(Path(one.file).name, one.line, one.finding.code) for one in applied.findings]


async def test_all_mistakes_of_a_file_are_named_and_nothing_is_applied(settings: Settings) -> None:
    """Unknown key, wrong type, no number, missing member, cycle, another's number: all at once, by line."""
    await start(settings)
    before = index(settings), await rows(settings, "SELECT * FROM revision"), phones.to_expire(settings)
    bad = """version: 1
tenant: bad
name: Bad
country: DE
time_zone: Europe/Berlin
account: acme
colour: blue
numbers:
  "+493055500100": {to: extension 10}
  "12": {to: extension 10}
extensions:
  "10": {name: Ten, devices: 7, forward: {always: extension 11}}
  "11": {name: Eleven, forward: {always: extension 10}}
groups:
  all: {name: All, extension: "60", members: ["10", "99"]}
"""
    twin = TENANT.format(name="twin", account="acme", number="+493055500199")
    other = TENANT.format(name="other", account="acme", number="+493055500199")
    applied = await put(settings, bad=bad, twin=twin, other=other)
    assert applied.changes == ()
    found = codes(applied)
    lines = {(file, line) for file, line, _ in found}
    assert {("bad.yaml", n) for n in (7, 10, 12, 15)} <= lines
    assert ("twin.yaml", 9, "number-taken") in found
    assert ("other.yaml", 9, "number-taken") in found
    assert any("cycle" in code or "loop" in code for _, _, code in found)
    after = index(settings), await rows(settings, "SELECT * FROM revision"), phones.to_expire(settings)
    assert after == before


async def test_a_number_of_a_tenant_in_force_is_not_taken(settings: Settings) -> None:
    """A number that another tenant has is refused with its line, and so is a missing account."""
    await start(settings)
    thief = TENANT.format(name="thief", account="nobody", number="+493022200100")  # acme's T stands for it
    applied = await put(settings, thief=thief)
    assert codes(applied) == [("thief.yaml", 9, "number-taken"), ("thief.yaml", 7, "unknown-account")]
    assert "thief" not in index(settings)["tenants"]


async def test_a_bundle_that_is_not_sold_is_refused(settings: Settings) -> None:
    """Accounts and catalogues are judged with those in force, too."""
    await start(settings)
    text = ACCOUNT.format(name="acme") + "bundles:\n  - {bundle: moon, size: S, from: 2026-01-01}\n"
    applied = await put(settings, account=text)
    assert [(line, "bundle" in code) for _, line, code in codes(applied)] == [(9, True)]


async def test_a_limit_of_nobody_is_refused_and_one_of_somebody_is_published(settings: Settings) -> None:
    """Extensions are those of the tenants in force; the index says of whom the rater is asked."""
    await start(settings)
    account = (CONFIG / "accounts" / "acme.yaml").read_text()
    lines = account.count("\n")
    limits = account + 'spend_limits:\n  extensions:\n    {payer}: {{per_day: "5.00"}}\n'
    for payer, code in (("acme/999", "unknown-extension"), ("nobody/10", "unknown-tenant")):
        applied = await put(settings, account=limits.format(payer=payer))
        assert codes(applied) == [("account.yaml", lines + 3, code)]
    for text, limited in ((limits.format(payer="acme/10"), {"acme"}), (account, set())):
        assert not (await put(settings, account=text)).findings
        index = published.read_index(settings.published)
        assert (set(index.limited), set(index.prepaid)) == (limited, set())


async def test_new_limits_in_a_tenant_that_cannot_be_read_are_refused(settings: Settings) -> None:
    """Nobody can tell whether they are somebody's; what was limited before stays, and may be edited."""
    await start(settings)
    account = (CONFIG / "accounts" / "acme.yaml").read_text() + "spend_limits:\n  extensions:\n"
    lines = account.count("\n")
    limits = account + '    acme/10: {per_day: "5.00"}\n'
    assert not (await put(settings, account=limits)).findings
    connection = await asyncpg.connect(settings.database)
    try:
        await connection.execute(
            "UPDATE revision SET document = document || '{\"future\": 1}' WHERE kind = 'tenant'"
        )
    finally:
        await connection.close()
    assert not (await put(settings, account=limits.replace("5.00", "6.00"))).findings
    more = await put(settings, account=limits + '    acme/11: {per_day: "5.00"}\n')
    assert codes(more) == [("account.yaml", lines + 2, "unread-tenant")]


async def test_a_catalogue_that_breaks_an_account_in_force_is_refused(settings: Settings) -> None:
    """A later version in another currency, or without a bundle that somebody has booked."""
    await start(settings)
    text = (CONFIG / "catalogues/autphone.yaml").read_text()
    later = text.replace("valid_from: 2026-01-01", "valid_from: 2027-01-01")
    swiss = await put(settings, later=later.replace("currency: EUR", "currency: CHF"))
    assert [code for _, _, code in codes(swiss)] == ["currency-changed"]
    without = await put(settings, later=later.replace("  dach:\n", "  dachs:\n"))
    (finding,) = without.findings
    assert "account acme" in str(finding)
    assert not (await put(settings, later=later)).findings


async def test_an_account_in_no_country_is_refused(settings: Settings) -> None:
    """Short numbers and freephone depend on it."""
    await start(settings)
    text = ACCOUNT.format(name="nowhere").replace("country: DE", "country: ZZ")
    assert [(line, code) for _, line, code in codes(await put(settings, nowhere=text))] == [
        (5, "unknown-country")
    ]


async def test_what_says_the_same_makes_no_revision(settings: Settings) -> None:
    """Applying twice changes nothing; a comment is no change."""
    await start(settings)
    again = await start(settings)
    assert {change.changed for change in again.changes} == {False}
    assert again.published == ()
    text = (CONFIG / "tenants" / "acme.yaml").read_text()
    commented = await put(settings, acme="# a word more\n" + text)
    assert [(change.revision, change.changed) for change in commented.changes] == [(1, False)]


async def test_a_change_is_in_force_with_its_phones(settings: Settings) -> None:
    """A new revision stands in the plan file, in the index and in the rows that Asterisk reads."""
    await start(settings)
    text = (CONFIG / "tenants" / "acme.yaml").read_text().replace("devices: [p12]", "devices: [p12, p13]")
    applied = await put(settings, acme=text)
    assert [(change.id, change.revision) for change in applied.changes] == [("acme", 2)]
    assert index(settings)["tenants"] == {"acme": 2}
    plan = json.loads((settings.published / "tenants" / "acme.2.json").read_text())
    assert plan["revision"] == 2
    assert {one.id for one in phones.to_expire(settings)} == {"acme/12", "acme/_1[012]"}  # lamps
    assert phones.unfollowed(settings, 9) == ("acme-p10", "acme-p11", "acme-p12", "acme-p13")
    assert [one.process for one in applied.published[0].acknowledged if not one.done] == [
        "control",
        "standby",
        "Asterisk",
    ]


async def test_texts_are_spoken_before_a_change_is_stored(settings: Settings, speech_root: Path) -> None:
    """Without an engine a text is a mistake with its line; with one its sound is there in time."""
    await start(settings)
    tenant = TENANT.format(name="beta", account="acme", number="+493055520020").replace(
        "to: extension 10", "to: announcement hello"
    )
    tenant += 'announcements:\n  hello: {spoken: "Guten Tag.", then: extension 10}\nlanguage: de\n'
    applied = await put(settings, beta=tenant)
    if not speech.engine(settings.state):
        assert [(one.line, one.finding.code) for one in applied.findings] == [(13, "no-voice")]
        (settings.state / speech.TREE).symlink_to(speech_root)
        applied = await put(settings, beta=tenant)
    assert not applied.findings
    (sound,) = (settings.sounds / "beta" / "spoken").glob("de-*.wav")
    said = {str(path.relative_to(settings.prompts)) for path in settings.prompts.rglob("[!.]*.wav")}
    assert said == {f"de/{name}.wav" for name in prompts.texts()["de"]}, (
        "what we say ourselves, in German too"
    )
    assert {sounds.flaw(settings.prompts / name) for name in said} == {""}
    assert sounds.flaw(sound) == ""
    assert sound.stat().st_size > tone.RATE_HZ, "half a second"
    aged(sound)
    assert not (await put(settings, beta=tenant.replace("Guten Tag.", "Guten Morgen."))).findings
    assert sound.exists(), "a call may have been told to play it a moment ago"
    aged(sound.with_suffix(".unnamed"))
    assert not (await put(settings, beta=tenant.replace("Guten Tag.", "Guten Abend."))).findings
    assert not sound.exists(), "what no plan has named for a day is gone"


def aged(file: Path) -> None:
    """Let a file be two days old."""
    written = file.stat().st_mtime_ns
    os.utime(file, ns=(written, written - 2 * speech.KEPT_S * 10**9))


async def test_a_rollback_brings_the_messages_of_a_removed_mailbox_back(settings: Settings) -> None:
    """Whoever has the number meanwhile does not hear them, and takes its own away with it."""
    await start(settings)
    without = TENANT.format(name="beta", account="acme", number="+493055520020")
    anna = without.replace("devices: [p10]", "voicemail: {}")
    box = voicemail.folder_of(settings, "10@beta")
    box.mkdir(parents=True)
    (box / "whose").write_text("Anna's")
    there = []
    for document in (anna, without, anna.replace("Ten", "Emil"), without, anna):
        assert not (await put(settings, beta=document)).findings
        there.append((box / "whose").read_text() if box.exists() else "")
    assert there == ["Anna's", "", "", "", "Anna's"]


async def test_no_plan_file_stays_that_nobody_reads(settings: Settings) -> None:
    """The plan in force and the one that was before it are there; what was cut off between them is not."""
    await start(settings)
    acme = (CONFIG / "tenants" / "acme.yaml").read_text()
    for revision in (2, 3, 4):
        await put(settings, acme=acme.replace("timeout_s: 12", f"timeout_s: {12 + revision}"))
        if revision == 3:  # stored and laid out, never in force
            publication.write_index(settings.published, published.Index(revisions={"acme": 2}))
    there = sorted(path.name for path in (settings.published / "tenants").glob("acme.*"))
    assert there == ["acme.2.json", "acme.4.json"]


async def test_a_contract_with_a_mistake_keeps_everything_beside_it_out(settings: Settings) -> None:
    """A contract is one document of a change like any other: refused, nothing beside it is stored."""
    await start(settings)
    contract = "version: 1\ncontract: acme\ncatalogue: autfone\n"
    applied = await put(settings, account=ACCOUNT.format(name="other"), contract=contract)
    assert codes(applied) == [("contract.yaml", 3, "unknown-catalogue")]
    assert applied.changes == ()


async def test_a_number_moves_between_tenants_in_one_go(settings: Settings) -> None:
    """Both documents in one change: the number belongs to one tenant at every instant."""
    await put(settings, a=ACCOUNT.format(name="acc"), c=(CONFIG / "catalogues/autphone.yaml").read_text())
    one, two = "+493055500191", "+493055500192"
    made = {name: TENANT.format(name=name, account="acc", number=n) for name, n in (("x", one), ("y", two))}
    assert not (await put(settings, **made)).findings
    moved = {name: TENANT.format(name=name, account="acc", number=n) for name, n in (("x", two), ("y", one))}
    assert not (await put(settings, **moved)).findings
    plans = published.load(settings.published)
    led = {number: plan.tenant for number in (one, two) if (plan := plans.plan_of_number(number))}
    assert led == {one: "y", two: "x"}
    open_now = await rows(
        settings, "SELECT number, tenant FROM number WHERE upper_inf(valid) ORDER BY number"
    )
    assert [tuple(row) for row in open_now] == [(one, "y"), (two, "x")]


@pytest.mark.parametrize("step", ["write_plan", "lay_index", "publish", "_put_in_force"])
async def test_a_publication_that_was_cut_off_is_completed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever step the process dies at after the commit, the next change or start completes it."""
    await start(settings)
    text = (CONFIG / "tenants" / "acme.yaml").read_text().replace("timeout_s: 12", "timeout_s: 15")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(phones if step == "publish" else publication, step, die)
        with pytest.raises(KeyboardInterrupt):
            await put(settings, acme=text)
    assert index(settings)["tenants"] == {"acme": 1}
    again = await put(settings, acme=text)
    assert [(change.revision, change.changed) for change in again.changes] == [(2, False)]
    assert [(one.tenant, one.revision) for one in again.published] == [("acme", 2)]
    assert index(settings)["tenants"] == {"acme": 2}


@pytest.mark.parametrize(
    ("module", "step", "revision"),
    [
        (publication, "write_plan", 1),
        (publication, "lay_index", 1),
        (phones, "_replace_mailboxes", 2),
        (phones, "_replace_phones", 2),
        (lamps, "write", 2),
        (leavings, "of", 2),
    ],
)
async def test_what_was_cut_off_is_no_mixture_while_the_database_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str, revision: int
) -> None:
    """Nothing of a publication is in force before all of it is laid down; from then on all of it can be."""
    await start(settings)
    text = (CONFIG / "tenants" / "acme.yaml").read_text().replace("devices: [p12]", "devices: [p13]")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, step, die)
        with pytest.raises(KeyboardInterrupt):
            await put(settings, acme=text)
    away = settings.model_copy(update={"database": "postgresql://nobody@127.0.0.1:1/none"})
    assert publication.finish(away) == (("acme",) if revision == 2 else ())
    assert index(settings)["tenants"] == {"acme": revision}
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as db:
        there = {row[0] for row in db.execute("SELECT id FROM ps_endpoints")}
    assert ("acme-p12" in there, "acme-p13" in there) == (revision == 1, revision == 2)
    assert publication.finish(away) == (), "nothing is left"
    assert not (await put(settings, acme=text)).findings
    assert index(settings)["tenants"] == {"acme": 2}


async def test_a_publisher_that_was_overtaken_takes_nothing_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had read what is stored when the database died, and with it its turn; another one came since."""
    await start(settings)
    text = (CONFIG / "tenants" / "acme.yaml").read_text()
    real = publication._behind

    async def slow(
        settings: Settings, connection: database.Connection, *, looked_for: Collection[str]
    ) -> publication._Behind:
        found = await real(settings, connection, looked_for=looked_for)
        monkeypatch.setattr(publication, "_behind", real)
        await turn.give_back(connection, turn.PUBLISHER)
        await put(settings, acme=text.replace("devices: [p12]", "devices: [p14]"))
        return found

    monkeypatch.setattr(publication, "_behind", slow)
    await put(settings, acme=text.replace("devices: [p12]", "devices: [p13]"))
    assert index(settings)["tenants"] == {"acme": 3}
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as db:
        there = {row[0] for row in db.execute("SELECT id FROM ps_endpoints")}
    assert "acme-p14" in there
    assert "acme-p13" not in there


async def test_credit_that_was_stored_and_not_published_is_late_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who dies before an account that became prepaid is published leaves it no calls without limit."""
    await start(settings)
    account = (CONFIG / "accounts" / "acme.yaml").read_text() + "\npayment: prepaid\n"

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publication, "lay_index", die)
        with pytest.raises(KeyboardInterrupt):
            await put(settings, acme=account)
    assert published.load(settings.published).prepaid == frozenset()
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        assert not await publication.is_complete(settings, connection), "then web completes it"
        await publication.catch_up(settings, connection)
        assert await publication.is_complete(settings, connection)
    finally:
        await connection.close()
    assert published.load(settings.published).prepaid == {"acme"}


async def test_old_plans_do_not_pile_up(settings: Settings) -> None:
    """The plan in force and the one before it are kept, however often a tenant changes."""
    await start(settings)
    text = (CONFIG / "tenants" / "acme.yaml").read_text()
    for seconds in (13, 14, 15):
        await put(settings, acme=text.replace("timeout_s: 12", f"timeout_s: {seconds}"))
    names = sorted(path.name for path in (settings.published / "tenants").iterdir())
    assert names == ["acme.3.json", "acme.4.json"]


async def test_another_trunk_reaches_every_plan(settings: Settings) -> None:
    """Trunks are settings of the machine and stand in every plan: the next start publishes them."""
    await start(settings)
    renamed = settings.model_copy(update={"trunks": (Trunk(name="other", host="127.0.0.2"),)})
    connection = await database.connect(renamed.database, application="test")
    try:
        there = await publication.catch_up(renamed, connection)
        again = await publication.catch_up(renamed, connection)
    finally:
        await connection.close()
    assert ([one.tenant for one in there], again) == (["acme"], ())
    assert {plan.trunks for plan in published.load(settings.published).plans.values()} == {("other",)}


async def test_catalogues_keep_each_of_their_dated_versions(settings: Settings) -> None:
    """Two versions of one catalogue are two documents, each with revisions of its own."""
    text = (CONFIG / "catalogues/autphone.yaml").read_text()
    later = text.replace("valid_from: 2026-01-01", "valid_from: 2027-01-01")
    applied = await put(settings, now=text, later=later)
    assert [change.id for change in applied.changes] == ["autphone@2026-01-01", "autphone@2027-01-01"]


async def test_a_revision_of_a_catalogue_holds_its_price_list(settings: Settings, tmp_path: Path) -> None:
    """A new list is a new revision; the old one is put back from its own text, without the file of then."""
    await start(settings)
    offer, csv = tmp_path / "offer.yaml", tmp_path / "atoz.csv"
    shipped = (CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8")
    offer.write_text(shipped + "price_lists: [{price_list: atoz, file: atoz.csv}]\n")
    found = []
    for price in ("0.01", "0.02", "0.02", "free"):
        csv.write_text(f"prefix,name,price_per_minute\n49,Germany,{price}\n")
        found.append(await door.apply(settings, [offer], author="test"))
    assert [[(one.revision, one.changed) for one in applied.changes] for applied in found] == [
        *([(2, True)], [(3, True)], [(3, False)], [])
    ]
    (wrong,) = found[3].findings
    assert (wrong.file, wrong.line, wrong.finding.code) == (str(csv), 2, "wrong-value")
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        second = await revisions.revision(connection, "catalogue", "autphone@2026-01-01", 2)
        assert second is not None
        back = await put(settings, autphone=second.source)
        book = await load_book(connection, load(CONFIG / "destinations"))
    finally:
        await connection.close()
    assert [(one.revision, one.changed) for one in back.changes] == [(4, True)]
    (table,) = book.tariffs["autphone"][0].tables(date(2026, 1, 1))
    assert [row.price_per_minute_micro for row in table.rows.values()] == [10_000]


async def test_a_program_with_another_form_of_phones_publishes_all_again(settings: Settings) -> None:
    """After an update a tenant nobody changes gets what the new program says of its phones, and once."""
    await start(settings)
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as db, db:
        db.execute("DELETE FROM lamps")
        db.execute("UPDATE ps_endpoints SET subscribe_context = NULL")
        db.execute("PRAGMA user_version = 1")
    connection = await database.connect(settings.database, application="test")
    try:
        assert [one.tenant for one in await publication.catch_up(settings, connection)] == ["acme"]
        assert await publication.catch_up(settings, connection) == ()
    finally:
        await connection.close()
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as db:
        assert db.execute("SELECT count(*) FROM lamps WHERE id = 'acme/10'").fetchone() == (1,)
        assert set(db.execute("SELECT subscribe_context FROM ps_endpoints")) == {("lamps-acme",)}


async def test_music_is_in_force_once_its_sounds_are_there(settings: Settings, tmp_path: Path) -> None:
    """A missing sound holds the change back; once it is brought, the phone's music is the tenant's."""
    await start(settings)
    texts = {
        "account": ACCOUNT.format(name="new"),
        "tenant": TENANT.format(name="new", account="new", number="+493055500999")
        + "music: {waiting: [summer]}\non_hold: waiting\n",
    }
    refused = await put(settings, **texts)
    assert codes(refused) == [("tenant.yaml", 12, "missing-sound")]
    assert not await rows(settings, "SELECT * FROM revision WHERE id = 'new'")
    sounds.add(settings.sounds, "new", tone.write(tmp_path / "summer.wav", 700))
    assert not (await put(settings, **texts)).findings
    with contextlib.closing(sqlite3.connect(settings.phones_db)) as db:
        suggested = db.execute("SELECT moh_suggest FROM ps_endpoints WHERE id = 'new-p10'").fetchone()
        played = db.execute("SELECT entry FROM musiconhold_entry WHERE name = 'new-waiting'").fetchone()
    assert suggested == ("new-waiting",)
    assert played == (str(settings.sounds.absolute() / "new" / "summer"),)


async def test_a_tenant_gets_no_more_than_it_is_entitled_to(settings: Settings) -> None:
    """What is withheld for good is refused by line; what is granted later waits in the plan."""
    await start(settings)
    account = ACCOUNT.format(name="new")
    tenant = TENANT.format(name="new", account="new", number="+493055500999").replace(
        "devices: [p10]", "devices: [p10], voicemail: {}"
    )
    basic, later = "{since: 2026-01-01, features: []}", "{since: 2099-01-01T00:00}"
    refused = await put(settings, account=account, tenant=f"{tenant}entitlements: [{basic}]\n")
    assert codes(refused) == [("tenant.yaml", 11, "not-entitled")]
    taken = await put(settings, account=account, tenant=f"{tenant}entitlements: [{basic}, {later}]\n")
    assert not taken.findings
    plan = published.load(settings.published).plans.get("new")
    assert plan
    assert [entry.since.isoformat() for entry in plan.entitlements] == [
        "2025-12-31T23:00:00+00:00",
        "2098-12-31T23:00:00+00:00",
    ]


async def test_an_account_that_turns_prepaid_is_published(settings: Settings) -> None:
    """Which tenants call on credit is in force with the account's document, also where no tenant changed."""
    await start(settings)
    assert index(settings)["prepaid"] == []
    account = ACCOUNT.format(name="acme")
    before = published.load(settings.published)
    assert not (await put(settings, account=account + "payment: prepaid\n")).findings
    assert index(settings)["prepaid"] == ["acme"]
    now, _ = published.reload(before, settings.published)
    assert now.prepaid == {"acme"}
    await put(settings, account=account)
    assert index(settings)["prepaid"] == []


ONE_LEG = """
    INSERT INTO rated_leg (position, key, linkedid, account, payer, why, number, tariff, country, kind, zone,
        answered_us, ended_us, duration_us, billable_s, connection_micro, amount_micro, currency, pieces,
        billing_month)
    VALUES (1, 's-1.1', 's-1.0', 'acme', 'acme/10', 'call', '+436641234567', 't', 'AT', 'mobile', 'z',
        1, 2, 1, 1, 0, 0, 'EUR', '[]', '2026-11-01')
"""


async def test_an_account_that_has_calls_keeps_its_way_of_paying(settings: Settings) -> None:
    """What was debited would be invoiced once more, or the other way round; before its first call it may."""
    await start(settings)
    text = (CONFIG / "accounts/acme.yaml").read_text().rstrip()
    prepaid, postpaid = f"{text}\npayment: prepaid\n", f"{text}\npayment: postpaid\n"
    assert not (await put(settings, account=prepaid)).findings
    await rows(settings, ONE_LEG)
    refused = await put(settings, account=postpaid)
    assert codes(refused) == [("account.yaml", 11, "payment-fixed")]
    assert not (await put(settings, account=prepaid.replace("name: ", "name: New "))).findings
