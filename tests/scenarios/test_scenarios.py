"""The scenarios: call in, decision out, in words an operator reads."""

import dataclasses
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from dialplan import build
from dialplan.carriers import Carriers
from dialplan.compile import compile_tenant
from dialplan.decide import decide
from dialplan.decision import (
    END,
    Admit,
    Confirm,
    Limit,
    ListenToVoicemail,
    Next,
    Outside,
    PickUp,
    Play,
    Reject,
    Ring,
    Step,
    Voicemail,
)
from dialplan.facts import Facts, Origin, Served, State
from dialplan.published import Published
from dialplan.spec import RouteSpec, TenantSpec
from dialplan.switch import NO_SWITCHES, Switch, from_text
from pbxcore.documents import read_texts
from pbxcore.settings import Trunk

TRUNKS = ("carrier",)
ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(Path(__file__).parent.glob("*.yaml"))
CALLS = [
    (path, index) for path in SCENARIOS for index in range(len(yaml.safe_load(path.read_text())["calls"]))
]


@cache
def scenario(path: Path) -> tuple[dict[str, Any], Published]:
    """Read a file of scenarios and compile its tenants, all at revision 1."""
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    texts = [(name, (ROOT / name).read_text()) for name in content.get("tenants", ())]
    texts += [(path.name, yaml.safe_dump(one, sort_keys=False)) for one in content.get("documents", ())]
    documents, findings = read_texts(texts, trunks=tuple(content.get("trunks", TRUNKS)))
    assert not findings
    specs = [document.spec for document in documents if isinstance(document.spec, TenantSpec)]
    trunks = tuple(content.get("trunks", TRUNKS))
    plans = [compile_tenant(spec, revision=1, trunks=trunks)[0] for spec in specs]
    routes = (RouteSpec.model_validate(one) for one in content.get("routes", ()))
    written = (
        Trunk(host="192.0.2.1", **one) for one in content.get("settings", ())
    )  # of trunks, but the address
    known = Carriers(
        routes=tuple(build.routes(routes, trunks, "service.routes")),
        notations={trunk.name: trunk.notation for trunk in written},
    )
    return content, Published(carriers=known).with_plans(plan for plan in plans if plan)


def name_of(value: object) -> str:
    """Name a test after its file, and after its call."""
    return value.stem if isinstance(value, Path) else str(value)


@pytest.mark.parametrize(("path", "index"), CALLS, ids=name_of)
def test_the_call_is_decided_as_the_scenario_says(path: Path, index: int) -> None:
    """Steps, jumps, presentation, payer and reasons of a call are those written down."""
    content, published = scenario(path)
    call = content["calls"][index]
    now = call.get("at", content["at"])
    assert isinstance(now, datetime)
    decision = decide(published, facts(call), state(call, now), now)
    steps = [f"{number} {in_words(step)}" for number, step in enumerate(decision.steps, 1)]
    assert steps == call["steps"], call["name"]
    rules = iter(line.rule for line in decision.because)
    assert all(rule in rules for rule in call.get("why", ())), (call["name"], decision.because)
    said = {f"{line.rule} {line.text}" for line in decision.because}
    assert said.issuperset(call.get("says", ())), (call["name"], decision.because)
    changes = [f"{one.tenant}/{one.subject} {one.kind} {one.value}".rstrip() for one in decision.changes]
    assert changes == call.get("changes", []), call["name"]
    assert decision.version == call.get("version", decision.version)
    assert decision.because, "every decision says why"


def state(call: dict[str, Any], now: datetime) -> State:
    """Turn what a scenario says of the past into what a process would remember of it."""
    served = {payer: Served(**one) for payer, one in call.get("served", {}).items()}
    return State(
        blind=call.get("blind", False),
        switches=NO_SWITCHES.updated(switches(call, now)),
        draw=call.get("draw", 0),
        turns=call.get("turns", {}),
        served=served,
    )


