"""A deciding process: its plans, its socket, its log."""

import asyncio
import gc
import json
import os
import resource
import threading
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from dialplan.build import build_plan
from dialplan.call import drawn
from dialplan.decision import Because, Decision, Joined, Next, Reason, Reject, Ring
from dialplan.facts import Facts, Origin, State
from dialplan.hunt import in_turn
from dialplan.plan import Plan
from dialplan.published import Published, plan_to_json
from dialplan.spec import TenantSpec
from dialplan.switch import Switch, SwitchKind
from pbxcore import publication, published
from pbxcore.control import decision_log
from pbxcore.control.process import BEHIND, Process
from pbxcore.control.turns import Turns
from pbxcore.published import Index
from pbxcore.settings import Settings

FACTS = Facts(call="pbx-1.0", linkedid="pbx-1.0", origin=Origin.PHONE, endpoint="acme-a", actor="acme-a",
              dialled="99")  # fmt: skip


def _plan(revision: int, tenant: str = "acme", number: str = "+493055500100") -> Plan:
    document = {
        "version": 1, "tenant": tenant, "name": tenant, "country": "DE", "time_zone": "Europe/Berlin",
        "account": tenant, "numbers": {number: {"to": "extension 10"}},
        "extensions": {"10": {"name": "X", "devices": [{"device": "a"}]}},
    }  # fmt: skip
    return build_plan(TenantSpec.model_validate(document), revision=revision, trunks=())


def _publish(folder: Path, *plans: Plan) -> None:
    for plan in plans:
        publication.write_plan(folder, plan)
    revisions = {plan.tenant: plan.revision for plan in plans}
    publication.write_index(folder, Index(revisions=revisions))


@pytest.fixture
def settings(short_path: Path) -> Settings:
    """Give settings whose socket paths are short enough."""
    return Settings(state=short_path, config=short_path)


def test_nothing_published_is_no_plan(settings: Settings) -> None:
    """A new machine starts with nothing and decides nothing wrong."""
    assert list(published.load(settings.published).plans) == []


def test_a_torn_index_stops_the_start(settings: Settings) -> None:
    """Without its index a process does not pretend that there are no tenants."""
    settings.published.mkdir(parents=True)
    (settings.published / "index.json").write_text('{"tenants": {"acme"')
    with pytest.raises(published.UnpublishedError):
        published.load(settings.published)


