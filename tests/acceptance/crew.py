"""A tenant of ring groups, and how calls come to it: shared by the tests of groups on a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dialplan.build import build_plan
from dialplan.plan import Plan, Strategy
from dialplan.spec import TenantSpec
from pbxcore import phones, publication
from pbxcore.control.turns import Turns
from pbxcore.practice import sipp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
BUSY = sipp.answering(ring_ms=0, start_at="refuse", code=486)
CALLS = 20
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
MEMBERS = tuple(str(number) for number in range(20, 30))
OBEYS, WITH_21_FIRST, MOBILE_FIRST = "+493055530023", "+493055530024", "+493055530025"
LATE, OUTSIDE, OFFICE, MOBILE = "+493055530020", "+493055530021", "+493055530022", "+436641110060"
PROMPT = 1000  # Hz, in place of what is spoken
NUMBERS = {strategy: f"+4930555300{index:02}" for index, strategy in enumerate(Strategy, 10)}
WITH_MOBILE = {strategy: f"+4930555301{index:02}" for index, strategy in enumerate(Strategy, 10)}
CREW: dict[str, Any] = {
    "version": 1,
    "tenant": "crew",
    "name": "Crew",
    "account": "crew",
    "country": "DE",
    "area_code": "30",
    "time_zone": "Europe/Berlin",
    "numbers": {number: {"to": f"group {strategy}"} for strategy, number in NUMBERS.items()}
    | {number: {"to": f"group mobile_{strategy}"} for strategy, number in WITH_MOBILE.items()}
    | {
        LATE: {"to": "group late"},
        OUTSIDE: {"to": "group mobile"},
        OFFICE: {"to": "hours office"},
        OBEYS: {"to": "group obeying"},
        WITH_21_FIRST: {"to": "group first"},
        MOBILE_FIRST: {"to": "group travelling"},
    },
    "hours": {
        "office": {
            "open": [],
            "then": "extension 21",
            "closed": "busy",
            "special": f"number {MOBILE}",
            "switch": {"code": "1", "by": ["20"]},
        }
    },
    "extensions": {number: {"name": number, "devices": [f"p{number}"]} for number in MEMBERS}
    | {
        "30": {"name": "30", "devices": ["p30"], "busy_level": 2},
        "31": {"name": "31", "devices": ["p31", "p32"], "busy_level": 2},
    },
    "groups": {
        strategy: {"name": strategy, "strategy": strategy, "members": MEMBERS, "timeout_s": 15}
        for strategy in Strategy
    }
    | {
        f"mobile_{strategy}": {
            "name": strategy,
            "strategy": strategy,
            "members": ["20", {"number": MOBILE}, "21"],
            "timeout_s": 5,
            "otherwise": "busy",
        }
        for strategy in Strategy
    }
    | {
        "late": {
            "name": "Late",
            "members": ["20", {"extension": "21", "delay_s": 1, "timeout_s": 5}],
            "timeout_s": 11,
            "ring_tone": "sales",
            "prefix": "Verkauf:",
            "otherwise": "busy",
        },
        "first": {"name": "First", "strategy": "linear", "members": ["21", "20"], "timeout_s": 10},
        "travelling": {
            "name": "Travelling",
            "extension": "62",
            "strategy": "fewest_calls",
            "members": [{"number": MOBILE}, "20"],
            "timeout_s": 10,
        },
        "obeying": {"name": "Obeying", "members": ["20", "23"], "members_forward": "obey", "timeout_s": 10},
        "free": {
            "name": "Free",
            "extension": "61",
            "strategy": "linear",
            "busy_level": 1,
            "members": ["20", "21"],
            "timeout_s": 5,
        },
        "mobile": {
            "name": "Mobile",
            "extension": "60",
            "members": ["20", {"number": MOBILE}, {"extension": "21", "delay_s": 2}],
            "timeout_s": 10,
            "otherwise": "busy",
        },
    },
}


def publish(pbx: Pbx, document: dict[str, Any]) -> Plan:
    """Put a document of the tenant in force; return its plan."""
    settings = pbx.settings
    index = json.loads((settings.published / "index.json").read_text())
    revision = index["tenants"].get("crew", 0) + 1
    plan = build_plan(TenantSpec.model_validate(document), revision=revision,
                      trunks=tuple(trunk.name for trunk in settings.trunks))  # fmt: skip
    publication.write_plan(settings.published, plan)
    phones.publish(settings, plan)
    index["tenants"]["crew"] = revision
    publication.write_aside(settings.published / "index.json", json.dumps(index))
    said = asyncio.run(publication.announce(settings.run_dir))
    assert all(one.done for one in said), said
    return plan


async def take(pbx: Pbx, runs: Runs, answering: dict[str, str]) -> dict[str, sipp.Run]:
    """Register phones of the crew and let each take calls as its scenario says."""

    async def one(number: str, scenario: str) -> sipp.Run:
        phone = pbx.phone(f"p{number}", tenant="crew")
        await phone.register()
        run = await phone.take(scenario, calls=0)
        runs.append(run)
        return run

    started = await asyncio.gather(*(one(*phone) for phone in answering.items()))
    return dict(zip(answering, started, strict=True))


async def forget(pbx: Pbx, *, but: Sequence[str] = ()) -> None:
    """Begin without memory of the calls of other tests, whose members have answered more or less.

    Where nothing is known of any member of a group a draw says who rings first. `but` names payers who have
    taken a call on an earlier day.
    """
    pbx.stop("control")
    pbx.settings.turns_file.unlink(missing_ok=True)
    if but:
        turns = Turns(pbx.settings.turns_file)
        for payer in but:
            turns.answered("of an earlier day", payer, EARLIER, EARLIER.date())
        turns.save()
    await start_control(pbx)


async def start_control(pbx: Pbx) -> None:
    """Start control and wait until it speaks with Asterisk."""
    pbx.serve("control")
    await asyncio.to_thread(pbx.until, lambda: pbx.status("control").get("asterisk") == "up")


async def begin_at_once(pbx: Pbx, number: str) -> sipp.Run:
    """Bring twenty calls, from +49151000001 to +49151000020."""
    scenario = sipp.calling(number, user="+49151000[call_number]", talk_ms=100)
    carrier = pbx.carrier
    command = sipp.words(pbx.program, local=(carrier.address, pbx.port()), remote=pbx.server, calls=CALLS)
    return await sipp.start((*command[:-1], "-r", "200", command[-1]), scenario)


async def call_at_once(pbx: Pbx, number: str) -> tuple[sipp.SipMessage, ...]:
    """Bring twenty calls and wait until all have ended; give what the callers heard."""
    run = await begin_at_once(pbx, number)
    try:
        return await run.wait()
    finally:
        await run.end()


def sent(run: sipp.Run, method: str) -> int:
    """Count the requests of a method that a phone was sent, repeated ones once."""
    calls = {m.header("Call-ID") for m in run.messages() if m.method == method and not m.status}
    return len(calls)


async def dial_code(pbx: Pbx, runs: Runs, device: str, code: str) -> tuple[sipp.SipMessage, ...]:
    """Let a phone dial a code; the confirmation ends the call. Give what was said."""
    phone = pbx.phone(device, tenant="crew")
    runs.append(asked := await phone.call(code, talk_ms=10_000))
    said = await asked.wait()
    assert 200 in [message.status for message in said if message.method == "INVITE"]
    return said


async def ended_leg(pbx: Pbx, number: str) -> dict[str, Any]:
    """Wait until the one trunk leg of the last call to a number has ended, and give it."""
    linkedid = pbx.decided(dialled=number)["linkedid"]

    def ended() -> bool:
        records = pbx.legs(linkedid)
        legs = [record[3] for record in records if record[7] == "TRUNK_LEG"]
        return bool(legs) and any(r[1] == "HANGUP" and r[3] == legs[0] for r in records)

    await asyncio.to_thread(pbx.until, ended)
    (leg,) = pbx.trunk_legs(linkedid)
    return leg


@contextlib.asynccontextmanager
async def another_carrier(pbx: Pbx, scenario: str) -> AsyncIterator[sipp.Run]:
    """Let the carrier answer as a scenario says, instead of the one that takes every call."""
    carrier = pbx.carrier
    command = sipp.words(pbx.program, local=(carrier.address, carrier.port), media=carrier.media, calls=0)
    async with without_carrier(pbx):
        run = await sipp.start(command, scenario)
        try:
            yield run
        finally:
            await run.end()


@contextlib.asynccontextmanager
async def without_carrier(pbx: Pbx) -> AsyncIterator[None]:
    """Make room at the carrier's port for somebody else."""
    pbx.stop("carrier")
    try:
        yield
    finally:
        carrier = pbx.carrier
        local = (carrier.address, carrier.port)
        pbx.start("carrier", sipp.words(pbx.program, local=local, media=carrier.media, calls=0), TERM="dumb")