def facts(call: dict[str, Any]) -> Facts:
    """Turn a scenario's call into the question that Asterisk would ask."""
    endpoint = call.get("from") or f"trunk-{call['trunk']}"
    transferrer, forwarder = call.get("transferred_by"), call.get("forwarded_by")
    origin = Origin.PHONE if call.get("from") else Origin.TRUNK
    if call.get("consults"):
        origin = Origin.CONSULT
    if transferrer or forwarder:
        origin = Origin.TRANSFER if transferrer else Origin.FORWARD
    return Facts(
        call="pbx-1.1",
        linkedid="pbx-1.1",
        origin=origin,
        endpoint=endpoint,
        actor=transferrer or forwarder or endpoint,
        dialled=call["to"],
        caller=call.get("caller", ""),
        diversions=tuple(call.get("diverted_by", ())),
        diversion_count=call.get("diversion_count", 0),
        helped=call.get("helped", ""),
        group=call.get("rung_for", ""),
        trail=tuple(call.get("sent_on_by", ())),
    )


def switches(call: dict[str, Any], now: datetime) -> list[Switch]:
    """Read what is switched: a text, or a text with `until`."""
    found = []
    for one in call.get("switched", ()):
        text, until = (one, None) if isinstance(one, str) else (one["what"], one["until"])
        switch = from_text(text, now)
        assert switch, text
        found.append(dataclasses.replace(switch, until=until))
    return found


def in_words(step: Step) -> str:  # noqa: PLR0911 — one for each kind of step
    """Say a step in the words of the scenarios."""
    match step:
        case Ring():
            seen = f" as {step.caller}" if step.caller else ""
            seen += f" as {step.prefix!r}" if step.prefix else ""
            seen += f" below {step.busy_level} calls" if step.busy_level else ""
            seen += f" with tone {step.tone}" if step.tone else ""
            beside = [f"{one.step} after {one.delay_s} s" for one in step.joined]
            seen += f" hearing {step.heard}" if step.heard else ""
            seen += f", caller may press {step.calling_keys}" if step.calling_keys else ""
            seen += f", who answers may press {step.called_keys}" if step.called_keys else ""
            rings = ",".join([*step.endpoints, *beside])
            return f"ring {rings} for {step.timeout_s} s{seen}, {jumps(step.then)}"
        case Outside():
            shown = (
                f"{'hides' if step.hidden else 'shows'} {step.presented or 'nothing'} network {step.network}"
            )
            before = f" after {', '.join(step.diverted)}" if step.diverted else ""
            often = f", {step.diversions} in all" if step.diversions > 1 else ""
            why = f" {step.diversion_reason}" if step.diversion_reason else ""
            diverted = f" diverted by {step.diverting}{why}{before}{often}" if step.diverting else ""
            limit = f", at most {step.limit_s} s" if step.limit_s else ""
            press = f", caller may press {step.calling_keys}" if step.calling_keys else ""
            press += f", press 1 in {step.confirm}" if step.confirm else ""
            press += f", within {within(step.limits)}" if step.limits else ""
            press += f", over {' then '.join(step.trunks)}" if step.trunks != TRUNKS else ""
            return f"outside {step.number} {shown}{diverted}, {step.payer} pays for {step.why}{limit}{press}"
        case Admit():
            return f"count within {within(step.limits)}, then {jump(step.then)}"
        case Voicemail():
            return f"record {step.mailbox}{' busy' if step.busy else ''}"
        case ListenToVoicemail():
            return f"listen {step.mailbox}"
        case Play():
            spoken_in = f" in {step.language}" if step.language else ""
            return f"play {step.sound}{spoken_in}, then {jump(step.then)}"
        case Reject():
            return f"refuse {step.reason}"
        case Confirm():
            groups = f" of {','.join(step.groups)}" if step.groups else " of any group"
            silent = f", {','.join(step.silent)} ring for no call{groups}" if step.silent else ""
            return f"confirm {', '.join(step.sounds)}{silent}"
        case PickUp():
            return f"pick up at {','.join(step.endpoints)}"


def within(limits: tuple[Limit, ...]) -> str:
    """Say limits: how many channels in which group."""
    return " ".join(f"{one.most} {one.group}@{one.category}" for one in limits)


def jumps(then: Next) -> str:
    """Say where a ringing step leads when nobody answers."""
    if then.busy == then.no_answer == then.unreachable:
        return f"else {jump(then.busy)}"
    return f"busy {jump(then.busy)}, no answer {jump(then.no_answer)}, unreachable {jump(then.unreachable)}"


def jump(index: int) -> str:
    """Say a jump."""
    return "end" if index == END else str(index)