def test_one_bad_plan_leaves_out_one_tenant(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """The others decide as ever."""
    _publish(settings.published, _plan(1), _plan(1, "beta", "+493055500200"))
    (settings.published / "tenants" / "acme.1.json").write_text('{"format": 1')
    assert list(published.load(settings.published).plans) == ["beta"]
    assert "acme" in caplog.text


@pytest.mark.parametrize("text", [None, "", '{"format": 1'], ids=["lost", "empty", "torn"])
def test_who_starts_takes_the_revision_before_of_a_lost_plan(settings: Settings, text: str | None) -> None:
    """Calls go on by what was in force before; nobody's number is taken for that."""
    _publish(settings.published, _plan(1), _plan(1, "beta", "+493055500200"))
    _publish(settings.published, _plan(2), _plan(2, "beta", "+493055500200"))
    lost = published.file_of(settings.published, "acme", 2)
    lost.unlink()
    if text is not None:
        lost.write_text(text)
    plans, unread = published.reload(Published(), settings.published)
    assert {plan.tenant: plan.revision for plan in plans.plans.values()} == {"acme": 1, "beta": 2}
    assert unread["acme"].file == lost
    assert unread["acme"].reason.endswith("; revision 1 is in force instead")
    publication.write_plan(settings.published, _plan(2, "beta", "+493055500100"))  # acme's until 1
    plans, unread = published.reload(Published(), settings.published)
    assert [plan.tenant for plan in plans.plans.values()] == ["beta"]
    assert unread["acme"].reason.endswith("; its calls are refused")


def _there(folder: Path) -> set[int]:
    """Revisions that have a file."""
    return {int(file.name.split(".")[1]) for file in (folder / "tenants").iterdir()}


def test_plan_files_of_two_revisions_are_kept(settings: Settings) -> None:
    """That in force and that before it, whatever numbers lie between; what was laid down in vain goes."""
    folder = settings.published
    _publish(folder, _plan(1))
    for before, revision in ((1, 3), (3, 4), (4, 9)):
        publication.write_plan(folder, _plan(revision - 1))
        _publish(folder, _plan(revision))
        publication.remove_old_plans(folder, _plan(revision), before)
        assert _there(folder) == {before, revision}
    publication.remove_old_plans(folder, _plan(9), 9)
    assert _there(folder) == {4, 9}, "published again: nothing else was in force since"


@pytest.mark.parametrize("before", [1, 0], ids=["known", "index lost"])
def test_a_lost_plan_behind_changes_that_were_never_published(settings: Settings, before: int) -> None:
    """Who starts takes the one that was in force: those between were stored and never got a file."""
    _publish(settings.published, _plan(1))
    _publish(settings.published, _plan(7))
    publication.remove_old_plans(settings.published, _plan(7), before)
    published.file_of(settings.published, "acme", 7).unlink()
    plans, unread = published.reload(Published(), settings.published)
    assert {plan.revision for plan in plans.plans.values()} == {1}
    assert unread["acme"].reason.endswith("; revision 1 is in force instead")


def test_plans_that_who_starts_could_not_read_are_named(settings: Settings) -> None:
    """Missing or empty: by that the machine finds what it has to publish again."""
    plans = [_plan(1, tenant, f"+4930555002{number:02}") for number, tenant in enumerate(("a", "b", "c"))]
    _publish(settings.published, *plans)
    published.file_of(settings.published, "a", 1).unlink()
    published.file_of(settings.published, "b", 1).write_text("")
    assert published.without_file(settings.published, {"a": 1, "b": 1, "c": 1}) == {"a", "b"}


async def _ask(settings: Settings, request: object) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(settings.run_dir / "control.sock"))
    writer.write((request if isinstance(request, str) else json.dumps(request)).encode() + b"\n")
    answer = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return dict(json.loads(answer))


async def test_a_reload_swaps_what_the_index_says(settings: Settings) -> None:
    """A plan's file alone changes nothing; one that cannot be read leaves the old plan, and says so."""
    _publish(settings.published, _plan(1), _plan(1, "beta", "+493055500200"))
    process = Process(name="control", settings=settings, state=State())
    async with process.running(0):
        publication.write_plan(settings.published, _plan(2))
        assert await _ask(settings, {"do": "reload"}) == {"ok": True}
        assert (await _ask(settings, {"do": "status"}))["revisions"] == {"acme": 1, "beta": 1}
        publication.write_index(settings.published, Index(revisions={"acme": 2, "beta": 7}))
        answer = await _ask(settings, {"do": "reload"})
        assert (answer["ok"], "beta" in answer["error"]) == (False, True)
        assert (await _ask(settings, {"do": "status"}))["revisions"] == {"acme": 2, "beta": 1}
    assert not (settings.run_dir / "control.sock").exists()


async def test_what_comes_first_is_done_before_anybody_can_ask(settings: Settings) -> None:
    """Plans are read, and no socket is there yet: who reaches one reaches a process that has started."""
    _publish(settings.published, _plan(1))
    process = Process(name="control", settings=settings, state=State())
    seen: list[tuple[set[str], bool]] = []
    process.first = lambda plans: seen.append(
        (set(plans.plans), (settings.run_dir / "control.sock").exists())
    )
    async with process.running(0):
        assert seen == [({"acme"}, False)]
        assert (settings.run_dir / "control.sock").exists()


