"""The story of the product, told with real SIP: from the customer's old number to the rated leg.

Owns the story: who calls whom, and what must have been seen at the end. Refuses to look inside: it applies
documents through the door, calls with real phones, and reads what any operator can read. `pbxcore.cli.demo`
shows it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pbxcore import database, door, logged, removal
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.phones import password_of
from pbxcore.practice.sipp import Run, SipMessage, SippCarrier, SippPhone, answering
from pbxcore.receipt import UnansweredError
from pbxcore.settings import Settings, Trunk
from pbxcore.turn import BusyError

SQL = named(Path(__file__).with_name("demo.sql"))

TENANT = "story"
OLD_NUMBER = "+493022200200"
TEMPORARY = "+493055500200"
MOBILE = "+436641234567"
CALLER = "+4915112345678"
PHONES = ("story-p20", "story-p21")
SPOKEN_S = 95
LEFT_S = 60  # of the bundle's mobile seconds, before the call
BUNDLE_S = 6_000  # 100 mobile minutes
EARLIER_LEG_S = 60  # what was used before, was used in calls of a minute
PATIENCE_S = 20.0  # for anything the machine does within a second when it is well
POLL_S = 0.05
STAYS: tuple[type[Exception], ...] = (*database.AWAY, BusyError, UnansweredError, removal.RemovalError)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays.

    Attributes:
        sipp: command that starts sipp.
        ports: three free ports: two phones and the caller.
        trunk: the carrier that brings the call and, played by the machine, takes the one to the mobile.
    """

    sipp: Sequence[str]
    ports: Sequence[int]
    trunk: Trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What was seen.

    Attributes:
        account: made for this telling, so that its bundle stands where the story begins.
        factor: by how much the spoken time and the rest of the bundle were shortened.
        rang: how many of the group's phones rang.
        spoken_us: from answer to hangup, by the caller's own SIP messages.
        decision: line of the decision log.
        rated: the rated legs of this call.
    """

    account: str
    factor: int
    rang: int
    spoken_us: int
    decision: dict[str, Any]
    rated: tuple[dict[str, Any], ...]


class StoryError(Exception):
    """Something that belongs to the story did not happen."""


async def tell(settings: Settings, cast: Cast, *, factor: int, say: Say) -> Story:
    """Play the story once on the running machine.

    Args:
        settings: of the running machine.
        cast: who plays.
        factor: by how much to shorten the spoken time and what is left of the bundle.
        say: told each step as it begins.

    Raises:
        StoryError: something did not happen in time.
    """
    account = f"story-{int(time.time()):x}"
    connection = await database.connect(database.url_of(settings), application="pbxcore demo")
    try:
        say("The customer's documents go through the door: catalogue, account, tenant")
        await _apply(settings, account)
        say(f"Earlier this month all mobile minutes but {Decimal(LEFT_S) / factor} s were used")
        await _use_before(settings, connection, account, BUNDLE_S - LEFT_S // factor)
        rang, messages = await _call(settings, cast, talk_ms=SPOKEN_S * 1_000 // factor, say=say)
        decision = await _decision(settings)
        say("The leg to Austria is rated")
        rated = await _rated(connection, decision["linkedid"], account)
    finally:
        connection.terminate()  # a goodbye would fail, or have no limit, where the server is gone
        await leave(settings, say)
    return Story(
        account=account,
        factor=factor,
        rang=rang,
        spoken_us=_spoken_us(messages),
        decision=decision,
        rated=rated,
    )


async def leave(settings: Settings, say: Say) -> None:
    """Take the customer out of force; where that fails, only say so: the story says more."""
    try:
        await removal.remove(settings, TENANT, author="demo")
    except STAYS as error:
        say(f"The customer stays in force ({error}): pbxcore remove {TENANT} --confirm")
    else:
        say("The customer is out of force again; its account and what was rated stay")


def problems(story: Story) -> tuple[str, ...]:
    """Return what should have been seen and was not; empty when the story is true."""
    found = []
    if story.rang != len(PHONES):
        found.append(f"{story.rang} of {len(PHONES)} phones rang")
    if len(story.rated) != 1:
        return (*found, f"{len(story.rated)} rated legs instead of one")
    leg = story.rated[0]
    sources = [piece["source"] for piece in leg["pieces"]]
    if sources != ["allowance", "overflow"]:
        found.append(f"the leg was paid from {sources} instead of allowance, then overflow")
    if sum(piece["seconds"] for piece in leg["pieces"]) != leg["billable_s"]:
        found.append("the seconds of the pieces do not add up to the leg")
    if sum(piece["amount_micro"] for piece in leg["pieces"]) != leg["amount_micro"]:
        found.append("the amounts of the pieces do not add up to the leg")
    if abs(leg["duration_us"] - story.spoken_us) >= 1_000_000:
        found.append(f"rated {leg['duration_us']} µs, but {story.spoken_us} µs were spoken")
    if leg["number"] != MOBILE or leg["why"] != "forward":
        found.append(f"the leg is a {leg['why']} to {leg['number']}")
    return tuple(found)


async def _apply(settings: Settings, account: str) -> None:
    with TemporaryDirectory() as folder:
        _write_documents(settings, account, Path(folder))
        applied = await door.apply(settings, [Path(folder)], author="demo")
    if applied.findings:
        raise StoryError(f"the documents in {settings.config / 'demo'} are wrong: {applied.findings[0]}")


def _write_documents(settings: Settings, account: str, folder: Path) -> None:
    for source in sorted((settings.config / "demo").glob("*.yaml")):
        text = source.read_text().replace("\naccount: story\n", f"\naccount: {account}\n")
        (folder / source.name).write_text(text)


async def _use_before(settings: Settings, connection: Connection, account: str, seconds: int) -> None:
    """Write leg records as Asterisk would, and wait until they are rated."""
    whole, rest = divmod(seconds, EARLIER_LEG_S)
    durations = [EARLIER_LEG_S] * whole + [rest] * (rest > 0)
    end_us = int(time.time()) * 1_000_000
    lines = [
        line for n, s in enumerate(durations) for line in _records(account, n, end_us - s * 1_000_000, end_us)
    ]
    spool = settings.spool / "legs.tsv"
    spool.parent.mkdir(parents=True, exist_ok=True)
    with spool.open("ab", buffering=0) as file:
        for line in lines:
            file.write(line.encode())
    await _until(lambda: _has_used(connection, account, seconds), "the earlier calls were not rated")


def _records(account: str, number: int, answered_us: int, ended_us: int) -> list[str]:
    key = f"{account}-{answered_us // 1_000_000}.{number + 1}"
    extra = f"payer=story/70|why=forward|num={MOBILE}|limit=0|version=story@0|trunk=carrier"
    events = (
        ("CHAN_START", answered_us, "", ""),
        ("USER_DEFINED", answered_us, "TRUNK_LEG", extra),
        ("ANSWER", answered_us, "", ""),
        ("HANGUP", ended_us, "", ""),
    )
    channel = f"PJSIP/trunk-carrier-{number:08x}"
    return [
        "\t".join(
            (
                "L1",
                event,
                f"{us // 1_000_000}.{us % 1_000_000:06}",
                key,
                f"{key}-call",
                channel,
                "",
                name,
                more,
            )
        )
        + "\n"
        for event, us, name, more in events
    ]


async def _has_used(connection: Connection, account: str, seconds: int) -> bool:
    row = await connection.fetchrow(SQL["used"], account)
    return row is not None and int(row["seconds"]) >= seconds


async def _call(
    settings: Settings, cast: Cast, *, talk_ms: int, say: Say
) -> tuple[int, tuple[SipMessage, ...]]:
    """Let the caller dial the old number; return how many phones rang, and the caller's messages."""
    server = (settings.bind, settings.ports.sip)
    carrier = SippCarrier(
        program=cast.sipp, server=server, address=cast.trunk.host, port=settings.ports.carrier
    )
    async with _phones(settings, cast, server) as phones:
        say(f"{CALLER} dials {OLD_NUMBER}; the losing carrier forwards to {TEMPORARY}; the group rings")
        diversion = f"Diversion: <sip:{OLD_NUMBER}@{cast.trunk.host}>;reason=unconditional\n"
        caller = await carrier.call(
            TEMPORARY, port=cast.ports[2], caller=CALLER, headers=diversion, talk_ms=talk_ms, limit_s=180
        )
        try:
            for phone in phones:
                await phone.until(method="INVITE", limit_s=PATIENCE_S)
            say("Both phones ring; nobody answers")
            await phones[0].until(method="CANCEL", limit_s=PATIENCE_S)
            say(f"The group forwards to {MOBILE} in Austria")
            await caller.until(status=200, limit_s=PATIENCE_S)
            say(f"The mobile answers; {Decimal(talk_ms) / 1_000} s are spoken")
            messages = await caller.wait()
        finally:
            await caller.end()
        return sum(any(m.method == "INVITE" for m in phone.messages()) for phone in phones), messages


