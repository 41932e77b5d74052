"""What becomes known of a porting goes through the door, whoever learns it, and is written down once."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from dialplan.facts import Facts, Origin
from dialplan.plan import Number, Plan, Porting
from pbxcore import database, departing, documents, door, phones, porting, published, revisions, turn
from pbxcore.base import with_base
from pbxcore.cli import app
from pbxcore.control.confirmations import Confirmations
from pbxcore.settings import Settings, Trunk

CONFIG = Path(__file__).parents[2] / "config"
T, N = "+493055500100", "+493022200100"
NOW = datetime(2026, 11, 1, 6, 12, tzinfo=UTC)
COUNTED = "pbxcore_portings_confirmed_total"
BLOCK = """\
version: 1
tenant: blocks
name: Blocks
account: acme
country: DE
area_code: "30"
time_zone: Europe/Berlin
numbers:
  "+49305551": {to: extension 10, ddi: 2, stands_for: "+49302221", porting: {confirmed: 2026-11-01T06:00}}
  "+493055520": {to: extension 10}
extensions:
  "10": {name: Anna, devices: [p10]}
"""


@pytest.fixture
async def settings(short_path: Path, request: pytest.FixtureRequest) -> Settings:
    """A machine on which the example is in force, and nothing runs."""
    settings = Settings(
        state=short_path,
        config=CONFIG,
        database=request.getfixturevalue("database"),
        trunks=(Trunk(name="carrier", host="127.0.0.2"),),
    )
    applied = await door.apply(
        settings, [CONFIG / "catalogues", CONFIG / "accounts", CONFIG / "tenants"], author="test"
    )
    assert not applied.findings
    return settings


async def in_force(settings: Settings) -> revisions.Revision:
    """Give the tenant's newest revision."""
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        found = await revisions.revision(connection, "tenant", "acme")
    finally:
        await connection.close()
    assert found
    return found


def callback(settings: Settings) -> str:
    """Give the number that an emergency call of Anna's phone presents."""
    plan = published.load(settings.published).plans.get("acme")
    assert plan
    return plan.phones[0].callback


def call_to_n(call: str = "pbx-1.1") -> Facts:
    """Let the trunk bring a call to N."""
    return Facts(call=call, linkedid=call, origin=Origin.TRUNK, endpoint="trunk-carrier",
                 actor="trunk-carrier", dialled=N)  # fmt: skip


@pytest.mark.parametrize(
    ("number", "code"),
    [("+493099999999", "unknown-number"), ("+493055500111", "porting-of-nothing")],
)
async def test_a_number_without_a_porting_is_refused(settings: Settings, number: str, code: str) -> None:
    """A number that is nobody's, or stands for no other, has no porting."""
    with pytest.raises(porting.PortingError) as error:
        await porting.note(settings, number, porting.Planned(at=NOW), author="test")
    assert error.value.code == code


async def test_a_document_that_cannot_be_read_is_left_alone(settings: Settings) -> None:
    """Another version of the program stored it: told with a remedy, and nothing is written."""
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        await connection.execute(
            "UPDATE revision SET document = document || '{\"future\": 1}' WHERE id = 'acme'"
        )
    finally:
        await connection.close()
    with pytest.raises(porting.PortingError) as error:
        await porting.note(settings, N, porting.Planned(at=NOW), author="test")
    assert (error.value.code, "acme" in error.value.remedy) == ("unread-tenant", True)