async def test_the_collector_is_spared_many_new_plans(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plans that come one by one are spared it with the last of so many; what came before is not counted."""
    monkeypatch.setattr("pbxcore.control.process.SPARE_FROM", 2)
    _publish(settings.published, _plan(1))
    process = Process(name="control", settings=settings, state=State())
    async with process.running(0):
        frozen = gc.get_freeze_count()
        for revision, spared in ((2, False), (2, False), (3, True)):
            _publish(settings.published, _plan(revision))
            assert await _ask(settings, {"do": "reload"}) == {"ok": True}
            assert (gc.get_freeze_count() > frozen) is spared
    gc.unfreeze()


async def test_an_index_that_cannot_be_read_changes_nothing(settings: Settings) -> None:
    """The plans stay as they are, and the process says so and lives."""
    _publish(settings.published, _plan(1))
    process = Process(name="control", settings=settings, state=State())
    async with process.running(0):
        (settings.published / "index.json").unlink()
        (settings.published / "index.json").mkdir()
        assert (await _ask(settings, {"do": "reload"}))["ok"] is False
        assert (await _ask(settings, {"do": "status"}))["revisions"] == {"acme": 1}


async def test_an_index_that_vanishes_takes_nobody_out_of_force(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """All plans stay until it is back, and the process says what is missing."""
    _publish(settings.published, _plan(1))
    process = Process(name="control", settings=settings, state=State())
    index = settings.published / "index.json"
    async with process.running(0), asyncio.timeout(60):
        publication.write_plan(settings.published, _plan(2))
        index.unlink()
        answer = await _ask(settings, {"do": "reload"})
        assert (answer["ok"], "is gone" in answer["error"]) == (False, True)
        assert process.status()["revisions"] == {"acme": 1}
        assert "is gone" in caplog.text
        publication.write_index(settings.published, Index(revisions={"acme": 2}))
        while process.status()["revisions"] != {"acme": 2}:  # noqa: ASYNC110 — the process watches a file
            await asyncio.sleep(0.05)


async def test_a_plan_that_was_put_back_is_noticed(settings: Settings) -> None:
    """It could not be read at the start; the index says nothing new when it can be."""
    _publish(settings.published, _plan(1))
    lost = published.file_of(settings.published, "acme", 1)
    lost.rename(lost.with_suffix(".aside"))
    process = Process(name="control", settings=settings, state=State())
    async with process.running(0), asyncio.timeout(60):
        assert (process.status()["revisions"], BEHIND._value.get()) == ({}, 1)
        lost.with_suffix(".aside").rename(lost)
        while process.status()["revisions"] != {"acme": 1}:  # noqa: ASYNC110 — the process watches a file
            await asyncio.sleep(0.05)
        assert BEHIND._value.get() == 0


async def test_a_number_moves_in_one_swap(settings: Settings) -> None:
    """Two tenants exchange their numbers: no order of reading them makes one wait for the other."""
    one, two = "+493055500100", "+493055500200"
    _publish(settings.published, _plan(1, "acme", one), _plan(1, "beta", two))
    process = Process(name="control", settings=settings, state=State())
    async with process.running(0):
        _publish(settings.published, _plan(2, "acme", two), _plan(2, "beta", one))
        assert await _ask(settings, {"do": "reload"}) == {"ok": True}
        assert [process.plans.numbers.get(number) for number in (one, two)] == ["beta", "acme"]


async def test_a_process_decides_on_while_it_reads_many_plans(settings: Settings) -> None:
    """A thousand changed plans take seconds: one that answered nothing meanwhile would be killed for it."""
    _publish(settings.published, _plan(1))
    process = Process(name="control", settings=settings, state=State())
    slow, answered = published.file_of(settings.published, "acme", 2), threading.Event()
    os.mkfifo(slow)  # reading it waits for somebody who writes

    def write() -> bool:
        in_time = answered.wait(5)
        slow.write_text(plan_to_json(_plan(2)))
        return in_time

    async with process.running(0):
        publication.write_index(settings.published, Index(revisions={"acme": 2}))
        writing = asyncio.create_task(asyncio.to_thread(write))
        reload = asyncio.create_task(_ask(settings, {"do": "reload"}))
        assert (await _ask(settings, {"do": "status"}))["revisions"] == {"acme": 1}
        answered.set()
        assert await reload == {"ok": True}
        assert process.status()["revisions"] == {"acme": 2}
    assert await writing


async def test_a_change_nobody_announced_is_noticed(settings: Settings) -> None:
    """The publisher died before it could tell us: within seconds the plan is in force all the same."""
    _publish(settings.published, _plan(1))
    process = Process(name="control", settings=settings, state=State())
    async with process.running(0), asyncio.timeout(60):
        _publish(settings.published, _plan(2))
        while process.status()["revisions"] != {"acme": 2}:  # noqa: ASYNC110 — the process watches a file
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "request_",
    ["nonsense", "[]", {}, {"do": "else"}, {"do": 1}],
)
async def test_a_wrong_request_gets_an_answer(settings: Settings, request_: object) -> None:
    """Whatever is asked, the socket says no and goes on."""
    process = Process(name="control", settings=settings, state=State())
    async with process.running(0):
        assert (await _ask(settings, request_))["ok"] is False
        assert (await _ask(settings, {"do": "status"}))["ok"] is True


def test_each_call_draws_for_itself_and_the_same_in_both(settings: Settings) -> None:
    """Control and standby ring a group by chance in the same order, and not always in one."""
    both = [
        Process(name=name, settings=settings, state=State(blind=blind), turns=turns, plans=_crew())
        for name, blind, turns in (("control", False, Turns(settings.turns_file)), ("standby", True, None))
    ]
    group, firsts = _plan_of_crew().groups["chance"], set[str]()
    for number in range(40):
        call = f"pbx-1795689912.{number}"
        rung = [_rung(process, call, "60") for process in both]
        members = in_turn(group, State(), date.min, drawn(call))
        assert rung == [[f"acme-p{member.number}" for member in members]] * 2
        firsts.add(rung[0][0])
    assert firsts == {f"acme-p{number}" for number in ("10", "11", "12")}


def test_what_is_remembered_of_groups_is_known_to_the_next_call(settings: Settings) -> None:
    """Each call begins with the next one, also once another memory was read in."""
    Turns(settings.turns_file, next={"acme/61": 2}, _saved=False).save()
    turns = Turns(settings.turns_file, next={"acme/61": 0})
    control = Process(name="control", settings=settings, state=State(), turns=turns, plans=_crew())
    firsts = [_rung(control, f"pbx-1.{number}", "61")[0] for number in range(2)]
    turns.load({"acme"})
    firsts += [_rung(control, f"pbx-1.{number}", "61")[0] for number in range(2, 4)]
    assert firsts == ["acme-p10", "acme-p11", "acme-p12", "acme-p10"]


def _crew() -> Published:
    return Published().with_plan(_plan_of_crew())


def _plan_of_crew() -> Plan:
    """Give a tenant whose two groups ring its three phones one by one."""
    document = {
        "version": 1, "tenant": "acme", "name": "A", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "numbers": {"+493055500100": {"to": "extension 10"}},
        "extensions": {n: {"name": "X", "devices": [{"device": f"p{n}"}]} for n in ("10", "11", "12", "13")},
        "groups": {
            name: {"name": "G", "extension": number, "members": ["10", "11", "12"], "strategy": strategy}
            for name, number, strategy in (("chance", "60", "random"), ("turns", "61", "round_robin"))
        },
    }  # fmt: skip
    return build_plan(TenantSpec.model_validate(document), revision=1, trunks=())


def _rung(process: Process, call: str, dialled: str) -> list[str]:
    """Give the phones that a call of a fourth phone rings, in their order."""
    asked = replace(FACTS, call=call, linkedid=call, endpoint="acme-p13", actor="acme-p13", dialled=dialled)
    steps = process.decide(asked).steps
    process.switches.close()
    return [phone for step in steps if isinstance(step, Ring) for phone in step.endpoints]


async def test_a_decision_is_logged_whole(settings: Settings) -> None:
    """One line holds facts, decision, version and how long it took; what is noted last is not lost."""
    log = decision_log.DecisionLog(settings.decisions / "x.ndjson")
    process = Process(name="control", settings=settings, state=State())
    decision = process.decide(FACTS)
    assert isinstance(decision.steps[0], Reject)
    running = asyncio.create_task(log.run())
    await asyncio.sleep(0)
    log.note(decision_log.line(FACTS, decision, at=datetime(2026, 10, 1, 12, tzinfo=UTC), micros=85))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    (line,) = [json.loads(text) for text in (settings.decisions / "x.ndjson").read_text().splitlines()]
    assert line["time"] == "2026-10-01T12:00:00.000000+00:00"
    assert (line["call"], line["micros"], line["facts"]["dialled"]) == ("pbx-1.0", 85, "99")
    assert line["decision"]["steps"][0]["do"] == "reject"


def test_a_line_says_what_stands_in_facts_and_decision() -> None:
    """Whatever is nested in a step stands in its line, as dataclasses themselves would write it."""
    facts = replace(FACTS, diversions=("+431", "+432"))
    ring = Ring(endpoints=("acme-a",), timeout_s=20, joined=(Joined(step=2, delay_s=5),), then=Next(busy=2))
    because = (Because(rule="extensions.10", text="rings"),)
    decision = Decision(version="acme@1", steps=(ring, Reject(cause=17, reason=Reason.BUSY)), because=because)
    noted = decision_log.line(facts, decision, at=datetime(2026, 10, 1, 12, tzinfo=UTC), micros=85)
    line = json.loads(decision_log.encoded(noted))
    assert line["facts"] == _written(facts)
    steps = line["decision"]["steps"]
    assert steps == [{"do": "ring", **_written(ring)}, {"do": "reject", **_written(decision.steps[1])}]
    assert line["decision"]["because"] == [_written(because[0])]


def _written(value: Any) -> dict[str, Any]:  # noqa: ANN401 — any of the frozen values
    """Give a value's fields as JSON keeps them."""
    return dict(json.loads(json.dumps(asdict(value))))


def test_a_change_is_logged_with_its_instants() -> None:
    """As people read them elsewhere, with their offset; one that stays has no end."""
    one = Switch(tenant="acme", kind=SwitchKind.DO_NOT_DISTURB, subject="10", value="on",
                 since=datetime(2026, 10, 1, 12, tzinfo=UTC), by="acme-a")  # fmt: skip
    decision = Decision(version="acme@1", steps=(), because=(), changes=(one,))
    assert json.loads(decision_log.encoded(decision))["changes"] == [decision_log.switch_to_json(one)]


def test_a_log_that_cannot_keep_up_drops_and_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call waits for the disk."""
    monkeypatch.setattr(decision_log, "MAX_WAITING", 1)
    log = decision_log.DecisionLog(settings.decisions / "x.ndjson")
    before = decision_log.LINES.labels("dropped")._value.get()
    log.note({})
    log.note({})
    assert decision_log.LINES.labels("dropped")._value.get() == before + 1


async def test_what_cannot_be_written_is_lost_alone(settings: Settings) -> None:
    """An entry that is no JSON is counted and told; what was noted with it is written."""
    lost = decision_log.LINES.labels("lost")
    before = lost._value.get()
    assert await _logged(settings, {"call": object()}, {"call": "pbx-1.0"}) == '{"call":"pbx-1.0"}\n'
    assert lost._value.get() == before + 1


async def test_a_disk_that_gets_full_leaves_no_half_line(settings: Settings) -> None:
    """Of a batch that could be written in part nothing stays: the next line would go on where it ends."""
    lost = decision_log.LINES.labels("lost")
    before = lost._value.get()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    await _logged(settings, {"call": "pbx-1.0"})
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        await _logged(settings, {"call": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert lost._value.get() == before + 1
    assert await _logged(settings, {"call": "pbx-2.0"}) == '{"call":"pbx-1.0"}\n{"call":"pbx-2.0"}\n'


async def test_the_line_in_which_somebody_died_is_ended(settings: Settings) -> None:
    """What is noted after a restart stands on lines of its own."""
    (settings.decisions / "x.ndjson").parent.mkdir(parents=True, exist_ok=True)
    (settings.decisions / "x.ndjson").write_text('{"call":"pbx')
    assert await _logged(settings, {"call": "pbx-2.0"}) == '{"call":"pbx\n{"call":"pbx-2.0"}\n'


async def _logged(settings: Settings, *entries: dict[str, Any]) -> str:
    """Note entries while a log runs; give the file when it has ended."""
    log = decision_log.DecisionLog(settings.decisions / "x.ndjson")
    running = asyncio.create_task(log.run())
    await asyncio.sleep(0)
    for entry in entries:
        log.note(entry)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return (settings.decisions / "x.ndjson").read_text()