@asynccontextmanager
async def _phones(settings: Settings, cast: Cast, server: tuple[str, int]) -> AsyncIterator[list[Run]]:
    """Register the group's phones and let them ring without an answer."""
    async with AsyncExitStack() as stack:
        runs = []
        for endpoint, port in zip(PHONES, cast.ports, strict=False):
            phone = SippPhone(
                program=cast.sipp,
                user=endpoint,
                password=password_of(settings, endpoint),
                server=server,
                local=(settings.bind, port),
            )
            await phone.register()
            run = await phone.take(answering(ring_ms=60_000, start_at="silent"))
            stack.push_async_callback(run.end)
            runs.append(run)
        yield runs


def _spoken_us(messages: Sequence[SipMessage]) -> int:
    answered = next(m.at for m in messages if m.status == 200 and m.method == "INVITE")
    ended = next(m.at for m in messages if not m.status and m.method == "BYE")
    return round((ended - answered) * 1_000_000)


async def _decision(settings: Settings) -> dict[str, Any]:
    """Return the newest decision about a call to the temporary number."""
    newest: dict[str, Any] = {}

    async def found() -> bool:
        newest.update(newest_decision(settings.decisions))
        return bool(newest)

    await _until(found, "no decision was logged")
    return newest


def newest_decision(folder: Path) -> dict[str, Any]:
    """Give the newest whole line of the logs about a call to the temporary number; empty: there is none."""
    newest: dict[str, Any] = {}
    for path in folder.glob("*.ndjson"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            entry = logged.entry(line)
            if (
                entry
                and entry["facts"].get("dialled") == TEMPORARY
                and entry["time"] > newest.get("time", "")
            ):
                newest = dict(entry)
    return newest


async def _rated(connection: Connection, linkedid: str, account: str) -> tuple[dict[str, Any], ...]:
    rows: list[dict[str, Any]] = []

    async def found() -> bool:
        rows[:] = [dict(row) for row in await connection.fetch(SQL["rated"], linkedid, account)]
        return bool(rows)

    await _until(found, "the call was not rated")
    return tuple({**row, "pieces": json.loads(row["pieces"])} for row in rows)


async def _until(true: Callable[[], Any], otherwise: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await true():  # noqa: ASYNC110 — what is awaited happens in other processes
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise StoryError(f"{otherwise} within {PATIENCE_S:.0f} s") from None