async def test_a_number_that_is_ported_before_its_block_has_its_own_porting(settings: Settings) -> None:
    """What becomes known of it is written into its own entry, though the block's stands before that."""
    document = yaml.safe_load((CONFIG / "tenants/acme.yaml").read_text())
    block, one = "+49305557", {"to": "extension 10", "stands_for": "+4930222711"}
    document["numbers"] |= {
        block: {"ddi": 2, "to": "extension 10", "stands_for": "+49302227"},
        f"{block}11": one,
    }
    (file := settings.state / "acme.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    applied = await door.apply(settings, [CONFIG / "catalogues", CONFIG / "accounts", file], author="test")
    assert not applied.findings
    await porting.note(settings, one["stands_for"], porting.Planned(at=NOW), author="desk")
    numbers = yaml.safe_load((await in_force(settings)).source)["numbers"]
    assert ("porting" in numbers[f"{block}11"], "porting" in numbers[block]) == (True, False)


async def test_a_porting_is_planned_rejected_postponed_and_confirmed(settings: Settings) -> None:
    """Until it is confirmed only the date changes; each step is a revision, and comments stay."""
    before = await in_force(settings)
    for event in (porting.Planned(at=NOW), porting.Rejected(reason="name differs"),
                  porting.Planned(at=NOW + timedelta(days=7))):  # fmt: skip
        applied = await porting.note(settings, N, event, author="desk")
        assert applied.changes[0].changed
        assert callback(settings) == T
    await porting.note(
        settings, T, porting.Confirmed(at=NOW, by="carrier", reference="WBCI-7"), author="desk"
    )
    assert callback(settings) == N
    after = await in_force(settings)
    assert (before.revision, after.revision, after.author) == (1, 5, "desk")
    written = ('porting: {planned: "2026-11-08T07:12:00+01:00", confirmed: "2026-11-01T07:12:00+01:00", '
               'by: "carrier", reference: "WBCI-7"}\n')  # fmt: skip
    assert written in after.source
    assert after.source.replace(f"    {written}", "") == before.source


async def test_a_document_confirms_nothing_that_is_to_come(settings: Settings) -> None:
    """An emergency centre would be shown a number that still lives elsewhere; the same as a plan is taken."""
    before = await in_force(settings)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    file, day = settings.state / "acme.yaml", "    right_of_use: 2026-10-12\n"
    found = []
    for key in ("confirmed", "planned"):
        file.write_text(before.source.replace(day, f'{day}    porting: {{{key}: "{tomorrow}"}}\n'))
        applied = await door.apply(settings, [file], author="test")
        found.append([(one.line, one.finding.code) for one in applied.findings])
        assert callback(settings) == T
    line = before.source[: before.source.index(day)].count("\n") + 2
    assert found == [[(line, "porting-to-come")], []]


async def test_what_was_confirmed_stays_and_can_be_taken_back(settings: Settings) -> None:
    """A second confirmation changes nothing; a plan contradicts it; to revert is to be before it."""
    confirmed = porting.Confirmed(at=NOW, by="hand")
    await porting.note(settings, N, confirmed, author="test")
    again = await porting.note(settings, N, confirmed, author="test")
    assert [change.changed for change in again.changes] == [False]
    with pytest.raises(porting.PortingError, match="confirmed"):
        await porting.note(settings, N, porting.Planned(at=NOW), author="test")
    await porting.note(settings, N, porting.Reverted(), author="test")
    assert callback(settings) == T
    with pytest.raises(porting.PortingError, match="not confirmed"):
        await porting.note(settings, N, porting.Reverted(), author="test")


async def test_the_first_call_to_the_number_confirms_it_once(settings: Settings) -> None:
    """Many calls at once to a number whose porting is planned make one revision; phones call back by N."""
    await porting.note(settings, N, porting.Planned(at=NOW), author="test")
    plans = published.load(settings.published)
    confirmations = Confirmations(settings)
    counted = REGISTRY.get_sample_value(COUNTED) or 0
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(confirmations.run())
        for call in range(50):
            confirmations.notice(plans, call_to_n(f"pbx-1.{call}"))
        async with asyncio.timeout(60):
            await confirmations.settled()
        assert callback(settings) == N
        for call in range(50):  # decided by the old plan still
            confirmations.notice(plans, call_to_n(f"pbx-2.{call}"))
        async with asyncio.timeout(60):
            await confirmations.settled()
        running.cancel()
    stored = await in_force(settings)
    assert (stored.revision, stored.author) == (3, "first call")
    assert 'by: "call", reference: "pbx-1.0"' in stored.source
    assert REGISTRY.get_sample_value(COUNTED) == counted + 1


async def test_a_confirmation_while_the_database_is_away_comes_with_a_later_call(settings: Settings) -> None:
    """Calls go on; what could not be written down is written down by the next call."""
    await porting.note(settings, N, porting.Planned(at=NOW), author="test")
    plans = published.load(settings.published)
    away = settings.model_copy(update={"database": "postgresql://nobody@127.0.0.1:1/none"})
    for where, expected in ((away, T), (settings, N)):
        confirmations = Confirmations(where)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(confirmations.run())
            confirmations.notice(plans, call_to_n())
            async with asyncio.timeout(60):
                await confirmations.settled()
            running.cancel()
        assert callback(settings) == expected
        lost = [(one["tenant"], one["number"]) for one in confirmations.unconfirmed(plans)]
        assert lost == ([("acme", N)] if where is away else [])


async def test_a_confirmation_while_somebody_keeps_the_door_ends_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Control goes on when a change does not come to its end; the next call writes it down."""
    await porting.note(settings, N, porting.Planned(at=NOW), author="test")
    plans = published.load(settings.published)
    monkeypatch.setattr(turn, "WAIT_S", 0.05)
    confirmations = Confirmations(settings)
    holder = await database.connect(database.url_of(settings), application="who keeps it")
    await turn.take(holder, turn.DOOR)
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(60):
        running = tasks.create_task(confirmations.run())
        confirmations.notice(plans, call_to_n())
        await confirmations.settled()
        assert "who keeps it" in caplog.text
        (lost,) = confirmations.unconfirmed(plans)
        assert "who keeps it" in lost["why"]
        await turn.give_back(holder, turn.DOOR)
        monkeypatch.undo()
        confirmations.notice(plans, call_to_n())
        await confirmations.settled()
        assert confirmations.unconfirmed(plans) == []
        running.cancel()
    await holder.close()
    assert callback(settings) == N


async def test_who_confirms_by_hand_what_a_call_could_not_is_told_no_more(settings: Settings) -> None:
    """Until then the machine's status names number, tenant and the reason."""
    await porting.note(settings, N, porting.Planned(at=NOW), author="test")
    plans = published.load(settings.published)
    confirmations = Confirmations(
        settings.model_copy(update={"database": "postgresql://nobody@127.0.0.1:1/none"})
    )
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(60):
        running = tasks.create_task(confirmations.run())
        confirmations.notice(plans, call_to_n())
        await confirmations.settled()
        running.cancel()
    assert confirmations.unconfirmed(plans) == [
        {"tenant": "acme", "number": N, "why": "nobody listens there"}
    ]
    await porting.note(settings, N, porting.Confirmed(at=None, by="hand"), author="test")
    assert confirmations.unconfirmed(published.load(settings.published)) == []


async def test_a_number_may_stand_in_its_document_with_blanks(settings: Settings) -> None:
    """What people write for people is found again; blanks and all stay as they are."""
    file, spaced = settings.state / "acme.yaml", "+49 30 55500100"
    file.write_text((CONFIG / "tenants/acme.yaml").read_text().replace(f'"{T}":', f'"{spaced}":'))
    assert not (await door.apply(settings, [file], author="operator")).findings
    await porting.note(settings, N, porting.Confirmed(at=NOW, by="hand"), author="test")
    assert callback(settings) == N
    assert f'"{spaced}":' in (await in_force(settings)).source


async def test_a_change_of_somebody_else_in_between_is_kept(settings: Settings) -> None:
    """A confirmation that was overtaken by an operator's change is written into the newer document."""
    file = settings.state / "acme.yaml"
    file.write_text((CONFIG / "tenants/acme.yaml").read_text().replace("Verkauf", "Vertrieb"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(door.apply(settings, [file], author="operator"))
        tasks.create_task(porting.note(settings, N, porting.Planned(at=NOW), author="desk"))
    stored = await in_force(settings)
    if stored.author == "desk":  # it came second
        assert "Vertrieb" in stored.source
    else:  # the operator's document names no base: it replaces what is in force, and says so in the history
        assert stored.author == "operator"
    assert stored.revision == 3


async def away(*_asked: object) -> tuple[Plan, Number]:
    """Answer as a database does that goes away after the change is stored."""
    raise ConnectionRefusedError


def test_the_command_line_lists_numbers_and_says_what_is_wrong(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A confirmation that is to come, and what is no number, are refused with the remedy."""
    monkeypatch.setenv("PBXCORE_STATE", str(settings.state))
    monkeypatch.setenv("PBXCORE_CONFIG", str(CONFIG))
    monkeypatch.setenv("PBXCORE_DATABASE", settings.database)
    run = CliRunner()
    listed = run.invoke(app, ["numbers", "acme", "--json"])
    assert '"state": "temporary"' in listed.output
    assert run.invoke(app, ["porting", "reject", N, "--reason", "name differs"]).exit_code == 0
    assert "rejected: name differs" in " ".join(run.invoke(app, ["numbers", "acme"]).output.split())
    future = run.invoke(app, ["porting", "confirm", N, "--at", "2099-01-01T00:00"])
    assert (future.exit_code, "is to come" in future.output) == (1, True)
    wrong = run.invoke(app, ["porting", "plan", "030 123", "--at", "2026-12-01T06:00"])
    assert (wrong.exit_code, "no telephone number" in wrong.output) == (2, True)
    blank = run.invoke(app, ["porting", "reject", N, "--reason", " "])
    assert (blank.exit_code, "--reason is empty" in blank.output) == (2, True)
    planned = run.invoke(app, ["porting", "plan", N, "--at", "2026-12-01T06:00"])
    assert planned.exit_code == 0, planned.output
    assert f"{N} is to be ported at 2026-12-01T06:00+01:00" in planned.output
    assert '"planned": "2026-12-01T06:00+01:00"' in run.invoke(app, ["numbers", "--json"]).output
    assert phones.to_expire(settings) is not None
    released = run.invoke(app, ["porting", "confirm", N, "--at", "2020-12-01T06:00", "--json"])
    stands = json.loads(released.output)["porting"]
    assert [change["file"] for change in json.loads(released.output)["changes"]] == [""]
    assert (stands["state"], stands["by"], stands["released"]) == (
        "released", "hand", "2020-12-31T06:00+01:00",
    )  # fmt: skip
    monkeypatch.setattr(porting, "standing", away)
    blind = run.invoke(app, ["porting", "confirm", N, "--json"])
    assert (blind.exit_code, json.loads(blind.output)["porting"]) == (0, None)
    again = run.invoke(app, ["porting", "confirm", N, "--at", "2026-11-01T06:00"])
    assert (again.exit_code, f"porting revert {N}" in again.output) == (1, True)


async def test_the_carriers_message_is_added_to_what_a_call_confirmed(settings: Settings) -> None:
    """Its reference is lost nowhere, and stands beside the call's; what is said twice is written once."""
    await porting.note(settings, N, porting.Planned(at=NOW), author="test")
    await porting.note(settings, N, porting.Confirmed(at=NOW, by="call", reference="pbx-1.0"), author="call")
    message = porting.Confirmed(at=None, by="carrier", reference='WBCI "7"')
    for changed in (True, False):
        applied = await porting.note(settings, T, message, author="desk")
        assert [change.changed for change in applied.changes] == [changed]
    _, stands = await porting.standing(settings, N)
    assert stands.porting == Porting(confirmed_at=NOW, by="call", reference="pbx-1.0", message='WBCI "7"')
    await porting.note(settings, N, porting.Reverted(), author="desk")
    _, stands = await porting.standing(settings, N)
    assert (stands.planned_at, stands.released_at, stands.porting) == (None, None, None)
    assert "porting:" not in (await in_force(settings)).source


@pytest.mark.parametrize(
    ("reference", "remedy"), [("", "with --reference"), ("WBCI-7", f"`pbxcore porting revert {N}`")]
)
async def test_a_carrier_who_confirms_what_is_confirmed_is_told_so(
    settings: Settings, reference: str, remedy: str
) -> None:
    """By whom and as of when it was confirmed is said, with what can be added or taken back."""
    first = porting.Confirmed(at=NOW, by="hand", reference=reference)
    assert not (await porting.note(settings, N, first, author="desk")).notes
    again = porting.Confirmed(at=None, by="carrier", reference=reference)
    applied = await porting.note(settings, N, again, author="desk")
    assert [change.changed for change in applied.changes] == [False]
    (note,) = applied.notes
    assert "heard, and confirmed already as of 2026-11-01T07:12:00+01:00, by hand" in note.message
    assert remedy in note.remedy


async def test_what_the_door_finds_is_placed_in_the_tenants_document(settings: Settings) -> None:
    """Nobody has seen the file that is checked; the path says where it would stand."""
    applied = await porting.note(settings, N, porting.Rejected(reason="x" * 201), author="desk")
    (found,) = applied.findings
    assert (found.file, found.finding.code) == ("the document of acme that this would be", "no-remark")
    assert found.finding.path[:2] == ("numbers", T)


async def test_a_document_from_before_the_porting_does_not_take_it_back(settings: Settings) -> None:
    """Without a base it is refused and names the way; from the revision in force it may say so on purpose."""
    await porting.note(settings, N, porting.Confirmed(at=NOW, by="call"), author="first call")
    file = settings.state / "acme.yaml"
    file.write_text((CONFIG / "tenants/acme.yaml").read_text().replace("Verkauf", "Vertrieb"))
    refused = await door.apply(settings, [file], author="operator")
    assert [(one.finding.code, one.line > 1) for one in refused.findings] == [("porting-forgotten", True)]
    assert callback(settings) == N
    meant = await door.apply(settings, [file], author="operator", base=2)
    assert not meant.findings
    assert callback(settings) == T


def without_entry(source: str) -> str:
    """Take T's entry out of the document; another number does what N did."""
    start = source.index(f'  "{T}":')
    end = source.index('  "+4930', start + 1)
    rest = source[end:].replace("to: extension 11", "to: hours office", 1)
    return source[:start] + rest.replace(N, "+493055500111")


def renamed(source: str) -> str:
    """Give T's entry the key N, as the manual says."""
    start = source.index(f'  "{T}":')
    end = source.index('  "+4930', start + 1)
    return f'{source[:start]}  "{N}": {{to: hours office}}\n{source[end:]}'


async def test_a_ported_number_that_is_left_out_is_refused_without_a_base(settings: Settings) -> None:
    """N is known by T's entry alone: a file that may be older is refused, by check as by apply."""
    await porting.note(settings, N, porting.Confirmed(at=NOW, by="call"), author="first call")
    source = (await in_force(settings)).source
    file = settings.state / "acme.yaml"
    file.write_text(without_entry(source))
    line = source[: source.index("numbers:")].count("\n") + 1
    refused = await door.apply(settings, [file], author="operator")
    told, _ = await door.compare(settings, documents.read([file])[0])
    for found in (refused.findings, told):
        assert [(one.finding.code, one.line) for one in found] == [("porting-forgotten", line)]
        assert N in found[0].finding.message
        assert f'rename that entry to "{N}"' in found[0].finding.remedy
    assert callback(settings) == N


async def test_a_ported_number_is_given_up_with_a_note(settings: Settings) -> None:
    """From the revision in force it is meant: check and the door say it once, with the line."""
    await porting.note(settings, N, porting.Confirmed(at=NOW, by="call"), author="first call")
    file = settings.state / "acme.yaml"
    file.write_text(with_base(without_entry((await in_force(settings)).source), 2))
    _, checked = await door.compare(settings, documents.read([file])[0])
    applied = await door.apply(settings, [file], author="operator")
    assert not applied.findings
    for notes in (checked, applied.notes):
        (note,) = (one for one in notes if N in one.message)
        assert (f"{file}:" in note.message, "unknown-number" in note.message) == (True, True)
        assert f'"{N}"' in note.remedy
    again = await door.apply(settings, [file], author="operator", base=3)
    assert not [one for one in again.notes if N in one.message]


@pytest.mark.parametrize("based", [(), ("blocks",)])
async def test_the_database_is_asked_once_about_ported_numbers(
    settings: Settings, based: tuple[str, ...]
) -> None:
    """A document is refused without a base, or noted with one: what is stored is read for one of them."""
    file = settings.state / "blocks.yaml"
    file.write_text(BLOCK)
    assert not (await door.apply(settings, [file], author="operator")).findings
    asked: list[str] = []
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        with connection.query_logger(lambda one: asked.append(one.query)):
            read, _ = documents.read([file])
            assert await departing.refusals(connection, read, based) == ()
            assert await departing.notes(connection, read, based) == ()
    finally:
        await connection.close()
    assert asked == [departing.SQL["ported"]]


async def test_of_a_block_that_is_left_out_all_numbers_are_counted(settings: Settings) -> None:
    """One number is named; that a hundred others go with it is said."""
    file = settings.state / "blocks.yaml"
    file.write_text(BLOCK)
    assert not (await door.apply(settings, [file], author="operator")).findings
    block = next(line for line in BLOCK.splitlines() if "ddi" in line)
    file.write_text(BLOCK.replace(f"{block}\n", ""))
    (refused,) = (await door.apply(settings, [file], author="operator")).findings
    assert "+49302221 and 101 more were ported on" in refused.finding.message
    assert "calls to them end" in refused.finding.message


async def test_a_ported_number_gets_an_entry_of_its_own_in_silence(settings: Settings) -> None:
    """The renamed entry keeps N in service; of a plan that nobody confirmed nothing is said either."""
    await porting.note(settings, N, porting.Confirmed(at=NOW, by="call"), author="first call")
    file = settings.state / "acme.yaml"
    file.write_text(renamed((await in_force(settings)).source))
    kept = await door.apply(settings, [file], author="operator")
    assert (kept.findings, [one for one in kept.notes if N in one.message]) == ((), [])
    assert callback(settings) == N
    file.write_text((CONFIG / "tenants/acme.yaml").read_text())
    await door.apply(settings, [file], author="operator")
    file.write_text(without_entry(file.read_text()))
    removed = await door.apply(settings, [file], author="operator")
    assert (removed.findings, [one for one in removed.notes if N in one.message]) == ((), [])
